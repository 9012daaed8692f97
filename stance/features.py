"""Text → matrix: feature families, each with named columns, side by side in :class:`Features`.

A family also tells *where* each feature of a passage stands (:meth:`Family.occurrences`), so that
the contribution of every feature leads back to words. That is the reference; the native engine
(:mod:`stance.engine`) counts and weights the same features without telling where.
"""

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import Stemmer

from stance import engine
from stance.lexicon import PROCLITICS, Lexicon, Match
from stance.scope import (
    MARKS,
    PAIRS,
    REACH_BEFORE_NOUN,
    SCARE_WORDS,
    SCOPES,
    clause_spans,
    scopes,
)
from stance.text import Normalised, Table, Token, default_table, normalise

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # imported where a matrix is made: scoring needs none

_DIGIT = re.compile(r"\d")
_CHUNK = re.compile(r"\S+")
_WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")
_QUOTED = re.compile(r'"[^"]*"')
_STEMMER = Stemmer.Stemmer("arabic")
_SHORTEST_ROOT = 3
_CONJUNCTION = re.compile("^[وف](?=(?:ال|لل)...)")
_SIDE_BY_SIDE, _NEAR = 5, 15  # words between the parties' names
_POLES = ("convenience", "axis", "favor", "against")
_OPPOSITE = {"convenience": "axis", "axis": "convenience"}
_ARABIC = re.compile(r"[\u0621-\u064a]")
# Kinds of families, units of n-grams, and poles, by the numbers that the native engine knows.
_CHARACTERS, _WORDS, _SCOPED, _CATEGORIES, _DISCOURSE, _TARGET, _FORM = range(7)
_TOKENS, _CHUNKS, _WORDS_AND_MARKS = range(3)
_NUMBERED_POLES = (*_POLES, "party", "other party", "bond", "bond by pronoun")


@dataclass(frozen=True)
class Reading:
    """A passage as every family sees it: normalised text, tokens, clauses."""

    text: Normalised
    tokens: list[Token]
    _matches: dict[Lexicon, list[Match]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, passage: "str | Reading", table: Table | None = None) -> "Reading":
        """Read a passage; one that was read before is returned as it is."""
        if isinstance(passage, Reading):
            return passage
        text = normalise(passage, table)
        return cls(text, text.tokens())

    def matches(self, lexicon: Lexicon) -> list[Match]:
        """The cues of ``lexicon`` in the passage, found once however many families ask."""
        if lexicon not in self._matches:
            self._matches[lexicon] = lexicon.match(self.tokens)
        return self._matches[lexicon]

    @cached_property
    def scopes(self) -> list[frozenset[str]]:
        """The scopes that each token stands in, found once (see :mod:`stance.scope`)."""
        return scopes(self.text, self.tokens)

    @cached_property
    def words(self) -> list[tuple[str, int]]:
        """Each token's text and position."""
        return [(t.text, i) for i, t in enumerate(self.tokens)]

    def units(self, pattern: re.Pattern[str]) -> list[tuple[str, int]]:
        """What ``pattern`` finds in the text, each at its word or, outside of words, the last."""
        if not self.tokens:
            return []
        starts = [t.start for t in self.tokens]
        return [
            (m[0], max(0, bisect_right(starts, m.end() - 1) - 1))
            for m in pattern.finditer(self.text.text)
        ]

    def clauses(self) -> list[tuple[int, int]]:
        """Token spans between punctuation marks, in order.

        >>> Reading.of("ليس محورا، بل صفقة.").clauses()
        [(0, 2), (2, 4)]
        """
        return clause_spans(self.text, self.tokens)


class Occurrence(NamedTuple):
    """A feature seen at some tokens of a passage (``start`` to ``end``, exclusive)."""

    feature: str
    start: int
    end: int


class Spec(NamedTuple):
    """A family as the native engine is told of it."""

    kind: int
    units: int = _TOKENS
    stems: int = 0
    smallest: int = 0
    largest: int = 0


class Family:
    """A feature family: rows are passages, columns are named features.

    Every family is fitted and applied on texts or on readings. A row depends on its passage alone.
    """

    @classmethod
    def parameters(cls) -> list[str]:
        """The names of what a family is made with."""
        code = getattr(cls.__init__, "__code__", None)  # inspect would take milliseconds
        return list(code.co_varnames[1 : code.co_argcount]) if code else []

    def spec(self) -> Spec | None:
        """What the native engine needs to know; ``None`` where it cannot count this family."""
        return None

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """The features of a passage and where they stand, repeated where they repeat."""
        raise NotImplementedError

    def fit(self, X: Iterable[str | Reading]) -> Self:
        """Learn the columns from the passages ``X``."""
        raise NotImplementedError

    def row(self, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """A passage's columns that are not 0, in order, and their values."""
        raise NotImplementedError

    def get_feature_names_out(self) -> np.ndarray:
        """The column names, an array of strings.

        Raises ``AttributeError`` where the family was not fitted.
        """
        raise NotImplementedError

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.get_feature_names_out())

    def transform(self, X: Iterable[str | Reading]) -> "csr_matrix":
        """A sparse matrix of shape (passages, columns), finite, float64."""
        from scipy.sparse import csr_matrix

        indptr, indices, data = [0], [np.empty(0, dtype=np.int32)], [np.empty(0)]
        for passage in X:
            columns, values = self.row(Reading.of(passage))
            indices.append(columns)
            data.append(values)
            indptr.append(indptr[-1] + len(columns))
        return csr_matrix(
            (np.concatenate(data), np.concatenate(indices), indptr),
            shape=(len(indptr) - 1, self.width),
        )


class Ngrams(Family):
    """TF-IDF over n-grams: sublinear counts, smoothed idf, rows of unit length."""

    smallest: int
    largest: int
    min_df: int
    idf_: np.ndarray
    lines_: bytes  # the names in UTF-8, one a line

    def fit(self, X: Iterable[str | Reading]) -> Self:
        """Learn the n-grams that stand in at least ``min_df`` passages, and their idf.

        Raises ``ValueError`` where no n-gram does.
        """
        self.check()
        spread: Counter[str] = Counter()
        passages = list(X)
        for passage in passages:
            spread.update({o.feature for o in self.occurrences(Reading.of(passage))})
        names = sorted(name for name, count in spread.items() if count >= self.min_df)
        return self.learn(names, np.array([spread[name] for name in names]), len(passages))

    def check(self) -> None:
        """Raise ``ValueError`` where the range of n-grams is impossible."""
        if not 1 <= self.smallest <= self.largest:
            raise ValueError(
                f"n-gram range {self.smallest} to {self.largest}: expected 1 <= smallest <= largest"
            )

    def learn(self, names: Sequence[str], spread: np.ndarray, n: int) -> Self:
        """Become the family of the n-grams ``names``, each in ``spread`` of ``n`` passages."""
        if not names:
            raise ValueError(f"no n-gram stands in {self.min_df} of {n} passages or more")
        # Smoothed as if one more passage held every n-gram.
        return self.restore("\n".join(names).encode(), np.log((n + 1) / (spread + 1)) + 1)

    def restore(self, lines: bytes, idf: np.ndarray) -> Self:
        """Become the family that learned the n-grams of ``lines`` with the weights ``idf``."""
        self.__dict__.pop("_index", None)
        self.lines_, self.idf_ = lines, idf
        return self

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: j for j, name in enumerate(self.lines_.decode().split("\n"))}

    def row(self, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """The n-grams of the passage that were learned, and their weights."""
        counts = Counter(o.feature for o in self.occurrences(reading))
        known = sorted((self._index[name], n) for name, n in counts.items() if name in self._index)
        if not known:
            return np.empty(0, dtype=np.int32), np.empty(0)
        columns, found = np.array(known, dtype=np.int32).T
        values = (np.log(found) + 1) * self.idf_[columns]
        return columns, values / np.sqrt((values**2).sum())

    @property
    def width(self) -> int:
        """The number of n-grams."""
        return len(self.idf_)

    def get_feature_names_out(self) -> np.ndarray:
        """The n-grams, in code point order."""
        return np.array(self.lines_.decode().split("\n"), dtype=object)


class CharNgrams(Ngrams):
    """Character n-grams within words, a blank marking the word's edge; digits read as 0.

    >>> family = CharNgrams(smallest=3, largest=3, min_df=1).fit(["محور"])
    >>> [str(name) for name in family.get_feature_names_out()]
    [' مح', 'حور', 'محو', 'ور ']
    """

    def __init__(self, smallest: int = 2, largest: int = 5, min_df: int = 2, marks: int = 0):
        self.smallest = smallest
        self.largest = largest
        self.min_df = min_df
        self.marks = marks

    def spec(self) -> Spec:
        """Characters of tokens or, with ``marks``, of what stands between blanks."""
        units = _CHUNKS if self.marks else _TOKENS
        return Spec(_CHARACTERS, units, 0, self.smallest, self.largest)

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """Each n-gram stands at its word; with ``marks``, punctuation and emoji cling to words."""
        for word, i in reading.units(_CHUNK) if self.marks else reading.words:
            for gram in _character_ngrams(word, self.smallest, self.largest):
                yield Occurrence(gram, i, i + 1)


class WordNgrams(Ngrams):
    """Word n-grams across the passage; digits read as 0.

    >>> family = WordNgrams(smallest=1, largest=2, min_df=1).fit(["زواج مصلحة"])
    >>> [str(name) for name in family.get_feature_names_out()]
    ['زواج', 'زواج مصلحه', 'مصلحه']
    """

    def __init__(self, smallest: int = 1, largest: int = 2, min_df: int = 2, marks: int = 0):
        self.smallest = smallest
        self.largest = largest
        self.min_df = min_df
        self.marks = marks

    def spec(self) -> Spec:
        """Sequences of tokens or, with ``marks``, of words and marks."""
        units = _WORDS_AND_MARKS if self.marks else _TOKENS
        return Spec(_WORDS, units, isinstance(self, Stems), self.smallest, self.largest)

    def _form(self, word: str) -> str:
        return _DIGIT.sub("0", word)

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """Each n-gram stands at its words; with ``marks``, each emoji or punctuation is a word."""
        units = reading.units(_WORD_OR_MARK) if self.marks else reading.words
        words = [self._form(word) for word, _ in units]
        for n in range(self.smallest, self.largest + 1):
            for i in range(len(words) - n + 1):
                yield Occurrence(" ".join(words[i : i + n]), units[i][1], units[i + n - 1][1] + 1)


class Stems(WordNgrams):
    """Word n-grams of light stems, so that the forms of a word count as one.

    Clitics, the article and inflectional endings fall away by Snowball's Arabic stemmer (after
    Larkey, Ballesteros & Connell 2007), then the person prefix of an imperfect verb.

    >>> words = ["يهدد", "وتهدد", "المصالح", "مصالحهما"]
    >>> family = Stems(smallest=1, largest=1, min_df=1).fit(words)
    >>> [str(name) for name in family.get_feature_names_out()]
    ['مصالح', 'هدد']
    """

    def _form(self, word: str) -> str:
        return _stem(word)


class Scoped(Ngrams):
    """Light stems with the scope that they stand in: ``rejected:صفق`` is another word than ``صفق``.

    Marking words under negation so is due to Das & Chen (2001); the scopes are those of
    :mod:`stance.scope`. Words outside every scope give nothing.

    >>> family = Scoped(min_df=1).fit(["ليست صفقة بل محور"])
    >>> [str(name) for name in family.get_feature_names_out()]
    ['affirmed:محور', 'negated:صفق', 'rejected:صفق']
    """

    smallest = largest = 1

    def __init__(self, min_df: int = 2):
        self.min_df = min_df

    def spec(self) -> Spec:
        """Stems of tokens, by scope."""
        return Spec(_SCOPED)

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """Each scope's mark at its word."""
        for i, (token, inside) in enumerate(zip(reading.tokens, reading.scopes, strict=True)):
            for name in SCOPES:
                if name in inside:
                    yield Occurrence(f"{name}:{_stem(token.text)}", i, i + 1)


class _Counts(Family):
    """Families with columns known beforehand: log(1 + count), and presence where asked for."""

    kind: ClassVar[int]

    def spec(self) -> Spec:
        """The kind says all."""
        return Spec(self.kind)

    def columns(self) -> list[str]:
        """The names of the counted features, in order."""
        raise NotImplementedError

    def fit(self, X: Iterable[str | Reading]) -> Self:
        """Fix the columns; nothing is learned from the passages."""
        self.names_ = np.array(self.columns(), dtype=object)
        return self

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: j for j, name in enumerate(self.names_)}

    def row(self, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """The features of the passage and the logs of their counts."""
        counts = Counter(o.feature for o in self.occurrences(reading))
        known = sorted((self._index[name], math.log1p(n)) for name, n in counts.items())
        return (
            np.array([j for j, _ in known], dtype=np.int32),
            np.array([value for _, value in known], dtype=float),
        )

    def get_feature_names_out(self) -> np.ndarray:
        """The column names."""
        return self.names_


class Categories(_Counts):
    """Category lexicons: for each category, log(1 + count) of its cues, and whether one occurs.

    Theory-driven categories carry over to outlets that nobody trained on (Grimmer & Stewart 2013).

    >>> from stance.lexicon import Category
    >>> lexicon = Lexicon({"exchange": Category("convenience", "", ("مقابل",))})
    >>> family = Categories(lexicon).fit([])
    >>> list(family.get_feature_names_out())
    ['exchange', 'exchange?']
    >>> family.transform(["قذائف مقابل نفط، وغذاء مقابل جنود"]).toarray().round(2)
    array([[1.1 , 0.69]])
    """

    kind = _CATEGORIES

    def __init__(self, lexicon: Lexicon):
        self.lexicon = lexicon

    def columns(self) -> list[str]:
        """Two columns a category: ``name`` for the count and ``name?`` for presence."""
        return [name + mark for name in self.lexicon.categories for mark in ("", "?")]

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """Each cue at its words; presence at the first cue."""
        present = set()
        for match in reading.matches(self.lexicon):
            yield Occurrence(match.category, match.start, match.end)
            if match.category not in present:
                present.add(match.category)
                yield Occurrence(match.category + "?", match.start, match.end)


class Discourse(_Counts):
    """Where a passage lands: cues by pole in rejected, affirmed and last position.

    "ليس X بل Y" rejects X and affirms Y; "X أكثر منه Y" affirms X and rejects Y; "لم يعد X",
    "يتجاوز X", "رغم X" reject X. The marks are those of adversative and corrective connectives
    in Arabic grammars (Ryding 2005, ch. 18). ``lands:axis`` counts axis cues affirmed and
    convenience cues rejected; ``lands:convenience`` the reverse.

    >>> from stance.lexicon import Category
    >>> lexicon = Lexicon({"bloc": Category("axis", "", ("محور",)),
    ...                    "exchange": Category("convenience", "", ("صفقة",))})
    >>> family = Discourse(lexicon).fit([])
    >>> found = family.occurrences(Reading.of("ليست صفقة بل محور"))
    >>> sorted({o.feature for o in found})
    ['affirmed:axis', 'both', 'lands:axis', 'last:axis', 'rejected:convenience']
    """

    kind = _DISCOURSE

    def __init__(self, lexicon: Lexicon):
        self.lexicon = lexicon

    def columns(self) -> list[str]:
        """``rejected:``, ``affirmed:`` and ``last:`` by pole, and the two landings."""
        marks = [f"{m}:{p}" for m in ("rejected", "affirmed", "last") for p in _POLES]
        return [*marks, "lands:convenience", "lands:axis", "both"]

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """Each feature at the cue that gives it."""
        cues: list[tuple[Match, str]] = []
        for match in reading.matches(self.lexicon):
            pole = self.lexicon.categories[match.category].pole
            if pole in _POLES:
                cues.append((match, pole))
        frames: dict[str, Match] = {}
        for match, pole in cues:
            inside = reading.scopes[match.start]
            scope = next((name for name in ("affirmed", "rejected") if name in inside), "")
            if scope:
                yield Occurrence(f"{scope}:{pole}", match.start, match.end)
            if pole in _OPPOSITE:
                frames.setdefault(pole, match)
                lands = {"affirmed": pole, "rejected": _OPPOSITE[pole]}.get(scope)
                if lands:
                    yield Occurrence(f"lands:{lands}", match.start, match.end)
        if cues:
            match, pole = cues[-1]
            yield Occurrence(f"last:{pole}", match.start, match.end)
        if len(frames) == 2:
            for match in frames.values():
                yield Occurrence("both", match.start, match.end)


class Target(_Counts):
    """Whether a passage is about the bond between the parties, or about one of them, or others.

    The parties are the lexicon's categories of pole ``party``; what the bond is called, how a dual
    or a demonstrative reaches it, and third parties are its other poles. A linear model cannot
    multiply: so each sign counts together with how many parties are named (after the
    target-dependent features of Vo & Zhang 2015).

    >>> from stance.lexicon import Category
    >>> lexicon = Lexicon({"north": Category("party", "", ("بيونغ يانغ",)),
    ...                    "russia": Category("party", "", ("موسكو",)),
    ...                    "iran": Category("other party", "", ("طهران",))})
    >>> family = Target(lexicon).fit([])
    >>> [o.feature for o in family.occurrences(Reading.of("اتفاق موسكو وطهران"))]
    ['one party', 'one party, other party', 'one party, no bond', 'clause with one party']
    """

    kind = _TARGET
    _NAMED = ("no party", "one party", "both parties")
    _SIGNS = ("bond", "bond by pronoun", "other party")

    def __init__(self, lexicon: Lexicon):
        self.lexicon = lexicon

    def columns(self) -> list[str]:
        """How many parties; that with each sign; clauses by parties; how near the parties stand."""
        signs = [f"{named}, {sign}" for named in self._NAMED for sign in (*self._SIGNS, "no bond")]
        clauses = [f"clause with {named}" for named in self._NAMED]
        return [*self._NAMED, *signs, *clauses, "parties side by side", "parties near"]

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """Each sign at its first cue; what is said of the whole passage at its first word."""
        if not reading.tokens:
            return
        found: dict[str, list[Match]] = {}
        parties: dict[str, list[Match]] = {}
        for match in reading.matches(self.lexicon):
            pole = self.lexicon.categories[match.category].pole
            found.setdefault(pole, []).append(match)
            if pole == "party":
                parties.setdefault(match.category, []).append(match)
        named = self._NAMED[min(len(parties), 2)]
        yield Occurrence(named, 0, 1)
        for sign in self._SIGNS:
            if sign in found:
                match = found[sign][0]
                yield Occurrence(f"{named}, {sign}", match.start, match.end)
        if not found.keys() & {"bond", "bond by pronoun"}:
            yield Occurrence(f"{named}, no bond", 0, 1)
        for start, end in reading.clauses():
            inside = sum(any(start <= m.start < end for m in ms) for ms in parties.values())
            yield Occurrence(f"clause with {self._NAMED[min(inside, 2)]}", start, end)
        if len(parties) > 1:
            first, second, *_ = parties.values()
            gap = min(abs(a.start - b.start) for a in first for b in second)
            if gap <= _SIDE_BY_SIDE:
                yield Occurrence("parties side by side", first[0].start, first[0].end)
            elif gap <= _NEAR:
                yield Occurrence("parties near", first[0].start, first[0].end)


class Form(_Counts):
    """The passage as a piece of prose: questions, quotation, and speech continued from before.

    >>> sorted(o.feature for o in Form().fit([]).occurrences(Reading.of('وأضاف: "هل يدوم؟"')))
    ['ends in question', 'question', 'quotation', 'quoted words', 'quoted words']
    """

    kind = _FORM
    _COLUMNS = ("question", "ends in question", "exclamation", "quotation", "quoted words")

    def columns(self) -> list[str]:
        """The names of the marks."""
        return list(self._COLUMNS)

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """Each mark at the word before it; quoted words one by one."""
        text, tokens = reading.text.text, reading.tokens
        if not tokens:
            return
        starts = [t.start for t in tokens]
        for mark, name in (("?", "question"), ("!", "exclamation")):
            for found in re.finditer(re.escape(mark), text):
                i = max(0, int(np.searchsorted(starts, found.start())) - 1)
                yield Occurrence(name, i, i + 1)
        if "?" in text[tokens[-1].end :]:
            yield Occurrence("ends in question", len(tokens) - 1, len(tokens))
        for found in _QUOTED.finditer(text):
            inside = range(*np.searchsorted(starts, [found.start(), found.end()]).tolist())
            if inside:
                yield Occurrence("quotation", inside.start, inside.stop)
            for i in inside:
                yield Occurrence("quoted words", i, i + 1)


class Features:
    """Families side by side: their columns in order, each family's times its weight.

    ``families``: (name, family, weight) of each; ``table``: the normalisation table.

    >>> features = Features([("words", WordNgrams(1, 1, 1), 2.0), ("form", Form(), 1.0)])
    >>> features.fit(["محور جديد؟", "صفقة"]).columns()[:2]
    ['words: جديد', 'words: صفقه']
    >>> features.transform(["صفقة"]).toarray()
    array([[0., 2., 0., 0., 0., 0., 0., 0.]])
    """

    def __init__(self, families: Sequence[tuple[str, Family, float]], table: Table | None = None):
        self.families = list(families)
        self.table = table

    def __getstate__(self) -> dict[str, Any]:
        return {"families": self.families, "table": self.table}  # the engine is made anew

    @property
    def lexicon(self) -> Lexicon | None:
        """The lexicon that the families read with, if any does."""
        return next((f.lexicon for _, f, _ in self.families if hasattr(f, "lexicon")), None)

    def columns(self) -> list[str]:
        """The name of every column, ``family: feature``."""
        return [f"{n}: {c}" for n, f, _ in self.families for c in f.get_feature_names_out()]

    def fit(self, X: Iterable[str | Reading]) -> Self:
        """Learn the columns of every family from the passages ``X``.

        Raises ``ValueError`` for an impossible range of n-grams, or where no n-gram is learned.
        """
        self.__dict__.pop("_engine", None)
        passages = list(X)
        for _, family, _ in self.families:
            if isinstance(family, Ngrams):
                family.check()
        engine = self._native(growing=True)
        if engine is None:
            readings = [Reading.of(x, self.table) for x in passages]
            for _, family, _ in self.families:
                family.fit(readings)
            return self
        least = [f.min_df if isinstance(f, Ngrams) else 0 for _, f, _ in self.families]
        for (_, family, _), counted in zip(
            self.families, engine.count(map(_written, passages), least), strict=True
        ):
            if isinstance(family, Ngrams):
                names, spread = counted
                family.learn(names, spread, len(passages))
            else:
                family.fit([])
        return self

    def transform(self, X: Iterable[str | Reading]) -> "csr_matrix":
        """The families' matrices side by side, shape (passages, columns), float64."""
        from scipy.sparse import csr_matrix, hstack

        if self._engine is not None:
            indptr, indices, data = self._engine.transform(map(_written, X))
            shape = (len(indptr) - 1, self._engine.columns)
            return csr_matrix((data, indices, indptr), shape=shape)
        readings = [Reading.of(x, self.table) for x in X]
        return hstack([f.transform(readings) * w for _, f, w in self.families], format="csr")

    def fit_transform(self, X: Iterable[str | Reading]) -> "csr_matrix":
        """Learn the columns from ``X`` and give its matrix."""
        passages = list(X)
        return self.fit(passages).transform(passages)

    def scores(
        self, X: Iterable[str | Reading], weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The matrix of ``X``, which is never made, times ``weights`` (columns, labels), float32.

        Gives an array of shape (passages, labels), and for each passage how many of its words have
        an Arabic letter.
        """
        if self._engine is not None:
            found: tuple[np.ndarray, np.ndarray] = self._engine.score(map(_written, X), weights)
            return found
        scores, words = [], []
        for reading in (Reading.of(x, self.table) for x in X):
            total, offset = np.zeros(weights.shape[1]), 0
            for _, family, weight in self.families:
                columns, values = family.row(reading)
                total += weight * values @ weights[offset + columns].astype(float)
                offset += family.width
            scores.append(total)
            words.append(sum(bool(_ARABIC.search(t.text)) for t in reading.tokens))
        return np.array(scores).reshape(-1, weights.shape[1]), np.array(words, dtype=np.int32)

    @cached_property
    def _engine(self) -> Any:
        """The native engine that has learned what the families have, or ``None``."""
        engine = self._native(growing=False)
        if engine is not None:
            names = [f.lines_ if isinstance(f, Ngrams) else None for _, f, _ in self.families]
            idf = [f.idf_ if isinstance(f, Ngrams) else None for _, f, _ in self.families]
            engine.learned(names, idf)
        return engine

    def _native(self, growing: bool) -> Any:
        specs = [(family.spec(), weight) for _, family, weight in self.families]
        table = default_table() if self.table is None else self.table
        if engine.native is None or any(spec is None for spec, _ in specs):
            return None
        families = [(*spec, weight) for spec, weight in specs if spec is not None]
        return engine.native.Engine(table.native, families, _rules(self.lexicon), _stem, growing)


def _written(passage: str | Reading) -> str:
    return passage.text.text if isinstance(passage, Reading) else passage


def _rules(lexicon: Lexicon | None) -> dict[str, Any]:
    """What the native engine must know of scopes and of the lexicon."""
    marks = {word: 0 for pairs in PAIRS.values() for pair in pairs for word in pair}
    pairs: dict[tuple[str, str], int] = {}
    for bit, words in enumerate(MARKS.values()):
        for word in words:
            marks[word] = marks.get(word, 0) | 1 << bit
    for bit, both in enumerate(PAIRS.values()):
        for pair in both:
            pairs[pair] = pairs.get(pair, 0) | 1 << bit
    poles = [c.pole for c in lexicon.categories.values()] if lexicon else []
    return {
        "scopes": SCOPES,
        "marks": marks,
        "pairs": pairs,
        "reach before noun": REACH_BEFORE_NOUN,
        "scare words": SCARE_WORDS,
        "side by side": _SIDE_BY_SIDE,
        "near": _NEAR,
        "proclitics": PROCLITICS,
        "poles": [
            _NUMBERED_POLES.index(p) if p in _NUMBERED_POLES else len(_NUMBERED_POLES)
            for p in poles
        ],
        "cues": lexicon.cues.lines if lexicon else b"",
        "categories": lexicon.cues.categories if lexicon else [],
    }


@lru_cache(maxsize=200_000)
def _character_ngrams(word: str, smallest: int, largest: int) -> tuple[str, ...]:
    padded = f" {_DIGIT.sub('0', word)} "
    return tuple(
        padded[i : i + n] for n in range(smallest, largest + 1) for i in range(len(padded) - n + 1)
    )


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    # The stemmer leaves a conjunction before the article, and takes the ending ha off only as the
    # ta marbuta that normalisation made it from.
    word = _CONJUNCTION.sub("", _DIGIT.sub("0", word))
    stem = str(_STEMMER.stemWord(word[:-1] + "ة" if word.endswith("ه") else word))
    return stem[1:] if len(stem) > _SHORTEST_ROOT and stem[0] in "يتن" else stem
