"""A Result, an audit, agreement, counts → text for a terminal and Markdown. Every figure stands
with its 95% interval."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stance.text import clean

if TYPE_CHECKING:
    from stance.evaluation import Result

_TELLING_WORDS = 8
#: Figure of a result → what it is.
NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "clear": "accuracy, one right label only",
    "lenient": "accuracy, second-best label accepted",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "undecided": "share with more than one label in set",
    "sure": "accuracy where one label is in set",
    "pairs": "whole minimal pairs right",
}


def table(result: "Result") -> str:
    """The result as text for a terminal, signature last.

    Every figure stands with its 95% interval.
    """
    lines = []
    for task, found in result.tasks.items():
        lines.append(f"{task}  (n = {found['n']})")
        for name in (
            "accuracy",
            "macro_f1",
            "clear",
            "lenient",
            "log_loss",
            "brier",
            "ece",
            "undecided",
            "sure",
            "pairs",
        ):
            if name in found:
                lines.append(f"  {NAMES[name]:<34} {interval(found[name])}")
        for name, scores in found["baselines"].items():
            lines.append(
                f"  {'  macro-F1 of ' + name:<34} {interval(scores['macro_f1']['value'])}"
                f"   model better by {interval(scores['macro_f1']['difference'], sign=True)}"
            )
            lines.append(
                f"  {'  accuracy of ' + name:<34} {interval(scores['accuracy']['value'])}"
                f"   model better by {interval(scores['accuracy']['difference'], sign=True)}"
            )
        lines.append(f"  {'label':<14}{'n':>6}   {'precision':<22}{'recall':<22}F1")
        for label, scores in found["per_class"].items():
            lines.append(
                f"  {label:<14}{scores['support']:>6}   "
                + "".join(f"{interval(scores[m]):<22}" for m in ("precision", "recall", "f1"))
            )
        lines.append("")
    if result.phenomena:
        columns = phenomenon_columns(result)
        lines.append(f"{'phenomenon':<16}{'n':>4}   " + "".join(f"{c:<22}" for c in columns))
        for name, found in result.phenomena.items():
            cells = (interval(found[c]) if c in found else "" for c in columns)
            lines.append(f"{name:<16}{found['n']:>4}   " + "".join(f"{c:<22}" for c in cells))
        lines.append("")
    lines.append(f"signature: {result.signature}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def phenomenon_columns(result: "Result") -> list[str]:
    """The figures that some phenomenon has, in the order in which they are found."""
    return [c for c in dict.fromkeys(k for f in result.phenomena.values() for k in f) if c != "n"]


def interval(value: Sequence[float], sign: bool = False) -> str:
    """A figure with its interval, as in ``0.857 [0.848, 0.865]``."""
    form = "{:+.3f} [{:+.3f}, {:+.3f}]" if sign else "{:.3f} [{:.3f}, {:.3f}]"
    return form.format(*value)


def markdown(result: "Result") -> str:
    """The result as Markdown tables, for a model card or a README."""
    lines = []
    for task, found in result.tasks.items():
        lines += [f"### {task.capitalize()}", "", "| figure | value [95% interval] |", "|---|---|"]
        for name in NAMES:
            if name in found:
                lines.append(f"| {NAMES[name]} | {interval(found[name])} |")
        lines += ["", "| label | n | precision | recall | F1 |", "|---|---|---|---|---|"]
        for label, scores in found["per_class"].items():
            cells = " | ".join(interval(scores[m]) for m in ("precision", "recall", "f1"))
            lines.append(f"| `{label}` | {scores['support']} | {cells} |")
        lines += ["", "| baseline | macro-F1 | model better by |", "|---|---|---|"]
        for name, scores in found["baselines"].items():
            own = scores["macro_f1"]
            lines.append(
                f"| {name} | {interval(own['value'])} | {interval(own['difference'], sign=True)} |"
            )
        lines.append("")
    if result.phenomena:
        lines += ["### By phenomenon", "", phenomena_markdown(result)]
    lines.append(f"Signature: `{result.signature}`")
    return "\n".join(lines) + "\n"


def phenomena_markdown(result: "Result") -> str:
    """What was found on a challenge set as a Markdown table, a phenomenon a row."""
    columns = phenomenon_columns(result)
    lines = [f"| phenomenon | n | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for name, found in result.phenomena.items():
        cells = " | ".join(interval(found[c]) if c in found else "" for c in columns)
        lines.append(f"| {name} | {found['n']} | {cells} |")
    return "\n".join(lines) + "\n"


def stats_table(found: Mapping[str, Any]) -> str:
    """The counts of a corpus as text for a terminal."""
    lines = []
    for name, value in found.items():
        if name == "categories":
            lines.append("lexicon categories (precision, coverage, share of the label):")
            for row in value:
                share = (
                    f"{row['precision']:.2f}  {row['coverage']:.2f}  {row['base']:.2f}"
                    if "precision" in row
                    else ""
                )
                lines.append(
                    f"  {row['category']:<24} {row['pole']:<12} {row['cues']:>4} cues "
                    f"{row['passages']:>6} passages  {share}"
                )
        elif isinstance(value, Mapping):
            lines.append(f"{name}:")
            for key, inner in value.items():
                counts = inner.items() if isinstance(inner, Mapping) else [("", inner)]
                lines += [f"  {n:>6}  {key}{': ' + k if k else ''}" for k, n in counts]
        else:
            lines.append(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def agreement_table(found: Mapping[str, Any]) -> str:
    """Agreement as text for a terminal: task → what ``agreement.measure`` gives."""
    lines = []
    for task, one in found.items():
        lines.append(f"{task}  ({one['units']} passages, readers: {', '.join(one['raters'])})")
        lines.append(f"  {'Krippendorff alpha':<28} {_interval_or_dash(one['alpha'])}")
        lines.append(f"  {'observed agreement':<28} {_interval_or_dash(one['observed'])}")
        lines += [
            f"  {'  alpha of ' + label:<28} {_interval_or_dash(value)}"
            for label, value in one["by_label"].items()
        ]
        for stratum, inner in one["by"].items():
            lines.append(
                f"  {'  ' + stratum:<28} {_interval_or_dash(inner['alpha'])}   "
                f"observed {_interval_or_dash(inner['observed'])}   n = {inner['units']}"
            )
        lines += [f"  {n:>6}  {pair}" for pair, n in one["disagreements"].items()]
    return "\n".join(lines) + "\n"


def prevalence_table(found: Mapping[str, Any]) -> str:
    """What ``prevalence.survey`` gives as text for a terminal, what it assumes last.

    The names of groups stand on lines of their own, so that Arabic can't turn the columns.
    """
    lines = _shares(found["tasks"])
    for name, tasks in found.get("groups", {}).items():
        lines += [f"{found['by']}: {clean(name) or '–'}", *_shares(tasks)]
    if found.get("others"):
        lines += [f"{found['folded']} smaller groups together", *_shares(found["others"])]
    if found.get("unreadable"):
        lines += [f"left out: {found['unreadable']} passages without a readable value", ""]
    for task, prior in found["assumes"]["prior"].items():
        weights = ", ".join(f"{clean(label)} {weight:g}" for label, weight in prior.items())
        lines.append(f"assumed mixture of {clean(task)}: {weights}")
    lines += [
        f"intervals: {found['assumes']['interval']}",
        "counted: decisions; probability: mean probability; corrected: the likeliest mixture, as",
        "far as the model's probabilities hold on texts like these",
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _shares(tasks: Mapping[str, Any]) -> list[str]:
    """One block a task: a label a row, a way of counting a column."""
    lines = []
    for task, one in tasks.items():
        lines.append(
            f"{clean(task)}  ({one['passages']} passages, {one['articles']} articles, "
            f"{one['unsure']} to read yourself)"
        )
        ways = list(next(iter(one["labels"].values())))
        lines.append(f"  {'label':<14}" + "".join(f"{way:<22}" for way in ways))
        for label, row in one["labels"].items():
            lines.append(
                f"  {clean(label):<14}" + "".join(f"{interval(row[way]):<22}" for way in ways)
            )
        lines.append("")
    return lines


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header, for a spreadsheet as much as for a program.

    A text that a spreadsheet would take for a formula (one that begins with ``=``, ``+``, ``-``,
    ``@``, their wide forms, a tab or a line break, blanks aside) gets ``'`` before it. Numbers
    stand as they are.

    >>> csv_text([{"text": "=1+1", "n": -2}])
    "text,n\\r\\n'=1+1,-2\\r\\n"
    """
    out = io.StringIO()
    # lines end as RFC 4180 has it, so that a lone carriage return in a cell is quoted too
    writer = csv.DictWriter(out, list(dict.fromkeys(k for r in rows for k in r)), restval="")
    writer.writeheader()
    writer.writerows({key: _harmless(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        # format characters could hide the sign that a spreadsheet sees
        begins = clean(value).lstrip(" \u00a0")[:1]
        if begins and begins in "=+-@＝＋－＠\t\r\n":
            return f"'{value}"
    return value


def _interval_or_dash(value: Sequence[float] | None) -> str:
    return interval(value) if value else "–"


def audit_table(found: Mapping[str, Any]) -> str:
    """An audit as text for a terminal, signature last."""
    tasks = list(found["words"])
    lines = [f"{'macro-F1 of':<26}" + "".join(f"{task:<24}" for task in tasks)]
    for name, scores in found["systems"].items():
        lines.append(f"{name:<26}" + "".join(f"{interval(scores[t]):<24}" for t in tasks))
    if found["kinds"]:
        lines += ["", "accuracy on an outlet kind that the model never saw (and that it did)"]
        for kind, row in found["kinds"].items():
            cells = "  ".join(
                f"{t} {row[t]['held_out'][0]:.3f} ({row[t]['grouped'][0]:.3f})" for t in tasks
            )
            lines.append(f"  {kind:<22} {row['passages']:>5}  {cells}")
    for task, labels in found["words"].items():
        for label, words in labels.items():
            told = "، ".join(f"{clean(word)} {z:+.1f}" for word, _, _, z in words[:_TELLING_WORDS])
            lines.append(f"{task} {label}: {told}")
    lines += ["", f"signature: {found['signature']}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def audit_markdown(found: Mapping[str, Any]) -> str:
    """An audit as Markdown tables."""
    tasks = list(found["words"])
    lines = [
        "| macro-F1 of | " + " | ".join(tasks) + " |",
        "|---|" + "---|" * len(tasks),
    ]
    for name, scores in found["systems"].items():
        lines.append(f"| {name} | " + " | ".join(interval(scores[t]) for t in tasks) + " |")
    if found["kinds"]:
        heads = [f"{t}, {how}" for t in tasks for how in ("never seen", "seen")]
        lines += ["", "| accuracy on | n | " + " | ".join(heads) + " |"]
        lines.append("|---|---|" + "---|" * len(heads))
        for kind, row in found["kinds"].items():
            cells = [interval(row[t][how]) for t in tasks for how in ("held_out", "grouped")]
            lines.append(f"| {kind} | {row['passages']} | " + " | ".join(cells) + " |")
    for task, labels in found["words"].items():
        lines += ["", f"| {task} | words most tied to it (z) |", "|---|---|"]
        for label, words in labels.items():
            told = "، ".join(f"{clean(word)} ({z:.0f})" for word, _, _, z in words[:12])
            lines.append(f"| `{label}` | {told} |")
    lines += ["", f"Signature: `{found['signature']}`"]
    return "\n".join(lines) + "\n"


def categories_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """What each lexicon category finds, as a Markdown table."""
    lines = ["| category | points to | cues | passages | precision | coverage |"]
    lines.append("|---|---|---|---|---|---|")
    for row in rows:
        shares = (
            f"{row['precision']:.2f} | {row['coverage']:.2f}" if "precision" in row else "– | –"
        )
        lines.append(
            f"| {row['category']} | {row['pole']} | {row['cues']} | {row['passages']} | {shares} |"
        )
    return "\n".join(lines) + "\n"


def chance(p: float) -> str:
    """A probability of chance as it is quoted.

    >>> chance(0.0312), chance(0.00001)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def comparison_markdown(found: Mapping[str, Any]) -> str:
    """Two results compared, as Markdown tables; differences are the second's less the first's."""
    first, second = found["names"]
    lines = [
        f"# From {first} to {second}",
        "",
        f"{found['passages']} passages of {found['groups']} groups of articles that both hold; "
        f"left out: {found['left_out'][0]} of {first}, {found['left_out'][1]} of {second}, "
        f"{found['relabelled']} labelled anew. Differences: {second} less {first}, with paired 95% "
        "intervals (bootstrap over groups of articles).",
    ]
    for task, one in found["tasks"].items():
        changed = one["changed"]
        lines += [
            "",
            f"## {task.capitalize()}",
            "",
            f"| figure | {first} | {second} | difference |",
        ]
        lines.append("|---|---|---|---|")
        rows = [(NAMES[key], one[key]) for key in NAMES if key in one]
        rows += [(f"F1 of `{label}`", scores) for label, scores in one["per_class"].items()]
        for words, three in rows:
            own = f"{interval(three['a'])} | {interval(three['b'])}"
            lines.append(f"| {words} | {own} | {interval(three['difference'], sign=True)} |")
        lines += [
            "",
            f"Turned right: {changed['better']}; turned wrong: {changed['worse']}; right in both: "
            f"{changed['both_right']}; wrong in both: {changed['both_wrong']}. McNemar's exact "
            f"test, which takes passages for independent: p = {chance(changed['p'])}.",
        ]
        for kind, words in (("worse", "Turned wrong"), ("better", "Turned right")):
            if one[kind]:
                listed = ", ".join(
                    f"{e['id']} (`{e['gold']}`: `{e['a']}` → `{e['b']}`)" for e in one[kind]
                )
                lines += ["", f"{words}: {listed}."]
    lines += ["", "## What the two depend on", ""]
    if found["differs"]:
        lines += [f"| what differs | {first} | {second} |", "|---|---|---|"]
        lines += [f"| {d['what']} | `{d['a']}` | `{d['b']}` |" for d in found["differs"]]
    else:
        lines.append("Nothing that the signatures and settings name differs.")
    for name, signature in zip(found["names"], found["signatures"], strict=True):
        lines += ["", f"{name}: `{signature}`"]
    return "\n".join(lines) + "\n"
