"""Labelled texts → a trained model: linear learners, tuning, calibration, conformal thresholds.

scikit-learn and SciPy are met here and not in :mod:`stance.model`, which decides without them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, vstack
from scipy.sparse.linalg import LinearOperator, lsqr
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from stance import engine
from stance.features import Features
from stance.lexicon import Lexicon
from stance.model import Head, Model, Settings, build_features, log_prior
from stance.text import Table

_LATENT = 300  # dimensions
_LATENT_SCALE = 10.0  # they are shorter vectors than the rows they come from


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

    def matrices(self, features: Features) -> dict[str, tuple[csr_matrix, np.ndarray, np.ndarray]]:
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
    ``y`` lacks gets a score so low that it is never decided. ``learner``: one of
    :data:`stance.model.LEARNERS`.
    """
    present = [label for label in labels if label in set(y)]
    coef = np.zeros((len(labels), X.shape[1]), dtype=np.float32)
    intercept = np.full(len(labels), -30.0)
    if len(present) == 1:
        intercept[labels.index(present[0])] = 0.0
        return coef, intercept
    total = {label: weight[y == label].sum() for label in present}
    balanced = weight * [weight.sum() / (len(present) * total[label]) for label in y]
    scores, bias = _FITTED[learner](X, y, balanced, present, C)
    for k, label in enumerate(present):
        j = labels.index(label)
        coef[j], intercept[j] = scores[k], bias[k]
    return coef, intercept


# Each learner gives scores (labels, columns) and biases (labels,), the labels in the order given.
_Scores = tuple[np.ndarray, np.ndarray]


def _regression(C: float) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=1000)


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
    """Ridge regression on ±1 for all labels in one run of LSQR (Paige & Saunders 1982).

    scikit-learn would solve one label after the other and meet the matrix each time.
    """
    targets = np.where(y[:, None] == np.array(labels), 1.0, -1.0)
    (rows, columns), width = X.shape, len(labels)
    mean_x, mean_y = weight @ X / weight.sum(), weight @ targets / weight.sum()
    root = np.sqrt(weight)
    scaled = csr_matrix(X, dtype=np.float32)
    if scaled.nnz < 2**31:  # what the engine counts to
        scaled.indices = scaled.indices.astype(np.int32, copy=False)
        scaled.indptr = scaled.indptr.astype(np.int32, copy=False)
    scaled.data *= np.repeat(root, np.diff(X.indptr)).astype(np.float32)

    # The matrix is centred without becoming dense.
    def forward(w: np.ndarray) -> np.ndarray:
        W = w.reshape(columns, width)
        return (_times(scaled, W) - np.outer(root, mean_x @ W)).ravel()

    def backward(u: np.ndarray) -> np.ndarray:
        U = u.reshape(rows, width)
        return (_times(scaled, U, transposed=True) - np.outer(mean_x, root @ U)).ravel()

    shape = (rows * width, columns * width)
    operator = LinearOperator(shape, matvec=forward, rmatvec=backward, dtype=float)
    aim = root[:, None] * (targets - mean_y)
    found = lsqr(operator, aim.ravel(), damp=math.sqrt(1 / C), atol=1e-4, btol=1e-4)[0]
    scores = found.reshape(columns, width)
    half = 0.5 if width == 2 else 1.0  # the two labels' scores are each other's negatives
    return half * scores.T, half * (mean_y - mean_x @ scores)


def _times(X: csr_matrix, dense: np.ndarray, transposed: bool = False) -> np.ndarray:
    """A sparse matrix, or its transpose, times a narrow dense one."""
    if engine.native is not None and X.indptr.dtype == np.int32:
        return np.asarray(engine.native.times(X, dense, transposed))
    return np.asarray((X.T if transposed else X) @ dense)


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


# Learner name in the settings → how it fits. All are linear, so every decision can be taken apart
# into words: logistic regression, support vector machine, ridge regression on ±1 (exact, or
# stopped early), complement naive Bayes (Rennie et al. 2003), logistic regression on naive Bayes'
# log ratios or on latent dimensions, and framing as two binary questions.
_FITTED: Mapping[str, Callable[..., _Scores]] = {
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
