"""Whose position a passage gives: the speaker that Arabic reporting names, or its author.

A passage offers candidates: each word at which the name of a holder may begin, the holder of
before, and the author. Each has features (the classes of the words around it, where it stands,
what the article has told so far), and a linear model adds up their weights; the best one holds
the passage. A second one tells where the name ends. Both are in ``voice.json``, made by
``experiments/train_voice.py``. Matching is done on normalised text, names are given as written.

Features come in groups: a group names its features for the few facts that it is told, and a table
remembers what their weights add up to. Tables of names in place of weights make the same walk over
a passage name its features, to train on.
"""

import bisect
import functools
import itertools
import json
import math
import operator
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from stance.text import normalise


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
    found: list[Holder] = []
    for i in range(len(passages)):
        if i:
            past.learn(article.passages[i - 1], found[-1])
        found.append(_holder(article, i, past))
    return _completed(article, found)


# --- words (normalised: one alef, ya for alef maksura, ha for ta marbuta) -------------------------

_SPEECH = frozenset({"reports", "judges", "announces", "acts"})
_SOURCES = frozenset({"role", "body", "country"})
_MENTIONS = frozenset({"doubtful", "given", "acts", "document"})
_CLITICS = ("", "و", "ف", "س", "وس", "فس")  # conjunctions and the future particle
_ENDINGS = frozenset({"", "ه", "ون", "ين", "ان", "ا", "ات", "تان", "يون", "يين"})
_PRONOUNS = ("ه", "ها", "هم", "هما", "نا", "ني")
_THE = ("ال", "وال", "فال", "بال", "كال", "لل", "ولل", "فلل")
_THAT = frozenset(
    start + word
    for start in ("", "و", "ب", "ل", "ك", "ف")
    for word in ("ان", "انه", "انها", "انهم", "انهما", "انني", "اننا", "انهن", "الا", "انما")
)
_LISTENERS = (
    *("لموقع", "لوسايل", "لمراسل", "لصحيف", "لوكال", "لقنا", "لشبك", "لبرنامج", "لاذاع"),
    *("للصح", "للموقع", "للوكال", "للقنا", "للشبك"),
)


def _data(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(Path(__file__).with_name(name).read_bytes())
    return read


def _words(lines: Iterable[str]) -> set[str]:
    return {*" ".join(lines).split()}


def _forms(table: Iterable[str], participles: bool) -> Iterator[str]:
    """The finite forms of a table's verbs, or their participles in the accusative.

    >>> sorted(_forms(["قال/قول/قايل"], participles=False))[:5]
    ['تقول', 'تقولان', 'تقولون', 'قال', 'قالت']
    """
    for verb in table:
        past, present, participle = verb.split("/")
        if not participles:
            yield from (past + end for end in ("", "ت", "وا"))
        if not participles and present != "-":
            yield from (start + present + end for start in "يت" for end in ("", "ون", "ان"))
        if participles and participle != "-":
            yield from (participle + end for end in ("ا", "ه", "ين"))


@functools.cache
def _lists() -> tuple[Mapping[str, Set[str]], Mapping[str, Set[str]]]:
    """The classes of listed words: of forms as they stand, and of the stems of nouns.

    ``voice-words.json`` has of a regular verb the stem of the past, of the present, and the
    participle that reports ("موكدا"); nouns stand with the article and other clitics, in the
    feminine, dual or plural; plain words as they are, or behind a conjunction.
    """
    lists = _data("voice-words.json")
    no_verbs = _words(lists["no verbs"])
    forms: dict[str, set[str]] = defaultdict(set)
    nouns: dict[str, set[str]] = defaultdict(set)
    for name, lines in lists["verbs"].items():
        verbs, irregular = _words(lines), _words(lists["irregular"].get(name, ()))
        for form in {*_forms(verbs, False), *irregular} - no_verbs:
            forms[form].add(name)
        for form in {*_forms(verbs, True)} - no_verbs:
            forms[form].add("reporting")
    for table, classes in ((lists["plain"], forms), (lists["nouns"], nouns)):
        for name, lines in table.items():
            for word in _words(lines):
                classes[word].add(name)
    return dict(forms), dict(nouns)


def _listed(word: str) -> set[str]:
    """The classes of a word, or of what follows its conjunction or future particle, in the lists.

    >>> sorted(_listed("وسيقول")), sorted(_listed("موكدا")), sorted(_listed("جسر"))
    (['reports'], ['reporting'], [])
    """
    forms, _ = _lists()
    rests = (word[len(clitic) :] for clitic in _CLITICS if word.startswith(clitic))
    return set().union(*(forms[rest] for rest in rests if rest in forms))


def _noun(word: str) -> set[str]:
    """The classes of a noun in the lists: with clitics, feminine, dual or plural.

    >>> sorted(_noun("للباحثين")), sorted(_noun("بالسفيره")), sorted(_noun("جسر"))
    (['role'], ['role', 'title'], [])
    """
    _, nouns = _lists()
    bare = [word, *(word[len(the) :] for the in _THE if word.startswith(the))]
    if word.startswith(("ب", "ل", "و", "ف")):
        bare.append(word[1:])
    stems = (w[: len(w) - n] for w in bare for n in range(4) if w[len(w) - n :] in _ENDINGS)
    return set().union(*(nouns[stem] for stem in stems if stem in nouns))


def _shapes(word: str) -> Iterator[str]:
    """The classes that a word seems to have by its first and last letters."""
    if word.startswith(_THE):
        yield "the"
    if word[2:].endswith(("ي", "يه", "يين", "يون", "يان")):
        yield "nisba"
    if word[2:].endswith(("ها", "هم", "هما", "ته", "نا")):
        yield "pronoun"
    if word.endswith("ه") and not word.endswith("ته"):
        yield "feminine"
    if word.startswith(("و", "ف")):
        yield "and"
    if word.startswith("ب"):
        yield "by"
    if word.startswith("ل"):
        yield "to"
    if word.startswith(("ي", "ت")) and len(word) > 3:
        yield "present"
    if word.endswith("ا"):
        yield "accusative"
    if word.endswith("ت"):
        yield "past she"
    if word.endswith(("ين", "ون")):
        yield "plural"
    if word.isdecimal():
        yield "number"
    if word[4:].endswith(("نا", "ني")):
        yield "speaks"
    if word.startswith(_LISTENERS):
        yield "listener"


def _classes(word: str) -> frozenset[str]:
    """The classes of a normalised word, by its form alone; a mark is a class of its own.

    >>> sorted(_classes("السفيره"))
    ['feminine', 'role', 'the', 'title']
    """
    if not word[0].isalnum():
        return frozenset({word})
    found = {*_listed(word), *_noun(word), *_shapes(word)}
    if word in _THAT:
        found.add("that")
    if not found & _SPEECH and word[3:].endswith(_PRONOUNS):
        verb = next(word.removesuffix(p) for p in _PRONOUNS if word.endswith(p))
        if _listed(verb) & _SPEECH:
            found.add("acts on")
    if word in {"في", "من", "علي", "الي", "عن"}:
        found.add(word)
    return frozenset(found or {"other"})


_COUNTED = (
    *("reports", "judges", "announces", "acts", "acts on", "reporting", "role", "body", "country"),
    *("given", "document", "that", "speaks", "?", "according", "number"),
)
_PARTIES = {
    "Korea": re.compile("كوري|بيونغ|بيونج|كيم|الشمال"),
    "Russia": re.compile("روس|موسكو|بوتين|كرملين"),
}
_BOND = re.compile("تحالف|حلف|معاهده|شراكه|محور|تعاون|تقارب|علاق|صفق|اتفاق|جنود|ذخاير|قذايف")


def _sort(classes: Set[str]) -> str:
    """What a name that begins with a word of these classes would be the name of."""
    for sort in ("quantity", "role", "body", "country", "given", "document"):
        if sort in classes:
            return sort
    return "thing" if "the" in classes else "name"


class _Kind:
    """What the classes of a word are, and what the features ask of them again and again."""

    def __init__(self, classes: frozenset[str]) -> None:
        self.classes = classes
        self.sort = _sort(classes)
        self.counted = tuple(name for name in _COUNTED if name in classes)
        self.speech = "/".join(sorted(classes & _SPEECH))
        self.source = not classes.isdisjoint(_SOURCES)
        self.starts = self._starts()
        self.the = "the" in classes
        self.comma = "," in classes
        self.according = "according" in classes
        self.completes = "that" in classes or ":" in classes
        # What parts a word from the verb, the title or the opening that it may belong to.
        self.breaks = not classes.isdisjoint({".", "?", "!", ":", "that"})
        self.walls = self.breaks or self.comma or bool(self.speech and "role" not in classes)
        self.titled = not classes.isdisjoint({"the", "role", "described", "title", "preposition"})
        self.adjective = self.titled or "nisba" in classes
        self.opens = not classes.isdisjoint({"opener", "and", ",", "preposition"})
        self.plain = not (self.speech or self.source or self.walls or self.according)
        self.joins = "preposition" in classes
        self.definite = self._definite()
        self.titles = "the" if self.the else "verb" if self.speech else "none"
        self.subject = self._subject()

    def _definite(self) -> str:
        """Whether it has the article, and is an adjective."""
        if "the" not in self.classes:
            return "no"
        return "nisba" if "nisba" in self.classes else "the"

    def _subject(self) -> str:
        """What it would be behind a verb, where the subject stands."""
        if self.source:
            return "source"
        kinds = ("speaks", "that", "preposition")
        mark = "mark" if self.classes & {",", ":", '"'} else "other"
        return next((kind for kind in kinds if kind in self.classes), mark)

    def _starts(self) -> bool:
        """Whether the name of a holder may begin with it, where it is more than a letter."""
        classes = self.classes
        if classes & {"number", "that"} or ("preposition" in classes and not self.source):
            return False
        return not self.speech or self.source or bool(classes & _MENTIONS)


class _Word(NamedTuple):
    """What the form of a word tells."""

    kind: _Kind
    stem: str
    matter: tuple[str, ...]  # the parties and bonds that it names


_REMEMBERED = 1 << 15  # words, and sums of features
_kind = functools.lru_cache(_REMEMBERED)(_Kind)
_EDGE = _kind(frozenset({"edge"}))  # what stands around a passage


@functools.lru_cache(_REMEMBERED)
def _word(text: str) -> _Word:
    named = (name for name, party in _PARTIES.items() if party.search(text))
    bonds = ("bond" for _ in _BOND.findall(text))
    stem = text.removeprefix("و").removeprefix("ال")
    return _Word(_kind(_classes(text)), stem, (*named, *bonds))


# --- passages and articles ------------------------------------------------------------------------

_TOKEN = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[^\w\s]")
_ENDS = frozenset(".!?…")
_BULLETS = frozenset("■□•*-–—ـ")
_SELF = frozenset({"ذاته", "ذاتها", "نفسه", "نفسها"})
_FAR = 1 << 30  # a position behind every passage


class _Passage:
    """A passage's words with their classes and sentences, and the way back to it as written."""

    def __init__(self, written: str) -> None:
        self.written = written
        self.normal = normalise(written)
        text = self.normal.text
        self.spans = [m.span() for m in _TOKEN.finditer(text)]
        self.words = [text[a:b] for a, b in self.spans]
        self.size = len(self.words)
        words = list(map(_word, self.words))
        self.kinds = [word.kind for word in words]
        self.stems = {word.stem for word in words}
        self._as_written()
        marked = [(i, kind) for i, kind in enumerate(self.kinds) if not kind.plain]
        self.verbs = [i for i, kind in marked if kind.speech]
        self.nouns = [i for i, kind in marked if kind.source]
        self.walls = [i for i, kind in marked if kind.walls]
        self.thats = [i for i, kind in marked if kind.completes]
        self.starts = self._starts()  # where the name of a holder may begin
        self.sentences = self._sentences()
        self.quoted = self._quoted()  # of each word, whether it stands in quotation marks
        self.quotes = sum(self.quoted)
        self.repeated = {w for w, n in Counter(self.words).items() if n > 1}
        counted = [*(word.matter for word in words), *(kind.counted for kind in self.kinds)]
        self.counts = Counter(itertools.chain.from_iterable(counted))
        self.length = _within(self.size, (20, 35, 50, 70, 100))
        self.bullet = written.lstrip()[:1] in _BULLETS  # the normalised text keeps few of them

    def _as_written(self) -> None:
        """Correct the kinds of words by what only their spelling tells."""
        first, kinds = self.normal.starts, self.kinds
        for i, kind in enumerate(kinds):
            # "Alexander" only seems to have the article.
            if kind.the and self.written[first[self.spans[i][0]]] in "أإآ":
                kinds[i] = _kind(kind.classes - {"the"} | {"other"})
        at = self.written.find("\u064b")
        while at >= 0:
            i = bisect.bisect(self.spans, (bisect.bisect(first, at), 0)) - 1
            if i >= 0 and "\u064b" in self.original(i, i + 1):
                kinds[i] = _kind(kinds[i].classes | {"accusative"})
            at = self.written.find("\u064b", at + 1)

    def _starts(self) -> list[int]:
        words = self.words
        starts = [i for i, kind in enumerate(self.kinds) if kind.starts and len(words[i]) > 1]
        if "لي" in self.words:  # "told me an official"
            starts = [i for i in starts if self.words[i] != "لي" or "role" not in self.at(i + 1)]
        return starts

    def _sentences(self) -> list[tuple[int, int, list[int]]]:
        """Of each sentence, where it begins and ends, and which names may begin in it."""
        ends = [i + 1 for i, word in enumerate(self.words) if word in _ENDS and self._stops(i)]
        if self.words and self.size not in ends:
            ends.append(self.size)
        cuts = [0, *(bisect.bisect_left(self.starts, end) for end in ends)]
        parts = (self.starts[a:b] for a, b in itertools.pairwise(cuts))
        return list(zip([0, *ends], ends, parts, strict=False))

    def _stops(self, i: int) -> bool:
        end = self.spans[i][1]
        return self.normal.text[end : end + 1] in {"", " ", '"'}

    def _quoted(self) -> list[bool]:
        if '"' not in self.words:
            return [False] * self.size
        return list(itertools.accumulate((w == '"' for w in self.words), operator.xor))

    def original(self, start: int, end: int) -> str:
        """The words ``start`` to ``end`` as written."""
        a, b = self.normal.original(self.spans[start][0], self.spans[end - 1][1])
        return self.written[a:b]

    def kind(self, i: int) -> _Kind:
        """The kind of the word at a position, also outside the passage."""
        return self.kinds[i] if 0 <= i < self.size else _EDGE

    def at(self, i: int) -> frozenset[str]:
        """The classes of the word at a position; outside the passage, "edge"."""
        return self.kind(i).classes

    def noun(self, begin: int, end: int) -> int | None:
        """The first role, body or country in a range of positions."""
        k = bisect.bisect_left(self.nouns, begin)
        return self.nouns[k] if k < len(self.nouns) and self.nouns[k] < end else None

    def heading(self, i: int) -> tuple[bool, bool, bool]:
        """Of a title, whether it has the article and is a role, and whether its next word has."""
        classes = self.kinds[i].classes
        return "the" in classes, "role" in classes, "the" in self.at(i + 1)

    def first(self, wanted: frozenset[str], positions: Sequence[int]) -> int | None:
        """The first of the positions whose word is of a wanted class."""
        return next((i for i in positions if self.at(i) & wanted), None)


class _Article:
    """All passages of an article, and in which of them each word stands."""

    def __init__(self, passages: Sequence[_Passage]) -> None:
        self.passages = passages
        spoken = sum(bool(p.verbs) for p in passages)
        self.speech = f"{spoken / max(1, len(passages)):.1f}"  # the share of them with a verb
        self.length = _within(len(passages), (1, 3, 6))
        self.where: dict[str, list[int]] = {}
        if len(passages) > 1:
            for n, p in enumerate(passages):
                for word in {*p.words}:
                    self.where.setdefault(word, []).append(n)

    def spread(self, word: str) -> int:
        """In how many passages one of the article's words stands."""
        return len(self.where.get(word, "1"))


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
        title = _title(p, i) if "given" in p.at(i) else None
        if title is not None and "role" in p.at(title):
            name = p.original(i, i + 2)
            return Holder(name, name, p.original(title, i), "person", "introduced")
    return AUTHOR


def _title(p: _Passage, i: int) -> int | None:
    """Where the title or body begins, at most eleven words before, that a name may belong to."""
    end = i - 1 if i and p.words[i - 1] == "," else i
    k = bisect.bisect_left(p.walls, end)
    wall = p.walls[k - 1] if k else -1
    return p.noun(max(wall + 1, i - 11), i)


# --- features: what each group is told, and the names of the features that this makes -------------


def _within(n: int, edges: Sequence[int]) -> str:
    """The step of a scale that a number falls on.

    >>> _within(3, (1, 2, 4)), _within(9, (1, 2, 4))
    ('4', 'more')
    """
    return next((str(e) for e in edges if n <= e), "more")


def _near(offset: int, classes: frozenset[str]) -> Iterator[str]:
    """A word that stands so many words behind the first one of a name."""
    yield from (f"{offset}:{name}" for name in classes)


def _first(sort: str, the: bool) -> Iterator[str]:
    """What a name would be the name of."""
    yield f"sort:{sort}:{'the' if the else ''}"


def _first_word(word: str) -> Iterator[str]:
    yield f"word:{word}"


def _after(word: str) -> Iterator[str]:
    """The word before a name."""
    yield f"after:{word}"


def _verb_before(
    kinds: str, comma: bool, nouns: int, sort: str, distance: int, place: str, titles: bool
) -> Iterator[str]:
    """The verb before a name, and what stands between them."""
    yield f"verb:{_within(distance, (1, 2, 4, 7, 10))}:{'comma' if comma else ''}"
    yield f"verb:{kinds}"
    yield f"verb:nouns:{nouns}"
    yield f"{sort}&verb:{_within(distance, (1, 3))}:{kinds}"
    yield f"subject:{place}"
    yield f"{sort}&subject:{place}:{_within(distance, (1, 3, 6))}"
    if titles:
        yield "verb:title between"


def _title_before(
    the: bool, role: bool, next_the: bool, sort: str, distance: int, whole: bool
) -> Iterator[str]:
    """The title or body that a name may belong to."""
    step = _within(distance, (1, 2, 3, 5, 8))
    yield f"title:{step}:{'the' if the else ''}:{'role' if role else ''}"
    yield f"{sort}&title:{_within(distance, (1, 3))}"
    if next_the:
        yield "title:the next"
    if whole:
        yield "title:whole"


def _according(sort: str, distance: int) -> Iterator[str]:
    yield "according"
    yield f"{sort}&according:{_within(distance, (1, 3, 6))}"


def _that_ahead(sort: str, distance: int) -> Iterator[str]:
    """How far ahead a complement stands; 0: nowhere near."""
    yield f"that:{_within(distance, (1, 2, 3, 4, 6, 9)) if distance else 'none'}"
    yield f"{sort}&that:{_within(distance, (1, 2, 4, 9)) if distance else 'none'}"


def _verb_ahead(sort: str, distance: int, topic: bool) -> Iterator[str]:
    """How far ahead a verb stands (0: nowhere near), which the name may precede as its topic."""
    yield f"later:{_within(distance, (1, 2, 3, 4, 6, 9)) if distance else 'none'}"
    if topic and distance:
        yield f"topic:{sort}:{_within(distance, (2, 5, 9))}"


def _sentence(
    share: str, number: int, verbs: int, lead: bool, quotes: bool, sort: str
) -> Iterator[str]:
    """The sentence: how much of the passage it begins, which it is, how many verbs are before."""
    yield f"share:{share}"
    yield f"{sort}&share:{share}"
    yield f"sentence:{_within(number, (1, 2, 3))}"
    if lead:
        yield "lead"
        yield f"lead&share:{share}"
    yield f"verbs before:{verbs}"
    yield f"{sort}&quotes:{quotes}"


def _inside(sort: str, distance: int) -> Iterator[str]:
    """How many words into its sentence a name begins."""
    yield f"in sentence:{_within(distance, (0, 1, 2, 3, 5, 8, 12, 20))}"
    yield f"{sort}&in sentence:{_within(distance, (0, 1, 3))}"


def _nouns_before(passage: int, sentence: int, quoted: bool) -> Iterator[str]:
    """How many roles, bodies and countries stand before a name."""
    yield f"nouns before:{_within(passage, (0, 1, 2, 4))}"
    yield f"nouns in sentence:{_within(sentence, (0, 1, 2))}"
    yield f"quoted:{quoted}"


def _known(known: str, again: bool, spread: int, recurs: int) -> Iterator[str]:
    """Where else the word stands: in earlier names, the passage, the article, later passages."""
    if known:
        yield known
    if again:
        yield "again"
    yield f"spread:{_within(spread, (1, 2, 4))}"
    yield f"recurs:{_within(recurs, (0, 1, 3))}"


def _verb_is(word: str) -> Iterator[str]:
    yield f"verb is:{word}"


def _until_another(share: str) -> Iterator[str]:
    """How much of the passage comes before a verb with another subject."""
    yield f"until another:{share}"


def _single(name: str) -> Iterator[str]:
    """A feature that is its own name."""
    yield name


# Of a passage, for the author or the one who spoke before.

_IMPERSONAL = _words(["يذكر يشار يبدو يلاحظ الجدير جدير معلوم المعلوم معروف"])


def _opening(offset: int, classes: frozenset[str]) -> Iterator[str]:
    """One of a passage's first words."""
    yield from (f"{offset}:{name}" for name in classes)


def _count(name: str, n: int) -> Iterator[str]:
    yield f"count:{name}:{n}"


def _shape(
    quotes: str, sentences: int, words: str, bullet: bool, impersonal: bool
) -> Iterator[str]:
    """The passage's form."""
    yield f"quotes:{quotes}"
    yield f"sentences:{sentences}"
    yield f"length:{words}"
    if bullet:
        yield "bullet"
    if impersonal:
        yield "impersonal"


def _matter(parties: tuple[bool, ...], bonds: int) -> Iterator[str]:
    """Who gives no position on what the article is about is seldom its holder."""
    yield f"parties:{'+'.join(map(str, parties))}"
    yield f"bond:{bonds}"


def _course(
    speech: str, passages: str, gap: int, run: int, last: str, lead: bool, named: bool
) -> Iterator[str]:
    """The article, and who spoke before in it."""
    yield f"article:speech:{speech}"
    yield f"article:length:{passages}"
    yield f"gap:{gap}"
    yield f"run:{run}"
    yield f"last:{last}"
    if lead:
        yield "lead"
    if named:
        yield "names the last"


def _subjects(first: str, gap: int, without: int, with_: int) -> Iterator[str]:
    """What stands behind the verbs."""
    yield f"subject:{first}"
    yield f"subject:{first}&gap:{gap}"
    yield f"without subject:{without}"
    yield f"with subject:{with_}"


def _stem(stem: str) -> Iterator[str]:
    """What a passage speaks of; news reads otherwise than a position."""
    yield f"word:{stem}"


# Of a word with which a name may go on: a name's inner boundaries.

_NAMED = _words(
    ["في من باسم عن لدي بن ابو عبد ال ولد د الي علي و او", "الشماليه الجنوبيه المتحده يانغ"]
)


def _end_length(sort: str, length: int) -> Iterator[str]:
    yield "always"
    yield f"sort:{sort}"
    yield f"length:{min(9, length)}"
    yield f"{sort}&length:{min(6, length)}"


def _end_inner(some: str, last: bool, joint: str, distance: int) -> Iterator[str]:
    """Articles in the name so far, and its last preposition."""
    yield f"the:{some}:{'the' if last else ''}"
    yield f"joint:{joint or 'none'}"
    yield f"joint:{distance or 'none'}"


def _end_near(sort: str, offset: int, classes: frozenset[str]) -> Iterator[str]:
    for name in classes:
        yield f"{offset}:{name}"
        if offset < 2:
            yield f"{sort}&{offset}:{name}"


def _end_on(
    sort: str, some: str, last: bool, before: frozenset[str], classes: frozenset[str]
) -> Iterator[str]:
    """The word, behind the articles so far and the last word."""
    the = f"the:{some}:{'the' if last else ''}"
    for name in classes:
        yield f"{the}&{name}"
        yield f"{sort}&{the}&{name}"
        yield from (f"{earlier}>{name}" for earlier in before)


def _end_word(sort: str, word: str) -> Iterator[str]:
    yield f"word:{word}"
    yield f"{sort}&word:{word}"


def _end_definite(sort: str, before: str, here: str, titled: str, length: int) -> Iterator[str]:
    """Whether words agree in the article, as a noun and its adjective do."""
    definite = f"{before}:{here}"
    yield f"definite:{definite}"
    yield f"{sort}&definite:{definite}"
    yield f"{sort}&definite:{definite}&{min(3, length)}"
    yield f"titled:{titled}&definite:{definite}"
    yield f"titled:{titled}&length:{min(4, length)}"


def _end_letters(letters: int, before: int, spread: int) -> Iterator[str]:
    yield f"letters:{_within(letters, (2, 3, 4, 6))}&{_within(before, (3, 5))}"
    yield f"spread:{_within(spread, (1, 2, 4))}"


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


class _Table(dict[Any, Any]):
    """What a group's features add up to for what it is told, worked out when first asked for."""

    def __init__(self, group: Callable[..., Any], total: Callable[[Any], Any]) -> None:
        super().__init__()
        self.group = group
        self.total = total

    def __missing__(self, told: tuple[Any, ...]) -> Any:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[told] = found = self.total(self.group(*told))
        return found


class _Tables:
    """Tables of groups by name, under one way to add up features: their weights, or their names.

    A group that is ``split`` has a table for what many words share, which leads to one for the
    rest.
    """

    def __init__(self, total: Callable[[Iterable[str]], Any]) -> None:
        self.total = total
        self.zero = total(())

    def table(self, group: Callable[..., Iterator[str]]) -> _Table:
        """A table of a group."""
        return _Table(group, self.total)

    def split(self, group: Callable[..., Iterator[str]]) -> _Table:
        """A table that leads from what many words share to a table for the rest."""
        return _Table(functools.partial(functools.partial, group), self.table)


class _Starts(_Tables):
    """The groups of a word at which a name may begin."""

    def __init__(self, total: Callable[[Iterable[str]], Any]) -> None:
        super().__init__(total)
        self.of_kind = functools.lru_cache(_REMEMBERED)(self._of_kind)
        self.around = functools.lru_cache(_REMEMBERED)(self._around)
        self.sentence = self.split(_sentence)
        self.inside = self.table(_inside)
        self.nouns = self.table(_nouns_before)
        self.verb = self.split(_verb_before)
        self.verb_is = self.table(_verb_is)
        self.title = self.split(_title_before)
        self.according = self.table(_according)
        self.that = self.table(_that_ahead)
        self.later = self.table(_verb_ahead)
        self.until = self.table(_until_another)
        self.known = self.table(_known)
        self.single = self.table(_single)

    def _of_kind(self, kind: _Kind) -> tuple[Any, ...]:
        """What a kind of word adds to a name that begins three words behind it, ... before it."""
        near = [self.total(_near(offset, kind.classes)) for offset in range(-3, 4)]
        near[3] += self.total(_first(kind.sort, kind.the))
        return tuple(near)

    def _around(self, word: str, kind: _Kind) -> tuple[Any, ...]:
        """The same for a word; most words add no more than their kind."""
        near = self.of_kind(kind)
        after, first = self.total(_after(word)), self.total(_first_word(word))
        if kind is _EDGE or after == first == self.zero:
            return near
        return (*near[:2], near[2] + after, near[3] + first, *near[4:])

    def totals(self, p: _Passage) -> list[Any]:
        """Of each word of a passage, what the three before it, itself, and the next three add."""
        edge, no = [_EDGE] * 3, [""] * 3
        words, kinds = [*no, *p.words, *no], [*edge, *p.kinds, *edge]
        columns = zip(*map(self.around, words, kinds), strict=True)
        shifted = (column[n:] for n, column in enumerate(columns))
        return [a + b + c + d + e + f + g for a, b, c, d, e, f, g in zip(*shifted, strict=False)]


class _Wholes(_Tables):
    """The groups of a passage, for the author or the one who spoke before."""

    def __init__(self, total: Callable[[Iterable[str]], Any]) -> None:
        super().__init__(total)
        self.opening = self.table(_opening)
        self.count = self.table(_count)
        self.shape = self.table(_shape)
        self.matter = self.table(_matter)
        self.course = self.table(_course)
        self.subjects = self.table(_subjects)
        self.stem = self.table(_stem)


class _Ends(_Tables):
    """The groups of a word with which a name may go on."""

    def __init__(self, total: Callable[[Iterable[str]], Any]) -> None:
        super().__init__(total)
        self.length = self.table(_end_length)
        self.inner = self.table(_end_inner)
        self.near = self.table(_end_near)
        self.on = self.table(_end_on)
        self.word = self.table(_end_word)
        self.definite = self.table(_end_definite)
        self.letters = self.table(_end_letters)


class _Model(NamedTuple):
    """The tables of the four models."""

    start: _Starts
    author: _Wholes
    last: _Wholes
    end: _Ends


def _summing(weights: Mapping[str, float]) -> Callable[[Iterable[str]], int]:
    """A sum of features' weights, in the hundredths to which they are rounded.

    It has no error that the order of the features could change: of equal sums, the first one wins.
    """
    hundredths = {name: round(100 * weight) for name, weight in weights.items()}
    return lambda names: sum([hundredths.get(name, 0) for name in names])


@functools.cache
def _model() -> _Model:
    """The models with the weights that ship with the package."""
    start, author, last, end = map(_summing, _weights())
    return _Model(_Starts(start), _Wholes(author), _Wholes(last), _Ends(end))


@functools.cache
def _names() -> _Model:
    """The models that give the names of the features instead, to train the weights."""
    whole = _Wholes(tuple)
    return _Model(_Starts(tuple), whole, whole, _Ends(tuple))


def _start_totals(tables: _Starts, article: _Article, n: int, past: _Past) -> dict[int, Any]:
    """What speaks for and against a name of the holder, by the word at which it would begin."""
    p = article.passages[n]
    around = tables.totals(p)
    parts = (_behind(tables, p), _ahead(tables, p), _place(tables, article, n, past))
    return {
        i: around[i] + behind + ahead + place
        for i, behind, ahead, place in zip(p.starts, *parts, strict=True)
    }


def _behind(tables: _Starts, p: _Passage) -> list[Any]:
    """Of each start, the verb and the title before it, on one walk over the words."""
    found: list[Any] = []
    no_verb, no_title = tables.single["verb:none",], tables.single["title:none",]
    starts = iter([*p.starts, _FAR])
    start = next(starts)
    verb = noun = title = according = None  # where those stand that a name here would belong to
    changed = True  # whether there may be another title than at the last start
    parts = untitled = -1  # the last word that does not belong to a title, or to its adjectives
    verb_is, verbs, titles, told = tables.zero, tables.verb, tables.title, ("", False, 0)
    for i, kind in enumerate(p.kinds):
        if i == start:
            start, sort = next(starts), kind.sort
            if changed or (title is not None and i - title > 11):
                title, changed = _title(p, i), i > 0 and p.words[i - 1] == ","
                if title is not None:
                    titles = tables.title[p.heading(title)]
            total = no_title if title is None else titles[sort, i - title, parts <= title]
            if verb is None or i - verb > 15:
                total += no_verb
            else:
                place = "first" if noun is None else "title" if noun == title else "later"
                total += verb_is + verbs[sort, i - verb, place, untitled <= verb]
            if according is not None and i - according <= 11:
                total += tables.according[sort, i - according]
            found.append(total)
        if not kind.titled:
            untitled = i
            if not kind.adjective:
                parts = i
        if kind.plain:
            continue
        if kind.breaks:
            verb = None
        elif kind.speech:
            verb, noun, told = i, None, (kind.speech, False, 0)
            verb_is, verbs = tables.verb_is[p.words[i].lstrip("وف"),], tables.verb[told]
        elif verb is not None and (kind.source or kind.comma):
            spoken, comma, nouns = told
            told = (spoken, comma or kind.comma, min(2, nouns + kind.source))
            verbs = tables.verb[told]
            noun = i if kind.source and noun is None else noun
        if kind.comma:
            according = None
        elif kind.according:
            according = i
        if kind.walls or title is None:
            changed = True
    return found


def _ahead(tables: _Starts, p: _Passage) -> list[Any]:
    """Of each start, the complement and the verb ahead of it, and a verb with another subject."""
    found: list[Any] = []
    thats = iter([*p.thats, _FAR])
    verbs = iter([*p.verbs, _FAR])
    others = iter([*(k for k in p.verbs if p.kind(k + 1).source), _FAR])
    that, verb, other = next(thats), next(verbs), next(others)
    labels = _labels(p)
    label = tables.single["label",]
    for begin, end, starts in p.sentences:
        topic = next((i for i in range(begin, end) if not p.kinds[i].opens), end)
        until = None
        for i in starts:
            while that <= i:
                that = next(thats)
            while verb <= i:
                verb = next(verbs)
            while other <= i + 1:
                other, until = next(others), None
            if until is None:
                until = tables.until[f"{(min(other, p.size) - begin) / p.size:.1f}",]
            sort = p.kinds[i].sort
            found.append(
                until
                + tables.that[sort, that - i if that - i <= 13 else 0]
                + tables.later[sort, verb - i if verb - i <= 15 else 0, i <= topic]
            )
            if i in labels:
                found[-1] += label
    return found


def _labels(p: _Passage) -> Set[int]:
    """The words at which the name in a label may begin: "X, of Y: ..."."""
    if ":" not in p.words or not p.sentences:
        return frozenset()
    found = set()
    verb = p.verbs[0] if p.verbs else _FAR
    for i in range(min(15, p.sentences[0][1])):
        colon = p.first(frozenset({":"}), range(i + 1, min(p.size, i + 12)))
        if colon is not None and colon <= verb:
            found.add(i)
    return found


def _place(tables: _Starts, article: _Article, n: int, past: _Past) -> list[Any]:
    """Of each start, where it stands: in the sentence, the passage and the article."""
    p = article.passages[n]
    found: list[Any] = []
    lead = not past.begun and len(article.passages) > 1
    many_quotes = p.quotes > 0.3 * p.size
    new = tables.known["", False, 1, 0]  # a word that stands nowhere else
    count, nouns = 0, iter([*p.nouns, _FAR])
    noun = next(nouns)
    for number, (begin, _, starts) in enumerate(p.sentences, 1):
        share = f"{(p.size - begin) / p.size:.1f}"
        verbs = min(3, bisect.bisect_left(p.verbs, begin))
        sentence = tables.sentence[share, min(4, number), verbs, lead, many_quotes]
        before, quoted = bisect.bisect_left(p.nouns, begin), None
        for i in starts:
            if noun < i or p.quoted[i] is not quoted:
                while noun < i:
                    count, noun = count + 1, next(nouns)
                quoted = p.quoted[i]
                behind = tables.nouns[min(5, count), min(3, count - before), quoted]
            word, sort, known = p.words[i], p.kinds[i].sort, new
            if word in p.repeated or word in article.where or word in past.known:
                known = tables.known[_elsewhere(article, n, past, word)]
            depth = i - begin if i - begin < 21 else 21
            found.append(sentence[(sort,)] + behind + tables.inside[sort, depth] + known)
    return found


def _elsewhere(article: _Article, n: int, past: _Past, word: str) -> tuple[str, bool, int, int]:
    """Where else a word stands: in names of before, the passage, the article, later passages."""
    known = "of the last" if word in past.words else "known" if word in past.known else ""
    again = word in article.passages[n].repeated
    places = article.where.get(word, (n,))
    later = len(places) - bisect.bisect(places, n)
    return known, again, min(5, len(places)), min(4, later)


def _whole_total(tables: _Wholes, article: _Article, n: int, past: _Past) -> Any:
    """What speaks for and against the author, or the one who spoke before, as the holder."""
    p = article.passages[n]
    quotes = f"{p.quotes / max(1, p.size):.1f}"
    impersonal = p.size > 0 and p.words[0].lstrip("و") in _IMPERSONAL
    parties = tuple(party in p.counts for party in _PARTIES)
    course = (min(3, past.gap), min(3, past.run), past.last.found)
    lead = not past.begun and len(article.passages) > 1
    named = not past.words.isdisjoint(p.words)
    subjects = [p.kind(verb + 1).subject for verb in p.verbs]
    first = subjects[0] if p.verbs and p.verbs[0] < 4 else "no verb"
    without = subjects.count("that") + subjects.count("preposition")
    told = (first, min(2, past.gap), min(2, without), min(2, subjects.count("source")))
    total = (
        tables.shape[quotes, min(4, len(p.sentences)), p.length, p.bullet, impersonal]
        + tables.matter[parties, min(3, p.counts.get("bond", 0))]
        + tables.course[(article.speech, article.length, *course, lead, named)]
        + tables.subjects[told]
    )
    for i in range(4):
        total += tables.opening[i, p.at(i)]
    for name in _COUNTED:
        n = p.counts.get(name, 0)
        total += tables.count[name, n if n < 3 else 3]
    return total


def _said(tables: _Wholes, p: _Passage) -> Any:
    """What a passage speaks of: its words, each once."""
    return sum([tables.stem[stem,] for stem in p.stems], tables.zero)


def _end_total(tables: _Ends, article: _Article, n: int, start: int, i: int) -> Any:
    """What speaks for and against a name that goes on with a word."""
    p = article.passages[n]
    first, word, before = p.kinds[start], p.kinds[i], p.kinds[i - 1]
    sort = f"{first.sort}+the" if first.the else first.sort
    the = ("some" if any(kind.the for kind in p.kinds[start:i]) else "none", before.the)
    joint = next((k for k in range(i - 1, start, -1) if p.kinds[k].joins), start)
    joined = (p.words[joint], min(4, i - joint)) if joint > start else ("", 0)
    definite = (before.definite, word.definite)
    length = i - start
    total = (
        tables.length[sort, min(9, length)]
        + tables.inner[(*the, *joined)]
        + tables.on[(sort, *the, before.classes, word.classes)]
        + tables.definite[(sort, *definite, p.kind(start - 1).titles, min(4, length))]
        + tables.near[sort, -1, before.classes]
        + tables.near[sort, 0, word.classes]
        + tables.near[sort, 1, p.at(i + 1)]
        + tables.near[sort, 2, p.at(i + 2)]
    )
    text = p.words[i]
    if text in _NAMED:
        total += tables.word[sort, text]
    if sort in {"name", "given"} and text[0].isalpha():
        letters = (min(7, len(text)), min(6, len(p.words[i - 1])), min(5, article.spread(text)))
        total += tables.letters[letters]
    return total


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
    p, limit, tables = article.passages[n], _limit(article.passages[n], start), _model().end
    best, end, gone = -math.inf, start + 1, 0.0
    for i in range(start + 1, limit + 1):
        if gone <= best:  # it only falls
            break
        on = _end_total(tables, article, n, start, i) / 100 if i < limit else -30.0
        if gone - math.log1p(math.exp(on)) > best:
            best, end = gone - math.log1p(math.exp(on)), i
        gone -= math.log1p(math.exp(-on))
    while end > start + 1 and not p.words[end - 1][0].isalnum():
        end -= 1
    return end


def _holder(article: _Article, n: int, past: _Past) -> Holder:
    """The holder of a passage, after the ones before it."""
    p, model = article.passages[n], _model()
    if not p.words:
        return AUTHOR
    colon = p.words.index(":") if ":" in p.words[:8] else 0
    if colon and past.known >= {*p.words[:colon]}:  # a transcript names its speakers again
        return _named(article, n, 0)
    if p.bullet and "?" in p.words and past.last.name and past.gap == 1:
        return _continued(article, n, past)  # the next answer of an interview
    best, chosen = _whole_total(model.author, article, n, past) + _said(model.author, p), -1
    if past.last.name and (score := _whole_total(model.last, article, n, past)) > best:
        best, chosen = score, -2
    starts = _start_totals(model.start, article, n, past)
    likely = max(starts, key=starts.__getitem__, default=-1)
    if starts and starts[likely] > best:
        return _same(past, _named(article, n, likely))
    return AUTHOR if chosen == -1 else _continued(article, n, past)


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
    if holder.kind != "unnamed" or not past.last.name:
        return holder
    words = [w for w in _bare(holder.name) if w not in _SELF]
    role = {w.removeprefix("ال") for w in _bare(past.last.role)}
    if "the" not in _word(words[0]).kind.classes:
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
    sort = p.kinds[start].sort
    kinds = {"quantity": "unnamed", "role": "unnamed", "document": "body"}
    kind = kinds.get(sort, sort if sort in {"body", "country"} else "person")
    role = _role(p, start, end) if kind == "person" else ""
    label = start < p.sentences[0][1] and ":" in p.words[end : end + 14]
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
