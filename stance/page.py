"""What every page has: templates in two languages, and a folder that appears whole."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from stance import figures
from stance.language import LABELS, LANGUAGES, translate


def environment(language: str) -> Environment:
    """The templates of the pages, their phrases in ``language`` ("en" or "ar")."""
    made = Environment(
        loader=PackageLoader("stance"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    say = partial(translate, language=language)
    made.install_gettext_callables(  # type: ignore[attr-defined]
        say, lambda one, many, n: say(one if n == 1 else many), newstyle=True
    )
    made.policies["ext.i18n.trimmed"] = True
    made.globals |= {
        "language": language,
        "direction": LANGUAGES[language],
        "label": lambda name: LABELS[language].get(name, name),
        "colour": figures.colour,
    }
    return made


class Folder:
    """A folder whose files appear together when the block ends without error."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self) -> "Folder":
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.made = Path(tempfile.mkdtemp(dir=self.folder.parent, prefix=f".{self.folder.name}."))
        return self

    def write(self, name: str, text: str) -> None:
        """Write ``text`` to the file ``name``, which may stand in a subfolder."""
        path = self.made / name
        path.parent.mkdir(exist_ok=True)
        # half a surrogate pair, which JSON can hold, has no place in UTF-8
        path.write_bytes(text.encode("utf-8", "replace"))

    def write_decisions(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write the records that a page is about to ``decisions.jsonl``."""
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        self.write("decisions.jsonl", "".join(lines))

    def draw(self, named: Mapping[str, figures.Maker]) -> dict[str, str]:
        """Save each figure as SVG and PNG; name → data address of the SVG."""
        return figures.save(named, self.made / "figures")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            for source in sorted(self.made.rglob("*")):
                target = self.folder / source.relative_to(self.made)
                if source.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.replace(target)
        shutil.rmtree(self.made, ignore_errors=True)


def percent(share: float) -> str:
    """A share for a reader, never rounded to certainty.

    >>> percent(0.973), percent(0.9999), percent(0.0001)
    ('97%', '>99%', '<1%')
    """
    if share >= 0.995:
        return ">99%"
    return "<1%" if share < 0.005 else f"{share:.0%}"
