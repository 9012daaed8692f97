"""A Result, an audit, counts → pages, Markdown and files. Never refits anything."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stance import figures, findings, tables
from stance.language import term
from stance.page import Folder, environment

if TYPE_CHECKING:
    from stance.evaluation import Result

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
    with Folder(folder) as out:
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

    ``found``: what :func:`stance.comparison.compare` found.
    """
    drawn: dict[str, figures.Maker] = {
        f"{task}-differences": partial(figures.paired, task, one, language)
        for task, one in found["tasks"].items()
    }
    with Folder(folder) as out:
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
    with Folder(folder) as out:
        out.draw({"audit": partial(figures.audit, found)})
        out.write("audit.md", "# Audit\n\n" + tables.audit_markdown(found))
        out.write("audit.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def write_stats(found: Mapping[str, Any], folder: Path) -> None:
    """Write ``stats.md``, ``stats.json`` and figures to ``folder``."""
    with Folder(folder) as out:
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
    with Folder(folder) as out:
        out.draw({"differences": partial(figures.differences, rows)})
        out.write(name, text)
