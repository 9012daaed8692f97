"""Category lexicons: which cues of which category stand where in a passage.

A lexicon file is JSON, ``{category: {"pole", "gloss", "entries": [...]}}``. A political scientist
can read and mend it: no regular expressions, no diacritics needed, one cue a line.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from stance.text import InputError, Table, Token, normalise, read_text

#: What a category can point to: a label, or a role in reading the passage.
POLES = frozenset(
    {"convenience", "axis", "mixed", "favor", "against", "neutral", "unrelated"}
    | {"relevance", "contrast", "name"}
    | {"party", "other party", "bond", "bond by pronoun"}
)

# Proclitics that may stand before the first word of a cue (Habash 2010, ch. 4): conjunctions,
# prepositions, the future particle, and the article, in the orders that Arabic allows.
_CONJUNCTIONS = ("", "و", "ف")
_PREPOSITIONS = ("", "ب", "ك", "ل", "س")
_ARTICLES = ("", "ال")
# A shorter stem is too easily a part of another word to be freed of more than a conjunction.
_SHORTEST_STEM = 3
_SHORTEST_AFTER_CONJUNCTION = 2


def _shortest(proclitic: str) -> int:
    if proclitic in _CONJUNCTIONS:
        return _SHORTEST_AFTER_CONJUNCTION if proclitic else 1
    return _SHORTEST_STEM


#: Each run of proclitics, shorter ones first, and how many letters it must leave.
PROCLITICS = [
    (form, _shortest(form))
    for form in sorted(
        {c + p + a for c in _CONJUNCTIONS for p in _PREPOSITIONS for a in _ARTICLES}
        | {c + "لل" for c in _CONJUNCTIONS},
        key=lambda form: (len(form), form),
    )
]


class Match(NamedTuple):
    """A cue found in a passage: its category and the span of its words (token positions)."""

    category: str
    start: int
    end: int


class Cues(NamedTuple):
    """All cues of a lexicon, ready to match: lines of UTF-8, and each one's category by number."""

    lines: bytes
    categories: Sequence[int]


@dataclass(frozen=True)
class Category:
    """A category of cues: what it points to, what it means, and the cues as printed."""

    pole: str
    gloss: str
    entries: tuple[str, ...]


class Lexicon:
    """All categories of a project, ready to match.

    Cues are matched as whole words after normalisation, with the proclitics و ف ب ل ك س ال
    allowed before the first word and ال before the others. Within a category the longest cue wins
    and matches do not overlap; different categories may overlap.

    >>> lexicon = Lexicon({"bloc": Category("axis", "", ("محور", "محور جديد"))})
    >>> lexicon.match(normalise("وبالمحور الجديد، محور جديد").tokens())
    [Match(category='bloc', start=0, end=2), Match(category='bloc', start=2, end=4)]
    """

    def __init__(
        self,
        categories: Mapping[str, Category],
        table: Table | None = None,
        cues: "Cues | None" = None,
    ):
        self.categories = dict(categories)
        self._table = table
        if cues is not None:
            self.cues = cues

    @cached_property
    def cues(self) -> "Cues":
        """The cues as they are matched: normalised, words after the first without article."""
        lines, categories = [], []
        for number, category in enumerate(self.categories.values()):
            for entry in category.entries:
                first, *rest = [t.text for t in normalise(entry, self._table).tokens()] or [""]
                if first:
                    lines.append(" ".join((first, *map(_bare, rest))))
                    categories.append(number)
        return Cues("\n".join(lines).encode(), categories)

    @cached_property
    def _cues(self) -> dict[str, list[tuple[tuple[str, ...], str]]]:
        """First word of a cue → its possible remainders with their category."""
        names = list(self.categories)
        found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for line, number in zip(
            self.cues.lines.decode().splitlines(), self.cues.categories, strict=True
        ):
            first, *rest = line.split(" ")
            found.setdefault(first, []).append((tuple(rest), names[number]))
        return found

    def __deepcopy__(self, memo: object) -> "Lexicon":
        return self  # never changed after construction; scikit-learn's clone() would copy it

    def match(self, tokens: Sequence[Token]) -> list[Match]:
        """Every cue in ``tokens``, by position; at most one per category and place."""
        words = [t.text for t in tokens]
        bare = [_bare(word) for word in words]
        free_from = dict.fromkeys(self.categories, 0)
        matches = []
        for i, word in enumerate(words):
            found: dict[str, int] = {}
            for stem in _stems(word):
                for rest, category in self._cues.get(stem, ()):
                    end = i + 1 + len(rest)
                    if tuple(bare[i + 1 : end]) == rest and end > found.get(category, 0):
                        found[category] = end
            for category, end in found.items():
                if i >= free_from[category]:
                    matches.append(Match(category, i, end))
                    free_from[category] = end
        return matches

    def to_json(self) -> dict[str, dict[str, object]]:
        """The lexicon as plain data, as in a lexicon file."""
        return {
            name: {"pole": c.pole, "gloss": c.gloss, "entries": list(c.entries)}
            for name, c in self.categories.items()
        }

    @classmethod
    def from_json(cls, data: object, where: str, table: Table | None = None) -> "Lexicon":
        """A lexicon from plain data; ``where`` names it in errors.

        Raises :class:`~stance.text.InputError` where a category lacks a known pole or non-empty
        entries, or lists a cue twice.
        """
        if not isinstance(data, dict):
            raise InputError(f"{where}: expected an object of categories, got {_kind(data)}")
        categories = {}
        for name, body in data.items():
            place = f"{where}: category {name!r}"
            if not isinstance(body, dict) or not isinstance(body.get("entries"), list):
                raise InputError(f'{place}: expected {{"pole", "gloss", "entries": [...]}}')
            if body.get("pole") not in POLES:
                raise InputError(
                    f"{place}: pole {body.get('pole')!r} is none of {', '.join(sorted(POLES))}"
                )
            seen: dict[str, object] = {}
            for entry in body["entries"]:
                key = normalise(entry, table).text if isinstance(entry, str) else ""
                if not key:
                    raise InputError(f"{place}: entry {entry!r} holds no word")
                if key in seen:
                    raise InputError(f"{place}: {entry!r} and {seen[key]!r} are the same cue")
                seen[key] = entry
            if not seen:
                raise InputError(f"{place}: no entries; remove it or add a cue")
            categories[name] = Category(
                body["pole"], str(body.get("gloss", "")), tuple(body["entries"])
            )
        return cls(categories, table)


def read(paths: Iterable[Path], table: Table | None = None) -> Lexicon:
    """One lexicon from several files, in the order of ``paths``.

    Raises :class:`~stance.text.InputError` for a file that is no JSON or holds a category named
    before.
    """
    merged: dict[str, object] = {}
    for path in paths:
        try:
            data = json.loads(read_text(path))
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
        Lexicon.from_json(data, str(path), table)
        for name in data:
            if name in merged:
                raise InputError(f"{path}: category {name!r} stands in an earlier file too")
        merged |= data
    return Lexicon.from_json(merged, "lexicon", table)


def _stems(word: str) -> list[str]:
    """The word, and the word freed of each run of proclitics that it may begin with."""
    return [
        word[len(form) :]
        for form, shortest in PROCLITICS
        if word.startswith(form) and len(word) - len(form) >= shortest
    ]


def _bare(word: str) -> str:
    """The word without the article, so that "المحور الجديد" is found by the cue "محور جديد"."""
    return word[2:] if word.startswith("ال") and len(word) > 3 else word


def _kind(value: object) -> str:
    return {list: "a list", str: "a string", type(None): "null"}.get(type(value), "a number")
