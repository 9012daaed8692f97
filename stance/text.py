"""Arabic normalisation and tokens, with a map back to original code-point offsets.

Everything that reads Arabic starts here: features, lexicons, near-duplicates and explanations see
the *normalised* text, and :class:`Normalised` leads every position back to the text as printed.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from stance import engine

# Marks, format characters (zero-width, bidi), and tatweel leave no trace.
_DROPPED_CATEGORIES = frozenset({"Mn", "Me", "Cf"})
_TATWEEL = "\u0640"
_WORD = re.compile(r"[^\W_]+")


class InputError(ValueError):
    """Input that cannot be used; the message names the place, what was got and the remedy."""


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark.

    Raises :class:`InputError` for a file that cannot be read, is empty, or is in another encoding,
    which is named where it can be told (windows-1256 above all).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    return decode(data, str(path))


def decode(data: bytes, where: str) -> str:
    """The text of UTF-8 bytes; ``where`` names them in errors, which are those of read_text.

    >>> decode("محور".encode(), "-")
    'محور'
    """
    if not data.strip():
        raise InputError(f"{where}: the file is empty; expected Arabic text in UTF-8")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise not_utf8(data, error.start, where) from error


def not_utf8(head: bytes, position: int, where: str) -> InputError:
    """The error for a file whose byte ``position`` is not UTF-8.

    ``head``: its first bytes, from which the encoding is guessed.
    """
    return InputError(f"{where}: not UTF-8 (byte {position}){_encoding_guess(head)}")


def _encoding_guess(data: bytes) -> str:
    from charset_normalizer import from_bytes  # only when something is wrong

    candidates = ["cp1256", "utf_16", "mac_arabic", "iso8859_6"]
    best = from_bytes(data[:100_000], cp_isolation=candidates).best()
    # Its language model is weak on short texts, so Arabic letters have the last word.
    if best is None or not re.search(r"[\u0621-\u064a]{3}", str(best)):
        return "; expected Arabic text in UTF-8"
    name = {"cp1256": "windows-1256"}.get(best.encoding, best.encoding.replace("_", "-"))
    return f"; it looks like {name}; convert it: iconv -f {name} -t UTF-8 FILE > NEW"


class Table(dict[str, str]):
    """What each code point becomes when a text is normalised; one that is absent stays."""

    @cached_property
    def native(self) -> Any:
        """The table as the native engine reads it, ``None`` where there is no engine."""
        return engine.native and engine.native.Normaliser(self)

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, str]]]:
        return type(self), (dict(self),)  # the native one is made anew in another process


class Token(NamedTuple):
    """A word of a normalised text: its form and its span in normalised positions."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Normalised:
    """A normalised text and, for every position of it, the original code points behind it.

    ``starts[i]`` and ``ends[i]`` delimit, in the original, what became position ``i``; marks that
    were dropped belong to the letter they followed.
    """

    text: str
    starts: list[int]
    ends: list[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The original span of the normalised positions ``start`` to ``end`` (exclusive).

        Raises ``ValueError`` where the span is empty or outside the text.

        >>> n = normalise("وقّعتـــا")
        >>> n.text, n.original(0, 3)
        ('وقعتا', (0, 4))
        """
        if not 0 <= start < end <= len(self.text):
            raise ValueError(
                f"span {start}:{end} outside a text of {len(self.text)} normalised positions"
            )
        return self.starts[start], self.ends[end - 1]

    def tokens(self) -> list[Token]:
        """The words, in order: runs of letters and digits.

        >>> [t.text for t in normalise("«محورٌ» جديدٌ، أم زواجُ مصلحة؟").tokens()]
        ['محور', 'جديد', 'ام', 'زواج', 'مصلحه']
        """
        return [Token(m.group(), m.start(), m.end()) for m in _WORD.finditer(self.text)]


@cache
def default_table() -> Table:
    """The normalisation table, made from those of camel-tools (Obeid et al. 2020).

    It is kept in ``normalisation.json``, so that reading needs no camel-tools; a test holds the
    file to what :func:`make_table` gives.

    >>> table = default_table()
    >>> table["أ"], table["ة"], table["٣"], table["ﻻ"], table["ـ"]
    ('ا', 'ه', '3', 'لا', '')
    """
    return Table(json.loads(kept_table()))


def kept_table() -> bytes:
    """The default table as it is kept: JSON, an entry a line."""
    return Path(__file__).with_name("normalisation.json").read_bytes()


def make_table() -> Table:
    """The default table from its sources.

    For each code point: compatibility decomposition (which also frees letters of their hamza),
    camel-tools' ``arclean`` map (presentation forms, Persian letters, Arabic-Indic digits,
    punctuation), one alef, one ya, ta marbuta as ha, lower case; marks, tatweel and format
    characters vanish. The result is closed: no output holds a code point that the table would
    change again.
    """
    from camel_tools.utils.charmap import CharMapper
    from camel_tools.utils.normalize import (
        normalize_alef_ar,
        normalize_alef_maksura_ar,
        normalize_teh_marbuta_ar,
        normalize_unicode,
    )

    clean = CharMapper.builtin_mapper("arclean")

    def fold(char: str) -> str:
        if not char.isascii():
            char = unicodedata.normalize("NFKD", normalize_unicode(char))
            char = "".join(c for c in char if unicodedata.category(c) not in _DROPPED_CATEGORIES)
            char = "".join(c if c.isascii() else clean(c) for c in char if c != _TATWEEL)
        char = normalize_teh_marbuta_ar(normalize_alef_maksura_ar(normalize_alef_ar(char)))
        return "".join(" " if c.isspace() else c for c in char.casefold())

    def closed(char: str) -> str:
        seen = char
        while (folded := "".join(map(fold, seen))) != seen:
            seen = folded
        return seen

    table = Table()
    for code in range(0x110000):
        char = chr(code)
        category = unicodedata.category(char)
        if category in _DROPPED_CATEGORIES:
            table[char] = ""
        # Scripts of articles: up to the CJK symbols, and the compatibility forms. Ideographs,
        # Hangul and the astral planes stand as they are.
        elif (code < 0x3100 or 0xFB00 <= code <= 0xFFFF) and category not in {"Cn", "Cs", "Co"}:
            folded = closed(char)
            if folded != char:
                table[char] = folded
    return table


def normalise(text: str, table: Table | None = None) -> Normalised:
    """Normalise ``text`` with ``table`` (default: :func:`default_table`).

    White space is folded to single blanks and trimmed. Idempotent on its own output.

    >>> normalise("  إلى الأمــام ٢٠٢٤ ").text
    'الي الامام 2024'
    >>> normalise("").text
    ''
    """
    table = default_table() if table is None else table
    if table.native:
        return Normalised(*table.native.normalise(text))
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for i, char in enumerate(text):
        mapped = table.get(char, char)
        if not mapped:
            if out and out[-1] != " ":
                ends[-1] = i + 1
            continue
        for piece in mapped:
            if piece == " " and (not out or out[-1] == " "):
                continue
            out.append(piece)
            starts.append(i)
            ends.append(i + 1)
    if out and out[-1] == " ":
        del out[-1], starts[-1], ends[-1]
    return Normalised("".join(out), starts, ends)


# Format characters: they can turn the order of a page or a figure.
_FORMAT_CHARACTERS = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def clean(text: str) -> str:
    """Text without format characters, which could turn the order of a page or a figure.

    >>> clean("محور\\u202e جديد")
    'محور جديد'
    """
    return _FORMAT_CHARACTERS.sub("", text)


class Finding(NamedTuple):
    """Something unclean in a text: what, and at which original offset."""

    what: str
    start: int


_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def findings(text: str) -> Iterator[Finding]:
    """What a corpus should not hold: replacement and control characters, overrides, odd forms.

    >>> [f.what for f in findings("محور\\ufffd")]
    ['replacement character U+FFFD']
    """
    for i, char in enumerate(text):
        category = unicodedata.category(char)
        if char == "\ufffd":
            yield Finding("replacement character U+FFFD", i)
        elif char in _BIDI_OVERRIDES:
            yield Finding(f"bidirectional control U+{ord(char):04X}", i)
        elif category in {"Cc", "Co", "Cn", "Cs"} and char not in "\n\t":
            yield Finding(f"control or unassigned character U+{ord(char):04X}", i)
        elif "\ufb50" <= char <= "\ufdfb" or "\ufe70" <= char <= "\ufefc":
            yield Finding(f"presentation form U+{ord(char):04X}", i)
