"""Settings → features → two linear classifiers → decisions, calibration, abstention, explanation.

No file is read or written here; :mod:`stance.storage` does that.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, vstack
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import LinearSVC

from stance.encoder import Encoder
from stance.features import (
    Categories,
    CharNgrams,
    Discourse,
    Family,
    Form,
    Reader,
    Reading,
    Scoped,
    Stems,
    Target,
    WordNgrams,
)
from stance.lexicon import Lexicon
from stance.text import InputError, Table

#: Family name in the settings → its transformer.
FAMILIES: Mapping[str, type[Family]] = {
    "characters": CharNgrams,
    "words": WordNgrams,
    "stems": Stems,
    "scoped": Scoped,
    "categories": Categories,
    "discourse": Discourse,
    "target": Target,
    "form": Form,
    "encoder": Encoder,
}
_NEED_LEXICON = (Categories, Discourse, Target)
# Fewer Arabic words than this are no passage: nothing can be ruled out.
_FEWEST_WORDS = 3
_LATENT = 300  # dimensions
_LATENT_SCALE = 10.0  # they are shorter vectors than the rows they come from
_ARABIC = re.compile(r"[\u0621-\u064a]")


@dataclass(frozen=True)
class Settings:
    """All that training depends on besides the data.

    ``features``: family → its parameters and ``weight``; ``C``: the inverse regularisation
    strengths tried; ``inner_folds``: grouped folds for tuning and calibration; ``prior``: task →
    label → how much commoner the label is in the texts to be decided than an equal share (1 where
    a label is not named); ``auxiliary``: source → weight of items that train but are never tested
    or calibrated on; ``learner``: one of :data:`LEARNERS`; ``clauses``: weight of a passage's
    labelled clauses as examples of their own (0: none); ``coverage``: of the conformal sets, per
    label; ``seed``: of the folds.
    """

    features: Mapping[str, Mapping[str, Any]]
    C: Sequence[float]
    inner_folds: int = 4
    prior: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    auxiliary: Mapping[str, float] = field(default_factory=dict)
    learner: str = "ridge"
    clauses: float = 0.0
    coverage: float = 0.9
    seed: int = 0

    @classmethod
    def from_json(cls, data: object, where: str = "settings") -> "Settings":
        """Settings from plain data; ``where`` names them in errors.

        Raises :class:`~stance.text.InputError` for an unknown key or family, a missing one, or a
        number out of range.

        >>> Settings.from_json({"features": {"form": {"weight": 1}}, "C": [1]}).inner_folds
        4
        """
        if not isinstance(data, dict):
            raise InputError(f"{where}: got {type(data).__name__}, expected a JSON object")
        known = [f.name for f in dataclasses.fields(cls)]
        for key in data:
            if key not in known:
                raise InputError(f"{where}: unknown key {key!r}; expected {', '.join(known)}")
        for key in ("features", "C"):
            if not data.get(key):
                raise InputError(f"{where}: {key!r} is missing or empty")
        for name, parameters in data["features"].items():
            if name not in FAMILIES:
                raise InputError(
                    f"{where}: unknown feature family {name!r}; expected {', '.join(FAMILIES)}"
                )
            allowed = {"weight", *FAMILIES[name]._get_param_names()} - {"lexicon"}
            for key, value in parameters.items():
                number = isinstance(value, int | float) and value > 0
                if key not in allowed or not (isinstance(value, str) if key == "name" else number):
                    raise InputError(
                        f"{where}: {name}: {key!r}: {value!r}; expected a positive number for "
                        f"one of {', '.join(sorted(allowed))}"
                    )
        settings = cls(**data)
        for c in settings.C:
            if not c > 0:
                raise InputError(f"{where}: C {c!r}; expected numbers above 0")
        for task, prior in settings.prior.items():
            for label, share in prior.items():
                if not share > 0:
                    raise InputError(f"{where}: prior {task} {label}: {share!r}; expected > 0")
        if settings.learner not in LEARNERS:
            raise InputError(
                f"{where}: learner {settings.learner!r}; expected one of {', '.join(LEARNERS)}"
            )
        if not settings.clauses >= 0:
            raise InputError(f"{where}: clauses {settings.clauses!r}; expected 0 or more")
        if settings.inner_folds < 2:
            raise InputError(f"{where}: inner_folds {settings.inner_folds!r}; expected 2 or more")
        if not 0 < settings.coverage < 1:
            raise InputError(f"{where}: coverage {settings.coverage!r}; expected 0 < coverage < 1")
        return settings

    def to_json(self) -> dict[str, Any]:
        """The settings as plain data."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Head:
    """One linear classifier over the shared features.

    ``coef`` (labels, columns) and ``intercept`` (labels,) give raw scores under equal class
    shares; scores / ``temperature`` + ``log_prior`` are log-probabilities up to a constant.
    ``thresholds`` (labels,): the least probability with which a label enters the conformal set.
    """

    labels: tuple[str, ...]
    coef: np.ndarray
    intercept: np.ndarray
    C: float
    temperature: float
    log_prior: np.ndarray
    thresholds: np.ndarray

    def log_proba(self, X: csr_matrix) -> np.ndarray:
        """Log-probabilities, shape (passages, labels)."""
        scores = X @ self.coef.T.astype(float) + self.intercept
        return np.asarray(log_softmax(scores / self.temperature + self.log_prior, axis=1))


@dataclass(frozen=True)
class Because:
    """A word's exact share in a decision.

    ``start``/``end``: offsets into the passage; both 0 for what holds before any word is read
    (intercept and prior). The weights of a ``head`` add up to the label's log-probability minus
    the mean log-probability of all labels.
    """

    start: int
    end: int
    head: str
    label: str
    weight: float


class Model:
    """A trained classifier: passages in, calibrated decisions out.

    ``labels``: task → labels in column order. ``info``: settings, data hash, versions and
    measured figures, as plain data.
    """

    def __init__(self, features: Pipeline, heads: Mapping[str, Head], info: Mapping[str, Any]):
        self.features = features
        self.heads = dict(heads)
        self.info = dict(info)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Task → its labels, in the order of the probability columns."""
        return {task: head.labels for task, head in self.heads.items()}

    @property
    def families(self) -> list[tuple[str, Family, float]]:
        """The fitted feature families with name and weight, in column order."""
        union = self.features["families"]
        weights = union.transformer_weights
        return [(name, family, weights[name]) for name, family in union.transformer_list]

    @property
    def lexicon(self) -> Lexicon | None:
        """The lexicon that the features read with, if any does."""
        return next((f.lexicon for _, f, _ in self.families if hasattr(f, "lexicon")), None)

    @property
    def table(self) -> Table | None:
        """The normalisation table; ``None`` stands for the default one."""
        return self.features["read"].table

    def columns(self) -> list[str]:
        """The name of every column, ``family: feature``."""
        return [f"{n}: {c}" for n, f, _ in self.families for c in f.get_feature_names_out()]

    def with_prior(self, task: str, prior: Mapping[str, float]) -> "Model":
        """The same classifier deciding under another class prior (see :class:`Settings`)."""
        head = self.heads[task]
        heads = self.heads | {
            task: dataclasses.replace(head, log_prior=log_prior(head.labels, prior, task))
        }
        return Model(self.features, heads, self.info)

    def log_proba(self, texts: Iterable[str | Reading]) -> dict[str, np.ndarray]:
        """Task → log-probabilities, shape (texts, labels)."""
        X = self.features.transform(list(texts))
        return {task: head.log_proba(X) for task, head in self.heads.items()}

    def predict_proba(self, texts: Iterable[str | Reading]) -> dict[str, np.ndarray]:
        """Task → calibrated probabilities in 0..1, shape (texts, labels), rows adding up to 1."""
        return {task: np.exp(p) for task, p in self.log_proba(texts).items()}

    def classify(self, texts: Iterable[str], explain: bool = False) -> list[dict[str, Any]]:
        """One decision record a text: for each task its label, ``_p`` and ``_set``.

        A text of fewer than three Arabic words has every label in its sets. With ``explain``,
        ``because`` lists the words behind each decided label, heaviest first.
        A text's record does not depend on the others. An ``unrelated`` passage has framing
        ``none``, by the codebook.
        """
        readings = [Reading.of(text, self.table) for text in texts]
        probabilities = self.predict_proba(readings) if readings else {}
        records = []
        for i, reading in enumerate(readings):
            record: dict[str, Any] = {}
            readable = sum(bool(_ARABIC.search(t.text)) for t in reading.tokens) >= _FEWEST_WORDS
            for task, head in self.heads.items():
                p = probabilities[task][i]
                record[task] = head.labels[int(p.argmax())]
                record[f"{task}_p"] = dict(zip(head.labels, map(float, p), strict=True))
                record[f"{task}_set"] = conformal_set(head, p) if readable else list(head.labels)
            if (
                readable
                and record.get("stance") == "unrelated"
                and "none" in record.get("framing_p", ())
            ):
                record |= {"framing": "none", "framing_set": ["none"]}
            if explain:
                decided = {task: record[task] for task in self.heads}
                record["because"] = [vars(b) for b in self.explain(reading, decided)]
            records.append(record)
        return records

    def explain(self, text: str | Reading, labels: Mapping[str, str]) -> list[Because]:
        """Each word's contribution to ``labels`` (task → label), exact, at original offsets.

        A feature's contribution is shared equally by its occurrences, and an occurrence's by its
        words.
        """
        reading = Reading.of(text, self.table)
        shares = self._word_shares(reading)
        found = []
        for task, label in labels.items():
            head = self.heads[task]
            k = head.labels.index(label)
            # Centred over labels: what the softmax cannot see is left out.
            direction = (head.coef[k] - head.coef.mean(axis=0, dtype=float)) / head.temperature
            base = head.intercept / head.temperature + head.log_prior
            found.append(Because(0, 0, task, label, float(base[k] - base.mean())))
            weights = shares @ direction
            for token, weight in zip(reading.tokens, weights, strict=True):
                if weight:
                    span = reading.text.original(token.start, token.end)
                    found.append(Because(*span, task, label, float(weight)))
        return sorted(found, key=lambda b: (list(labels).index(b.head), -abs(b.weight)))

    def _word_shares(self, reading: Reading) -> csr_matrix:
        """The passage's feature values spread over its words, shape (words, columns)."""
        rows: list[int] = []
        columns: list[int] = []
        values: list[float] = []
        offset = 0
        for _, family, weight in self.families:
            names = family.get_feature_names_out()
            row = family.transform([reading])
            value = dict(
                zip(names[row.indices], zip(row.indices, row.data, strict=True), strict=True)
            )
            places: dict[str, list[range]] = {}
            for o in family.occurrences(reading):
                if o.feature in value:
                    places.setdefault(o.feature, []).append(range(o.start, o.end))
            for feature, spans in places.items():
                column, x = value[feature]
                for span in spans:
                    for i in span:
                        rows.append(i)
                        columns.append(offset + column)
                        values.append(weight * x / len(spans) / len(span))
            offset += len(names)
        return csr_matrix((values, (rows, columns)), shape=(len(reading.tokens), offset))


def conformal_set(head: Head, p: np.ndarray) -> list[str]:
    """The labels that cannot be ruled out at the model's coverage, likeliest first."""
    decided = int(p.argmax())
    order = np.argsort(-p, kind="stable")
    return [head.labels[k] for k in order if k == decided or p[k] >= head.thresholds[k]]


def log_prior(labels: Sequence[str], prior: Mapping[str, float], task: str) -> np.ndarray:
    """The log of each label's assumed share relative to an equal one, shape (labels,).

    Raises :class:`~stance.text.InputError` for a label that the task does not have.

    >>> log_prior(["a", "b"], {"b": 3}, "task").round(3).tolist()
    [0.0, 1.099]
    """
    for label in prior:
        if label not in labels:
            raise InputError(f"prior: {task} has no label {label!r}; it has {', '.join(labels)}")
    return np.log([float(prior.get(label, 1.0)) for label in labels])


def needs_lexicon(families: Iterable[str]) -> bool:
    """Whether one of the families, by their names in the settings, reads with a lexicon."""
    return any(FAMILIES[name] in _NEED_LEXICON for name in families)


def build_features(settings: Settings, lexicon: Lexicon | None, table: Table | None) -> Pipeline:
    """The unfitted feature pipeline that ``settings`` describe.

    Raises :class:`~stance.text.InputError` where a family needs a lexicon and there is none.
    """
    families = []
    weights = {}
    for name, parameters in settings.features.items():
        kind = FAMILIES[name]
        arguments: dict[str, Any] = {k: v for k, v in parameters.items() if k != "weight"}
        if kind in _NEED_LEXICON:
            if lexicon is None:
                raise InputError(
                    f"the feature family {name!r} needs lexicons; put them into DATA/lexicons "
                    "or leave the family out of the settings"
                )
            arguments["lexicon"] = lexicon
        families.append((name, kind(**arguments)))
        weights[name] = float(parameters.get("weight", 1.0))
    union = FeatureUnion(families, transformer_weights=weights)
    return Pipeline([("read", Reader(table)), ("families", union)])


@dataclass(frozen=True)
class Sample:
    """What a model learns from: texts, each with its labels, weight, and labelled clauses.

    ``labels``: task → (n,) strings; ``weight``: task → (n,) positive numbers; ``clauses``: for
    each text the clauses of it (text; task → label and how sure that is, 0 to 1), each an example
    of its own at ``clause_weight`` times the text's weight. Empty where no text has any.
    """

    texts: Sequence[str]
    labels: Mapping[str, np.ndarray]
    weight: Mapping[str, np.ndarray]
    clauses: Sequence[Sequence[tuple[str, Mapping[str, tuple[str, float]]]]] = ()
    clause_weight: float = 1.0

    def take(self, index: np.ndarray) -> "Sample":
        """The items at ``index``, in that order."""
        return Sample(
            [self.texts[i] for i in index],
            {task: y[index] for task, y in self.labels.items()},
            {task: w[index] for task, w in self.weight.items()},
            [self.clauses[i] for i in index] if self.clauses else [],
            self.clause_weight,
        )

    def examples(self, task: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, labels and weights of all that is known for ``task``, each shape (examples,).

        The rows count the texts first and then all clauses, in order.
        """
        y, weight = self.labels[task], self.weight[task]
        owners = [(i, c) for i, inside in enumerate(self.clauses) for c in inside]
        known = [
            (len(y) + row, *labels[task], weight[i])
            for row, (i, (_, labels)) in enumerate(owners)
            if task in labels
        ]
        if not known:
            return np.arange(len(y)), y, weight
        rows, labels, sure, own = zip(*known, strict=True)
        return (
            np.concatenate([np.arange(len(y)), rows]),
            np.concatenate([y, labels]),
            np.concatenate([weight, np.multiply(sure, own) * self.clause_weight]),
        )

    def matrices(self, features: Pipeline) -> dict[str, tuple[csr_matrix, np.ndarray, np.ndarray]]:
        """Fit ``features`` on the texts; task → matrix, labels, weights of texts and clauses."""
        X = features.fit_transform(self.texts)
        inside = [text for found in self.clauses for text, _ in found]
        if inside:
            X = vstack([X, features.transform(inside)], format="csr")
        found = {}
        for task in self.labels:
            rows, y, weight = self.examples(task)
            found[task] = X[rows], y, weight
        return found


def fit_head(
    X: csr_matrix,
    y: np.ndarray,
    weight: np.ndarray,
    labels: Sequence[str],
    C: float,
    learner: str = "ridge",
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (labels, columns) and intercepts (labels,) of a linear classifier.

    Classes are weighted to equal shares, so that a prior can be put in afterwards. A label that
    ``y`` lacks gets a score so low that it is never decided. ``learner``: see :data:`LEARNERS`.
    """
    present = [label for label in labels if label in set(y)]
    coef = np.zeros((len(labels), X.shape[1]), dtype=np.float32)
    intercept = np.full(len(labels), -30.0)
    if len(present) == 1:
        intercept[labels.index(present[0])] = 0.0
        return coef, intercept
    total = {label: weight[y == label].sum() for label in present}
    balanced = weight * [weight.sum() / (len(present) * total[label]) for label in y]
    scores, bias = LEARNERS[learner](X, y, balanced, present, C)
    for k, label in enumerate(present):
        j = labels.index(label)
        coef[j], intercept[j] = scores[k], bias[k]
    return coef, intercept


# Each learner gives scores (labels, columns) and biases (labels,), the labels in the order given.
_Scores = tuple[np.ndarray, np.ndarray]


def _regression(C: float) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=1000, tol=1e-3)


def _logistic(
    X: csr_matrix, y: np.ndarray, weight: np.ndarray, labels: Sequence[str], C: float
) -> _Scores:
    machine = _regression(C).fit(X, y, sample_weight=weight)
    return _per_label(machine, labels)


def _svm(
    X: csr_matrix, y: np.ndarray, weight: np.ndarray, labels: Sequence[str], C: float
) -> _Scores:
    machine = LinearSVC(C=C, random_state=0, max_iter=5000).fit(X, y, sample_weight=weight)
    return _per_label(machine, labels)


def _ridge(
    X: csr_matrix, y: np.ndarray, weight: np.ndarray, labels: Sequence[str], C: float
) -> _Scores:
    machine = RidgeClassifier(alpha=1 / C, solver="lsqr", tol=1e-4)
    return _per_label(machine.fit(X, y, sample_weight=weight), labels)


def _ridge_early(
    X: csr_matrix, y: np.ndarray, weight: np.ndarray, labels: Sequence[str], C: float
) -> _Scores:
    machine = RidgeClassifier(alpha=1 / C, solver="sparse_cg", tol=1e-3)
    return _per_label(machine.fit(X, y, sample_weight=weight), labels)


def _bayes(
    X: csr_matrix, y: np.ndarray, weight: np.ndarray, labels: Sequence[str], C: float
) -> _Scores:
    machine = ComplementNB(alpha=1 / C).fit(X, y, sample_weight=weight)
    rows = [list(machine.classes_).index(label) for label in labels]
    return machine.feature_log_prob_[rows], np.zeros(len(labels))


def _bayes_logistic(
    X: csr_matrix, y: np.ndarray, weight: np.ndarray, labels: Sequence[str], C: float
) -> _Scores:
    """Columns weighted by their log-count ratio, a label against the rest (Wang & Manning 2012)."""
    seen = (X > 0).astype(float)
    scores, biases = [], []
    for label in labels:
        own = y == label
        with_label, without = (1 + np.asarray(seen[m].sum(axis=0))[0] for m in (own, ~own))
        ratio = np.abs(np.log(with_label / with_label.sum() * without.sum() / without))
        each = weight / np.where(own, weight[own].sum(), weight[~own].sum()) * len(y) / 2
        machine = _regression(C)
        machine.fit(X.multiply(ratio[None]).tocsr(), own, sample_weight=each)
        scores.append(machine.coef_[0] * ratio)
        biases.append(machine.intercept_[0])
    return np.array(scores), np.array(biases)


def _latent(
    X: csr_matrix, y: np.ndarray, weight: np.ndarray, labels: Sequence[str], C: float
) -> _Scores:
    """Logistic regression on latent semantic dimensions (Deerwester et al. 1990)."""
    svd = TruncatedSVD(min(_LATENT, *(n - 1 for n in X.shape)), random_state=0)
    scores, bias = _logistic(svd.fit_transform(X), y, weight, labels, C * _LATENT_SCALE)
    return scores @ svd.components_, bias


def _frames(
    X: csr_matrix, y: np.ndarray, weight: np.ndarray, labels: Sequence[str], C: float
) -> _Scores:
    """Framing as two questions: is it convenience?, is it an axis? "Mixed" answers yes to both.

    The softmax over the four sums of scores is the product of the two binary probabilities.
    Labels other than the codebook's four are learned flat.
    """
    if set(labels) != {"convenience", "axis", "mixed", "none"}:
        return _logistic(X, y, weight, labels, C)
    answers = {"none": (0, 0), "convenience": (1, 0), "axis": (0, 1), "mixed": (1, 1)}
    scores, bias = np.zeros((4, X.shape[1])), np.zeros(4)
    for question in (0, 1):
        yes = np.array([answers[label][question] == 1 for label in y])
        machine = _regression(C).fit(X, yes, sample_weight=weight)
        for k, label in enumerate(labels):
            scores[k] += answers[label][question] * machine.coef_[0]
            bias[k] += answers[label][question] * machine.intercept_[0]
    return scores, bias


def _per_label(machine: ClassifierMixin, labels: Sequence[str]) -> _Scores:
    """A machine's scores with a row for each label; scikit-learn keeps one for two classes."""
    scores, bias = machine.coef_, machine.intercept_
    if len(labels) == 2:
        scores, bias = np.vstack([-scores, scores]) / 2, np.array([-bias[0], bias[0]]) / 2
    rows = [list(machine.classes_).index(label) for label in labels]
    return scores[rows], bias[rows]


#: Learner name in the settings → how it fits. All are linear, so every decision can be taken apart
#: into words: logistic regression, support vector machine, ridge regression on ±1 (exact, or
#: stopped early), complement naive Bayes (Rennie et al. 2003), logistic regression on naive Bayes'
#: log ratios or on latent dimensions, and framing as two binary questions.
LEARNERS: Mapping[str, Callable[..., _Scores]] = {
    "logistic": _logistic,
    "svm": _svm,
    "ridge": _ridge,
    "ridge-early": _ridge_early,
    "bayes": _bayes,
    "bayes-logistic": _bayes_logistic,
    "latent": _latent,
    "frames": _frames,
}


def fit(
    sample: Sample,
    label_order: Mapping[str, Sequence[str]],
    settings: Settings,
    lexicon: Lexicon | None = None,
    table: Table | None = None,
    inner: Sequence[tuple[np.ndarray, np.ndarray]] = (),
    jobs: int = 1,
) -> Model:
    """Tune, calibrate and fit a model on ``sample``.

    ``inner``: grouped folds (train, test positions) for regularisation, temperature and conformal
    thresholds. ``label_order``: task → labels in column order.
    """
    if not inner:
        raise ValueError("inner: got no folds, expected at least two (train, test) pairs")
    held_out = [test for _, test in inner]
    scores = Parallel(n_jobs=jobs)(
        delayed(_inner_scores)(sample, train, test, label_order, settings, lexicon, table)
        for (train, _), test in zip(inner, held_out, strict=True)
    )
    features = build_features(settings, lexicon, table)
    learned = sample.matrices(features)
    heads = {}
    for task, order in label_order.items():
        labels = tuple(order)
        y = [sample.labels[task][test] for test in held_out]
        C = _simplest_good(settings.C, [s[task] for s in scores], y, labels)
        raw = np.vstack([s[task][settings.C.index(C)] for s in scores])
        truth = np.array([labels.index(v) for fold in y for v in fold])
        temperature = fit_temperature(raw, truth)
        prior = log_prior(labels, settings.prior.get(task, {}), task)
        p = softmax(raw / temperature + prior, axis=1)
        coef, intercept = fit_head(*learned[task], labels, C, settings.learner)
        heads[task] = Head(
            labels,
            coef,
            intercept,
            float(C),
            temperature,
            prior,
            conformal_thresholds(p, truth, settings.coverage),
        )
    return Model(features, heads, {"settings": settings.to_json()})


def _inner_scores(
    sample: Sample,
    train: np.ndarray,
    test: np.ndarray,
    label_order: Mapping[str, Sequence[str]],
    settings: Settings,
    lexicon: Lexicon | None,
    table: Table | None,
) -> dict[str, list[np.ndarray]]:
    """Task → raw scores of the held-out items under each C of the settings."""
    features = build_features(settings, lexicon, table)
    learned = sample.take(train).matrices(features)
    Z = features.transform([sample.texts[i] for i in test])
    return {
        task: [
            Z @ coef.T + intercept
            for coef, intercept in (
                fit_head(*learned[task], tuple(labels), C, settings.learner) for C in settings.C
            )
        ]
        for task, labels in label_order.items()
    }


def _class_weights(truth: np.ndarray) -> np.ndarray:
    """Weights that give every class an equal share, shape (n,), mean 1."""
    counts = np.bincount(truth)
    return len(truth) / (np.count_nonzero(counts) * counts[truth])


def _losses(raw: np.ndarray, truth: np.ndarray, temperature: float) -> np.ndarray:
    log_p = log_softmax(raw / temperature, axis=1)
    return np.asarray(-log_p[np.arange(len(truth)), truth] * _class_weights(truth))


def _simplest_good(
    grid: Sequence[float],
    scores: Sequence[Sequence[np.ndarray]],
    y: Sequence[np.ndarray],
    labels: Sequence[str],
) -> float:
    """The smallest C whose held-out loss is within one standard error of the best.

    The loss is class-balanced log loss at the best temperature, so that no C gains by being
    better calibrated (Hastie, Tibshirani & Friedman 2009, §7.10).
    """
    truth = np.array([labels.index(v) for fold in y for v in fold])
    losses = []
    for c in range(len(grid)):
        raw = np.vstack([fold[c] for fold in scores])
        losses.append(_losses(raw, truth, fit_temperature(raw, truth)))
    means = [loss.mean() for loss in losses]
    best = int(np.argmin(means))
    for c in np.argsort(grid):
        # paired: the standard error of the difference to the best
        difference = losses[c] - losses[best]
        if difference.mean() <= difference.std() / math.sqrt(len(truth)):
            return grid[int(c)]
    return grid[best]


def fit_temperature(raw: np.ndarray, truth: np.ndarray) -> float:
    """The temperature that minimises class-balanced log loss of held-out scores (Guo et al. 2017).

    ``raw``: (n, labels) scores; ``truth``: (n,) label positions. Between 0.05 and 20.
    """
    best = minimize_scalar(
        lambda log_t: _losses(raw, truth, math.exp(log_t)).mean(),
        bounds=(math.log(0.05), math.log(20)),
        method="bounded",
    )
    return float(math.exp(best.x))


def conformal_thresholds(p: np.ndarray, truth: np.ndarray, coverage: float) -> np.ndarray:
    """For each label the least probability that keeps ``coverage`` of its own items in the set.

    Class-conditional split conformal prediction (Vovk 2012) on held-out probabilities ``p``
    (n, labels). A label with too few items for a threshold is always in the set (0).

    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    >>> conformal_thresholds(p, np.array([0, 0, 0, 1]), 0.5).tolist()
    [0.8, 0.4]
    """
    thresholds = np.zeros(p.shape[1])
    for k in range(p.shape[1]):
        own = np.sort(p[truth == k, k])[::-1]
        rank = math.ceil((len(own) + 1) * coverage)
        if 0 < rank <= len(own):
            thresholds[k] = own[rank - 1]
    return thresholds
