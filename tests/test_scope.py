"""The grammar of scopes: what stands where, by examples of each connective."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.scope import SCOPES, scopes
from stance.text import normalise


def inside(text, scope):
    """The words of ``text`` that stand in ``scope``."""
    normal = normalise(text)
    tokens = normal.tokens()
    found = zip(tokens, scopes(normal, tokens), strict=True)
    return " ".join(t.text for t, names in found if scope in names)


@pytest.mark.parametrize(
    ("text", "rejected", "affirmed"),
    [
        ("ليست صفقة بل محور", "صفقه", "محور"),
        ("لم يعد زواج مصلحة، وإنما صار محورا", "يعد زواج مصلحه", "صار محورا"),
        ("ليس حلفا بقدر ما هو صفقة", "حلفا بقدر", "ما هو صفقه"),
        ("علاقة مصالح أكثر منها حلفا", "منها حلفا", "علاقه مصالح"),
        ("تتجاوز حدود الحاجة إلى شراكة", "حدود الحاجه الي", "شراكه"),
        ("ورغم الحديث عن حلف، تبقى الحاجة", "الحديث عن حلف", "تبقي الحاجه"),
        ("الزيارة مهمة، لكنها شكلية", "", "شكليه"),
        ("غير أن الخبراء يشككون", "", "ان الخبراء يشككون"),
        ("شراكة غير مسبوقة لا سيما اليوم", "", ""),
        ("وصل الوفد إلى العاصمة", "", ""),
    ],
)
def test_contrast(text, rejected, affirmed):
    assert (inside(text, "rejected"), inside(text, "affirmed")) == (rejected, affirmed)


@pytest.mark.parametrize(
    ("text", "scope", "words"),
    [
        ("جاء الدعم دون مقابل واضح من موسكو", "negated", "مقابل واضح"),
        ("لم يؤكد المتحدث ذلك. ووصل الوفد", "negated", "يوكد المتحدث ذلك"),
        ("قال إنها لن تدوم وأن الحرب ستنتهي", "negated", "تدوم وان"),
        ("ما يسمى المحور الجديد", "distanced", "يسمي المحور الجديد"),
        ("التعاون المزعوم بينهما", "distanced", "بينهما"),
        ("تحالف سلمي، على حد وصفه", "distanced", "تحالف سلمي"),
        ("لو كان التحالف متينا، لتغير الأمر", "conditional", "كان التحالف متينا"),
        ("هل يدوم الحلف؟ لا أحد يعرف", "question", "هل يدوم الحلف"),
        ("وصف الاتفاق بأنه «سلمي»", "scare", "سلمي"),
        ("قال: «إن العلاقة بين البلدين ثابتة»", "quoted", "ان العلاقه بين البلدين ثابته"),
        ("قال: «إن العلاقة بين البلدين ثابتة»", "scare", ""),
    ],
)
def test_other_scopes(text, scope, words):
    assert inside(text, scope) == words


@given(st.text(max_size=200))
def test_every_token_of_any_text_has_its_scopes(text):
    normal = normalise(text)
    tokens = normal.tokens()
    found = scopes(normal, tokens)
    assert len(found) == len(tokens)
    assert set().union(*found) <= set(SCOPES)


def test_a_sentence_ends_every_scope():
    assert inside("ليست صفقة. وصل الوفد", "rejected") == "صفقه"
