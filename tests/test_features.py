"""Feature families: a contract that all keep, and what each one sees."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance import lexicon
from stance.features import (
    Categories,
    CharNgrams,
    Discourse,
    Form,
    Reading,
    Scoped,
    Stems,
    Target,
    WordNgrams,
)
from stance.lexicon import Category, Lexicon

DATA = Path(__file__).parent.parent / "data"
SHIPPED = lexicon.read(sorted((DATA / "lexicons").glob("*.json")))
SMALL = Lexicon(
    {
        "exchange": Category("convenience", "", ("صفقة", "مقابل", "زواج مصلحة")),
        "bloc": Category("axis", "", ("محور", "جبهة")),
        "praise": Category("favor", "", ("يرحب",)),
        "danger": Category("against", "", ("خطر",)),
        "report": Category("neutral", "", ("قال",)),
    }
)
FAMILIES = [
    CharNgrams(2, 4, 1),
    WordNgrams(1, 2, 1),
    CharNgrams(2, 3, 1, marks=1),
    WordNgrams(1, 2, 1, marks=1),
    Stems(1, 2, 1),
    Scoped(1),
    Categories(SHIPPED),
    Discourse(SHIPPED),
    Target(SHIPPED),
    Form(),
]
TEXTS = [
    json.loads(line)["text"]
    for line in (DATA / "passages" / "gulf-dailies.jsonl").read_text("utf-8").splitlines()[:30]
]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: type(f).__name__)
class TestContract:
    def test_fit_gives_the_family_itself(self, family):
        other = copy.copy(family)
        assert other.fit(TEXTS) is other

    def test_rows_columns_and_finite_values(self, family):
        X = copy.copy(family).fit(TEXTS)
        matrix = X.transform(TEXTS)
        names = X.get_feature_names_out()
        assert matrix.shape == (len(TEXTS), len(names))
        assert len(set(names)) == len(names)
        assert np.isfinite(matrix.data).all()

    def test_a_row_does_not_depend_on_its_batch(self, family):
        fitted = copy.copy(family).fit(TEXTS)
        batch = fitted.transform(TEXTS)
        for i, text in enumerate(TEXTS[:8]):
            assert (fitted.transform([text]) != batch[i]).nnz == 0

    def test_readings_and_texts_give_the_same(self, family):
        fitted = copy.copy(family).fit(TEXTS)
        assert (
            fitted.transform([Reading.of(t) for t in TEXTS]) != fitted.transform(TEXTS)
        ).nnz == 0

    def test_texts_without_words_give_empty_rows(self, family):
        matrix = copy.copy(family).fit(TEXTS).transform(["", " \n", "…؟!", "ــ"])
        assert matrix.shape[0] == 4
        assert matrix.nnz == 0

    def test_every_column_of_a_row_occurs_in_its_text(self, family):
        fitted = copy.copy(family).fit(TEXTS)
        names = fitted.get_feature_names_out()
        for text in TEXTS[:8]:
            reading = Reading.of(text)
            occurrences = list(fitted.occurrences(reading))
            assert set(names[fitted.transform([text]).indices]) == {
                o.feature for o in occurrences
            } & set(names)
            assert all(0 <= o.start < o.end <= len(reading.tokens) for o in occurrences)


@given(st.text(max_size=120))
@settings(max_examples=60)
def test_any_text_can_be_read(text):
    for family in (f for f in FAMILIES if not hasattr(f, "min_df")):
        assert np.isfinite(family.fit([]).transform([text]).data).all()


@pytest.mark.parametrize(
    ("forms", "stem"),
    [
        ("شراكة والشراكة شراكتهما الشراكات", "شراك"),
        ("يهدد تهدد وتهدد", "هدد"),
        ("خطير خطيرة الخطيرة", "خطير"),
        ("1200 3500", "0000"),
    ],
)
def test_the_forms_of_a_word_count_as_one(forms, stem):
    family = Stems(1, 1, 1).fit([forms])
    assert list(family.get_feature_names_out()) == [stem]


def test_words_that_differ_in_their_root_stay_apart():
    found = Stems(1, 1, 1).fit(["محور", "صفقة", "لا", "تهديد"]).get_feature_names_out()
    assert len(found) == 4


def test_tfidf_weights_by_hand():
    # two texts; "محور" stands in both: idf 1; "صفقة" in one: idf 1 + ln(3/2)
    family = WordNgrams(1, 1, 1).fit(["محور صفقة", "محور"])
    row = family.transform(["محور صفقة صفقة"]).toarray()[0]
    a, b = 1.0, (1 + np.log(2)) * (1 + np.log(3 / 2))
    expected = np.array([b, a]) / np.hypot(a, b)
    assert list(family.get_feature_names_out()) == ["صفقه", "محور"]
    assert row == pytest.approx(expected)


def test_ngrams_too_rare_are_no_columns():
    assert list(WordNgrams(1, 1, 2).fit(["محور صفقة", "محور"]).get_feature_names_out()) == ["محور"]


def test_an_impossible_range_is_refused():
    with pytest.raises(ValueError, match="n-gram range 3 to 2"):
        WordNgrams(3, 2, 1).fit(["محور"])


def test_numbers_share_their_ngrams():
    family = WordNgrams(1, 1, 1).fit(["12000 جندي"])
    assert family.transform(["10500 جندي"]).nnz == 2


def test_categories_count_and_presence_by_hand():
    family = Categories(SMALL).fit([])
    row = dict(
        zip(
            family.get_feature_names_out(),
            family.transform(["قال إن المحور صفقة، مقابل نفط"]).toarray()[0],
            strict=True,
        )
    )
    assert row["exchange"] == pytest.approx(np.log(3))
    assert row["exchange?"] == row["bloc"] == row["report?"] == pytest.approx(np.log(2))
    assert row["danger"] == 0


def discourse(text: str) -> set[str]:
    return {o.feature for o in Discourse(SMALL).fit([]).occurrences(Reading.of(text))}


@pytest.mark.parametrize(
    ("text", "landing"),
    [
        ("ليست صفقة بل محور", "axis"),
        ("ليس محورا، بل صفقة", "convenience"),
        ("لم يعد زواج مصلحة وإنما جبهة", "axis"),
        ("زواج مصلحة أكثر منه جبهة", "convenience"),
        ("جبهة أكثر منها صفقة", "axis"),
        ("يتجاوز حدود الصفقة", "axis"),
        ("ليس جبهة بقدر ما هو صفقة", "convenience"),
        ("لا يمكن القول إنها صفقة. وهي محور", "axis"),
    ],
)
def test_where_a_contrast_lands(text, landing):
    other = {"axis": "convenience", "convenience": "axis"}[landing]
    found = discourse(text)
    assert f"lands:{landing}" in found
    assert f"lands:{other}" not in found


def test_a_scope_ends_with_its_clause():
    assert "rejected:axis" not in discourse("ليس جديدا، والمحور قائم")


def test_the_last_cue_and_both_frames():
    assert {"last:axis", "both"} <= discourse("هي صفقة ثم محور")
    assert "both" not in discourse("هي صفقة")


def form(text: str) -> list[str]:
    return sorted(o.feature for o in Form().fit([]).occurrences(Reading.of(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("هل يدوم؟", ["ends in question", "question"]),
        ("هل يدوم؟ ربما.", ["question"]),
        ("قال «نعم» ومضى", ["quotation", "quoted words"]),
        ("قال “نعم لا”!", ["exclamation", "quotation", "quoted words", "quoted words"]),
        ("خبر عادي.", []),
    ],
)
def test_form(text, expected):
    assert form(text) == expected


def features_of(family, text):
    return {o.feature for o in family.fit([text]).occurrences(Reading.of(text))}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("وقعت موسكو وبيونغ يانغ اتفاق تعاون", {"both parties", "both parties, bond"}),
        ("تنتج روسيا ثلاثة ملايين قذيفة", {"one party", "one party, no bond"}),
        ("روسيا والصين في شراكة بلا حدود", {"one party, bond", "one party, other party"}),
        ("ويثير هذا التقارب قلق الجيران", {"no party", "no party, bond by pronoun"}),
    ],
)
def test_target_sees_whom_a_passage_is_about(text, seen):
    assert seen <= features_of(Target(SHIPPED), text)


def test_how_near_the_parties_stand():
    near = features_of(Target(SHIPPED), "بين روسيا وكوريا الشمالية")
    far = features_of(Target(SHIPPED), "روسيا " + "كلمة " * 20 + "بيونغ يانغ")
    assert "parties side by side" in near
    assert not far & {"parties side by side", "parties near"}


def test_marks_are_units_where_they_are_asked_for():
    text = "سهم فخم 👍! #نجاح"
    assert {"👍", "!", "فخم 👍", "#"} <= features_of(WordNgrams(1, 2, 1, marks=1), text)
    assert features_of(WordNgrams(1, 2, 1), text) == {"سهم", "فخم", "نجاح", "سهم فخم", "فخم نجاح"}
    assert "#ن" in features_of(CharNgrams(2, 2, 1, marks=1), text)


def test_a_mark_stands_at_the_word_before_it():
    found = {
        o.feature: o.start for o in WordNgrams(1, 1, 1, marks=1).occurrences(Reading.of("نعم لا!"))
    }
    assert found == {"نعم": 0, "لا": 1, "!": 1}
