"""What stands under negation, in a contrast's rejected or affirmed half, at a distance, in doubt.

A small grammar of Arabic connectives over normalised tokens (Ryding 2005, ch. 18, 37; Badawi,
Carter & Gully 2016, ch. 3.29, 6). It knows no syntax tree: a scope runs from its mark to the end of
its clause, or to the connective that closes it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from stance.text import Normalised, Token

#: Every scope that a token can stand in.
SCOPES = (
    "negated",
    "rejected",
    "affirmed",
    "distanced",
    "conditional",
    "question",
    "quoted",
    "scare",
)

_CLAUSE_BREAK = re.compile(r"[.,;:!?]")
_SENTENCE_BREAK = re.compile(r"[.!?;]")
_QUOTED = re.compile(r'"([^"]*)"')
SCARE_WORDS = 4  # so few quoted words are a term held at arm's length, no speech


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_NEGATORS = _words("ليس ليست ليسا ليسوا لسنا لست لا لم لن")
_BEFORE_NOUN = _words("غير دون بدون بلا عدم انعدام غياب نفي")
REACH_BEFORE_NOUN = 2
# Idioms with a negator that negate nothing.
_NO_NEGATION = frozenset(
    (negator, word)
    for negator, after in {
        "لا": "سيما يزال تزال يزالان تزالان زال زالت بد شك ريب محاله جدال يخفي ينفك غني",
        "لم": "يزل تزل",
        "غير": "ان انه انها مسبوق مسبوقه محدود محدوده مشروط مشروطه",
        "دون": "شك ريب شروط تحفظ قيد",
        "بلا": "شك حدود شروط تحفظ قيد",
    }.items()
    for word in after.split()
)
_CORRECTIVES = _words("بل وانما انما ولكن لكن ولكنه لكنه ولكنها لكنها")
_ADVERSATIVES = _words("لكن لكنه لكنها لكنهما بيد بل")
_HOWEVER = frozenset({("غير", "ان"), ("غير", "انه"), ("غير", "انها"), ("الا", "ان")})
_HOWEVER |= frozenset({("الا", "انه"), ("الا", "انها"), ("علي", "ان")})
_SURPASSING = _words(
    "يتجاوز تتجاوز تجاوز تجاوزت يتخطي تتخطي تخطي تخطت يتعدي تتعدي تعدي تعدت متجاوزا"
)
_NO_LONGER = frozenset(
    {("لم", "يعد"), ("لم", "تعد"), ("لم", "يعودا"), ("ما", "عاد"), ("ما", "عادت")}
)
_CONCESSIVES = _words("رغم برغم بالرغم")
_THAN_THIS = _words("منه منها من مما")
_DISTANCE = _words(
    "المزعوم المزعومه المزعومين يزعم تزعم زعم زعمت زعموا يزعمون زاعما زاعمه بزعم مزاعم يدعي تدعي"
    " يدعون بدعوي مدعيا"
)
_SO_CALLED = _words("يسمي يسميه تسميه يسمونه يوصف وصفه وصفته يصفه تصفه اسماه اسمته")
_IN_HIS_WORDS = _words("وصفه وصفها وصفهم تعبيره تعبيرها تعبيرهم قوله قولها زعمه زعمها")
_CONDITIONS = _words("لو لولا اذا حال شريطه بشرط طالما مالم")
_ASKING = _words("هل اليس اليست اتري افلا")
_CONJUNCTION = re.compile("^[وف](?=...?)")
# Marks that a conjunction may stand before.
_CONJOINED = _NEGATORS | _BEFORE_NOUN | _CORRECTIVES | _SURPASSING | _CONCESSIVES | _CONDITIONS
_CONJOINED |= _DISTANCE | {"هل", "ما", "غير", "الا", "علي"}

#: For the native engine: the words of each mark, in the order of its bits, and the pairs of words.
MARKS: Mapping[str, frozenset[str]] = {
    "negator": _NEGATORS,
    "before noun": _BEFORE_NOUN,
    "corrective": _CORRECTIVES,
    "adversative": _ADVERSATIVES,
    "surpassing": _SURPASSING,
    "farther": frozenset({"ابعد"}),
    "from": frozenset({"من"}),
    "toward": frozenset({"الي"}),
    "and that": frozenset({"وان"}),
    "concessive": _CONCESSIVES,
    "as much": frozenset({"بقدر"}),
    "more": frozenset({"اكثر"}),
    "than this": _THAN_THIS,
    "distance": _DISTANCE,
    "what": frozenset({"ما"}),
    "so called": _SO_CALLED,
    "upon": frozenset({"علي"}),
    "extent": frozenset({"حد"}),
    "in his words": _IN_HIS_WORDS,
    "condition": _CONDITIONS,
    "asking": _ASKING,
    "conjoined": _CONJOINED,
}
PAIRS: Mapping[str, frozenset[tuple[str, str]]] = {
    "no negation": _NO_NEGATION,
    "however": _HOWEVER,
    "no longer": _NO_LONGER,
}


def scopes(text: Normalised, tokens: Sequence[Token]) -> list[frozenset[str]]:
    """The scopes that each token stands in, in the order of ``tokens``.

    A mark stands outside the scope that it opens. Names are those of :data:`SCOPES`.

    >>> from stance.text import normalise
    >>> text = normalise("ليست صفقة عابرة بل محور دائم")
    >>> [" ".join(sorted(s)) for s in scopes(text, text.tokens())]
    ['', 'negated rejected', 'negated rejected', '', 'affirmed', 'affirmed']
    """
    found: list[set[str]] = [set() for _ in tokens]
    words = [_bare(t.text) for t in tokens]
    for start, end in _spans(text.text, tokens, _SENTENCE_BREAK):
        clauses = [(start + a, start + b) for a, b in clause_spans(text, tokens[start:end])]
        _negation_and_contrast(words, clauses, found)
        _distance(words, clauses, found)
        _conditions(words, clauses, found)
        after = text.text[tokens[end - 1].end :][:3]
        if "?" in after.split(" ")[0] or words[start] in _ASKING:
            for i in range(start, end):
                found[i].add("question")
    _quotation(text.text, tokens, found)
    return [frozenset(s) for s in found]


def clause_spans(text: Normalised, tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Spans of ``tokens`` between punctuation marks, in order."""
    return list(_spans(text.text, tokens, _CLAUSE_BREAK))


def _bare(word: str) -> str:
    """The word without a conjunction before one of the marks."""
    rest = _CONJUNCTION.sub("", word)
    return rest if rest in _CONJOINED else word


def _spans(text: str, tokens: Sequence[Token], mark: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Token spans between the marks of punctuation."""
    ends = [i + 1 for i, (a, b) in enumerate(pairwise(tokens)) if mark.search(text, a.end, b.start)]
    return ((a, b) for a, b in pairwise([0, *ends, len(tokens)]) if a < b)


def _negation_and_contrast(
    words: Sequence[str], clauses: Sequence[tuple[int, int]], found: Sequence[set[str]]
) -> None:
    open_contrast = False  # an earlier clause rejected something: بل may still answer it
    affirming = False  # after لكن the rest of the sentence is what the writer stands by
    for start, end in clauses:
        scope: set[str] = {"affirmed"} if affirming else set()
        surpassed = False
        conceding = False
        reach = 0
        for i in range(start, end):
            word, two = words[i], tuple(words[i : i + 2])
            if reach and not (reach := reach - 1):
                scope = scope - {"negated"}
            if word not in _CORRECTIVES:
                found[i] |= scope
            if word in _CORRECTIVES and (open_contrast or "rejected" in scope):
                scope, open_contrast, affirming, reach = {"affirmed"}, False, True, 0
            elif word in _ADVERSATIVES or two in _HOWEVER:
                scope, affirming, reach = {"affirmed"}, True, 0
            elif two in _NO_LONGER or (word in _NEGATORS and two not in _NO_NEGATION):
                scope, open_contrast, reach = {"negated", "rejected"}, True, 0
            elif word in _BEFORE_NOUN and two not in _NO_NEGATION:
                scope, reach = scope | {"negated"}, REACH_BEFORE_NOUN + 1
            elif word in _SURPASSING or (word == "ابعد" and words[i + 1 : i + 2] == ["من"]):
                scope, open_contrast, surpassed, reach = {"rejected"}, True, True, 0
            elif surpassed and word == "الي":
                scope, open_contrast, surpassed = {"affirmed"}, False, False
            elif word == "وان" and scope & {"negated", "rejected"}:
                scope, open_contrast, reach = set(), False, 0
            elif word in _CONCESSIVES:
                scope, conceding, reach = {"rejected"}, True, 0
            elif word == "بقدر" and "rejected" in scope:
                scope = {"affirmed"}
            elif (
                word == "اكثر"
                and i > start
                and words[i + 1 : i + 2]
                and (words[i + 1] in _THAN_THIS and "rejected" not in scope)
            ):
                for j in range(start, i):
                    found[j].add("affirmed")
                scope = {"rejected"}
        if conceding:
            affirming = True


def _distance(
    words: Sequence[str], clauses: Sequence[tuple[int, int]], found: Sequence[set[str]]
) -> None:
    for start, end in clauses:
        for i in range(start, end):
            called = words[i] == "ما" and words[i + 1 : i + 2] and words[i + 1] in _SO_CALLED
            if words[i] in _DISTANCE or called:
                for j in range(i + 1, end):
                    found[j].add("distanced")
            if words[i : i + 2] == ["علي", "حد"] and set(words[i + 2 : i + 3]) & _IN_HIS_WORDS:
                for j in range(clauses[0][0], i):
                    found[j].add("distanced")


def _conditions(
    words: Sequence[str], clauses: Sequence[tuple[int, int]], found: Sequence[set[str]]
) -> None:
    for start, end in clauses:
        opened = next((i for i in range(start, end) if words[i] in _CONDITIONS), None)
        if opened is not None:
            for i in range(opened + 1, end):
                found[i].add("conditional")


def _quotation(text: str, tokens: Sequence[Token], found: Sequence[set[str]]) -> None:
    for quote in _QUOTED.finditer(text):
        inside = [
            i for i, t in enumerate(tokens) if quote.start() <= t.start and t.end <= quote.end()
        ]
        for i in inside:
            found[i].add("quoted" if len(inside) > SCARE_WORDS else "scare")
