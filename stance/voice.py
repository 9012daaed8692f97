"""Whose position a passage gives: the speaker that Arabic reporting names, or its author.

A passage offers candidates: each word at which the name of a holder may begin, the holder of
before, and the author. Each has features (the classes of the words around it, where it stands,
what the article has told so far), and a linear model adds up their weights; the best one holds
the passage. A second one tells where the name ends. Both are in ``voice.json``, made by
``experiments/train_voice.py``. Matching is done on normalised text, names are given as written.
"""

import functools
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any, NamedTuple

from stance.text import Token, normalise


@dataclass(frozen=True)
class Holder:
    """Who holds a position, and how that was told.

    ``name`` is as written in the passage or, where it writes none, in the earlier one that it
    continues, and empty for the author; ``full`` is the fullest form of it in the article.
    ``role`` is what the article calls a named person. ``kind``: "person", "body", "country",
    "unnamed" (a source or role without a name) or "author". ``found``: "named", "continued" (the
    speaker of before), "quoted" (a verbatim answer or quotation) or "author".
    """

    name: str
    full: str
    role: str
    kind: str
    found: str


AUTHOR = Holder("", "", "", "author", "author")


def holders(passages: Sequence[str]) -> list[Holder]:
    """The holder of each of an article's consecutive passages.

    >>> for holder in holders(["وقال الباحث السياسي سالم الهاشم إن الاتفاق مؤقت ولن يدوم.",
    ...                        "وأضاف الهاشم أن الحرب ستنتهي قريبا.",
    ...                        "بدأت الأشغال في الجسر يوم الاثنين."]):
    ...     print(holder.name, holder.full, holder.role, holder.kind, holder.found, sep="|")
    سالم الهاشم|سالم الهاشم|الباحث السياسي|person|named
    الهاشم|سالم الهاشم|الباحث السياسي|person|named
    |||author|author
    """
    article = _Article([_Passage(p) for p in passages])
    past = _Past()
    found = []
    for i in range(len(passages)):
        found.append(_holder(article, i, past))
        past.learn(article.passages[i], found[-1])
    return _completed(article, found)


# --- words (normalised: one alef, ya for alef maksura, ha for ta marbuta) -------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _data(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(resources.files("stance").joinpath(name).read_text("utf-8"))
    return read


# Lists of words, each a few lines of text. Of a regular verb: the stem of the past, of the present,
# and the participle that reports ("موكدا"); nouns stand with the article and other clitics, in the
# feminine, dual or plural; plain words as they are, or behind a conjunction.
_LISTS = _data("voice-words.json")
_VERBS = {name: " ".join(lines) for name, lines in _LISTS["verbs"].items()}
_IRREGULAR = {name: " ".join(lines) for name, lines in _LISTS["irregular"].items()}
_NOT_VERBS = _words(" ".join(_LISTS["no verbs"]))
_NOUNS = {name: _words(" ".join(lines)) for name, lines in _LISTS["nouns"].items()}
_PLAIN = {name: _words(" ".join(lines)) for name, lines in _LISTS["plain"].items()}


def _forms(table: str, participles: bool) -> Iterator[str]:
    """The finite forms of a table's verbs, or their participles in the accusative.

    >>> sorted(_forms("قال/قول/قايل", participles=False))[:5]
    ['تقول', 'تقولان', 'تقولون', 'قال', 'قالت']
    """
    for verb in table.split():
        past, present, participle = verb.split("/")
        if not participles:
            yield from (past + end for end in ("", "ت", "وا"))
        if not participles and present != "-":
            yield from (start + present + end for start in "يت" for end in ("", "ون", "ان"))
        if participles and participle != "-":
            yield from (participle + end for end in ("ا", "ه", "ين"))


_FINITE = {
    name: (frozenset(_forms(table, False)) | _words(_IRREGULAR.get(name, ""))) - _NOT_VERBS
    for name, table in _VERBS.items()
}
_PARTICIPLES = frozenset(_forms(" ".join(_VERBS.values()), True)) - _NOT_VERBS
_COMPLEMENT = re.compile(r"[وبلكف]?(?:ان(?:ه|ها|هم|هما|ني|نا|هن)?|الا|انما)")
_OBJECT = re.compile(r"(.{3,}?)(?:ه|ها|هم|هما|نا|ني)")
_SHAPES = {
    name: re.compile(pattern)
    for name, pattern in {
        "the": r"(?:[وفبك]?ال|[وف]?لل).*",
        "nisba": r".{2,}(?:ي|يه|يين|يون|يان)",
        "pronoun": r".{2,}(?:ها|هم|هما|ته|نا)",
        "feminine": r".*(?<!ت)ه",
        "and": r"[وف].*",
        "by": r"ب.*",
        "to": r"ل.*",
        "present": r"[يت].{3,}",
        "accusative": r".*ا",
        "past she": r".*ت",
        "plural": r".*(?:ين|ون)",
        "number": r"\d+",
        "speaks": r"[وف]?.{4,}(?:نا|ني)",
        "listener": (
            r"ل(?:موقع|وسايل|مراسل|صحيف|وكال|قنا|شبك|برنامج|اذاع).*|لل(?:صح|موقع|وكال|قنا|شبك).*"
        ),
    }.items()
}
_TOKEN = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[^\w\s]")
_ENDS = frozenset(".!?…")
_BULLETS = frozenset("■□•*-–—ـ")
_SELF = _words("ذاته ذاتها نفسه نفسها")
_SPEECH = frozenset(_VERBS)
_SOURCES = frozenset({"role", "body", "country"})
_EDGE = frozenset({"edge"})


def _is(word: str, forms: frozenset[str]) -> bool:
    """Whether a word, or what follows its conjunction or future particle, is one of the forms."""
    starts = ("", "و", "ف", "س", "وس", "فس")
    return any(word.startswith(s) and word[len(s) :] in forms for s in starts)


def _noun(word: str, nouns: frozenset[str]) -> bool:
    """Whether a word is one of the nouns: with clitics, feminine, dual or plural.

    >>> roles = frozenset({"باحث", "سفير"})
    >>> _noun("للباحثين", roles), _noun("بالسفيره", roles), _noun("جسر", roles)
    (True, True, False)
    """
    bare = {word, re.sub(r"^[وفبك]?ال|^[وف]?لل", "", word)}
    bare |= {word[1:]} if word[:1] in {"ب", "ل", "و", "ف"} else set()
    ends = ("", "ه", "ون", "ين", "ان", "ا", "ات", "تان", "يون", "يين")
    return any(w.endswith(e) and w[: len(w) - len(e)] in nouns for w in bare for e in ends)


@functools.cache
def _classes(word: str) -> frozenset[str]:
    """The classes of a normalised word, by its form alone; a mark is a class of its own.

    >>> sorted(_classes("السفيره"))
    ['feminine', 'role', 'the', 'title']
    """
    if not word[0].isalnum():
        return frozenset({word})
    found = {name for name, forms in _FINITE.items() if _is(word, forms)}
    found |= {name for name, nouns in _NOUNS.items() if _noun(word, nouns)}
    found |= {name for name, forms in _PLAIN.items() if _is(word, forms)}
    found |= {name for name, shape in _SHAPES.items() if shape.fullmatch(word)}
    if _is(word, _PARTICIPLES):
        found.add("reporting")
    if _COMPLEMENT.fullmatch(word):
        found.add("that")
    obj = _OBJECT.fullmatch(word)
    if obj and not found & _SPEECH and any(_is(obj[1], f) for f in _FINITE.values()):
        found.add("acts on")
    if word in {"في", "من", "علي", "الي", "عن"}:
        found.add(word)
    return frozenset(found or {"other"})


# --- passages and articles ------------------------------------------------------------------------


class _Passage:
    """A passage's words with their classes and sentences, and the way back to it as written."""

    def __init__(self, written: str) -> None:
        self.written = written
        self.normal = normalise(written)
        found = _TOKEN.finditer(self.normal.text)
        self.tokens = [Token(m.group(), m.start(), m.end()) for m in found]
        self.words = [t.text for t in self.tokens]
        self.classes = [self._classes(i) for i in range(len(self.words))]
        self.sentence: list[int] = []  # of each word, the position where its sentence begins
        self.quoted: list[bool] = []
        start, inside = 0, False
        for i, token in enumerate(self.tokens):
            inside ^= token.text == '"'
            self.sentence.append(start)
            self.quoted.append(inside)
            after = self.normal.text[token.end : token.end + 1]
            if token.text in _ENDS and after in {"", " ", '"'}:
                start = i + 1
        self.verbs = [i for i, c in enumerate(self.classes) if c & _SPEECH]
        self.bullet = written.lstrip()[:1] in _BULLETS  # the normalised text keeps few of them
        self.nouns = [i for i, c in enumerate(self.classes) if c & _SOURCES]

    def _classes(self, i: int) -> frozenset[str]:
        found, written = _classes(self.words[i]), self.original(i, i + 1)
        if "the" in found and written[0] in "أإآ":  # "Alexander" only seems to have the article
            found = found - {"the"} | {"other"}
        return found | {"accusative"} if "\u064b" in written else found

    def original(self, start: int, end: int) -> str:
        """The words ``start`` to ``end`` as written."""
        a, b = self.normal.original(self.tokens[start].start, self.tokens[end - 1].end)
        return self.written[a:b]

    def at(self, i: int) -> frozenset[str]:
        """The classes of the word at a position; outside the passage, "edge"."""
        return self.classes[i] if 0 <= i < len(self.classes) else _EDGE

    def first(self, wanted: frozenset[str], positions: Sequence[int]) -> int | None:
        """The first of the positions whose word is of a wanted class."""
        return next((i for i in positions if self.at(i) & wanted), None)

    def starts(self) -> Iterator[int]:
        """Where the name of a holder may begin."""
        nominal = frozenset({"role", "body", "country"})
        verbal = nominal | {"doubtful", "given", "acts", "document"}
        for i, (word, classes) in enumerate(zip(self.words, self.classes, strict=True)):
            if not word[0].isalnum() or len(word) < 2 or classes & {"number", "that"}:
                continue
            if word == "لي" and "role" in self.at(i + 1):  # "told me an official"
                continue
            if classes & {"preposition"} and not classes & nominal:
                continue
            if not classes & _SPEECH or classes & verbal:
                yield i


class _Article:
    """All passages of an article, and in how many of them each word stands."""

    def __init__(self, passages: Sequence[_Passage]) -> None:
        self.passages = passages
        self.spread = Counter(word for p in passages for word in set(p.words))


@dataclass
class _Past:
    """What the earlier passages told: who held the last one that somebody held, and all names."""

    last: Holder = AUTHOR
    gap: int = 9  # passages since then
    run: int = 0  # how many he has held in a row
    words: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    begun: bool = False

    def learn(self, p: _Passage, holder: Holder) -> None:
        """Take in the holder of the next passage; before the first, whom the author introduces."""
        self.begun = True
        self.gap += 1
        if not holder.name:
            self.run = 0
            holder = _introduced(p) if self.last.found in {"author", "introduced"} else AUTHOR
        elif holder.name == self.last.name:
            self.run += 1
        else:
            self.run = 1
        if holder.name:
            words = {*_bare(holder.name)}
            if holder.kind == self.last.kind == "person" and not holder.role and words & self.words:
                holder = replace(holder, role=self.last.role)
            self.last, self.words, self.gap = holder, words, 1
            self.known |= words


def _introduced(p: _Passage) -> Holder:
    """The last person in a passage with title and given name, as an interview has its guest."""
    for i in range(len(p.words) - 2, 0, -1):
        title = _title(p, i)
        if "given" in p.at(i) and title is not None and "role" in p.at(title):
            name = p.original(i, i + 2)
            return Holder(name, name, p.original(title, i), "person", "introduced")
    return AUTHOR


# --- features -------------------------------------------------------------------------------------


def _within(n: int, edges: Sequence[int]) -> str:
    """The step of a scale that a number falls on.

    >>> _within(3, (1, 2, 4)), _within(9, (1, 2, 4))
    ('4', 'more')
    """
    return next((str(e) for e in edges if n <= e), "more")


def _sort(p: _Passage, i: int) -> str:
    """What a name that begins at a word would be the name of."""
    classes = p.at(i)
    for sort in ("quantity", "role", "body", "country", "given", "document"):
        if sort in classes:
            return sort
    return "thing" if "the" in classes else "name"


def _start_features(article: _Article, n: int, i: int, past: _Past) -> Iterator[str]:
    """What speaks for and against a name of the holder that begins at a word."""
    p = article.passages[n]
    begin, size, sort = p.sentence[i], len(p.words), _sort(p, i)
    for offset in range(-3, 4):
        for name in p.at(i + offset):
            yield f"{offset}:{name}"
    yield f"sort:{sort}:{'the' if 'the' in p.at(i) else ''}"
    yield f"word:{p.words[i]}"
    if i:
        yield f"after:{p.words[i - 1]}"
    breaks = frozenset({".", "?", "!", ":", "that"})
    # The verb before it, and the title.
    stop = p.first(breaks, range(i - 1, max(-1, i - 16), -1))
    verb = p.first(_SPEECH, range(i - 1, max(-1, i - 16, -1 if stop is None else stop), -1))
    if verb is None:
        yield "verb:none"
    else:
        kinds = "/".join(sorted(p.at(verb) & _SPEECH))
        yield f"verb is:{p.words[verb].lstrip('وف')}"
        between = range(verb + 1, i)
        comma = "," in p.words[verb + 1 : i]
        yield f"verb:{_within(i - verb, (1, 2, 4, 7, 10))}:{'comma' if comma else ''}"
        yield f"verb:{kinds}"
        yield f"verb:nouns:{min(2, sum(bool(p.at(k) & _SOURCES) for k in between))}"
        yield f"{sort}&verb:{_within(i - verb, (1, 3))}:{kinds}"
        noun = p.first(_SOURCES, range(verb + 1, i))
        place = "first" if noun is None else "title" if noun == _title(p, i) else "later"
        yield f"subject:{place}"
        yield f"{sort}&subject:{place}:{_within(i - verb, (1, 3, 6))}"
        if all(p.at(k) & {"the", "role", "described", "title", "preposition"} for k in between):
            yield "verb:title between"
    title = _title(p, i)
    if title is None:
        yield "title:none"
    else:
        the = "the" if "the" in p.at(title) else ""
        role = "role" if "role" in p.at(title) else ""
        yield f"title:{_within(i - title, (1, 2, 3, 5, 8))}:{the}:{role}"
        yield f"{sort}&title:{_within(i - title, (1, 3))}"
        if "the" in p.at(title + 1):
            yield "title:the next"
        adjectives = {"the", "role", "title", "described", "preposition", "nisba"}
        if all(p.at(k) & adjectives for k in range(title + 1, i)):
            yield "title:whole"
    according = p.first(frozenset({"according"}), range(i - 1, max(-1, i - 12), -1))
    if according is not None and "," not in p.words[according:i]:
        yield "according"
        yield f"{sort}&according:{_within(i - according, (1, 3, 6))}"
    # What follows: a complement, or the verb.
    that = p.first(frozenset({"that", ":"}), range(i + 1, min(size, i + 14)))
    later = p.first(_SPEECH, range(i + 1, min(size, i + 16)))
    yield f"that:{'none' if that is None else _within(that - i, (1, 2, 3, 4, 6, 9))}"
    yield f"{sort}&that:{'none' if that is None else _within(that - i, (1, 2, 4, 9))}"
    yield f"later:{'none' if later is None else _within(later - i, (1, 2, 3, 4, 6, 9))}"
    topic = all(p.at(k) & {"opener", "and", ",", "preposition"} for k in range(begin, i))
    if topic and later is not None:
        yield f"topic:{sort}:{_within(later - i, (2, 5, 9))}"
    other = next((k for k in p.verbs if k > i + 1 and _subject(p, k) == "source"), size)
    yield f"until another:{(other - begin) / size:.1f}"
    colon = p.first(frozenset({":"}), range(i + 1, min(size, i + 12)))
    if begin == 0 and i <= 14 and colon and not any(k < colon for k in p.verbs):
        yield "label"
    # Where it stands.
    share = f"{(size - begin) / size:.1f}"
    yield f"share:{share}"
    yield f"{sort}&share:{share}"
    yield f"sentence:{_within(len(set(p.sentence[: i + 1])), (1, 2, 3))}"
    yield f"in sentence:{_within(i - begin, (0, 1, 2, 3, 5, 8, 12, 20))}"
    yield f"{sort}&in sentence:{_within(i - begin, (0, 1, 3))}"
    if not past.begun and len(article.passages) > 1:
        yield "lead"
        yield f"lead&share:{share}"
    yield f"verbs before:{min(3, sum(k < begin for k in p.verbs))}"
    yield f"nouns before:{_within(sum(k < i for k in p.nouns), (0, 1, 2, 4))}"
    yield f"nouns in sentence:{_within(sum(begin <= k < i for k in p.nouns), (0, 1, 2))}"
    yield f"quoted:{p.quoted[i]}"
    yield f"{sort}&quotes:{sum(p.quoted) > 0.3 * size}"
    # What is known of the word.
    word = p.words[i]
    if word in past.words:
        yield "of the last"
    elif word in past.known:
        yield "known"
    if p.words.count(word) > 1:
        yield "again"
    yield f"spread:{_within(article.spread[word], (1, 2, 4))}"
    after = sum(word in q.words for q in article.passages[n + 1 :])
    yield f"recurs:{_within(after, (0, 1, 3))}"


def _title(p: _Passage, i: int) -> int | None:
    """Where the title or body begins, at most eleven words before, that a name may belong to."""
    found = None
    for k in range(i - 1, max(-1, i - 12), -1):
        classes = p.at(k)
        if k == i - 1 and "," in classes:
            continue
        verbal = classes & _SPEECH and "role" not in classes
        if verbal or classes & {".", "?", "!", ":", ",", "that"}:
            break
        if classes & _SOURCES:
            found = k
    return found


_COUNTED = (
    *("reports", "judges", "announces", "acts", "acts on", "reporting", "role", "body", "country"),
    *("given", "document", "that", "speaks", "?", "according", "number"),
)
_PARTIES = (re.compile("كوري|بيونغ|بيونج|كيم|الشمال"), re.compile("روس|موسكو|بوتين|كرملين"))
_BOND = re.compile("تحالف|حلف|معاهده|شراكه|محور|تعاون|تقارب|علاق|صفق|اتفاق|جنود|ذخاير|قذايف")


def _passage_features(article: _Article, n: int, past: _Past) -> Iterator[str]:
    """What speaks for and against the author, or the one who spoke before, as the holder."""
    p = article.passages[n]
    size = len(p.words)
    for i in range(4):
        for name in p.at(i):
            yield f"{i}:{name}"
    counts = Counter(name for classes in p.classes for name in classes)
    for name in _COUNTED:
        yield f"count:{name}:{min(3, counts[name])}"
    yield f"quotes:{sum(p.quoted) / max(1, size):.1f}"
    yield f"sentences:{min(4, len(set(p.sentence)))}"
    yield f"length:{_within(size, (20, 35, 50, 70, 100))}"
    # Who gives no position on what the article is about is seldom its holder.
    yield f"parties:{'+'.join(str(bool(party.search(p.normal.text))) for party in _PARTIES)}"
    yield f"bond:{min(3, len(_BOND.findall(p.normal.text)))}"
    told = sum(bool(q.verbs) for q in article.passages) / len(article.passages)
    yield f"article:speech:{told:.1f}"
    yield f"article:length:{_within(len(article.passages), (1, 3, 6))}"
    yield f"gap:{min(3, past.gap)}"
    yield f"run:{min(3, past.run)}"
    yield f"last:{past.last.found}"
    if not past.begun and len(article.passages) > 1:
        yield "lead"
    if p.bullet:
        yield "bullet"
    if past.words & set(p.words):
        yield "names the last"
    if p.words and p.words[0].lstrip("و") in _IMPERSONAL:
        yield "impersonal"
    verb = p.first(_SPEECH, range(4))
    subject = "no verb" if verb is None else _subject(p, verb)
    yield f"subject:{subject}"
    yield f"subject:{subject}&gap:{min(2, past.gap)}"
    subjects = Counter(_subject(p, verb) for verb in p.verbs)
    yield f"without subject:{min(2, subjects['that'] + subjects['preposition'])}"
    yield f"with subject:{min(2, subjects['source'])}"


def _said(p: _Passage) -> Iterator[str]:
    """What a passage speaks of: its words, each once; news reads otherwise than a position."""
    for word in {w.removeprefix("و").removeprefix("ال") for w in p.words}:
        yield f"word:{word}"


def _subject(p: _Passage, verb: int) -> str:
    """What stands where the subject of a verb would."""
    after = p.at(verb + 1)
    if after & _SOURCES:
        return "source"
    if "speaks" in after:
        return "speaks"
    if "that" in after or "preposition" in after:
        return "that" if "that" in after else "preposition"
    return "mark" if after & {",", ":", '"'} else "other"


_IMPERSONAL = _words("يذكر يشار يبدو يلاحظ الجدير جدير معلوم المعلوم معروف")
_NAMED = _words("في من باسم عن لدي بن ابو عبد ال ولد د الي علي و او الشماليه الجنوبيه المتحده يانغ")


def _end_features(article: _Article, n: int, start: int, i: int) -> Iterator[str]:
    """What speaks for and against a name that goes on with a word: a name's inner boundaries."""
    p = article.passages[n]
    sort = _sort(p, start) + ("+the" if "the" in p.at(start) else "")
    word = p.words[i] if i < len(p.words) else ""
    some = any("the" in p.at(k) for k in range(start, i))
    state = f"{'some' if some else 'none'}:{'the' if 'the' in p.at(i - 1) else ''}"
    joints = [k for k in range(start + 1, i) if "preposition" in p.at(k)]
    yield "always"
    yield f"sort:{sort}"
    yield f"length:{min(9, i - start)}"
    yield f"{sort}&length:{min(6, i - start)}"
    yield f"the:{state}"
    yield f"joint:{p.words[joints[-1]] if joints else 'none'}"
    yield f"joint:{min(4, i - joints[-1]) if joints else 'none'}"
    for offset in range(-1, 3):
        for name in p.at(i + offset):
            yield f"{offset}:{name}"
            if offset < 2:
                yield f"{sort}&{offset}:{name}"
            if offset == 0:
                yield f"the:{state}&{name}"
                yield f"{sort}&the:{state}&{name}"
    for last in p.at(i - 1):
        for name in p.at(i):
            yield f"{last}>{name}"
    if word in _NAMED:
        yield f"word:{word}"
        yield f"{sort}&word:{word}"
    here, before = p.at(i), p.at(i - 1)
    definite = ":".join(
        "nisba" if {"the", "nisba"} <= c else "the" if "the" in c else "no" for c in (before, here)
    )
    yield f"definite:{definite}"
    yield f"{sort}&definite:{definite}"
    yield f"{sort}&definite:{definite}&{min(3, i - start)}"
    titled = "the" if "the" in p.at(start - 1) else "verb" if p.at(start - 1) & _SPEECH else "none"
    yield f"titled:{titled}&definite:{definite}"
    yield f"titled:{titled}&length:{min(4, i - start)}"
    if sort in {"name", "given"} and word[:1].isalpha():
        yield f"letters:{_within(len(word), (2, 3, 4, 6))}&{_within(len(p.words[i - 1]), (3, 5))}"
        yield f"spread:{_within(article.spread[word], (1, 2, 4))}"


# --- the models -----------------------------------------------------------------------------------


class _Weights(NamedTuple):
    """The weights of the features: of the names' starts, the author, the last one, and of ends."""

    start: Mapping[str, float]
    author: Mapping[str, float]
    last: Mapping[str, float]
    end: Mapping[str, float]


@functools.cache
def _weights() -> _Weights:
    return _Weights(**_data("voice.json"))


def _sum(weights: Mapping[str, float], features: Iterator[str]) -> float:
    return sum(weights.get(name, 0.0) for name in features)


def _limit(p: _Passage, start: int) -> int:
    """Up to where a name that begins at a word may go: no complement, comma or full stop in it."""
    i = start + 1
    while i < len(p.words) and i - start < 13 and "that" not in p.at(i):
        if not p.words[i][0].isalnum() and p.words[i] not in '".-':
            break
        i += 1
    return i


def _end(article: _Article, n: int, start: int) -> int:
    """Where the name that begins at a word most probably ends."""
    p, limit = article.passages[n], _limit(article.passages[n], start)
    best, end, gone = -math.inf, start + 1, 0.0
    for i in range(start + 1, limit + 1):
        on = _sum(_weights().end, _end_features(article, n, start, i)) if i < limit else -30.0
        if gone - math.log1p(math.exp(on)) > best:
            best, end = gone - math.log1p(math.exp(on)), i
        gone -= math.log1p(math.exp(-on))
    while end > start + 1 and not p.words[end - 1][0].isalnum():
        end -= 1
    return end


def _holder(article: _Article, n: int, past: _Past) -> Holder:
    """The holder of a passage, after the ones before it."""
    p, weights = article.passages[n], _weights()
    if not p.words:
        return AUTHOR
    colon = p.words.index(":") if ":" in p.words[:8] else 0
    if colon and past.known >= {*p.words[:colon]}:  # a transcript names its speakers again
        return _named(article, n, 0)
    if p.bullet and "?" in p.words and past.last.name and past.gap == 1:
        return _continued(article, n, past)  # the next answer of an interview
    whole = list(_passage_features(article, n, past))
    best, chosen = _sum(weights.author, itertools.chain(whole, _said(p))), -1
    if past.last.name and _sum(weights.last, iter(whole)) > best:
        best, chosen = _sum(weights.last, iter(whole)), -2
    for i in p.starts():
        score = _sum(weights.start, _start_features(article, n, i, past))
        if score > best:
            best, chosen = score, i
    if chosen == -1:
        return AUTHOR
    if chosen == -2:
        return _continued(article, n, past)
    return _same(past, _named(article, n, chosen))


def _continued(article: _Article, n: int, past: _Past) -> Holder:
    """The holder of before: as this passage writes the name, where it does behind a verb."""
    p = article.passages[n]
    person = past.last.kind == "person"
    for verb in p.verbs if person else ():
        if p.words[verb + 1 : verb + 2] and p.words[verb + 1] in past.words:
            return _named(article, n, verb + 1)
    answer = p.bullet or "?" in p.words
    return replace(past.last, found="quoted" if answer else "continued")


def _same(past: _Past, holder: Holder) -> Holder:
    """A role with the article ("the researcher") is the person before who was said to have it."""
    words = [w for w in _bare(holder.name) if w not in _SELF]
    role = {w.removeprefix("ال") for w in _bare(past.last.role)}
    if holder.kind != "unnamed" or "the" not in _classes(words[0]) or not past.last.name:
        return holder
    said = role >= {w.removeprefix("ال") for w in words}
    return replace(past.last, found="continued") if said else holder


def _named(article: _Article, n: int, start: int) -> Holder:
    """The holder whose name begins at a word of a passage; a person's, without the title."""
    p, end = article.passages[n], _end(article, n, start)
    if "role" in p.at(start):
        names = (k for k in range(start + 1, end - 1) if "given" in p.at(k))
        joints = {"preposition"}
        start = next((k for k in names if not joints & (p.at(k) | p.at(k - 1))), start)
    name = p.original(start, end)
    sort = _sort(p, start)
    kinds = {"quantity": "unnamed", "role": "unnamed", "document": "body"}
    kind = kinds.get(sort, sort if sort in {"body", "country"} else "person")
    role = _role(p, start, end) if kind == "person" else ""
    label = p.sentence[start] == 0 and ":" in p.words[end : end + 14]
    quoted = label and not any(k < p.words.index(":", end) for k in p.verbs)
    return Holder(name, name, role, kind, "quoted" if quoted else "named")


def _role(p: _Passage, start: int, end: int) -> str:
    """What a person is said to be: before the name, or after its comma or "who is"."""
    title = _title(p, start)
    before = range(start if title is None else title, start)
    first = p.first(frozenset({"role"}), before)
    if first is not None:
        return p.original(first, start).strip(' "،,«»')
    aside = end + 1 if " ".join(p.words[end : end + 1]) in {",", "(", "وهو", "وهي"} else end
    aside += p.words[aside : aside + 1] in (["وهو"], ["وهي"])
    if aside == end or "role" not in p.at(aside):
        return ""
    stop = aside + 1
    while stop < len(p.words) and stop - aside < 14 and not _closes(p, stop):
        stop += 1
    return p.original(aside, stop)


def _closes(p: _Passage, i: int) -> bool:
    """Whether what a person is said to be ends before a word."""
    ends = _SPEECH | {"that"} if p.words[i] == "من" else _SPEECH | {"that", "relative"}
    return not p.words[i][0].isalnum() or bool(p.at(i) & ends)


# --- over the article -----------------------------------------------------------------------------


def _bare(name: str) -> tuple[str, ...]:
    return tuple(t.text for t in normalise(name).tokens())


def _completed(article: _Article, found: Sequence[Holder]) -> list[Holder]:
    """The holders with full names and roles, which may stand in other passages."""
    full = {h.name: _full(article, h, found) for h in set(found) if h.kind == "person"}
    roles: dict[str, str] = {}
    for h in found:
        if h.role:
            roles.setdefault(full[h.name], h.role)
    for name in set(full.values()) - set(roles):
        mentions = _mentions(article, _bare(name))
        roles[name] = next((r for p, a, b in mentions if (r := _role(p, a, b))), "")
    return [
        replace(h, full=full[h.name], role=roles[full[h.name]]) if h.kind == "person" else h
        for h in found
    ]


def _mentions(article: _Article, name: Sequence[str]) -> Iterator[tuple[_Passage, int, int]]:
    """Where a name's normalised words stand in an article."""
    size = len(name)
    for p in article.passages:
        for i in range(len(p.words) - size + 1):
            if tuple(p.words[i : i + size]) == tuple(name):
                yield p, i, i + size


def _full(article: _Article, holder: Holder, found: Sequence[Holder]) -> str:
    """The fullest form of a person's name: another holder's, or with the word before or after."""
    words = _bare(holder.name)
    persons = {h.name for h in found if h.kind == "person"}
    longer = [n for n in persons if {*words} < {*_bare(n)}]
    if not longer and len(words) == 1:
        longer = [
            p.original(a - before, b + after)
            for p, a, b in _mentions(article, words)
            for before, after in [_around(p, a, b)]
            if before or after
        ]
    counts = Counter(longer)
    return max(counts, key=lambda n: (counts[n], len(n)), default=holder.name)


def _around(p: _Passage, start: int, end: int) -> tuple[int, int]:
    """How many words before and after a name's part are parts of it too."""
    given = "given" in p.at(start - 1)
    plain = p.at(start - 1) <= {"other", "accusative", "feminine"} and p.words[start - 1] != "،"
    titled = bool(p.at(start - 2) & {"the", "role", "title", "described"})
    if start and (given or (plain and titled)) and "the" not in p.at(start - 1):
        return 1, 0
    after = 0
    if p.at(start - 1) & {"the", "role", "title", "nisba"}:
        while after < 3 and p.at(end + after) <= {"other", "given", "feminine", "accusative"}:
            after += 1
    return 0, after
