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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from stance import cluster, corpus, evaluation, lexicon, scoring, storage, text
from stance.cli import main
from stance.model import Settings
from stance.text import InputError

distributed = pytest.importorskip("distributed")

ROOT = Path(__file__).parent.parent
PARTS = 10
ROWS = 20


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
    """Ten tables of twenty passages, a fraction of a second of work each."""
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


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, output and messages of ``stance ARGUMENTS``, in this process."""
    done = CliRunner().invoke(main, [str(a) for a in arguments], prog_name="stance")
    return done.exit_code, done.stdout, done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


@contextlib.contextmanager
def a_busy_worker_killed(workers: "distributed.LocalCluster", output: Path) -> Iterator[None]:
    """Within the block a worker with a part in hand gets SIGKILL, as soon as a part is written."""

    def kill() -> int:
        for _ in range(6000):
            there = len(list(output.glob("part-*.parquet")))
            busy = {w.nanny for w in list(workers.scheduler.workers.values()) if w.processing}
            if there and busy:
                nanny = next(n for n in workers.workers.values() if n.address in busy)
                os.kill(nanny.pid, signal.SIGKILL)
                # what one leaves that is killed while it writes
                (output / ".part-0.jsonl.parquet.half").write_bytes(b"PAR1")
                return there
            time.sleep(0.01)
        return 0

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill)
        yield
        assert 0 < killed.result() < PARTS


def test_a_killed_workers_parts_are_done_by_others_and_every_byte_is_that_of_a_local_run(
    workers, folder, tmp_path
):
    command = ("classify", folder, "--format", "parquet", "--output")
    with a_busy_worker_killed(workers, tmp_path / "there"):
        there = run(*command, f"{tmp_path}/there/", "--scheduler", workers.scheduler_address)
    assert there == (0, "", f"wrote {PARTS} files, {PARTS * ROWS} passages, to {tmp_path}/there\n")
    assert run(*command, f"{tmp_path}/here/")[0] == 0
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "here")) == PARTS + 1


def test_work_that_kills_its_workers_ends_with_one_line_and_can_be_resumed(
    workers, folder, tmp_path, monkeypatch
):
    output = tmp_path / "out"
    command = ("classify", folder, "--format", "parquet", "--output", f"{output}/")
    command += ("--scheduler", workers.scheduler_address)
    with monkeypatch.context() as patch, a_busy_worker_killed(workers, output):
        patch.setattr(workers.scheduler, "allowed_failures", 0)
        code, out, err = run(*command)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"stance: {folder}/part-")
    assert "jsonl: 1 workers died over it, the last was tcp://" in err
    code, out, err = run(*command, "--resume")
    assert (code, out) == (0, "")
    assert " were there" in err
    assert len(contents(output)) == PARTS + 1


def test_bad_input_is_the_same_line_as_without_a_cluster_and_nothing_is_written(
    workers, folder, tmp_path
):
    shutil.copytree(folder, tmp_path / "in")
    (tmp_path / "in" / "part-4.jsonl").write_text('{"words": 1}\n')
    command = ("classify", tmp_path / "in", "--format", "csv", "--output", f"{tmp_path}/out/")
    there = run(*command, "--scheduler", workers.scheduler_address)
    assert there == run(*command)
    assert there[:2] == (2, "")
    assert "part-4.jsonl:1: no column 'text'; the row has words" in there[2]
    assert not (tmp_path / "out").exists()


def test_cross_validation_on_a_cluster_is_the_local_one(workers, small_data, quick_settings):
    files = sorted(small_data.glob("*/*.jsonl"))
    passages = corpus.learnable(corpus.read(files, tuple(corpus.LABELS), "doc"))[::3]
    settings = Settings.from_json(json.loads(quick_settings.read_text()))
    lexicons = lexicon.read(sorted((small_data / "lexicons").glob("*.json")))
    table = text.default_table()

    def found() -> evaluation.Result:
        return evaluation.cross_validate(passages, settings, lexicons, table, 2, 1, jobs=1)

    workers.wait_for_workers(2)  # with one thread joblib keeps the work to itself
    with cluster.folds(workers.scheduler_address, (passages, lexicons, table)):
        there = found()
    assert json.dumps(there.to_json()) == json.dumps(found().to_json())
    sent = {name for name in workers.scheduler.task_prefixes if name.startswith("batch_of")}
    assert sent == {"batch_of__fold_1_calls", "batch_of__curve_step_1_calls"}


def test_where_no_scheduler_answers_there_is_one_line(small_data, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    classify = ("classify", folder, "--format", "csv", "--output", f"{tmp_path}/out/")
    evaluate = ("evaluate", small_data, "--report", tmp_path / "out")
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        for command, address, why in (
            (classify, f"tcp://127.0.0.1:{closed.getsockname()[1]}", "waited 1 s"),
            (classify, f"tcp://127.0.0.1:{silent.getsockname()[1]}", "waited 1 s"),
            (evaluate, "nonsense", "missing port number in address 'nonsense'"),
        ):
            code, out, err = run(*command, "--scheduler", address)
            assert (code, out) == (2, "")
            assert err.splitlines()[-1] == (
                f"stance: {address}: no Dask scheduler answers ({why}); expected an address such "
                "as tcp://host:8786, as dask scheduler prints it"
            )
            assert err.count("\n") == (2 if command is evaluate else 1)  # "left out: …" before
    assert not (tmp_path / "out").exists()


def test_a_scheduler_without_workers_is_told(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty:
        address = empty.scheduler_address
        on = ("--output", f"{tmp_path}/out/", "--scheduler", address)
        code, out, err = run("classify", folder, *on)
    assert (code, out) == (2, "")
    assert err == (
        f"stance: {address}: the scheduler has no worker; start one with: dask worker {address}\n"
    )


def test_a_scheduler_that_goes_away_ends_the_work_with_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    parts = [scoring.Part(Path(f"/{i}"), Path(f"/{i}")) for i in range(40)]

    def interrupted(brief: "distributed.LocalCluster") -> None:
        manifest = tmp_path / "manifest.json"
        with cluster.workers(brief.scheduler_address, scoring.Recipe(), manifest) as calls:
            done = calls(repr, ((part,) for part in parts))
            next(done)
            brief.close()
            list(done)

    with distributed.LocalCluster(
        n_workers=1,
        processes=False,
        protocol="tcp",
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    ) as brief:
        places = {brief.scheduler_address, *(str(part.source) for part in parts)}
        with pytest.raises(OSError) as caught:
            interrupted(brief)
    assert caught.value.strerror
    assert caught.value.filename in places  # the command makes its line of these


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("classify", "x.csv", "-o", "out.csv"), "--scheduler needs a folder: --output FOLDER/"),
        (("evaluate", "--test", "x"), "--scheduler goes with cross-validation, not with --test"),
    ],
)
def test_what_cannot_be_done_on_a_cluster_is_wrong_usage(arguments, told):
    code, out, err = run(*arguments, "--scheduler", "tcp://127.0.0.1:1")
    assert (code, out) == (2, "")
    assert err.endswith(f"Error: {told}\n")


def test_without_the_library_the_line_says_what_to_install(folder, tmp_path):
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "from stance.cli import main; main(prog_name='stance')"
    )
    command = ("classify", folder, "--output", f"{tmp_path}/out/", "--scheduler", "tcp://x:1")
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "stance: --scheduler needs distributed: pip install stance[cluster]\n"
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
        (no_package, r"ImportError\('no stance here'\); expected the same stance"),
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
            if change is another_model:  # one that comes after the others had been checked
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
