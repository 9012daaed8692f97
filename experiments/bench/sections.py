"""What is measured, a function a section: options in, plain data out."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import stance
from experiments.bench import instructions, measure, texts
from experiments.bench.competitors import COMPETITORS
from experiments.bench.measure import Spent, figure, ratio

PASSAGES = measure.ROOT / "data" / "passages"
#: Sets the package to its NumPy path.
WITHOUT_NATIVE = {"STANCE_NATIVE": "0"}
_COMMAND = Path(sys.executable).with_name("stance")
_ARTICLE = Path(stance.__file__).parent / "samples" / "article.txt"
_MICRO = 1e6
_STARTS = 21


@dataclass(frozen=True)
class Options:
    """How much is measured.

    ``passages`` and ``rounds`` of scoring; ``sizes`` of whole runs, the first the measure of the
    others; ``largest``: the size that is run once (0: none); ``counted``: passages whose
    instructions are counted; ``share``: of the articles that cross-validation is timed on (0: it is
    not); ``resumed``: passages of the runs that are killed; ``work``: where made passages are kept.
    """

    passages: int = 20_000
    rounds: int = 5
    sizes: tuple[int, ...] = (20_000, 200_000)
    largest: int = 2_000_000
    counted: int = 500
    share: float = 0.0
    resumed: int = 1_000_000
    work: Path = measure.ROOT / "out" / "bench"


def native() -> bool:
    """Whether the package has a compiled engine beside its NumPy path."""
    folder = Path(stance.__file__).parent
    return any(p for suffix in EXTENSION_SUFFIXES for p in folder.rglob(f"*{suffix}"))


def paths() -> dict[str, dict[str, str]]:
    """The ways that the package can compute: name → environment."""
    return {"native": {}, "numpy": WITHOUT_NATIVE} if native() else {"numpy": {}}


# --- scoring --------------------------------------------------------------------------------------


def scoring(options: Options) -> dict[str, Any]:
    """Both labels of passages, in processes that are kept ready, all on the same core.

    Rounds go from competitor to competitor, each round on passages that nobody has seen.
    """
    n, rounds = options.passages, options.rounds
    stream = texts.recombined(texts.corpus_texts(PASSAGES))
    with tempfile.TemporaryDirectory() as name, one_core(), ExitStack() as open_workers:
        folder = Path(name)
        made = [list(islice(stream, n)) for _ in range(rounds + 1)]
        (folder / "rounds.json").write_text(json.dumps(made), encoding="utf-8")
        start = partial(_worker, open_workers, folder)
        workers = {"stance": start("stance")}
        if native():
            workers["stance, NumPy path"] = start("stance", env=WITHOUT_NATIVE)
        workers |= {other: start(other) for other in COMPETITORS if other not in workers}
        times = _rounds(workers, rounds)
        agreement = {
            other: _agreement(workers["stance"], workers[other], folder)
            for other in ("stance, NumPy path", "scikit-learn")
            if other in workers
        }
        competitors = {
            name: {
                "accuracy": worker.ask("accuracy"),
                **worker.ready["facts"],
                "measures": {
                    measured: {
                        "wall": figure(s.wall / n * _MICRO for s in found),
                        "cpu": figure(s.cpu / n * _MICRO for s in found),
                    }
                    for (whose, measured), found in times.items()
                    if whose == name
                },
            }
            for name, worker in workers.items()
        }
    return {
        "passages": n,
        "rounds": rounds,
        "native": native(),
        "characters": round(float(np.mean([len(t) for part in made for t in part])), 1),
        "competitors": competitors,
        "agreement": agreement,
        "times of": _ratios(times),
    }


def _worker(
    stack: ExitStack, folder: Path, name: str, env: Mapping[str, str] | None = None
) -> measure.Worker:
    return stack.enter_context(measure.Worker(name, folder, env))


def _rounds(
    workers: Mapping[str, measure.Worker], rounds: int
) -> dict[tuple[str, str], list[Spent]]:
    """(Competitor, measure) → what each round took; the first round warms up and is dropped."""
    found: dict[tuple[str, str], list[Spent]] = {}
    for number in range(rounds + 1):
        for name, worker in workers.items():
            for measured in worker.ready["measures"]:
                took = Spent(**worker.ask("round", measured, number))
                if number:
                    found.setdefault((name, measured), []).append(took)
    return found


def _agreement(ours: measure.Worker, theirs: measure.Worker, folder: Path) -> dict[str, Any]:
    """Differing decisions, and the largest difference of probabilities, of a round."""
    files = [folder / "ours.npz", folder / "theirs.npz"]
    for worker, file in zip((ours, theirs), files, strict=True):
        worker.ask("probabilities", 1, str(file))
    with np.load(files[0]) as a, np.load(files[1]) as b:
        return compared({k: a[k] for k in a}, {k: b[k] for k in b})


def compared(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Task → passages decided differently; and the largest difference of any probability."""
    return {
        "passages": len(next(iter(ours.values()))),
        "differing": {
            task: int((p.argmax(1) != theirs[task].argmax(1)).sum()) for task, p in ours.items()
        },
        "largest": float(
            f"{max(float(np.abs(p - theirs[task]).max()) for task, p in ours.items()):.2g}"
        ),
    }


#: Whose time is compared with whose.
_COMPARED = (
    (("stance", "probabilities"), ("stance, NumPy path", "probabilities")),
    (("stance", "probabilities"), ("scikit-learn", "probabilities")),
    (("stance, n-grams", "probabilities"), ("scikit-learn, n-grams", "probabilities")),
    *(
        ((ours, "probabilities"), (theirs, measured))
        for ours in ("stance", "stance, n-grams")
        for theirs in ("fastText", "fastText, small")
        for measured in ("normalised before", "normalisation inside")
    ),
)


def _ratios(times: Mapping[tuple[str, str], Sequence[Spent]]) -> list[dict[str, Any]]:
    """How many times as long the other takes, round by round."""
    return [
        {
            "ours": ours[0],
            "theirs": theirs[0],
            "measure": theirs[1],
            **{
                clock: ratio(
                    [getattr(s, clock) for s in times[ours]],
                    [getattr(s, clock) for s in times[theirs]],
                )
                for clock in ("wall", "cpu")
            },
        }
        for ours, theirs in _COMPARED
        if ours in times and theirs in times
    ]


class one_core:  # noqa: N801 - reads as a function
    """What is started inside runs on one core, the last that this process may use."""

    def __enter__(self) -> None:
        self._before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(self._before)})

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._before)


# --- the command ----------------------------------------------------------------------------------


def process(options: Options) -> dict[str, Any]:
    """``stance classify`` from file to file: time, cost a passage and memory by size; two jobs."""
    sizes = [*options.sizes, *([options.largest] if options.largest else [])]
    inputs = {n: _made(n, options.work) for n in sizes}
    taken: dict[tuple[int, int], list[measure.Run]] = {}
    first, widest = options.sizes[0], options.sizes[-1]
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        output = Path(name)
        plan = [(n, 1) for n in options.sizes] + [(widest, 2)]
        written: dict[int, set[str]] = {1: set(), 2: set()}
        for _ in range(options.rounds):
            for n, jobs in plan:
                taken.setdefault((n, jobs), []).append(_classify(inputs[n], output, n, jobs))
                if n == widest:
                    written[jobs].add(_digest(output / f"{n}-{jobs}.jsonl"))
        if options.largest:
            taken[options.largest, 1] = [
                _classify(inputs[options.largest], output, options.largest, 1)
            ]
    return {
        "rows": [
            {
                "passages": n,
                "jobs": jobs,
                "rounds": len(runs),
                "seconds": figure(run.wall for run in runs),
                "cpu": figure(run.cpu for run in runs),
                "microseconds": figure(run.wall / n * _MICRO for run in runs),
                **_cost(taken[first, 1], first, runs, n),
                "memory": figure(run.memory for run in runs),
            }
            for (n, jobs), runs in taken.items()
        ],
        "two jobs": {
            "passages": widest,
            "speed": ratio(
                [run.wall for run in taken[widest, 2]], [run.wall for run in taken[widest, 1]]
            ),
            # of all rounds; more than 1 with one job: not even that repeats itself
            "different files of one job": len(written[1]),
            "different files of both": len(written[1] | written[2]),
        },
    }


def _cost(
    base: Sequence[Spent], first: int, runs: Sequence[Spent], n: int
) -> dict[str, measure.Figure]:
    """A passage's cost as a multiple of that of the first size, by the clock and of the processor.

    A size that is run once is compared with every round of the first.
    """
    every = list(runs) * (len(base) // len(runs))
    return {
        "cost": ratio([r.wall / first for r in base], [r.wall / n for r in every]),
        "cpu cost": ratio([r.cpu / first for r in base], [r.cpu / n for r in every]),
    }


def _made(n: int, folder: Path) -> Path:
    """A file of ``n`` made passages."""
    stream = texts.recombined(texts.corpus_texts(PASSAGES))
    return texts.write(stream, n, folder / f"passages-{n}.jsonl")


def _classify(source: Path, folder: Path, n: int, jobs: int) -> measure.Run:
    output = folder / f"{n}-{jobs}.jsonl"
    output.unlink(missing_ok=True)
    run = measure.run([_COMMAND, "classify", source, "--output", output, "--jobs", str(jobs)])
    with output.open("rb") as file:
        records = sum(1 for _ in file)
    if records != n:
        raise RuntimeError(f"{records} records of {n} passages")
    return run


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- start-up -------------------------------------------------------------------------------------


def startup(options: Options) -> dict[str, Any]:
    """The whole command on next to nothing, against the same Python importing two libraries."""
    options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        output = Path(name) / "out.jsonl"
        one = [_COMMAND, "classify", "--output", output]
        commands: dict[str, list[str | Path]] = {
            "python, importing numpy and click": [sys.executable, "-c", "import numpy, click"],
            "stance classify, one passage": [*one, _made(1, Path(name))],
            "stance classify, an article": [*one, _ARTICLE],
        }
        taken: dict[str, list[measure.Run]] = {what: [] for what in commands}
        for command in commands.values():
            measure.run(command)  # caches are warm from here on
        for _ in range(_STARTS):
            for what, command in commands.items():
                taken[what].append(measure.run(command))
    base = next(iter(taken.values()))
    return {
        "rounds": _STARTS,
        "rows": [
            {
                "what": what,
                "milliseconds": figure(run.wall * 1000 for run in runs),
                "cpu": figure(run.cpu * 1000 for run in runs),
                "memory": figure(run.memory for run in runs),
                "times python": ratio([run.wall for run in base], [run.wall for run in runs]),
            }
            for what, runs in taken.items()
        ],
    }


# --- training and evaluation ----------------------------------------------------------------------

_EXTRACTION = """
import json, sys, time
from pathlib import Path
from stance import corpus, evaluation, lexicon
from stance.model import Settings, build_features
from stance.text import default_table

data = Path(sys.argv[1])
settings = Settings.from_json(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
passages = corpus.learnable(corpus.read([data / "passages", data / "sentences"]))
sample = evaluation.sample_of(passages, settings)
clauses = [text for inside in sample.clauses for text, _ in inside]
cues = lexicon.read(sorted((data / "lexicons").glob("*.json")))
features = build_features(settings, cues, default_table())
start = time.perf_counter(), time.process_time()
features.fit_transform(sample.texts)
features.transform(clauses)
print(time.perf_counter() - start[0], time.process_time() - start[1])
print(len(sample.texts), len(clauses))
"""


def training(options: Options) -> dict[str, Any]:
    """Features of all that is trained on, native and not; cross-validation on a share of it.

    Cross-validation is timed with the package's features and with scikit-learn's vectorizers, in
    one process on one core.
    """
    data = measure.ROOT / "data"
    extraction: dict[str, list[Spent]] = {name: [] for name in paths()}
    evaluation: dict[str, list[Spent]] = {}
    counts: list[int] = []
    for _ in range(options.rounds):
        for name, env in paths().items():
            wall, cpu, *counts = measure.printed(
                [sys.executable, "-c", _EXTRACTION, data, data.parent / "stance" / "default.json"],
                env,
            )
            extraction[name].append(Spent(wall, cpu))
    passages = 0.0
    scores: dict[str, list[float]] = {}
    for name in ("package", "scikit-learn") if options.share else ():
        with one_core():
            wall, cpu, passages, *scores[name] = measure.printed(
                [sys.executable, "-m", "experiments.bench.evaluate", name, str(options.share)]
            )
        evaluation[name] = [Spent(wall, cpu)]
    return {
        "texts": int(counts[0]),
        "clauses": int(counts[1]),
        "extraction": _by_path(extraction),
        "evaluation": _by_path(evaluation) | {"passages": int(passages), "macro-F1": scores},
    }


def _by_path(taken: Mapping[str, Sequence[Spent]]) -> dict[str, Any]:
    """Each way's seconds, and how many times as long as the first the second takes."""
    found: dict[str, Any] = {
        name: {
            "rounds": len(runs),
            "seconds": figure(run.wall for run in runs),
            "cpu": figure(run.cpu for run in runs),
        }
        for name, runs in taken.items()
    }
    if len(taken) == 2:
        ours, theirs = taken.values()
        found["times"] = ratio([run.wall for run in ours], [run.wall for run in theirs])
    return found


# --- instructions ---------------------------------------------------------------------------------


def counted(options: Options) -> dict[str, Any]:
    """Instructions a passage: those of twice as many passages less those of once as many."""
    n = options.counted
    made = texts.take(texts.corpus_texts(PASSAGES), 2 * n)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "texts.json"
        file.write_text(json.dumps(made), encoding="utf-8")
        tool = instructions.tool()
        if tool is None:
            return {"passages": n, "note": "neither perf nor callgrind counts on this machine"}
        found = {}
        for path, env in paths().items():
            once, twice = (
                instructions.count(
                    tool, [sys.executable, "-m", "experiments.bench.score", file, str(k)], env
                )
                for k in (n, 2 * n)
            )
            found[path] = round((twice - once) / n)
    return {"passages": n, "tool": tool, "instructions": found}


# --- killed and resumed ---------------------------------------------------------------------------

_PARTS = 40


def resumed(options: Options) -> dict[str, Any]:
    """A folder of parts: undisturbed, killed and resumed, and on a cluster that loses a worker."""
    source = options.work / f"archive-{options.resumed}"
    stream = texts.recombined(texts.corpus_texts(PASSAGES))
    for number in range(_PARTS):
        file = source / f"part-{number:02}.parquet"
        texts.write(islice(stream, options.resumed // _PARTS), options.resumed // _PARTS, file)
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        command = [_COMMAND, "classify", source, "--format", "parquet", "--jobs", "2", "--output"]
        whole, killed, clustered = (Path(name) / x for x in ("whole", "killed", "clustered"))
        undisturbed = measure.run([*command, f"{whole}/"])
        process = subprocess.Popen([*command, f"{killed}/"], stderr=subprocess.DEVNULL)
        done = _when_some_are_done(killed)
        process.kill()
        process.wait()
        again = measure.run([*command, f"{killed}/", "--resume"])
        lost = _on_a_cluster(source, clustered)
        return {
            "passages": options.resumed,
            "parts": _PARTS,
            "seconds": undisturbed.wall,
            "killed": {
                "parts done before": done,
                "seconds of resuming": again.wall,
                "same": _contents(killed) == _contents(whole),
            },
            "cluster": {**lost, "same": _contents(clustered) == _contents(whole)},
        }


def _when_some_are_done(output: Path) -> int:
    """Wait until a third of the parts stand in a folder; how many do."""
    while (done := len(list(output.glob("part-*")))) < _PARTS / 3:
        time.sleep(0.05)
    return done


def _on_a_cluster(source: Path, output: Path) -> dict[str, Any]:
    """Give the parts to two workers, and kill one that has work when some are done."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        start = time.perf_counter()
        process = subprocess.Popen(
            [
                *(_COMMAND, "classify", source, "--format", "parquet", "--output", f"{output}/"),
                *("--scheduler", cluster.scheduler_address),
            ],
            stderr=subprocess.DEVNULL,
        )
        done = _when_some_are_done(output)
        busy = {w.nanny for w in list(cluster.scheduler.workers.values()) if w.processing}
        nanny = next(n for n in cluster.workers.values() if n.address in busy)
        os.kill(nanny.pid, signal.SIGKILL)
        if process.wait():
            raise RuntimeError(f"exit code {process.returncode}")
        return {"parts done before": done, "seconds": time.perf_counter() - start}


def _contents(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): _digest(p) for p in folder.rglob("*") if p.is_file()}


#: Name → what measures it.
SECTIONS: Mapping[str, Callable[[Options], dict[str, Any]]] = {
    "scoring": scoring,
    "process": process,
    "startup": startup,
    "training": training,
    "instructions": counted,
    "resumed": resumed,
}


def described(options: Options, name: str) -> str:
    """What of the options a section depends on, for its signature."""
    of = {
        "scoring": ("passages", "rounds"),
        "process": ("sizes", "largest", "rounds"),
        "startup": (),
        "training": ("rounds", "share"),
        "instructions": ("counted",),
        "resumed": ("resumed",),
    }[name]
    values = asdict(options)
    return " ".join(
        f"{key}:{','.join(map(str, v)) if isinstance(v := values[key], tuple) else v}" for key in of
    )
