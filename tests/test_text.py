"""Normalisation: what makes no difference, and the way back to the text as printed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.text import InputError, decode, findings, normalise, read_text

ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهويءأإآؤئىةٱپچگکی"
MARKS = "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670\u0640\u0653\u0654"
INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2069\u061c\ufeff"
words = st.text(alphabet=ARABIC + '0123456789 .،؟"«»()abcXYZ\n', max_size=80)
anything = st.text(max_size=80)
VARIANTS = {
    "ا": "اأإآٱ",
    "و": "وؤ",
    "ي": "يىئی",
    "ه": "هة",
    "ك": "كک",
    **{str(d): str(d) + "٠١٢٣٤٥٦٧٨٩"[d] + "۰۱۲۳۴۵۶۷۸۹"[d] for d in range(10)},
}


@given(anything)
def test_idempotent(text):
    once = normalise(text).text
    assert normalise(once).text == once


@given(words, st.randoms(use_true_random=False))
def test_marks_and_invisible_characters_make_no_difference(text, rng: random.Random):
    noisy = "".join(c + "".join(rng.choices(MARKS + INVISIBLE, k=rng.randint(0, 3))) for c in text)
    assert normalise(noisy).text == normalise(text).text


@given(st.text(alphabet="".join(VARIANTS) + " بتم", max_size=60), st.randoms())
def test_spelling_variants_make_no_difference(text, rng: random.Random):
    varied = "".join(rng.choice(VARIANTS.get(c, c)) for c in text)
    assert normalise(varied).text == normalise(text).text


@given(anything)
def test_every_position_leads_back_inside_the_text(text):
    found = normalise(text)
    assert len(found.text) == len(found.starts) == len(found.ends)
    assert found.starts == sorted(found.starts)
    assert all(0 <= a < b <= len(text) for a, b in zip(found.starts, found.ends, strict=True))


@given(anything)
def test_tokens_lead_back_to_the_words_they_came_from(text):
    found = normalise(text)
    for token in found.tokens():
        start, end = found.original(token.start, token.end)
        # the printed words, normalised by themselves, hold the token
        assert token.text in normalise(text[start:end]).text


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("مُحَمَّدٌ", "محمد"),
        ("مسؤولٌ", "مسوول"),
        ("الشــــراكة", "الشراكه"),
        ("إلى موسكو", "الي موسكو"),
        ("ﻻ ﷲ", "لا الله"),
        ("١٢٣ ۴۵۶", "123 456"),
        ("بيونغ\u200cيانغ", "بيونغيانغ"),
        ("  سطر\nآخر\t ", "سطر اخر"),
        ("NATO", "nato"),
        ("", ""),
    ],
)
def test_normalised_form(printed, expected):
    assert normalise(printed).text == expected


def test_original_span_takes_the_marks_of_its_last_letter_along():
    found = normalise("قال: محورٌ")
    token = found.tokens()[1]
    assert "قال: محورٌ"[slice(*found.original(token.start, token.end))] == "محورٌ"


@pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 1), (-1, 2), (0, 99)])
def test_a_span_outside_the_text_is_refused(start, end):
    with pytest.raises(ValueError, match="outside a text of 4"):
        normalise("محور").original(start, end)


def test_findings_name_what_is_unclean():
    found = [(f.what, f.start) for f in findings("أ\u202eﻻ\x07\ufffd")]
    assert found == [
        ("bidirectional control U+202E", 1),
        ("presentation form U+FEFB", 2),
        ("control or unassigned character U+0007", 3),
        ("replacement character U+FFFD", 4),
    ]
    assert not list(findings("نصٌّ سليم، «كله».\n"))


ARTICLE = "وقعت روسيا وكوريا الشمالية معاهدة جديدة في بيونغ يانغ خلال زيارة الرئيس الروسي. " * 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (ARTICLE.encode("cp1256"), "looks like windows-1256"),
        (b"\xff\xfe\xfd abc", "not UTF-8 (byte 0)"),
    ],
)
def test_bytes_that_are_no_utf8_text_are_refused_with_a_remedy(data, message):
    with pytest.raises(InputError, match=r"here\.txt") as caught:
        decode(data, "here.txt")
    assert message in str(caught.value)


def test_a_byte_order_mark_and_windows_line_ends_vanish(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffسطر\r\nآخر".encode())
    assert read_text(path) == "سطر\nآخر"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt: No such file"):
        read_text(tmp_path / "absent.txt")
