"""How far several readers gave the same passages the same labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import krippendorff
import numpy as np

from stance.corpus import Passage
from stance.text import InputError

_BOOTSTRAPS = 1000


@dataclass(frozen=True)
class Ratings:
    """Labels that several readers gave to the same units.

    ``values`` (raters, units): labels, ``None`` where a rater gave none; ``group`` (units,): what
    is resampled together (articles); ``strata`` (units,): what the figures are broken down by.
    """

    raters: Sequence[str]
    values: np.ndarray
    group: np.ndarray
    strata: np.ndarray


def from_columns(
    passages: Sequence[Passage], task: str, raters: Sequence[str], by: str = ""
) -> Ratings:
    """Ratings that stand beside each other in the passages' records, as ``TASK_RATER``.

    Raises :class:`~stance.text.InputError` where no passage has a column.
    """
    for rater in raters:
        if not any(p.meta.get(f"{task}_{rater}") for p in passages):
            raise InputError(f"no passage has a label in {task}_{rater}; name other --raters")
    values = [[p.meta.get(f"{task}_{rater}") or None for p in passages] for rater in raters]
    return _ratings(raters, values, passages, by)


def from_files(files: Mapping[str, Sequence[Passage]], task: str, by: str = "") -> Ratings:
    """Ratings of several files, one a rater, matched by the passages' ids.

    Raises :class:`~stance.text.InputError` where the files share no id, or where an id stands for
    other texts.
    """
    units: dict[str, Passage] = {}
    for name, passages in files.items():
        for p in passages:
            if units.setdefault(p.id, p).text.split() != p.text.split():
                raise InputError(f"{name}: {p.id} has another text than in an earlier file")
    labels = [{p.id: p.labels[task] for p in passages} for passages in files.values()]
    if not any(sum(i in found for found in labels) > 1 for i in units):
        raise InputError(f"{', '.join(files)}: no id stands in two of them; nothing to compare")
    values = [[found.get(i) for i in units] for found in labels]
    return _ratings(list(files), values, list(units.values()), by)


def _ratings(
    raters: Sequence[str],
    values: Sequence[Sequence[str | None]],
    passages: Sequence[Passage],
    by: str,
) -> Ratings:
    return Ratings(
        raters,
        np.array(values, dtype=object),
        np.array([p.doc for p in passages]),
        np.array([str(p.meta.get(by) or "") if by else "" for p in passages]),
    )


def measure(ratings: Ratings, seed: int = 0) -> dict[str, Any]:
    """Krippendorff's alpha, nominal, with 95% intervals by bootstrap over groups.

    ``alpha`` and ``observed`` (share of agreeing pairs of ratings) over all units; ``by_label``:
    alpha of each label against all others; ``by``: alpha, observed and units of each stratum;
    ``disagreements``: how often two labels met. Alpha (Krippendorff 2018, ch. 12) is 1 for perfect
    agreement, 0 for chance, and ``None`` where only one label was given.

    >>> values = np.array([list("aabb"), list("aabc")], dtype=object)
    >>> found = measure(Ratings(["1", "2"], values, np.arange(4), np.array([""] * 4)))
    >>> round(found["alpha"][0], 3), found["disagreements"]
    (0.632, {'b / c': 1})
    """
    twice = (ratings.values != None).sum(axis=0) > 1  # noqa: E711 - an array of objects
    values, group = ratings.values[:, twice], ratings.group[twice]
    labels = sorted({v for v in values.ravel() if v is not None})
    counts = np.stack([(values == label).sum(axis=0) for label in labels], axis=1)
    rng = np.random.default_rng(seed)
    samples = _resamples(group, rng)
    strata = ratings.strata[twice]
    met: Counter[str] = Counter()
    for unit in values.T:
        for a, b in combinations([v for v in unit if v is not None], 2):
            if a != b:
                met[" / ".join(sorted((a, b)))] += 1
    found: dict[str, Any] = {
        "raters": list(ratings.raters),
        "units": int(twice.sum()),
        "alpha": _interval([_alpha(counts[s]) for s in samples]),
        "observed": _interval([_observed(counts[s]) for s in samples]),
        "by_label": {},
        "by": {},
        "disagreements": dict(met.most_common()),
    }
    for k, label in enumerate(labels):
        one = np.stack([counts[:, k], counts.sum(axis=1) - counts[:, k]], axis=1)
        found["by_label"][label] = _interval([_alpha(one[s]) for s in samples])
    for stratum in sorted(set(strata) - {""}):
        mine = counts[strata == stratum]
        within = _resamples(group[strata == stratum], rng)
        found["by"][stratum] = {
            "units": len(mine),
            "alpha": _interval([_alpha(mine[s]) for s in within]),
            "observed": _interval([_observed(mine[s]) for s in within]),
        }
    return found


def _resamples(group: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Unit positions: first all of them, then one array a resample of groups."""
    position = np.unique(group, return_inverse=True)[1]
    members = [np.flatnonzero(position == g) for g in range(position.max() + 1)]
    n = len(members)
    drawn = (rng.integers(0, n, n) for _ in range(_BOOTSTRAPS))
    return [np.arange(len(group)), *(np.concatenate([members[g] for g in d]) for d in drawn)]


def _alpha(counts: np.ndarray) -> float:
    """Alpha of units × labels counts; not a number where only one label occurs."""
    if (counts.sum(axis=0) > 0).sum() < 2:
        return float("nan")
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _observed(counts: np.ndarray) -> float:
    """The share of agreeing pairs among the pairs of ratings of the same unit."""
    n = counts.sum(axis=1)
    return float((counts * (counts - 1)).sum() / (n * (n - 1)).sum())


def _interval(values: Sequence[float]) -> list[float] | None:
    """The value on all units with the 2.5% and 97.5% percentiles; none where it is undefined."""
    if np.isnan(values[0]):
        return None
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return [float(values[0]), float(low), float(high)]
