"""Shared fixtures: the shipped model, a small corpus, and a runner of the real command."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

import stance
from stance.model import Model

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"

# Speed is measured in benchmarks, not here: a busy machine fails no test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def model() -> Model:
    return stance.load()


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``stance ARGUMENTS`` as a process of its own."""

    def command(
        *arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", "from stance.cli import main; main(prog_name='stance')"]
            + [str(a) for a in arguments],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return command


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[[str, Sequence[object]], Path]:
    """Write records to a jsonl file; a plain string is written as it is."""

    def write(name: str, records: Sequence[object]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few dozen articles of the corpus, with lexicons: enough to train and evaluate on."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "passages").mkdir()
    (folder / "sentences").mkdir()
    (folder / "lexicons").symlink_to(DATA / "lexicons")
    for name in ("gulf-dailies", "expert-roundups"):
        lines = (DATA / "passages" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        (folder / "passages" / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    lines = (DATA / "sentences" / "plain-axis.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "sentences" / "plain-axis.jsonl").write_text("\n".join(lines[:40]) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="session")
def quick_settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings that train in a second or two."""
    settings = json.loads((ROOT / "stance" / "default.json").read_text())
    settings["features"] = {
        "words": {"smallest": 1, "largest": 1, "min_df": 2, "weight": 1.0},
        "categories": {"weight": 0.5},
    }
    settings["C"] = [1.0]
    settings["inner_folds"] = 2
    path = tmp_path_factory.mktemp("settings") / "quick.json"
    path.write_text(json.dumps(settings))
    return path


@pytest.fixture(scope="session")
def collection() -> list[dict]:
    """Sixty decisions: three outlets and a small one, three months, speakers, hostile texts."""
    evil = '=1+1 <script>alert(1)</script><img src=x onerror=alert(2)> \u202eمحور\u2066 & "جديد"'
    tilt = {"favor": "axis", "against": "convenience", "neutral": "none", "unrelated": "none"}
    found = []
    for i in range(60):
        stance_ = ("neutral", "against", "favor", "neutral", "unrelated")[i % 5]
        framing = tilt[stance_] if i % 10 < 8 else "none"
        sure = 0.5 + (i * 7 % 50) / 100
        found.append(
            {
                "id": f"p{i}",
                "doc": f"d{i // 3}",
                "start": 0,
                "end": 9,
                "text": f"فقرة رقم {i} عن إتفاقٍ بين البلدين",
                "holder": "" if stance_ in ("neutral", "unrelated") else "كيم",
                "stance": stance_,
                "stance_p": spread(stance_, sure, list(tilt)),
                "stance_set": list(dict.fromkeys([stance_, "neutral" if sure < 0.6 else stance_])),
                "framing": framing,
                "framing_p": spread(framing, 0.9, ["convenience", "axis", "mixed", "none"]),
                "framing_set": [framing],
                "outlet": ("الديار", "=HYPERLINK(1)", "<b>Daily</b>")[i % 3]
                if i < 57
                else "@small",
                "date": ("2024-01", "2024-02-10", "2024-04-01")[i // 20] if i else "19/06/2024",
            }
        )
    found[7] |= {"text": evil, "id": "-1+1", "voice": {"name": "+كيم", "role": "", "kind": ""}}
    return found


def spread(label: str, p: float, labels: Sequence[str]) -> dict[str, float]:
    """``p`` for a label, the rest in equal parts for the others."""
    return {x: p if x == label else (1 - p) / (len(labels) - 1) for x in labels}


@pytest.fixture(scope="session")
def corpus_pages(collection, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Language → the folder of the page on the collection."""
    from stance.corpus_page import write as write_corpus

    pages = {language: tmp_path_factory.mktemp("corpus") / language for language in ("en", "ar")}
    for language, folder in pages.items():
        write_corpus(collection, folder, language, {"stance": {"neutral": 2}})
    return pages
