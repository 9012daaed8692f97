"""Many passages: read in batches, decided side by side, in parts that can be resumed."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from stance import scoring, voice
from stance.cli import main
from stance.text import InputError

ROOT = Path(__file__).parent.parent
CODE = "from stance.cli import main; main(prog_name='stance')"
TEXT = "وقع الجانبان في موسكو وثيقة من ثلاث وعشرين مادة بحضور وزيري الخارجية"
ARTICLE = f"عنوان المقال\n\n{TEXT}. {TEXT}.\n\nوقال الباحث سالم الهاشم إن {TEXT}. {TEXT}.\n"


def command(*arguments):
    return CliRunner().invoke(main, ["classify", *map(str, arguments)], prog_name="stance")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture
def archive(tmp_path):
    """An archive of eighty tables in two folders, and an article: 320 passages and two."""
    folder = tmp_path / "archive"
    for year in (2023, 2024):
        (folder / str(year)).mkdir(parents=True)
        for week in range(40):
            rows = [{"text": f"{TEXT} {i}", "date": f"{year}-01", "week": week} for i in range(4)]
            lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
            (folder / str(year) / f"{week:02}.jsonl").write_text(lines, encoding="utf-8")
    (folder / "a.txt").write_text(ARTICLE, encoding="utf-8")
    return folder


def test_no_more_than_a_batch_is_read_ahead(model):
    taken = 0

    def endless():
        nonlocal taken
        for i in itertools.count():
            taken += 1
            yield scoring.Unit(str(i), "d", 0, len(TEXT), TEXT, voice.AUTHOR)

    found = scoring.classify(model, endless())
    assert [r["id"] for r in itertools.islice(found, 2)] == ["0", "1"]
    assert taken <= 256


def test_workers_keep_the_order_take_little_in_advance_and_tell_of_a_death():
    taken = 0

    def endless():
        nonlocal taken
        for taken in itertools.count(1):
            yield (-taken,)

    with (  # noqa: PT012
        pytest.raises(ChildProcessError, match="one of the processes died"),
        scoring.workers(scoring.Recipe(), 2) as calls,
    ):
        assert list(itertools.islice(calls(abs, endless()), 9)) == list(range(1, 10))
        assert taken <= 9 + 5
        list(calls(os._exit, [(1,), (1,)]))


def test_one_batch_starts_no_process():
    with scoring.workers(scoring.Recipe(), 2) as calls:
        assert list(calls(os.getpid, [()])) == [os.getpid()]


def test_parts_have_the_names_of_their_inputs(archive, tmp_path):
    found = scoring.parts([archive / "2024", archive / "a.txt"], archive / "out", "csv")
    names = [part.target.relative_to(archive / "out").as_posix() for part in found]
    assert names == [f"{n:02}.jsonl.csv" for n in range(40)] + ["a.txt.csv"]
    (archive / "out").mkdir()
    (archive / "out" / "a.txt.jsonl").write_text("")
    inside = scoring.parts([archive], archive / "out")
    assert [p.source for p in inside][:2] == [archive / "2023/00.jsonl", archive / "2023/01.jsonl"]
    assert len(inside) == 81  # what is written is no input


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_part_holds_what_one_file_would(archive, tmp_path, form):
    source, whole = archive / "2024" / "33.jsonl", tmp_path / f"whole.{form}"
    part = scoring.Part(source, tmp_path / "parts" / f"33.jsonl.{form}")
    assert scoring.classify_part(part, scoring.Recipe()) == 4
    assert command(source, "--format", form, "-o", whole).exit_code == 0
    assert part.target.read_bytes() == whole.read_bytes()


def test_a_recipe_is_cooked_by_any_part(archive, tmp_path):
    prior = {"stance": {"favor": 1000.0}}
    part = scoring.Part(archive / "2024" / "00.jsonl", tmp_path / "0.parquet")
    recipe = scoring.Recipe(prior=prior, explain=True, articles=True)
    with pytest.raises(InputError, match=r"00\.jsonl:1: no passage in it"):
        scoring.classify_part(part, recipe)
    assert not part.target.exists()
    part = scoring.Part(archive / "a.txt", tmp_path / "a.parquet")
    assert scoring.classify_part(part, recipe) == 2
    rows = pq.read_table(part.target).to_pylist()
    assert {r["stance"] for r in rows} == {"favor"}
    assert json.loads(rows[0]["because"])[0]["head"] == "stance"
    assert [r["voice.name"] for r in rows] == ["", "سالم الهاشم"]


def children(process: subprocess.Popen) -> list[int]:
    """The worker processes of a command."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(p) for p in found if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.002)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def started(*arguments) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, "classify", *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


needs_proc = pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the list of processes")


@needs_proc
def test_killed_and_resumed_is_as_if_nothing_had_happened(archive, tmp_path):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    options = [archive, "--format", "parquet"]
    assert command(*options, "-o", f"{calm}/").exit_code == 0
    with started(*options, "--jobs", "2", "-o", f"{killed}/") as process:
        wait(lambda: list(killed.rglob("*.parquet")))
        workers = children(process)
        process.send_signal(signal.SIGKILL)
    assert workers
    wait(lambda: not any(map(alive, workers)))
    there = list(killed.rglob("*.parquet"))
    assert 0 < len(there) < 81
    assert (killed / "manifest.json").read_bytes() == (calm / "manifest.json").read_bytes()
    before = {path: path.stat().st_mtime_ns for path in there}
    (killed / "2024").mkdir(exist_ok=True)
    (killed / "2024" / ".39.jsonl.parquet.k1ll_ed0").write_bytes(b"half")
    (killed / "2024" / ".39.mine").write_bytes(b"somebody's own")
    done = command(*options, "--resume", "-o", killed)
    assert done.exit_code == 0
    assert f"wrote {81 - len(there)} files" in done.stderr
    (killed / "2024" / ".39.mine").unlink()
    assert contents(killed) == contents(calm)
    assert {path: path.stat().st_mtime_ns for path in there} == before


@needs_proc
def test_a_process_that_dies_is_one_line_and_exit_code_1(tmp_path, jsonl):
    many = jsonl("m.jsonl", [{"text": f"{TEXT} {i}"} for i in range(6000)])
    out = tmp_path / "out.csv"
    with started(many, "--jobs", "2", "--format", "csv", "-o", out) as process:
        os.kill(wait(lambda: children(process))[0], signal.SIGKILL)
        stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (1, b"")
    assert stderr == (
        b"stance: --jobs 2: one of the processes died; is there memory enough for so many?\n"
    )
    assert not [p for p in tmp_path.iterdir() if p != many]


def test_jobs_give_the_same_parts_whether_large_or_small(archive, tmp_path):
    rows = [{"text": f"{TEXT} {i}"} for i in range(300)]
    lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    (archive / "large.jsonl").write_text(lines, encoding="utf-8")
    for jobs in (1, 2):
        done = command(archive, "--format", "csv", "--jobs", jobs, "-o", f"{tmp_path}/{jobs}/")
        assert done.exit_code == 0, done.stderr
        assert done.stderr == f"wrote 82 files, 622 passages, to {tmp_path / str(jobs)}\n"
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


OUT = "OUT/"
REFUSED = [
    (["--jobs", "0"], "--jobs 0: expected 1 or more, or -1 for all cores"),
    (["--resume"], "--resume needs a folder: --output FOLDER/"),
    (["--resume", "-o", "x.jsonl"], "--resume needs a folder: --output FOLDER/"),
    (["--format", "table", "-o", OUT], "a folder takes --format jsonl, csv or parquet"),
    (["-", "-o", OUT], "OUT: standard input has no name to give a part; name a file"),
    (["a/x.jsonl", "b/x.jsonl", "-o", OUT], "a/x.jsonl and b/x.jsonl would both give OUT/x.jsonl"),
    (["a/x.jsonl", "bad.jsonl", "-o", OUT], "bad.jsonl:2: not JSON"),
    (["heads.txt", "-o", OUT], "heads.txt: no passage in it"),
    (["mixed.jsonl", "-o", OUT, "--format", "parquet"], "mixed.jsonl:2: column 'n' has 'two'"),
    (["a", "-o", "BEGUN"], "manifest.json: this folder was begun before; go on with --resume"),
    (["a", "-o", "STRANGE"], "STRANGE/x.jsonl.jsonl: is there already; name another folder"),
    (["a", "-o", "BEGUN", "--resume", "--explain"], "begun with explain False, now True; name"),
    (["a", "-o", "BEGUN", "--resume", "--articles"], "begun with articles False, now True"),
    (["a", "-o", "BEGUN", "--resume", "--prior", "stance:favor=2"], "begun with prior {}, now {'s"),
    (["a", "-o", "OTHER", "--resume"], "begun with model 'another', now "),
    (["b", "-o", "BEGUN", "--resume"], "the input of x.jsonl.jsonl was 17 bytes, now 34 bytes"),
    (["bad.jsonl", "-o", "BEGUN", "--resume"], "of bad.jsonl.jsonl was none, now 22 bytes; name"),
    (["a", "-o", "BEGUN", "--resume", "--format", "csv"], "of x.jsonl.csv was none, now 17 bytes"),
    (["a", "-o", "BROKEN", "--resume"], "BROKEN/manifest.json: no manifest of stance classify"),
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder of inputs, and of outputs that were begun."""
    folder = tmp_path_factory.mktemp("desk")
    line = '{"text": "نص"}\n'
    for name, text in {
        "a/x.jsonl": line,
        "b/x.jsonl": line * 2,
        "bad.jsonl": line + "{oops",
        "heads.txt": "عنوان قصير",
        "mixed.jsonl": '{"text": "نص", "n": 1}\n{"text": "نص", "n": "two"}\n',
        "STRANGE/x.jsonl.jsonl": "{}",
        "BROKEN/manifest.json": "[]",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command("a", "-o", "BEGUN/").exit_code == 0
        manifest = json.loads((folder / "BEGUN/manifest.json").read_text())
        (folder / "OTHER").mkdir()
        (folder / "OTHER/manifest.json").write_text(json.dumps(manifest | {"model": "another"}))
        yield folder


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[" ".join(a) for a, _ in REFUSED])
def test_what_is_refused_is_one_line_and_exit_code_2(desk, arguments, message):
    before = contents(desk)
    inputs = [] if arguments[0][0] != "-" or arguments[0] == "-" else ["a"]
    done = command(*inputs, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len([x for x in done.stderr.splitlines() if x.startswith(("stance:", "Error:"))]) == 1
    assert contents(desk) == before


def test_resuming_what_is_whole_writes_nothing(desk):
    before = contents(desk)
    done = command("a", "-o", "BEGUN", "--resume")
    assert (done.exit_code, done.stderr) == (
        0,
        "wrote 0 files, 0 passages, to BEGUN; 1 were there\n",
    )
    assert contents(desk) == before


def test_an_error_deep_in_a_file_or_in_standard_input_leaves_no_output(run, jsonl, tmp_path):
    rows = [{"text": f"{TEXT} {i}"} for i in range(1000)]
    bad = jsonl("bad.jsonl", [*rows, {"text": " "}])
    for arguments, stdin in (([bad], b""), (["-"], bad.read_bytes())):
        done = run("classify", *arguments, stdin=stdin)
        assert (done.returncode, done.stdout) == (2, "")
        assert ":1001: 'text' is ' '; expected a non-empty string" in done.stderr
    for form in ("jsonl", "parquet"):
        out = tmp_path / f"out.{form}"
        assert command(bad, "--format", form, "-o", out).exit_code == 2
        assert not out.exists()


def test_columns_that_only_later_rows_have_stand_in_every_format(run, jsonl, tmp_path):
    first, second = {"text": TEXT, "site": "x"}, {"text": TEXT, "page": 4, "stance_p.favor": 9.0}
    path = jsonl("t.jsonl", [first, second])
    command(path, "--format", "parquet", "-o", tmp_path / "t.parquet")
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [(r["site"], r["page"]) for r in rows] == [("x", None), (None, 4)]
    # a column of decisions made before does not take the place of the new one
    assert rows[1]["input_stance_p.favor"] == 9
    assert rows[0]["stance_p.favor"] == rows[1]["stance_p.favor"] <= 1
    text = run("classify", "-", "--format", "csv", stdin=path.read_bytes()).stdout
    assert text.splitlines()[0].endswith(",framing_set,site,page,input_stance_p.favor")
    assert text.splitlines()[1].endswith(",x,,")
