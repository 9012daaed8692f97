"""Records of table files: what is written is what is read, a piece at a time."""

import io
import itertools
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stance import records
from stance.text import InputError


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5))
def test_any_text_comes_back_from_every_kind_of_table(tmp_path_factory, texts):
    import csv as csv_
    import io
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("tables")
    # line ends are one kind after reading, as in any text file
    texts = [t.replace("\r\n", "\n").replace("\r", "\n") for t in texts]
    rows = [{"id": str(i), "text": t} for i, t in enumerate(texts)]
    lines = "".join(json.dumps(r, ensure_ascii=i % 2 == 0) + "\n" for i, r in enumerate(rows))
    (folder / "t.jsonl").write_text(lines, encoding="utf-8", newline="")
    pq.write_table(pa.Table.from_pylist(rows), folder / "t.parquet")
    for name, dialect in (("t.csv", "excel"), ("t.TSV", "excel-tab")):
        out = io.StringIO(newline="")
        writer = csv_.DictWriter(out, ["id", "text"], dialect=dialect, quoting=csv_.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
        (folder / name).write_text(out.getvalue(), encoding="utf-8", newline="")
    for path in folder.iterdir():
        assert [r for _, r in records.rows(path)] == rows, path.name


def test_half_a_surrogate_pair_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud83d"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.jsonl:1: half a surrogate pair"):
        list(records.rows(tmp_path / "a.jsonl"))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=20)
NAMES = st.text("ابتx|. ", min_size=1, max_size=4)


def written(tmp_path_factory, kind, rows, pieces=2):
    """Records written piece by piece into a file of a kind."""
    columns = records.Columns(kind)
    for n, row in enumerate(rows):
        columns.learn(row, f"row {n}")
    path = tmp_path_factory.mktemp("written") / f"t.{kind}"
    layout = columns.layout()
    with path.open("wb") as file, layout.open(file) as write:
        for start in range(0, len(rows), pieces):
            write(layout.encode(rows[start : start + pieces]))
    return path


@given(st.lists(st.dictionaries(NAMES, TEXT, min_size=1), min_size=1, max_size=7))
def test_what_is_written_comes_back_from_every_kind_of_table(tmp_path_factory, rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    for kind, missing in (("csv", ""), ("parquet", None)):
        found = [r for _, r in records.rows(written(tmp_path_factory, kind, rows))]
        assert found == [{name: row.get(name, missing) for name in names} for row in rows]
        assert all(list(r) == names for r in found)
    found = [r for _, r in records.rows(written(tmp_path_factory, "jsonl", rows))]
    assert found == rows


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False),
    TEXT,
    st.dates(),
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 9), min_size=1),
)


@given(st.lists(CELLS, min_size=1, max_size=9))
@example([date(2000, 1, 1), 9.3e18])  # an integer too large for a date's
def test_a_column_has_the_type_that_all_its_cells_have_together(monkeypatch_module, cells):
    import pyarrow as pa

    # a dictionary's cells stand in columns of their own; within a dictionary they stay together
    rows = [{"c": {"x": cell}} for cell in cells]
    columns = records.Columns("parquet")
    try:
        expected = pa.array(cells)
    except (ValueError, TypeError, OverflowError):
        with pytest.raises(InputError, match=r"^\d+: column 'c.x' has .*values of one type"):
            learn(columns, rows)
        return
    schema = pa.ipc.read_schema(pa.py_buffer(learn(columns, rows).schema))
    assert schema.field("c.x").type == expected.type


@pytest.fixture(scope="module")
def monkeypatch_module():
    """Types are settled every two rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_ROWS", 2)
        yield


def learn(columns, rows):
    for n, row in enumerate(rows):
        columns.learn(row, str(n))
    return columns.layout()


def test_a_table_of_many_pieces_has_few_row_groups_and_the_same_content(tmp_path_factory):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"id": str(i), "n": i, "p": {"a": i / 7}, "set": ["x", "y"]} for i in range(3000)]
    path = written(tmp_path_factory, "parquet", rows, pieces=100)
    flat = pa.Table.from_pylist([records.flat(r) for r in rows])
    assert pq.read_table(path) == flat
    assert pq.ParquetFile(path).num_row_groups == 1


def test_dates_of_a_parquet_file_have_a_form_in_json(tmp_path_factory):
    import datetime

    path = written(tmp_path_factory, "parquet", [{"date": datetime.date(2024, 6, 19)}])
    [(_, record)] = records.rows(path)
    assert records.Layout("jsonl").encode([record]) == b'{"date": "2024-06-19"}\n'


def test_a_table_is_read_no_further_than_it_is_asked_for():
    line = b'{"text": "' + b"x" * 990 + b'"}\n'
    file = io.BytesIO(line * 20_000)
    assert len(list(itertools.islice(records.jsonl_rows(file, "t"), 5))) == 5
    assert file.tell() < 2**21


GOOD = '{"text": "نص"}\n'.encode()
DEEP = [
    (
        GOOD * 5000 + '{"text": "نص قديم جدا"}'.encode("cp1256"),
        f"not UTF-8 (byte {5000 * 17 + 10})",
    ),
    (b"\xef\xbb\xbf" + GOOD + b"{oops", ":2: not JSON: Expecting property name"),
    (GOOD.replace(b"\n", b"\r\n") * 3 + b"\r[1]", ":5: got list, expected a JSON object"),
    (GOOD + b'{"a":\n', ":2: not JSON: Expecting value at column 6"),
    (b" \n" * 2**20, "the file is empty"),
    (b"", "the file is empty"),
]


@pytest.mark.parametrize(("data", "message"), DEEP, ids=[m for _, m in DEEP])
def test_what_is_wrong_is_told_with_its_place(data, message):
    with pytest.raises(InputError) as caught:
        list(records.jsonl_rows(io.BytesIO(data), "t"))
    assert str(caught.value).startswith("t:")
    assert message in str(caught.value)
