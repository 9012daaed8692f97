"""Whose position a passage gives, on small invented passages."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance import voice
from stance.text import normalise
from stance.voice import AUTHOR, Holder, holders

ARTICLE = [
    "وصل الوفد إلى المدينة صباح يوم الاثنين، وعقد جلسة قصيرة ثم غادر إلى المطار.",
    "وقال الباحث السياسي سالم الهاشم إن الاتفاق مؤقت ولن يدوم بعد نهاية الحرب.",
    "وأضاف أن الطرفين يعرفان ذلك جيدا ولا يخفيان حاجتهما.",
    "ويرى الهاشم أن المصلحة هي ما يجمعهما، لا أكثر من ذلك.",
    "بدأت الأشغال في الجسر يوم الخميس، ويبلغ طوله نحو ثمانمئة متر.",
]


def alone(passage: str) -> str:
    """The holder's name of a passage that is not its article's first."""
    return holders([ARTICLE[0], passage])[1].name


@pytest.mark.parametrize(
    ("passage", "name"),
    [
        # The subject after its verb: past, present, feminine, with conjunctions.
        ("وحذر الخبير العسكري نادر الصواف من أن المحور خطر على الجميع.", "نادر الصواف"),
        ("وترى الباحثة الكورية هان مي جون أن الصفقة عابرة.", "هان مي جون"),
        ("فقالت لينا الحداد إن الاتفاق مؤقت وغير ملزم.", "لينا الحداد"),
        (
            "واعتبر أستاذ العلاقات الدولية بالجامعة عبد الإله الراوي أن الحلف دائم.",
            "عبد الإله الراوي",
        ),
        # Names that only seem to have the article.
        ("ورأى الأكاديمي الروسي أليكسي دوبروف أن الحلف سيبقى طويلا.", "أليكسي دوبروف"),
        # The phrase ends before an adverb or an object.
        ("وقال مسؤول الميناء علناً إن السفن لا تتوقف.", "مسؤول الميناء"),
        ("ولفتت لينا الحداد النظر إلى أن الاتفاق غير ملزم.", "لينا الحداد"),
        # A role, body or state without a personal name.
        (
            "وقال متحدث باسم وزارة الخارجية الأمريكية إن الأمر مقلق للغاية.",
            "متحدث باسم وزارة الخارجية الأمريكية",
        ),
        ("وتخشى كوريا الجنوبية من أن تحصل جارتها على تقنيات متطورة.", "كوريا الجنوبية"),
        (
            "وأدانت وزارة الخارجية اليابانية هذا الاتفاق ودعت إلى إلغائه.",
            "وزارة الخارجية اليابانية",
        ),
        # Adverbials and insertions between verb and subject, and before the verb.
        ("وأكد، في حديث للصحيفة، الباحث رائد منصور أن الصفقة عادلة.", "رائد منصور"),
        ("من جانبه طالب النائب كمال الدرويش بوقف التعاون فورا.", "كمال الدرويش"),
        ("وفي مقابلة مع الموقع، استبعد المحلل جاد الخطيب أن يدوم الحلف.", "جاد الخطيب"),
        # The name behind the role's comma.
        ("وأشار الباحث في الشؤون الآسيوية، نزار الكاتبي، إلى أن الأمر جديد.", "نزار الكاتبي"),
        # The subject before its verb.
        ("أما الدكتورة سعاد المالح، مدرسة الاقتصاد، فتقول إن التجارة محدودة.", "سعاد المالح"),
        ("غير أن مسؤول الميناء يرى أن الأرقام صغيرة ولا تكفي.", "مسؤول الميناء"),
        # According to, in his view, relayed by an outlet.
        ("وبحسب الخبير نادر الصواف، فإن العلاقة لا تتجاوز المقايضة.", "نادر الصواف"),
        ("وفي تقدير الباحث سالم الهاشم، فإن الممر هو الأهم للطرفين.", "سالم الهاشم"),
        ("ونقلت وسائل إعلام عن مسؤول محلي قوله إن البلدة لن تنسى ذلك.", "مسؤول محلي"),
        # The outer view of a nested one.
        ("ترى بيونغ يانغ أن الاتفاق يحميها، بحسب ما قال الباحث سالم الهاشم.", "سالم الهاشم"),
        ("وقال الخبير نادر الصواف إن بكين تعتبر الأمر مناورة لرفع السعر.", "نادر الصواف"),
        (
            "وقال الخبير نادر الصواف إنها صفقة، مثلما تعتبر الحكومة كل اتفاق من هذا النوع مع جار.",
            "نادر الصواف",
        ),
    ],
)
def test_speaker(passage: str, name: str) -> None:
    assert alone(passage) == name


@pytest.mark.parametrize(
    "passage",
    [
        "بدأت الأشغال في الجسر يوم الخميس، ويبلغ طوله نحو ثمانمئة متر.",
        "وتشير التقديرات إلى أن التجارة بين البلدين تراجعت هذا العام.",
        "والوزارة صامتة حتى الآن، وتشير التقديرات إلى أن التجارة بين البلدين تراجعت.",
        "يذكر أن المعاهدة تتألف من ثلاث وعشرين مادة.",
        "وأعلنت الحكومة أن الجسر سيفتح قريبا. وتعمل في الموقع ثلاث شركات منذ الربيع.",
        "وفي شأن آخر، قال الوزير فادي الجمل إن الأسعار ارتفعت.",
        "والمسافة بين موسكو وبيونغ يانغ طويلة، ولا يربطهما طريق بري مباشر.",
        "وأعترف أنني لا أملك جوابا قاطعا عن هذا السؤال.",
    ],
)
def test_author_speaks(passage: str) -> None:
    assert holders([ARTICLE[0], passage])[1] == AUTHOR
    assert holders([ARTICLE[1], passage])[1] == AUTHOR


def test_small_fact_leaves_author() -> None:
    fact = "وقال الخبير نادر الصواف إن العدد ألفان."
    account = "ويمتد الجسر فوق النهر بين ضفتين متقابلتين، وتعمل فيه ثلاث شركات من البلدين. "
    assert alone(fact) == "نادر الصواف"
    assert alone(account * 2 + fact) == ""


def test_news_is_the_authors_and_a_position_the_bodys() -> None:
    assert alone("قال البيت الأبيض إن السفينة وصلت إلى الميناء.") == ""
    position = (
        "وأدان البيت الأبيض هذا التحالف بين روسيا وكوريا الشمالية ووصفه بأنه تهديد خطير للسلام."
    )
    assert alone(position) == "البيت الأبيض"
    assert holders([position])[0].name == "البيت الأبيض"  # a table's row, with no article around


def test_continued_passages() -> None:
    assert holders(ARTICLE) == [
        AUTHOR,
        Holder("سالم الهاشم", "سالم الهاشم", "الباحث السياسي", "person", "named"),
        Holder("سالم الهاشم", "سالم الهاشم", "الباحث السياسي", "person", "continued"),
        Holder("الهاشم", "سالم الهاشم", "الباحث السياسي", "person", "named"),
        AUTHOR,
    ]


def test_full_name_and_role_may_stand_later() -> None:
    _, first, second = holders(
        [
            ARTICLE[0],
            "وحذر دوبروف من أن هذا التحالف خطر على جميع دول المنطقة ولن يجلب إلا الخراب.",
            "وقال أليكسي دوبروف، الباحث في الشؤون الآسيوية، إن الحلف لن يدوم بعد الحرب.",
        ]
    )
    assert (first.name, first.full, first.role) == (
        "دوبروف",
        "أليكسي دوبروف",
        "الباحث في الشؤون الآسيوية",
    )
    assert (second.full, second.role) == (first.full, first.role)


@pytest.mark.parametrize(
    ("passage", "kind"),
    [
        ("وحذر الخبير العسكري نادر الصواف من أن المحور خطر على الجميع.", "person"),
        ("وأدانت وزارة الخارجية اليابانية هذا الاتفاق ودعت إلى إلغائه.", "body"),
        ("وتخشى كوريا الجنوبية من أن تحصل جارتها على تقنيات روسية متطورة.", "country"),
        ("وحذر دبلوماسي أوروبي من أن هذا التحالف خطر على الجميع.", "unnamed"),
    ],
)
def test_kind(passage: str, kind: str) -> None:
    holder = holders([ARTICLE[0], passage])[1]
    assert holder.kind == kind
    assert holder.full == holder.name
    assert bool(holder.role) == (kind == "person")


@pytest.mark.parametrize("reference", ["المسؤول", "المسؤول ذاته", "مسؤول الميناء"])
def test_role_refers_to_earlier_speaker(reference: str) -> None:
    first = "وقال مسؤول الميناء حسن البحار إن التعاون بين روسيا وكوريا الشمالية مفيد للجميع."
    then = f"وأوضح {reference} أن هذا التعاون بين البلدين يخدم الشعبين ولا يضر أحدا."
    name = holders([ARTICLE[0], first, then])[2].name
    assert name == ("مسؤول الميناء" if reference == "مسؤول الميناء" else "حسن البحار")


def test_continuation_ends_with_author() -> None:
    later = holders([*ARTICLE, "ولم يتضح بعد متى يفتح الجسر، كما أكد أن العمل مستمر."])
    assert later[-1] == AUTHOR


def test_labelled_and_interview() -> None:
    passages = [
        "المذيع: ما رأي الضيف في الاتفاق؟",
        "رامي الزين، باحث من بيروت: هذا اتفاق مؤقت بين طرفين محتاجين.",
        "الزين: لا أظن أنه سيبقى طويلا.",
        "■ وماذا عن التجارة؟ - التجارة محدودة ولا تكفي وحدها.",
    ]
    assert [h.name for h in holders(passages)] == ["", "رامي الزين", "الزين", "الزين"]
    assert {h.found for h in holders(passages)[1:]} == {"quoted"}


def test_interview_answers_are_the_introduced_guest() -> None:
    guest = "وفي هذا العدد ضيفنا السفير فؤاد النجار الذي خدم في آسيا سنوات طويلة."
    answers = holders([guest, "■ هل يدوم الحلف؟ - لا أستطيع الجزم بذلك."])
    assert [(h.name, h.found) for h in answers] == [("", "author"), ("فؤاد النجار", "quoted")]


def test_properties() -> None:
    for passages in (ARTICLE, ARTICLE[1:], [""], [], ["؟", "قال", "قالت: ", "«»", "وأضاف أن"]):
        found = holders(passages)
        assert len(found) == len(passages)
        for i, holder in enumerate(found):
            assert bool(holder.name) == (holder.found != "author") == (holder.kind != "author")
            assert bool(holder.full) == bool(holder.name)
            earlier = " ".join(passages[: i + 1])
            assert all(word in earlier for word in holder.name.split())


def test_marks_change_nothing_but_spelling() -> None:
    marked = [p.replace("ال", "الـ").replace("ب", "بِ").replace("ن", "نَّ") for p in ARTICLE]
    assert marked != ARTICLE
    plain, with_marks = holders(ARTICLE), holders(marked)
    assert [h.found for h in plain] == [h.found for h in with_marks]
    assert [normalise(h.name).text for h in with_marks] == [normalise(h.name).text for h in plain]
    assert with_marks[1].name in marked[1]


WEIGHTS = json.loads((Path(voice.__file__).parent / "voice.json").read_text("utf-8"))
PIECES = [
    *sorted({*" ".join(ARTICLE).split()}),
    *("،", ".", ":", "؟", "«", "»", "■", "لي", "بحسب", "روسيا", "كوريا", "التحالف", "ألمانيا"),
    *("قال", "إن", "وزير", "الوزير", "أليكسي", "في", "من", "وهو", "علناً", "12", "الخبير", "أنه"),
]


def summed(model: str, names: tuple[str, ...]) -> int:
    """The weights of some features one by one, in hundredths."""
    return sum(round(100 * WEIGHTS[model].get(name, 0.0)) for name in names)


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join), max_size=4))
def test_what_is_summed_are_the_weights_of_the_named_features(others: list[str]) -> None:
    article = voice._Article([voice._Passage(text) for text in (*others, *ARTICLE[1:3])])
    fast, named = voice._model(), voice._names()
    past = voice._Past()
    for n, p in enumerate(article.passages):
        starts = voice._start_totals(named.start, article, n, past)
        totals = voice._start_totals(fast.start, article, n, past)
        assert totals == {i: summed("start", names) for i, names in starts.items()}
        assert all(f"word:{p.words[i]}" in names for i, names in starts.items())
        for model in ("author", "last"):
            tables = getattr(fast, model)
            whole = voice._whole_total(named.last, article, n, past)
            assert voice._whole_total(tables, article, n, past) == summed(model, whole)
        said = voice._said(named.author, p)
        assert len(said) == len({*said}) <= len(p.words)
        assert voice._said(fast.author, p) == summed("author", said)
        for start, i in itertools.pairwise(range(len(p.words))):
            names = voice._end_total(named.end, article, n, start, i)
            assert voice._end_total(fast.end, article, n, start, i) == summed("end", names)
        past.learn(p, Holder("سالم الهاشم", "", "", "person", "named") if n % 2 else AUTHOR)


def test_weights_are_of_features_that_the_groups_name() -> None:
    named, seen = voice._names(), {model: set() for model in WEIGHTS}
    article = voice._Article([voice._Passage(text) for text in ARTICLE])
    past = voice._Past()
    for n, p in enumerate(article.passages):
        for names in voice._start_totals(named.start, article, n, past).values():
            seen["start"].update(names)
        whole = voice._whole_total(named.last, article, n, past)
        seen["author"].update(whole, voice._said(named.author, p))
        seen["last"].update(whole)
        for i in range(1, len(p.words)):
            seen["end"].update(voice._end_total(named.end, article, n, i - 1, i))
    for model, names in seen.items():
        assert len(names & {*WEIGHTS[model]}) > 60


def test_ever_new_words_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "_REMEMBERED", 8)
    table = voice._Table(lambda word: [word], "".join)
    assert [table[f"{n}",] for n in range(100)] == [f"{n}" for n in range(100)]
    assert len(table) <= 8
    assert voice._word.cache_info().maxsize is not None
