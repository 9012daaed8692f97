"""Many documents → decision records: articles and tables in, one record a passage out."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from stance import article, corpus, voice
from stance.model import Model
from stance.text import InputError, decode

#: Standard input, where a path is expected.
STDIN = Path("-")

_BATCH = 256


@dataclass(frozen=True)
class Unit:
    """A passage to classify: where it is from, its words, its holder, and carried-over columns."""

    id: str
    doc: str
    start: int
    end: int
    text: str
    holder: voice.Holder
    carried: Mapping[str, Any] = field(default_factory=dict)


def units(inputs: Sequence[Path], as_articles: bool = False) -> list[Unit]:
    """Every passage of files, folders and standard input (``-``), in input order.

    A ``.txt`` or ``.html`` file is one article; a row of a table is one passage, or one article
    with ``as_articles``. Raises :class:`~stance.text.InputError` for anything that cannot be
    read, before any passage is classified.
    """
    found: list[Unit] = []
    for path in inputs:
        for file in _files(path):
            found += _file_units(file, as_articles)
    return found


def classify(
    model: Model, passages: Sequence[Unit], explain: bool = False, jobs: int = 1
) -> Iterator[dict[str, Any]]:
    """A decision record per passage, in order; a record never depends on ``jobs`` or on its batch.

    Columns carried over whose name a record needs for itself are renamed ``input_NAME``.
    """
    batches = [passages[i : i + _BATCH] for i in range(0, len(passages), _BATCH)]
    if jobs == 1 or len(batches) == 1:
        decided: Iterator[list[dict[str, Any]]] = (_decide(model, b, explain) for b in batches)
    else:
        decided = Parallel(n_jobs=jobs, return_as="generator")(
            delayed(_decide)(model, batch, explain) for batch in batches
        )
    for batch, decisions in zip(batches, decided, strict=True):
        for unit, decision in zip(batch, decisions, strict=True):
            record = {
                "id": unit.id,
                "doc": unit.doc,
                "start": unit.start,
                "end": unit.end,
                "text": unit.text,
                "holder": unit.holder.name,
                "voice": {
                    "name": unit.holder.full,
                    "role": unit.holder.role,
                    "kind": unit.holder.kind,
                    "found": unit.holder.found,
                },
                **decision,
            }
            for name, value in unit.carried.items():
                record[name if name not in record else f"input_{name}"] = value
            yield record


def _decide(model: Model, batch: Sequence[Unit], explain: bool) -> list[dict[str, Any]]:
    return model.classify([u.text for u in batch], explain)


def _files(path: Path) -> list[Path]:
    if path == STDIN:
        return [path]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not path.is_dir():
        return [path]
    kinds = (*article.ARTICLES, *corpus.TABLES)
    inside = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in kinds)
    if not inside:
        raise InputError(f"{path}: no article or table in this folder; expected {', '.join(kinds)}")
    return inside


def _file_units(path: Path, as_articles: bool) -> list[Unit]:
    if path == STDIN:
        text = decode(sys.stdin.buffer.read(), "standard input")
        if text.lstrip().startswith("{"):
            return _table_units(corpus.jsonl_rows(text, "standard input"), "-", as_articles)
        return _article_units(article.from_text(text, "standard input"), "-")
    if path.suffix.lower() in article.ARTICLES:
        return _article_units(article.read(path), path.name)
    if path.suffix.lower() in corpus.TABLES:
        return _table_units(corpus.rows(path), str(path), as_articles)
    raise InputError(
        f"{path}: don't know {path.suffix or 'a file without ending'!r}; "
        f"expected {', '.join((*article.ARTICLES, *corpus.TABLES))}"
    )


def _article_units(
    found: article.Article, doc: str, prefix: str = "", carried: Mapping[str, Any] | None = None
) -> list[Unit]:
    blocks = found.passages
    if not blocks:
        raise InputError(f"{found.name}: no passage in it, only headings or boilerplate")
    texts = [found.block_text(b) for b in blocks]
    holders = voice.holders(texts)
    return [
        Unit(f"{prefix or doc}:{n}", doc, b.start, b.end, text, holder, carried or {})
        for n, (b, text, holder) in enumerate(zip(blocks, texts, holders, strict=True), 1)
    ]


def _table_units(
    records: Iterator[tuple[int, dict[str, Any]]], where: str, as_articles: bool
) -> list[Unit]:
    name = Path(where).name
    found: list[Unit] = []
    for number, record in records:
        if "text" not in record:
            raise InputError(
                f"{where}:{number}: no column 'text'; the row has {', '.join(map(str, record))}"
            )
        text = record["text"]
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{where}:{number}: 'text' is {text!r}; expected a non-empty string")
        identity = str(record.get("id") or f"{name}:{number}")
        doc = str(record.get("doc") or name)
        carried = {k: v for k, v in record.items() if k not in {"id", "doc", "text"}}
        if as_articles:
            row = article.from_text(text, f"{where}:{number}")
            found += _article_units(row, identity, identity, carried)
        else:
            holder = voice.holders([text])[0]
            found.append(Unit(identity, doc, 0, len(text), text, holder, carried))
    if not found:
        raise InputError(f"{where}: no rows in it; expected one passage a row")
    return found


def read_decisions(path: Path) -> list[dict[str, Any]]:
    """The records of a decisions file (jsonl) as written by ``stance classify``.

    Raises :class:`~stance.text.InputError` where a line is no decision record, or there is none.
    """
    found = []
    for number, record in corpus.rows(path):
        for key in ("id", "doc", "text", "stance", "stance_p", "stance_set"):
            if key not in record:
                raise InputError(
                    f"{path}:{number}: no {key!r}; expected a record made by "
                    "stance classify --format jsonl"
                )
        found.append(record)
    if not found:
        raise InputError(f"{path}: no records in it")
    return found


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for a table with one value a cell: ``stance_p.favor``; lists joined by ``|``.

    >>> flat({"framing_p": {"axis": 0.9}, "framing_set": ["axis", "none"]})
    {'framing_p.axis': 0.9, 'framing_set': 'axis|none'}
    """
    row: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            row |= {f"{key}.{name}": v for name, v in value.items()}
        elif isinstance(value, list):
            plain = all(isinstance(v, str) for v in value)
            row[key] = "|".join(value) if plain else json.dumps(value, ensure_ascii=False)
        else:
            row[key] = value
    return row
