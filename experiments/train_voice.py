"""Train the weights that find a passage's holder: ``stance/voice.json``.

    .venv/bin/python experiments/train_voice.py data/passages

Two linear models. The first chooses among the words at which a name may begin, the author and the
holder of before: a multinomial logistic regression over each passage's candidates, with the earlier
holders as labelled. The second tells at each word of a holder's name whether it goes on. Articles
of the split "test" are never learned from. ``--folds N`` prints what ``experiments/holders.py``
would, under N folds of articles, with nothing written. Same data, same weights.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from holders import articles, bare, found_in, measured
from scipy.optimize import minimize

from stance import voice
from stance.storage import whole_file

PENALTY = {"start": 6.0, "end": 3.0}
RARE = {"start": 15, "end": 5}  # a feature in fewer examples is left out
SMALL = 0.06  # a weight below is left out, and the others are fitted again


class Example(NamedTuple):
    """A choice: each candidate's model and features, and which ones are right."""

    candidates: list[tuple[str, list[str]]]
    right: list[int]


def examples(records: Sequence[dict[str, Any]]) -> tuple[list[Example], list[Example]]:
    """An article's choices of a holder, and at each word of a name whether it goes on."""
    article = voice._Article([voice._Passage(r["text"]) for r in records])
    past, chosen, ends = voice._Past(), [], []
    for n, record in enumerate(records):
        p, gold = article.passages[n], record["holder"] or ""
        name = bare(gold).split()
        at = [i for i in range(len(p.words)) if name and p.words[i : i + len(name)] == name]
        chosen += _choice(article, n, past, name, at)
        if at:
            ends += _ends(article, n, at[0], at[0] + len(name))
            chosen += _without_name(article, n, gold, at[0], at[0] + len(name))
        found = "author" if not gold else "named" if at else "continued"
        past.learn(p, voice.Holder(gold, "", "", "", found))
    return chosen, ends


def _choice(article: Any, n: int, past: Any, name: list[str], at: list[int]) -> list[Example]:
    p = article.passages[n]
    names = voice._names()
    whole = list(voice._whole_total(names.last, article, n, past))
    candidates = [("author", [*whole, *voice._said(names.author, p)])]
    if past.last.name:
        candidates.append(("last", whole))
    starts = voice._start_totals(names.start, article, n, past)
    offset = len(candidates)
    candidates += [("start", list(features)) for features in starts.values()]
    right = [offset + k for k, i in enumerate(starts) if i in at]
    if not name:
        right = [0]
    elif not right and bare(past.last.name).split() == name:
        right = [1]
    elif not right:
        right = [offset + k for k, i in enumerate(starts) if p.words[i] in name[-1:]]
    return [Example(candidates, right)] if right else []


def _without_name(article: Any, n: int, gold: str, start: int, end: int) -> list[Example]:
    """The same passage, had it left its speaker to the one before: the corpus has few of these."""
    p = article.passages[n]
    verb = p.first(voice._SPEECH, range(3))
    that = p.first(frozenset({"that", ":"}), range(end, end + 3))
    if verb is None or verb > start or that is None or start - verb > 10:
        return []
    text = f"{p.original(0, verb + 1)} {p.original(that, len(p.words))}"
    passages = [voice._Passage(text) if i == n else q for i, q in enumerate(article.passages)]
    past = voice._Past(begun=True)
    past.learn(p, voice.Holder(gold, "", "", "", "named"))
    return _choice(voice._Article(passages), n, past, bare(gold).split(), [])


def _ends(article: Any, n: int, start: int, end: int) -> list[Example]:
    limit = min(end, voice._limit(article.passages[n], start) - 1)
    return [
        Example(
            [
                ("stop", []),
                ("end", list(voice._end_total(voice._names().end, article, n, start, i))),
            ],
            [int(i < end)],
        )
        for i in range(start + 1, limit + 1)
    ]


def fit(
    data: Sequence[Example], penalty: float, rare: int, only: set[tuple[str, str]] | None = None
) -> dict[tuple[str, str], float]:
    """The weights that make the right candidates most probable, with a penalty on their squares."""
    counts = Counter(
        (model, f) for e in data for model, features in e.candidates for f in set(features)
    )
    kept = sorted(k for k, c in counts.items() if c >= rare and (only is None or k in only))
    column = {name: i for i, name in enumerate(kept)}
    indices, starts, groups, right = [], [0], [], []
    for e in data:
        groups.append(len(right))
        for k, (model, features) in enumerate(e.candidates):
            indices += [column[model, f] for f in features if (model, f) in column]
            starts.append(len(indices))
            right.append(k in e.right)
    rows = len(right)
    X = sp.csr_matrix((np.ones(len(indices)), indices, starts), shape=(rows, len(column)))
    Xt, at, hit = X.T.tocsr(), np.array(groups), np.array(right)
    group = np.repeat(np.arange(len(at)), np.diff(np.append(at, rows)))

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = X @ w
        e = np.exp(z - np.maximum.reduceat(z, at)[group])
        good = np.where(hit, e, 0)
        total, kept_ = np.add.reduceat(e, at), np.maximum(np.add.reduceat(good, at), 1e-300)
        value = np.log(total).sum() - np.log(kept_).sum() + penalty / 2 * w @ w
        return value, Xt @ (e / total[group] - good / kept_[group]) + penalty * w

    found = minimize(
        loss, np.zeros(len(column)), jac=True, method="L-BFGS-B", options={"maxiter": 200}
    )
    return dict(zip(kept, found.x.tolist(), strict=True))


def train(data: Sequence[tuple[list[Example], list[Example]]]) -> dict[str, dict[str, float]]:
    """The weights of all models, without the small ones."""
    weights: dict[str, dict[str, float]] = {"start": {}, "author": {}, "last": {}, "end": {}}
    for part, name in enumerate(("start", "end")):
        chosen = [e for article in data for e in article[part]]
        first = fit(chosen, PENALTY[name], RARE[name])
        large = {k for k, w in first.items() if abs(w) >= SMALL}
        again = fit(chosen, PENALTY[name], RARE[name], large)
        for (model, feature), weight in again.items():
            weights[model][feature] = round(weight, 2)
    return weights


def main() -> None:
    """Train and write, or cross-validate and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="+", type=Path, metavar="DATA")
    parser.add_argument("--folds", type=int, default=0, help="cross-validate; write nothing")
    given = parser.parse_args()
    records = [a for a in articles(given.data) if a[0].get("split") != "test"]
    data = [examples(article) for article in records]
    if not given.folds:
        weights = train(data)
        print({model: len(table) for model, table in weights.items()})
        with whole_file(Path(voice.__file__).parent / "voice.json") as file:
            text = json.dumps(weights, ensure_ascii=False, indent=0, sort_keys=True)
            file.write((text + "\n").encode())
        return
    order = np.random.default_rng(0).permutation(len(records))
    rows = []
    for fold in range(given.folds):
        test = set(order[fold :: given.folds].tolist())
        weights = voice._Weights(**train([d for i, d in enumerate(data) if i not in test]))
        print(fold, [len(table) for table in weights], flush=True)
        voice._weights = lambda fixed=weights: fixed
        voice._model.cache_clear()
        rows += [row for i in sorted(test) for row in found_in(records[i])]
    print(json.dumps(measured(rows), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
