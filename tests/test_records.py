"""Records of table files: what is written is what is read, a piece at a time."""

import pytest
from hypothesis import given
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
