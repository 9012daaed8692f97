"""Write data/DATASHEET.md and MODEL_CARD.md from the corpus and the committed result.

Run by ``make report``; a test checks that both are up to date.
"""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import stance
from stance import audit, corpus, lexicon, tables
from stance.evaluation import Result

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "experiments" / "evaluation" / "result.json"
CHALLENGE = ROOT / "experiments" / "challenge" / "result.json"
FROZEN = ROOT / "experiments" / "frozen" / "result.json"
AUDIT = ROOT / "experiments" / "audit"


def cards() -> dict[Path, str]:
    """Each card's path and text."""
    passages = corpus.read([ROOT / "data" / "passages", ROOT / "data" / "sentences"])
    result = Result.from_json(_json(RESULT))
    cues = lexicon.read(sorted((ROOT / "data" / "lexicons").glob("*.json")))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    model = stance.load()
    facts = {
        "stats": corpus.stats(passages),
        "files": _per_file(),
        "figures": tables.markdown(result),
        "frozen": tables.markdown(Result.from_json(_json(FROZEN))),
        "hard": tables.phenomena_markdown(Result.from_json(_json(CHALLENGE))),
        "result": result,
        "model": model,
        "codebook": corpus.LABELS,
        "agreement": _json(AUDIT / "agreement.json"),
        "origins": _json(AUDIT / "agreement-pages.json"),
        "challenge": _challenge(corpus.read([ROOT / "data" / "challenge.jsonl"])),
        "audit": tables.audit_markdown(_json(AUDIT / "audit.json")),
        "categories": tables.categories_markdown(audit.categories(passages, cues)),
        "figure": lambda value: "{:.3f} [{:.3f}, {:.3f}]".format(*value),
    }
    return {
        ROOT / "data" / "DATASHEET.md": environment.get_template("datasheet.md.j2").render(facts),
        ROOT / "MODEL_CARD.md": environment.get_template("model-card.md.j2").render(facts),
    }


def _challenge(items: list[corpus.Passage]) -> dict[str, int]:
    """Counts of the challenge set."""
    own = [p for p in items if p.meta["relation"] != "surface"]
    return {
        "number": len(own),
        "sets": len({p.meta["pair"] for p in own}),
        "phenomena": len({p.meta["phenomenon"] for p in own}),
        "surface": len(items) - len(own),
    }


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _per_file() -> list[tuple[str, int, int]]:
    """Name, articles and passages of each file of passages."""
    found = []
    for path in sorted((ROOT / "data" / "passages").glob("*.jsonl")):
        passages = corpus.read([path])
        found.append((path.stem, len({p.doc for p in passages}), len(passages)))
    return found


if __name__ == "__main__":
    for path, text in cards().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
