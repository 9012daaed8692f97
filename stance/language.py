"""The words of pages and figures in English and Arabic.

Pages are written in English; ``languages/ar`` gives the Arabic of their phrases, a file a page.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

#: Language → the direction that it is written in.
LANGUAGES = {"en": "ltr", "ar": "rtl"}
#: Language → label → its name. Labels outside the codebook are shown as they are.
LABELS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "favor": "in favour",
        "against": "against",
        "neutral": "neutral",
        "unrelated": "unrelated",
        "convenience": "convenience",
        "axis": "axis",
        "mixed": "mixed",
        "none": "no frame",
    },
    "ar": {
        "favor": "مؤيد",
        "against": "معارض",
        "neutral": "محايد",
        "unrelated": "غير متصل",
        "convenience": "زواج مصلحة",
        "axis": "محور استراتيجي",
        "mixed": "مختلط",
        "none": "بلا تأطير",
    },
}


@cache
def phrases(language: str) -> Mapping[str, str]:
    """English phrase → the same in ``language``; empty for English itself.

    >>> phrases("ar")["passages"]
    'فقرات'
    """
    if language == "en":
        return {}
    found: dict[str, str] = {}
    for file in (files("stance") / "languages" / language).iterdir():
        found |= json.loads(file.read_text(encoding="utf-8"))
    return found


def translate(phrase: str, language: str) -> str:
    """A phrase of a page in ``language``.

    Raises :class:`KeyError` for a phrase that has no translation: a gap is a fault of the package.

    >>> translate("passages", "en"), translate("passages", "ar")
    ('passages', 'فقرات')
    """
    return phrase if language == "en" else phrases(language)[phrase]


def term(word: str, language: str) -> str:
    """A name that data bring along (a task, a baseline) in ``language``, where that knows it.

    >>> term("stance", "ar"), term("vaccine", "ar")
    ('الموقف', 'vaccine')
    """
    return phrases(language).get(word, word)
