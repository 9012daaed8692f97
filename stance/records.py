"""The records of table files: jsonl, csv, tsv and parquet, read and written a piece at a time."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from stance.text import InputError, decode, not_utf8

#: The kinds of file that hold one record a row.
TABLES = (".jsonl", ".csv", ".tsv", ".parquet")

_LARGEST_CELL = 2**27  # characters; the csv module's own limit is shorter than some articles
_SURROGATE = re.compile("[\ud800-\udfff]")
_PIECE = 2**20  # bytes read at once
_ROWS = 1024  # of a parquet file, made into records at once


def rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a table file with their line (or row) numbers, read as they are asked for.

    Raises :class:`~stance.text.InputError` for what is not a table, or is broken in some line.
    """
    kind = path.suffix.lower()
    if kind == ".parquet":
        yield from _parquet_rows(path)
    elif kind in TABLES:
        try:
            with path.open("rb") as file:
                if kind == ".jsonl":
                    yield from jsonl_rows(file, str(path))
                else:
                    dialect = "excel" if kind == ".csv" else "excel-tab"
                    yield from _csv_rows(file, str(path), dialect)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error
    else:
        raise InputError(f"{path}: expected one of {', '.join(TABLES)}")


def lines(file: BinaryIO, where: str) -> Iterator[str]:
    """The lines of a UTF-8 file from its start, without a byte order mark; every end is ``\\n``.

    Raises :class:`~stance.text.InputError` like :func:`~stance.text.decode`.
    """
    file.seek(0)
    while not (piece := file.read(_PIECE)).strip():
        if not piece:
            decode(b"", where)  # raises: the file is empty
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig")
    try:
        yield from iter(text.readline, "")  # of the text itself, it would close the file too
    except UnicodeDecodeError as error:
        file.seek(0)
        head = file.read(_PIECE)
        raise not_utf8(head, _first_odd_byte(file), where) from error
    finally:
        if not file.closed:  # as it is where the reading was given up
            text.detach()  # keeps the file open


def _first_odd_byte(file: BinaryIO) -> int:
    """The position of the first byte of a file that is not UTF-8."""
    file.seek(0)
    position = 0
    for line in file:
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return position + error.start
        position += len(line)
    return position


def jsonl_rows(file: BinaryIO, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of JSON lines with their line numbers; errors like :func:`rows`."""
    for number, line in enumerate(lines(file, where), 1):
        if line.isspace():
            continue
        try:
            record = json.loads(line.removesuffix("\n"))
        except json.JSONDecodeError as error:
            raise InputError(
                f"{where}:{number}: not JSON: {error.msg} at column {error.colno}; "
                "expected one object a line"
            ) from error
        escaped = "\\ud" in line or "\\uD" in line
        if escaped and _SURROGATE.search(_json(record)):
            raise InputError(f"{where}:{number}: half a surrogate pair (\\uD800 to \\uDFFF)")
        if not isinstance(record, dict):
            raise InputError(
                f"{where}:{number}: got {type(record).__name__}, expected a JSON object"
            )
        yield number, record


def _csv_rows(file: BinaryIO, where: str, dialect: str) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(_LARGEST_CELL)
    reader = csv.DictReader(lines(file, where), dialect=dialect)
    try:
        for record in reader:
            if None in record or None in record.values():
                raise InputError(
                    f"{where}:{reader.line_num}: the row has other cells than the header's "
                    f"{len(reader.fieldnames or ())} columns; quote cells that hold the separator"
                )
            yield reader.line_num, record
    except csv.Error as error:
        raise InputError(f"{where}:{reader.line_num}: not a table: {error}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, buffer_size=_PIECE) as file:
            batches = file.iter_batches(_ROWS, use_threads=False)
            yield from enumerate((record for b in batches for record in b.to_pylist()), 1)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a parquet file: {reason}") from error


def table_files(paths: Iterable[Path]) -> list[Path]:
    """The table files among ``paths``, folders searched through in name order.

    Raises :class:`~stance.text.InputError` for a missing path or a folder without tables.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                p for p in path.rglob("*") if p.suffix.lower() in TABLES and p.is_file()
            )
            if not inside:
                raise InputError(f"{path}: no {', '.join(TABLES)} file in this folder")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    return found


# --- writing --------------------------------------------------------------------------------------


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for a table with one value a cell: ``stance_p.favor``; lists joined by ``|``.

    >>> flat({"framing_p": {"axis": 0.9}, "framing_set": ["axis", "none"]})
    {'framing_p.axis': 0.9, 'framing_set': 'axis|none'}
    """
    row: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            for name, inner in value.items():
                row[f"{key}.{name}"] = inner
        elif isinstance(value, list):
            plain = all(isinstance(v, str) for v in value)
            row[key] = "|".join(value) if plain else _json(value)
        else:
            row[key] = value
    return row


@dataclass(frozen=True)
class Layout:
    """The form of a file of records: ``kind`` (jsonl, csv or parquet) and what its head says.

    ``columns`` are those of a csv, in order; ``schema`` is a parquet's, as Arrow writes it.
    """

    kind: str
    columns: tuple[str, ...] = ()
    schema: bytes = b""

    def encode(self, records: Iterable[Mapping[str, Any]]) -> bytes:
        """Records as a piece for the function that :meth:`open` gives.

        Raises :class:`~stance.text.InputError` for values that do not fit into a parquet column.
        """
        if self.kind == "jsonl":
            return "".join(_json(r) + "\n" for r in records).encode()
        if self.kind == "csv":
            text = io.StringIO()
            writer = csv.DictWriter(text, self.columns, lineterminator="\n")
            writer.writerows(flat(r) for r in records)
            return text.getvalue().encode()
        import pyarrow as pa

        try:
            batch = pa.RecordBatch.from_pylist([flat(r) for r in records], self._arrow())
        except _UNFIT as error:
            raise InputError(f"{error}; parquet {_ONE_TYPE}") from error
        return batch.serialize().to_pybytes()

    @contextmanager
    def open(self, file: BinaryIO) -> Iterator[Callable[[bytes], object]]:
        """Begin the file and give the function that writes pieces; the end of the block ends it."""
        if self.kind == "parquet":
            with _parquet_file(file, self._arrow()) as write:
                yield write
            return
        if self.kind == "csv":  # spreadsheets need the mark to see UTF-8
            head = io.StringIO()
            csv.writer(head, lineterminator="\n").writerow(self.columns)
            file.write(head.getvalue().encode("utf-8-sig"))
        yield file.write

    def _arrow(self) -> Any:
        import pyarrow as pa

        return pa.ipc.read_schema(pa.py_buffer(self.schema))


_ONE_TYPE = "columns hold values of one type: mend it, or write jsonl or csv"
_UNFIT = (ValueError, TypeError, OverflowError)  # as pyarrow refuses a value
_ROW_GROUP = 2**16  # rows


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    """What a parquet cell may hold and JSON has no form for: dates, times, decimals, bytes."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


@contextmanager
def _parquet_file(file: BinaryIO, schema: Any) -> Iterator[Callable[[bytes], object]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held: list[Any] = []

    with pq.ParquetWriter(file, schema) as writer:

        def write_group() -> None:
            writer.write_table(pa.Table.from_batches(held, schema))
            held.clear()

        def write(piece: bytes) -> None:
            held.append(pa.ipc.read_record_batch(pa.py_buffer(piece), schema))
            if sum(map(len, held)) >= _ROW_GROUP:
                write_group()

        yield write
        if held:
            write_group()


class Columns:
    """The columns of records that are still to be written, learnt record by record.

    >>> columns = Columns("csv")
    >>> columns.learn({"id": 1, "p": {"a": 0.5}}, "t.jsonl:1")
    >>> columns.learn({"id": 2, "site": "x"}, "t.jsonl:2")
    >>> columns.layout().columns
    ('id', 'p.a', 'site')
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._cells: dict[str, list[tuple[str, Any]]] = {}  # name → (where, value), not typed yet
        self._types: dict[str, Any] = {}
        self._witnesses: dict[str, list[Any]] = {}  # values that together have the column's type
        self._learnt = 0

    def learn(self, record: Mapping[str, Any], where: str) -> None:
        """Take in a record; ``where`` names it in errors.

        Raises :class:`~stance.text.InputError` where a parquet column would hold several types.
        """
        if self.kind not in ("csv", "parquet"):
            return
        for name, value in flat(record).items():
            cells = self._cells.setdefault(name, [])
            if self.kind == "parquet":
                cells.append((where, value))
        self._learnt += 1
        if self.kind == "parquet" and self._learnt % _ROWS == 0:
            self._settle()

    def layout(self) -> Layout:
        """The layout that holds all records so far."""
        if self.kind != "parquet":
            return Layout(self.kind, tuple(self._cells))
        import pyarrow as pa

        self._settle()
        schema = pa.schema([(name, self._types[name]) for name in self._cells])
        return Layout(self.kind, (), schema.serialize().to_pybytes())

    def _settle(self) -> None:
        """Find the types with the cells gathered, and let go of them."""
        import pyarrow as pa

        for name, cells in self._cells.items():
            known = self._witnesses.setdefault(name, [])
            values = [value for _, value in cells]
            try:
                type_ = pa.array(known + values).type
            except _UNFIT as error:
                raise self._unfit(name, error) from error
            if type_ != self._types.get(name, pa.null()):
                for value in values:
                    if pa.infer_type([*known, value]) != pa.infer_type(known):
                        known.append(value)
            self._types[name] = type_
            cells.clear()

    def _unfit(self, name: str, error: Exception) -> InputError:
        import pyarrow as pa

        known = self._witnesses[name]
        for where, value in self._cells[name]:
            try:
                pa.array([*known, value])
            except _UNFIT:
                return InputError(f"{where}: column {name!r} has {value!r}; parquet {_ONE_TYPE}")
            known = [*known, value]
        return InputError(f"column {name!r}: {error}; parquet {_ONE_TYPE}")
