"""Run the experiments: every settings file of ``experiments/settings`` against the default.

``make experiments`` writes ``experiments/results/NAME.json``, the ablation table
``experiments/README.md`` and its figure. Only what has changed is computed again: decisions are
kept by :class:`joblib.Memory` under the data, the settings and the code that they depend on.

A settings file holds ``group`` and ``what`` (where and how the table names it), ``change`` (a
merge patch, RFC 7386, on ``stance/default.json``), and optionally ``folds`` (``articles``, or
``kind`` or ``year``: no test passage's outlet kind or year is trained on) and ``share`` (of the
training articles).

All experiments decide the same passages in the same three grouped folds, at one regularisation,
the default's weakest or their own; differences to the default are paired, with 95% intervals by
bootstrap over groups of articles.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.model_selection import GroupKFold

from stance import corpus, evaluation, lexicon, report
from stance.corpus import Passage
from stance.learner import fit_head
from stance.model import Settings, build_features, needs_lexicon
from stance.text import default_table

HERE = Path(__file__).parent
ROOT = HERE.parent
N_FOLDS = 3
CODE = ("text", "lexicon", "scope", "features", "model", "learner", "corpus")
memory = joblib.Memory(ROOT / "out" / "experiments", verbose=0)

Part = tuple[np.ndarray, np.ndarray]


@cache
def passages() -> list[Passage]:
    """What may be learned from."""
    data = ROOT / "data"
    return corpus.learnable(corpus.read([data / "passages", data / "sentences"]))


@cache
def groups() -> np.ndarray:
    """The group of each passage."""
    return corpus.groups(passages())


@cache
def parts(scheme: str) -> list[Part]:
    """The (train, test) positions of a scheme of folds."""
    found, auxiliary = passages(), np.array([p.source == "sentences" for p in passages()])
    if scheme == "articles":
        return corpus.folds(evaluation.strata_of(found), groups(), N_FOLDS, 2024, auxiliary)
    if scheme not in ("kind", "year"):
        raise SystemExit(f"folds {scheme!r}; expected articles, kind or year")
    main = np.flatnonzero(~auxiliary)
    key = [
        found[i].meta["kind"] if scheme == "kind" else str(found[i].meta["date"])[:4] for i in main
    ]
    result = []
    for train, test in GroupKFold(N_FOLDS).split(main, groups=key):
        inside = set(groups()[main[test]])
        learn = [i for i in main[train] if groups()[i] not in inside]
        result.append((np.concatenate([learn, np.flatnonzero(auxiliary)]), main[test]))
    return result


def lexicon_files() -> list[Path]:
    """The lexicons of the corpus."""
    return sorted((ROOT / "data" / "lexicons").glob("*.json"))


def inputs(families: Iterable[str]) -> str:
    """A hash of what the families' matrices depend on besides their parameters."""
    digest = hashlib.sha256(corpus.data_hash(passages()).encode())
    for module in CODE:
        digest.update((ROOT / "stance" / f"{module}.py").read_bytes())
    if needs_lexicon(families):
        for file in lexicon_files():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@memory.cache(ignore=["train", "test"])  # type: ignore[untyped-decorator]
def matrices(
    name: str,
    parameters: Mapping[str, float],
    fold: str,
    depends: str,
    train: np.ndarray,
    test: np.ndarray,
) -> tuple[csr_matrix, csr_matrix]:
    """A family's columns: training texts and their clauses, test texts."""
    settings = Settings({name: {**parameters, "weight": 1.0}}, [1.0])
    cues = lexicon.read(lexicon_files())
    features = build_features(settings, cues, default_table())
    learn = [passages()[i] for i in train]
    X = features.fit_transform([p.text for p in learn])
    inside = [c.text for p in learn for c in corpus.clauses(p)]
    return (
        vstack([X, features.transform(inside)], format="csr"),
        features.transform([passages()[i].text for i in test]),
    )


def decide_fold(
    settings: Settings, scheme: str, number: int, share: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Test positions of a fold and, by task, the raw scores of its passages."""
    train, test = parts(scheme)[number]
    if share < 1:
        kept = np.random.default_rng(2024).permutation(np.unique(groups()))
        train = train[np.isin(groups()[train], kept[: int(share * len(kept))])]
    fold = f"{scheme} {number} {share}"
    weights, made = [], []
    for name, parameters in settings.features.items():
        own = dict(parameters)
        weights.append(float(own.pop("weight", 1.0)))
        made.append(matrices(name, own, fold, inputs([name]), train, test))
    X, Z = (
        hstack([w * m[k] for w, m in zip(weights, made, strict=True)], format="csr") for k in (0, 1)
    )
    sample = evaluation.sample_of([passages()[i] for i in train], settings)
    scores = {}
    for task, order in evaluation.label_order(passages()).items():
        rows, y, mass = sample.examples(task)
        coef, intercept = fit_head(X[rows], y, mass, order, settings.C[0], settings.learner)
        scores[task] = Z @ coef.T + intercept
    return test, scores


@memory.cache  # type: ignore[untyped-decorator]
def decide(
    settings: Mapping[str, Any], scheme: str, share: float, depends: str
) -> dict[str, np.ndarray]:
    """Task → what is decided on each passage; "" on those that no fold tests."""
    found = Settings.from_json(settings)
    done = joblib.Parallel(n_jobs=-1)(
        joblib.delayed(decide_fold)(found, scheme, k, share) for k in range(N_FOLDS)
    )
    filled = {}
    for task, order in evaluation.label_order(passages()).items():
        truth = [np.array([passages()[i].labels[task] for i in test]) for test, _ in done]
        raw = [scores[task] for _, scores in done]
        prior = found.prior.get(task, {})
        filled[task] = np.full(len(passages()), "", dtype=object)
        for (test, _), y in zip(
            done, evaluation.decided_by_others(raw, truth, order, prior), strict=True
        ):
            filled[task][test] = y
    return filled


def merged(base: Any, change: Any) -> Any:
    """``base`` with a JSON merge patch (RFC 7386) put in."""
    if not isinstance(change, dict):
        return change
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def measure(
    decided: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray]
) -> dict[str, dict[str, list[float]]]:
    """Each task's figures, and the paired difference of macro-F1 to ``base``."""
    found: dict[str, dict[str, list[float]]] = {}
    for task, order in evaluation.label_order(passages()).items():
        rows = np.flatnonzero((decided[task] != "") & (base[task] != ""))
        main = [passages()[i] for i in rows]
        truth = np.array([p.labels[task] for p in main], dtype=object)
        weights = evaluation.bootstrap_weights(groups()[rows], 2024)
        ours, theirs = (
            evaluation.weighted_scores(truth, y[task][rows][None], order, weights)
            for y in (decided, base)
        )
        found[task] = {
            "accuracy": evaluation.summary(ours["accuracy"]),
            "macro_f1": evaluation.summary(ours["macro_f1"]),
            "difference": evaluation.summary(ours["macro_f1"] - theirs["macro_f1"]),
            **evaluation.whole_pairs(main, truth, decided[task][rows][None], weights),
        }
    return found


def main() -> None:
    """Run what has changed; write results, table and figure."""
    default = json.loads((ROOT / "stance" / "default.json").read_text(encoding="utf-8"))
    default["C"] = default["C"][-1:]
    depends = inputs(default["features"])
    base = decide(default, "articles", 1.0, depends)
    (HERE / "results").mkdir(exist_ok=True)
    rows = []
    for file in sorted((HERE / "settings").glob("*.json")):
        plan = json.loads(file.read_text(encoding="utf-8"))
        settings = merged(default, plan.get("change", {}))
        scheme, share = plan.get("folds", "articles"), plan.get("share", 1.0)
        figures = measure(decide(settings, scheme, share, depends), base)
        how = f"folds:{N_FOLDS} by {scheme} share:{share}"
        result = {
            "signature": evaluation.signature(Settings.from_json(settings), passages(), how),
            "group": plan["group"],
            "what": plan["what"],
            "tasks": figures,
        }
        target = HERE / "results" / file.name
        target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(file.stem, *(f"{t} {f['macro_f1'][0]:.3f}" for t, f in figures.items()), flush=True)
        rows.append(result)
    write(rows)


def write(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table and the figure of all results."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("readme.md.j2").render(
        rows=rows,
        groups=list(dict.fromkeys(row["group"] for row in rows)),
        figure=lambda v: f"{v[0]:.3f}",
        difference=lambda v: "{:+.3f} [{:+.3f}, {:+.3f}]".format(*v),
    )
    report.write_differences(rows, text, HERE)


if __name__ == "__main__":
    import run  # by its name, so that worker processes and the cache know its functions

    run.main()
