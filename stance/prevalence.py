"""Shares of labels in a collection of decisions, with intervals: counted, and corrected for the
classifier's errors; of the whole and of its outlets, months and speakers."""

import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from stance.text import InputError, clean

Record = Mapping[str, Any]
#: Value, low and high end of its 95% interval.
Interval = list[float]

#: Groups with fewer passages are folded together.
FEWEST = 5
#: Opposite labels: the first less the second is a balance.
POLES = (("favor", "against"), ("axis", "convenience"))

_BOOTSTRAPS = 1000
_STEPS = 1000
_CLOSE = 1e-6
_FLOOR = 1e-9  # likelihoods: a probability of 0 in a record is one that was too small to print
_CELLS = 4_000_000  # numbers held at once
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})(-[0-9]{2})?")


# --- records --------------------------------------------------------------------------------------


def tasks(records: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    """Task → its labels, of decision records (at least one).

    Raises :class:`~stance.text.InputError` where a record lacks a task of the first one, has other
    labels, or probabilities that are none.

    >>> tasks([{"id": "1", "mood": "a", "mood_p": {"a": 0.9, "b": 0.1}, "mood_set": ["a"]}])
    {'mood': ('a', 'b')}
    """
    first = records[0]
    found = {
        key.removesuffix("_p"): tuple(value)
        for key, value in first.items()
        if key.endswith("_p") and isinstance(value, dict) and key.removesuffix("_p") in first
    }
    for record in records:
        for task, labels in found.items():
            problem = _problem(record, task, labels)
            if problem:
                raise InputError(
                    f"record {record.get('id')!r}: {problem}; expected decisions of one model, "
                    "made by stance classify --format jsonl"
                )
    return found


def _problem(record: Record, task: str, labels: Sequence[str]) -> str:
    """What is wrong with a task's decision in a record; empty where nothing is."""
    p, several = record.get(f"{task}_p"), record.get(f"{task}_set")
    if not isinstance(p, dict) or set(p) != set(labels):
        return f"{task}_p is {json.dumps(p, ensure_ascii=False)[:80]}, not of {', '.join(labels)}"
    if not all(isinstance(v, int | float) and 0 <= v <= 1 for v in p.values()):
        return f"{task}_p has {list(p.values())}, not probabilities"
    if abs(sum(p.values()) - 1) > 0.02:  # some tools print two digits
        return f"{task}_p adds up to {sum(p.values()):.3f}, not 1"
    if record.get(task) not in labels:
        return f"{task} is {record.get(task)!r}, not of {', '.join(labels)}"
    if not isinstance(several, list) or not all(s in labels for s in several):
        return f"{task}_set is {several!r}, not a list of {', '.join(labels)}"
    return ""


def unsure(record: Record, task_names: Sequence[str]) -> bool:
    """Whether a human must read this one: more than one label can't be ruled out."""
    return any(len(record[f"{task}_set"]) > 1 for task in task_names)


def margin(record: Record, task: str) -> float:
    """The probability of the likeliest label less that of the second, 0..1 (1 for one label).

    >>> round(margin({"mood_p": {"a": 0.5, "b": 0.3, "c": 0.2}}, "mood"), 3)
    0.2
    """
    first, second, *_ = (*sorted(record[f"{task}_p"].values(), reverse=True), 0.0)
    return float(first - second)


def _probabilities(records: Sequence[Record], task: str) -> np.ndarray:
    """Shape (records, labels), in the order of the first record's labels."""
    labels = list(records[0][f"{task}_p"])
    return np.array([[r[f"{task}_p"][label] for label in labels] for r in records], dtype=float)


def _decided(records: Sequence[Record], task: str) -> np.ndarray:
    """One-hot, shape (records, labels)."""
    labels = list(records[0][f"{task}_p"])
    return np.array([[r[task] == label for label in labels] for r in records], dtype=float)


# --- shares ---------------------------------------------------------------------------------------


def shares(
    records: Sequence[Record],
    task: str,
    prior: Mapping[str, float] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """What share of the records has each label of ``task``, three ways, with 95% intervals.

    ``counted``: the share of decisions. ``probability``: the mean calibrated probability, right
    where the collection's mixture is the one that the model assumes. ``corrected``: the mixture
    under which the probabilities are likeliest, by expectation maximisation over the class prior
    (Saerens, Latinne & Decaestecker 2002); ``prior``, the mixture that the records' probabilities
    assume (label → weight; a label left out weighs 1; none: equal shares), is divided out first.
    All three hold as far as the model's probabilities do; the intervals, by bootstrap over articles
    (``doc``), tell only what other articles of the same kind might have given.

    Raises :class:`~stance.text.InputError` for records without the task.

    >>> sure = {"doc": "1", "mood": "a", "mood_p": {"a": 1.0, "b": 0.0}, "mood_set": ["a"]}
    >>> found = shares([sure, sure | {"doc": "2"}], "mood")
    >>> found["labels"]["a"]["counted"], found["passages"], found["articles"], found["unsure"]
    ([1.0, 0.158114, 1.0], 2, 2, 0)
    """
    if not records or f"{task}_p" not in records[0]:
        known = ", ".join(tasks(records)) if records else "no record"
        raise InputError(f"no decisions on {task!r}; there are some on: {known}")
    labels = list(records[0][f"{task}_p"])
    p = _probabilities(records, task)
    articles = _Articles([str(r["doc"]) for r in records], seed)
    assumed = np.array([float((prior or {}).get(label, 1.0)) for label in labels])
    columns = {
        "counted": articles.means(_decided(records, task)),
        "probability": articles.means(p),
        "corrected": articles.intervals(_mixtures(p, assumed / assumed.sum(), articles)),
    }
    return {
        "passages": len(records),
        "articles": articles.n,
        "unsure": sum(unsure(r, [task]) for r in records),
        "labels": {
            label: {how: values[k] for how, values in columns.items()}
            for k, label in enumerate(labels)
        },
    }


def _mixtures(p: np.ndarray, assumed: np.ndarray, articles: "_Articles") -> np.ndarray:
    """The likeliest mixture of all records and of each resample, (1 + resamples, labels)."""
    likelihood = np.maximum(p / assumed, _FLOOR)
    whole = _maximise(likelihood, np.ones((1, len(p))), assumed[None])
    # Resamples start near their end, but not at a share of 0, which nothing could leave again.
    start = 0.99 * whole + 0.01 / p.shape[1]
    parts = [
        _maximise(likelihood, weights, np.repeat(start, len(weights), axis=0))
        for weights in articles.weights()
    ]
    return np.vstack([whole, *parts])


def _maximise(likelihood: np.ndarray, weights: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Expectation maximisation over the mixture, one a row of weights.

    ``likelihood`` (n, labels), up to a factor a row; ``weights`` (rows, n); ``start`` (rows,
    labels).
    """
    total = weights.sum(axis=1, keepdims=True)
    mixture = start
    for _ in range(_STEPS):
        density = mixture @ likelihood.T
        better = mixture * ((weights / density) @ likelihood) / total
        change = np.abs(better - mixture).max()
        mixture = better
        if change < _CLOSE:
            break
    return mixture


class _Articles:
    """The articles of some records, to be resampled together."""

    def __init__(self, docs: Sequence[str], seed: int):
        names, self.position = np.unique(np.array(docs), return_inverse=True)
        self.n = len(names)
        rng = np.random.default_rng(seed)
        self.drawn = rng.multinomial(self.n, np.full(self.n, 1 / self.n), _BOOTSTRAPS)

    def weights(self) -> Iterator[np.ndarray]:
        """The weight of every record in each resample, in parts of shape (some, records)."""
        step = max(1, _CELLS // len(self.position))
        for i in range(0, _BOOTSTRAPS, step):
            yield self.drawn[i : i + step, self.position].astype(float)

    def means(self, values: np.ndarray, lowest: float = 0.0) -> list[Interval]:
        """The mean of each column of ``values`` (records, columns) with its interval.

        ``lowest``: the least that a value can be; the most is 1.
        """
        sums = np.zeros((self.n, values.shape[1]))
        np.add.at(sums, self.position, values)
        sizes = np.bincount(self.position, minlength=self.n)
        resampled = (self.drawn @ sums) / (self.drawn @ sizes)[:, None]
        return self.intervals(np.vstack([values.mean(axis=0), resampled]), lowest)

    def intervals(self, values: np.ndarray, lowest: float = 0.0) -> list[Interval]:
        """Row 0 of every column with its interval from the other rows.

        The 2.5% and 97.5% percentiles are too near where articles are few; their distances are
        stretched as a t interval's are (Hesterberg 2015, "expanded percentiles"): by 1.6 for five
        articles, by 1.02 for a hundred. Where all resamples agree, as they do for a single article
        or where nothing or everything has the label, they say nothing of other articles; the bound
        is then that of Clopper and Pearson (1934) for none of the articles.
        """
        value = values[0]
        low, high = np.percentile(values[1:], [2.5, 97.5], axis=0)
        if self.n > 1:
            stretch = np.sqrt(self.n / (self.n - 1)) * stdtrit(self.n - 1, 0.975) / ndtri(0.975)
            low = value - stretch * np.maximum(value - low, 0.0)
            high = value + stretch * np.maximum(high - value, 0.0)
        bound = 1 - 0.025 ** (1 / self.n)
        same = np.ptp(values, axis=0) < 1e-3
        low = np.maximum(lowest, np.where(same, value - bound, low))
        high = np.minimum(1.0, np.where(same, value + bound, high))
        found = np.round(np.stack([value, low, high], axis=1), 6) + 0.0  # no -0.0
        return found.tolist()


def balance(
    records: Sequence[Record], task: str, toward: str, away: str, seed: int = 0
) -> Interval:
    """The share of decisions for ``toward`` less that for ``away``, -1..1, with its 95% interval.

    >>> rows = [{"doc": str(i), "mood": x, "mood_p": {"a": 0.5, "b": 0.5}}
    ...         for i, x in enumerate("aaab")]
    >>> balance(rows, "mood", "a", "b")[0]
    0.5
    """
    labels = list(records[0][f"{task}_p"])
    decided = _decided(records, task)
    values = decided[:, labels.index(toward)] - decided[:, labels.index(away)]
    return _Articles([str(r["doc"]) for r in records], seed).means(values[:, None], -1.0)[0]


def leaning(records: Sequence[Record], task: str, toward: str, away: str) -> float:
    """The mean probability of ``toward`` less that of ``away``, -1..1: where a group stands.

    >>> leaning([{"mood_p": {"a": 0.75, "b": 0.25}}], "mood", "a", "b")
    0.5
    """
    p = _probabilities(records, task).mean(axis=0)
    labels = list(records[0][f"{task}_p"])
    return round(float(p[labels.index(toward)] - p[labels.index(away)]), 6) + 0.0


def poles(labels: Sequence[str]) -> tuple[str, str] | None:
    """The two opposite labels among ``labels`` (:data:`POLES`), if they are there.

    >>> poles(("convenience", "axis", "none"))
    ('axis', 'convenience')
    """
    return next((pair for pair in POLES if set(pair) <= set(labels)), None)


def crossed(records: Sequence[Record], rows: str, columns: str, seed: int = 0) -> dict[str, Any]:
    """Label of task ``rows`` → label of task ``columns`` → passages, and their share of all
    decisions with its interval."""
    first, second = _decided(records, rows), _decided(records, columns)
    cells = (first[:, :, None] * second[:, None, :]).reshape(len(records), -1)
    articles = _Articles([str(r["doc"]) for r in records], seed)
    found = zip(cells.sum(axis=0), articles.means(cells), strict=True)
    return {
        a: {
            b: {"passages": int(n), "share": share}
            for b, (n, share) in zip(records[0][f"{columns}_p"], found, strict=False)
        }
        for a in records[0][f"{rows}_p"]
    }


# --- groups ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Groups:
    """Records by what they have in common.

    ``kept``: name → its records, most passages first, each of :data:`FEWEST` passages or more;
    ``others``: the records of the ``folded`` smaller groups; ``unreadable``: those whose value
    can't be read.
    """

    kept: Mapping[str, Sequence[Record]]
    others: Sequence[Record]
    folded: int
    unreadable: Sequence[Record]


def column(record: Record, name: str) -> str:
    """A record's value in a column, as clean text; empty where it has none.

    >>> column({"outlet": " Daily "}, "outlet"), column({"outlet": None}, "outlet")
    ('Daily', '')
    """
    value = record.get(name)
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(clean(text).encode("utf-8", "replace").decode().split())


def speaker(record: Record) -> str:
    """Who speaks: the ``name`` of the record's ``voice``, else its ``holder``; empty: the author.

    >>> speaker({"holder": "كيم", "voice": {"name": "كيم جونغ أون"}}), speaker({"holder": ""})
    ('كيم جونغ أون', '')
    """
    voice = record.get("voice")
    return column(voice, "name") if isinstance(voice, dict) else column(record, "holder")


def month(record: Record) -> str | None:
    """The month of the record's ``date`` (YYYY-MM or YYYY-MM-DD); none for any other form.

    >>> month({"date": "2024-06-19"}), month({"date": "2024-13"}), month({"date": "19/06/2024"})
    ('2024-06', None, None)
    """
    found = _MONTH.fullmatch(column(record, "date"))
    if not found:
        return None
    try:
        datetime.date.fromisoformat(found[0] if found[3] else f"{found[0]}-01")
    except ValueError:
        return None
    return f"{found[1]}-{found[2]}"


def grouped(
    records: Sequence[Record], of: Callable[[Record], str | None], fewest: int = FEWEST
) -> Groups:
    """Records by what ``of`` says of each (none: unreadable), those of small groups together.

    >>> found = grouped([{"x": "a"}, {"x": "a"}, {"x": "b"}], lambda r: r["x"], fewest=2)
    >>> list(found.kept), len(found.others), found.folded
    (['a'], 1, 1)
    """
    by_name: dict[str, list[Record]] = {}
    unreadable = []
    for record in records:
        name = of(record)
        if name is None:
            unreadable.append(record)
        else:
            by_name.setdefault(name, []).append(record)
    order = sorted(by_name, key=lambda name: (-len(by_name[name]), name))
    small = [name for name in order if len(by_name[name]) < fewest]
    return Groups(
        {name: by_name[name] for name in order if name not in set(small)},
        [r for name in small for r in by_name[name]],
        len(small),
        unreadable,
    )


def by_month(records: Sequence[Record]) -> Groups:
    """Records by :func:`month`, the earliest first.

    >>> [*by_month([{"date": d} for d in ["2024-02"] * 6 + ["2024-01"] * 5 + ["May"]]).kept]
    ['2024-01', '2024-02']
    """
    found = grouped(records, month)
    return replace(found, kept=dict(sorted(found.kept.items())))


def by(records: Sequence[Record], name: str) -> Groups:
    """Records by a column, or, where none has a column of that name, by ``month`` (of ``date``) or
    ``speaker``.

    Raises :class:`~stance.text.InputError` where there is nothing to group by.
    """
    known = dict.fromkeys(key for r in records for key in r if not key.endswith(("_p", "_set")))
    if name not in known and name == "speaker":
        return grouped(records, speaker)
    if name not in known and name == "month" and "date" in known:
        return by_month(records)
    if not any(column(r, name) for r in records):
        raise InputError(f"no record has a value in {name!r}; there are: {', '.join(known)}")
    return grouped(records, lambda r: column(r, name))


def survey(
    records: Sequence[Record],
    priors: Mapping[str, Mapping[str, float]],
    task_names: Sequence[str] = (),
    name: str = "",
) -> dict[str, Any]:
    """The shares of every task (``task_names``, or all), and by column ``name`` where it is given.

    ``priors``: task → the mixture that the probabilities assume; a task that is left out is taken
    to assume equal shares. ``tasks`` of the result: task → :func:`shares`; ``groups``: value → the
    same; ``others``: the same for groups of fewer than :data:`FEWEST` passages, with their number,
    ``folded``; ``unreadable``: passages whose value can't be read.
    """
    wanted = list(task_names) or list(tasks(records))

    def every(some: Sequence[Record]) -> dict[str, Any]:
        return {task: shares(some, task, priors.get(task)) for task in wanted}

    whole = every(records)
    found: dict[str, Any] = {
        "assumes": {
            "prior": {
                task: {label: priors.get(task, {}).get(label, 1.0) for label in one["labels"]}
                for task, one in whole.items()
            },
            "interval": f"95%, {_BOOTSTRAPS} resamples of articles, wider where articles are few",
        },
        "tasks": whole,
    }
    if name:
        groups = by(records, name)
        found |= {
            "by": name,
            "groups": {value: every(some) for value, some in groups.kept.items()},
            "others": every(groups.others) if groups.others else {},
            "folded": groups.folded,
            "unreadable": len(groups.unreadable),
        }
    return found


# --- passages to read -----------------------------------------------------------------------------


def telling(records: Sequence[Record], pairs: Mapping[str, str], most: int = 3) -> list[Record]:
    """The records that have all labels of ``pairs`` (task → label) with the highest joint
    probability, at most one an article.

    >>> rows = [{"doc": d, "mood": "a", "mood_p": {"a": p}} for d, p in (("1", 0.8), ("1", 0.9))]
    >>> [r["mood_p"]["a"] for r in telling(rows, {"mood": "a"})]
    [0.9]
    """

    def joint(record: Record) -> float:
        return float(np.prod([record[f"{task}_p"][label] for task, label in pairs.items()]))

    found: dict[str, Record] = {}
    for record in sorted(records, key=joint, reverse=True):
        if all(record[task] == label for task, label in pairs.items()):
            found.setdefault(str(record["doc"]), record)
        if len(found) == most:
            break
    return list(found.values())


def least_sure(records: Sequence[Record], task_names: Sequence[str]) -> list[int]:
    """Positions of the records, those that a human must read first, smallest margin first."""

    def key(i: int) -> tuple[bool, float]:
        return not unsure(records[i], task_names), min(margin(records[i], t) for t in task_names)

    return sorted(range(len(records)), key=key)
