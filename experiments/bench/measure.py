"""Clocks: rounds, medians, processes and their memory, the machine."""

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

#: A figure: median, smallest and largest of its rounds.
Figure = list[float]

ROOT = Path(__file__).parent.parent.parent
_PAUSE = 0.1  # seconds between two looks at the memory of a tree
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def figure(values: Iterable[float]) -> Figure:
    """Median, smallest and largest, to four significant digits.

    >>> figure([3, 1, 2.00004])
    [2.0, 1.0, 3.0]
    """
    found = list(values)
    return [float(f"{v:.4g}") for v in (statistics.median(found), min(found), max(found))]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """How many times ``theirs`` is ``ours``, round by round.

    >>> ratio([1, 2], [10, 30])
    [12.5, 10.0, 15.0]
    """
    return figure(b / a for a, b in zip(ours, theirs, strict=True))


@dataclass(frozen=True)
class Spent:
    """What a piece of work took: seconds by the clock, and of the processor (user + system)."""

    wall: float
    cpu: float


def spent(work: Callable[[], object]) -> Spent:
    """The time of a call, in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


# --- whole processes ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run(Spent):
    """A process that ended well; ``memory``: the most its tree held at once, in MiB (resident)."""

    memory: float


# A process's own peak begins at that of the process that started it: a small one has to.
_LAUNCH = """
import json, os, sys, time
start = time.perf_counter()
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
print(pid, flush=True)
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - start
code = os.waitstatus_to_exitcode(status)
print(json.dumps([code, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]))
"""


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Run:
    """Run a command, the path of a program and its arguments, to its end, without its output.

    Memory is the kernel's own count for a single process; for a tree the largest sum seen, which
    counts shared pages as often as they are shared. Raises ``RuntimeError`` with the last line on
    stderr where the command fails.
    """
    with tempfile.TemporaryFile() as errors:
        launcher = subprocess.Popen(
            [sys.executable, "-ISc", _LAUNCH, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | (env or {}),
        )
        assert launcher.stdout
        trees: list[float] = []
        with launcher.stdout as lines:
            watch = threading.Thread(target=_watch, args=(int(lines.readline()), trees))
            watch.start()
            *_, last = lines.read().splitlines()
        launcher.wait()
        watch.join()
        code, wall, cpu, own = json.loads(last)
        if code:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise RuntimeError(f"exit code {code}: {said}")
    return Run(wall, cpu, max([own, *trees]))


def printed(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> list[float]:
    """The numbers that a command prints. Raises ``CalledProcessError`` where it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | (env or {}),
        check=True,
    )
    return [float(word) for word in done.stdout.split()]


def _watch(pid: int, found: list[float]) -> None:
    """Note the memory of a tree of several processes until its root is gone."""
    while Path(f"/proc/{pid}").exists():
        tree = _tree(pid)
        if len(tree) > 1:
            found.append(sum(map(_resident, tree)))
        time.sleep(_PAUSE)


def _tree(pid: int) -> list[int]:
    """A process and all below it; those that end meanwhile are left out."""
    try:
        lists = [p.read_text() for p in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return [pid]
    return [
        pid,
        *(below for found in lists for child in found.split() for below in _tree(int(child))),
    ]


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


# --- competitors in processes of their own --------------------------------------------------------


class Worker:
    """A competitor that is kept ready in a process of its own and works when it is told to.

    So each has its own memory and environment, and rounds can go from one to the next.
    """

    def __init__(self, name: str, folder: Path, env: Mapping[str, str] | None = None):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "experiments.bench.competitors", name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | ONE_THREAD | (env or {}),
        )
        self.ready = self._answer()

    def ask(self, task: str, *arguments: Any) -> Any:
        """Have it do something, see :mod:`experiments.bench.competitors`."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps([task, *arguments]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a competitor ended with exit code {self._process.wait()}")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


# --- where it was measured ------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """Processor, cores and memory (GiB)."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(*distributions: str) -> dict[str, str]:
    """The versions of Python and of installed distributions, without those missing."""
    found = {"python": platform.python_version()}
    for name in ("numpy", "scipy", "scikit-learn", *distributions):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
