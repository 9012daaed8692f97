"""Findings → pictures: one function a figure, and how figures are saved."""

import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stance.language import LABELS, term, translate
from stance.tables import interval
from stance.text import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stance.evaluation import Result

#: Makes a figure when it is called.
Maker = Callable[[], "Figure"]
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
_PASSAGES_ON_AXIS = 40
_FARTHEST = -0.12  # of a difference of macro-F1 that a figure shows to scale


def colour(label: str) -> str:
    """The colour of a label; one outside the codebook gets a steady one of its own."""
    return COLOURS.get(label) or _OTHER_COLOURS[sum(label.encode()) % len(_OTHER_COLOURS)]


def _new(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _both(label: str) -> str:
    return f"{label}\n{LABELS['ar'][label]}" if label in LABELS["ar"] else clean(label)


def _named(label: str, language: str) -> str:
    """A label's name in ``language``, in English pages with the Arabic below it."""
    own = LABELS[language].get(label)
    if own is None:
        return clean(label)
    return own if language == "ar" else f"{own}\n{LABELS['ar'][label]}"


def _titled(task: str, phrase: str, language: str) -> str:
    return f"{clean(term(task, language))}: {translate(phrase, language)}"


def confusion(task: str, found: Mapping[str, Any], language: str = "en") -> "Figure":
    """Labelled against decided passages, shares by row."""
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
    axes.set_xticks(range(len(labels)), [_named(x, language) for x in labels])
    axes.set_yticks(range(len(labels)), [_named(x, language) for x in labels])
    axes.set_xlabel(translate("decided", language))
    axes.set_ylabel(translate("labelled", language))
    axes.set_title(_titled(task, "labelled and decided passages", language))
    return figure


def per_class(task: str, found: Mapping[str, Any], language: str = "en") -> "Figure":
    """F1 of every label with its interval."""
    figure = _new(6.4, 0.9 + 0.5 * (len(found["per_class"]) + 1))
    axes = figure.add_subplot()
    rows = [
        (translate("mean of all labels", language), found["macro_f1"], "black"),
        *((label, s["f1"], colour(label)) for label, s in found["per_class"].items()),
    ]
    for y, (_, (value, low, high), shade) in enumerate(reversed(rows)):
        axes.plot([low, high], [y, y], color=shade, linewidth=3, alpha=0.55)
        axes.plot([value], [y], "o", color=shade, markeredgecolor="black")
        axes.annotate(
            f"{value:.2f}", (value, y), xytext=(0, 7), textcoords="offset points", ha="center"
        )
    names = [_named(label, language).replace("\n", "  ") for label, _, _ in reversed(rows)]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(-0.6, len(rows) - 0.3)
    axes.set_xlim(min(0.4, *(low for _, (_, low, _), _ in rows)) - 0.02, 1)
    axes.set_xlabel(translate("F1 with 95% interval", language))
    axes.set_title(_titled(task, "F1 by label", language))
    axes.grid(axis="x", alpha=0.3)
    return figure


def reliability(task: str, found: Mapping[str, Any], language: str = "en") -> "Figure":
    """Stated probability against the share that is right."""
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
    axes.set_xlabel(translate("stated probability of the decided label", language))
    axes.set_ylabel(translate("share that is right", language))
    title = _titled(task, "stated and true shares", language)
    axes.set_title(f"{title}\nECE {interval(found['ece'])}")
    return figure


def risk_coverage(task: str, found: Mapping[str, Any], language: str = "en") -> "Figure":
    """Accuracy of the surest share of decisions, against that share."""
    figure = _new(4.6, 3.4)
    axes = figure.add_subplot()
    points = found["risk_coverage"]
    axes.plot([p["coverage"] for p in points], [p["accuracy"] for p in points], "o-", markersize=3)
    axes.axhline(found["accuracy"][0], color="black", linewidth=0.8, linestyle="--")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(min(0.5, *(p["accuracy"] for p in points)), 1.01)
    axes.set_xlabel(translate("share decided, surest first; the rest one reads oneself", language))
    axes.set_ylabel(translate("share of these that is right", language))
    axes.set_title(_titled(task, "accuracy by share decided", language))
    axes.grid(alpha=0.3)
    return figure


def learning_curve(result: "Result", language: str = "en") -> "Figure":
    """Macro-F1 by number of training passages."""
    figure = _new(6.0, 3.6)
    axes = figure.add_subplot()
    shades = dict(zip(result.tasks, _OTHER_COLOURS, strict=False))
    x = [point["passages"] for point in result.learning_curve]
    for task, shade in shades.items():
        values = [point[task] for point in result.learning_curve]
        axes.plot(x, [v[0] for v in values], "o-", color=shade, label=clean(term(task, language)))
        axes.fill_between(
            x, [v[1] for v in values], [v[2] for v in values], color=shade, alpha=0.15
        )
    axes.set_xlabel(translate("training passages", language))
    axes.set_ylabel(translate("macro-F1 with 95% interval", language))
    axes.set_title(translate("learning curve", language))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def audit(found: Mapping[str, Any], language: str = "en") -> "Figure":
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
        axes.set_yticks(range(len(systems)), [term(s, language) for s in reversed(systems)])
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.6, len(systems) - 0.2)
        axes.set_xlabel(translate("macro-F1 with 95% interval", language))
        axes.set_title(clean(term(task, language)))
        axes.grid(axis="x", alpha=0.3)
    return figure


def paired(task: str, found: Mapping[str, Any], language: str = "en") -> "Figure":
    """What changed between two results: each figure's paired difference with its interval."""
    rows = [
        ("accuracy", found["accuracy"], "black"),
        ("macro-F1", found["macro_f1"], "black"),
        *((label, scores, colour(label)) for label, scores in found["per_class"].items()),
    ]
    figure = _new(6.4, 1.0 + 0.46 * len(rows))
    axes = figure.add_subplot()
    axes.axvline(0, color="black", linewidth=0.8, linestyle="--")
    names = []
    for y, (what, three, shade) in enumerate(reversed(rows)):
        value, low, high = three["difference"]
        axes.plot([low, high], [y, y], color=shade, linewidth=3, alpha=0.55)
        axes.plot([value], [y], "o", color=shade, markeredgecolor="black")
        axes.annotate(
            f"{value:+.3f}", (value, y), xytext=(0, 6), textcoords="offset points", ha="center"
        )
        known = LABELS[language].get(what) or clean(what)
        names.append(f"F1: {known}" if y < len(rows) - 2 else translate(what, language))
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(-0.6, len(rows) - 0.2)
    reach = max(0.02, *(abs(x) for _, three, _ in rows for x in three["difference"])) * 1.08
    axes.set_xlim(-reach, reach)
    axes.set_xlabel(translate("worse to the left of the line, better to its right", language))
    axes.set_title(_titled(task, "what changed", language))
    axes.grid(axis="x", alpha=0.3)
    return figure


def differences(rows: Sequence[Mapping[str, Any]]) -> "Figure":
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


def combinations(found: Mapping[str, Any]) -> "Figure":
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


def kinds(found: Mapping[str, Any]) -> "Figure":
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


def top_features(task: str, found: Mapping[str, Any], language: str = "en") -> "Figure":
    """The features that speak most for each label, by family."""
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
            axes.set_yticks(range(len(top)), [clean(feature) for feature, _ in top])
            axes.tick_params(axis="x", labelsize=7)
            kind = term(family, language)
            first = f"{_named(label, language)}\n" if family == families[0] else ""
            axes.set_title(f"{first}{kind}")
    figure.suptitle(_titled(task, "what speaks most for each label (weight × spread)", language))
    return figure


def label_counts(records: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> "Figure":
    """How many passages have each label."""
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


def course(records: Sequence[Mapping[str, Any]], tasks: Sequence[str]) -> "Figure":
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


def save(figures: Mapping[str, Maker], folder: Path) -> dict[str, str]:
    """Save each figure as SVG and PNG to ``folder``; name → data address of the SVG."""
    import matplotlib

    images = {}
    folder.mkdir()
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
            (folder / f"{name}.svg").write_bytes(picture.getvalue())
            figure.savefig(folder / f"{name}.png", dpi=130)
            encoded = base64.b64encode(picture.getvalue()).decode()
            images[name] = f"data:image/svg+xml;base64,{encoded}"
    return images
