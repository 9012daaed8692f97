"""Two results on the same passages, one against the other: what changed, and how surely."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stance.evaluation import (
    Result,
    bootstrap_weights,
    calibration_error,
    confusion,
    means,
    mixture,
    summary,
    unbiased,
    weighted_scores,
    whole,
)
from stance.text import InputError


def compare(
    a: Result, b: Result, names: tuple[str, str] = ("A", "B"), seed: int = 0
) -> dict[str, Any]:
    """Two results on the same passages, passage by passage: what changed from ``a`` to ``b``.

    ``tasks``: task → figures, each with ``a``, ``b`` and ``difference`` (b less a), all
    ``[value, low, high]``; the differences are paired: both are resampled together, by groups of
    articles. ``changed``: how many passages turned ``better`` or ``worse`` in the first repeat,
    and McNemar's exact ``p``, which takes passages for independent; ``better`` and ``worse``: which
    these are, surest first. ``differs``: what differs between the signatures and settings.
    Passages that only one result holds (``left_out``) or that were labelled anew in between
    (``relabelled``) are left out.

    Raises :class:`~stance.text.InputError` for results without decisions or without a passage or
    task in common.
    """
    for result, name in ((a, names[0]), (b, names[1])):
        if not result.decisions:
            raise InputError(
                f"{name}: holds no decisions passage by passage (an earlier version wrote it); "
                "run stance evaluate again to compare it"
            )
    tasks = [t for t in a.decisions["tasks"] if t in b.decisions["tasks"]]
    if not tasks:
        raise InputError(
            f"{names[1]}: tasks {', '.join(b.decisions['tasks'])}; {names[0]} has "
            f"{', '.join(a.decisions['tasks'])}: no task in common to compare"
        )
    rows_a, rows_b = _common(a, b, names)
    sides = [
        {t: _Side.of(result, t, rows) for t in tasks} for result, rows in ((a, rows_a), (b, rows_b))
    ]
    same = np.all([sides[0][t].gold == sides[1][t].gold for t in tasks], axis=0)
    if not same.any():
        raise InputError(
            f"{names[1]}: every passage is labelled otherwise than in {names[0]}; "
            "expected results on the same labels"
        )
    sides = [{t: side.only(same) for t, side in one.items()} for one in sides]
    rows_a, rows_b = rows_a[same], rows_b[same]
    group = _joined(np.array(a.decisions["group"])[rows_a], np.array(b.decisions["group"])[rows_b])
    weights = bootstrap_weights(group, seed)
    ids = [a.decisions["id"][i] for i in rows_a]
    pairs = [a.decisions["pair"][i] for i in rows_a] if "pair" in a.decisions else [""] * len(ids)
    texts = {**b.decisions["text"], **a.decisions["text"]}
    return {
        "names": list(names),
        "kinds": [a.kind, b.kind],
        "signatures": [a.signature, b.signature],
        "differs": _differs(a, b),
        "passages": len(ids),
        "groups": int(group.max()) + 1,
        "left_out": [
            len(a.decisions["id"]) - len(same),
            len(b.decisions["id"]) - len(same),
        ],
        "relabelled": int((~same).sum()),
        "tasks": {
            t: _compared(sides[0][t], sides[1][t], weights, ids, pairs, texts) for t in tasks
        },
    }


@dataclass(frozen=True)
class _Side:
    """One result's decisions of one task: ``gold`` (n,); the others (repeats, n)."""

    labels: tuple[str, ...]
    gold: np.ndarray
    y: np.ndarray
    p: np.ndarray
    several: np.ndarray
    prior: Mapping[str, float]

    @classmethod
    def of(cls, result: Result, task: str, rows: np.ndarray) -> "_Side":
        found = result.decisions["tasks"][task]
        labels = np.array(found["labels"], dtype=object)
        # A trained model is measured in the mixture of its test, cross-validation in its prior's.
        prior = result.settings.get("prior", {}) if result.kind == "cross-validation" else {}
        return cls(
            tuple(labels),
            labels[np.array(found["gold"])[rows]],
            labels[np.array(found["decided"])[:, rows]],
            np.array(found["p"], float)[:, rows],
            np.array(found["several"], float)[:, rows],
            prior.get(task, {}),
        )

    def only(self, rows: np.ndarray) -> "_Side":
        return dataclasses.replace(
            self,
            gold=self.gold[rows],
            y=self.y[:, rows],
            p=self.p[:, rows],
            several=self.several[:, rows],
        )

    def columns(
        self, labels: Sequence[str], weights: np.ndarray, pairs: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Each figure under each row of weights, shape (rows,); ``f1`` (rows, labels)."""
        right = self.y == self.gold
        scored = weighted_scores(self.gold, self.y, labels, weights)
        share = mixture(self.gold, self.prior)
        confidence, flat = self.p.ravel(), right.ravel().astype(float)
        found = {
            "accuracy": scored["accuracy"],
            "macro_f1": scored["macro_f1"],
            "f1": scored["f1"],
            "ece": np.array(
                [
                    calibration_error(confidence, flat, np.tile(w * share, len(self.y)))[0]
                    for w in weights
                ]
            ),
            "undecided": means(weights, self.several.mean(axis=0), np.ones(len(self.gold))),
        }
        value, mass = whole(pairs, right)
        if mass.any():
            found["pairs"] = means(weights, value, mass)
        return found


def _common(a: Result, b: Result, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the passages that both results hold, by id and text, in one steady order."""
    places = [
        {key: i for i, key in enumerate(zip(r.decisions["id"], r.decisions["digest"], strict=True))}
        for r in (a, b)
    ]
    both = sorted(places[0].keys() & places[1].keys())
    if not both:
        raise InputError(
            f"{names[0]} and {names[1]}: no passage in common (by id and text) among "
            f"{len(places[0])} and {len(places[1])}; expected results on the same passages"
        )
    first, second = (np.array([place[key] for key in both]) for place in places)
    return first, second


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Groups in which no group of either is parted, numbered as they first occur; shape (n,)."""
    n = int(first.max()) + 1
    size = n + int(second.max()) + 1
    edges = coo_array((np.ones(len(first)), (first, second + n)), shape=(size, size))
    joined = connected_components(edges, directed=False)[1][first]
    number = {g: k for k, g in enumerate(dict.fromkeys(joined.tolist()))}
    return np.array([number[g] for g in joined.tolist()])


def _compared(
    a: _Side,
    b: _Side,
    weights: np.ndarray,
    ids: Sequence[str],
    pairs: Sequence[str],
    texts: Mapping[str, str],
) -> dict[str, Any]:
    """One task of :func:`compare`."""
    labels = list(dict.fromkeys((*a.labels, *b.labels)))
    ours, theirs = (side.columns(labels, weights, pairs) for side in (a, b))
    present = Counter(a.gold)

    def three(first: np.ndarray, second: np.ndarray) -> dict[str, list[float]]:
        return {"a": summary(first), "b": summary(second), "difference": summary(second - first)}

    found: dict[str, Any] = {
        name: three(ours[name], theirs[name])
        for name in ("accuracy", "macro_f1", "undecided", "pairs")
        if name in ours
    }
    found["ece"] = {
        "a": unbiased(ours["ece"]),
        "b": unbiased(theirs["ece"]),
        "difference": unbiased(theirs["ece"] - ours["ece"], -np.inf),
    }
    found["per_class"] = {
        label: {"support": present[label]} | three(ours["f1"][:, k], theirs["f1"][:, k])
        for k, label in enumerate(labels)
        if present[label]
    }
    ones = np.ones(len(ids))
    found["confusion"] = {
        "labels": labels,
        **{
            name: np.mean([confusion(a.gold, y, labels, ones) for y in side.y], axis=0).tolist()
            for name, side in (("a", a), ("b", b))
        },
    }
    was, now = a.y[0] == a.gold, b.y[0] == b.gold
    better, worse = np.flatnonzero(~was & now), np.flatnonzero(was & ~now)
    found["changed"] = {
        "better": len(better),
        "worse": len(worse),
        "both_right": int((was & now).sum()),
        "both_wrong": int((~was & ~now).sum()),
        "p": _mcnemar(len(better), len(worse)),
    }
    for name, rows in (("better", better), ("worse", worse)):
        found[name] = [
            {
                "id": ids[i],
                "gold": a.gold[i],
                "a": a.y[0, i],
                "p_a": float(a.p[0, i]),
                "b": b.y[0, i],
                "p_b": float(b.p[0, i]),
                "text": texts.get(ids[i], ""),
            }
            for i in rows[np.argsort(-b.p[0, rows], kind="stable")]
        ]
    return found


def _mcnemar(better: int, worse: int) -> float:
    """The exact two-sided p that a passage that changed sides is as likely to have gained."""
    n = better + worse
    return float(scipy.stats.binomtest(better, n).pvalue) if n else 1.0


def _differs(a: Result, b: Result) -> list[dict[str, Any]]:
    """What two results depend on otherwise: ``what``, ``a``, ``b``; settings leaf by leaf."""
    parts = []
    for result in (a, b):
        words = [w.partition(":") for w in result.signature.split()]
        parts.append(
            {"evaluation": result.kind}
            | {name: value for name, colon, value in words if colon}
            | _leaves(result.settings, "settings")
        )
    names = [n for n in dict.fromkeys((*parts[0], *parts[1])) if n != "settings"]
    return [
        {"what": n, "a": parts[0].get(n), "b": parts[1].get(n)}
        for n in names
        if parts[0].get(n) != parts[1].get(n)
    ]


def _leaves(data: Any, name: str) -> dict[str, Any]:
    """Every value of nested settings under its path.

    >>> _leaves({"C": [1], "features": {"words": {"weight": 2}}}, "settings")
    {'settings.C': [1], 'settings.features.words.weight': 2}
    """
    if not isinstance(data, Mapping) or not data:
        return {name: data}
    return {k: v for key, inner in data.items() for k, v in _leaves(inner, f"{name}.{key}").items()}
