"""Cues: which match, which do not, and what a broken lexicon says."""

import json
from pathlib import Path

import pytest

from stance import lexicon
from stance.lexicon import Category, Lexicon
from stance.text import InputError, normalise

DATA = Path(__file__).parent.parent / "data"


def found(lexicon_: Lexicon, text: str) -> list[tuple[str, str]]:
    tokens = normalise(text).tokens()
    return [
        (m.category, " ".join(t.text for t in tokens[m.start : m.end]))
        for m in lexicon_.match(tokens)
    ]


@pytest.fixture
def small() -> Lexicon:
    return Lexicon(
        {
            "label": Category("convenience", "", ("زواج مصلحة", "مقابل")),
            "denied": Category("axis", "", ("ليس زواج مصلحة",)),
            "bloc": Category("axis", "", ("محور", "محور جديد", "جديد", "بل")),
        }
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("زواج مصلحة", [("label", "زواج مصلحه")]),
        ("زواج المصلحة", [("label", "زواج المصلحه")]),
        ("وبزواجِ مصلحةٍ", [("label", "وبزواج مصلحه")]),
        ("ليس زواج مصلحة", [("denied", "ليس زواج مصلحه"), ("label", "زواج مصلحه")]),
        ("المحور الجديد والمحور", [("bloc", "المحور الجديد"), ("bloc", "والمحور")]),
        ("للمحور", [("bloc", "للمحور")]),
        ("محورية", []),
        ("زواج", []),
        ("بلد", []),
        ("وبل", [("bloc", "وبل")]),
        ("", []),
    ],
)
def test_matches(small, text, expected):
    assert found(small, text) == expected


def test_the_shipped_lexicons_read_and_cover_the_codebooks_poles():
    shipped = lexicon.read(sorted((DATA / "lexicons").glob("*.json")))
    poles = {c.pole for c in shipped.categories.values()}
    assert {"convenience", "axis", "mixed", "favor", "against", "neutral", "unrelated"} <= poles
    assert len(shipped.categories) >= 50


def test_every_cue_of_the_shipped_lexicons_matches_itself():
    shipped = lexicon.read(sorted((DATA / "lexicons").glob("*.json")))
    for name, category in shipped.categories.items():
        for entry in category.entries:
            assert name in {c for c, _ in found(shipped, entry)}, entry


GOOD = {"bloc": {"pole": "axis", "gloss": "", "entries": ["محور"]}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "a.json:1: not JSON"),
        ("[]", "expected an object of categories, got a list"),
        (json.dumps({"x": []}), "category 'x': expected"),
        (json.dumps({"x": {"pole": "up", "entries": ["محور"]}}), "pole 'up' is none of"),
        (json.dumps({"x": {"pole": "axis", "entries": []}}), "no entries"),
        (json.dumps({"x": {"pole": "axis", "entries": ["ـ"]}}), "holds no word"),
        (json.dumps({"x": {"pole": "axis", "entries": ["أمل", "امل"]}}), "are the same cue"),
    ],
)
def test_a_broken_lexicon_is_refused_with_its_place(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        lexicon.read([path])
    assert "a.json" in str(caught.value)
    assert message in str(caught.value)


def test_a_category_in_two_files_is_refused(tmp_path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(GOOD), encoding="utf-8")
    with pytest.raises(InputError, match=r"b\.json: category 'bloc' stands in an earlier file"):
        lexicon.read([tmp_path / "a.json", tmp_path / "b.json"])


def test_plain_data_round_trip(small):
    again = Lexicon.from_json(small.to_json(), "here")
    assert again.to_json() == small.to_json()
