"""Cross-validation, metrics, intervals, baselines and a signature: a :class:`Result`."""

import dataclasses
import functools
import hashlib
import json
import platform
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

import joblib
import numpy as np
import scipy
import sklearn
from tqdm import tqdm

import stance
from stance import corpus
from stance.corpus import Passage
from stance.features import Reading
from stance.learner import Sample, fit, fit_head, fit_temperature
from stance.lexicon import Lexicon
from stance.model import Model, Settings, build_features, conformal_set, log_prior
from stance.text import Table, clean

P = ParamSpec("P")
T = TypeVar("T")

_BOOTSTRAPS = 1000
_BINS = 15
_SHARES = 20
_CURVE = (0.1, 0.25, 0.5, 0.75, 1.0)
_TOP = 25
_BAG_C = (2.0, 4.0)  # of the bag of words that every model is measured against
_TEXT = 400  # code points of a passage that a result keeps


@dataclass(frozen=True)
class Result:
    """What an evaluation found, as plain data that a report is made from.

    ``tasks``: task → metrics; every figure is ``[value, low, high]`` with a 95% interval by
    bootstrap over groups of articles. ``signature``: all that the figures depend on.
    ``phenomena``: what :func:`stance.challenge.by_phenomenon` found, on a challenge set.
    ``decisions``: what was decided passage by passage, for :func:`stance.comparison.compare`:
    columns ``id``, ``digest`` (of the text), ``group``, where there are any ``pair``; the ``text``
    of those that were decided wrong, by id; and by task ``labels``, then as places in these
    ``gold`` (n,) and ``decided`` (repeats, n), the decided label's probability ``p`` and whether
    ``several`` labels were in the set. Empty in results of earlier versions.
    """

    kind: str
    signature: str
    tasks: Mapping[str, Any]
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    learning_curve: Sequence[Mapping[str, Any]] = ()
    top_features: Mapping[str, Any] = field(default_factory=dict)
    phenomena: Mapping[str, Any] = field(default_factory=dict)
    decisions: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Result":
        """A result from plain data."""
        return cls(**{f.name: data[f.name] for f in dataclasses.fields(cls) if f.name in data})


@dataclass(frozen=True)
class Predictions:
    """One system's decisions on the same items: ``p`` (repeats, n, labels), ``y`` (repeats, n)."""

    p: np.ndarray
    y: np.ndarray


def sample_of(passages: Sequence[Passage], settings: Settings) -> Sample:
    """The passages as a training sample, each source at the weight that the settings name."""
    tasks = list(passages[0].labels)
    return Sample(
        [p.text for p in passages],
        {task: np.array([p.labels[task] for p in passages]) for task in tasks},
        {task: weights_of(passages, task, settings) for task in tasks},
        [corpus.clauses(p) for p in passages] if settings.clauses else [],
        settings.clauses,
    )


def weights_of(passages: Sequence[Passage], task: str, settings: Settings) -> np.ndarray:
    """Each passage's weight for ``task``, shape (n,): 1, or that of its auxiliary source.

    The items of an auxiliary source are weighted to the label shares of the others, so that the
    source's weight holds in every label alike, however its own labels are spread.
    """
    weight = np.array([float(settings.auxiliary.get(p.source, 1.0)) for p in passages])
    extra = auxiliary(passages, settings)
    main = Counter(p.labels[task] for p, e in zip(passages, extra, strict=True) if not e)
    for source in settings.auxiliary:
        inside = np.array([p.source == source for p in passages])
        if inside.any() and main:
            own = Counter(p.labels[task] for p, i in zip(passages, inside, strict=True) if i)
            shares = {
                label: (main[label] / main.total()) / (n / own.total()) if main[label] else 1.0
                for label, n in own.items()
            }
            weight[inside] *= [
                shares[p.labels[task]] for p, i in zip(passages, inside, strict=True) if i
            ]
    return weight


def auxiliary(passages: Sequence[Passage], settings: Settings) -> np.ndarray:
    """Which passages train but are never tested on, shape (n,)."""
    return np.array([p.source in settings.auxiliary for p in passages])


def label_order(passages: Sequence[Passage]) -> dict[str, tuple[str, ...]]:
    """Task → its labels: the codebook's where it has the task, else those found, sorted."""
    return {
        task: tuple(corpus.LABELS.get(task, sorted({p.labels[task] for p in passages})))
        for task in passages[0].labels
    }


def train(
    passages: Sequence[Passage],
    settings: Settings,
    lexicon: Lexicon | None,
    table: Table,
    jobs: int = -1,
) -> Model:
    """The model trained on all ``passages``, its data hash and versions noted in ``info``."""
    group = corpus.groups(passages)
    inner = _inner(passages, settings, group)
    model = fit(
        sample_of(passages, settings), label_order(passages), settings, lexicon, table, inner, jobs
    )
    model.info |= {
        "stance": stance.__version__,
        "data": corpus.data_hash(passages),
        "passages": int((~auxiliary(passages, settings)).sum()),
        "auxiliary": int(auxiliary(passages, settings).sum()),
        "versions": versions(),
    }
    return model


def cross_validate(
    passages: Sequence[Passage],
    settings: Settings,
    lexicon: Lexicon | None,
    table: Table,
    n_folds: int = 5,
    repeats: int = 2,
    jobs: int = -1,
    progress: bool = False,
    curve: bool = True,
) -> Result:
    """Repeated stratified grouped cross-validation of the settings and of the baselines.

    Tuning and calibration happen inside each training part, in grouped folds of its own. Groups
    are articles joined with near-duplicates and minimal pairs.
    """
    group = corpus.groups(passages)
    aux = auxiliary(passages, settings)
    order = label_order(passages)
    strata = strata_of(passages)
    tested = np.flatnonzero(~aux)
    at = {int(i): k for k, i in enumerate(tested)}
    jobs_to_do = [
        (repeat, train_part, test)
        for repeat in range(repeats)
        for train_part, test in corpus.folds(strata, group, n_folds, settings.seed + repeat, aux)
    ]
    systems = ("model", *_baselines(lexicon))
    filled = {
        task: {
            name: Predictions(
                np.zeros((repeats, len(tested), len(labels))),
                np.full((repeats, len(tested)), "", dtype=object),
            )
            for name in systems
        }
        for task, labels in order.items()
    }
    covered = {task: np.zeros((repeats, len(tested), 2)) for task in order}
    best_C: dict[str, list[float]] = {task: [] for task in order}
    work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(
        joblib.delayed(_fold)(passages, settings, lexicon, table, group, *job) for job in jobs_to_do
    )
    for repeat, test, outcome in _bar(work, len(jobs_to_do), "folds", progress):
        rows = [at[int(i)] for i in test]
        for task in order:
            for name in systems:
                p, y = outcome[task]["systems"][name]
                filled[task][name].p[repeat, rows] = p
                filled[task][name].y[repeat, rows] = y
            covered[task][repeat, rows] = outcome[task]["sets"]
            best_C[task].append(outcome[task]["C"])
    weights = bootstrap_weights(group[tested], settings.seed)
    tasks = {}
    main = [passages[int(i)] for i in tested]
    for task, labels in order.items():
        truth = _labels(main, task)
        tasks[task] = (
            _report(
                truth, labels, filled[task], settings.prior.get(task, {}), weights, covered[task]
            )
            | whole_pairs(main, truth, filled[task]["model"].y, weights)
            | {"C": dict(Counter(map(str, best_C[task])))}
        )
    modal = {task: Counter(found).most_common(1)[0][0] for task, found in best_C.items()}
    return Result(
        "cross-validation",
        signature(settings, passages, f"folds:{n_folds}x{repeats} grouped"),
        tasks,
        settings.to_json(),
        _data(passages),
        _learning_curve(passages, settings, lexicon, table, group, modal, n_folds, jobs, progress)
        if curve
        else [],
        _top_features(passages, settings, lexicon, table, modal),
        decisions=_decisions(
            main, group[tested], order, {t: f["model"] for t, f in filled.items()}, covered
        ),
    )


def held_out(
    model: Model,
    passages: Sequence[Passage],
    against: Mapping[str, Model] | None = None,
    records: Sequence[Mapping[str, Any]] | None = None,
) -> Result:
    """How a trained model does on passages that it never saw.

    ``against``: other models by name, counted among the baselines on the same passages.
    ``records``: the model's decisions on them, where they are known.

    Passages with second-best labels (``alt_TASK``, a list) are also counted apart: ``clear`` is
    the accuracy without them, ``lenient`` accepts them.
    """
    settings = Settings.from_json(model.info["settings"])
    texts = [p.text for p in passages]
    records = records or model.classify(texts)
    others = {name: other.classify(texts) for name, other in (against or {}).items()}
    group = np.unique([p.doc for p in passages], return_inverse=True)[1]
    weights = bootstrap_weights(group, settings.seed)
    tasks = {}
    ours: dict[str, Predictions] = {}
    inside: dict[str, np.ndarray] = {}
    for task, labels in model.labels.items():
        truth = _labels(passages, task)
        p = np.array([[list(r[f"{task}_p"].values()) for r in records]])
        y = np.array([[r[task] for r in records]], dtype=object)
        commonest = Counter(truth).most_common(1)[0][0]
        systems = {"model": Predictions(p, y)}
        rules = _rules(texts, labels, commonest, model.lexicon, model.table)
        rules |= {
            name: np.array([r[task] for r in other], dtype=object) for name, other in others.items()
        }
        for name, decided in rules.items():
            systems[name] = Predictions(_one_hot(decided, labels)[None], decided[None])
        sets = [r[f"{task}_set"] for r in records]
        covered = _covered(truth, sets)[None]
        ours[task], inside[task] = systems["model"], covered
        report = _report(truth, labels, systems, {}, weights, covered)
        report |= whole_pairs(passages, truth, y, weights)
        alternatives = [p.meta.get(f"alt_{task}") or [] for p in passages]
        if any(alternatives):
            right = (y[0] == truth).astype(float)
            clear = np.array([not a for a in alternatives], float)
            fair = [d == t or d in a for d, t, a in zip(y[0], truth, alternatives, strict=True)]
            report["clear"] = mean(weights, right, clear)
            report["lenient"] = mean(weights, np.array(fair, float), np.ones(len(truth)))
        report["errors"] = [
            {"id": p.id, "gold": t, "decided": d, "p": round(float(q.max()), 3)}
            for p, t, d, q in zip(passages, truth, y[0], systems["model"].p[0], strict=True)
            if t != d
        ]
        tasks[task] = report
    return Result(
        "held-out",
        signature(settings, passages, f"model:{model.info.get('data')} held-out"),
        tasks,
        settings.to_json(),
        _data(passages),
        decisions=_decisions(passages, group, model.labels, ours, inside),
    )


def signature(settings: Settings, passages: Sequence[Passage], how: str) -> str:
    """What a figure depends on, in one line: data, settings, scheme, seed, versions."""
    digest = hashlib.sha256(json.dumps(settings.to_json(), sort_keys=True).encode()).hexdigest()
    libraries = " ".join(f"{name}:{version}" for name, version in versions().items())
    return (
        f"stance:{stance.__version__} data:{corpus.data_hash(passages)} settings:{digest[:8]} "
        f"{how} seed:{settings.seed} bootstrap:{_BOOTSTRAPS} {libraries}"
    )


def versions() -> dict[str, str]:
    """The libraries that figures depend on, and their versions."""
    return {
        "scikit-learn": sklearn.__version__,
        "scipy": scipy.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _data(passages: Sequence[Passage]) -> dict[str, Any]:
    main = [p for p in passages if p.source == "passages"]
    return {
        "hash": corpus.data_hash(passages),
        "passages": len(main),
        "sentences": len(passages) - len(main),
        "articles": len({p.doc for p in main}),
    }


# --- folds ----------------------------------------------------------------------------------------


def _alone(task: Callable[P, T]) -> Callable[P, T]:
    """``task``, whose own use of joblib (scikit-learn's, too) stays in its process.

    On a cluster every feature family of every fold would otherwise be sent around, and a worker
    would take up fold after fold while it waits for them.
    """

    @functools.wraps(task)
    def alone(*args: P.args, **kwargs: P.kwargs) -> T:
        with joblib.parallel_config(backend="sequential"):
            return task(*args, **kwargs)

    return alone


def _labels(passages: Sequence[Passage], task: str) -> np.ndarray:
    return np.array([p.labels[task] for p in passages], dtype=object)


def strata_of(passages: Sequence[Passage]) -> list[str]:
    """What folds are stratified by: all labels of a passage together."""
    return [" ".join(p.labels.values()) for p in passages]


def _inner(
    passages: Sequence[Passage], settings: Settings, group: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    return corpus.folds(
        strata_of(passages),
        group,
        settings.inner_folds,
        settings.seed,
        auxiliary(passages, settings),
    )


@_alone
def _fold(
    passages: Sequence[Passage],
    settings: Settings,
    lexicon: Lexicon | None,
    table: Table,
    group: np.ndarray,
    repeat: int,
    train_part: np.ndarray,
    test: np.ndarray,
) -> tuple[int, np.ndarray, dict[str, Any]]:
    """Every system's decisions on one test part."""
    learn = [passages[i] for i in train_part]
    texts = [passages[i].text for i in test]
    order = label_order(passages)
    inner = _inner(learn, settings, group[train_part])
    sample = sample_of(learn, settings)
    main = fit(sample, order, settings, lexicon, table, inner)
    words = dataclasses.replace(
        settings,
        features={"words": {"smallest": 1, "largest": 1, "min_df": 1, "weight": 1.0}},
        C=_BAG_C,
        learner="logistic",
        clauses=0.0,
    )
    plain = fit(sample_of(learn, words), order, words, None, table, inner)
    p, p_plain = main.predict_proba(texts), plain.predict_proba(texts)
    outcome = {}
    for task, labels in order.items():
        commonest = Counter(
            v
            for v, aux in zip(sample.labels[task], auxiliary(learn, settings), strict=True)
            if not aux
        ).most_common(1)[0][0]
        rules = _rules(texts, labels, commonest, lexicon, table)
        systems = {name: (_one_hot(y, labels), y) for name, y in rules.items()}
        for name, probabilities in (("model", p[task]), ("bag of words", p_plain[task])):
            systems[name] = (probabilities, _argmax_labels(probabilities, labels))
        head = main.heads[task]
        truth = [passages[i].labels[task] for i in test]
        sets = [conformal_set(head, row) for row in p[task]]
        outcome[task] = {
            "systems": systems,
            "sets": _covered(truth, sets),
            "C": head.C,
        }
    return repeat, test, outcome


def _baselines(lexicon: Lexicon | None) -> tuple[str, ...]:
    return ("majority", "keywords", "bag of words") if lexicon else ("majority", "bag of words")


def _rules(
    texts: Sequence[str],
    labels: Sequence[str],
    commonest: str,
    lexicon: Lexicon | None,
    table: Table | None,
) -> dict[str, np.ndarray]:
    """What the baselines that need no training decide."""
    decided = {"majority": np.full(len(texts), commonest, dtype=object)}
    if lexicon:
        decided["keywords"] = _keywords(texts, labels, commonest, lexicon, table)
    return decided


def _covered(truth: Iterable[str], sets: Sequence[Sequence[str]]) -> np.ndarray:
    """Whether each set holds the true label, and its size, shape (n, 2)."""
    return np.array([[t in s, len(s)] for t, s in zip(truth, sets, strict=True)], dtype=float)


def _keywords(
    texts: Sequence[str],
    labels: Sequence[str],
    otherwise: str,
    lexicon: Lexicon,
    table: Table | None,
) -> np.ndarray:
    """The label with the most cues; ``otherwise`` where none or several have most."""
    decided = []
    for text in texts:
        matches = lexicon.match(Reading.of(text, table).tokens)
        poles = Counter(lexicon.categories[m.category].pole for m in matches)
        poles.pop("neutral", None)  # the cues of plain reporting stand everywhere
        best = [
            p
            for p in poles
            if p in labels and poles[p] == max(n for q, n in poles.items() if q in labels)
        ]
        decided.append(best[0] if len(best) == 1 else otherwise)
    return np.array(decided, dtype=object)


def _one_hot(decided: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    return (decided[:, None] == np.array(labels, dtype=object)[None]).astype(float)


def _argmax_labels(p: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    return np.array(labels, dtype=object)[p.argmax(axis=-1)]


def _bar(work: Iterable[Any], total: int, unit: str, progress: bool) -> Iterable[Any]:
    return tqdm(work, total=total, unit=f" {unit}", disable=not progress)


# --- metrics --------------------------------------------------------------------------------------


def bootstrap_weights(group: np.ndarray, seed: int) -> np.ndarray:
    """Item weights: row 0 all ones, then one row a resample of groups; (1 + bootstraps, n)."""
    rng = np.random.default_rng(seed)
    position = np.unique(group, return_inverse=True)[1]
    n = position.max() + 1
    counts = np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(_BOOTSTRAPS)])
    return np.vstack([np.ones(len(group)), counts[:, position]])


def mean(weights: np.ndarray, value: np.ndarray, mass: np.ndarray) -> list[float]:
    """The mean of ``value`` with item masses ``mass`` under each row of weights, summarised.

    ``weights`` (rows, n), ``value`` and ``mass`` (n,); 0 where no item has mass.
    """
    return summary(means(weights, value, mass))


def means(weights: np.ndarray, value: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """The mean under each row of weights, shape (rows,)."""
    total = weights @ mass
    return np.divide(weights @ (value * mass), total, out=np.zeros_like(total), where=total > 0)


def whole_pairs(
    passages: Sequence[Passage], truth: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> dict[str, list[float]]:
    """``pairs``: the share of minimal pairs all of whose members are decided right.

    ``y`` (repeats, n). Nothing where no passage belongs to a pair. One right member may be luck
    (Gardner et al. 2020).
    """
    value, mass = whole([str(p.meta.get("pair") or "") for p in passages], y == truth)
    return {"pairs": mean(weights, value, mass)} if mass.any() else {}


def whole(pairs: Sequence[str], right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At each pair's first member the share of repeats in which it is whole, and mass 1; (n,)."""
    members: dict[str, list[int]] = {}
    for i, pair in enumerate(pairs):
        if pair:
            members.setdefault(pair, []).append(i)
    value, mass = np.zeros(len(pairs)), np.zeros(len(pairs))
    for rows in members.values():
        if len(rows) > 1:
            value[rows[0]] = right[:, rows].all(axis=1).mean()
            mass[rows[0]] = 1.0
    return value, mass


def confusion(
    truth: np.ndarray, decided: np.ndarray, labels: Sequence[str], weight: np.ndarray
) -> np.ndarray:
    """Weighted counts, rows true labels, columns decided labels, shape (labels, labels).

    >>> confusion(np.array(["a", "a", "b"]), np.array(["a", "b", "b"]), "ab", np.ones(3)).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    index = {label: k for k, label in enumerate(labels)}
    rows = np.array([index[v] for v in truth])
    columns = np.array([index[v] for v in decided])
    k = len(labels)
    return np.bincount(rows * k + columns, weight, k * k).reshape(k, k)


def scores(matrix: np.ndarray) -> dict[str, Any]:
    """Accuracy, macro-F1 over the labels that occur, and per-class figures of a confusion matrix.

    A label that was never decided has precision 0; one that never occurs is left out of macro-F1.

    >>> scores(np.array([[1.0, 1.0], [0.0, 1.0]]))["macro_f1"].round(3)
    np.float64(0.667)
    """
    hits = np.diag(matrix)
    true, decided = matrix.sum(axis=1), matrix.sum(axis=0)
    recall = np.divide(hits, true, out=np.zeros_like(hits), where=true > 0)
    precision = np.divide(hits, decided, out=np.zeros_like(hits), where=decided > 0)
    f1 = np.divide(2 * hits, true + decided, out=np.zeros_like(hits), where=true + decided > 0)
    return {
        "accuracy": hits.sum() / matrix.sum(),
        "macro_f1": f1[true > 0].mean(),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def calibration_error(
    confidence: np.ndarray, right: np.ndarray, weight: np.ndarray
) -> tuple[float, list[dict[str, float]]]:
    """Expected calibration error of the decided label's probability, with its bins.

    Fifteen bins of equal width (Guo et al. 2017). All arguments have shape (n,).

    >>> calibration_error(np.array([0.9, 0.9]), np.array([1.0, 0.0]), np.ones(2))[0].round(3)
    np.float64(0.4)
    """
    which = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    mass = np.bincount(which, weight, _BINS)
    said = np.bincount(which, weight * confidence, _BINS)
    was = np.bincount(which, weight * right, _BINS)
    bins = [
        {"confidence": said[b] / mass[b], "accuracy": was[b] / mass[b], "mass": mass[b]}
        for b in range(_BINS)
        if mass[b] > 0
    ]
    return np.abs(said - was).sum() / mass.sum(), bins


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, float]]:
    """The accuracy of the surest shares of the decisions: what reading the rest oneself buys.

    After El-Yaniv & Wiener (2010). Both arguments have shape (n,); ``coverage`` in 0..1.

    >>> risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 1, 0, 0]))[-1]
    {'coverage': 1.0, 'accuracy': 0.5}
    """
    surest_first = right[np.argsort(-confidence, kind="stable")]
    return [
        {"coverage": share, "accuracy": float(surest_first[:n].mean())}
        for share in (k / _SHARES for k in range(1, _SHARES + 1))
        if (n := round(share * len(right)))
    ]


def _report(
    truth: np.ndarray,
    labels: Sequence[str],
    systems: Mapping[str, Predictions],
    prior: Mapping[str, float],
    weights: np.ndarray,
    covered: np.ndarray,
) -> dict[str, Any]:
    """All metrics of a task. ``covered`` (repeats, n, 2): label in its set?, size of the set."""
    labels = list(labels)
    columns = {name: weighted_scores(truth, s.y, labels, weights) for name, s in systems.items()}
    main = systems["model"]
    ours = columns["model"]
    n_repeats = len(main.y)
    matrix = np.mean([confusion(truth, y, labels, np.ones(len(truth))) for y in main.y], axis=0)
    present = Counter(truth)
    share = mixture(truth, prior)
    index = np.array([labels.index(t) for t in truth])
    log_loss, brier, right, confidence = [], [], [], []
    for p, y in zip(main.p, main.y, strict=True):
        own = p[np.arange(len(truth)), index]
        log_loss.append(-np.log(np.clip(own, 1e-15, 1)))
        brier.append(((p - _one_hot(truth, labels)) ** 2).sum(axis=1))
        right.append((y == truth).astype(float))
        confidence.append(p.max(axis=1))
    each = {"log_loss": np.mean(log_loss, axis=0), "brier": np.mean(brier, axis=0)}
    inside, size = covered.mean(axis=0).T
    several = (covered[:, :, 1] > 1).mean(axis=0)
    alone = 1 - several
    sure = np.divide(
        ((covered[:, :, 1] <= 1) * np.array(right)).mean(axis=0),
        alone,
        out=np.zeros(len(truth)),
        where=alone > 0,
    )
    flat_confidence, flat_right = np.concatenate(confidence), np.concatenate(right)

    def ece(w: np.ndarray) -> float:
        return float(
            calibration_error(flat_confidence, flat_right, np.tile(w * share, n_repeats))[0]
        )

    found: dict[str, Any] = {
        "n": len(truth),
        "accuracy": summary(ours["accuracy"]),
        "macro_f1": summary(ours["macro_f1"]),
        "per_class": {
            label: {
                "support": int(present[label]),
                **{m: summary(ours[m][:, k]) for m in ("precision", "recall", "f1")},
            }
            for k, label in enumerate(labels)
        },
        "confusion": {"labels": labels, "matrix": matrix.tolist()},
        **{name: mean(weights, value, share) for name, value in each.items()},
        "ece": unbiased(np.array([ece(w) for w in weights])),
        "reliability": calibration_error(flat_confidence, flat_right, np.tile(share, n_repeats))[1],
        "risk_coverage": risk_coverage(flat_confidence, flat_right),
        "coverage": {
            label: mean(weights, inside, (truth == label).astype(float))
            for label in labels
            if present[label]
        },
        "set_size": mean(weights, size, np.ones(len(truth))),
        "undecided": mean(weights, several, np.ones(len(truth))),
        "sure": mean(weights, sure, alone),
        "baselines": {},
    }
    for name, column in columns.items():
        if name != "model":
            found["baselines"][name] = {
                m: {
                    "value": summary(column[m]),
                    "difference": summary(ours[m] - column[m]),
                }
                for m in ("accuracy", "macro_f1")
            }
    return found


def mixture(truth: np.ndarray, prior: Mapping[str, float]) -> np.ndarray:
    """Item masses, shape (n,), in the mixture of labels that the probabilities assume.

    Calibration is measured in it. All ones without a prior.
    """
    present = Counter(truth)
    share = np.array([prior.get(t, 1.0) / present[t] if prior else 1.0 for t in truth])
    return share * (len(truth) / share.sum())


def weighted_scores(
    truth: np.ndarray, y: np.ndarray, labels: Sequence[str], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Each score under each row of weights, averaged over repeats: (rows,) or (rows, labels)."""
    index = {label: k for k, label in enumerate(labels)}
    k = len(labels)
    rows = np.array([index[v] for v in truth])
    found: dict[str, list[np.ndarray]] = {}
    for decided in y:
        cell = rows * k + np.array([index[v] for v in decided])
        per_row = [scores(np.bincount(cell, w, k * k).reshape(k, k)) for w in weights]
        for name in per_row[0]:
            found.setdefault(name, []).append(np.array([s[name] for s in per_row]))
    return {name: np.mean(values, axis=0) for name, values in found.items()}


def summary(values: np.ndarray) -> list[float]:
    """The value on all items (row 0) and the 2.5% and 97.5% percentiles of the bootstrap."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return [float(values[0]), float(low), float(high)]


def unbiased(values: np.ndarray, least: float = 0.0) -> list[float]:
    """Like :func:`summary`, for a figure that resampling pushes up, as it does calibration error.

    The percentiles are moved by the bootstrap's own bias (Efron & Tibshirani 1993, ch. 10), none
    below ``least``.
    """
    value, low, high = summary(values)
    bias = float(values[1:].mean()) - value
    return [value, max(least, low - bias), max(least, high - bias)]


# --- decisions ------------------------------------------------------------------------------------


def _decisions(
    passages: Sequence[Passage],
    group: np.ndarray,
    order: Mapping[str, Sequence[str]],
    decided: Mapping[str, Predictions],
    covered: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """``decisions`` of a :class:`Result`: columns in the order of ``passages``."""
    wrong = np.zeros(len(passages), bool)
    tasks = {}
    for task, labels in order.items():
        at = {label: k for k, label in enumerate(labels)}
        truth, found = _labels(passages, task), decided[task]
        wrong |= (found.y != truth).any(axis=0)
        tasks[task] = {
            "labels": list(labels),
            "gold": [at[t] for t in truth],
            "decided": [[at[v] for v in y] for y in found.y],
            "p": [[round(float(q), 4) for q in p.max(axis=1)] for p in found.p],
            "several": (covered[task][:, :, 1] > 1).astype(int).tolist(),
        }
    pairs = [str(p.meta.get("pair") or "") for p in passages]
    return {
        "id": [p.id for p in passages],
        "digest": [f"{zlib.crc32(p.text.encode()):08x}" for p in passages],
        "group": np.unique(group, return_inverse=True)[1].tolist(),
        **({"pair": pairs} if any(pairs) else {}),
        "text": {p.id: _clipped(p.text) for p, w in zip(passages, wrong, strict=True) if w},
        "tasks": tasks,
    }


def _clipped(text: str) -> str:
    text = clean(text)
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


# --- learning curve and features ------------------------------------------------------------------


def _learning_curve(
    passages: Sequence[Passage],
    settings: Settings,
    lexicon: Lexicon | None,
    table: Table,
    group: np.ndarray,
    C: Mapping[str, float],
    n_folds: int,
    jobs: int,
    progress: bool,
) -> list[dict[str, Any]]:
    """Macro-F1 with growing shares of the training articles, at the C that the folds chose most."""
    aux = auxiliary(passages, settings)
    parts = corpus.folds(strata_of(passages), group, n_folds, settings.seed, aux)
    rng = np.random.default_rng(settings.seed)
    shuffled = rng.permutation(np.unique(group))
    rank = dict(zip(shuffled, np.linspace(0, 1, len(shuffled), endpoint=False), strict=True))
    position = np.array([rank[g] for g in group])
    steps = [
        (share, train[position[train] < share], test) for share in _CURVE for train, test in parts
    ]
    work = joblib.Parallel(n_jobs=jobs, return_as="generator")(
        joblib.delayed(_curve_step)(passages, settings, lexicon, table, C, train, test)
        for _, train, test in steps
    )
    scored: dict[float, list[tuple[np.ndarray, dict[str, np.ndarray]]]] = {}
    sizes: Counter[float] = Counter()
    for (share, train, test), raw in zip(
        steps, _bar(work, len(steps), "curve steps", progress), strict=True
    ):
        scored.setdefault(share, []).append((test, raw))
        sizes[share] += int((~aux[train]).sum())
    points = []
    for share in _CURVE:
        test = np.concatenate([t for t, _ in scored[share]])
        weights = bootstrap_weights(group[test], settings.seed)
        point: dict[str, Any] = {"share": share, "passages": round(sizes[share] / n_folds)}
        for task, labels in label_order(passages).items():
            truth = _labels([passages[i] for i in test], task)
            raw = [found[task] for _, found in scored[share]]
            gold = [_labels([passages[i] for i in t], task) for t, _ in scored[share]]
            y = np.concatenate(decided_by_others(raw, gold, labels, settings.prior.get(task, {})))
            point[task] = summary(weighted_scores(truth, y[None], labels, weights)["macro_f1"])
        points.append(point)
    return points


@_alone
def _curve_step(
    passages: Sequence[Passage],
    settings: Settings,
    lexicon: Lexicon | None,
    table: Table,
    C: Mapping[str, float],
    train: np.ndarray,
    test: np.ndarray,
) -> dict[str, np.ndarray]:
    sample = sample_of([passages[i] for i in train], settings)
    features = build_features(settings, lexicon, table)
    learned = sample.matrices(features)
    Z = features.transform([passages[i].text for i in test])
    scores = {}
    for task, labels in label_order(passages).items():
        coef, intercept = fit_head(*learned[task], labels, C[task], settings.learner)
        scores[task] = Z @ coef.T + intercept
    return scores


def decided_by_others(
    raw: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    labels: Sequence[str],
    prior: Mapping[str, float],
) -> list[np.ndarray]:
    """What each fold's raw scores decide under a class prior.

    A fold's temperature is fitted on the scores of all other folds. ``raw``: by fold, (n, labels);
    ``truth``: by fold, (n,) labels.
    """
    index = {label: k for k, label in enumerate(labels)}
    shift = log_prior(labels, prior, "task")
    decided = []
    for k, scores in enumerate(raw):
        others = [i for i in range(len(raw)) if i != k]
        known = np.array([index[label] for i in others for label in truth[i]])
        temperature = fit_temperature(np.vstack([raw[i] for i in others]), known)
        decided.append(_argmax_labels(scores / temperature + shift, labels))
    return decided


@_alone
def _top_features(
    passages: Sequence[Passage],
    settings: Settings,
    lexicon: Lexicon | None,
    table: Table,
    C: Mapping[str, float],
) -> dict[str, Any]:
    """Task → label → family → the features that speak most for the label, trained on everything.

    A feature's weight is its coefficient, less the mean over labels, times its column's standard
    deviation, so that families on different scales can stand side by side.
    """
    sample = sample_of(passages, settings)
    features = build_features(settings, lexicon, table)
    learned = sample.matrices(features)
    X = features.transform(sample.texts)
    average = np.asarray(X.mean(axis=0)).ravel()
    spread = np.sqrt(np.maximum(np.asarray(X.multiply(X).mean(axis=0)).ravel() - average**2, 0))
    columns = features.columns()
    found: dict[str, Any] = {}
    for task, labels in label_order(passages).items():
        coef, _ = fit_head(*learned[task], labels, C[task], settings.learner)
        weight = (coef - coef.mean(axis=0)) * spread
        found[task] = {}
        for k, label in enumerate(labels):
            by_family: dict[str, list[list[Any]]] = {}
            for j in np.argsort(-weight[k]):
                if weight[k, j] <= 0:
                    break
                family, feature = columns[j].split(": ", 1)
                mine = by_family.setdefault(family, [])
                if len(mine) < _TOP:
                    mine.append([feature, round(float(weight[k, j]), 4)])
            found[task][label] = by_family
    return found
