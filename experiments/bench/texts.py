"""Passages without end, recombined from the sentences of the corpus.

A made passage follows a passage of the corpus sentence by sentence: each of its sentences is
replaced by one of another passage, no two from the same, of nearly the same length. So lengths and
numbers of sentences are spread as in the corpus. What recombination cannot give is new words: real
streams have more rare ones.
"""

import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

SEED = 2024
_END = re.compile(r"(?<=[.؟!…])\s+")
_NEAR = 50  # ranks of length to either side
_ROW_GROUP = 10_000


class Sentence(NamedTuple):
    """A sentence of the corpus and the number of the passage that it stands in."""

    text: str
    passage: int


def sentences(text: str) -> list[str]:
    """The sentences of a text, split where a mark of their end and a blank stand.

    >>> sentences("وصل الوفد. هل يدوم؟ نعم")
    ['وصل الوفد.', 'هل يدوم؟', 'نعم']
    """
    return [s for s in _END.split(text.strip()) if s]


def recombined(texts: Sequence[str], seed: int = SEED) -> Iterator[str]:
    """An endless stream of passages made from the sentences of ``texts``; the same at every call.

    Raises ``ValueError`` where one passage has more sentences than there are passages to draw from.
    """
    cut = [sentences(text) for text in texts]
    if max(map(len, cut), default=0) >= len(cut):
        raise ValueError(f"{len(cut)} passages are too few to draw sentences of different ones")
    pool = sorted(
        (Sentence(s, n) for n, inside in enumerate(cut) for s in inside),
        key=lambda s: (len(s.text), s.text, s.passage),
    )
    ranks: list[list[int]] = [[] for _ in cut]
    for rank, sentence in enumerate(pool):
        ranks[sentence.passage].append(rank)
    drawn = random.Random(seed)
    while True:
        pattern = drawn.randrange(len(cut))
        used = {pattern}
        chosen = []
        for rank in drawn.sample(ranks[pattern], len(ranks[pattern])):
            sentence = _near(pool, rank, used, drawn)
            used.add(sentence.passage)
            chosen.append(sentence.text)
        yield " ".join(chosen)


def _near(pool: Sequence[Sentence], rank: int, used: set[int], drawn: random.Random) -> Sentence:
    """A sentence of nearly that rank whose passage is not used yet."""
    reach = _NEAR
    while True:
        low, high = max(0, rank - reach), min(len(pool), rank + reach + 1)
        for _ in range(20):
            sentence = pool[drawn.randrange(low, high)]
            if sentence.passage not in used:
                return sentence
        reach *= 2


def corpus_texts(folder: Path) -> list[str]:
    """The texts of the jsonl files of a folder, in order of names and lines."""
    return [
        json.loads(line)["text"]
        for file in sorted(folder.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]


def take(texts: Sequence[str], n: int, seed: int = SEED) -> list[str]:
    """The first ``n`` passages of the stream."""
    return list(islice(recombined(texts, seed), n))


def write(stream: Iterable[str], n: int, path: Path) -> Path:
    """Write the first ``n`` texts of ``stream`` to a .jsonl or .parquet file, as they come.

    Columns ``id`` and ``text``. A file that is there already is taken for the same and kept.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    rows = ({"id": f"r{i}", "text": text} for i, text in enumerate(islice(stream, n), 1))
    if path.suffix == ".parquet":
        _write_parquet(rows, part)
    else:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    part.replace(path)
    return path


def _write_parquet(rows: Iterator[dict[str, str]], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(rows, _ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema))
