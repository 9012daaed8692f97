"""The command as a user meets it: input, output, exit code."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import stance
from stance import article
from stance.cli import main

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "stance" / "samples" / "article.txt"
PAGE = ROOT / "tests" / "articles" / "page-1.html"
TEXT = "وقع الجانبان في موسكو وثيقة من ثلاث وعشرين مادة بحضور وزيري الخارجية"


def records(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def test_an_article_becomes_a_record_a_passage_in_the_contracts_form(run):
    done = run("classify", SAMPLE)
    assert (done.returncode, done.stderr) == (0, "")
    found = records(done.stdout)
    source = article.read(SAMPLE)
    assert [source.text[r["start"] : r["end"]] for r in found] == [r["text"] for r in found]
    assert [r["text"] for r in found] == stance.passages(SAMPLE)
    for record in found:
        assert list(record) == [
            "id", "doc", "start", "end", "text", "holder", "voice",
            "stance", "stance_p", "stance_set", "framing", "framing_p", "framing_set",
        ]  # fmt: skip
        assert list(record["voice"]) == ["name", "role", "kind", "found"]
        assert bool(record["voice"]["name"]) == bool(record["holder"])
        assert record["doc"] == "article.txt"
        assert sum(record["stance_p"].values()) == pytest.approx(1)
    assert len({r["id"] for r in found}) == len(found)


def test_the_sample_shows_every_frame(run):
    found = records(run("classify", SAMPLE).stdout)
    assert {r["framing"] for r in found} >= {"convenience", "axis", "none"}
    assert {r["stance"] for r in found} == {"favor", "against", "neutral", "unrelated"}


def test_html_offsets_refer_to_the_text_that_segment_prints(run):
    text = run("segment", PAGE, "--format", "text").stdout
    found = records(run("classify", PAGE).stdout)
    assert found
    assert all(text[r["start"] : r["end"]] == r["text"] for r in found)


def test_a_table_keeps_order_ids_and_other_columns(run, jsonl):
    rows = [
        {"id": "b", "text": TEXT, "site": "x", "stance": "mine"},
        {"text": TEXT + " أيضا", "site": "y", "stance": None},
    ]
    found = records(run("classify", jsonl("t.jsonl", rows)).stdout)
    assert [r["id"] for r in found] == ["b", "t.jsonl:2"]
    assert [r["site"] for r in found] == ["x", "y"]
    assert [r["input_stance"] for r in found] == ["mine", None]
    assert [(r["start"], r["end"]) for r in found] == [(0, len(TEXT)), (0, len(TEXT) + 5)]


def test_rows_as_articles(run, jsonl):
    rows = [{"id": "a1", "text": SAMPLE.read_text(encoding="utf-8"), "site": "x"}]
    found = records(run("classify", "--articles", jsonl("t.jsonl", rows)).stdout)
    assert [r["text"] for r in found] == stance.passages(SAMPLE)
    assert {(r["doc"], r["site"]) for r in found} == {("a1", "x")}


def test_standard_input_as_article_and_as_jsonl(run):
    article_ = run("classify", "-", stdin=SAMPLE.read_bytes())
    assert len(records(article_.stdout)) == len(stance.passages(SAMPLE))
    line = json.dumps({"id": "7", "text": TEXT}).encode()
    assert [r["id"] for r in records(run("classify", "-", stdin=line).stdout)] == ["7"]


def test_a_folder_is_read_in_name_order(run, tmp_path):
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(f"عنوان المقال\n\n{TEXT}.\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("no article")
    assert [r["doc"] for r in records(run("classify", tmp_path).stdout)] == ["a.txt", "b.txt"]


def test_formats_say_the_same(run, tmp_path):
    import pyarrow.parquet as pq

    expected = records(run("classify", SAMPLE).stdout)
    text = run("classify", SAMPLE, "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    run("classify", SAMPLE, "--format", "parquet", "-o", tmp_path / "d.parquet")
    table = pq.read_table(tmp_path / "d.parquet").to_pylist()
    for record, row, cell in zip(expected, rows, table, strict=True):
        assert row["text"] == cell["text"] == record["text"]
        assert row["stance"] == cell["stance"] == record["stance"]
        assert float(row["framing_p.axis"]) == record["framing_p"]["axis"]
        assert cell["framing_p.axis"] == record["framing_p"]["axis"]
        assert row["stance_set"].split("|") == record["stance_set"]


def test_the_table_ends_with_counts(run):
    lines = run("classify", SAMPLE, "--format", "table").stdout.splitlines()
    assert lines[0] == "article.txt"
    assert re.match(r"  1  (neutral|favor|against|unrelated) 0|  1  \w+ 1\.00", lines[2])
    assert any(line.startswith("framing: ") for line in lines)


def test_explanations_stand_at_offsets_of_the_text(run):
    for record in records(run("classify", SAMPLE, "--explain").stdout):
        heads = {b["head"] for b in record["because"]}
        assert heads == {"stance", "framing"}
        for b in record["because"]:
            assert b["label"] == record[b["head"]]
            assert " " not in record["text"][b["start"] : b["end"]]


def test_jobs_change_nothing(run, jsonl):
    texts = stance.passages(SAMPLE)
    many = jsonl("m.jsonl", [{"text": texts[i % len(texts)]} for i in range(600)])
    one, two = run("classify", many), run("classify", many, "--jobs", "2")
    assert one.stdout == two.stdout
    assert one.stdout.count("\n") == 600


def test_another_prior_changes_probabilities_but_not_their_order_within_reason(run):
    plain = records(run("classify", SAMPLE).stdout)
    shifted = records(run("classify", SAMPLE, "--prior", "stance:favor=50").stdout)
    assert all(
        b["stance_p"]["favor"] >= a["stance_p"]["favor"]
        for a, b in zip(plain, shifted, strict=True)
    )
    assert [a["framing_p"] for a in plain] == [b["framing_p"] for b in shifted]


def test_a_closed_pipe_is_quiet(jsonl):
    many = jsonl("m.jsonl", [{"text": TEXT + f" {i}"} for i in range(3000)])
    code = "from stance.cli import main; main(prog_name='stance')"
    with subprocess.Popen(
        [sys.executable, "-c", code, "classify", str(many)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    ) as process:  # fmt: skip
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()
    assert (process.returncode, error) == (141, b"")


def test_a_full_disk_is_one_line_and_exit_code_1():
    code = "from stance.cli import main; main(prog_name='stance')"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "classify", str(SAMPLE)],
            stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, b"stance: output: No space left on device\n")


LONG = (TEXT + ". ") * 3
BAD = [
    ("missing.txt", None, "missing.txt: no such file or folder"),
    ("empty.txt", b"", "empty.txt: the file is empty"),
    ("old.txt", LONG.encode("cp1256"), "old.txt: not UTF-8 (byte 0); it looks like windows-1256"),
    ("image.png", b"\x89PNG", "image.png: don't know '.png'; expected .txt"),
    ("heads.txt", "عنوان قصير".encode(), "heads.txt: no passage in it"),
    ("a.jsonl", b'{"text": "' + TEXT.encode() + b'"}\n{oops', "a.jsonl:2: not JSON"),
    ("b.jsonl", b'{"body": "x"}', "b.jsonl:1: no column 'text'; the row has body"),
    ("c.jsonl", b'{"text": ""}', "c.jsonl:1: 'text' is ''; expected a non-empty string"),
    ("d.csv", "headline\nخبر\n".encode(), "d.csv:2: no column 'text'"),
    ("e.csv", b"text\n", "e.csv: no rows in it"),
    ("f.parquet", b"PAR1 no", "f.parquet: not a parquet file"),
]


@pytest.mark.parametrize(("name", "data", "message"), BAD, ids=[b[0] for b in BAD])
def test_bad_input_is_one_line_and_exit_code_2(run, tmp_path, name, data, message):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    good = tmp_path / "good.txt"
    good.write_text(f"عنوان المقال\n\n{LONG}", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    done = run("classify", good, path, "-o", out)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not out.exists()


USAGE = [
    (["classify"], "name at least one INPUT"),
    (["classify", SAMPLE, "--format", "parquet"], "name a file with --output"),
    (["classify", SAMPLE, "--prior", "favor=2"], "expected TASK:LABEL=SHARE"),
    (["classify", SAMPLE, "--prior", "mood:good=2"], "the model has no task 'mood'"),
    (["classify", SAMPLE, "--prior", "stance:good=2"], "stance has no label 'good'"),
    (["classify", SAMPLE, "--model", "nowhere"], "nowhere: no such model file"),
    (["evaluate"], "name either DATA"),
    (["report", "x.docx", "-o", "y"], "don't know '.docx'"),
    (["frobnicate"], "No such command"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=lambda v: str(v)[:30])
def test_wrong_usage_is_exit_code_2(run, arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_train_then_classify_then_evaluate_on_a_target_of_ones_own(run, jsonl, tmp_path):
    names = {"favor": "pro", "against": "anti"}
    lines = (ROOT / "data/passages/gulf-dailies.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [
        {"id": r["id"], "text": r["text"], "vaccine": names[r["stance"]], "site": r["doc"]}
        for r in map(json.loads, lines)
        if r["stance"] in names
    ]
    data = jsonl("labels.jsonl", rows)
    settings = tmp_path / "s.json"
    settings.write_text(
        json.dumps(
            {
                "features": {"words": {"smallest": 1, "largest": 1, "min_df": 1}},
                "C": [1.0, 10.0],
                "inner_folds": 2,
            }
        )
    )
    options = ["--task", "vaccine", "--group", "site", "--settings", settings]
    trained = run("train", data, "-o", tmp_path / "m.safetensors", *options)
    assert trained.returncode == 0, trained.stderr
    found = records(run("classify", data, "--model", tmp_path / "m.safetensors").stdout)
    assert set(found[0]["vaccine_p"]) == {"anti", "pro"}
    assert [r["input_vaccine"] for r in found] == [r["vaccine"] for r in rows]
    right = sum(r["vaccine"] == r["input_vaccine"] for r in found)
    assert right > 0.9 * len(rows)  # it has seen them
    done = run(
        "evaluate", data, "--folds", "2", "--repeats", "1", "--report", tmp_path / "r", *options
    )
    assert done.returncode == 0, done.stderr
    assert f"vaccine  (n = {len(rows)})" in done.stdout
    assert {"index.html", "result.json", "report.md", "figures"} <= {
        p.name for p in (tmp_path / "r").iterdir()
    }


def test_evaluate_held_out_writes_the_contracts_result(run, tmp_path, jsonl):
    rows = [
        {"text": t, "stance": "neutral", "framing": "none", "doc": str(n)}
        for n, t in enumerate(stance.passages(SAMPLE))
    ]
    itself = (
        Path(stance.__file__).parent / "model.safetensors"
    )  # against itself: a difference of nothing
    done = run(
        "evaluate",
        "--test",
        jsonl("t.jsonl", rows),
        "--against",
        itself,
        "--report",
        tmp_path / "r",
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "r" / "result.json").read_text(encoding="utf-8"))
    for task in ("stance", "framing"):
        value, low, high = result["tasks"][task]["accuracy"]
        assert 0 <= low <= value <= high <= 1
        assert {"macro_f1", "per_class", "confusion"} <= set(result["tasks"][task])
        other = result["tasks"][task]["baselines"]["other model"]["macro_f1"]
        assert other["value"] == result["tasks"][task]["macro_f1"]
        assert other["difference"] == [0.0, 0.0, 0.0]
    assert "signature" in result


def test_a_test_label_that_the_codebook_lacks(run, jsonl):
    bad = jsonl("t.jsonl", [{"text": TEXT, "stance": "pro", "framing": "none"}])
    done = run("evaluate", "--test", bad)
    assert done.returncode == 2
    assert "t.jsonl:1: stance 'pro'; expected one of favor, against, neutral" in done.stderr


def test_corpus_check_counts_problems_and_fails(run, jsonl):
    bad = jsonl("p.jsonl", [{"id": "x", "text": "قصير", "stance": "neutral", "framing": "none"}])
    done = run("corpus", "check", bad)
    assert done.returncode == 1
    assert "x: 1 words; expected 12 to 140" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("1 problems")


def test_corpus_stats(run, small_data):
    found = json.loads(run("corpus", "stats", small_data, "--format", "json").stdout)
    assert found["passages"] == sum(found["labels"]["stance"].values())
    assert "articles: " in run("corpus", "stats", small_data).stdout


def test_model_info_and_verify(run):
    info = json.loads(run("model", "info").stdout)
    assert info["heads"]["stance"]["labels"] == ["favor", "against", "neutral", "unrelated"]
    assert {"settings", "data", "versions"} <= set(info)
    assert re.fullmatch(
        r"model\.safetensors: whole, \d+ bytes, sha256 [0-9a-f]{64}\n",
        run("model", "verify").stdout,
    )


def test_report_of_decisions_of_an_article_and_of_a_result(run, tmp_path):
    run("classify", SAMPLE, "--explain", "-o", tmp_path / "d.jsonl")
    for source, folder in ((tmp_path / "d.jsonl", "a"), (SAMPLE, "b")):
        done = run("report", source, "-o", tmp_path / folder)
        assert (done.returncode, done.stdout) == (0, "")
        assert (tmp_path / folder / "index.html").stat().st_size > 10_000
    (tmp_path / "bad.json").write_text("{}")
    done = run("report", tmp_path / "bad.json", "-o", tmp_path / "c")
    assert done.returncode == 2
    assert "no result of stance evaluate" in done.stderr
    assert not (tmp_path / "c").exists()


def test_report_of_an_article_in_arabic(run, tmp_path):
    done = run("report", SAMPLE, "-o", tmp_path, "--lang", "ar")
    assert (done.returncode, done.stdout) == (0, "")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.startswith('<!doctype html>\n<html lang="ar" dir="rtl">')
    assert "model:" in page
    assert {p.name for p in tmp_path.iterdir()} == {"index.html", "decisions.jsonl", "figures"}


@pytest.fixture(scope="module")
def results(model, tmp_path_factory):
    """Two results on overlapping passages, one on others, one of an earlier version."""
    from stance import evaluation
    from stance.corpus import Passage

    folder = tmp_path_factory.mktemp("results")
    texts = stance.passages(SAMPLE)
    labels = {"stance": "neutral", "framing": "none"}
    for name, rows in (("a", texts[:6]), ("b", texts[1:]), ("other", [TEXT])):
        found = evaluation.held_out(model, [Passage(t[:20], t[:5], t, labels) for t in rows])
        (folder / name).mkdir()
        written = json.dumps(found.to_json(), ensure_ascii=False)
        (folder / name / "result.json").write_text(written, encoding="utf-8")
    old = json.loads((folder / "a" / "result.json").read_text(encoding="utf-8"))
    del old["decisions"]
    (folder / "old.json").write_text(json.dumps(old))
    (folder / "bad.json").write_text('{"kind": 1}')
    return folder


A, B, OTHER = "a/result.json", "b/result.json", "other/result.json"
REPORTS = [
    ([A], 0, "index.html"),
    ([A, B], 0, "index.html"),
    ([B, A, "--lang", "ar"], 0, "index.html"),
    (["old.json"], 0, "index.html"),
    ([], 2, "Missing argument"),
    ([A, B, A], 2, "3 inputs; expected one, or two results"),
    ([A, "a.jsonl"], 2, "2 inputs; expected one, or two results"),
    ([A, OTHER], 2, "no passage in common (by id and text) among 6 and 1"),
    (["old.json", A], 2, "old: holds no decisions passage by passage"),
    ([A, "bad.json"], 2, "bad.json: no result of stance evaluate"),
    ([A, "missing.json"], 2, "missing.json: No such file"),
    ([A, B, "--audit", A], 2, "--audit goes with one evaluation"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REPORTS, ids=lambda v: str(v)[:40])
def test_report_of_one_result_two_or_more(run, results, tmp_path, arguments, code, message):
    paths = [results / a if "." in a else a for a in arguments]
    done = run("report", *paths, "-o", tmp_path / "r")
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert message in done.stderr
    assert (tmp_path / "r" / "index.html").is_file() == (code == 0)
    if code == 0 and len(paths) > 1:
        found = json.loads((tmp_path / "r" / "comparison.json").read_text(encoding="utf-8"))
        assert sorted(found["names"]) == ["a", "b"]
        assert (found["passages"], sorted(found["left_out"])) == (5, [1, 2])
    if code and arguments:
        assert (
            len([x for x in done.stderr.splitlines() if x.startswith(("stance:", "Error:"))]) == 1
        )


def commands(group=main, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=lambda v: str(v)[:40])
def test_every_command_has_help_and_stands_in_the_readme(path, command):
    assert command.help
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "stance " + " ".join(path) in readme


def test_every_make_target_has_help_and_stands_in_the_readme():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    described = set(re.findall(r"^([a-z]+):.*## ", makefile, re.M))
    assert {"setup", "demo", "train", "evaluate", "report", "test", "check", "clean"} <= described
    assert targets == described
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in described - {"help"}:
        assert f"make {target}" in readme, target


def test_corpus_check_prints_the_quotas_and_fails_where_one_is_missed(run, small_data, tmp_path):
    folder = tmp_path / "q"
    folder.mkdir()
    for name in ("passages", "sentences", "lexicons"):
        (folder / name).symlink_to(small_data / name)
    (folder / "quotas.json").write_text('{"least": {"passages": 10, "paired": 5}}')
    done = run("corpus", "check", folder)
    assert done.returncode == 1
    assert "passages                      255   at least 10      kept" in done.stdout
    assert "paired                          0   at least 5       NOT KEPT" in done.stdout
    assert "0 problems, 1 bounds not kept" in done.stdout
    (folder / "quotas.json").write_text("{")
    done = run("corpus", "check", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "quotas.json:1: not JSON" in done.stderr


def test_training_leaves_out_test_and_disputed_and_says_so(run, jsonl, tmp_path):
    labels = [("favor", "none"), ("against", "axis"), ("neutral", "none"), ("unrelated", "none")]
    texts = ["يرحب بالتعاون", "يحذر من المحور", "اجتمع الوزيران", "ارتفع سعر النفط"]
    records = [
        {
            "id": str(i),
            "doc": str(i),
            "text": f"{texts[i % 4]} في المدينة {i}",
            "stance": labels[i % 4][0],
            "framing": labels[i % 4][1],
        }
        for i in range(40)
    ]
    records[0]["split"] = "test"
    records[1]["disputed"] = True
    settings = {
        "features": {"words": {"smallest": 1, "largest": 1, "min_df": 1, "weight": 1}},
        "C": [1],
        "inner_folds": 2,
    }
    (tmp_path / "s.json").write_text(json.dumps(settings))
    data = jsonl("d.jsonl", records)
    done = run("train", data, "--settings", tmp_path / "s.json", "-o", tmp_path / "m.safetensors")
    assert "left out: 2 passages, disputed or of the split 'test'" in done.stderr
    assert "trained on 38 passages" in done.stderr
    model = ("--model", tmp_path / "m.safetensors")
    done = run("evaluate", *model, "--test", data, "--split", "test")
    assert "stance  (n = 1)" in done.stdout
    done = run("evaluate", *model, "--test", data)
    assert "left out: 1 passages, disputed" in done.stderr
    assert "stance  (n = 39)" in done.stdout
    done = run("evaluate", *model, "--test", data, "--split", "dev")
    assert done.returncode == 2
    assert "--split dev: no passage of this split" in done.stderr
    only_test = jsonl("t.jsonl", [r | {"split": "test"} for r in records])
    done = run("train", only_test, "-o", tmp_path / "n.safetensors")
    assert done.returncode == 2
    assert "nothing to learn from" in done.stderr
    assert not (tmp_path / "n.safetensors").exists()


def test_stats_writes_tables_and_figures(run, small_data, tmp_path):
    done = run("corpus", "stats", small_data, "--report", tmp_path / "s")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "s" / "stats.md").read_text(encoding="utf-8")
    frames = json.loads((small_data / "lexicons" / "frames.json").read_text(encoding="utf-8"))
    assert f"| exchange | convenience | {len(frames['exchange']['entries'])} |" in text
    found = json.loads((tmp_path / "s" / "stats.json").read_text(encoding="utf-8"))
    assert sum(found["by_kind"].values()) == found["passages"] == 255
    assert sum(found["by_length"].values()) == 255
    for name in ("labels", "kinds"):
        assert (tmp_path / "s" / "figures" / f"{name}.png").stat().st_size > 5000


def test_an_audit_can_be_added_to_an_evaluation(run, small_data, quick_settings, tmp_path):
    common = ("--settings", quick_settings, "--folds", "2", "--jobs", "1")
    run("audit", small_data, *common, "--report", tmp_path / "a")
    run("evaluate", small_data, *common, "--repeats", "1", "--report", tmp_path / "e")
    result, audit = tmp_path / "e" / "result.json", tmp_path / "a" / "audit.json"
    done = run("report", result, "--audit", audit, "-o", tmp_path / "r")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r" / "index.html").read_text(encoding="utf-8")
    assert "What the corpus gives away" in page
    assert "What the corpus gives away" in (tmp_path / "r" / "report.md").read_text("utf-8")
    done = run("report", result, "--audit", result, "-o", tmp_path / "x")
    assert done.returncode == 2
    assert "no audit.json of stance audit" in done.stderr
    assert not (tmp_path / "x").exists()
