"""The same work on a Dask cluster: the same bytes and figures, whatever becomes of its workers."""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stance import cluster, corpus, evaluation, lexicon, scoring, storage, text
from stance.model import Settings
from stance.text import InputError

distributed = pytest.importorskip("distributed")

ROOT = Path(__file__).parent.parent
COMMAND = "from stance.cli import main; main(prog_name='stance')"
PARTS = 10
ROWS = 60


@pytest.fixture(scope="module")
def workers() -> Iterator["distributed.LocalCluster"]:
    """A scheduler in this process and two workers, each a process that a nanny starts again."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    ) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Ten tables of sixty passages, half a second's work each."""
    found = tmp_path_factory.mktemp("in")
    lines = [
        line
        for name in ("gulf-dailies", "agency-wires", "expert-roundups")
        for line in (ROOT / "data/passages" / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    for part in range(PARTS):
        rows = [json.loads(lines[(part * ROWS + i) % len(lines)])["text"] for i in range(ROWS)]
        table = "".join(json.dumps({"text": row, "n": i}) + "\n" for i, row in enumerate(rows))
        (found / f"part-{part}.jsonl").write_text(table)
    return found


def started(*arguments: str | Path, code: str = COMMAND) -> subprocess.Popen[str]:
    """``stance ARGUMENTS`` as a process of its own, still running; warnings are errors there."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def kill_a_busy_worker(workers: "distributed.LocalCluster", output: Path) -> None:
    """SIGKILL to a worker with a part in hand, when a part is there and others are not."""
    while not (there := [p.name for p in output.glob("part-*.parquet")]):
        time.sleep(0.01)
    busy = {w.nanny for w in workers.scheduler.workers.values() if w.processing}
    assert busy
    assert len(there) < PARTS - 3
    nanny = next(n for n in workers.workers.values() if n.address in busy)
    os.kill(nanny.pid, signal.SIGKILL)


def test_a_killed_workers_parts_are_done_by_others_and_every_byte_is_that_of_a_local_run(
    workers, folder, tmp_path
):
    command = ("classify", folder, "--format", "parquet", "--output")
    there = started(*command, f"{tmp_path}/there/", "--scheduler", workers.scheduler_address)
    kill_a_busy_worker(workers, tmp_path / "there")
    code, out, err = ended(there)
    assert (code, out) == (0, ""), err
    assert err == f"wrote 10 files, 600 passages, to {tmp_path}/there\n"
    assert ended(started(*command, f"{tmp_path}/here/"))[0] == 0
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "here")) == PARTS + 1


def test_work_that_kills_its_workers_ends_with_one_line_and_can_be_resumed(
    workers, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(workers.scheduler, "allowed_failures", 0)
    command = ("classify", folder, "--format", "parquet", "--output", f"{tmp_path}/out/")
    on = ("--scheduler", workers.scheduler_address)
    process = started(*command, *on)
    kill_a_busy_worker(workers, tmp_path / "out")
    code, out, err = ended(process)
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert err.startswith(f"stance: {folder}/part-")
    assert "1 workers died over a task" in err
    monkeypatch.undo()
    code, out, err = ended(started(*command, *on, "--resume"))
    assert code == 0, err
    assert len(contents(tmp_path / "out")) == PARTS + 1


def test_bad_input_is_the_same_line_as_without_a_cluster_and_nothing_is_written(
    workers, folder, tmp_path
):
    shutil.copytree(folder, tmp_path / "in")
    (tmp_path / "in" / "part-4.jsonl").write_text('{"words": 1}\n')
    command = ("classify", tmp_path / "in", "--format", "csv", "--output", f"{tmp_path}/out/")
    there = ended(started(*command, "--scheduler", workers.scheduler_address))
    assert there == ended(started(*command))
    assert there[0] == 2
    assert "part-4.jsonl:1: no column 'text'; the row has words" in there[2]
    assert not (tmp_path / "out").exists()


def test_cross_validation_on_a_cluster_is_the_local_one(workers, small_data, quick_settings):
    files = sorted(small_data.glob("*/*.jsonl"))
    passages = corpus.learnable(corpus.read(files, tuple(corpus.LABELS), "doc"))[::2]
    settings = Settings.from_json(json.loads(quick_settings.read_text()))
    lexicons = lexicon.read(sorted((small_data / "lexicons").glob("*.json")))
    table = text.default_table()

    def found() -> evaluation.Result:
        return evaluation.cross_validate(passages, settings, lexicons, table, 2, 1, jobs=1)

    with cluster.folds(workers.scheduler_address, (passages, lexicons, table)):
        there = found()
    assert json.dumps(there.to_json()) == json.dumps(found().to_json())
    sent = {name for name in workers.scheduler.task_prefixes if name.startswith("batch_of")}
    assert sent == {"batch_of__fold_1_calls", "batch_of__curve_step_1_calls"}


def test_where_no_scheduler_answers_there_is_one_line(folder, small_data, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        closed = socket.create_server(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        closed.close()
        cases = {
            f"tcp://127.0.0.1:{port}": "Timed out trying to connect",
            f"tcp://127.0.0.1:{silent.getsockname()[1]}": "waited 5 s",
            "nonsense": "missing port number",
        }
        commands = [
            ("classify", folder, "--format", "csv", "--output", f"{tmp_path}/out/"),
            ("evaluate", small_data, "--report", tmp_path / "out"),
        ]
        running = [
            (address, why, started(*command, "--scheduler", address))
            for command in commands
            for address, why in cases.items()
            if command[0] == "classify" or address == "nonsense"
        ]
        for address, why, process in running:
            code, out, err = ended(process)
            assert (code, out) == (2, "")
            [line] = [x for x in err.splitlines() if not x.startswith("left out:")]
            assert line.startswith(f"stance: {address}: no Dask scheduler answers ({why}")
            assert line.endswith("expected an address such as tcp://host:8786, as dask scheduler "
                                 "prints it")  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_without_the_library_the_line_says_what_to_install(folder, tmp_path):
    hidden = "import sys; sys.modules['distributed'] = None; " + COMMAND
    command = ("classify", folder, "--format", "csv", "--output", f"{tmp_path}/out/")
    code, out, err = ended(started(*command, "--scheduler", "tcp://127.0.0.1:1", code=hidden))
    assert (code, out) == (2, "")
    assert err == "stance: --scheduler needs distributed: pip install stance[cluster]\n"
    assert not (tmp_path / "out").exists()


@contextlib.contextmanager
def worker(address: str, package: Path) -> Iterator[None]:
    """A worker that has a ``stance`` of its own, in the folder ``package``."""
    options = ("--no-nanny", "--no-dashboard", "--nthreads", "1", "--name", "other")
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(package)},
        cwd=package,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def another_version(package: Path) -> None:
    source = package / "__init__.py"
    code = source.read_text("utf-8")
    source.unlink()
    source.write_text(code + '\n__version__ = "0.0.9"\n', "utf-8")


def another_model(package: Path) -> None:
    (package / "model.safetensors").unlink()
    model = storage.read().with_prior("stance", {"neutral": 3})
    storage.write(model, package / "model.safetensors")


def no_package(package: Path) -> None:
    for file in package.iterdir():
        if file.is_file():
            file.unlink()
    (package / "__init__.py").write_text("raise ImportError('no stance here')\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (another_version, r"stance 0\.0\.9, here \d"),
        (another_model, r"model [0-9a-f]{12}, here [0-9a-f]{12}; expected the same stance"),
        (no_package, "no stance here; expected the same stance"),
    ],
)
def test_a_worker_that_holds_something_else_is_refused_by_name(
    workers, tmp_path, change: Callable[[Path], None], told
):
    shutil.copytree(ROOT / "stance", tmp_path / "stance", copy_function=os.symlink)
    change(tmp_path / "stance")
    parts = [scoring.Part(Path(f"/{i}"), Path(f"/{i}")) for i in range(40)]
    work = (workers.scheduler_address, scoring.Recipe(), tmp_path / "manifest.json")
    with cluster.workers(*work) as calls:
        with worker(workers.scheduler_address, tmp_path):
            while not (late := address_of(workers, "other")):
                time.sleep(0.05)
            refusal = f"worker {late}: {told}"
            with pytest.raises(InputError, match=refusal), cluster.workers(*work):
                pass
            if change is not no_package:
                with pytest.raises(InputError, match=refusal):
                    list(calls(repr, ((part,) for part in parts)))
        while address_of(workers, "other"):
            time.sleep(0.05)
        assert sorted(calls(repr, ((part,) for part in parts))) == sorted(map(repr, parts))


def test_a_worker_that_sees_another_folder_is_refused(workers, tmp_path):
    """As where a folder is mounted on one machine only: here the file changes amid the work."""
    manifest = tmp_path / "manifest.json"
    parts = [scoring.Part(Path(f"/{i}"), Path(f"/{i}")) for i in range(40)]
    with cluster.workers(workers.scheduler_address, scoring.Recipe(), manifest) as calls:
        done = calls(repr, ((part,) for part in parts))
        next(done)
        manifest.write_text("another")
        with pytest.raises(InputError, match=r"manifest [0-9a-f]{12}, here not there"):
            list(done)


def address_of(workers: "distributed.LocalCluster", name: str) -> str | None:
    found = (w.address for w in workers.scheduler.workers.values() if w.name == name)
    return next(found, None)
