"""Stance and framing of Arabic passages on the Russia–North Korea alliance.

>>> import stance
>>> model = stance.load()
>>> model.classify(["وقع الجانبان في موسكو وثيقة من ثلاث وعشرين مادة."])[0]["framing"]
'none'
"""

from pathlib import Path
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["load", "passages"]

if TYPE_CHECKING:
    from stance.article import Article
    from stance.model import Model


def load(path: str | Path | None = None) -> "Model":
    """The model in the file ``path``, or the one that ships with the package.

    Raises :class:`~stance.text.InputError` for a file that is missing, altered or no model.
    """
    from stance import storage

    return storage.read(None if path is None else Path(path))


def passages(article: "str | Path | Article") -> list[str]:
    """The passages of an article: a path to a ``.txt`` or ``.html`` file, or a read article.

    Headings, bylines, link lists, captions and boilerplate are left out. A plain string is a path;
    for text in memory use :func:`stance.article.from_text` first.
    """
    from stance import article as articles

    if not isinstance(article, articles.Article):
        article = articles.read(Path(article))
    return [article.block_text(block) for block in article.passages]
