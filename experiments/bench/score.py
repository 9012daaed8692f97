"""Score the first N texts of a JSON list with the shipped model: ``python -m … FILE N``."""

import json
import sys
from pathlib import Path

import stance

if __name__ == "__main__":
    texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    stance.load().predict_proba(texts[: int(sys.argv[2])])
