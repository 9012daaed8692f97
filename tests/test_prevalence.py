"""Shares of a collection: by hand, by an outside tool, by simulation; groups; the command."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance import prevalence
from stance.text import InputError


def record(p, doc="1", task="mood", several=None, **more):
    """A decision on labels a, b, c … with probabilities ``p``."""
    labels = dict(zip("abcd", p, strict=False))
    best = max(labels, key=labels.get)
    return {
        "id": f"{doc}:{best}", "doc": doc, "text": "نص", task: best,
        f"{task}_p": labels, f"{task}_set": several or [best], **more,
    }  # fmt: skip


P = [
    [0.90, 0.08, 0.02], [0.70, 0.20, 0.10], [0.60, 0.10, 0.30], [0.55, 0.40, 0.05],
    [0.20, 0.70, 0.10], [0.10, 0.85, 0.05], [0.30, 0.60, 0.10], [0.05, 0.15, 0.80],
    [0.10, 0.10, 0.80], [0.15, 0.25, 0.60], [0.80, 0.15, 0.05], [0.75, 0.05, 0.20],
]  # fmt: skip
#: EMQ.EM(prior, P, epsilon=1e-12) of QuaPy 0.2.3 (Moreo, Esuli & Sebastiani 2021), 2026-11-21.
QUAPY = [
    ({}, [0.606039, 0.206629, 0.187332]),
    ({"c": 2}, [0.677165, 0.322835, 0.0]),
    ({"a": 2, "b": 5, "c": 3}, [0.866342, 0.0, 0.133658]),
]


@pytest.mark.parametrize(("prior", "expected"), QUAPY)
def test_corrected_shares_are_those_of_quapy(prior, expected):
    records = [record(p, str(i)) for i, p in enumerate(P)]
    found = prevalence.shares(records, "mood", prior)["labels"]
    assert [row["corrected"][0] for row in found.values()] == pytest.approx(expected, abs=1e-4)


def test_counted_and_mean_probability_by_hand():
    records = [record([0.9, 0.1], "1"), record([0.6, 0.4], "2"), record([0.2, 0.8], "3")]
    found = prevalence.shares(records, "mood")["labels"]
    assert found["a"]["counted"][0] == pytest.approx(2 / 3, abs=1e-6)
    assert found["b"]["probability"][0] == pytest.approx((0.1 + 0.4 + 0.8) / 3, abs=1e-6)


def draw(rng, share, n, articles):
    """Passages of a known mixture whose scores confuse the labels, with the probabilities that
    hold under equal shares: two normal scores a distance of 1.5 apart."""
    truth = rng.random(n) < share
    score = rng.normal(np.where(truth, 0.75, -0.75), 1.0)
    p = 1 / (1 + np.exp(-1.5 * score))
    docs = rng.integers(0, articles, n)
    rows = [record([a, 1 - a], str(d)) for a, d in zip(p, docs, strict=True)]
    return truth.mean(), rows


@pytest.mark.parametrize("share", [0.05, 0.15, 0.9])
def test_correction_comes_nearer_the_truth_than_counting(share):
    truth, rows = draw(np.random.default_rng(7), share, 1000, 100)
    row = prevalence.shares(rows, "mood")["labels"]["a"]
    wrong = {how: abs(row[how][0] - truth) for how in row}
    assert wrong["corrected"] < 0.04
    assert wrong["corrected"] < wrong["counted"] / 3
    assert wrong["corrected"] < wrong["probability"] / 3
    assert row["corrected"][1] < truth < row["corrected"][2]


def test_the_assumed_prior_is_divided_out():
    """Probabilities restated under another mixture give the same corrected share."""
    _, rows = draw(np.random.default_rng(3), 0.3, 500, 50)
    tilted = []
    for row in rows:
        a, b = 3 * row["mood_p"]["a"], row["mood_p"]["b"]
        tilted.append(record([a / (a + b), b / (a + b)], row["doc"]))
    plain = prevalence.shares(rows, "mood")["labels"]["a"]["corrected"]
    again = prevalence.shares(tilted, "mood", {"a": 3})["labels"]["a"]["corrected"]
    assert again == pytest.approx(plain, abs=1e-3)
    assert prevalence.shares(tilted, "mood")["labels"]["a"]["corrected"][0] > plain[0] + 0.05


@pytest.mark.parametrize("articles", [3, 10])
def test_intervals_hold_the_mean_of_other_articles_about_95_times_in_100(articles):
    """Shares of articles uniform in 0..1, so the true balance is nothing."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(100):
        rows = [
            record([0.9, 0.1] if rng.random() < share else [0.1, 0.9], str(doc))
            for doc, share in enumerate(rng.random(articles))
            for _ in range(10)
        ]
        _, low, high = prevalence.balance(rows, "mood", "a", "b")
        held += low <= 0 <= high
    assert held >= 89


def test_where_all_agree_the_interval_still_has_a_width():
    one = [record([0.9, 0.1], "1")] * 50
    ten = [record([0.9, 0.1], str(i)) for i in range(10)]
    assert prevalence.shares(one, "mood")["labels"]["a"]["counted"] == [1.0, 0.025, 1.0]
    low = prevalence.shares(ten, "mood")["labels"]["a"]["counted"][1]
    assert low == pytest.approx(0.6915, abs=1e-4)  # Clopper & Pearson, 10 of 10
    mixed = [record([0.9, 0.1], "1"), record([0.1, 0.9], "1")]
    assert prevalence.shares(mixed, "mood")["labels"]["a"]["counted"] == [0.5, 0.0, 1.0]


def test_passages_of_an_article_are_resampled_together():
    apart = [record(p, str(i)) for i, p in enumerate([[0.9, 0.1], [0.1, 0.9]] * 50)]
    joined = [
        dict(r, doc=str(i // 50)) for i, r in enumerate(sorted(apart, key=lambda r: r["id"][-1]))
    ]

    def width(rows):
        low, high = prevalence.shares(rows, "mood")["labels"]["a"]["counted"][1:]
        return high - low

    assert width(apart) < 0.25
    assert width(joined) > 0.9


def test_balance_and_leaning_by_hand():
    rows = [record([0.6, 0.3, 0.1], str(i)) for i in range(3)] + [record([0.2, 0.7, 0.1], "9")]
    assert prevalence.balance(rows, "mood", "a", "b")[0] == 0.5
    assert prevalence.leaning(rows, "mood", "a", "b") == pytest.approx((3 * 0.3 - 0.5) / 4)
    assert prevalence.balance(rows[:1], "mood", "b", "c") == [0.0, -0.975, 0.975]


def test_cells_add_up_to_the_whole():
    rows = [
        record([0.9, 0.1], str(i)) | record(p, str(i), "tone")
        for i, p in enumerate([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    ]
    found = prevalence.crossed(rows, "mood", "tone")
    assert {a: {b: c["passages"] for b, c in row.items()} for a, row in found.items()} == {
        "a": {"a": 1, "b": 2},
        "b": {"a": 0, "b": 0},
    }
    assert found["a"]["b"]["share"][0] == pytest.approx(2 / 3, abs=1e-6)


probabilities = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(
    lambda v: [x / sum(v) for x in v]
)


@given(st.lists(st.tuples(probabilities, st.integers(0, 4)), min_size=1, max_size=12))
def test_shares_are_shares(drawn):
    records = [record(p, str(doc)) for p, doc in drawn]
    found = prevalence.shares(records, "mood", {"b": 4})["labels"]
    for way in ("counted", "probability", "corrected"):
        assert sum(row[way][0] for row in found.values()) == pytest.approx(1, abs=1e-4)
        assert all(0 <= row[way][1] <= row[way][0] <= row[way][2] <= 1 for row in found.values())


@given(st.text())
def test_a_month_is_read_or_refused_but_never_guessed(date):
    found = prevalence.month({"date": date})
    assert found is None or date.strip().startswith(found)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2024-06", "2024-06"), ("2024-02-29", "2024-02"), ("2023-02-29", None), ("2024-00", None),
        ("2024", None), ("2024-6", None), ("2024-06-19T10:00", None), ("٢٠٢٤-٠٦", None),
        (202406, None), (None, None),
    ],
)  # fmt: skip
def test_months(date, expected):
    assert prevalence.month({"date": date}) == expected


def test_small_groups_are_folded_and_counted():
    rows = [record([0.9, 0.1], str(i), outlet=name) for i, name in enumerate("xxxxxxyyyyyzzw")]
    found = prevalence.by(rows, "outlet")
    assert {name: len(some) for name, some in found.kept.items()} == {"x": 6, "y": 5}
    assert (len(found.others), found.folded) == (3, 2)


def test_a_voice_goes_before_the_holder():
    rows = [{"holder": "x", "voice": {"name": "ي", "role": ""}}, {"holder": "x"}, {"holder": ""}]
    assert [prevalence.speaker(r) for r in rows] == ["ي", "x", ""]


def test_the_least_sure_come_first_and_telling_ones_are_of_different_articles():
    rows = [
        record([0.95, 0.05], "1"),
        record([0.9, 0.1], "1"),
        record([0.6, 0.4], "2", several=["a", "b"]),
        record([0.51, 0.49], "3"),
        record([0.55, 0.45], "4", several=["a", "b"]),
    ]
    assert prevalence.least_sure(rows, ["mood"]) == [4, 2, 3, 1, 0]
    assert [r["doc"] for r in prevalence.telling(rows, {"mood": "a"})] == ["1", "2", "4"]


BAD = [
    ({"mood_p": {"a": 1.0}}, "mood_p is"),
    ({"mood_p": {"a": float("nan"), "b": 0.5}}, "not probabilities"),
    ({"mood_p": {"a": "1", "b": 0}}, "not probabilities"),
    ({"mood_p": {"a": 0.9, "b": 0.9}}, "adds up to 1.800"),
    ({"mood": "z"}, "mood is 'z'"),
    ({"mood_set": [{}]}, "mood_set is"),
    ({"mood_set": "a"}, "mood_set is"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_records_of_something_else_are_refused(change, message):
    rows = [record([0.9, 0.1]), record([0.9, 0.1]) | {"id": "seven"} | change]
    with pytest.raises(InputError, match="record 'seven'") as refused:
        prevalence.tasks(rows)
    assert message in str(refused.value)


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def decisions(jsonl):
    rows = []
    for i in range(24):
        p = {"favor": 0.1, "against": 0.1, "neutral": 0.7, "unrelated": 0.1}
        frame = {"convenience": 0.05, "axis": 0.05, "mixed": 0.0, "none": 0.9}
        if i % 3 == 0:
            p |= {"against": 0.7, "neutral": 0.1}
        rows.append(
            {
                "id": str(i), "doc": str(i // 2), "start": 0, "end": 2, "text": "نص", "holder": "",
                "stance": max(p, key=p.get), "stance_p": p, "stance_set": ["neutral", "against"],
                "framing": "none", "framing_p": frame, "framing_set": ["none"],
                "outlet": "الديار" if i < 20 else "x", "date": f"2024-{1 + i // 12:02}",
            }
        )  # fmt: skip
    return jsonl("d.jsonl", rows)


def test_the_command_says_what_it_assumes(run, decisions):
    done = run("prevalence", decisions, "--by", "outlet")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "stance  (24 passages, 12 articles, 24 to read yourself)"
    assert lines[3].startswith("  against       0.333 [")
    assert "outlet: الديار" in lines
    assert "1 smaller groups together" in lines
    assert "assumed mixture of stance: favor 1, against 1, neutral 2, unrelated 2" in lines
    assert "assumed mixture of framing: convenience 1, axis 1, mixed 1, none 3" in lines


def test_the_command_in_json_by_month_with_another_prior(run, decisions):
    done = run("prevalence", decisions, "--by", "month", "--task", "stance", "--format", "json",
               "--prior", "stance:against=5")  # fmt: skip
    found = json.loads(done.stdout)
    assert list(found["tasks"]) == ["stance"]
    assert list(found["groups"]) == ["2024-01", "2024-02"]
    assert found["assumes"]["prior"]["stance"] == {
        "favor": 1, "against": 5, "neutral": 1, "unrelated": 1,
    }  # fmt: skip
    # seven in ten among eight: where against is assumed to be common, less is made of it
    assert found["tasks"]["stance"]["labels"]["against"]["corrected"][0] < 1 / 3


def test_what_is_not_there_is_one_line_and_exit_code_2(run, decisions):
    done = run("prevalence", decisions, "--by", "colour")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no record has a value in 'colour'; there are: id, doc" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(InputError, match="no decisions on 'tone'; there are some on: mood"):
        prevalence.survey([record([0.9, 0.1])], {}, ["tone"])
