"""Agreement between readers: alpha by hand arithmetic, files and columns, the command."""

import json

import numpy as np
import pytest

from stance import agreement, corpus
from stance.agreement import Ratings
from stance.text import InputError

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example B: two observers,
# twelve units, nominal data; the paper gives alpha = 0.692.
MEG = ["a", "a", "b", "b", "d", "c", "c", "c", "e", "d", "d", "a"]
OWEN = ["b", "a", "b", "b", "b", "c", "c", "c", "e", "d", "d", "d"]


def ratings(*raters: list[str | None], strata: list[str] | None = None) -> Ratings:
    n = len(raters[0])
    return Ratings(
        [str(i) for i in range(len(raters))],
        np.array(raters, dtype=object),
        np.arange(n),
        np.array(strata or [""] * n),
    )


def test_alpha_of_the_published_example():
    found = agreement.measure(ratings(MEG, OWEN))
    assert found["alpha"][0] == pytest.approx(0.692, abs=5e-4)
    assert found["alpha"][1] < found["alpha"][0] < found["alpha"][2]
    assert found["observed"][0] == pytest.approx(9 / 12)
    assert found["disagreements"] == {"a / b": 1, "b / d": 1, "a / d": 1}


def test_what_one_reader_saw_alone_is_left_out():
    found = agreement.measure(ratings([*MEG, "a", None], [*OWEN, None, "b"]))
    assert found["units"] == 12
    assert found["alpha"][0] == pytest.approx(0.692, abs=5e-4)


def test_alpha_of_a_single_label_is_undefined():
    found = agreement.measure(ratings(["a", "a"], ["a", "a"]))
    assert found["alpha"] is None
    assert found["observed"][0] == 1


def test_labels_and_strata_are_measured_apart():
    found = agreement.measure(
        ratings(["a", "a", "b", "b"], ["a", "a", "b", "a"], strata=["x", "x", "y", "y"])
    )
    # one against the rest: with two labels it is the alpha of all
    assert found["by_label"]["a"][0] == found["by_label"]["b"][0] == found["alpha"][0]
    assert found["by"]["x"]["alpha"] is None  # a alone
    assert found["by"]["y"]["observed"][0] == 0.5
    assert found["by"]["y"]["units"] == 2


def record(n: int, **more: str) -> dict[str, str]:
    return {"id": str(n), "doc": f"d{n}", "text": f"نص رقم {n}", "stance": "neutral"} | more


def test_files_are_matched_by_id(jsonl):
    a = corpus.read(
        [
            jsonl(
                "a.jsonl",
                [
                    record(i, stance=s)
                    for i, s in enumerate(["favor", "neutral", "against", "neutral"])
                ],
            )
        ],
        ["stance"],
    )
    b = corpus.read(
        [
            jsonl(
                "b.jsonl",
                [
                    record(i, stance=s)
                    for i, s in reversed(list(enumerate(["favor", "neutral", "neutral"])))
                ],
            )
        ],
        ["stance"],
    )
    found = agreement.measure(agreement.from_files({"a": a, "b": b}, "stance"))
    assert (found["units"], found["disagreements"]) == (3, {"against / neutral": 1})


def test_files_that_do_not_fit_are_refused(jsonl):
    a = corpus.read([jsonl("a.jsonl", [record(1)])], ["stance"])
    other_text = corpus.read([jsonl("b.jsonl", [record(1, text="غيره تماما")])], ["stance"])
    other_id = corpus.read([jsonl("c.jsonl", [record(2)])], ["stance"])
    with pytest.raises(InputError, match="b: 1 has another text than in an earlier file"):
        agreement.from_files({"a": a, "b": other_text}, "stance")
    with pytest.raises(InputError, match="no id stands in two of them"):
        agreement.from_files({"a": a, "c": other_id}, "stance")


def test_the_command_compares_columns(run, jsonl):
    labels = [("favor", "favor"), ("neutral", "neutral"), ("against", "neutral")] * 3
    path = jsonl(
        "x.jsonl",
        [
            record(i, stance_first=a, stance_second=b, kind="gulf-daily")
            for i, (a, b) in enumerate(labels)
        ],
    )
    arguments = ("agreement", path, "--raters", "first,second", "--task", "stance")
    found = json.loads(run(*arguments, "--by", "kind", "--format", "json").stdout)["stance"]
    assert found["raters"] == ["first", "second"]
    assert found["by"]["gulf-daily"]["observed"][0] == pytest.approx(2 / 3)
    table = run(*arguments).stdout
    assert "stance  (9 passages, readers: first, second)" in table
    assert "3  against / neutral" in table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name two files or more, or the columns to compare with --raters"),
        (["--raters", "first,third"], "no passage has a label in stance_third"),
    ],
)
def test_the_command_refuses(run, jsonl, arguments, message):
    path = jsonl("x.jsonl", [record(1, stance_first="favor")])
    done = run("agreement", path, "--task", "stance", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
