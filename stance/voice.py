"""Whose position a passage gives: the speaker that Arabic reporting names, or its author.

Rules only. A passage is read for *acts* of speech (a reporting verb or "according to") with their
speaker; an act speaks for the words up to the next one, and who speaks for half of the passage or
more holds its position. Matching is done on normalised text, names are given as they are written.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from stance.text import Token, normalise


@dataclass(frozen=True)
class Holder:
    """Who holds a position, and how that was told.

    ``name`` is as written in the passage or, where it writes none, in an earlier one, and empty
    for the author. ``found``: "named", "continued" (the speaker of before), "quoted" (a verbatim
    answer or quotation) or "author".
    """

    name: str
    found: str


AUTHOR = Holder("", "author")


def holders(passages: Sequence[str]) -> list[Holder]:
    """The holder of each of an article's consecutive passages.

    >>> for holder in holders(["وقال الباحث السياسي سالم الهاشم إن الاتفاق مؤقت.",
    ...                        "وأضاف أن الحرب ستنتهي قريبا.",
    ...                        "بدأت الأشغال في الجسر يوم الاثنين."]):
    ...     print(holder.name, holder.found)
    سالم الهاشم named
    سالم الهاشم continued
     author
    """
    known = _Known()
    return [_holder(passage, known) for passage in passages]


# --- words (normalised: one alef, ya for alef maksura, ha for ta marbuta) -------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A verb: the stem of its past, of its present, and the participle that reports ("موكدا"). These
# report; a state or body that says so gives news as often as a position.
_REPORTS = """
قال/قول/قايل اكد/وكد/موكد ذكر/ذكر/مذكر اضاف/ضيف/مضيف اوضح/وضح/موضح تابع/تابع/متابع اشار/شير/مشير
لفت/لفت/لافت نوه/نوه/منوه بين/بين/مبين عبر/عبر/معبر ختم/ختم/- اختتم/ختتم/مختتم خلص/خلص/- اجاب/جيب/-
علق/علق/معلق عقب/عقب/- كتب/كتب/- صرح/صرح/مصرح اردف/ردف/- استطرد/ستطرد/- استدرك/ستدرك/مستدرك رد/رد/-
تحدث/تحدث/- اقر/قر/مقر اعترف/عترف/معترف شرح/شرح/شارح
"""
# These judge.
_JUDGES = """
شدد/شدد/مشدد حذر/حذر/محذر اتهم/تهم/متهم رحب/رحب/مرحب اعرب/عرب/معرب وصف/صف/واصف طالب/طالب/مطالب
رجح/رجح/مرجح استبعد/ستبعد/مستبعد توقع/توقع/متوقع اعتبر/عتبر/معتبر انتقد/نتقد/منتقد
استنكر/ستنكر/مستنكر ادان/دين/- ندد/ندد/مندد اشاد/شيد/مشيد دافع/دافع/مدافع عد/-/عاد اعتقد/عتقد/معتقد
زعم/زعم/زاعم تساءل/تساءل/متسايل استغرب/ستغرب/مستغرب لاحظ/لاحظ/ملاحظ ذهب/ذهب/- استنتج/ستنتج/مستنتج
فسر/فسر/- ربط/ربط/رابط قلل/قلل/مقلل نبه/نبه/منبه حث/حث/- ناشد/ناشد/- جدد/جدد/مجدد ايد/ويد/مويد
عارض/عارض/- شكر/شكر/- تعهد/تعهد/متعهد هدد/هدد/مهدد شكك/شكك/مشكك مال/ميل/- برر/برر/مبرر توعد/توعد/-
خالف/خالف/- هاجم/هاجم/- تحفظ/تحفظ/- رفض/رفض/رافض نصح/نصح/- اقترح/قترح/مقترح ارجع/رجع/-
وافق/وافق/موافق حلل/حلل/- جادل/جادل/مجادل راهن/راهن/- تخوف/تخوف/متخوف نظر/نظر/-
"""
_JUDGE_FORMS = """
راي رات راوا يري تري يرون ترون نفي نفت نفوا ينفي تنفي دعا دعت دعوا يدعو تدعو خشي خشيت يخشي تخشي ابدي
ابدت يبدي تبدي اثني اثنت يثني تثني عزا عزت يعزو تعزو يعزون نافيا داعيا داعيه مبديا مثنيا
"""
# These announce: the news itself, mostly, and no position.
_ANNOUNCES = "اعلن/علن/معلن كشف/كشف/كاشف افاد/فيد/- ابلغ/-/مبلغ قدر/قدر/- نقل/نقل/- اورد/ورد/-"
_NOT_VERBS = _words("معلقه متابعه متوقعه لافته عاده يعد تعد عاد نظر")


def _forms(table: str) -> Iterator[str]:
    """The finite forms of a table's verbs, and their participles in the accusative.

    >>> sorted(_forms("قال/قول/قايل"))[:5]
    ['تقول', 'تقولان', 'تقولون', 'قال', 'قالت']
    """
    for verb in table.split():
        past, present, participle = verb.split("/")
        yield from (past + end for end in ("", "ت", "وا"))
        if present != "-":
            yield from (start + present + end for start in "يت" for end in ("", "ون", "ان"))
        if participle != "-":
            yield from (participle + end for end in ("ا", "ه", "ين"))


_REPORTED = frozenset(_forms(_REPORTS)) - _NOT_VERBS
_JUDGED = (frozenset(_forms(_JUDGES)) | _words(_JUDGE_FORMS)) - _NOT_VERBS
_ANNOUNCED = frozenset(_forms(_ANNOUNCES))
_RELAYED = frozenset(_forms("نقل/نقل/-"))
_VERBS = _REPORTED | _JUDGED | _ANNOUNCED
# Verbs only where a subject and then a complement follow: otherwise "between", "across", "after".
_DOUBTFUL = _words("بين عبر عقب")

_ROLES = _words("""
رييس وزير نايب سفير مندوب متحدث ناطق مسوول مستشار باحث خبير محلل معلق كاتب صحافي صحفي استاذ دكتور
بروفسور بروفيسور عميد لواء فريق جنرال عقيد ادميرال اميرال ضابط دبلوماسي ديبلوماسي عضو ممثل مدير
سكرتير امين زعيم قايد مورخ اكاديمي ناشط محام محامي مهندس خبراء نواب وزراء اعضاء سفراء مشرع سيناتور
مبعوث حاكم محافظ ملك امير شيخ سيد مصدر مصادر مراقب مدون مشرف طبيب اقتصادي اعلامي مراسل محرر موظف
كادر قاري زميل زميلته زميلها زميلي رجل قنصل ملحق مفوض منسق استراتيجي معارض مفكر صاحب مولف زعماء
قدامي متخصص مختص قيادي دارس حقوقي
""")
_TITLES = _words("دكتور بروفسور سيد لواء عميد جنرال عقيد سفير شيخ زميلي زميلته زميلها")
_BODIES = _words("""
وزاره خارجيه حكومه رياسه جيش مجلس حزب وكاله صحيفه مجله مركز مراكز معهد منظمه منظمات فريق لجنه هييه
سفاره بعثه جهاز استخبارات مخابرات كرملين بنتاجون بنتاغون اتحاد حلف ناتو دول سلطات قياده موقع شركه
مكتب برلمان دوما تيار جمعيه موسسه وحده اداره مجموعه غرفه بيت امم وفد نظام جامعه غرب اركان
""")
_COUNTRIES = _words("""
روسيا كوريا موسكو بيونغ بيونج بيونغيانغ بيونجيانج بيونق سول سيول سييول واشنطن كييف طوكيو بكين باريس
لندن برلين بروكسل طهران صين يابان اوكرانيا امريكا ولايات ايران المانيا فرنسا بريطانيا اوروبا هند
تركيا انقره جمهوريه
""")
_QUANTITIES = _words("بعض عدد احد احدي كبار عده غالبيه معظم")
# What can "say" or stand beside a verb and is nobody.
_THINGS = _words("""
تقديرات بيانات ارقام صور تقارير ماده معاهده اتفاقيه وثيقه نص تقرير دراسه معلومات احصاءات معطيات
زياره اتصالات قمه حرب تجربه خبر انباء كثيرون بعضهم اخرون واحد شيء مره علاقه علاقات رساله استطلاع
دراسات قسم غير نحو اكثر اقل خلف كلمه وسايل هذين مدينه
""")
# Between a title and a name.
_DESCRIBED = _words("سابق متقاعد م اول كبير رفيع")
_PREPOSITIONS = _words("""
في من عن علي الي بعد قبل خلال مع منذ حول عقب بحسب وفق وفقا حسب لدي عند رغم ردا تعليقا بشان ضمن بين
حتي هل اذا باسم لشوون
""")
# Where a phrase that names a speaker ends.
_STOPS = _words("""
الي علي عن ما مما عما ماذا هل كيف مدي هذا هذه ذلك تلك هولاء الذي التي الذين اللذين خلال عقب عبر قبل
بعد حول بشان بخصوص حيال ازاء مع كما لكن بقوله بالقول قوله قولها شكره شكرها بينما فيما حيث اذ اذا حين
حينما منذ وفق بحسب حسب وفقا تجاه ضد كل كلا اي لا لم لن قد وهو وهي هو هي امس اليوم غدا الاثنين
الثلاثاء الاربعاء الخميس الجمعه السبت الاحد يوم مساء صباح ايضا كذلك نفسه ذاته نفسها ذاتها بما بمن
لما اما عندما كان كانت كانوا او ثم بل قايلا قايله عدم مخاوفه مخاوفها قلقه قلقها اسفه اسفها ثقته امله
ردا تعليقا يدعي تدعي وكان طلب طلبت
""")
# After "في" or "من": how something was said, not who said it.
_MANNERS = _words("""
حديث تصريح تصريحات بيان مقابله كلمه كلمته كلمتها اتصال تعليق تدوينه اشاره ختام وقت معرض مقال مقاله
لقاء مداخله افتتاحيتها افتتاحيته حديثه حديثها رايه رايها تقديره تقديرها الوقت المقابل موتمر رساله
احاطه جلسه تغريده جانبه جهته جانبها جهتها ناحيته ناحيتها خطابه منشور تقرير اول سياق نهايه اعقاب
مذكره كتابه ايجاز بيانها بيانه تعليقها تعليقه
""")
_OPENERS = _words("اما لكن غير ان بيد الا فيما بينما في حين كان كانت يذكر قد مع ذلك كما")
_CONTRASTS = _words("اما لكن غير بيد الا بينما حين فيما")
_TURNS = _words(", : ثم بينما فيما حين كما قد فقد وقد وفيما وبينما وكما بدوره بدورها لا لم")
_RELATIVES = _words("الذي التي الذين ما مما من")
_ACCORDING = _words("بحسب حسب وفق وفقا طبقا لسان نقلا تقدير راي براي بتقدير")
# "His argument is": the person who was named before speaks.
_ARGUMENTS = _words("حجته حجتها مفاده مفادها جوابه جوابها رايه رايها برايه برايها")
_STATEMENT = _words("البيان بيان كلمه كلمته كلمتها الكلمه الرساله")
_PRESENTERS = _words("المذيعه المذيع المقدم المقدمه المراسل المراسله مقدم مقدمه س سوال")
_COMPLEMENT = re.compile(r"[وبلكف]?(?:ان(?:ه|ها|هم|هما|ني|نا|هن)?|الا|انما)")
_DIGRESSION = re.compile(
    r"[وف]?(?:اما )?(?:في|علي|عن) (?:شان|موضوع|صعيد|سياق|ملف|الشان) (?:اخر|منفصل|متصل|الاوكراني)"
)
_TOKEN = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[^\w\s]")
_ENDS = frozenset(".!?…")

# How much an act's words count: news of a state or body is the author's as often as not.
_BODY_WEIGHTS = ((_ANNOUNCED, 0.3), (_REPORTED, 0.6))
_ROLE_WEIGHTS = ((_ANNOUNCED, 0.45),)
_SHARE = 0.5  # of a passage's words, to hold its position
_LEAD_SHARE = 0.85  # of the first passage's, which mostly gives the news


def _is(word: str, forms: frozenset[str]) -> bool:
    """Whether a word, or what follows its conjunction or future particle, is one of the forms."""
    starts = ("", "و", "ف", "س", "وس", "فس")
    return any(word.startswith(s) and word[len(s) :] in forms for s in starts)


def _noun(word: str, nouns: frozenset[str]) -> bool:
    """Whether a word is one of the nouns: with clitics, feminine, dual or plural.

    >>> _noun("للباحثين", _ROLES), _noun("بالسفيره", _ROLES), _noun("جسر", _ROLES)
    (True, True, False)
    """
    bare = {word, re.sub(r"^[وفبك]?ال|^[وف]?لل", "", word)}
    bare |= {word[1:]} if word[:1] in {"ب", "ل", "و", "ف"} else set()
    ends = ("", "ه", "ون", "ين", "ان", "ا", "ات", "تان", "يون", "يين")
    return any(w.endswith(e) and w[: len(w) - len(e)] in nouns for w in bare for e in ends)


def _bodily(word: str) -> bool:
    """Whether a word begins the name of a body, a state or a capital."""
    return _noun(word, _BODIES) or _noun(word, _COUNTRIES)


# --- phrases --------------------------------------------------------------------------------------


class _Passage:
    """A passage's words, the sentences they form, and the way back to the text as written."""

    def __init__(self, written: str) -> None:
        self.written = written
        self.normal = normalise(written)
        found = _TOKEN.finditer(self.normal.text)
        self.words = [Token(m.group(), m.start(), m.end()) for m in found]
        self.sentences: list[tuple[int, int]] = []
        start = 0
        for i, word in enumerate(self.words, 1):
            ended = word.text in _ENDS and self.normal.text[word.end : word.end + 1] in {" ", '"'}
            if ended or i == len(self.words):
                self.sentences.append((start, i))
                start = i

    def original(self, start: int, end: int) -> str:
        """The words ``start`` to ``end`` as written."""
        a, b = self.normal.original(self.words[start].start, self.words[end - 1].end)
        return self.written[a:b]

    def at(self, i: int) -> str:
        """The word at a position, or an empty string outside the passage."""
        return self.words[i].text if 0 <= i < len(self.words) else ""

    def definite(self, i: int) -> bool:
        """Whether a word has the article, which names such as "Alexander" only seem to have."""
        article = re.match(r"[وفب]?ال|لل", self.at(i))
        return article is not None and self.original(i, i + 1)[0] not in "أإآ"

    def complement(self, i: int) -> bool:
        """Whether what was said begins at a word."""
        return bool(_COMPLEMENT.fullmatch(self.at(i))) or self.at(i) in {":", "الي"}

    def phrase(self, i: int) -> tuple[int, int]:
        """The span of the noun phrase that begins at a word, at most fourteen words."""
        end = i
        while end - i < 14 and ((end == i and _noun(self.at(i), _ROLES)) or not self._stops(end)):
            end += 1
        while end > i and self.at(end - 1) in {"في", "من"}:
            end -= 1
        return i, end

    def _stops(self, i: int) -> bool:
        word, after = self.at(i), self.at(i + 1)
        if not word or not word[0].isalnum() or word in _STOPS or _COMPLEMENT.fullmatch(word):
            return True
        if word in {"في", "من"}:
            return after in _MANNERS or after in _STOPS
        listener = re.match(r"ل(?:موقع|وسايل|مراسل|صحيف|وكال|قنا)|لل(?:صح|موقع|وكال|قنا)|ل$", word)
        return bool(listener) or _is(word, _VERBS) or "\u064b" in self.original(i, i + 1)


@dataclass
class _Known:
    """What earlier passages told: the speakers, with all words that named them."""

    speakers: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    last: str = ""  # who spoke last, or was introduced
    open: bool = False  # whether that was in the passage before
    begun: bool = False

    def recall(self, words: Sequence[str]) -> str:
        """The last speaker whom all of these words have named."""
        bare = {w.removeprefix("ال") for w in words}
        return next((name for name, named in reversed(self.speakers) if bare <= named), "")


def _kind(p: _Passage, i: int, known: _Known) -> str:
    """What a phrase's first word makes it: "role", "body", perhaps a "name", or "" for a thing."""
    word = p.at(i)
    if word.removeprefix("ل") in _QUANTITIES:
        k = i + 1 + (p.at(i + 1) == "من")
        return "role" if _noun(p.at(k), _ROLES) else "body" if _bodily(p.at(k)) else ""
    if _noun(word, _THINGS) or _is(word, _PREPOSITIONS) or _is(word, _OPENERS):
        return ""
    if _noun(word, _ROLES):
        return "role"
    if _bodily(word):
        return "body"
    return "name" if known.recall([word]) or (_nameable(word) and not p.definite(i)) else ""


def _nameable(word: str) -> bool:
    """Whether a word can be part of a name: no number, none that ends in a pronoun."""
    pronoun = re.fullmatch(r"(?:في|ب|ل|عن|معظم|علي|مع|غير)(?:ه|نا|ي)|.*(?:ها|هم|هما)|..+ته", word)
    return not pronoun and len(word) > 1 and word.replace("-", "").isalpha()


def _person(p: _Passage, start: int, end: int) -> tuple[int, int] | None:
    """The personal name in a phrase that begins with a role or title, or after its comma."""
    one_of_many = p.at(start + 1) in {"في", "باسم", "من"} or (
        p.at(start + 1).endswith(("ي", "يه")) and not p.definite(start + 1)
    )
    for k in range(start + 1, end if p.definite(start) or not one_of_many else start):
        before = p.at(k - 1)
        if p.definite(k) or p.at(k) in _DESCRIBED | _PREPOSITIONS or _common(p.at(k)):
            continue
        if not _nameable(p.at(k)):
            break
        described = p.definite(k - 1) or before in _DESCRIBED or _noun(before, _TITLES)
        if described or (k - 1 > start and _noun(before, _COUNTRIES)):
            return k, _name_end(p, k, end)
    if p.at(end) in {",", "يدعي", "تدعي"} or (p.at(end) == p.at(end + 2) == '"'):
        a, b = p.phrase(end + (3 if p.at(end) == '"' else 1))
        named = 2 <= b - a <= 4 and not p.definite(a) and not _common(p.at(a))
        if named and (p.complement(b) or p.at(b) in {",", "."} or p.at(end) != ","):
            return a, b
    return None


def _common(word: str) -> bool:
    """Whether a word is no part of a personal name."""
    return _noun(word, _ROLES) or _bodily(word) or _noun(word, _THINGS)


def _name_end(p: _Passage, start: int, end: int) -> int:
    """Where a personal name ends: before a definite noun that is not its last part, or a place."""
    i = start + 1
    while i < end:
        word, inner = p.at(i), i + 1 < end
        if p.at(i - 1) not in {"عبد", "ابو", "ابن", "بن", "ولد", "ال"}:
            if word in _PREPOSITIONS or _common(word) or i - start >= 4:
                break
            if p.definite(i) and inner:
                return i + (i - start == 1)
            if word.startswith("ب") and inner and i - start >= 2:
                break
        i += 1
    return i


# --- acts of speech -------------------------------------------------------------------------------


class _Act(NamedTuple):
    """From where on somebody speaks, who (a span, or none: as before), and how much it counts."""

    start: int
    speaker: tuple[int, int] | None
    weight: float


def _acts(p: _Passage, known: _Known) -> Iterator[_Act]:
    """The acts of speech in a passage, in order; in a speaker's sentence others are his words."""
    spoken = False
    for start, end in p.sentences:
        first = True
        for i in range(start, end):
            act = _act(p, start, i, first, spoken, known)
            if act:
                yield act
                first, spoken = False, True


def _act(p: _Passage, start: int, i: int, first: bool, spoken: bool, known: _Known) -> _Act | None:
    """The act that a word makes, if any: "according to", "his argument is", or a verb.

    ``first``: none was found before in its sentence; ``spoken``: one was in the passage.
    """
    word = p.at(i)
    if _is(word, _ACCORDING):
        near = range(i + 1, i + (7 if p.at(i + 1) in {"ما", "عن"} else 2))
        cited = next((k for k in near if _kind(p, k, known) == "role"), 0)
        if cited and (first or p.at(i - 1) == ","):
            return _Act(start, p.phrase(cited), 1)  # the outer view of the sentence
    elif _is(word, _ARGUMENTS):
        by = None if spoken else _mention(p, 0, i)
        return _Act(by[0], by, 1) if by else None
    elif word in {"جاء", "وجاء"} and i == start and p.at(i + 2) in _STATEMENT:
        return _Act(start, None, 1)
    elif _is(word, _VERBS) and p.at(i + 1) not in {"اني", "انني"}:
        return _verbal_act(p, start, i, first, spoken, known)
    return None


def _verbal_act(
    p: _Passage, start: int, i: int, first: bool, spoken: bool, known: _Known
) -> _Act | None:
    """The act of a reporting verb, with the subject after it, before it, or as before."""
    word = p.at(i)
    begin = start if first and i - start < 20 else i
    clause = i == start or p.at(i - 1) in _TURNS or word[0] in "وف"
    main = clause or (first and i - start <= 8)
    if _is(p.at(i - 1), _RELATIVES) and not _is(p.at(i - 2), _ACCORDING):
        main = clause = first and _mention(p, max(start, i - 12), i) is not None
        if not main:
            return None
    if not (first or clause) or (word in {"يذكر", "ويذكر"} and p.complement(i + 1)):
        return None
    source = next((j + 1 for j in range(i + 1, i + 7) if p.at(j) == "عن"), 0)
    if source and _is(word, _RELAYED) and _noun(p.at(source), _ROLES):
        return _Act(begin, p.phrase(source), 1)
    k = _behind(p, i)
    speaker = _subject(p, k, known, main)
    if _is(word, _DOUBTFUL):
        close = speaker[1] if speaker and clause else -1
        if not (p.complement(close) or p.at(close) in {"عن", ","} or p.at(close)[:1] == "ب"):
            return None
    if not speaker:
        a, b = p.phrase(k)
        thing = b > a and p.definite(a) and p.complement(b) and p.at(a) not in _STATEMENT
        if thing:
            return None  # "estimates indicate that": nobody says it
        speaker = _topic(p, start, i, known) if first else None
        silent = a == b or p.at(a) in _STATEMENT
        if not speaker and not spoken and not (main and silent):
            return None
    weights = _BODY_WEIGHTS if speaker and _bodily(p.at(speaker[0])) else _ROLE_WEIGHTS
    return _Act(begin, speaker, next((w for forms, w in weights if _is(word, forms)), 1))


def _behind(p: _Passage, verb: int) -> int:
    """Where the subject of a verb may begin: behind adverbials and insertions."""
    i = verb + 1
    while p.at(i) in {"ايضا", "كذلك", "بدوره", "بدورها", "امس", "اليوم", "لنا", "له", "لي", "عليه"}:
        i += 1
    i += p.at(i).startswith("ل") and p.complement(i + 1)  # "told the agency that"
    inserted = i + (p.at(i) == ",")
    manner = p.at(i) in {"في", "من"} and p.at(i + 1) in _MANNERS
    if manner or p.at(i) in {",", "خلال", "عقب", "ردا"}:
        close = next((j for j in range(inserted + 1, inserted + 14) if p.at(j) == ","), 0)
        if close and not any(p.complement(j) and p.at(j) != "الي" for j in range(inserted, close)):
            return close + 1
    return i


def _subject(p: _Passage, i: int, known: _Known, main: bool) -> tuple[int, int] | None:
    """The speaker whose phrase begins at a word, where it can be one."""
    a, b = p.phrase(i)
    kind = _kind(p, a, known) if b > a else ""
    if kind == "name":
        b = next((k for k in range(a + 1, b) if p.definite(k) and _noun(p.at(k), _ROLES)), b)
        closed = p.complement(b) or p.at(b) in {",", "("} or (b - a > 1 and not p.at(b).isdigit())
        if not known.recall([p.at(a)]) and not (main and closed and b - a <= 6):
            return None
    return (a, b) if kind else None


def _topic(p: _Passage, start: int, verb: int, known: _Known) -> tuple[int, int] | None:
    """The subject of a verb that follows it: the first noun phrase of the sentence."""
    i, contrast = start, False
    while i < verb and (_is(p.at(i), _OPENERS) or not p.at(i)[0].isalnum()):
        contrast |= _is(p.at(i), _CONTRASTS)
        i += 1
    if i < verb and _is(p.at(i), _PREPOSITIONS):
        i = next((j + 1 for j in range(i, min(verb, i + 25)) if p.at(j) == ","), i + 2)
    for k in (i, i + 1):  # the sentence may begin with another verb
        a, b = p.phrase(k)
        kind = _kind(p, a, known) if a < b <= verb else ""
        if kind in {"role", "body"}:
            return a, b
        aside = p.at(b) in {",", "("} and (contrast or p.at(b + 1) in {"وهو", "وهي", "وقد"})
        told = known.recall([p.at(a)]) or (aside and b - a > 1) or (contrast and b == verb)
        if kind == "name" and k == i and b - a <= 5 and told:
            return a, b
    return _mention(p, start, verb)


def _mention(p: _Passage, start: int, end: int) -> tuple[int, int] | None:
    """The last person with title and name between two words."""
    for i in range(end - 1, start - 1, -1):
        a, b = p.phrase(i)
        if _noun(p.at(i), _ROLES) and a < b <= end and _person(p, a, b):
            return a, b
    return None


# --- holders --------------------------------------------------------------------------------------


def _holder(passage: str, known: _Known) -> Holder:
    """The holder of the next passage; ``known`` learns from it."""
    p = _Passage(passage)
    lead, known.begun = not known.begun, True
    if not p.words or _DIGRESSION.match(p.normal.text):
        return AUTHOR
    holder = _labelled(p, known) or _dominant(p, known, _LEAD_SHARE if lead else _SHARE)
    introduced = _mention(p, 0, len(p.words))
    known.open = bool(holder.name or introduced)
    if holder.name:
        known.last = holder.name
    elif introduced:
        known.last = _resolve(p, introduced, known).name
    return holder


def _dominant(p: _Passage, known: _Known, share: float) -> Holder:
    """Who speaks for a share of the words; a body's act ends with its sentence."""
    weights: dict[Holder, float] = {}
    current = AUTHOR
    n = len(p.words)
    acts = [*_acts(p, known), _Act(n, None, 0)]
    for act, following in pairwise(acts):
        end = following.start
        if act.speaker:
            current = _resolve(p, act.speaker, known)
            if _bodily(p.at(act.speaker[0])):
                end = min(end, next(b for _, b in p.sentences if b > act.start))
        elif current == AUTHOR and known.open and act.start == 0:
            current = Holder(known.last, "continued")
        weights[current] = weights.get(current, 0) + act.weight * max(0, end - act.start)
    best = max(weights, key=lambda h: weights[h], default=AUTHOR)
    return best if best.name and weights[best] >= share * n else AUTHOR


def _resolve(p: _Passage, speaker: tuple[int, int], known: _Known) -> Holder:
    """The holder that a speaker's phrase names; "the official" is the one of before."""
    a, b = start, end = speaker
    words = [w.text for w in p.words[start:end]]
    if _noun(words[0], _ROLES):
        named = _person(p, start, end)
        a, b = named or speaker
        old = known.recall(words) or (known.last if len(words) == 1 else "")
        if not named and p.definite(start) and old:
            return Holder(old, "continued")
    elif not _bodily(words[0]) and words[0].removeprefix("ل") not in _QUANTITIES:
        b = _name_end(p, start, end)
    name = p.original(a, b)
    named_by = frozenset(w.removeprefix("ال") for w in [*words, *(t.text for t in p.words[a:b])])
    known.speakers.append((name, named_by))
    return Holder(name, "named")


def _labelled(p: _Passage, known: _Known) -> Holder | None:
    """Verbatim speech: introduced by a name and a colon, or the answer in an interview."""
    asked = next((i + 1 for i in range(min(60, len(p.words))) if p.at(i) == "?"), 0)
    start = asked if p.at(0) in _PRESENTERS else 0
    if start == 0 and p.at(0) in _PRESENTERS:
        return None
    colon = next((i for i in range(start, start + 14) if p.at(i) == ":"), 0)
    if colon and not any(_is(p.at(i), _VERBS) or p.at(i) in _ENDS for i in range(start, colon)):
        a, b = p.phrase(start)
        named = b - a > 1 or known.recall([p.at(a)])
        if b > a and named and _kind(p, a, known) and p.at(b) in {":", ",", "من"}:
            return Holder(_resolve(p, (a, b), known).name, "quoted")
    if asked and known.last and (p.at(0) in {"■", "-"} or "? - " in p.normal.text):
        return Holder(known.last, "quoted")
    return None
