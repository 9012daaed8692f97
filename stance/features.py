"""Text → matrix: scikit-learn transformers, one per feature family, each with named columns.

A family also tells *where* each feature of a passage stands (:meth:`Family.occurrences`), so that
the contribution of every feature leads back to words.
"""

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple, Self

import numpy as np
import snowballstemmer
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

from stance.lexicon import Lexicon, Match
from stance.scope import SCOPES, clause_spans, scopes
from stance.text import Normalised, Table, Token, normalise

_DIGIT = re.compile(r"\d")
_CHUNK = re.compile(r"\S+")
_WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")
_QUOTED = re.compile(r'"[^"]*"')
_STEMMER = snowballstemmer.stemmer("arabic")
_SHORTEST_ROOT = 3
_CONJUNCTION = re.compile("^[وف](?=(?:ال|لل)...)")
_SIDE_BY_SIDE, _NEAR = 5, 15  # words between the parties' names
_POLES = ("convenience", "axis", "favor", "against")
_OPPOSITE = {"convenience": "axis", "axis": "convenience"}


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


class Reader(TransformerMixin, BaseEstimator):
    """Texts → readings, once for all families. ``table``: the normalisation table."""

    def __init__(self, table: Table | None = None):
        self.table = table

    def fit(self, X: Iterable[str], y: object = None) -> Self:
        """Nothing to learn."""
        return self

    def transform(self, X: Iterable[str | Reading]) -> list[Reading]:
        """One reading per text, in order."""
        return [Reading.of(x, self.table) for x in X]

    def __sklearn_is_fitted__(self) -> bool:
        return True


class Family(TransformerMixin, BaseEstimator):
    """A feature family: rows are passages, columns are named features.

    Every family is fitted and applied on texts or on readings. A row depends on its passage alone.
    """

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """The features of a passage and where they stand, repeated where they repeat."""
        raise NotImplementedError

    def fit(self, X: Iterable[str | Reading], y: object = None) -> Self:
        """Learn the columns from the passages ``X``; ``y`` is ignored."""
        raise NotImplementedError

    def transform(self, X: Iterable[str | Reading]) -> sparse.csr_matrix:
        """A sparse matrix of shape (passages, columns), finite, float64."""
        raise NotImplementedError

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """The column names, an array of strings."""
        raise NotImplementedError


class Ngrams(Family):
    """TF-IDF over n-grams: sublinear counts, smoothed idf, rows of unit length."""

    smallest: int
    largest: int
    min_df: int

    def _names(self, passage: str | Reading) -> list[str]:
        return [o.feature for o in self.occurrences(Reading.of(passage))]

    def fit(self, X: Iterable[str | Reading], y: object = None) -> Self:
        """Learn the n-grams that stand in at least ``min_df`` passages, and their idf.

        Raises ``ValueError`` where no n-gram does.
        """
        if not 1 <= self.smallest <= self.largest:
            raise ValueError(
                f"n-gram range {self.smallest} to {self.largest}: expected 1 <= smallest <= largest"
            )
        self.vectorizer_ = TfidfVectorizer(
            analyzer=self._names, min_df=self.min_df, sublinear_tf=True
        ).fit(X)
        return self

    def restore(self, names: Sequence[str], idf: np.ndarray) -> Self:
        """Become the family that learned the n-grams ``names`` with the weights ``idf``."""
        self.vectorizer_ = TfidfVectorizer(
            analyzer=self._names, vocabulary=list(names), sublinear_tf=True
        )
        self.vectorizer_.idf_ = np.asarray(idf, dtype=float)
        return self

    def transform(self, X: Iterable[str | Reading]) -> sparse.csr_matrix:
        """The TF-IDF matrix of the passages."""
        check_is_fitted(self)
        return self.vectorizer_.transform(X)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """The n-grams, in code point order."""
        check_is_fitted(self)
        return self.vectorizer_.get_feature_names_out()


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

    def occurrences(self, reading: Reading) -> Iterator[Occurrence]:
        """Each scope's mark at its word."""
        for i, (token, inside) in enumerate(zip(reading.tokens, reading.scopes, strict=True)):
            for name in SCOPES:
                if name in inside:
                    yield Occurrence(f"{name}:{_stem(token.text)}", i, i + 1)


class _Counts(Family):
    """Families with columns known beforehand: log(1 + count), and presence where asked for."""

    def columns(self) -> list[str]:
        """The names of the counted features, in order."""
        raise NotImplementedError

    def fit(self, X: Iterable[str | Reading], y: object = None) -> Self:
        """Fix the columns; nothing is learned from the passages."""
        self.names_ = np.array(self.columns(), dtype=object)
        return self

    def transform(self, X: Iterable[str | Reading]) -> sparse.csr_matrix:
        """The matrix of log counts of the passages."""
        check_is_fitted(self)
        index = {name: j for j, name in enumerate(self.names_)}
        indptr, indices, data = [0], [], []
        for passage in X:
            reading = Reading.of(passage)
            counts = Counter(o.feature for o in self.occurrences(reading))
            for name in sorted(counts, key=index.__getitem__):
                indices.append(index[name])
                data.append(math.log1p(counts[name]))
            indptr.append(len(indices))
        return sparse.csr_matrix(
            (np.array(data, dtype=float), np.array(indices, dtype=np.int32), indptr),
            shape=(len(indptr) - 1, len(index)),
        )

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """The column names."""
        check_is_fitted(self)
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
