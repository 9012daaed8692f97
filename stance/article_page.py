"""Decisions on an article → the page that shows it, passage by passage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stance import figures
from stance.page import Folder, environment, percent
from stance.text import clean

if TYPE_CHECKING:
    from stance.article import Article

_TELLING_WORDS = 8
_OPPOSING_WORDS = 3
_LEAST_WEIGHT = 0.1  # of a word that is marked: it makes its label a tenth likelier
_STRONG_WEIGHTS = (0.5, 1.0)
#: Labels of passages that take no side; a tendency is one of the others.
_QUIET = frozenset({"neutral", "unrelated", "none"})
_FEWEST_FOR_TENDENCY = 3
_PASSAGES_ON_LINE = 20  # of the course; as many as a phone has room for


def write(
    records: Sequence[Mapping[str, Any]],
    folder: Path,
    article: "Article",
    language: str = "en",
    model: Mapping[str, Any] | None = None,
) -> None:
    """Write a page about an article to ``folder``: ``index.html``, ``decisions.jsonl``, figures.

    ``records``: the decisions of the article's passages in order, with ``because`` for its evidence
    words. ``model``: ``Model.info`` of what decided, with the ``name`` of its file (empty for the
    package's own); without it the page does not say what the decisions depend on.
    """
    labels = {k[:-2]: list(p) for k, p in records[0].items() if k.endswith("_p")}
    passages = [_passage(n, record, labels) for n, record in enumerate(records, 1)]
    by_start = {p["record"]["start"]: p for p in passages}
    blocks = [
        {
            "kind": block.kind,
            "text": clean(article.block_text(block)),
            "passage": by_start.get(block.start) if block.kind == "passage" else None,
        }
        for block in article.blocks
    ]
    page = (
        environment(language)
        .get_template("article.html")
        .render(
            title=clean(article.title),
            name=clean(article.name),
            blocks=blocks,
            passages=passages,
            doubtful=[p for p in passages if p["doubtful"]],
            voices=_voices(passages, labels),
            tasks=labels,
            counts={task: Counter(r[task] for r in records) for task in labels},
            tendency={task: tendency(records, task) for task in labels},
            model=model,
            assumed=_assumed(model["settings"]["prior"], labels) if model else {},
            wrapped=len(passages) > _PASSAGES_ON_LINE,
            clean=clean,
            ink=figures.ink,
            sign=figures.sign,
            percent=percent,
        )
    )
    with Folder(folder) as out:
        out.draw(
            {
                "labels": partial(figures.label_counts, records, list(labels)),
                "course": partial(figures.course, records, list(labels)),
            }
        )
        out.write("index.html", page)
        out.write_decisions(records)


def _passage(
    n: int, record: Mapping[str, Any], labels: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """What the page shows of the ``n``-th passage."""
    evidence = {task: _evidence(record, task) for task in labels}
    return {
        "n": n,
        "record": record,
        "length": len(record["text"]),
        "doubtful": [task for task in labels if len(record[f"{task}_set"]) > 1],
        "voice": _voice(record),
        "evidence": evidence,
        "pieces": _pieces(record["text"], evidence),
    }


def _evidence(record: Mapping[str, Any], task: str) -> dict[str, Any] | None:
    """The words that speak most for and against a decided label, weights to two places.

    ``words``, ``rest`` (of the other words), ``base`` (before any word) add up to ``total``.
    """
    found = [b for b in record.get("because", ()) if b["head"] == task]
    if not found:
        return None
    words = sorted((b for b in found if b["end"] > b["start"]), key=lambda b: -b["weight"])
    telling = [b for b in words[:_TELLING_WORDS] if b["weight"] >= _LEAST_WEIGHT]
    opposing = [b for b in words[-_OPPOSING_WORDS:] if b["weight"] <= -_LEAST_WEIGHT]
    shown = [
        {
            "task": task,
            "start": b["start"],
            "end": b["end"],
            "label": b["label"],
            "text": clean(record["text"][b["start"] : b["end"]]),
            "weight": round(b["weight"], 2),
            "strength": 1 + sum(round(b["weight"], 2) >= least for least in _STRONG_WEIGHTS),
        }
        for b in telling + opposing
    ]
    base = round(sum(b["weight"] for b in found if b["end"] == 0), 2)
    total = round(sum(b["weight"] for b in found), 2)
    rest = round(total - base - sum(w["weight"] for w in shown), 2) + 0.0  # no -0.00
    return {"words": shown, "base": base, "rest": rest, "total": total}


def _pieces(text: str, evidence: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """A passage cut at its telling words: pieces of text, each with the marks on it."""
    spans: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for depth, found in enumerate(evidence.values()):
        for word in found["words"] if found else ():
            if word["weight"] > 0:
                mark = word | {"depth": depth}
                spans.setdefault((word["start"], word["end"]), []).append(mark)
    pieces: list[tuple[str, list[dict[str, Any]]]] = []
    at = 0
    for (start, end), marks in sorted(spans.items()):
        if start >= at:  # else a character that stands for several words, marked already
            pieces += [(clean(text[at:start]), []), (clean(text[start:end]), marks)]
            at = end
    return [*pieces, (clean(text[at:]), [])]


def _voice(record: Mapping[str, Any]) -> dict[str, str]:
    """Whose position a passage gives; the name is empty for the author."""
    known = record.get("voice") or {}
    name = clean(known.get("name", record["holder"]) or "")
    return {
        "name": name,
        "role": clean(known.get("role") or ""),
        "kind": known.get("kind") or ("" if name else "author"),
        "found": known.get("found") or "",
    }


def _voices(
    passages: Sequence[Mapping[str, Any]], labels: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """The voices of an article with their passages, the most heard first."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for passage in passages:
        voice = passage["voice"]
        who = (voice["name"],) if voice["name"] else ("", voice["kind"], voice["role"])
        one = found.setdefault(who, voice | {"passages": []})
        one["role"] = one["role"] or voice["role"]
        one["passages"].append(passage)
    for one in found.values():
        decided = [p["record"] for p in one["passages"]]
        one["counts"] = {task: Counter(r[task] for r in decided) for task in labels}
    return sorted(found.values(), key=lambda one: -len(one["passages"]))


def tendency(records: Sequence[Mapping[str, Any]], task: str) -> dict[str, Any]:
    """What the passages of an article tend to, as far as the doubtful ones cannot undo it.

    ``mostly``: the labels that take no side, where they are certain in more than half of the
    passages. ``toward``: the label of at least three certain passages that are twice as many as
    those of other sides and all doubtful ones together; else empty. ``open``: how many passages
    take a side or may take one.

    >>> decided = [{"stance": x, "stance_p": {"favor": 0, "against": 0, "neutral": 0},
    ...             "stance_set": [x]} for x in ("favor", "favor", "favor", "against", "neutral")]
    >>> tendency(decided, "stance")
    {'mostly': [], 'toward': 'favor', 'open': 4}
    """
    sure = Counter(r[task] for r in records if len(r[f"{task}_set"]) == 1)
    labels = list(records[0][f"{task}_p"])
    quiet = [x for x in labels if x in _QUIET and sure[x]]
    silent = sum(sure[x] for x in quiet)
    enough = len(records) >= _FEWEST_FOR_TENDENCY
    sides = [x for x in labels if x not in _QUIET]
    top = max(sides, key=lambda x: sure[x], default="")
    others = len(records) - silent - sure[top]
    clear = sure[top] >= max(_FEWEST_FOR_TENDENCY, 2 * others)
    return {
        "mostly": quiet if enough and 2 * silent > len(records) else [],
        "toward": top if clear else "",
        "open": len(records) - silent,
    }


def _assumed(
    prior: Mapping[str, Mapping[str, float]], labels: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """The share of each label that decisions assume before anything is read."""
    found = {}
    for task, names in labels.items():
        shares = [float(prior.get(task, {}).get(name, 1.0)) for name in names]
        found[task] = dict(zip(names, (s / sum(shares) for s in shares), strict=True))
    return found
