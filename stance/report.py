"""A Result or decision records → pages, Markdown and files. Never refits anything."""

import html
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from stance import figures, findings, tables
from stance.language import LABELS, LANGUAGES, term, translate
from stance.text import clean

if TYPE_CHECKING:
    from stance.article import Article
    from stance.evaluation import Result

_TELLING_WORDS = 8
_EXAMPLES = 8  # that a comparison shows unfolded


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
        drawn[f"{task}-confusion"] = partial(figures.confusion, task, found, language)
        drawn[f"{task}-per-class"] = partial(figures.per_class, task, found, language)
        drawn[f"{task}-reliability"] = partial(figures.reliability, task, found, language)
        if "risk_coverage" in found:
            drawn[f"{task}-risk-coverage"] = partial(figures.risk_coverage, task, found, language)
        if task in result.top_features:
            top = result.top_features[task]
            drawn[f"{task}-top-features"] = partial(figures.top_features, task, top, language)
    if result.learning_curve:
        drawn["learning-curve"] = partial(figures.learning_curve, result, language)
    if audit:
        drawn["audit"] = partial(figures.audit, audit, language)
    heads = {
        task: findings.headline(found)
        | {"phenomena": findings.weakest_phenomena(result.phenomena, task)}
        for task, found in result.tasks.items()
    }
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
                heads=heads,
                columns=tables.phenomenon_columns(result),
                per_hundred=lambda share: findings.hundred([share])[0],
                term=partial(term, language=language),
            ),
        )
        text = f"# Evaluation: {result.kind}\n\n" + tables.markdown(result)
        if audit:
            text += "\n## What the corpus gives away\n\n" + tables.audit_markdown(audit)
        out.write("report.md", text)
        out.write("result.json", _result_json(result))


def _result_json(result: "Result") -> str:
    """A result as JSON to be read, but its thousands of decisions on one line."""
    data = result.to_json()
    decisions = json.dumps(data.pop("decisions"), ensure_ascii=False, separators=(",", ":"))
    text = json.dumps(data, ensure_ascii=False, indent=1)
    return text.removesuffix("\n}") + f',\n "decisions": {decisions}\n}}\n'


def write_comparison(found: Mapping[str, Any], folder: Path, language: str = "en") -> None:
    """Write ``index.html``, ``comparison.md``, ``comparison.json`` and figures to ``folder``.

    ``found``: what :func:`stance.evaluation.compare` found.
    """
    drawn: dict[str, figures.Maker] = {
        f"{task}-differences": partial(figures.paired, task, one, language)
        for task, one in found["tasks"].items()
    }
    with _Folder(folder) as out:
        images = out.draw(drawn)
        out.write(
            "index.html",
            environment(language)
            .get_template("comparison.html")
            .render(
                found=found,
                images=images,
                shown=_EXAMPLES,
                verdict=findings.verdict,
                term=partial(term, language=language),
            ),
        )
        out.write("comparison.md", tables.comparison_markdown(found))
        out.write("comparison.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")


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
        (self.made / name).write_text(text, encoding="utf-8")

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
