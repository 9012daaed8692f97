"""A task of a Result → the facts that a page's first sentences state."""

from collections.abc import Mapping, Sequence
from typing import Any

_LEANING = 0.01  # of mean stated probability less share right, that a sentence mentions
_WEAKEST = 3


def headline(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader should know first of one task's figures.

    ``shares``: of a hundred passages those decided alone and ``right``, decided alone and
    ``wrong``, left to the ``reader``; ``sure``: how right it is where it decides alone, with its
    interval, or ``None`` in results of earlier versions, whose shares are read off the
    risk–coverage curve. ``weakest``: the label found least often and what it is taken for.
    ``leaning``: 1 where the stated probabilities are too high on the whole, -1 too low, else 0.
    ``rivals``: every baseline, the strongest first, with ``verdict`` 1 where the model's macro-F1
    is better, -1 worse, 0 not told apart.
    """
    left = found["undecided"][0]
    sure = found.get("sure")
    alone = sure[0] if sure else _of_surest(found["risk_coverage"], 1 - left)
    shares = {"right": (1 - left) * alone, "wrong": (1 - left) * (1 - alone), "reader": left}
    return {
        "shares": dict(zip(shares, hundred(list(shares.values())), strict=True)),
        "sure": sure,
        "weakest": weakest(found),
        "leaning": _leaning(found["reliability"]),
        "rivals": sorted(
            (
                {"name": name, "verdict": verdict(scores["macro_f1"]["difference"]), **scores}
                for name, scores in found["baselines"].items()
            ),
            key=lambda rival: -rival["macro_f1"]["value"][0],
        ),
    }


def weakest(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """The label that is missed most often, ``None`` where none ever is.

    ``missed`` of its ``n`` passages, ``taken`` of these for the label ``as``.
    """
    labels, matrix = found["confusion"]["labels"], found["confusion"]["matrix"]
    rows = {
        label: row
        for label, row in zip(labels, matrix, strict=True)
        if sum(row) > row[labels.index(label)]
    }
    if not rows:
        return None
    label = min(rows, key=lambda one: found["per_class"][one]["recall"][0])
    others = {x: n for x, n in zip(labels, rows[label], strict=True) if x != label}
    mistaken = max(others, key=lambda x: others[x])
    return {
        "label": label,
        "recall": found["per_class"][label]["recall"],
        "n": round(sum(rows[label])),
        "missed": round(sum(others.values())),
        "as": mistaken,
        "taken": round(others[mistaken]),
    }


def weakest_phenomena(phenomena: Mapping[str, Any], task: str) -> list[tuple[str, Any]]:
    """The phenomena of a challenge set at which a task does worst, worst first.

    >>> weakest_phenomena({"irony": {"t": [0.2, 0, 1]}, "all": {"t": [0.1, 0, 1]}}, "t")
    [('irony', {'t': [0.2, 0, 1]})]
    """
    kinds = [(k, f) for k, f in phenomena.items() if k not in ("all", "surface") and task in f]
    return sorted(kinds, key=lambda item: item[1][task][0])[:_WEAKEST]


def verdict(difference: Sequence[float]) -> int:
    """The sign of a difference whose interval leaves out nought, else 0.

    >>> verdict([0.2, 0.1, 0.3]), verdict([-0.2, -0.3, -0.1]), verdict([0.2, -0.1, 0.5])
    (1, -1, 0)
    """
    return (difference[1] > 0) - (difference[2] < 0)


def hundred(shares: Sequence[float]) -> list[int]:
    """Shares as whole hundredths that add up as they do (largest remainders).

    >>> hundred([1 / 3, 1 / 3, 1 / 3])
    [34, 33, 33]
    """
    whole = [int(100 * s) for s in shares]
    missing = round(100 * sum(shares)) - sum(whole)
    by_rest = sorted(range(len(shares)), key=lambda i: whole[i] - 100 * shares[i])
    for i in by_rest[:missing]:
        whole[i] += 1
    return whole


def _of_surest(curve: Sequence[Mapping[str, float]], share: float) -> float:
    """The accuracy of the surest ``share`` of decisions, at the nearest point of the curve."""
    return min(curve, key=lambda point: abs(point["coverage"] - share))["accuracy"]


def _leaning(bins: Sequence[Mapping[str, float]]) -> int:
    total = sum(b["mass"] for b in bins)
    gap = float(sum(b["mass"] * (b["confidence"] - b["accuracy"]) for b in bins) / total)
    return (gap > _LEANING) - (gap < -_LEANING)
