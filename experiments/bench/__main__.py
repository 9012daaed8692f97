"""``python -m experiments.bench``: measure, and write result.json and README.md.

Sections can be run apart (``--only``): what they find is put into the result beside the others,
each under its own signature.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import stance
from experiments.bench import measure, sections
from experiments.bench.sections import SECTIONS, Options
from stance import corpus
from stance.storage import whole_file

HERE = Path(__file__).parent
_DEFAULT = Options()
#: Libraries that a section measures besides the package's own.
_LIBRARIES = {"scoring": ("fasttext-numpy2",)}


def signature(name: str, options: Options) -> str:
    """What the figures of a section depend on, in one line."""
    model = stance.load()
    settings = json.dumps(model.info["settings"], sort_keys=True)
    versions = measure.versions(*_LIBRARIES.get(name, ()))
    how = sections.described(options, name)
    return " ".join(
        [
            f"stance:{stance.__version__}",
            f"data:{corpus.data_hash(corpus.read([sections.PASSAGES]))}",
            f"settings:{hashlib.sha256(settings.encode()).hexdigest()[:8]}",
            f"model:{model.info['data']}",
            f"native:{'yes' if sections.native() else 'no'}",
            f"bench:{name}",
            *([how] if how else []),
            *(f"{library}:{version}" for library, version in versions.items()),
        ]
    )


def merged(result: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of a result with those found put in, in the order of the page."""
    every = {**result, **found}
    unknown = every.keys() - SECTIONS.keys()
    if unknown:
        raise ValueError(f"section {min(unknown)!r}; expected one of {', '.join(SECTIONS)}")
    return {name: every[name] for name in SECTIONS if name in every}


def page(result: Mapping[str, Any]) -> str:
    """The page about a result."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("readme.md.j2").render(
        sections=result, figure=written, machines=_machines(result)
    )


def written(value: Sequence[float]) -> str:
    """A figure as the page has it: the median and the spread.

    >>> written([1234.4, 1200.0, 1300.0]), written([0.5, 0.5, 0.5])
    ('1,234 [1,200, 1,300]', '0.50 [0.50, 0.50]')
    """
    digits = 0 if value[0] >= 100 else 1 if value[0] >= 10 else 2
    middle, low, high = (f"{v:,.{digits}f}" for v in value)
    return f"{middle} [{low}, {high}]"


def _machines(result: Mapping[str, Any]) -> dict[str, list[str]]:
    """Each machine in words → the sections measured on it."""
    found: dict[str, list[str]] = {}
    for name, section in result.items():
        m = section["machine"]
        words = f"{m['processor']}, {m['cores']} cores, {m['memory']} GiB, {m['system']}"
        found.setdefault(words, []).append(name)
    return found


def _numbers(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r}; expected numbers, a comma between") from None


def _chosen(_: click.Context, __: click.Parameter, value: str) -> list[str]:
    names = value.split(",")
    for name in names:
        if name not in SECTIONS:
            raise click.BadParameter(f"{name!r}; expected one of {', '.join(SECTIONS)}")
    return names


@click.command()
@click.option("--only", default=",".join(SECTIONS), show_default=True, callback=_chosen)
@click.option("--passages", default=_DEFAULT.passages, show_default=True, help="Scored in a round.")
@click.option("--rounds", default=_DEFAULT.rounds, show_default=True)
@click.option(
    "--sizes",
    default=",".join(map(str, _DEFAULT.sizes)),
    show_default=True,
    callback=_numbers,
    help="Passages of whole runs.",
)
@click.option("--largest", default=_DEFAULT.largest, show_default=True, help="Run once; 0: not.")
@click.option("--counted", default=_DEFAULT.counted, show_default=True, help="For instructions.")
@click.option("--share", default=0.0, help="Of the articles, to time cross-validation on.")
@click.option("--resumed", default=_DEFAULT.resumed, show_default=True, help="Passages, killed.")
@click.option(
    "--output", default=HERE, type=click.Path(path_type=Path, file_okay=False), help="A folder."
)
def main(only: Sequence[str], output: Path, **numbers: Any) -> None:
    """Measure the package and write result.json and README.md."""
    options = Options(**numbers)
    file = output / "result.json"
    for name in only:
        click.echo(f"{name} …", err=True)
        found = {
            name: {
                "signature": signature(name, options),
                "machine": measure.machine(),
                **SECTIONS[name](options),
            }
        }
        # after every section, so that a long run that is broken off leaves what it has
        before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        result = merged(before, found)
        with whole_file(file) as out:
            out.write((json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
        with whole_file(output / "README.md") as out:
            out.write(page(result).encode())


if __name__ == "__main__":
    main()
