"""How many instructions a process carries out, by perf or by callgrind, whichever works here."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.bench import measure

_COLLECTED = re.compile(r"Collected : (\d+)")


def tool() -> str | None:
    """``perf`` where the processor's counters can be read, else ``callgrind``, else ``None``."""
    for name in ("perf", "callgrind"):
        try:
            count(name, [sys.executable, "-c", ""])
        except (OSError, RuntimeError):
            continue
        return name
    return None


def count(name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> int:
    """The instructions of a command, in user space.

    Raises ``RuntimeError`` where the command or the count fails.
    """
    program = "perf" if name == "perf" else "valgrind"
    if not shutil.which(program):
        raise RuntimeError(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        if name == "perf":
            before = ["perf", "stat", "-x,", "-e", "instructions:u", "-o", str(report), "--"]
        else:
            profile = Path(folder) / "profile"
            before = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}"]
            before.append(f"--log-file={report}")
        done = subprocess.run(
            [*before, *map(str, command)],
            capture_output=True,
            cwd=measure.ROOT,
            env=os.environ | measure.ONE_THREAD | {"PYTHONHASHSEED": "0"} | (env or {}),
            check=False,
        )
        text = report.read_text(encoding="utf-8") if report.exists() else ""
    found = re.search(r"^(\d+),", text, re.M) if name == "perf" else _COLLECTED.search(text)
    if done.returncode or not found:
        raise RuntimeError(f"{name}: exit code {done.returncode}, no count")
    return int(found[1])
