"""Many documents → decision records: articles and tables in, one record a passage out.

Inputs are read twice: once to check every row before anything is written, and once to classify
them, a batch at a time, so that memory does not grow with the input.
"""

import errno
import functools
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TextIO

from stance import __version__, article, records, storage, voice
from stance.text import InputError, read_text

if TYPE_CHECKING:
    from concurrent.futures import Future

    from stance.model import Model

#: Standard input, where a path is expected.
STDIN = Path("-")
#: The kinds of file that can be classified.
KINDS = (*article.ARTICLES, *records.TABLES)

_BATCH = 256  # documents classified at once, or
_LARGEST_BATCH = 2**18  # characters


@dataclass(frozen=True)
class Recipe:
    """How passages are decided.

    ``model``: the file (default: the shipped one); ``prior``: task → label → share, as in
    :meth:`~stance.model.Model.with_prior`; ``explain``: add the words behind each label;
    ``articles``: a table's row is an article, not a passage. Small enough to be sent to any
    process, which opens the model file itself.
    """

    model: Path | None = None
    prior: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    explain: bool = False
    articles: bool = False

    def load(self) -> "Model":
        """The model under the prior; read once in a process as long as its file stays the same.

        Raises :class:`~stance.text.InputError` for what is no model, or a prior of other labels.
        """
        path = self.model or storage.SHIPPED
        stat = path.stat() if path.is_file() else None
        state = (stat.st_mtime_ns, stat.st_size) if stat else None
        return _loaded(self.model, json.dumps(self.prior), state)


@functools.lru_cache(maxsize=1)
def _loaded(path: Path | None, prior: str, state: object) -> "Model":
    return assume(storage.read(path), json.loads(prior))


def assume(model: "Model", prior: Mapping[str, Mapping[str, float]]) -> "Model":
    """The model under another class prior (task → label → share).

    Raises :class:`~stance.text.InputError` for a task or label that the model does not have.
    """
    for task, shares in prior.items():
        if task not in model.labels:
            raise InputError(
                f"prior: the model has no task {task!r}; it has {', '.join(model.labels)}"
            )
        model = model.with_prior(task, shares)
    return model


# --- documents: what stands in the inputs ---------------------------------------------------------


class Document(NamedTuple):
    """A passage, or an article that is still to be cut, as it stands in an input.

    ``where`` names it in errors; ``text`` is a path where the article is a file.
    """

    where: str
    id: str
    doc: str
    text: str | Path
    is_article: bool
    carried: Mapping[str, Any]


@dataclass(frozen=True)
class Unit:
    """A passage to classify: where it is from, its words, its holder, and carried-over columns."""

    id: str
    doc: str
    start: int
    end: int
    text: str
    holder: voice.Holder
    carried: Mapping[str, Any] = field(default_factory=dict)


def units(inputs: Sequence[Path], as_articles: bool = False) -> Iterator[Unit]:
    """Every passage of files, folders and standard input (``-``), in input order, one at a time.

    A ``.txt`` or ``.html`` file is one article; a row of a table is one passage, or one article
    with ``as_articles``. Raises :class:`~stance.text.InputError` where the reading comes to
    something that cannot be read.
    """
    for document in _documents(inputs, as_articles):
        yield from _cut(document)


def classify(
    model: "Model", passages: Iterable[Unit], explain: bool = False
) -> Iterator[dict[str, Any]]:
    """A decision record per passage, in order; a record never depends on its batch.

    No more than a batch is read ahead. Columns carried over whose name a record needs for itself
    are renamed ``input_NAME``.
    """
    left = iter(passages)
    while batch := list(itertools.islice(left, _BATCH)):
        yield from _decided(model, batch, explain)


def _decided(model: "Model", batch: Sequence[Unit], explain: bool) -> Iterator[dict[str, Any]]:
    decisions = model.classify([u.text for u in batch], explain)
    for unit, decision in zip(batch, decisions, strict=True):
        record = {
            "id": unit.id,
            "doc": unit.doc,
            "start": unit.start,
            "end": unit.end,
            "text": unit.text,
            "holder": unit.holder.name,
            "voice": {
                "name": unit.holder.full,
                "role": unit.holder.role,
                "kind": unit.holder.kind,
                "found": unit.holder.found,
            },
            **decision,
        }
        yield record | _carried_over(record, unit.carried)


def _carried_over(record: Mapping[str, Any], carried: Mapping[str, Any]) -> dict[str, Any]:
    """Carried-over columns under names that the record does not need for itself."""
    added: dict[str, Any] = {}
    for name, value in carried.items():
        head, _, inner = name.partition(".")  # "stance_p.favor" is a column of its own in a table
        taken = name in record or name in added or (inner and inner in record.get(head, ()))
        added[f"input_{name}" if taken else name] = value
    return added


def files(path: Path) -> list[Path]:
    """The files that an input stands for: itself, or those of a folder in name order.

    Raises :class:`~stance.text.InputError` where there is none, or none that can be classified.
    """
    if path == STDIN:
        return [path]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in KINDS and p.is_file())
        if not inside:
            raise InputError(
                f"{path}: no article or table in this folder; expected {', '.join(KINDS)}"
            )
        return inside
    if path.suffix.lower() not in KINDS:
        raise InputError(
            f"{path}: don't know {path.suffix or 'a file without ending'!r}; "
            f"expected {', '.join(KINDS)}"
        )
    if not path.is_file():
        raise InputError(f"{path}: no file that can be read twice; give it as standard input (-)")
    return [path]


def _documents(inputs: Sequence[Path], as_articles: bool) -> Iterator[Document]:
    for path in inputs:
        for file in files(path):
            if file == STDIN:
                yield from _standard_input(as_articles)
            elif file.suffix.lower() in article.ARTICLES:
                yield Document(str(file), file.name, file.name, file, True, {})
            else:
                yield from _table(records.rows(file), str(file), as_articles)


def _standard_input(as_articles: bool) -> Iterator[Document]:
    file, name = _spooled(sys.stdin), "standard input"
    first = next((s for line in records.lines(file, name) if (s := line.lstrip())), "")
    if first.startswith("{"):
        yield from _table(records.jsonl_rows(file, name), "-", as_articles)
    else:
        yield Document(name, "-", "-", "".join(records.lines(file, name)), True, {})


@functools.lru_cache(maxsize=1)
def _spooled(stream: TextIO) -> BinaryIO:
    """What a stream holds, in a temporary file that can be read again."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (it stays as long as the process)
    shutil.copyfileobj(stream.buffer, file)
    return file


def _table(
    rows: Iterator[tuple[int, dict[str, Any]]], where: str, as_articles: bool
) -> Iterator[Document]:
    name = Path(where).name
    number = 0
    for number, record in rows:
        if "text" not in record:
            raise InputError(
                f"{where}:{number}: no column 'text'; the row has {', '.join(map(str, record))}"
            )
        text = record["text"]
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{where}:{number}: 'text' is {text!r}; expected a non-empty string")
        identity = str(record.get("id") or f"{name}:{number}")
        doc = str(record.get("doc") or name)
        carried = {k: v for k, v in record.items() if k not in {"id", "doc", "text"}}
        if as_articles:
            doc = identity
        yield Document(f"{where}:{number}", identity, doc, text, as_articles, carried)
    if not number:
        raise InputError(f"{where}: no rows in it; expected one passage a row")


def _cut(document: Document) -> list[Unit]:
    """The passages of a document with their holders."""
    if not document.is_article:
        text = str(document.text)
        spans, texts = [(0, len(text))], [text]
        names = [document.id]
    else:
        spans, texts = _passages(document)
        names = [f"{document.id}:{n}" for n in range(1, len(texts) + 1)]
    return [
        Unit(name, document.doc, start, end, text, holder, document.carried)
        for name, (start, end), text, holder in zip(
            names, spans, texts, voice.holders(texts), strict=True
        )
    ]


def _passages(document: Document) -> tuple[list[tuple[int, int]], list[str]]:
    """Where an article's passages stand in its text, and their words."""
    if isinstance(document.text, Path):
        found = article.read(document.text)
    else:
        found = article.from_text(document.text, document.where)
    blocks = found.passages
    if not blocks:
        raise InputError(f"{found.name}: no passage in it, only headings or boilerplate")
    return [(b.start, b.end) for b in blocks], [found.block_text(b) for b in blocks]


# --- checking, deciding, writing ------------------------------------------------------------------


#: How calls are made: ``itertools.starmap`` for one after the other, or what :func:`workers` gives.
#: Results come in the order of the arguments, of which only a few are taken in advance.
Calls = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Iterator[Any]]


@dataclass(frozen=True)
class Checked:
    """What a first reading of the inputs tells: how many passages, and the form of the output."""

    passages: int
    layout: records.Layout


def check(
    inputs: Sequence[Path], recipe: Recipe, form: str, calls: Calls = itertools.starmap
) -> Checked:
    """Read all inputs once without deciding anything; ``form`` is that of the output.

    Raises :class:`~stance.text.InputError` for anything that cannot be read or written so.
    """
    example = _example(recipe.load(), recipe.explain)
    columns = records.Columns(form)
    columns.learn(example, "")
    plain = 0

    def articles() -> Iterator[Document]:
        nonlocal plain
        for document in _documents(inputs, recipe.articles):
            columns.learn(_carried_over(example, document.carried), document.where)
            if document.is_article:
                yield document
            else:
                plain += 1

    cut = sum(calls(_count, ((batch,) for batch in _batches(articles()))))
    return Checked(plain + cut, columns.layout())


@functools.lru_cache(maxsize=1)
def _example(model: "Model", explain: bool) -> dict[str, Any]:
    """A record with the keys and kinds of value that every record has."""
    return next(classify(model, [Unit("", "", 0, 0, "", voice.AUTHOR)], explain))


def _count(articles: Sequence[Document]) -> int:
    return sum(len(_passages(document)[0]) for document in articles)


def decide(
    inputs: Sequence[Path],
    recipe: Recipe,
    encode: Callable[[Iterator[dict[str, Any]]], Any],
    calls: Calls = itertools.starmap,
) -> Iterator[tuple[int, Any]]:
    """For each batch of passages, in order: how many, and what ``encode`` makes of their records.

    ``encode`` (``list``, or a layout's) runs where the batch is decided. No more than a few
    batches are read ahead.
    """
    batches = _batches(_documents(inputs, recipe.articles))
    return calls(_decide, ((batch, recipe, encode) for batch in batches))


def _decide(
    batch: Sequence[Document], recipe: Recipe, encode: Callable[[Iterator[dict[str, Any]]], Any]
) -> tuple[int, Any]:
    passages = [unit for document in batch for unit in _cut(document)]
    return len(passages), encode(classify(recipe.load(), passages, recipe.explain))


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        text = document.text
        size += text.stat().st_size if isinstance(text, Path) else len(text)
        if len(batch) == _BATCH or size >= _LARGEST_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


# --- processes ------------------------------------------------------------------------------------


@contextmanager
def workers(recipe: Recipe, jobs: int) -> Iterator[Calls]:
    """Processes that make calls side by side, each with the recipe's model opened once.

    Raises ``ChildProcessError`` where one of them dies.
    """
    if jobs == 1:
        yield itertools.starmap
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, (recipe,))

    def calls(function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        ahead: deque[Future[Any]] = deque()
        waiting = iter(arguments)
        first = list(itertools.islice(waiting, 2))
        if len(first) < 2:  # not worth a process
            yield from itertools.starmap(function, first)
            return
        for given in itertools.chain(first, waiting):
            ahead.append(pool.submit(function, *given))
            if len(ahead) > 2 * jobs:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    try:
        yield calls
    except BrokenProcessPool as error:
        what = "one of the processes died; is there memory enough for so many?"
        raise ChildProcessError(errno.ECHILD, what, f"--jobs {jobs}") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(recipe: Recipe) -> None:
    from multiprocessing import parent_process

    def follow() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the work
    threading.Thread(target=follow, daemon=True).start()  # also where it is killed
    recipe.load()


# --- parts: one output file for each input file ---------------------------------------------------

#: The file in a folder of parts that says what they are made of.
MANIFEST = "manifest.json"
_VERSION = "stance-parts-1"
_ANEW = "name another folder, or give the same inputs and options"


@dataclass(frozen=True)
class Part:
    """An input file and the output file that it gives; the latter's ending tells its form."""

    source: Path
    target: Path


def parts(inputs: Sequence[Path], output: Path, form: str = "parquet") -> list[Part]:
    """A part for each input file, folders walked in name order: ``output``/NAME.``form``.

    NAME is the file's, with the folders between it and the input that it is in. Files inside
    ``output`` are no input. Raises :class:`~stance.text.InputError` for what cannot be read, or
    two files of one name.
    """
    found: dict[Path, Part] = {}
    for path in inputs:
        if path == STDIN:
            raise InputError(f"{output}: standard input has no name to give a part; name a file")
        for source in files(path):
            if output.resolve() in source.resolve().parents:
                continue
            name = source.relative_to(path) if path.is_dir() else Path(source.name)
            target = output / name.with_name(f"{name.name}.{form}")
            if target in found:
                raise InputError(
                    f"{found[target].source} and {source} would both give {target}; "
                    "rename one, or name another folder for it"
                )
            found[target] = Part(source, target)
    return list(found.values())


def begin(
    parts: Sequence[Part],
    recipe: Recipe,
    output: Path,
    resume: bool,
    calls: Calls = itertools.starmap,
) -> list[Part]:
    """The parts that are still to do, all inputs checked and the manifest in its place.

    Half-written files that a killed run has left are removed. Raises
    :class:`~stance.text.InputError`, with nothing written, for bad input, a folder begun before
    (without ``resume``), or begun with other inputs, another model or other options.
    """
    manifest = output / MANIFEST
    found = _manifest(parts, recipe, output)
    if manifest.exists():
        if not resume:
            raise InputError(
                f"{manifest}: this folder was begun before; go on with --resume, "
                "or name another folder"
            )
        _refuse_difference(manifest, found)
        _remove_leftovers(parts, output)
        return [part for part in parts if not part.target.exists()]
    for part in parts:
        if part.target.exists():
            raise InputError(f"{part.target}: is there already; name another folder")
    for _ in calls(_check_part, ((part, recipe) for part in parts)):
        pass
    _remove_leftovers(parts, output)
    with storage.whole_file(manifest) as file:
        file.write((json.dumps(found, ensure_ascii=False, indent=1) + "\n").encode())
    return list(parts)


def _manifest(parts: Sequence[Part], recipe: Recipe, output: Path) -> dict[str, Any]:
    """What the outcome depends on."""
    return {
        "version": _VERSION,
        "stance": __version__,
        "model": storage.verify(recipe.model)["sha256"],
        "prior": dict(recipe.prior),
        "explain": recipe.explain,
        "articles": recipe.articles,
        "parts": {
            part.target.relative_to(output).as_posix(): part.source.stat().st_size for part in parts
        },
    }


def _refuse_difference(manifest: Path, wanted: Mapping[str, Any]) -> None:
    try:
        begun = json.loads(read_text(manifest))
        before, now = begun["parts"].items(), wanted["parts"].items()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{manifest}: no manifest of stance classify; {_ANEW}") from error
    for key, value in wanted.items():
        if key != "parts" and begun.get(key) != value:
            got = begun.get(key)
            raise InputError(f"{manifest}: begun with {key} {got!r}, now {value!r}; {_ANEW}")
    for name in sorted({name for name, _ in before ^ now}):
        sizes = [
            f"{p[name]} bytes" if name in p else "none" for p in (begun["parts"], wanted["parts"])
        ]
        raise InputError(f"{manifest}: the input of {name} was {sizes[0]}, now {sizes[1]}; {_ANEW}")


def _remove_leftovers(parts: Sequence[Part], output: Path) -> None:
    whole = {output / MANIFEST, *(part.target for part in parts)}
    for file in output.rglob(".*.*"):
        if file.with_name(file.stem[1:]) in whole:  # as storage.whole_file names it
            file.unlink()


def _check_part(part: Part, recipe: Recipe) -> Checked:
    return check([part.source], recipe, part.target.suffix[1:])


def classify_part(part: Part, recipe: Recipe, calls: Calls = itertools.starmap) -> int:
    """Classify the source of a part into its target, which appears whole or not at all.

    Returns the number of passages. The same source and recipe give the same bytes. Raises
    :class:`~stance.text.InputError` like :func:`check`.
    """
    layout = check([part.source], recipe, part.target.suffix[1:], calls).layout
    passages = 0
    with storage.whole_file(part.target) as file, layout.open(file) as write:
        for number, piece in decide([part.source], recipe, layout.encode, calls):
            write(piece)
            passages += number
    return passages


def classify_parts(parts: Sequence[Part], recipe: Recipe, jobs: int, calls: Calls) -> Iterator[int]:
    """Classify parts, ``jobs`` at once; the number of passages of each as it is done.

    A part that is a large share of the whole is shared by all processes, and comes first.
    """
    sizes = {part: part.source.stat().st_size for part in parts}
    fair = sum(sizes.values()) / (4 * jobs)
    by_size = sorted(parts, key=lambda part: -sizes[part])
    large = [part for part in by_size if jobs > 1 and sizes[part] > fair]
    for part in large:
        yield classify_part(part, recipe, calls)
    yield from calls(classify_part, ((part, recipe) for part in by_size[len(large) :]))


# --- reading decisions ----------------------------------------------------------------------------


def read_decisions(path: Path) -> list[dict[str, Any]]:
    """The records of a decisions file (jsonl) as written by ``stance classify``.

    Raises :class:`~stance.text.InputError` where a line is no decision record, or there is none.
    """
    found = []
    for number, record in records.rows(path):
        for key in ("id", "doc", "text", "stance", "stance_p", "stance_set"):
            if key not in record:
                raise InputError(
                    f"{path}:{number}: no {key!r}; expected a record made by "
                    "stance classify --format jsonl"
                )
        found.append(record)
    if not found:
        raise InputError(f"{path}: no records in it")
    return found
