"""Settings → features → two linear classifiers → decisions, calibration, abstention, explanation.

No file is read or written here (:mod:`stance.storage` does that), and nothing is learned
(:mod:`stance.learner` does that): deciding needs NumPy only.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from stance.encoder import Encoder
from stance.features import (
    Categories,
    CharNgrams,
    Discourse,
    Family,
    Features,
    Form,
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
#: What a linear classifier can be learned by; see :mod:`stance.learner`.
LEARNERS = (
    *("logistic", "svm", "ridge", "ridge-early"),
    *("bayes", "bayes-logistic", "latent", "frames"),
)
_NEED_LEXICON = (Categories, Discourse, Target)
# Fewer Arabic words than this are no passage: nothing can be ruled out.
_FEWEST_WORDS = 3


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
            allowed = {"weight", *FAMILIES[name].parameters()} - {"lexicon"}
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

    def log_proba(self, scores: np.ndarray) -> np.ndarray:
        """Log-probabilities from features times ``coef``, both of shape (passages, labels)."""
        z = (scores + self.intercept) / self.temperature + self.log_prior
        z = z - z.max(axis=1, keepdims=True)
        return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


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

    def __init__(self, features: Features, heads: Mapping[str, Head], info: Mapping[str, Any]):
        self.features = features
        self.heads = dict(heads)
        self.info = dict(info)

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Task → its labels, in the order of the probability columns."""
        return {task: head.labels for task, head in self.heads.items()}

    @property
    def lexicon(self) -> Lexicon | None:
        """The lexicon that the features read with, if any does."""
        return self.features.lexicon

    @property
    def table(self) -> Table | None:
        """The normalisation table; ``None`` stands for the default one."""
        return self.features.table

    @cached_property
    def weights(self) -> np.ndarray:
        """The heads' coefficients side by side, float32 of shape (columns, labels of all heads)."""
        sides = [head.coef.T for head in self.heads.values()]
        return np.ascontiguousarray(np.hstack(sides), dtype=np.float32)

    def with_prior(self, task: str, prior: Mapping[str, float]) -> "Model":
        """The same classifier deciding under another class prior (see :class:`Settings`)."""
        head = self.heads[task]
        heads = self.heads | {
            task: dataclasses.replace(head, log_prior=log_prior(head.labels, prior, task))
        }
        other = Model(self.features, heads, self.info)
        other.weights = self.weights
        return other

    def log_proba(self, texts: Iterable[str | Reading]) -> dict[str, np.ndarray]:
        """Task → log-probabilities, shape (texts, labels)."""
        return self._decided(texts)[0]

    def _decided(self, texts: Iterable[str | Reading]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        scores, words = self.features.scores(texts, self.weights)
        found, start = {}, 0
        for task, head in self.heads.items():
            end = start + len(head.labels)
            found[task] = head.log_proba(scores[:, start:end])
            start = end
        return found, words

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
        texts = list(texts)
        logs, words = self._decided(texts)
        probabilities = {task: np.exp(p) for task, p in logs.items()}
        records = []
        for i, text in enumerate(texts):
            record: dict[str, Any] = {}
            readable = words[i] >= _FEWEST_WORDS
            for task, head in self.heads.items():
                p = probabilities[task][i].tolist()
                record[task] = head.labels[p.index(max(p))]
                record[f"{task}_p"] = dict(zip(head.labels, p, strict=True))
                record[f"{task}_set"] = conformal_set(head, p) if readable else list(head.labels)
            if (
                readable
                and record.get("stance") == "unrelated"
                and "none" in record.get("framing_p", ())
            ):
                record |= {"framing": "none", "framing_set": ["none"]}
            if explain:
                decided = {task: record[task] for task in self.heads}
                record["because"] = [vars(b) for b in self.explain(text, decided)]
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
            base = head.intercept / head.temperature + head.log_prior
            found.append(Because(0, 0, task, label, float(base[k] - base.mean())))
            weights = np.zeros(len(reading.tokens))
            for column, share in shares.items():
                coef = head.coef[:, column].astype(float)
                weights += share * (coef[k] - coef.mean()) / head.temperature
            for token, weight in zip(reading.tokens, weights, strict=True):
                if weight:
                    span = reading.text.original(token.start, token.end)
                    found.append(Because(*span, task, label, float(weight)))
        return sorted(found, key=lambda b: (list(labels).index(b.head), -abs(b.weight)))

    def _word_shares(self, reading: Reading) -> dict[int, np.ndarray]:
        """Column → the passage's value in it spread over its words, shape (words,)."""
        found: dict[int, np.ndarray] = {}
        offset = 0
        for _, family, weight in self.features.families:
            names = family.get_feature_names_out()
            columns, values = family.row(reading)
            cells = dict(zip(names[columns], zip(columns, values, strict=True), strict=True))
            places: dict[str, list[range]] = {}
            for o in family.occurrences(reading):
                if o.feature in cells:
                    places.setdefault(o.feature, []).append(range(o.start, o.end))
            for feature, spans in places.items():
                column, x = cells[feature]
                share = found.setdefault(offset + int(column), np.zeros(len(reading.tokens)))
                for span in spans:
                    share[span.start : span.stop] += weight * x / len(spans) / len(span)
            offset += len(names)
        return found


def conformal_set(head: Head, p: Sequence[float]) -> list[str]:
    """The labels that cannot be ruled out at the model's coverage, likeliest first."""
    order = sorted(range(len(p)), key=lambda k: -p[k])
    return [head.labels[k] for k in order if k == order[0] or p[k] >= head.thresholds[k]]


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


def build_features(settings: Settings, lexicon: Lexicon | None, table: Table | None) -> Features:
    """The unfitted features that ``settings`` describe.

    Raises :class:`~stance.text.InputError` where a family needs a lexicon and there is none.
    """
    families = []
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
        families.append((name, kind(**arguments), float(parameters.get("weight", 1.0))))
    return Features(families, table)
