"""The command line: parse, call the library, render."""

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any, BinaryIO

import click

import stance
from stance.text import InputError

# Heavy modules are imported inside the commands: --help and errors in usage come at once.

FORMATS = ("table", "jsonl", "csv", "parquet")
_PATH = click.Path(path_type=Path)
_scheduler = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Work on the Dask cluster of this scheduler, e.g. tcp://host:8786 (stance[cluster]).",
)


class _Group(click.Group):
    """Bad input is one line on stderr and exit code 2; a full disk 1; a closed pipe 141."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            found = super().invoke(ctx)
            sys.stdout.flush()
            return found
        except InputError as error:
            click.echo(f"stance: {error}", err=True)
            ctx.exit(2)
        except BrokenPipeError:
            # what is left in the buffer has nowhere to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(141)
        except OSError as error:
            click.echo(f"stance: {error.filename or 'output'}: {error.strerror}", err=True)
            ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(stance.__version__, prog_name="stance")
def main() -> None:
    """Stance and framing of Arabic passages on the Russia–North Korea alliance."""


# --- classify -------------------------------------------------------------------------------------


@main.command()
@click.argument("inputs", nargs=-1, type=_PATH, metavar="[INPUT]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Default: a table on a terminal, jsonl otherwise.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(),
    metavar="FILE|FOLDER/",
    help="Write to this file instead of standard output; or, into a folder (one that exists, or "
    "a name that ends in /), a file for each input file.",
)
@click.option("--model", "model_path", type=_PATH, help="Default: the model in the package.")
@click.option("--explain", is_flag=True, help="Add the words behind each label ('because').")
@click.option("--articles", is_flag=True, help="A table's row is an article, not a passage.")
@click.option(
    "--prior",
    multiple=True,
    metavar="TASK:LABEL=SHARE",
    help="Assume another class prior, e.g. stance:neutral=2. Repeatable.",
)
@click.option("--jobs", "-j", default=1, show_default=True, help="Processes; -1 for all cores.")
@click.option("--resume", is_flag=True, help="Go on with a FOLDER/ that was begun before.")
@_scheduler
def classify(
    inputs: Sequence[Path],
    form: str | None,
    output: str | None,
    model_path: Path | None,
    explain: bool,
    articles: bool,
    prior: Sequence[str],
    jobs: int,
    resume: bool,
    scheduler: str | None,
) -> None:
    """Label passages by stance and framing.

    INPUT is an article (.txt, .html), a table with a column 'text' (.jsonl, .csv, .tsv, .parquet),
    a folder of these, or - for standard input. One record a passage, in input order.
    """
    from stance import scoring

    if not inputs:
        raise click.UsageError("name at least one INPUT, or - for standard input")
    if form is None:
        form = "table" if output is None and sys.stdout.isatty() else "jsonl"
    if form == "parquet" and output is None:
        raise click.UsageError("parquet is no text: name a file with --output")
    folder = output is not None and (output.endswith(("/", os.sep)) or Path(output).is_dir())
    if resume and not folder:
        raise click.UsageError("--resume needs a folder: --output FOLDER/")
    if scheduler and not folder:
        raise click.UsageError("--scheduler needs a folder: --output FOLDER/")
    if folder and form == "table":
        raise click.UsageError("a folder takes --format jsonl, csv or parquet")
    recipe = scoring.Recipe(model_path, _priors(prior), explain, articles)
    tasks = list(recipe.load().labels)
    if output is not None and scheduler:
        _classify_on_cluster(inputs, form, Path(output), recipe, resume, scheduler)
        return
    jobs = _processes(jobs)
    with scoring.workers(recipe, jobs) as calls:
        if output is not None and folder:
            _classify_parts(inputs, form, Path(output), recipe, resume, jobs, calls)
            return
        checked = scoring.check(inputs, recipe, form, calls)
        encode = list if form == "table" else checked.layout.encode
        shown = output is not None or not sys.stdout.isatty()
        with (
            _destination(Path(output) if output else None) as file,
            _table(file, tasks) if form == "table" else checked.layout.open(file) as write,
            _progress(checked.passages, "passage", shown) as done,
        ):
            for number, piece in scoring.decide(inputs, recipe, encode, calls):
                write(piece)
                done(number)


def _classify_parts(
    inputs: Sequence[Path],
    form: str,
    output: Path,
    recipe: Any,
    resume: bool,
    jobs: int,
    calls: Any,
) -> None:
    from stance import scoring

    parts = scoring.parts(inputs, output, form)
    left = scoring.begin(parts, recipe, output, resume, calls)
    passages = 0
    with _progress(len(parts), "file") as done:
        done(len(parts) - len(left))
        for number in scoring.classify_parts(left, recipe, jobs, calls):
            passages += number
            done(1)
    before = f"; {len(parts) - len(left)} were there" if len(left) < len(parts) else ""
    click.echo(f"wrote {len(left)} files, {passages} passages, to {output}{before}", err=True)


def _classify_on_cluster(
    inputs: Sequence[Path], form: str, output: Path, recipe: Any, resume: bool, scheduler: str
) -> None:
    from stance import cluster, scoring

    # the workers stand in other folders
    inputs = [path if path == scoring.STDIN else path.absolute() for path in inputs]
    recipe = replace(recipe, model=recipe.model and recipe.model.absolute())
    output = output.absolute()
    with cluster.workers(scheduler, recipe, output / scoring.MANIFEST) as calls:
        _classify_parts(inputs, form, output, recipe, resume, 1, calls)
    # once more, for what workers that were killed have left half-written
    scoring.begin(scoring.parts(inputs, output, form), recipe, output, resume=True)


def _processes(jobs: int) -> int:
    """How many processes --jobs asks for."""
    if jobs == 0 or jobs < -1:
        raise click.UsageError(f"--jobs {jobs}: expected 1 or more, or -1 for all cores")
    if jobs > 0:
        return jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _progress(total: int, unit: str, shown: bool = True) -> Iterator[Callable[[int], object]]:
    """A bar on stderr, where that is a terminal."""
    if not (shown and sys.stderr.isatty()):
        yield lambda number: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=f" {unit}s", unit_scale=total > 9999, smoothing=0.1) as bar:
        yield bar.update


def _priors(assumed: Sequence[str]) -> dict[str, dict[str, float]]:
    priors: dict[str, dict[str, float]] = {}
    for item in assumed:
        try:
            place, share = item.split("=")
            task, label = place.split(":")
            priors.setdefault(task, {})[label] = float(share)
        except ValueError:
            raise click.UsageError(
                f"--prior {item!r}: expected TASK:LABEL=SHARE, for example stance:neutral=2"
            ) from None
    return priors


@contextmanager
def _table(
    file: BinaryIO, tasks: Sequence[str]
) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """A table for the terminal; the Arabic column comes last, so that bidi cannot part columns.

    Gives the function that writes more records; below the last stand the counts.
    """
    width = max(60, shutil.get_terminal_size().columns)
    head = f"{'#':>3}  " + "".join(f"{task:<21}" for task in tasks) + "passage"
    counts: dict[str, Counter[str]] = {task: Counter() for task in tasks}
    doc = None
    n = doubtful = 0

    def write(records: Sequence[Mapping[str, Any]]) -> None:
        nonlocal doc, n, doubtful
        lines: list[str] = []
        for record in records:
            n += 1
            if record["doc"] != doc:
                lines += [""] if doc is not None else []
                doc = record["doc"]
                lines += [f"{doc}", head]
            lines.append(_table_row(n, record, tasks, width))
            doubtful += any(len(record[f"{task}_set"]) > 1 for task in tasks)
            for task in tasks:
                counts[task][record[task]] += 1
        file.write("".join(f"{line}\n" for line in lines).encode())

    yield write
    lines = [""]
    for task in tasks:
        lines.append(f"{task}: " + ", ".join(f"{k} {c}" for k, c in counts[task].most_common()))
    if doubtful:
        lines.append(f"? read this one yourself: {doubtful} of {n} passages")
    file.write("".join(f"{line}\n" for line in lines).encode())


def _table_row(n: int, record: Mapping[str, Any], tasks: Sequence[str], width: int) -> str:
    cells = ""
    for task in tasks:
        label = record[task]
        doubt = " ?" if len(record[f"{task}_set"]) > 1 else ""
        cell = f"{label} {record[f'{task}_p'][label]:.2f}{doubt}"
        cells += f"{cell:<21}"
    holder = f"[{record['holder']}] " if record["holder"] else ""
    room = max(20, width - 5 - len(cells))
    passage = holder + " ".join(record["text"].split())
    clipped = passage if len(passage) <= room else passage[: room - 1] + "…"
    return f"{n:>3}  {cells}{clipped}"


def _emit(data: bytes, output: Path | None) -> None:
    with _destination(output) as file:
        file.write(data)


@contextmanager
def _destination(output: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears whole."""
    from stance import storage

    if output is None:
        # sys.stdout may be unbuffered, and then write only a part without saying so.
        with open(sys.stdout.fileno(), "wb", closefd=False) as out:
            yield out
        return
    with storage.whole_file(output) as file:
        yield file
    click.echo(f"wrote {output}", err=True)


# --- segment --------------------------------------------------------------------------------------


@main.command()
@click.argument("inputs", nargs=-1, required=True, type=_PATH, metavar="INPUT...")
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "jsonl", "text")),
    help="Default: a table on a terminal, jsonl otherwise; text: what offsets refer to.",
)
def segment(inputs: Sequence[Path], form: str | None) -> None:
    """Show how an article is cut: each block with its kind and code-point offsets."""
    from stance import article

    form = form or ("table" if sys.stdout.isatty() else "jsonl")
    found = [article.read(path) for path in inputs]
    for one in found:
        if form == "text":
            click.echo(one.text, nl=not one.text.endswith("\n"))
            continue
        for block in one.blocks:
            text = one.block_text(block)
            if form == "table":
                line = " ".join(text.split())
                click.echo(f"{block.start:>6} {block.end:>6}  {block.kind:<12} {line[:80]}")
            else:
                record = {"doc": one.name, **vars(block), "text": text}
                click.echo(json.dumps(record, ensure_ascii=False))


# --- train and evaluate ---------------------------------------------------------------------------

_folds = click.option("--folds", default=5, show_default=True, type=click.IntRange(2))
_settings = click.option(
    "--settings",
    "settings_path",
    type=_PATH,
    help="Settings file (JSON). Default: the package's own.",
)
_tasks = click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="COLUMN",
    help="Label column; repeatable. Default: stance and framing.",
)
_group_by = click.option(
    "--group",
    default="doc",
    show_default=True,
    metavar="COLUMN",
    help="Passages with the same value are never parted by a fold.",
)
_lexicons = click.option(
    "--lexicons",
    type=_PATH,
    help="Folder of lexicon files. Default: DATA/lexicons, else those of the package's model.",
)
_jobs = click.option(
    "--jobs", "-j", default=-1, show_default=True, help="Processes; -1 for all cores."
)


@main.command()
@click.argument("data", nargs=-1, required=True, type=_PATH, metavar="DATA...")
@click.option("--output", "-o", required=True, type=_PATH, metavar="MODEL", help="The model file.")
@_settings
@_tasks
@_group_by
@_lexicons
@_jobs
def train(
    data: Sequence[Path],
    output: Path,
    settings_path: Path | None,
    tasks: Sequence[str],
    group: str,
    lexicons: Path | None,
    jobs: int,
) -> None:
    """Train a model on labelled passages (files or folders) and write it to MODEL."""
    from stance import evaluation, storage, text

    passages, settings, lexicon = _training(data, settings_path, tasks, group, lexicons)
    model = evaluation.train(passages, settings, lexicon, text.default_table(), jobs)
    storage.write(model, output)
    for task, head in model.heads.items():
        click.echo(f"{task}: C={head.C:g} temperature={head.temperature:.3f}", err=True)
    click.echo(f"trained on {model.info['passages']} passages, wrote {output}", err=True)


@main.command()
@click.argument("data", nargs=-1, type=_PATH, metavar="[DATA]...")
@click.option(
    "--report",
    "folder",
    type=_PATH,
    metavar="DIR",
    help="Write result.json, report and figures here.",
)
@click.option(
    "--model", "model_path", type=_PATH, help="Evaluate this trained model (with --test)."
)
@click.option(
    "--test",
    "tests",
    multiple=True,
    type=_PATH,
    metavar="FILE",
    help="Held-out labelled passages; repeatable.",
)
@click.option(
    "--against",
    type=_PATH,
    metavar="MODEL",
    help="Another model to compare with (with --test), by the name of its file.",
)
@click.option("--split", metavar="NAME", help="Of the held-out passages, only those of this split.")
@_folds
@click.option("--repeats", default=2, show_default=True, type=click.IntRange(1))
@_settings
@_tasks
@_group_by
@_lexicons
@_jobs
@_scheduler
def evaluate(
    data: Sequence[Path],
    folder: Path | None,
    model_path: Path | None,
    tests: Sequence[Path],
    against: Path | None,
    split: str | None,
    folds: int,
    repeats: int,
    settings_path: Path | None,
    tasks: Sequence[str],
    group: str,
    lexicons: Path | None,
    jobs: int,
    scheduler: str | None,
) -> None:
    """Cross-validate on DATA, or measure a trained model on held-out passages (--test).

    A challenge set (columns phenomenon, pair, relation) is also reported by phenomenon.
    """
    from stance import challenge, corpus, evaluation, report, tables, text

    if bool(data) == bool(tests):
        raise click.UsageError("name either DATA (cross-validation) or --test FILE (held-out)")
    if tests:
        if scheduler:
            raise click.UsageError("--scheduler goes with cross-validation, not with --test")
        model = stance.load(model_path)
        passages = _held_out(
            corpus.read(_passage_paths(tests), tasks or tuple(model.labels), group), split
        )
        for task, labels in model.labels.items():
            odd = {p.labels[task] for p in passages} - set(labels)
            if odd:
                raise InputError(
                    f"{task}: the test has {', '.join(sorted(odd))}; the model knows "
                    f"{', '.join(labels)}"
                )
        others = _others(against, model)
        records = model.classify([p.text for p in passages])
        result = evaluation.held_out(model, passages, others, records)
        if challenge.is_challenge(passages):
            result = replace(result, phenomena=challenge.by_phenomenon(passages, records))
    else:
        for option, value in (
            ("--model", model_path),
            ("--against", against),
            ("--split", split),
        ):
            if value:
                raise click.UsageError(f"{option} goes with --test, not with cross-validation")
        passages, settings, lexicon = _training(data, settings_path, tasks, group, lexicons)
        table = text.default_table()
        with _cluster(scheduler, passages, lexicon, table):
            result = evaluation.cross_validate(
                passages,
                settings,
                lexicon,
                table,
                folds,
                repeats,
                jobs,
                progress=sys.stderr.isatty(),
            )
    click.echo(tables.table(result), nl=False)
    if folder:
        report.write_evaluation(result, folder)
        click.echo(f"wrote {folder / 'index.html'}", err=True)


def _cluster(scheduler: str | None, *shared: object) -> AbstractContextManager[None]:
    """What joblib does within the block is done by this scheduler's cluster, if there is one."""
    if scheduler is None:
        return nullcontext()
    from stance import cluster

    return cluster.folds(scheduler, shared)


def _others(path: Path | None, model: Any) -> dict[str, Any]:
    """The model to compare with, under the name of its file."""
    if path is None:
        return {}
    other = stance.load(path)
    if other.labels != model.labels:
        raise InputError(f"{path}: its labels are {other.labels}, the model's {model.labels}")
    name = path.stem.replace("-", " ")
    return {f"other {name}" if name in ("model", "majority", "keywords") else name: other}


def _held_out(passages: Sequence[Any], split: str | None) -> list[Any]:
    """Those of a split (all, without one) whose label is not disputed."""
    from stance import corpus

    found = [p for p in passages if split is None or p.meta.get("split") == split]
    if not found:
        raise InputError(f"--split {split}: no passage of this split")
    clear = [p for p in found if not corpus.disputed(p)]
    _tell_left_out(len(found) - len(clear), "disputed")
    return clear


def _training(
    data: Sequence[Path],
    settings_path: Path | None,
    tasks: Sequence[str],
    group: str,
    lexicons: Path | None,
) -> tuple[Any, Any, Any]:
    """Passages, settings and lexicon, from what train and evaluate were given."""
    from stance import corpus

    found = corpus.read(_passage_paths(data), tasks or tuple(corpus.LABELS), group)
    passages = corpus.learnable(found)
    _tell_left_out(len(found) - len(passages), "disputed or of the split 'test'")
    if not passages:
        raise InputError("every passage is disputed or of the split 'test'; nothing to learn from")
    settings = _load_settings(settings_path, passages)
    return passages, settings, _load_lexicon(settings, data, lexicons)


def _tell_left_out(n: int, why: str) -> None:
    if n:
        click.echo(f"left out: {n} passages, {why}", err=True)


def _passage_paths(data: Sequence[Path]) -> list[Path]:
    """DATA with folders that hold ``passages`` or ``sentences`` narrowed to those."""
    found: list[Path] = []
    for path in data:
        inside = [path / name for name in ("passages", "sentences") if (path / name).is_dir()]
        found += inside or [path]
    return found


def _load_settings(path: Path | None, passages: Sequence[Any]) -> Any:
    from stance.model import Settings

    source = path or Path(__file__).with_name("default.json")
    data = _json(source)
    if path is None:  # the package's priors speak of its own tasks only
        data["prior"] = {t: p for t, p in data["prior"].items() if t in passages[0].labels}
    return Settings.from_json(data, str(source))


def _lexicon_files(data: Sequence[Path]) -> list[Path]:
    return sorted(f for d in data for f in (d / "lexicons").glob("*.json"))


def _load_lexicon(settings: Any, data: Sequence[Path], folder: Path | None) -> Any:
    from stance import lexicon
    from stance.model import needs_lexicon

    if not needs_lexicon(settings.features):
        return None
    files = sorted(folder.glob("*.json")) if folder else _lexicon_files(data)
    if files:
        return lexicon.read(files)
    if folder:
        raise InputError(f"{folder}: no lexicon file (*.json) in it")
    return stance.load().lexicon


# --- prevalence -----------------------------------------------------------------------------------


@main.command()
@click.argument("decisions", type=_PATH, metavar="DECISIONS")
@click.option(
    "--by", default="", metavar="COLUMN", help="Also by COLUMN, or by month (of date) or speaker."
)
@click.option(
    "--task", "tasks", multiple=True, metavar="TASK", help="Repeatable. Default: all there are."
)
@click.option(
    "--model", "model_path", type=_PATH, help="The model that decided. Default: the package's."
)
@click.option(
    "--prior", multiple=True, metavar="TASK:LABEL=SHARE", help="As it was given to classify."
)
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True
)
def prevalence(
    decisions: Path,
    by: str,
    tasks: Sequence[str],
    model_path: Path | None,
    prior: Sequence[str],
    form: str,
) -> None:
    """What share of a collection has each label, corrected for the classifier's errors.

    DECISIONS is a .jsonl from classify. Every share stands as counted, as the mean of the
    probabilities, and as the likeliest mixture behind them, with 95% intervals over articles.
    """
    from stance import prevalence as shares
    from stance import scoring, tables

    records = scoring.read_decisions(decisions)
    found = shares.survey(
        records,
        _assumed(scoring.assume(stance.load(model_path), _priors(prior)), records),
        tasks,
        by,
    )
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        click.echo(tables.prevalence_table(found), nl=False)


def _assumed(model: Any, records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Task → label → weight in the mixture that the model's probabilities of records assume.

    A task that the model does not know is left out.
    """
    return {
        task: dict(zip(head.labels, (round(exp(w), 9) for w in head.log_prior), strict=True))
        for task, head in model.heads.items()
        if set(records[0].get(f"{task}_p", ())) == set(head.labels)
    }


# --- report ---------------------------------------------------------------------------------------


@main.command()
@click.argument("sources", nargs=-1, required=True, type=_PATH, metavar="INPUT [RESULT]")
@click.option("--output", "-o", type=_PATH, required=True, metavar="DIR", help="Where to write.")
@click.option(
    "--model",
    "model_path",
    type=_PATH,
    help="For an article: the model to read it with; for decisions: the one that made them.",
)
@click.option(
    "--audit", "audit_path", type=_PATH, help="For an evaluation: an audit.json to add to it."
)
@click.option(
    "--lang",
    "language",
    type=click.Choice(("en", "ar")),
    default="en",
    show_default=True,
    help="Language of the page.",
)
def report(
    sources: Sequence[Path],
    output: Path,
    model_path: Path | None,
    audit_path: Path | None,
    language: str,
) -> None:
    """Write a page with figures about INPUT.

    INPUT is a result.json (an evaluation), a decisions file (.jsonl from classify), or an article
    (.txt, .html), which is classified first. Two results on the same passages are compared: what
    changed from the first to the second.
    """
    from stance import article, article_page, corpus_page, scoring
    from stance import report as reports

    source = sources[0]
    if len(sources) > 1:
        _compare(sources, output, audit_path, language)
    elif source.suffix == ".json":
        result = _result(source)
        found = _json(audit_path) if audit_path else None
        if found is not None and not (isinstance(found, dict) and "systems" in found):
            raise InputError(f"{audit_path}: no audit.json of stance audit")
        reports.write_evaluation(result, output, found, language)
    elif source.suffix == ".jsonl":
        records = scoring.read_decisions(source)
        priors = _assumed(stance.load(model_path), records)
        corpus_page.write(records, output, language, priors)
    elif source.suffix.lower() in article.ARTICLES:
        model = stance.load(model_path)
        records = list(scoring.classify(model, scoring.units([source]), explain=True))
        decided_by = {"name": model_path.name if model_path else "", **model.info}
        article_page.write(records, output, article.read(source), language, decided_by)
    else:
        raise InputError(
            f"{source}: don't know {source.suffix!r}; expected a result.json, a decisions .jsonl, "
            f"or an article ({', '.join(article.ARTICLES)})"
        )
    click.echo(f"wrote {output / 'index.html'}", err=True)


def _result(path: Path) -> Any:
    from stance import evaluation

    try:
        return evaluation.Result.from_json(_json(path))
    except (TypeError, AttributeError) as error:
        raise InputError(f"{path}: no result of stance evaluate ({error})") from error


def _compare(paths: Sequence[Path], output: Path, audit: Path | None, language: str) -> None:
    from stance import comparison, report

    if len(paths) > 2 or any(p.suffix != ".json" for p in paths):
        raise click.UsageError(
            f"{len(paths)} inputs; expected one, or two results (result.json) to compare"
        )
    if audit:
        raise click.UsageError("--audit goes with one evaluation, not with a comparison")
    # The files of both are mostly called result.json: their folders tell them apart.
    names = [p.parent.name if p.stem == "result" and p.parent.name else p.stem for p in paths]
    first, second = names if names[0] != names[1] else map(str, paths)
    found = comparison.compare(_result(paths[0]), _result(paths[1]), (first, second))
    report.write_comparison(found, output, language)


# --- corpus ---------------------------------------------------------------------------------------


@main.group(name="corpus")
def corpus_group() -> None:
    """Check and describe a labelled corpus."""


@corpus_group.command()
@click.argument("data", nargs=-1, required=True, type=_PATH, metavar="DATA...")
@_tasks
def check(data: Sequence[Path], tasks: Sequence[str]) -> None:
    """Validate passages and lexicons; exit code 1 where something is wrong.

    Where DATA holds a quotas.json, its bounds are checked, and every count is printed.
    """
    from stance import corpus, lexicon

    passages = corpus.read(_passage_paths(data), tasks or tuple(corpus.LABELS))
    files = _lexicon_files(data)
    cues = lexicon.read(files).categories if files else {}
    problems = corpus.check(passages)
    for problem in problems:
        click.echo(f"{problem.where}: {problem.what}")
    unmet = 0
    for file in (d / "quotas.json" for d in data if (d / "quotas.json").is_file()):
        for quota in corpus.quotas(passages, _json(file), str(file)):
            unmet += not quota.met
            click.echo(_quota_line(quota))
    entries = sum(len(c.entries) for c in cues.values())
    click.echo(
        f"{len(passages)} items, {len(cues)} categories with {entries} cues: "
        f"{len(problems)} problems" + (f", {unmet} bounds not kept" if unmet else "")
    )
    if problems or unmet:
        raise click.exceptions.Exit(1)


def _quota_line(quota: Any) -> str:
    def number(value: float) -> str:
        return f"{value:.4f}" if isinstance(value, float) else f"{value}"

    bound = f"at least {quota.least:g}" if quota.most == float("inf") else f"at most {quota.most:g}"
    kept = "kept" if quota.met else "NOT KEPT"
    return f"{quota.name:<24} {number(quota.got):>8}   {bound:<16} {kept}"


def _json(path: Path) -> Any:
    from stance.text import read_text

    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error


@corpus_group.command()
@click.argument("data", nargs=-1, required=True, type=_PATH, metavar="DATA...")
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True
)
@click.option("--report", "folder", type=_PATH, metavar="DIR", help="Write tables, figures here.")
@_tasks
def stats(data: Sequence[Path], form: str, folder: Path | None, tasks: Sequence[str]) -> None:
    """Count passages, labels, outlets, dates, repetition, and what each lexicon category finds."""
    from stance import audit, corpus, lexicon, report, tables

    passages = corpus.read(_passage_paths(data), tasks or tuple(corpus.LABELS))
    found = corpus.stats(passages)
    files = _lexicon_files(data)
    if files:
        found["categories"] = audit.categories(passages, lexicon.read(files))
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        click.echo(tables.stats_table(found), nl=False)
    if folder:
        report.write_stats(found, folder)
        click.echo(f"wrote {folder / 'stats.md'}", err=True)


# --- agreement and audit --------------------------------------------------------------------------


@main.command()
@click.argument("labels", nargs=-1, required=True, type=_PATH, metavar="LABELS...")
@click.option(
    "--raters",
    metavar="A,B,...",
    help="Compare the columns TASK_A, TASK_B, … within LABELS. Default: each file is a rater.",
)
@click.option("--by", default="", metavar="COLUMN", help="Also apart for each value of COLUMN.")
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True
)
@click.option("--output", "-o", type=_PATH, help="Write the JSON to this file as well.")
@_tasks
@_group_by
def agreement(
    labels: Sequence[Path],
    raters: str | None,
    by: str,
    form: str,
    output: Path | None,
    tasks: Sequence[str],
    group: str,
) -> None:
    """How far readers agree: Krippendorff's alpha with intervals, overall and label by label.

    LABELS are files of labelled passages, one a reader, matched by id; or, with --raters, files
    whose records hold every reader's label.
    """
    from stance import agreement as agreements
    from stance import corpus, tables

    wanted = tasks or tuple(corpus.LABELS)
    if raters is None and len(labels) < 2:
        raise click.UsageError("name two files or more, or the columns to compare with --raters")
    found = {}
    if raters:
        passages = corpus.read(_passage_paths(labels), wanted, group)
        for task in wanted:
            columns = agreements.from_columns(passages, task, raters.split(","), by)
            found[task] = agreements.measure(columns)
    else:
        files = {str(path): corpus.read([path], wanted, group) for path in labels}
        for task in wanted:
            found[task] = agreements.measure(agreements.from_files(files, task, by))
    data = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    click.echo(data if form == "json" else tables.agreement_table(found), nl=False)
    if output:
        _emit(data.encode(), output)


@main.command()
@click.argument("data", nargs=-1, required=True, type=_PATH, metavar="DATA...")
@click.option("--report", "folder", type=_PATH, metavar="DIR", help="Write audit.json, audit.md.")
@click.option(
    "--entities",
    type=_PATH,
    metavar="FILE",
    help="Names to mask, in the format of a lexicon. Default: DATA/entities.json.",
)
@_folds
@_settings
@_tasks
@_group_by
@_lexicons
@_jobs
def audit(
    data: Sequence[Path],
    folder: Path | None,
    entities: Path | None,
    folds: int,
    settings_path: Path | None,
    tasks: Sequence[str],
    group: str,
    lexicons: Path | None,
    jobs: int,
) -> None:
    """What a corpus gives away: how well shortcuts predict its labels, and which words do."""
    from stance import audit as audits
    from stance import lexicon as lexicon_
    from stance import report, tables, text

    passages, settings, lexicon = _training(data, settings_path, tasks, group, lexicons)
    files = [entities] if entities else [d / "entities.json" for d in data]
    files = [f for f in files if entities or f.is_file()]
    names = lexicon_.read(files) if files else None
    found = audits.audit(passages, settings, lexicon, text.default_table(), names, folds, jobs)
    click.echo(tables.audit_table(found), nl=False)
    if folder:
        report.write_audit(found, folder)
        click.echo(f"wrote {folder / 'audit.md'}", err=True)


# --- model ----------------------------------------------------------------------------------------


@main.group(name="model")
def model_group() -> None:
    """Look into a model file."""


_model_file = click.argument("path", required=False, type=_PATH, metavar="[MODEL]")


@model_group.command()
@_model_file
def info(path: Path | None) -> None:
    """Print labels, settings, data hash and versions of MODEL (default: the shipped one)."""
    model = stance.load(path)
    heads = {
        task: {"labels": h.labels, "C": h.C, "temperature": round(h.temperature, 4)}
        for task, h in model.heads.items()
    }
    columns = Counter(c.split(":", 1)[0] for c in model.features.columns())
    click.echo(
        json.dumps(
            {"heads": heads, "columns": dict(columns), **model.info}, ensure_ascii=False, indent=1
        )
    )


@model_group.command()
@_model_file
def verify(path: Path | None) -> None:
    """Check that MODEL is whole and unaltered, and print its digest."""
    from stance import storage

    found = storage.verify(path)
    click.echo(f"{found['file']}: whole, {found['bytes']} bytes, sha256 {found['sha256']}")
