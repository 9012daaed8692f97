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
#: One sign a label: what a page shows beside its colour.
SIGNS = {
    "favor": "+",
    "against": "−",
    "neutral": "○",
    "unrelated": "·",
    "convenience": "⇄",
    "axis": "◆",
    "mixed": "◐",
    "none": "·",
}
_OTHER_SIGNS = "▲■●★✚▼◇"
_PASSAGES_ON_AXIS = 40
_FARTHEST = -0.12  # of a difference of macro-F1 that a figure shows to scale


def colour(label: str) -> str:
    """The colour of a label; one outside the codebook gets a steady one of its own."""
    return COLOURS.get(label) or _OTHER_COLOURS[sum(label.encode()) % len(_OTHER_COLOURS)]


def ink(shade: str) -> str:
    """Black or white, whichever stands out more on a colour (contrast by WCAG 2.2: 4.5 or more).

    >>> ink("#0072B2"), ink("#E69F00")
    ('#fff', '#000')
    """
    parts = [int(shade[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    luminance = sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#fff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#000"


def sign(label: str, labels: Sequence[str]) -> str:
    """The sign of a label; one outside the codebook gets that of its place among ``labels``."""
    return SIGNS.get(label) or _OTHER_SIGNS[list(labels).index(label) % len(_OTHER_SIGNS)]


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


def _shaded(
    axes: Any, counts: Sequence[Sequence[float]], share: Sequence[Sequence[float]], top: float
) -> None:
    """A table of counts and shares, the darker the nearer a share is to ``top``."""
    axes.imshow(share, cmap="Blues", vmin=0, vmax=top)
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            axes.text(
                j,
                i,
                f"{count:.0f}\n{share[i][j]:.0%}",
                ha="center",
                va="center",
                color="white" if share[i][j] > 0.55 * top else "black",
            )


def confusion(task: str, found: Mapping[str, Any], language: str = "en") -> "Figure":
    """Labelled against decided passages, shares by row."""
    labels, matrix = found["confusion"]["labels"], found["confusion"]["matrix"]
    figure = _new(1.6 + 1.0 * len(labels), 1.2 + 0.85 * len(labels))
    axes = figure.add_subplot()
    share = [[v / max(1e-9, sum(row)) for v in row] for row in matrix]
    _shaded(axes, matrix, share, 1)
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
        names.append(
            f"F1: {_name(what, language)}" if y < len(rows) - 2 else translate(what, language)
        )
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


def _name(label: str, language: str) -> str:
    return LABELS[language].get(label, clean(label))


def _short(name: str, most: int = 34) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _mark(axes: Any, y: float, row: Mapping[str, Sequence[float]], shade: str) -> None:
    """A share with its interval, and a diamond for the corrected share."""
    value, low, high = row["counted"]
    axes.plot([low, high], [y, y], color=shade, linewidth=4, alpha=0.55, solid_capstyle="butt")
    axes.plot([value], [y], "|", color="black", markersize=9, markeredgewidth=2)
    axes.plot([row["corrected"][0]], [y], "D", color="white", markeredgecolor="black", markersize=4)


def _share_axis(axes: Any) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100%"])
    axes.grid(axis="x", alpha=0.25)


def shares(found: Mapping[str, Any], language: str = "en") -> "Figure":
    """The share of every label in a collection, one panel a task."""
    most = max(len(one["labels"]) for one in found.values())
    figure = _new(4.4 * len(found), 1.2 + 0.42 * most)
    for axes, (task, one) in zip(
        figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True
    ):
        for y, (label, row) in enumerate(one["labels"].items()):
            _mark(axes, y, row, colour(label))
        axes.set_yticks(range(len(one["labels"])), [_name(x, language) for x in one["labels"]])
        axes.set_ylim(len(one["labels"]) - 0.4, -0.6)
        axes.set_title(task_name(task, language))
        _share_axis(axes)
    figure.supxlabel(_key(language), fontsize=8)
    return figure


def task_name(task: str, language: str) -> str:
    """A task as a page heads it; one outside the codebook as it is."""
    known = task in {"stance", "framing"}
    return translate(task.capitalize(), language) if known else clean(task)


def _key(language: str) -> str:
    return translate(
        "bar: 95% interval of the share of decisions; diamond: corrected for errors", language
    )


def cells(found: Mapping[str, Mapping[str, Any]], language: str = "en") -> "Figure":
    """Passages by label of one task (rows) and of another (columns)."""
    rows, columns = list(found), list(next(iter(found.values())))
    figure = _new(1.6 + 1.25 * len(columns), 0.8 + 0.7 * len(rows))
    axes = figure.add_subplot()
    share = [[found[a][b]["share"][0] for b in columns] for a in rows]
    top = max(max(row) for row in share)
    _shaded(axes, [[found[a][b]["passages"] for b in columns] for a in rows], share, top)
    axes.set_aspect("auto")
    axes.set_xticks(range(len(columns)), [_name(x, language) for x in columns])
    axes.set_yticks(range(len(rows)), [_name(x, language) for x in rows])
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


def group_shares(rows: Sequence[Mapping[str, Any]], task: str, language: str = "en") -> "Figure":
    """The share of every label of a task (panels) in every group (rows).

    A row: ``title`` and ``tasks`` → task → what ``prevalence.shares`` gives.
    """
    labels = list(rows[0]["tasks"][task]["labels"])
    figure = _new(2.0 + 2.1 * len(labels), 1.1 + 0.26 * len(rows))
    panels = figure.subplots(1, len(labels), squeeze=False, sharey=True)[0]
    for axes, label in zip(panels, labels, strict=True):
        for y, row in enumerate(rows):
            if row["tasks"][task]["articles"] > 1:
                _mark(axes, y, row["tasks"][task]["labels"][label], colour(label))
            else:
                axes.plot(
                    [row["tasks"][task]["labels"][label]["counted"][0]], [y], "x", color="#777777"
                )
        axes.set_title(_name(label, language))
        axes.set_ylim(len(rows) - 0.4, -0.6)
        _share_axis(axes)
        axes.set_xticks([0, 0.5, 1], ["0", "50", "100%"])
    names = [f"{_short(clean(r['title']))} ({r['tasks'][task]['passages']})" for r in rows]
    panels[0].set_yticks(range(len(rows)), names)
    figure.supxlabel(
        _key(language) + translate("; cross: one article, no interval", language), fontsize=8
    )
    return figure


def balance(rows: Sequence[Mapping[str, Any]], task: str, language: str = "en") -> "Figure":
    """The share of axis less that of convenience, month by month, with its interval."""
    rows = [row for row in rows if row["kind"] == "group"]
    at = [int(row["name"][:4]) * 12 + int(row["name"][5:]) - 1 for row in rows]
    figure = _new(9.0, 3.4)
    axes = figure.add_subplot()
    axes.axhline(0, color="black", linewidth=0.8)
    runs: list[list[int]] = []
    for k, x in enumerate(at):
        if runs and x == at[runs[-1][-1]] + 1:
            runs[-1].append(k)
        else:
            runs.append([k])
    for run in runs:  # a month that is missing parts the line
        values = [rows[k]["balance"][task][0] for k in run]
        axes.plot([at[k] for k in run], values, color="#BBBBBB", linewidth=1)
    for x, row in zip(at, rows, strict=True):
        value, low, high = row["balance"][task]
        shade = "#777777"
        if low > 0 or high < 0:
            shade = colour("axis") if value > 0 else "#B36B00"
        if row["tasks"][task]["articles"] == 1:
            axes.plot([x], [value], "x", color="#777777")
            continue
        axes.plot([x, x], [low, high], color=shade, linewidth=2.5, alpha=0.6)
        clear = low > 0 or high < 0
        axes.plot([x], [value], "o", color=shade if clear else "white", markeredgecolor=shade)
    first, last = min(at), max(at)
    step = next(s for s in (1, 3, 6, 12, 24, 60, 10_000) if (last - first) / s <= 14)
    ticks = [x for x in range(first, last + 1) if x % step == 0] or [first]
    axes.set_xticks(ticks, [f"{x // 12}-{x % 12 + 1:02}" for x in ticks])
    axes.set_xlim(first - 0.7, last + 0.7)
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1], ["−100", "−50", "0", "+50", "+100"])
    axes.grid(axis="y", alpha=0.25)
    for y, words, side in ((0.97, "more axis", "top"), (0.03, "more convenience", "bottom")):
        axes.text(
            0.995,
            y,
            translate(words, language),
            transform=axes.transAxes,
            ha="right",
            va=side,
            color=colour("axis") if side == "top" else "#8A5200",
        )
    axes.set_ylabel(translate("points, with 95% interval", language))
    return figure


_NAMED = 16  # speakers that may get a name on the map
_AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8), (-0.8, -0.8))


def speakers(rows: Sequence[Mapping[str, Any]], language: str = "en") -> "Figure":
    """Every speaker by frame (across) and stance (up): disc area is passages, a square the author.

    Names stand where they cover neither each other nor a disc; the others are left out.
    """
    figure = _new(8.0, 6.2)
    axes = figure.add_subplot()
    size = {id(r): r["tasks"]["stance"]["passages"] for r in rows}
    top = max([n for r in rows if (n := size[id(r)]) and r["name"]], default=1)
    discs = []
    for row in rows:
        x, y = row["leaning"]["framing"], row["leaning"]["stance"]
        area = 40 + 460 * size[id(row)] / top if row["name"] else 150
        axes.scatter(
            [x],
            [y],
            s=area,
            marker="o" if row["name"] else "s",
            color="#3B78A8" if row["name"] else "#444444",
            alpha=0.55,
            edgecolor="black",
            linewidth=0.7,
        )
        discs.append((row, x, y, area**0.5 / 2))
    axes.axhline(0, color="black", linewidth=0.6)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set_xlim(-1.08, 1.08)
    axes.set_ylim(-1.08, 1.08)
    ticks = [-1, -0.5, 0, 0.5, 1]
    axes.set_xticks(ticks, ["−1", "−½", "0", "½", "1"])
    axes.set_yticks(ticks, ["−1", "−½", "0", "½", "1"])
    axes.grid(alpha=0.2)
    ends = (
        ("convenience", (0, -0.08), "left", "top", 0),
        ("axis", (1, -0.08), "right", "top", 0),
        ("against", (-0.075, 0), "right", "bottom", 90),
        ("favor", (-0.075, 1), "right", "top", 90),
    )
    for label, (x, y), across, up, turn in ends:  # apart: bidi would turn one line of them round
        axes.text(
            x,
            y,
            _name(label, language),
            transform=axes.transAxes,
            ha=across,
            va=up,
            rotation=turn,
            color=colour(label) if label in ("against", "axis", "favor") else "#8A5200",
            fontweight="bold",
        )
    axes.set_xlabel(task_name("framing", language))
    axes.set_ylabel(task_name("stance", language))
    _name_discs(figure, axes, discs, language)
    return figure


def _name_discs(figure: "Figure", axes: Any, discs: Sequence[Any], language: str) -> None:
    """Names beside the discs of most passages, where there is room."""
    figure.draw_without_rendering()  # settles the layout, which places in points need
    figure.set_layout_engine("none")
    frame = axes.get_window_extent()
    pixel = figure.dpi / 72
    taken = []
    for _, x, y, radius in discs:
        at = axes.transData.transform((x, y))
        taken.append((at - radius * pixel, at + radius * pixel))
    for row, x, y, radius in discs[:_NAMED]:
        name = _short(clean(row["title"]), 28)
        for far in (5, 14, 26):
            if _placed(axes, name, (x, y), radius, far, frame, taken):
                break


def _placed(
    axes: Any,
    name: str,
    point: tuple[float, float],
    radius: float,
    far: float,
    frame: Any,
    taken: list[Any],
) -> bool:
    """Write a name ``far`` points from a disc, on the first side where it has room."""
    for dx, dy in _AROUND:
        place = {
            "xytext": (dx * (radius + far), dy * (radius + far)),
            "textcoords": "offset points",
        }
        text = axes.annotate(
            name,
            point,
            **place,
            ha={1: "left", 0: "center", -1: "right"}[round(dx)],
            va={1: "bottom", 0: "center", -1: "top"}[round(dy)],
            fontsize=8,
        )
        box = text.get_window_extent().padded(3)
        inside = (
            frame.x0 <= box.x0 <= box.x1 <= frame.x1 and frame.y0 <= box.y0 <= box.y1 <= frame.y1
        )
        free = all(
            box.x1 < low[0] or box.x0 > high[0] or box.y1 < low[1] or box.y0 > high[1]
            for low, high in taken
        )
        if inside and free:
            taken.append((box.min, box.max))
            if far > 5:  # a thread to the disc
                line = {"arrowstyle": "-", "color": "#777777", "linewidth": 0.6, "shrinkA": 0}
                axes.annotate("", point, **place, arrowprops=line | {"shrinkB": radius})
            return True
        text.remove()
    return False


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
