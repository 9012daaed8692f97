"""Decisions on many passages → the page, the figures and the tables of a collection."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stance import figures, prevalence, tables
from stance.language import translate
from stance.page import Folder, environment
from stance.text import clean

_COMMON = {"stance", "framing"}
_TITLES = {"outlet": "By outlet", "month": "By month", "speaker": "By speaker"}
_HEADS = {"outlet": "Outlet", "month": "Month", "speaker": "Speaker"}
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


def write(
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
    with Folder(folder) as out:
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
                task_name=partial(figures.task_name, language=language),
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
        out.write_decisions(records)


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
        "title": say(_TITLES[section["key"]]),
        "head": say(_HEADS[section["key"]]),
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
