"""The corpus: reading, refusing, near-duplicates, groups, folds; and the shipped data."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance import corpus
from stance.corpus import Passage
from stance.text import InputError, normalise

DATA = Path(__file__).parent.parent / "data"
GOOD = {"id": "1", "doc": "d", "text": "نص قصير", "stance": "neutral", "framing": "none"}


def passage(n: int, text: str = "", doc: str = "", **meta: object) -> Passage:
    labels = {"stance": "neutral", "framing": "none"}
    return Passage(str(n), doc or str(n), text or f"نص رقم {n} " * 9, labels, "passages", meta)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "data.jsonl:2: not JSON"),
        ("[1]", "data.jsonl:2: got list, expected a JSON object"),
        (GOOD | {"stance": "pro"}, "data.jsonl:2: stance 'pro'; expected one of favor, against"),
        (GOOD | {"framing": None}, "data.jsonl:2: framing None; expected a non-empty label"),
        (GOOD | {"text": "  "}, "data.jsonl:2: 'text' is '  '; expected a non-empty string"),
        ({"id": "2", "text": "نص"}, "data.jsonl:2: no 'stance'; the record has id, text"),
        (GOOD, "data.jsonl:2: id '1' stands at"),
        (
            GOOD | {"id": "2", "stance": "unrelated", "framing": "axis"},
            "data.jsonl:2: an unrelated passage has framing 'axis'; expected 'none'",
        ),
    ],
)
def test_a_bad_record_is_refused_with_file_and_line(jsonl, line, message):
    with pytest.raises(InputError) as caught:
        corpus.read([jsonl("data.jsonl", [GOOD, line])])
    assert message in str(caught.value)


def test_missing_and_empty_places_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent: no such file or folder"):
        corpus.read([tmp_path / "absent"])
    with pytest.raises(InputError, match="in this folder"):
        corpus.read([tmp_path])


def test_csv_tsv_and_parquet_read_like_jsonl(tmp_path, jsonl):
    import pyarrow as pa
    import pyarrow.parquet as pq

    expected = corpus.read([jsonl("a.jsonl", [GOOD, GOOD | {"id": "2", "text": "نص، آخر"}])])
    rows = [list(GOOD), [*GOOD.values()], ["2", "d", "نص، آخر", "neutral", "none"]]
    (tmp_path / "a.csv").write_text("\n".join(",".join(r) for r in rows), encoding="utf-8-sig")
    (tmp_path / "a.tsv").write_text("\n".join("\t".join(r) for r in rows), encoding="utf-8")
    table = pa.Table.from_pylist([GOOD, GOOD | {"id": "2", "text": "نص، آخر"}])
    pq.write_table(table, tmp_path / "a.parquet")
    for name in ("a.csv", "a.tsv", "a.parquet"):
        assert corpus.read([tmp_path / name]) == expected, name


def test_a_csv_row_with_too_many_cells_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,stance,framing\nنص,neutral,none,زائد\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.csv:2: the row has other cells than the header's 3"):
        corpus.read([tmp_path / "a.csv"])


def test_another_task_has_whatever_labels_it_has(jsonl):
    records = [{"text": "نص", "vaccine": "pro", "site": "s"}, {"text": "آخر", "vaccine": "anti"}]
    found = corpus.read([jsonl("v.jsonl", records)], ["vaccine"], group="site")
    assert [(p.id, p.doc, p.labels) for p in found] == [
        ("v:1", "s", {"vaccine": "pro"}),
        ("v:2", "v:2", {"vaccine": "anti"}),
    ]


def test_lines_that_are_no_body_are_skipped(jsonl):
    records = [GOOD, {"id": "2", "doc": "d", "text": "عنوان", "body": False}]
    assert [p.id for p in corpus.read([jsonl("a.jsonl", records)])] == ["1"]


def jaccard(a: str, b: str) -> float:
    first, second = (
        {t[i : i + 5] for i in range(max(1, len(t) - 4))}
        for t in (normalise(a).text, normalise(b).text)
    )
    return len(first & second) / len(first | second)


@given(st.lists(st.text(alphabet="ابت ", min_size=1, max_size=25), max_size=9))
def test_near_duplicates_are_exactly_the_pairs_above_the_threshold(texts):
    expected = {
        (i, j) for j in range(len(texts)) for i in range(j) if jaccard(texts[i], texts[j]) >= 0.5
    }
    assert {p[:2] for p in corpus.near_duplicates(texts, 0.5)} == expected


def test_the_threshold_itself_is_near_enough():
    # five-character sets {abcde, bcdef} and {abcde}: one of two in common
    assert corpus.near_duplicates(["abcdef", "abcde"], 0.5) == [(0, 1, 0.5)]
    assert corpus.near_duplicates(["abcdef", "abcde"], 0.51) == []


def test_groups_join_articles_near_duplicates_and_pairs():
    long = "وقعت الدولتان وثيقة جديدة بشأن النقل البحري في الشرق الأقصى"
    passages = [
        passage(0, doc="a"),
        passage(1, long, doc="a"),
        passage(2, long + " أمس", doc="b"),
        passage(3, "نص مختلف تماما عن سواه", doc="c", pair="p"),
        passage(4, "كلام آخر لا يشبه غيره أبدا", doc="d", pair="p"),
        passage(5, "وهذا قائم بذاته دون صلة", doc="e"),
    ]
    g = corpus.groups(passages)
    assert g[0] == g[1] == g[2]
    assert g[3] == g[4]
    assert len({g[0], g[3], g[5]}) == 3


@given(st.lists(st.integers(0, 12), min_size=30, max_size=60), st.integers(0, 5))
def test_folds_part_no_group_and_test_everything_once(group, seed):
    g = np.array(group)
    labels = ["abc"[i % 3] for i in range(len(g))]
    aux = np.array([i % 7 == 0 for i in range(len(g))])
    if len(set(g[~aux])) < 3:
        return
    folds = corpus.folds(labels, g, 3, seed, aux)
    tested = np.concatenate([test for _, test in folds])
    assert sorted(tested) == list(np.flatnonzero(~aux))
    for train, test in folds:
        assert not set(g[train]) & set(g[test])


TEXT = "وصل الوفد أمس إلى المطار، ليست صفقة، بل محور دائم. ثم غادر الجميع العاصمة بعد ساعات قليلة."


def with_evidence(label: str, *marked: str) -> Passage:
    spans = [
        {"task": "framing", "start": TEXT.index(m), "end": TEXT.index(m) + len(m)} for m in marked
    ]
    labels = {"stance": "neutral", "framing": label}
    return Passage("1", "1", TEXT, labels, meta={"evidence": spans})


PARTS = [
    "وصل الوفد أمس إلى المطار، ليست صفقة",
    "بل محور دائم",
    "ثم غادر الجميع العاصمة بعد ساعات قليلة",
]
SURE = {"stance": ("neutral", 1.0)}


@pytest.mark.parametrize(
    ("label", "marked", "framings"),
    [
        ("axis", ["محور دائم"], [("none", 0.2), ("axis", 1.0), ("none", 0.2)]),
        ("axis", ["ليست صفقة، بل محور"], [("axis", 1.0), ("axis", 1.0), ("none", 0.2)]),
        ("axis", [TEXT], [("axis", 1.0)] * 3),
        ("none", [], [("none", 1.0)] * 3),
        ("axis", [], [None] * 3),  # nobody marked what bears the label
    ],
)
def test_a_clause_bears_the_label_whose_evidence_it_holds(label, marked, framings):
    found = corpus.clauses(with_evidence(label, *marked))
    assert [c.text for c in found] == PARTS
    for clause, framing in zip(found, framings, strict=True):
        assert clause.labels == SURE | ({"framing": framing} if framing else {})


def test_what_was_never_marked_for_evidence_has_no_clauses():
    assert corpus.clauses(Passage("1", "1", TEXT, {"stance": "neutral"})) == []
    assert corpus.clauses(dataclasses.replace(with_evidence("none"), source="sentences")) == []


@given(st.text(alphabet=st.sampled_from("اب ،.؟:\n1"), max_size=60))
def test_clauses_hold_every_word_once_and_in_order(text):
    passage_ = Passage("1", "1", text, {"stance": "neutral"}, meta={"evidence": []})
    words = re.findall(r"[اب1]+", text)
    assert re.findall(r"[اب1]+", " ".join(c.text for c in corpus.clauses(passage_))) == words


def test_too_few_groups_for_the_folds():
    with pytest.raises(InputError, match=r"2 groups .* for 3 folds"):
        corpus.folds(["a", "b"], np.array([0, 1]), 3, 0)


def test_the_data_hash_sees_labels_and_texts_but_no_order():
    a, b = passage(1), passage(2)
    assert corpus.data_hash([a, b]) == corpus.data_hash([b, a])
    other = Passage("1", "1", a.text, {"stance": "favor", "framing": "none"})
    assert corpus.data_hash([a]) != corpus.data_hash([other])


def test_check_names_each_problem():
    words = "واتفق الجانبان على زيادة عدد الرحلات بين العاصمتين خلال فصل الشتاء المقبل "
    passages = [
        passage(1, words + "أولى\u202e"),
        passage(2, "قصير جدا"),
        passage(3, "جملة أخرى طويلة بما يكفي لتجاوز الحد الأدنى من عدد الكلمات هنا", genre="poem"),
        Passage(
            "4", "4", "وقال مسؤول إن هذا التعاون خطر على أمن المنطقة كلها في السنوات القادمة",
            {"stance": "against", "framing": "none"}, "passages",
            {"evidence": [{"task": "framing", "start": 0, "end": 999}]},
        ),
        passage(5, words + "ثانية"),
    ]  # fmt: skip
    found = {(p.where, p.what.split(" at ")[0].split(" of ")[0]) for p in corpus.check(passages)}
    assert found == {
        ("1", "bidirectional control U+202E"),
        ("2", "2 words; expected 12 to 140"),
        ("3", "genre 'poem'; expected one"),
        ("4", "evidence 0:999 outside a text"),
        ("4", "no evidence for stance 'against'"),
        ("5", "near-duplicate"),
    }


def test_the_shipped_corpus_is_sound():
    passages = corpus.read([DATA / "passages", DATA / "sentences"])
    assert corpus.check(passages) == []


def test_the_shipped_corpus_is_as_large_and_varied_as_the_datasheet_says():
    passages = corpus.read([DATA / "passages", DATA / "sentences"])
    wanted = json.loads((DATA / "quotas.json").read_text(encoding="utf-8"))
    assert [q for q in corpus.quotas(passages, wanted) if not q.met] == []


QUOTA = {
    "least": {"passages": 3, "paired": 2, "cue_free_share": 0.5},
    "most": {"repeated_opening_share": 0.0},
    "labels": [
        {"stance": "favor", "framing": "axis", "least": 1},
        {"stance": "unrelated", "least": 1},
    ],
    "cues": {"axis": ["محور"], "convenience": ["زواج مصلحة"]},
}


def labelled(n: int, text: str, stance: str, framing: str, **meta: object) -> Passage:
    return Passage(str(n), str(n), text, {"stance": stance, "framing": framing}, meta=meta)


def test_quotas_count_what_they_bound():
    passages = [
        labelled(1, "يرحب بهذا المحور الجديد بين البلدين", "favor", "axis", pair="a"),
        labelled(2, "ليس محورا بل صفقة بين بلدين معزولين", "neutral", "convenience", pair="a"),
        labelled(3, "اجتمع الوزيران في العاصمة صباح أمس", "neutral", "none"),
        labelled(4, "يحذر من عواقب هذا التعاون على جيرانه", "against", "none"),
    ]
    found = {q.name: (q.got, q.met) for q in corpus.quotas(passages, QUOTA)}
    # sided or framed are 1, 2 and 4: 4 holds no cue, 2 a cue of the other framing
    assert found == {
        "passages": (4, True),
        "paired": (2, True),
        "cue free share": (pytest.approx(1 / 3), False),
        "repeated opening share": (0.0, True),
        "favor × axis": (1, True),
        "unrelated": (0, False),
    }
    crossed = corpus.quotas(passages, QUOTA | {"least": {"crossed_share": 0.1}, "labels": []})[0]
    assert crossed.got == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([], "q.json: expected an object with least, most, labels, cues"),
        ({"lest": {}}, "q.json: expected an object with least, most, labels, cues"),
        ({"least": {"weather": 3}}, "q.json: least: the corpus has no figure 'weather'"),
        ({"least": {"labels": 3}}, "q.json: least: the corpus has no figure 'labels'"),
    ],
)
def test_quotas_on_unknown_figures_are_refused(wanted, message):
    with pytest.raises(InputError) as caught:
        corpus.quotas([passage(1)], wanted, "q.json")
    assert message in str(caught.value)


def test_repetition_by_hand():
    same = "في العاصمة الروسية موسكو صباح اليوم التالي"  # seven words: two sequences of six
    passages = [
        passage(1, same + " وصل وفد"),
        passage(2, same + " غادر وفد"),
        passage(3, "كلمات أخرى تماما لا تتكرر في مكان آخر"),
        passage(4, same + " وصل وفد", pair="a"),
    ]
    found = corpus.stats(passages)
    assert found["repeated_opening_share"] == pytest.approx(2 / 3)
    # 1 and 2 have four sequences of six each, two of them shared; 3 has three
    assert found["repeated_sequence_share"] == pytest.approx(2 / 9)


def test_neither_disputed_nor_test_passages_are_learned_from(jsonl):
    records = [
        GOOD,
        GOOD | {"id": "2", "split": "test"},
        GOOD | {"id": "3", "disputed": True},
        GOOD | {"id": "4", "disputed": False, "split": "train"},
    ]
    passages = corpus.read([jsonl("a.jsonl", records)])
    assert [p.id for p in corpus.learnable(passages)] == ["1", "4"]


def test_a_csv_s_disputed_column_is_read(tmp_path):
    (tmp_path / "a.csv").write_text(
        "id,text,stance,framing,disputed\n1,نص,neutral,none,true\n2,نص آخر,neutral,none,\n", "utf-8"
    )
    assert [p.id for p in corpus.learnable(corpus.read([tmp_path / "a.csv"]))] == ["2"]


def test_the_frozen_split_parts_no_group():
    passages = corpus.read([DATA / "passages"])
    split: dict[int, set[bool]] = {}
    for group, p in zip(corpus.groups(passages), passages, strict=True):
        split.setdefault(int(group), set()).add(p.meta.get("split") == "test")
    assert all(len(kinds) == 1 for kinds in split.values())
    articles = {p.doc for p in passages}
    test_articles = {p.doc for p in passages if p.meta.get("split") == "test"}
    assert 0.13 < len(test_articles) / len(articles) < 0.17


def test_every_passage_was_read_twice_and_a_third_time_where_they_differ():
    for p in corpus.read([DATA / "passages"]):
        first, second, third = (
            (p.meta.get(f"stance_{r}"), p.meta.get(f"framing_{r}"))
            for r in ("first", "second", "third")
        )
        assert None not in (*first, *second), p.id
        assert (third != (None, None)) == (first != second), p.id
        if not corpus.disputed(p):
            for task in ("stance", "framing"):
                votes = [p.meta.get(f"{task}_{r}") for r in ("first", "second", "third")]
                # unrelated has no framing, whatever two readers said of it
                assert votes.count(p.labels[task]) >= 2 or p.labels["stance"] == "unrelated", p.id
