"""What a corpus gives away: how well shortcuts predict its labels, and which words do.

A label should follow from what a passage says. Where length, outlet, genre, function words or
names predict it nearly as well as the whole text, a classifier learns the shortcut (Gururangan et
al. 2018; Gardner et al. 2021).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer

from stance import corpus
from stance.corpus import Passage
from stance.evaluation import (
    auxiliary,
    bootstrap_weights,
    label_order,
    sample_of,
    signature,
    strata_of,
    summary,
    weighted_scores,
)
from stance.features import Features, Reading
from stance.learner import fit_head
from stance.lexicon import Lexicon
from stance.model import Settings, build_features
from stance.text import Table

#: Closed-class words of Arabic (Ryding 2005, chs. 10, 12-16, 18), as normalised.
FUNCTION_WORDS = frozenset(
    """
    من الي عن علي في مع بين منذ حتي خلال بعد قبل عند لدي نحو تجاه ضد دون بدون عبر حول ضمن وسط
    امام خلف فوق تحت داخل خارج قرب سوي غير مثل و ف ب ل ك ثم او ام اما بل لكن ان انه انها انهم اذ
    اذا لو لولا كي لكي كما كانما لان لانه لانها بان وان فان كان كانت يكون تكون كانوا ليس ليست
    ليسوا لم لن لا ما قد لقد سوف هل هذا هذه ذلك تلك هولاء هنا هناك هو هي هم نحن انا انت الذي التي
    الذين اللذين اللتين ماذا متي كيف اين حيث حين عندما بينما كلما كل بعض جميع اي احد كلا كلتا ايضا
    فقط الا انما وانما رغم برغم بالرغم بسبب لاجل وفق وفقا بحسب حسب فيه فيها به بها له لها لهم
    عليه عليها منه منها عنه عنها اليه اليها بينهما معه معها
    """.split()  # noqa: SIM905 - a list of this length reads better as prose
)
_PLACEHOLDER = "شيء"
_OPENING = 5
_MIN_DF = 20
_TOP = 20


@dataclass(frozen=True)
class _View:
    """One way to look at passages: texts, or a table of properties, and the features on it."""

    name: str
    see: Callable[[Passage], Any]
    features: Callable[[], Any]
    with_auxiliary: bool = True


def audit(
    passages: Sequence[Passage],
    settings: Settings,
    lexicon: Lexicon | None,
    table: Table,
    names: Lexicon | None = None,
    n_folds: int = 5,
    jobs: int = -1,
) -> dict[str, Any]:
    """Macro-F1 of shortcuts and of masked texts beside the model's, in the same grouped folds.

    ``names``: the named entities to mask, with the passages' holders. All systems are the same
    linear classifier at the middle C of the settings, trained without clauses as examples and
    deciding under equal shares; each figure is ``[value, low, high]``. ``kinds``: each outlet kind
    by a model that saw none of it (the kinds are parted into as many folds), beside the grouped
    folds. ``words``: the words most tied to a label.
    """
    group = corpus.groups(passages)
    aux = auxiliary(passages, settings)
    plain = replace(settings, clauses=0.0)
    C = sorted(settings.C)[len(settings.C) // 2]
    parts = corpus.folds(strata_of(passages), group, n_folds, settings.seed, aux)
    views = _views(passages, plain, lexicon, table, names)
    tested = np.flatnonzero(~aux)
    weights = bootstrap_weights(group[tested], settings.seed)
    found: dict[str, Any] = {
        "signature": signature(settings, passages, f"audit folds:{n_folds} grouped C:{C:g}"),
        "passages": len(tested),
        "systems": {},
        "kinds": {},
        "words": {t: telling_words(passages, t) for t in passages[0].labels},
    }
    work = [(view, train, test) for view in views for train, test in parts]
    decided = _decide(passages, plain, C, work, jobs)
    grouped: dict[str, np.ndarray] = {}
    for k, view in enumerate(views):
        y = _gather(len(passages), parts, decided[k * len(parts) : (k + 1) * len(parts)])
        if not k:
            grouped = y
        found["systems"][view.name] = _macro_f1(passages, tested, y, weights)
    kinds = [str(p.meta.get("kind") or "") for p in passages]
    held = []
    named_kinds = sorted({kinds[i] for i in tested} - {""})
    for k in range(min(n_folds, len(named_kinds))):
        unseen = set(named_kinds[k::n_folds])
        test = np.array([i for i in tested if kinds[i] in unseen])
        held.append((np.flatnonzero(~np.isin(group, group[test])), test))
    if len(held) > 1:
        y = _gather(
            len(passages), held, _decide(passages, plain, C, [(views[0], *h) for h in held], jobs)
        )
        named = np.concatenate([test for _, test in held])
        found["systems"]["outlet kind held out"] = _macro_f1(
            passages, named, y, bootstrap_weights(group[named], settings.seed)
        )
        for kind in named_kinds:
            test = np.array([i for i in named if kinds[i] == kind])
            kind_weights = bootstrap_weights(group[test], settings.seed)
            found["kinds"][kind] = {
                "passages": len(test),
                **{
                    task: {
                        "held_out": accuracy(passages, test, y[task], task, kind_weights),
                        "grouped": accuracy(passages, test, grouped[task], task, kind_weights),
                    }
                    for task in y
                },
            }
    return found


def accuracy(
    passages: Sequence[Passage], rows: np.ndarray, y: np.ndarray, task: str, weights: np.ndarray
) -> list[float]:
    """The share of ``rows`` that ``y`` decides right, with its interval."""
    right = np.array([passages[i].labels[task] == y[i] for i in rows], dtype=float)
    return summary(weights @ right / weights.sum(axis=1))


def telling_words(passages: Sequence[Passage], task: str) -> dict[str, list[list[Any]]]:
    """Label → the words most tied to it: word, passages that hold it, share with the label, z.

    ``z`` is how far the label's share among the word's passages lies from its share overall, in
    standard errors (Gardner et al. 2021). Words of at least 20 passages.
    """
    prose = [p for p in passages if p.source == "passages"]
    counter = CountVectorizer(analyzer=_word_set, min_df=min(_MIN_DF, max(1, len(prose) // 10)))
    holds = counter.fit_transform(p.text for p in prose).tocsc()
    words = counter.get_feature_names_out()
    n = np.diff(holds.indptr)
    found: dict[str, list[list[Any]]] = {}
    for label in label_order(passages)[task]:
        has = np.array([p.labels[task] == label for p in prose], dtype=float)
        share = has.mean()
        if not 0 < share < 1:
            continue
        within = (holds.T @ has) / n
        z = (within - share) / np.sqrt(share * (1 - share) / n)
        found[label] = [
            [str(words[j]), int(n[j]), round(float(within[j]), 3), round(float(z[j]), 1)]
            for j in np.argsort(-z, kind="stable")[:_TOP]
        ]
    return found


def categories(passages: Sequence[Passage], lexicon: Lexicon) -> list[dict[str, Any]]:
    """Each category of a lexicon against the labels: how often it speaks, how often rightly.

    ``coverage``: share of the passages with its pole's label that hold a cue; ``precision``: share
    with that label among the passages that hold a cue; ``base``: the label's share overall. A
    category whose pole is no label has neither precision nor coverage, only ``passages``.
    """
    prose = [p for p in passages if p.source == "passages"]
    held: dict[str, list[Passage]] = {name: [] for name in lexicon.categories}
    for p in prose:
        for name in {m.category for m in Reading.of(p.text).matches(lexicon)}:
            held[name].append(p)
    rows = []
    for name, category in lexicon.categories.items():
        row: dict[str, Any] = {
            "category": name,
            "pole": category.pole,
            "cues": len(category.entries),
            "passages": len(held[name]),
        }
        own = [p for p in prose if category.pole in p.labels.values()]
        if own:
            hits = sum(category.pole in p.labels.values() for p in held[name])
            row |= {
                "precision": hits / max(1, len(held[name])),
                "coverage": hits / len(own),
                "base": len(own) / len(prose),
            }
        rows.append(row)
    return rows


# --- views ----------------------------------------------------------------------------------------


def _views(
    passages: Sequence[Passage],
    settings: Settings,
    lexicon: Lexicon | None,
    table: Table,
    names: Lexicon | None,
) -> list[_View]:
    """The model's own view first, then what each shortcut sees."""

    def model() -> Features:
        return build_features(settings, lexicon, table)

    def words(p: Passage) -> list[str]:
        return [t.text for t in Reading.of(p.text, table).tokens]

    def opening(p: Passage) -> dict[str, int]:
        return dict.fromkeys(["", *words(p)[:_OPENING]], 1)

    def function_words(p: Passage) -> dict[str, int]:
        return dict.fromkeys(["", *FUNCTION_WORDS.intersection(words(p))], 1)

    def properties(key: str) -> Callable[[Passage], dict[str, str]]:
        return lambda p: {key: str(p.meta.get(key) or "")}

    def length(p: Passage) -> dict[str, str]:
        return {"tenths of words": str(len(words(p)) // 10)}

    views = [_View("the model's features", lambda p: p.text, model)]
    if names:
        views.append(_View("names masked", lambda p: mask(p, names, table), model))
    if lexicon:
        views.append(_View("lexicon cues masked", lambda p: mask(p, lexicon, table), model))
    views += [
        _View("first five words", opening, DictVectorizer),
        _View("function words", function_words, DictVectorizer),
        _View("length", length, DictVectorizer, False),
    ]
    for key in ("kind", "genre"):
        if any(p.meta.get(key) for p in passages):
            name = "outlet kind" if key == "kind" else key
            views.append(_View(name, properties(key), DictVectorizer, False))
    return views


def mask(passage: Passage, lexicon: Lexicon, table: Table | None = None) -> str:
    """The passage with every cue of ``lexicon``, and its holder, replaced by one neutral word.

    >>> from stance.lexicon import Category
    >>> names = Lexicon({"place": Category("name", "", ("موسكو",))})
    >>> mask(Passage("1", "1", "وصل الوفد إلى موسكو.", {}), names)
    'وصل الوفد إلى شيء.'
    """
    reading = Reading.of(passage.text, table)
    hidden = [False] * len(reading.tokens)
    for match in lexicon.match(reading.tokens):
        hidden[match.start : match.end] = [True] * (match.end - match.start)
    if any(c.pole == "name" for c in lexicon.categories.values()):
        holder = {t.text for t in Reading.of(str(passage.meta.get("holder") or ""), table).tokens}
        hidden = [h or t.text in holder for h, t in zip(hidden, reading.tokens, strict=True)]
    text, at = "", 0
    for token, out in zip(reading.tokens, hidden, strict=True):
        if out:
            start, end = reading.text.original(token.start, token.end)
            text += passage.text[at:start] + _PLACEHOLDER
            at = end
    return text + passage.text[at:]


# --- folds ----------------------------------------------------------------------------------------


def _decide(
    passages: Sequence[Passage],
    settings: Settings,
    C: float,
    work: Sequence[tuple[_View, np.ndarray, np.ndarray]],
    jobs: int,
) -> list[dict[str, np.ndarray]]:
    """Task → decided labels of each test part."""
    return joblib.Parallel(n_jobs=jobs)(
        joblib.delayed(_one)(passages, settings, C, *job) for job in work
    )


def _one(
    passages: Sequence[Passage],
    settings: Settings,
    C: float,
    view: _View,
    train: np.ndarray,
    test: np.ndarray,
) -> dict[str, np.ndarray]:
    if not view.with_auxiliary:
        train = train[~auxiliary(passages, settings)[train]]
    sample = sample_of([passages[i] for i in train], settings)
    features = view.features()
    X = csr_matrix(features.fit_transform([view.see(passages[i]) for i in train]))
    Z = csr_matrix(features.transform([view.see(passages[i]) for i in test]))
    decided = {}
    for task, labels in label_order(passages).items():
        coef, intercept = fit_head(X, sample.labels[task], sample.weight[task], labels, C)
        scores = Z @ coef.T + intercept
        decided[task] = np.array(labels, dtype=object)[scores.argmax(axis=1)]
    return decided


def _gather(
    n: int,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    decided: Sequence[Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    found = {task: np.full(n, "", dtype=object) for task in decided[0]}
    for (_, test), y in zip(parts, decided, strict=True):
        for task, labels in y.items():
            found[task][test] = labels
    return found


def _macro_f1(
    passages: Sequence[Passage], rows: np.ndarray, y: Mapping[str, np.ndarray], weights: np.ndarray
) -> dict[str, list[float]]:
    found = {}
    for task, labels in label_order(passages).items():
        truth = np.array([passages[i].labels[task] for i in rows], dtype=object)
        scored = weighted_scores(truth, y[task][rows][None], labels, weights)
        found[task] = summary(scored["macro_f1"])
    return found


def _word_set(text: str) -> set[str]:
    return {t.text for t in Reading.of(text).tokens if not t.text.isdigit() and len(t.text) > 1}
