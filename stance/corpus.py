"""Labelled passages: read, validate, near-duplicate clusters, groups, folds."""

import hashlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import StratifiedGroupKFold

from stance.records import rows, table_files
from stance.text import InputError, findings, normalise

#: The labels of the codebook, in its order.
LABELS: Mapping[str, tuple[str, ...]] = {
    "stance": ("favor", "against", "neutral", "unrelated"),
    "framing": ("convenience", "axis", "mixed", "none"),
}

_SHINGLE = 5
_SEQUENCE = 6
_BLOCK = 500  # rows multiplied at once: bounds the memory
_CLAUSE_WORDS = 3  # a shorter clause says nothing by itself
# Labels that need no evidence; what the other clauses of a marked passage bear, and how surely.
_UNMARKED = frozenset(("neutral", "none", "unrelated"))
_SILENT = {"stance": "neutral", "framing": "none"}
_SILENT_WEIGHT = 0.2
_GENRES = frozenset(
    {"news", "analysis", "opinion", "interview", "explainer"}
    | {"statement", "transcript", "editorial", "report", "blog"}
)


@dataclass(frozen=True)
class Passage:
    """A labelled passage.

    ``labels``: task → label; ``source``: the folder it came from (``sentences``, ``passages``);
    ``meta``: every other key of its record.
    """

    id: str
    doc: str
    text: str
    labels: Mapping[str, str]
    source: str = "passages"
    meta: Mapping[str, Any] = field(default_factory=dict)


def read(
    paths: Iterable[Path], tasks: Sequence[str] = tuple(LABELS), group: str = "doc"
) -> list[Passage]:
    """The labelled passages of files and folders, in order.

    ``tasks`` are the label columns; those of the codebook admit its labels only, any other admits
    whatever non-empty labels it has. ``group`` names the column that says which passages belong
    together; a record without it stands alone. Records with ``"body": false`` are skipped.

    Raises :class:`~stance.text.InputError`, with file and line, for a missing key, an unknown
    label, an empty text or a double id.
    """
    passages: list[Passage] = []
    first_seen: dict[str, str] = {}
    for path in table_files(paths):
        for number, record in rows(path):
            if record.get("body") is False:
                continue
            where = f"{path}:{number}"
            passage = _passage(record, where, path, number, tasks, group)
            if passage.id in first_seen:
                raise InputError(
                    f"{where}: id {passage.id!r} stands at {first_seen[passage.id]} too; "
                    "ids must be unique"
                )
            first_seen[passage.id] = where
            passages.append(passage)
    if not passages:
        raise InputError(f"{', '.join(map(str, paths))}: no labelled passage found")
    return passages


def _passage(
    record: dict[str, Any], where: str, path: Path, number: int, tasks: Sequence[str], group: str
) -> Passage:
    for key in ("text", *tasks):
        if key not in record:
            got = ", ".join(map(str, record)) or "nothing"
            raise InputError(f"{where}: no {key!r}; the record has {got}")
    text = record["text"]
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{where}: 'text' is {text!r}; expected a non-empty string")
    labels = {}
    for task in tasks:
        label = record[task]
        allowed = LABELS.get(task)
        if not isinstance(label, str) or not label:
            raise InputError(f"{where}: {task} {label!r}; expected a non-empty label")
        if allowed and label not in allowed:
            raise InputError(f"{where}: {task} {label!r}; expected one of {', '.join(allowed)}")
        labels[task] = label
    if labels.get("stance") == "unrelated" and labels.get("framing", "none") != "none":
        raise InputError(
            f"{where}: an unrelated passage has framing {labels['framing']!r}; expected 'none'"
        )
    name = str(record.get("id") or f"{path.stem}:{number}")
    return Passage(
        name,
        str(record.get(group) or name),
        text,
        labels,
        "sentences" if path.parent.name == "sentences" else "passages",
        {k: v for k, v in record.items() if k not in {"id", "text", *tasks}},
    )


def learnable(passages: Iterable[Passage]) -> list[Passage]:
    """The passages that training and tuning may see: not disputed, not of the split ``test``.

    >>> labels = {"stance": "neutral"}
    >>> found = [Passage(str(n), "a", "نص", labels, meta=m) for n, m in
    ...          enumerate([{}, {"split": "test"}, {"disputed": True}])]
    >>> [p.id for p in learnable(found)]
    ['0']
    """
    return [p for p in passages if not disputed(p) and p.meta.get("split") != "test"]


def disputed(passage: Passage) -> bool:
    """Whether its readers came to no common label (``disputed``: true)."""
    return str(passage.meta.get("disputed")).lower() == "true"


def data_hash(passages: Iterable[Passage]) -> str:
    """A short hash of ids, texts, labels, and groups, whatever their order.

    >>> p = Passage("1", "a", "نص", {"stance": "neutral"})
    >>> data_hash([p]) == data_hash([p]), len(data_hash([p]))
    (True, 12)
    """
    lines = sorted(
        json.dumps([p.id, p.doc, p.text, sorted(p.labels.items()), p.source], ensure_ascii=False)
        for p in passages
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


class Clause(NamedTuple):
    """A clause as an example of its own.

    ``labels``: task → the label that it bears, and how sure that is (0 to 1); a task is missing
    where nobody knows.
    """

    text: str
    labels: Mapping[str, tuple[str, float]]


def clauses(passage: Passage) -> list[Clause]:
    """The clauses of a passage that was marked for evidence; without the marks, none.

    A clause that holds evidence bears the passage's label, and the others of that passage, less
    surely, the label that needs no evidence (after Zaidan, Eisner & Piatko 2007). Where the
    passage's own label needs none, all its clauses bear it.

    >>> p = Passage("1", "1", "وصل الوفد أمس مساء، وحذر من خطر التعاون.", {"stance": "against"},
    ...             meta={"evidence": [{"task": "stance", "start": 20, "end": 38}]})
    >>> for clause in clauses(p):
    ...     print(clause)
    Clause(text='وصل الوفد أمس مساء', labels={'stance': ('neutral', 0.2)})
    Clause(text='وحذر من خطر التعاون', labels={'stance': ('against', 1.0)})
    """
    evidence = passage.meta.get("evidence")
    if evidence is None or passage.source != "passages":
        return []
    marked = {task: [e for e in evidence if e["task"] == task] for task in passage.labels}
    found = []
    for start, end in _clause_spans(passage.text):
        labels = {}
        for task, label in passage.labels.items():
            held = any(start < e["end"] and e["start"] < end for e in marked[task])
            if label in _UNMARKED or held:
                labels[task] = label, 1.0
            elif marked[task] and task in _SILENT:
                labels[task] = _SILENT[task], _SILENT_WEIGHT
        found.append(Clause(passage.text[start:end], labels))
    return found


def _clause_spans(text: str) -> list[tuple[int, int]]:
    """The spans between punctuation marks that a blank follows; short ones go with the one before.

    >>> text = "وصل الوفد أمس، ثم غادر."
    >>> [text[a:b] for a, b in _clause_spans(text)]
    ['وصل الوفد أمس، ثم غادر']
    """
    found: list[tuple[int, int]] = []
    for part in re.finditer(r"[^\s.؟!،؛:](?:[^.؟!،؛:]|[.؟!،؛:](?!\s|$))*", text):
        start, end = part.start(), part.start() + len(part.group().rstrip())
        if found and len(text[start:end].split()) < _CLAUSE_WORDS:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found


class Pair(NamedTuple):
    """Two passages, by position, and their Jaccard similarity in 0..1."""

    first: int
    second: int
    similarity: float


def near_duplicates(texts: Sequence[str], threshold: float = 0.5) -> list[Pair]:
    """Every pair of texts whose sets of character 5-grams have Jaccard similarity ≥ ``threshold``.

    Exact, by the product of the sets' indicator matrix with itself, a block of rows at a time;
    MinHash libraries would only estimate.

    >>> near_duplicates(["محور جديد في آسيا", "محور جديد في اسيا", "صفقة قذائف"])
    [Pair(first=0, second=1, similarity=1.0)]
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold}: expected 0 < threshold <= 1")
    if not texts:
        return []
    sets = CountVectorizer(analyzer=_shingles, binary=True, dtype=np.int32).fit_transform(texts)
    size = np.diff(sets.indptr)
    pairs = []
    for start in range(0, len(texts), _BLOCK):
        shared = (sets[start : start + _BLOCK] @ sets.T).tocoo()
        first, second = shared.row + start, shared.col
        similarity = shared.data / (size[first] + size[second] - shared.data)
        for k in np.flatnonzero((similarity >= threshold) & (first < second)):
            pairs.append(Pair(int(first[k]), int(second[k]), float(similarity[k])))
    return sorted(pairs)


def _shingles(text: str) -> set[str]:
    normal = normalise(text).text
    return {normal[i : i + _SHINGLE] for i in range(max(1, len(normal) - _SHINGLE + 1))}


def groups(passages: Sequence[Passage]) -> np.ndarray:
    """A group number per passage: articles, joined where they share a near-duplicate or a pair.

    No fold may part a group. Shape (passages,), integers from 0.
    """
    n = len(passages)
    ids: dict[tuple[str, str], int] = {}
    edges = [(p.first, p.second) for p in near_duplicates([p.text for p in passages])]
    for i, passage in enumerate(passages):
        keys = [("doc", passage.doc)]
        if passage.meta.get("pair"):
            keys.append(("pair", str(passage.meta["pair"])))
        edges += [(ids.setdefault(key, i), i) for key in keys]
    a, b = np.array(edges, dtype=int).T
    graph = coo_array((np.ones(len(edges)), (a, b)), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def folds(
    labels: Sequence[str],
    group: np.ndarray,
    n_folds: int,
    seed: int,
    auxiliary: np.ndarray | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stratified folds that part no group: (train, test) position arrays.

    ``auxiliary`` items (a boolean each) are never in a test part; they train wherever their group
    is not tested. Raises :class:`~stance.text.InputError` where there are fewer groups than folds.
    """
    tested = np.arange(len(labels)) if auxiliary is None else np.flatnonzero(~auxiliary)
    n_groups = len(np.unique(group[tested]))
    if n_groups < n_folds:
        raise InputError(
            f"{n_groups} groups (articles, near-duplicates joined) for {n_folds} folds; "
            "label more articles or ask for fewer folds"
        )
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    classes = np.unique(np.array([labels[int(i)] for i in tested]), return_inverse=True)[1]
    found = []
    with warnings.catch_warnings():
        # A combination of labels rarer than the folds is spread as well as it goes.
        warnings.filterwarnings("ignore", message="The least populated class")
        for _, test in splitter.split(np.zeros(len(tested)), classes, group[tested]):
            held = np.isin(group, group[tested[test]])
            found.append((np.flatnonzero(~held), tested[test]))
    return found


class Problem(NamedTuple):
    """Something wrong with a corpus: at which passage, and what."""

    where: str
    what: str


def check(passages: Sequence[Passage]) -> list[Problem]:
    """What is wrong with passages that were read without error.

    Unclean characters, lengths out of bounds, evidence that is no part of the text or missing,
    unknown genres, near-duplicates across articles.
    """
    problems = []
    for p in passages:
        for finding in findings(p.text):
            problems.append(Problem(p.id, f"{finding.what} at {finding.start}"))
        if p.source == "passages":
            words = len(normalise(p.text).tokens())
            if not 12 <= words <= 140:
                problems.append(Problem(p.id, f"{words} words; expected 12 to 140"))
            genre = p.meta.get("genre")
            if genre is not None and genre not in _GENRES:
                problems.append(Problem(p.id, f"genre {genre!r}; expected one of the datasheet's"))
        problems += [Problem(p.id, what) for what in _evidence_problems(p)]
    for pair in near_duplicates([p.text for p in passages]):
        a, b = passages[pair.first], passages[pair.second]
        if not (a.meta.get("pair") and a.meta.get("pair") == b.meta.get("pair")):
            problems.append(Problem(b.id, f"near-duplicate of {a.id} ({pair.similarity:.2f})"))
    return problems


def _evidence_problems(passage: Passage) -> Iterator[str]:
    evidence = passage.meta.get("evidence")
    if evidence is None:
        return
    for span in evidence:
        start, end = span["start"], span["end"]
        if not 0 <= start < end <= len(passage.text):
            yield f"evidence {start}:{end} outside a text of {len(passage.text)} code points"
    marked = {"stance": {"favor", "against"}, "framing": {"convenience", "axis", "mixed"}}
    shown = {span["task"] for span in evidence}
    if passage.source != "passages":
        return  # a sentence is evidence as a whole
    for task, labels in marked.items():
        if passage.labels.get(task) in labels and task not in shown:
            yield f"no evidence for {task} {passage.labels[task]!r}"


class Quota(NamedTuple):
    """What a corpus has of something, and what it should have."""

    name: str
    got: float
    least: float
    most: float

    @property
    def met(self) -> bool:
        """Whether the count lies within its bounds."""
        return self.least <= self.got <= self.most


def quotas(passages: Sequence[Passage], wanted: object, where: str = "quotas") -> list[Quota]:
    """How a corpus stands to the bounds that it set itself (``data/quotas.json``).

    ``wanted`` has ``least`` and ``most`` (a figure of :func:`stats` → its bound), ``labels`` (a
    list of ``{task: label, …, "least": n}``), and ``cues`` (framing label → cue words that are
    not to give it away): ``cue_free_share`` is the share of sided or framed passages that hold
    none of them, ``crossed_share`` of those that hold one of another label.

    Raises :class:`~stance.text.InputError`, with ``where``, for bounds on unknown figures.
    """
    if not isinstance(wanted, dict) or not {"least", "most", "labels", "cues"} >= set(wanted):
        raise InputError(f"{where}: expected an object with least, most, labels, cues")
    figures = stats(passages) | _cue_shares(passages, wanted.get("cues", {}))
    found = []
    for bound in ("least", "most"):
        for name, value in wanted.get(bound, {}).items():
            if not isinstance(figures.get(name), int | float):
                raise InputError(f"{where}: {bound}: the corpus has no figure {name!r}")
            low, high = (value, np.inf) if bound == "least" else (-np.inf, value)
            found.append(Quota(name.replace("_", " "), figures[name], low, high))
    for row in wanted.get("labels", []):
        labels = {k: v for k, v in row.items() if k != "least"}
        n = sum(
            p.source == "passages" and all(p.labels.get(k) == v for k, v in labels.items())
            for p in passages
        )
        found.append(Quota(" × ".join(labels.values()), n, row["least"], np.inf))
    return found


def _cue_shares(passages: Sequence[Passage], cues: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Shares of sided or framed passages without a cue, and with a cue of another framing."""
    normal = {label: [normalise(c).text for c in words] for label, words in cues.items()}
    free = crossed = n = 0
    for p in passages:
        stance, framing = p.labels.get("stance"), p.labels.get("framing", "none")
        if p.source != "passages" or (stance not in {"favor", "against"} and framing == "none"):
            continue
        text = normalise(p.text).text
        held = {label for label, words in normal.items() if any(w in text for w in words)}
        n += 1
        free += not held
        crossed += framing != "mixed" and bool(held - {framing})
    return {"cue_free_share": free / max(1, n), "crossed_share": crossed / max(1, n)}


def stats(passages: Sequence[Passage]) -> dict[str, Any]:
    """Counts of a corpus: passages, articles, words, labels, outlets, genres, dates, repetition.

    Shares of repetition are outside minimal pairs, in 0..1: passages with a near-duplicate,
    passages whose first six words another passage has too, and six-word sequences that stand in
    more than one passage, of all six-word sequences.
    """
    prose = [p for p in passages if p.source == "passages"]
    lengths = [len(normalise(p.text).tokens()) for p in prose]
    tasks = sorted({t for p in passages for t in p.labels})

    def count(key: str) -> dict[str, int]:
        return dict(Counter(str(p.meta.get(key) or "") for p in prose).most_common())

    return {
        "hash": data_hash(passages),
        "passages": len(prose),
        "sentences": len(passages) - len(prose),
        "articles": len({p.doc for p in prose}),
        "words": sum(lengths),
        "mean_words": round(sum(lengths) / max(1, len(prose)), 1),
        "paired": sum(bool(p.meta.get("pair")) for p in prose),
        "pairs": len({p.meta["pair"] for p in prose if p.meta.get("pair")}),
        "holders": sum(bool(p.meta.get("holder")) for p in prose),
        "test": sum(p.meta.get("split") == "test" for p in prose),
        "test_articles": len({p.doc for p in prose if p.meta.get("split") == "test"}),
        "disputed": sum(map(disputed, prose)),
        "outlets": len({p.meta["outlet"] for p in prose if p.meta.get("outlet")}),
        "kinds": len({p.meta["kind"] for p in prose if p.meta.get("kind")}),
        "labels": {t: dict(Counter(p.labels[t] for p in prose).most_common()) for t in tasks},
        "combinations": dict(
            Counter(" × ".join(p.labels[t] for t in reversed(tasks)) for p in prose).most_common()
        ),
        "by_kind": count("kind"),
        "by_genre": count("genre"),
        "by_year": dict(sorted(Counter(str(p.meta.get("date", ""))[:4] for p in prose).items())),
        "by_length": {
            f"{low} to {low + 19}": sum(low <= n < low + 20 for n in lengths)
            for low in range(0, max(lengths, default=0) + 1, 20)
        },
        **_repetition([p.text for p in prose if not p.meta.get("pair")]),
    }


def _repetition(texts: Sequence[str]) -> dict[str, float]:
    """Shares, in 0..1, of what repeats something of another text."""
    words = [[t.text for t in normalise(text).tokens()] for text in texts]
    openings = Counter(tuple(w[:_SEQUENCE]) for w in words)
    spread = Counter(
        s
        for w in words
        for s in {tuple(w[i : i + _SEQUENCE]) for i in range(len(w) - _SEQUENCE + 1)}
    )
    doubled = {i for pair in near_duplicates(texts) for i in pair[:2]}
    n = max(1, len(texts))
    return {
        "near_duplicate_share": len(doubled) / n,
        "repeated_opening_share": sum(c for c in openings.values() if c > 1) / n,
        "repeated_sequence_share": sum(c > 1 for c in spread.values()) / max(1, len(spread)),
    }
