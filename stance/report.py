"""A Result or decision records → figures, HTML, Markdown, a table. Never refits anything."""

import base64
import html
import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stance.article import Article
    from stance.evaluation import Result

#: One colour a label, told apart by colour-blind readers and in grey print (Okabe & Ito 2008).
COLOURS = {
    "favor": "#0072B2",
    "against": "#D55E00",
    "neutral": "#8A8A8A",
    "unrelated": "#CFCFCF",
    "convenience": "#E69F00",
    "axis": "#56318C",
    "mixed": "#009E73",
    "none": "#B0B0B0",
}
_OTHER_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56318C", "#CC79A7", "#56B4E9")
#: The labels in Arabic.
ARABIC = {
    "favor": "مؤيد",
    "against": "معارض",
    "neutral": "محايد",
    "unrelated": "غير متصل",
    "convenience": "زواج مصلحة",
    "axis": "محور استراتيجي",
    "mixed": "مختلط",
    "none": "بلا تأطير",
}
_FORMAT_CHARACTERS = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_TELLING_WORDS = 8
_PASSAGES_ON_AXIS = 40
_FARTHEST = -0.12  # of a difference of macro-F1 that a figure shows to scale


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
            "pairs",
        ):
            if name in found:
                lines.append(f"  {_NAMES[name]:<34} {_figure(found[name])}")
        for name, scores in found["baselines"].items():
            lines.append(
                f"  {'  macro-F1 of ' + name:<34} {_figure(scores['macro_f1']['value'])}"
                f"   model better by {_figure(scores['macro_f1']['difference'], sign=True)}"
            )
            lines.append(
                f"  {'  accuracy of ' + name:<34} {_figure(scores['accuracy']['value'])}"
                f"   model better by {_figure(scores['accuracy']['difference'], sign=True)}"
            )
        lines.append(f"  {'label':<14}{'n':>6}   {'precision':<22}{'recall':<22}F1")
        for label, scores in found["per_class"].items():
            lines.append(
                f"  {label:<14}{scores['support']:>6}   "
                + "".join(f"{_figure(scores[m]):<22}" for m in ("precision", "recall", "f1"))
            )
        lines.append("")
    if result.phenomena:
        columns = _phenomenon_columns(result)
        lines.append(f"{'phenomenon':<16}{'n':>4}   " + "".join(f"{c:<22}" for c in columns))
        for name, found in result.phenomena.items():
            cells = (_figure(found[c]) if c in found else "" for c in columns)
            lines.append(f"{name:<16}{found['n']:>4}   " + "".join(f"{c:<22}" for c in cells))
        lines.append("")
    lines.append(f"signature: {result.signature}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _phenomenon_columns(result: "Result") -> list[str]:
    """The figures that some phenomenon has, in the order in which they are found."""
    return [c for c in dict.fromkeys(k for f in result.phenomena.values() for k in f) if c != "n"]


_NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "clear": "accuracy, one right label only",
    "lenient": "accuracy, second-best label accepted",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "undecided": "share with more than one label in set",
    "pairs": "whole minimal pairs right",
}


def _figure(value: Sequence[float], sign: bool = False) -> str:
    form = "{:+.3f} [{:+.3f}, {:+.3f}]" if sign else "{:.3f} [{:.3f}, {:.3f}]"
    return form.format(*value)


def markdown(result: "Result") -> str:
    """The result as Markdown tables, for a model card or a README."""
    lines = []
    for task, found in result.tasks.items():
        lines += [f"### {task.capitalize()}", "", "| figure | value [95% interval] |", "|---|---|"]
        for name in _NAMES:
            if name in found:
                lines.append(f"| {_NAMES[name]} | {_figure(found[name])} |")
        lines += ["", "| label | n | precision | recall | F1 |", "|---|---|---|---|---|"]
        for label, scores in found["per_class"].items():
            cells = " | ".join(_figure(scores[m]) for m in ("precision", "recall", "f1"))
            lines.append(f"| `{label}` | {scores['support']} | {cells} |")
        lines += ["", "| baseline | macro-F1 | model better by |", "|---|---|---|"]
        for name, scores in found["baselines"].items():
            own = scores["macro_f1"]
            lines.append(
                f"| {name} | {_figure(own['value'])} | {_figure(own['difference'], sign=True)} |"
            )
        lines.append("")
    if result.phenomena:
        lines += ["### By phenomenon", "", phenomena_markdown(result)]
    lines.append(f"Signature: `{result.signature}`")
    return "\n".join(lines) + "\n"


def phenomena_markdown(result: "Result") -> str:
    """What was found on a challenge set as a Markdown table, a phenomenon a row."""
    columns = _phenomenon_columns(result)
    lines = [f"| phenomenon | n | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for name, found in result.phenomena.items():
        cells = " | ".join(_figure(found[c]) if c in found else "" for c in columns)
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
        lines.append(f"  {'Krippendorff alpha':<28} {_figure_or_dash(one['alpha'])}")
        lines.append(f"  {'observed agreement':<28} {_figure_or_dash(one['observed'])}")
        lines += [
            f"  {'  alpha of ' + label:<28} {_figure_or_dash(value)}"
            for label, value in one["by_label"].items()
        ]
        for stratum, inner in one["by"].items():
            lines.append(
                f"  {'  ' + stratum:<28} {_figure_or_dash(inner['alpha'])}   "
                f"observed {_figure_or_dash(inner['observed'])}   n = {inner['units']}"
            )
        lines += [f"  {n:>6}  {pair}" for pair, n in one["disagreements"].items()]
    return "\n".join(lines) + "\n"


def _figure_or_dash(value: Sequence[float] | None) -> str:
    return _figure(value) if value else "–"


def audit_table(found: Mapping[str, Any]) -> str:
    """An audit as text for a terminal, signature last."""
    tasks = list(found["words"])
    lines = [f"{'macro-F1 of':<26}" + "".join(f"{task:<24}" for task in tasks)]
    for name, scores in found["systems"].items():
        lines.append(f"{name:<26}" + "".join(f"{_figure(scores[t]):<24}" for t in tasks))
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
        lines.append(f"| {name} | " + " | ".join(_figure(scores[t]) for t in tasks) + " |")
    if found["kinds"]:
        heads = [f"{t}, {how}" for t in tasks for how in ("never seen", "seen")]
        lines += ["", "| accuracy on | n | " + " | ".join(heads) + " |"]
        lines.append("|---|---|" + "---|" * len(heads))
        for kind, row in found["kinds"].items():
            cells = [_figure(row[t][how]) for t in tasks for how in ("held_out", "grouped")]
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


# --- pages ----------------------------------------------------------------------------------------


def write_evaluation(
    result: "Result", folder: Path, audit: Mapping[str, Any] | None = None
) -> None:
    """Write ``index.html``, ``report.md``, ``result.json`` and figures (SVG, PNG) to ``folder``.

    ``audit``, of ``stance audit``, adds a section on what the corpus gives away. The files appear
    together, when all of them are made.
    """
    figures: dict[str, Callable[[], Figure]] = {}
    for task, found in result.tasks.items():
        figures[f"{task}-confusion"] = partial(_confusion, task, found)
        figures[f"{task}-per-class"] = partial(_per_class, task, found)
        figures[f"{task}-reliability"] = partial(_reliability, task, found)
        if "risk_coverage" in found:
            figures[f"{task}-risk-coverage"] = partial(_risk_coverage, task, found)
        if task in result.top_features:
            top = result.top_features[task]
            figures[f"{task}-top-features"] = partial(_top_features, task, top)
    if result.learning_curve:
        figures["learning-curve"] = partial(_learning_curve, result)
    if audit:
        figures["audit"] = partial(_audit, audit)
    with _Folder(folder) as out:
        images = out.draw(figures)
        out.write(
            "index.html",
            _environment()
            .get_template("evaluation.html")
            .render(
                result=result,
                audit=audit,
                images=images,
                names=_NAMES,
                columns=_phenomenon_columns(result),
                figure=_figure,
                arabic=ARABIC,
            ),
        )
        text = f"# Evaluation: {result.kind}\n\n" + markdown(result)
        if audit:
            text += "\n## What the corpus gives away\n\n" + audit_markdown(audit)
        out.write("report.md", text)
        out.write("result.json", json.dumps(result.to_json(), ensure_ascii=False, indent=1) + "\n")


def write_audit(found: Mapping[str, Any], folder: Path) -> None:
    """Write ``audit.md``, ``audit.json`` and a figure to ``folder``."""
    with _Folder(folder) as out:
        out.draw({"audit": partial(_audit, found)})
        out.write("audit.md", "# Audit\n\n" + audit_markdown(found))
        out.write("audit.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def write_stats(found: Mapping[str, Any], folder: Path) -> None:
    """Write ``stats.md``, ``stats.json`` and figures to ``folder``."""
    with _Folder(folder) as out:
        out.draw({"labels": partial(_combinations, found), "kinds": partial(_kinds, found)})
        text = "# Corpus\n\n```\n" + stats_table(found) + "```\n"
        if "categories" in found:
            text += "\n## Lexicon categories\n\n" + categories_markdown(found["categories"])
        out.write("stats.md", text)
        out.write("stats.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def write_differences(
    rows: Sequence[Mapping[str, Any]], text: str, folder: Path, name: str = "README.md"
) -> None:
    """Write ``text`` to ``name`` and ``figures/differences`` of experiments to ``folder``.

    ``rows``: one an experiment, with ``what`` and, by task, the ``difference`` to the default.
    """
    with _Folder(folder) as out:
        out.draw({"differences": partial(_differences, rows)})
        out.write(name, text)


def write_decisions(
    records: Sequence[Mapping[str, Any]], folder: Path, article: "Article | None" = None
) -> None:
    """Write a page about decision records to ``folder``: ``index.html``, ``decisions.jsonl``,
    figures.

    With ``article``, the page shows the whole article, what is no passage in grey.
    """
    tasks = [key.removesuffix("_p") for key in records[0] if key.endswith("_p")]
    figures = {
        "labels": partial(_label_counts, records, tasks),
        "course": partial(_course, records, tasks),
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
        images = out.draw(figures)
        title = clean(article.title) if article else ""
        out.write(
            "index.html",
            _environment()
            .get_template("decisions.html")
            .render(
                title=title or ", ".join(dict.fromkeys(r["doc"] for r in records)),
                blocks=blocks,
                tasks=tasks,
                counts=counts,
                n=len(records),
                doubtful=sum(any(len(r[f"{t}_set"]) > 1 for t in tasks) for r in records),
                images=images,
                arabic=ARABIC,
                colour=colour,
            ),
        )
        out.write(
            "decisions.jsonl",
            "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records),
        )


def colour(label: str) -> str:
    """The colour of a label; one outside the codebook gets a steady one of its own."""
    return COLOURS.get(label) or _OTHER_COLOURS[sum(label.encode()) % len(_OTHER_COLOURS)]


def clean(text: str) -> str:
    """Text without format characters, which could turn the order of a page or a figure.

    >>> clean("محور\\u202e جديد")
    'محور جديد'
    """
    return _FORMAT_CHARACTERS.sub("", text)


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


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("stance"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


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

    def draw(self, figures: "Mapping[str, Callable[[], Figure]]") -> dict[str, str]:
        """Save each figure as SVG and PNG; return name → data address of the SVG."""
        import matplotlib

        images = {}
        (self.made / "figures").mkdir()
        settings: Any = {
            "svg.hashsalt": "stance",
            "text.parse_math": False,
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
        with matplotlib.rc_context(settings):
            for name, make in figures.items():
                figure = make()
                picture = BytesIO()
                figure.savefig(picture, format="svg", metadata={"Date": None})
                (self.made / "figures" / f"{name}.svg").write_bytes(picture.getvalue())
                figure.savefig(self.made / "figures" / f"{name}.png", dpi=130)
                encoded = base64.b64encode(picture.getvalue()).decode()
                images[name] = f"data:image/svg+xml;base64,{encoded}"
        return images

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


# --- figures --------------------------------------------------------------------------------------


def _new(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _both(label: str) -> str:
    return f"{label}\n{ARABIC[label]}" if label in ARABIC else clean(label)


def _confusion(task: str, found: Mapping[str, Any]) -> "Figure":
    labels, matrix = found["confusion"]["labels"], found["confusion"]["matrix"]
    figure = _new(1.6 + 1.0 * len(labels), 1.2 + 0.85 * len(labels))
    axes = figure.add_subplot()
    share = [[v / max(1e-9, sum(row)) for v in row] for row in matrix]
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            axes.text(
                j,
                i,
                f"{value:.0f}\n{share[i][j]:.0%}",
                ha="center",
                va="center",
                color="white" if share[i][j] > 0.55 else "black",
            )
    axes.set_xticks(range(len(labels)), [_both(x) for x in labels])
    axes.set_yticks(range(len(labels)), [_both(x) for x in labels])
    axes.set_xlabel("decided")
    axes.set_ylabel("labelled")
    axes.set_title(f"{task}: labelled and decided passages")
    return figure


def _per_class(task: str, found: Mapping[str, Any]) -> "Figure":
    figure = _new(6.4, 0.9 + 0.5 * (len(found["per_class"]) + 1))
    axes = figure.add_subplot()
    rows = [
        ("macro", found["macro_f1"], "black"),
        *((label, s["f1"], colour(label)) for label, s in found["per_class"].items()),
    ]
    for y, (_, (value, low, high), shade) in enumerate(reversed(rows)):
        axes.plot([low, high], [y, y], color=shade, linewidth=3, alpha=0.55)
        axes.plot([value], [y], "o", color=shade, markeredgecolor="black")
        axes.annotate(
            f"{value:.2f}", (value, y), xytext=(0, 7), textcoords="offset points", ha="center"
        )
    names = [
        f"{label}  {ARABIC[label]}" if label in ARABIC else clean(label)
        for label, _, _ in reversed(rows)
    ]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(-0.6, len(rows) - 0.3)
    axes.set_xlim(min(0.4, *(low for _, (_, low, _), _ in rows)) - 0.02, 1)
    axes.set_xlabel("F1 with 95% interval")
    axes.set_title(f"{task}: F1 by label")
    axes.grid(axis="x", alpha=0.3)
    return figure


def _reliability(task: str, found: Mapping[str, Any]) -> "Figure":
    figure = _new(4.4, 4.2)
    axes = figure.add_subplot()
    bins = found["reliability"]
    total = sum(b["mass"] for b in bins)
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.plot(
        [b["confidence"] for b in bins], [b["accuracy"] for b in bins], color="#0072B2", linewidth=1
    )
    axes.scatter(
        [b["confidence"] for b in bins],
        [b["accuracy"] for b in bins],
        s=[20 + 500 * b["mass"] / total for b in bins],
        color="#0072B2",
        alpha=0.6,
    )
    axes.set_xlim(0.2, 1.02)
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("stated probability of the decided label")
    axes.set_ylabel("share that is right")
    axes.set_title(f"{task}: reliability, ECE {_figure(found['ece'])}")
    return figure


def _risk_coverage(task: str, found: Mapping[str, Any]) -> "Figure":
    """Accuracy of the surest share of decisions, against that share."""
    figure = _new(4.6, 3.4)
    axes = figure.add_subplot()
    points = found["risk_coverage"]
    axes.plot([p["coverage"] for p in points], [p["accuracy"] for p in points], "o-", markersize=3)
    axes.axhline(found["accuracy"][0], color="black", linewidth=0.8, linestyle="--")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(min(0.5, *(p["accuracy"] for p in points)), 1.01)
    axes.set_xlabel("share decided, surest first; the rest one reads oneself")
    axes.set_ylabel("share of these that is right")
    axes.set_title(f"{clean(task)}: accuracy by share decided")
    axes.grid(alpha=0.3)
    return figure


def _learning_curve(result: "Result") -> "Figure":
    figure = _new(6.0, 3.6)
    axes = figure.add_subplot()
    shades = dict(zip(result.tasks, _OTHER_COLOURS, strict=False))
    x = [point["passages"] for point in result.learning_curve]
    for task, shade in shades.items():
        values = [point[task] for point in result.learning_curve]
        axes.plot(x, [v[0] for v in values], "o-", color=shade, label=clean(task))
        axes.fill_between(
            x, [v[1] for v in values], [v[2] for v in values], color=shade, alpha=0.15
        )
    axes.set_xlabel("training passages")
    axes.set_ylabel("macro-F1 with 95% interval")
    axes.set_title("learning curve")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _audit(found: Mapping[str, Any]) -> "Figure":
    """Macro-F1 of every shortcut beside the model's, one panel a task."""
    tasks, systems = list(found["words"]), found["systems"]
    figure = _new(4.2 * len(tasks), 0.9 + 0.34 * len(systems))
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for axes, task, shade in zip(panels, tasks, _OTHER_COLOURS, strict=False):
        for y, scores in enumerate(reversed(list(systems.values()))):
            value, low, high = scores[task]
            axes.plot([low, high], [y, y], color=shade, linewidth=3, alpha=0.5)
            axes.plot([value], [y], "o", color=shade)
            axes.annotate(
                f"{value:.2f}", (value, y), xytext=(0, 5), textcoords="offset points", ha="center"
            )
        axes.set_yticks(range(len(systems)), list(reversed(systems)))
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.6, len(systems) - 0.2)
        axes.set_xlabel("macro-F1 with 95% interval")
        axes.set_title(clean(task))
        axes.grid(axis="x", alpha=0.3)
    return figure


def _differences(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    """The difference of every experiment's macro-F1 to the default's, one panel a task."""
    tasks = list(rows[0]["tasks"])
    figure = _new(4.2 * len(tasks) + 1.5, 0.9 + 0.24 * len(rows))
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for axes, task, shade in zip(panels, tasks, _OTHER_COLOURS, strict=False):
        for y, row in enumerate(reversed(rows)):
            value, low, high = row["tasks"][task]["difference"]
            if high < _FARTHEST:  # off the scale: its figure at the edge
                axes.text(_FARTHEST, y, f"← {value:.2f}", color=shade, va="center")
                continue
            axes.plot([low, high], [y, y], color=shade, linewidth=3, alpha=0.5)
            axes.plot([value], [y], "o", color=shade, markersize=4)
        names = [f"{row['group']}: {row['what']}" for row in reversed(rows)]
        axes.set_yticks(range(len(rows)), [clean(n) for n in names])
        axes.axvline(0, color="black", linewidth=0.8, linestyle="--")
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlim(left=_FARTHEST)
        axes.set_xlabel("difference of macro-F1")
        axes.set_title(clean(task))
        axes.grid(axis="x", alpha=0.3)
    return figure


def _combinations(found: Mapping[str, Any]) -> "Figure":
    """Passages by combination of labels."""
    counts = found["combinations"]
    figure = _new(6.4, 0.9 + 0.3 * len(counts))
    axes = figure.add_subplot()
    names = list(reversed(counts))
    bars = axes.barh(
        range(len(names)),
        [counts[n] for n in names],
        color=[colour(n.split(" × ")[0]) for n in names],
    )
    axes.bar_label(bars, padding=3)
    axes.set_yticks(range(len(names)), [clean(n) for n in names])
    axes.set_xlabel("passages")
    axes.spines["bottom"].set_visible(False)
    return figure


def _kinds(found: Mapping[str, Any]) -> "Figure":
    """Passages by kind of outlet, by year and by length."""
    figure = _new(11, 0.9 + 0.24 * max(4, len(found["by_kind"])))
    for axes, (name, title) in zip(
        figure.subplots(1, 3),
        (("by_kind", "kind of outlet"), ("by_year", "year"), ("by_length", "words")),
        strict=True,
    ):
        names = list(reversed(found[name]))
        bars = axes.barh(range(len(names)), [found[name][n] for n in names], color="#56B4E9")
        axes.bar_label(bars, padding=3)
        axes.set_yticks(range(len(names)), [clean(n) or "–" for n in names])
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.set_title(f"passages by {title}")
    return figure


def _top_features(task: str, found: Mapping[str, Any]) -> "Figure":
    families = [
        f
        for f in ("categories", "discourse", "words")
        if any(f in by_family for by_family in found.values())
    ]
    labels = list(found)
    figure = _new(3.3 * len(labels), 2.9 * max(1, len(families)))
    grid = figure.subplots(max(1, len(families)), len(labels), squeeze=False)
    for row, family in zip(grid, families, strict=False):
        for axes, label in zip(row, labels, strict=True):
            top = found[label].get(family, [])[:10][::-1]
            axes.barh(range(len(top)), [w for _, w in top], color=colour(label))
            axes.set_yticks(range(len(top)), [clean(name) for name, _ in top])
            axes.tick_params(axis="x", labelsize=7)
            axes.set_title(f"{_both(label)}\n{family}" if family == families[0] else family)
    figure.suptitle(f"{task}: what speaks most for each label (weight × spread)")
    return figure


def _label_counts(records: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> "Figure":
    figure = _new(3.6 * len(tasks), 2.6)
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        labels = list(records[0][f"{task}_p"])
        counts = Counter(r[task] for r in records)
        bars = axes.bar(
            range(len(labels)), [counts[x] for x in labels], color=[colour(x) for x in labels]
        )
        axes.bar_label(bars)
        axes.set_xticks(range(len(labels)), [_both(x) for x in labels])
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_title(clean(task))
    return figure


def _course(records: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> "Figure":
    """The probabilities of each label, passage by passage, first passage at the right."""
    figure = _new(min(12.0, 2.5 + 0.28 * len(records)), 1.9 * len(tasks))
    for axes, task in zip(figure.subplots(len(tasks), 1, squeeze=False)[:, 0], tasks, strict=True):
        bottom = [0.0] * len(records)
        for label in records[0][f"{task}_p"]:
            share = [r[f"{task}_p"][label] for r in records]
            axes.bar(
                range(1, len(records) + 1),
                share,
                bottom=bottom,
                width=1.0,
                color=colour(label),
                edgecolor="white",
                linewidth=0.4,
                label=_both(label),
            )
            bottom = [a + b for a, b in zip(bottom, share, strict=True)]
        axes.set_xlim(len(records) + 0.5, 0.5)  # Arabic reads from the right
        if len(records) <= _PASSAGES_ON_AXIS:
            axes.set_xticks(range(1, len(records) + 1))
            axes.tick_params(axis="x", labelsize=7)
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.5, 1])
        axes.set_title(f"{clean(task)}: probabilities by passage")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    return figure
