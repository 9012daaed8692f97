"""A Result or decision records → pages, Markdown and files. Never refits anything."""

import html
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from stance import figures, prevalence, tables
from stance.language import LABELS, LANGUAGES, translate
from stance.text import clean

if TYPE_CHECKING:
    from stance.article import Article
    from stance.evaluation import Result

_TELLING_WORDS = 8


def write_evaluation(
    result: "Result",
    folder: Path,
    audit: Mapping[str, Any] | None = None,
    language: str = "en",
) -> None:
    """Write ``index.html``, ``report.md``, ``result.json`` and figures (SVG, PNG) to ``folder``.

    ``audit``, of ``stance audit``, adds a section on what the corpus gives away. The files appear
    together, when all of them are made.
    """
    drawn: dict[str, figures.Maker] = {}
    for task, found in result.tasks.items():
        drawn[f"{task}-confusion"] = partial(figures.confusion, task, found)
        drawn[f"{task}-per-class"] = partial(figures.per_class, task, found)
        drawn[f"{task}-reliability"] = partial(figures.reliability, task, found)
        if "risk_coverage" in found:
            drawn[f"{task}-risk-coverage"] = partial(figures.risk_coverage, task, found)
        if task in result.top_features:
            top = result.top_features[task]
            drawn[f"{task}-top-features"] = partial(figures.top_features, task, top)
    if result.learning_curve:
        drawn["learning-curve"] = partial(figures.learning_curve, result)
    if audit:
        drawn["audit"] = partial(figures.audit, audit)
    with _Folder(folder) as out:
        images = out.draw(drawn)
        out.write(
            "index.html",
            environment(language)
            .get_template("evaluation.html")
            .render(
                result=result,
                audit=audit,
                images=images,
                names=tables.NAMES,
                columns=tables.phenomenon_columns(result),
                figure=tables.interval,
                arabic=LABELS["ar"],
            ),
        )
        text = f"# Evaluation: {result.kind}\n\n" + tables.markdown(result)
        if audit:
            text += "\n## What the corpus gives away\n\n" + tables.audit_markdown(audit)
        out.write("report.md", text)
        out.write("result.json", json.dumps(result.to_json(), ensure_ascii=False, indent=1) + "\n")


def write_audit(found: Mapping[str, Any], folder: Path) -> None:
    """Write ``audit.md``, ``audit.json`` and a figure to ``folder``."""
    with _Folder(folder) as out:
        out.draw({"audit": partial(figures.audit, found)})
        out.write("audit.md", "# Audit\n\n" + tables.audit_markdown(found))
        out.write("audit.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def write_stats(found: Mapping[str, Any], folder: Path) -> None:
    """Write ``stats.md``, ``stats.json`` and figures to ``folder``."""
    with _Folder(folder) as out:
        out.draw(
            {"labels": partial(figures.combinations, found), "kinds": partial(figures.kinds, found)}
        )
        text = "# Corpus\n\n```\n" + tables.stats_table(found) + "```\n"
        if "categories" in found:
            text += "\n## Lexicon categories\n\n" + tables.categories_markdown(found["categories"])
        out.write("stats.md", text)
        out.write("stats.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def write_differences(
    rows: Sequence[Mapping[str, Any]], text: str, folder: Path, name: str = "README.md"
) -> None:
    """Write ``text`` to ``name`` and ``figures/differences`` of experiments to ``folder``.

    ``rows``: one an experiment, with ``what`` and, by task, the ``difference`` to the default.
    """
    with _Folder(folder) as out:
        out.draw({"differences": partial(figures.differences, rows)})
        out.write(name, text)


def write_decisions(
    records: Sequence[Mapping[str, Any]],
    folder: Path,
    article: "Article | None" = None,
    language: str = "en",
) -> None:
    """Write a page about decision records to ``folder``: ``index.html``, ``decisions.jsonl``,
    figures.

    With ``article``, the page shows the whole article, what is no passage in grey.
    """
    tasks = [key.removesuffix("_p") for key in records[0] if key.endswith("_p")]
    drawn = {
        "labels": partial(figures.label_counts, records, tasks),
        "course": partial(figures.course, records, tasks),
    }
    by_start = {r["start"]: r for r in records} if article else {}
    blocks: list[dict[str, Any]] = []
    if article:
        for part in article.blocks:
            record = by_start.get(part.start) if part.kind == "passage" else None
            text = clean(article.block_text(part))
            blocks.append({"kind": part.kind, "text": text, "record": record})
    else:
        blocks = [{"kind": "passage", "text": clean(r["text"]), "record": r} for r in records]
    for block in blocks:
        if block["record"]:
            block["html"] = _marked(block["record"])
    counts = {task: Counter(r[task] for r in records) for task in tasks}
    with _Folder(folder) as out:
        images = out.draw(drawn)
        title = clean(article.title) if article else ""
        out.write(
            "index.html",
            environment(language)
            .get_template("decisions.html")
            .render(
                title=title or ", ".join(dict.fromkeys(r["doc"] for r in records)),
                blocks=blocks,
                tasks=tasks,
                counts=counts,
                n=len(records),
                doubtful=sum(any(len(r[f"{t}_set"]) > 1 for t in tasks) for r in records),
                images=images,
                arabic=LABELS["ar"],
                colour=figures.colour,
            ),
        )
        out.write(
            "decisions.jsonl",
            "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records),
        )


#: What stands on the page of a collection at most; its CSV files hold all.
_ROWS, _GROUPS, _DOUBTS = 2000, 40, 12
_GLOSSES = {
    "favor": "welcomes, thanks, pledges, defends, justifies",
    "against": "condemns, fears, warns of it as a danger, calls it illegal",
    "neutral": "reports, explains, forecasts, weighs",
    "unrelated": "does not speak of the alliance",
    "convenience": "temporary, an exchange, forced by need, one using the other",
    "axis": "lasting, a bloc, a change in the order of power",
    "mixed": "both, and neither wins",
    "none": "neither: facts, numbers, clauses, reactions",
}


def write_corpus(
    records: Sequence[Mapping[str, Any]],
    folder: Path,
    language: str = "en",
    priors: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Write a page about a collection of decisions to ``folder``: ``index.html``, figures, CSV
    files in ``data`` and ``decisions.jsonl``.

    ``priors``: task → label → weight in the mixture of labels that the probabilities assume. The
    CSV files are UTF-8 with a byte order mark; a text in them that a spreadsheet would take for a
    formula begins with ``'``. The page holds at most 2,000 passages, the least sure ones; the files
    hold all. Raises :class:`~stance.text.InputError` where the records are not of one model.
    """
    say = partial(translate, language=language)
    priors = priors or {}
    labels = prevalence.tasks(records)
    whole = prevalence.survey(records, priors)["tasks"]
    rows = [_row(n, record, list(labels)) for n, record in enumerate(records, 1)]
    least_sure = prevalence.least_sure(records, list(labels))
    for position in least_sure[:_ROWS]:
        rows[position]["shown"] = True
    poles = {task: pair for task in labels if (pair := prevalence.poles(labels[task]))}
    cells = prevalence.crossed(records, "stance", "framing") if set(labels) >= _COMMON else {}
    sections = [
        _section(key, groups, priors, poles, say) for key, groups in _groupings(records).items()
    ]
    months = sorted(m for r in records if (m := prevalence.month(r)))
    outlets = {name for r in records if (name := prevalence.column(r, "outlet"))}
    drawn = _corpus_figures(records, whole, cells, sections, language)
    files = {f"data/{s['file']}": _group_rows(s, poles) for s in sections}
    files["data/passages.csv"] = [_passage_row(r, list(labels)) for r in records]
    if cells:
        files["data/cells.csv"] = _cell_rows(cells)
    with _Folder(folder) as out:
        images = out.draw(drawn)
        pictures = [f"figures/{name}.{end}" for name in drawn for end in ("svg", "png")]
        page = environment(language).get_template("corpus.html")
        out.write(
            "index.html",
            page.render(
                n=len(records),
                articles=len({str(r["doc"]) for r in records}),
                outlets=len(outlets),
                period=(months[0], months[-1]) if months else None,
                unsure=sum(prevalence.unsure(r, list(labels)) for r in records),
                tasks=list(labels),
                tasks_labels=labels,
                whole=whole,
                verdicts=[_verdict(records, task, pair, whole) for task, pair in poles.items()],
                poles=poles,
                priors={
                    task: {name: priors[task].get(name, 1) for name in names}
                    for task, names in labels.items()
                    if task in priors
                },
                cells=cells,
                sections=[_shown(s, say) for s in sections],
                telling=_telling(records, rows, cells),
                doubtful=[rows[i] for i in least_sure[:_DOUBTS]],
                rows=[row for row in rows if row["shown"]],
                dates=any(row["date"] for row in rows),
                glosses={name: say(gloss) for name, gloss in _GLOSSES.items()},
                images=images,
                files=[*sorted(files), "decisions.jsonl", *pictures],
                fewest=prevalence.FEWEST,
                task_name=lambda task: say(task.capitalize()) if task in _COMMON else clean(task),
                separator="، " if language == "ar" else ", ",
                percent=_percent,
                bounds=lambda value: f"{_percent(value[1])[:-1]}, {_percent(value[2])[:-1]}",
                signed=lambda value: f"{100 * value:+.0f}".replace("-", "−").replace("+0", "0"),
                place=lambda value: f"{100 * value:.1f}",
                depth=lambda value: f"{min(55.0, 110 * value):.0f}",
            ),
        )
        for name, lines in files.items():
            out.write(name, "\ufeff" + tables.csv_text(lines))
        out.write(
            "decisions.jsonl",
            "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records),
        )


_COMMON = {"stance", "framing"}


def _percent(share: float) -> str:
    return "<1%" if 0 < share < 0.005 else f"{100 * share:.0f}%"


def _row(n: int, record: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Any]:
    """What the page says of a passage; ``n`` is its place in the collection."""
    return {
        "n": n,
        "id": prevalence.column(record, "id"),
        "text": clean(str(record["text"])),
        "speaker": prevalence.speaker(record),
        "outlet": prevalence.column(record, "outlet"),
        "date": prevalence.column(record, "date"),
        "labels": {task: record[task] for task in tasks},
        "p": {task: record[f"{task}_p"][record[task]] for task in tasks},
        "sets": {task: record[f"{task}_set"] for task in tasks},
        "unsure": prevalence.unsure(record, tasks),
        "margin": min(prevalence.margin(record, task) for task in tasks),
        "shown": False,
    }


def _groupings(records: Sequence[Mapping[str, Any]]) -> dict[str, prevalence.Groups]:
    """The ways to group the records for which any of them has a value."""
    found = {}
    if any(prevalence.column(r, "outlet") for r in records):
        found["outlet"] = prevalence.by(records, "outlet")
    if any(prevalence.column(r, "date") for r in records):
        found["month"] = prevalence.by_month(records)
    if any(prevalence.speaker(r) for r in records):
        found["speaker"] = prevalence.grouped(records, prevalence.speaker)
    return found


def _section(
    key: str,
    groups: prevalence.Groups,
    priors: Mapping[str, Mapping[str, float]],
    poles: Mapping[str, tuple[str, str]],
    say: Callable[[str], str],
) -> dict[str, Any]:
    """The shares of every group, those of the small groups together last."""
    named = [(name, "group", some) for name, some in groups.kept.items()]
    if groups.others:
        named.append(("", "others", groups.others))
    return {
        "key": key,
        "file": f"by_{key}.csv",
        "groups": groups,
        "rows": [
            {
                "name": name,
                "title": name or say("the author" if key == "speaker" else "not given"),
                "kind": kind,
                "tasks": prevalence.survey(some, priors)["tasks"],
                "balance": {t: prevalence.balance(some, t, *pair) for t, pair in poles.items()},
                "leaning": {t: prevalence.leaning(some, t, *pair) for t, pair in poles.items()},
            }
            for name, kind, some in named
        ],
    }


def _foremost(section: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups that are shown: of many months the last ones, else those of most passages."""
    kept = [row for row in section["rows"] if row["kind"] == "group"]
    return kept[-_GROUPS:] if section["key"] == "month" else kept[:_GROUPS]


def _shown(section: Mapping[str, Any], say: Callable[[str], str]) -> dict[str, Any]:
    """A section with what the page says around it, its rarest groups left to the files."""
    groups: prevalence.Groups = section["groups"]
    kept = [row for row in section["rows"] if row["kind"] == "group"]
    shown = _foremost(section)
    rows = shown + [row for row in section["rows"] if row["kind"] == "others"]
    return {
        **section,
        "title": say(f"By {section['key']}"),
        "head": say(section["key"].capitalize()),
        "rows": rows,
        "hidden": len(kept) - len(shown),
        "folded": groups.folded,
        "lone": any(t["articles"] == 1 for row in rows for t in row["tasks"].values()),
        "unreadable": len(groups.unreadable),
        "examples": list(
            dict.fromkeys(prevalence.column(r, "date")[:30] for r in groups.unreadable)
        )[:3],
    }


def _verdict(
    records: Sequence[Mapping[str, Any]],
    task: str,
    pair: tuple[str, str],
    whole: Mapping[str, Any],
) -> dict[str, Any]:
    """Two opposite labels, the commoner first, their difference, and whether it can be told.

    It can where the interval of the counted difference is clear of zero and the corrected shares
    agree.
    """
    value = prevalence.balance(records, task, *pair)
    first, second = (whole[task]["labels"][name]["corrected"][0] for name in pair)
    if value[2] < 0 and first < second:
        return {"names": pair[::-1], "value": [-value[0], -value[2], -value[1]], "told": True}
    return {"names": pair, "value": value, "told": value[1] > 0 and first > second}


def _telling(
    records: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    cells: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """For each cell of stance and framing that has passages, those that the model is surest of."""
    place = {id(record): row for record, row in zip(records, rows, strict=True)}
    return [
        {
            "names": (stance, framing),
            "passages": cell["passages"],
            "rows": [
                place[id(r)]
                for r in prevalence.telling(records, {"stance": stance, "framing": framing})
            ],
        }
        for stance, row in cells.items()
        for framing, cell in row.items()
        if cell["passages"]
    ]


def _corpus_figures(
    records: Sequence[Mapping[str, Any]],
    whole: Mapping[str, Any],
    cells: Mapping[str, Any],
    sections: Sequence[Mapping[str, Any]],
    language: str,
) -> dict[str, figures.Maker]:
    drawn: dict[str, figures.Maker] = {"shares": partial(figures.shares, whole, language)}
    if cells:
        drawn["cells"] = partial(figures.cells, cells, language)
    for section in sections:
        rows = _foremost(section)
        for task in whole if rows else ():
            name = f"by-{section['key']}-{task}"
            drawn[name] = partial(figures.group_shares, rows, task, language)
        if section["key"] == "month" and rows and "framing" in rows[0]["balance"]:
            drawn["balance"] = partial(figures.balance, section["rows"], "framing", language)
        if section["key"] == "speaker" and len(rows) > 1 and set(rows[0]["leaning"]) >= _COMMON:
            drawn["speakers"] = partial(figures.speakers, rows, language)
    return drawn


def _interval_cells(name: str, value: Sequence[float]) -> dict[str, float]:
    return {name: value[0], f"{name}_low": value[1], f"{name}_high": value[2]}


def _group_rows(
    section: Mapping[str, Any], poles: Mapping[str, tuple[str, str]]
) -> list[dict[str, Any]]:
    """One row a group, task and label; the balance of opposite labels in rows of its own."""
    found = []
    for row in section["rows"]:
        for task, one in row["tasks"].items():
            head = {
                section["key"]: "(others)" if row["kind"] == "others" else row["name"],
                "passages": one["passages"],
                "articles": one["articles"],
                "task": task,
            }
            for label, ways in one["labels"].items():
                values = [_interval_cells(way, value) for way, value in ways.items()]
                found.append(
                    {**head, "label": label} | {k: v for x in values for k, v in x.items()}
                )
            if task in poles:
                balance = _interval_cells("counted", row["balance"][task])
                found.append({**head, "label": " minus ".join(poles[task]), **balance})
    return found


def _cell_rows(cells: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "stance": stance,
            "framing": framing,
            "passages": cell["passages"],
            **_interval_cells("share", cell["share"]),
        }
        for stance, row in cells.items()
        for framing, cell in row.items()
    ]


def _passage_row(record: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": prevalence.column(record, "id"),
        "doc": prevalence.column(record, "doc"),
        "outlet": prevalence.column(record, "outlet"),
        "date": prevalence.column(record, "date"),
        "speaker": prevalence.speaker(record),
    }
    for task in tasks:
        row[task] = record[task]
        row |= {f"{task}_p.{label}": p for label, p in record[f"{task}_p"].items()}
        row[f"{task}_set"] = "|".join(record[f"{task}_set"])
        row[f"{task}_margin"] = round(prevalence.margin(record, task), 6)
    row["read_yourself"] = "yes" if prevalence.unsure(record, tasks) else "no"
    row["text"] = clean(str(record["text"]))
    return row


def _marked(record: Mapping[str, Any]) -> str:
    """The passage as safe HTML, the words that speak most for its labels marked."""
    text = record["text"]
    spans: dict[tuple[int, int], list[str]] = {}
    heads = {b["head"] for b in record.get("because", ())}
    for head in sorted(heads):
        words = [
            b
            for b in record["because"]
            if b["head"] == head and b["weight"] > 0 and b["end"] > b["start"]
        ]
        for b in sorted(words, key=lambda b: -b["weight"])[:_TELLING_WORDS]:
            note = f"{head} {b['label']} +{b['weight']:.2f}"
            spans.setdefault((b["start"], b["end"]), []).append(note)
    out = []
    at = 0
    for (start, end), notes in sorted(spans.items()):
        out.append(html.escape(clean(text[at:start])))
        note = html.escape("; ".join(notes))
        word = html.escape(clean(text[start:end]))
        out.append(f'<mark tabindex="0" title="{note}">{word}</mark>')
        at = end
    out.append(html.escape(clean(text[at:])))
    return "".join(out)


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


class _Folder:
    """A folder whose files appear together when the block ends without error."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self) -> "_Folder":
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.made = Path(tempfile.mkdtemp(dir=self.folder.parent, prefix=f".{self.folder.name}."))
        return self

    def write(self, name: str, text: str) -> None:
        path = self.made / name
        path.parent.mkdir(exist_ok=True)
        # half a surrogate pair, which JSON can hold, has no place in UTF-8
        path.write_bytes(text.encode("utf-8", "replace"))

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
