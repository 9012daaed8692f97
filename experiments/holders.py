"""How well the holders of passages are found: against the labels of a corpus.

    make holders

For the articles of each split: the share of passages whose holder is exact after normalisation,
the same where the label names somebody, and F1 of "somebody holds it, not the author"; by how the
holder was found and by its kind the share that is exact. Intervals (95%) are by bootstrap over
articles. ``stance/voice.json`` is trained on all but the split "test", which alone tells how well
other articles are read (or cross-validate: ``experiments/train_voice.py --folds``). Rows without
the key ``holder`` (headings) and those made from others (``pair``) are left out. Prints the figures
and writes ``experiments/holders.json``; ``--errors FILE`` lists what was missed, but never of the
split "test".
"""

import argparse
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stance.records import rows, table_files
from stance.storage import whole_file
from stance.text import normalise
from stance.voice import Holder, holders

HERE = Path(__file__).parent
BOOTSTRAPS = 1000


class Row(NamedTuple):
    """A labelled passage of an article and what was found for it."""

    doc: str
    split: str
    id: str
    text: str
    gold: str
    found: Holder


def bare(name: str) -> str:
    """A name as it is compared: its normalised words."""
    return " ".join(token.text for token in normalise(name).tokens())


def error(gold: str, name: str) -> str:
    """What is wrong with a name that was found, or "" where nothing is."""
    if bare(gold) == bare(name):
        return ""
    if not name or not gold:
        return "invented" if name else "missed"
    return "overlap" if {*bare(gold).split()} & {*bare(name).split()} else "other"


def articles(paths: Iterable[Path]) -> list[list[dict[str, Any]]]:
    """The labelled articles of files and folders, each a list of records."""
    found: list[list[dict[str, Any]]] = []
    for path in table_files(paths):
        records = [r for _, r in rows(path) if "holder" in r and not r.get("pair")]
        found += [list(group) for _, group in itertools.groupby(records, key=lambda r: r["doc"])]
    return found


def found_in(article: Sequence[dict[str, Any]]) -> list[Row]:
    """An article's passages with the holders that are found."""
    told = holders([r["text"] for r in article])
    return [
        Row(r["doc"], r.get("split") or "open", str(r["id"]), r["text"], r["holder"] or "", holder)
        for r, holder in zip(article, told, strict=True)
    ]


def measured(rows: Sequence[Row]) -> dict[str, Any]:
    """The figures of some passages; those that are estimated with [value, low, high]."""
    docs = {doc: i for i, doc in enumerate(dict.fromkeys(row.doc for row in rows))}
    counts = np.zeros((len(docs), 5))  # passages, exact, held, exact where held, found or held
    both = np.zeros(len(docs))
    for row in rows:
        right, held, named = (
            not error(row.gold, row.found.name),
            bool(row.gold),
            bool(row.found.name),
        )
        counts[docs[row.doc]] += [1, right, held, right and held, held + named]
        both[docs[row.doc]] += held and named
    picks = np.random.default_rng(0).integers(0, len(docs), (BOOTSTRAPS, len(docs)))

    def estimate(top: np.ndarray, bottom: np.ndarray) -> list[float]:
        drawn = top[picks].sum(1) / np.maximum(bottom[picks].sum(1), 1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        return [round(float(v), 4) for v in (top.sum() / max(bottom.sum(), 1), low, high)]

    n, exact, held, exact_held, either = counts.T
    errors = [error(row.gold, row.found.name) for row in rows]
    return {
        "passages": len(rows),
        "articles": len(docs),
        "exact": estimate(exact, n),
        "exact where held": estimate(exact_held, held),
        "f1 of somebody": estimate(2 * both, either),
        "errors": {e: errors.count(e) for e in ("missed", "invented", "overlap", "other")},
        "by found": _shares(rows, "found"),
        "by kind": _shares(rows, "kind"),
    }


def _shares(rows: Sequence[Row], what: str) -> dict[str, list[float]]:
    """For each value of an attribute of the holders found: how many, and the exact share."""
    values: dict[str, list[bool]] = {}
    for row in rows:
        right = not error(row.gold, row.found.name)
        values.setdefault(getattr(row.found, what), []).append(right)
    return {v: [len(r), round(sum(r) / len(r), 4)] for v, r in sorted(values.items())}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="+", type=Path, metavar="DATA")
    parser.add_argument("--output", type=Path, default=HERE / "holders.json")
    parser.add_argument("--errors", type=Path, help="write what was missed to this file (jsonl)")
    given = parser.parse_args()
    rows = [row for article in articles(given.data) for row in found_in(article)]
    result = {}
    for split in sorted({row.split for row in rows}):
        result[split] = measured([row for row in rows if row.split == split])
        print(split, json.dumps(result[split], ensure_ascii=False, indent=1))
    with whole_file(given.output) as file:
        file.write((json.dumps(result, indent=1) + "\n").encode())
    if given.errors:
        lines = [
            json.dumps(
                [error(r.gold, r.found.name), r.id, r.gold, r.found.name, r.found.found, r.text],
                ensure_ascii=False,
            )
            for r in rows
            if r.split != "test" and error(r.gold, r.found.name)
        ]
        given.errors.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
