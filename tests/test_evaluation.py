"""Metrics by hand and by scikit-learn; cross-validation end to end on a part of the corpus."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from stance import comparison, corpus, evaluation, lexicon
from stance.corpus import Passage
from stance.model import Settings
from stance.text import default_table


@pytest.fixture(scope="module")
def passages(small_data):
    return corpus.read([small_data / "passages", small_data / "sentences"])


@pytest.fixture(scope="module")
def cues(small_data):
    return lexicon.read(sorted((small_data / "lexicons").glob("*.json")))


@pytest.fixture(scope="module")
def quick(quick_settings):
    return Settings.from_json(json.loads(quick_settings.read_text()))


@pytest.fixture(scope="module")
def result(passages, cues, quick):
    return evaluation.cross_validate(
        passages, quick, cues, default_table(), n_folds=3, repeats=2, jobs=2
    )


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    truth, decided = rng.choice(list("abcd"), (2, 300))
    weight = rng.integers(0, 4, 300).astype(float)
    found = evaluation.scores(evaluation.confusion(truth, decided, "abcd", weight))
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, decided, sample_weight=weight))
    assert found["macro_f1"] == pytest.approx(
        f1_score(truth, decided, average="macro", sample_weight=weight)
    )
    p, r, f, _ = precision_recall_fscore_support(truth, decided, sample_weight=weight)
    assert found["precision"] == pytest.approx(p)
    assert found["recall"] == pytest.approx(r)
    assert found["f1"] == pytest.approx(f)


def test_scores_by_hand():
    # true a: 2 right, 1 decided b; true b: 1 right; c never occurs
    found = evaluation.scores(np.array([[2.0, 1, 0], [0, 1, 0], [0, 0, 0]]))
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)


def test_calibration_error_by_hand():
    # 0.9 said twice and right once: off by 0.4; 0.5 said twice and right once: exact
    confidence = np.array([0.9, 0.9, 0.5, 0.5])
    right = np.array([1.0, 0, 1, 0])
    error, bins = evaluation.calibration_error(confidence, right, np.ones(4))
    assert error == pytest.approx(0.2)
    assert [(b["confidence"], b["accuracy"], b["mass"]) for b in bins] == [
        (0.5, 0.5, 2.0),
        (0.9, 0.5, 2.0),
    ]


def test_every_figure_lies_in_its_interval(result):
    for found in result.tasks.values():
        for name in ("accuracy", "macro_f1", "log_loss", "brier", "undecided"):
            value, low, high = found[name]
            assert low <= value <= high, name
            assert low < high


def test_confusion_and_support_agree_with_the_data(result, passages):
    tested = [p for p in passages if p.source == "passages"]
    for task, found in result.tasks.items():
        support = Counter(p.labels[task] for p in tested)
        assert {k: v["support"] for k, v in found["per_class"].items()} == {
            label: support[label] for label in corpus.LABELS[task]
        }
        rows = [sum(row) for row in found["confusion"]["matrix"]]
        assert rows == pytest.approx([support[label] for label in corpus.LABELS[task]])
        diagonal = sum(row[i] for i, row in enumerate(found["confusion"]["matrix"]))
        assert found["accuracy"][0] == pytest.approx(diagonal / len(tested))


def test_sentences_train_but_are_never_tested(result, passages):
    assert result.data["sentences"] == 40
    assert all(f["n"] == len(passages) - 40 for f in result.tasks.values())


def test_an_auxiliary_source_weighs_the_same_in_every_label():
    """Of 4 main items 3 are a, of 3 auxiliary 1: by hand (3/4) / (1/3) and (1/4) / (2/3)."""
    quarter = Settings.from_json(
        {"features": {"form": {"weight": 1}}, "C": [1], "auxiliary": {"sentences": 0.25}}
    )
    labels = [("a", "passages")] * 3 + [("b", "passages"), ("a", "sentences")]
    labels += [("b", "sentences")] * 2
    items = [Passage(str(i), "d", "نص", {"t": y}, s) for i, (y, s) in enumerate(labels)]
    found = evaluation.weights_of(items, "t", quarter)
    assert found[:4].tolist() == [1.0] * 4
    assert found[4:] == pytest.approx([0.25 * 2.25, 0.25 * 0.375, 0.25 * 0.375])


def test_the_majority_baseline_is_the_share_of_the_commonest_label(result, passages):
    tested = [p.labels["framing"] for p in passages if p.source == "passages"]
    share = Counter(tested).most_common(1)[0][1] / len(tested)
    baseline = result.tasks["framing"]["baselines"]["majority"]["accuracy"]
    assert baseline["value"][0] == pytest.approx(share)
    assert baseline["difference"][0] == pytest.approx(
        result.tasks["framing"]["accuracy"][0] - share
    )


def test_the_model_beats_always_saying_the_commonest_label(result):
    for found in result.tasks.values():
        assert found["baselines"]["majority"]["macro_f1"]["difference"][1] > 0


def test_the_learning_curve_grows_in_size(result):
    sizes = [point["passages"] for point in result.learning_curve]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)


def test_the_result_survives_json(result):
    again = evaluation.Result.from_json(json.loads(json.dumps(result.to_json())))
    assert again.to_json() == json.loads(json.dumps(result.to_json()))


def test_the_same_data_and_seed_give_the_same_result(result, passages, cues, quick):
    again = evaluation.cross_validate(
        passages, quick, cues, default_table(), 3, 2, jobs=1, curve=False
    )
    for task, found in again.tasks.items():
        assert found["accuracy"] == result.tasks[task]["accuracy"]
    assert again.signature == result.signature


def test_the_signature_names_what_the_figures_depend_on(result, passages):
    for part in (
        "stance:",
        f"data:{corpus.data_hash(passages)}",
        "settings:",
        "folds:3x2",
        "seed:",
    ):
        assert part in result.signature


def test_held_out_counts_by_hand(model, tmp_path, jsonl):
    text = "وقع الجانبان في موسكو وثيقة من ثلاث وعشرين مادة بحضور وزيري الخارجية"
    records = [
        {"id": str(n), "doc": str(n), "text": text, "stance": s, "framing": "none", "alt_stance": a}
        for n, (s, a) in enumerate([("neutral", []), ("favor", ["neutral"]), ("against", [])])
    ]
    found = evaluation.held_out(model, corpus.read([jsonl("t.jsonl", records)])).tasks["stance"]
    assert found["accuracy"][0] == pytest.approx(1 / 3)
    assert found["clear"][0] == pytest.approx(1 / 2)
    assert found["lenient"][0] == pytest.approx(2 / 3)
    assert [e["id"] for e in found["errors"]] == ["1", "2"]
    assert found["baselines"]["majority"]["accuracy"]["value"][0] == pytest.approx(1 / 3)


def test_log_loss_and_brier_by_hand(model, jsonl):
    text = "وقع الجانبان في موسكو وثيقة من ثلاث وعشرين مادة بحضور وزيري الخارجية"
    record = {"id": "1", "doc": "1", "text": text, "stance": "neutral", "framing": "none"}
    found = evaluation.held_out(model, corpus.read([jsonl("t.jsonl", [record])])).tasks["stance"]
    p = model.classify([text])[0]["stance_p"]
    assert found["log_loss"][0] == pytest.approx(-math.log(p["neutral"]))
    assert found["brier"][0] == pytest.approx(
        (1 - p["neutral"]) ** 2 + sum(q**2 for k, q in p.items() if k != "neutral")
    )


def test_no_prediction_comes_from_a_model_that_saw_the_article(passages, cues, quick, monkeypatch):
    """Every training part is watched while it is fitted."""
    seen = []
    real = evaluation.fit

    def watching(sample, *rest, **more):
        seen.append(set(sample.texts))
        return real(sample, *rest, **more)

    monkeypatch.setattr(evaluation, "fit", watching)
    group = corpus.groups(passages)
    aux = evaluation.auxiliary(passages, quick)
    strata = [p.labels["stance"] for p in passages]
    train, test = corpus.folds(strata, group, 3, 0, aux)[0]
    evaluation._fold(passages, quick, cues, default_table(), group, 0, train, test)
    tested_docs = {passages[i].doc for i in test}
    texts_of_tested = {p.text for p in passages if p.doc in tested_docs}
    assert seen
    assert not any(s & texts_of_tested for s in seen)


def test_data_that_the_repository_ships_was_evaluated():
    root = Path(__file__).parent.parent
    committed = {
        name: json.loads((root / "experiments" / f"{name}.json").read_text("utf-8"))
        for name in ("evaluation/result", "frozen/result", "audit/audit", "audit/agreement")
    }
    data = corpus.read([root / "data" / "passages", root / "data" / "sentences"])
    learned = corpus.data_hash(corpus.learnable(data))
    frozen = [p for p in data if p.meta.get("split") == "test" and not corpus.disputed(p)]
    assert committed["evaluation/result"]["data"]["hash"] == learned, "run make evaluate"
    assert committed["frozen/result"]["data"]["hash"] == corpus.data_hash(frozen)
    assert f"model:{learned}" in committed["frozen/result"]["signature"]
    assert f"data:{learned}" in committed["audit/audit"]["signature"], "run make audit"
    prose = sum(p.source == "passages" for p in data)
    assert committed["audit/agreement"]["stance"]["units"] == prose, "run make audit"
    for found in committed["evaluation/result"]["tasks"].values():
        for name in ("majority", "keywords"):
            assert found["baselines"][name]["macro_f1"]["difference"][1] > 0, name


def test_a_pair_is_right_when_all_its_members_are():
    labels = {"stance": "favor"}
    passages = [
        Passage(str(i), str(i), "نص", labels, meta={"pair": pair} if pair else {})
        for i, pair in enumerate(["a", "a", "b", "b", "b", "", "c"])
    ]
    truth = np.array(["x"] * 7, dtype=object)
    # a is whole in both repeats, b in the second only; c has one member, so it is no pair
    y = np.array([list("xxxoxoo"), list("xxxxxoo")], dtype=object)
    found = evaluation.whole_pairs(passages, truth, y, np.ones((3, 7)))
    assert found["pairs"] == pytest.approx([0.75, 0.75, 0.75])
    assert evaluation.whole_pairs(passages[5:], truth[5:], y[:, 5:], np.ones((3, 2))) == {}


# --- two results compared -------------------------------------------------------------------------

GOLD = "xxxxxxyyyy"
FIRST = "xxxxyyyyxx"  # 4 of 6 x and 2 of 4 y right
SECOND = "yxxxxxyyyx"  # 5 of 6 x and 3 of 4 y right: 4, 5 and 8 turned right, 0 wrong


def made(decided, gold=GOLD, labels="xy", group=None, ids=None, p=0.8, text="نص", pair=(4, 8)):
    """A result of which only the decisions are known; ``pair``: two places that are a pair."""
    n = len(gold)
    return evaluation.Result(
        "held-out", "stance:0 data:d", {}, {"C": [1]}, {},
        decisions={
            "id": list(ids or map(str, range(n))),
            "digest": [f"{text}{i}" for i in ids or range(n)],
            "group": list(group or range(n)),
            "pair": ["p" if i in pair else "r" if i in (2, 3) else "" for i in range(n)],
            "text": {str(i): f"نص {i}" for i in range(n)},
            "tasks": {
                "t": {
                    "labels": list(labels),
                    "gold": [labels.index(v) for v in gold],
                    "decided": [[labels.index(v) for v in decided]],
                    "p": [[p] * n],
                    "several": [[int(i < 3) for i in range(n)]],
                }
            },
        },
    )  # fmt: skip


def test_two_results_by_hand():
    found = comparison.compare(made(FIRST), made(SECOND), ("one", "two"))
    task = found["tasks"]["t"]

    def three(figure):
        return [figure[k][0] for k in ("a", "b", "difference")]

    assert three(task["accuracy"]) == pytest.approx([0.6, 0.8, 0.2])
    assert three(task["per_class"]["x"]) == pytest.approx([8 / 12, 10 / 12, 2 / 12])
    assert three(task["per_class"]["y"]) == pytest.approx([2 / 4, 6 / 8, 1 / 4])
    assert three(task["macro_f1"]) == pytest.approx([7 / 12, 19 / 24, 5 / 24])
    assert three(task["ece"]) == pytest.approx([0.2, 0.0, -0.2])  # all say 0.8
    assert three(task["pairs"]) == pytest.approx([0.5, 1.0, 0.5])  # 2, 3 whole in both; 4, 8 in two
    assert three(task["undecided"]) == pytest.approx([0.3, 0.3, 0.0])
    assert task["changed"] == {
        "better": 3, "worse": 1, "both_right": 5, "both_wrong": 1, "p": pytest.approx(10 / 16)
    }  # fmt: skip
    assert [e["id"] for e in task["better"]] == ["4", "5", "8"]
    assert task["worse"] == [
        {"id": "0", "gold": "x", "a": "x", "p_a": 0.8, "b": "y", "p_b": 0.8, "text": "نص 0"}
    ]
    assert task["confusion"] == {"labels": ["x", "y"], "a": [[4, 2], [2, 2]], "b": [[5, 1], [1, 3]]}
    assert (found["passages"], found["groups"], found["left_out"]) == (10, 10, [0, 0])
    json.dumps(found)


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (3, 1), (1, 3), (9, 0), (5, 5)])
def test_mcnemars_p_is_that_of_a_fair_coin(better, worse):
    from scipy.stats import binomtest

    n = better + worse + 2
    first = "y" * better + "x" * (worse + 2)
    second = "x" * better + "y" * worse + "xx"
    changed = comparison.compare(made(first, "x" * n), made(second, "x" * n))["tasks"]["t"][
        "changed"
    ]
    assert (changed["better"], changed["worse"]) == (better, worse)
    expected = binomtest(better, better + worse).pvalue if better + worse else 1
    assert changed["p"] == pytest.approx(expected)


def differences(found):
    for task in found["tasks"].values():
        for name in ("accuracy", "macro_f1", "ece", "undecided", "pairs"):
            if name in task:
                yield name, task[name]["difference"]
        for label, scores in task["per_class"].items():
            yield label, scores["difference"]


def test_a_result_does_not_differ_from_itself(result):
    found = comparison.compare(made(FIRST), made(FIRST))
    real = comparison.compare(result, result)
    for one in (found, real):
        assert all(d == [0, 0, 0] for name, d in differences(one))
        assert one["differs"] == []
        for task in one["tasks"].values():
            assert (task["better"], task["worse"], task["changed"]["p"]) == ([], [], 1)
    for name, task in real["tasks"].items():
        for figure in ("accuracy", "macro_f1", "undecided"):
            assert task[figure]["a"][0] == pytest.approx(result.tasks[name][figure][0])
        assert task["ece"]["a"][0] == pytest.approx(result.tasks[name]["ece"][0], abs=2e-3)


def test_a_swapped_order_flips_signs():
    there = comparison.compare(made(FIRST), made(SECOND, p=0.7))
    back = comparison.compare(made(SECOND, p=0.7), made(FIRST))
    for (name, one), (_, other) in zip(differences(there), differences(back), strict=True):
        value, low, high = other
        assert one == pytest.approx([-value, -high, -low], abs=1e-9), name
    assert there["tasks"]["t"]["changed"]["better"] == back["tasks"]["t"]["changed"]["worse"]


def test_passages_of_one_article_are_resampled_together():
    one = comparison.compare(made(FIRST, group=[0] * 10), made(SECOND))
    assert one["groups"] == 1
    assert one["tasks"]["t"]["accuracy"]["difference"] == pytest.approx([0.2] * 3)
    other = comparison.compare(made(FIRST), made(SECOND, group=[0] * 10))
    assert other["groups"] == 1
    crossed = made(SECOND, group=[0, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    joined = comparison.compare(made(FIRST, group=[0, 0, 1, 2, 3, 4, 5, 6, 7, 8]), crossed)
    assert joined["groups"] == 8  # the first three belong together, as 0-1 and 1-2 do
    low, high = comparison.compare(made(FIRST), made(SECOND))["tasks"]["t"]["accuracy"][
        "difference"
    ][1:]
    assert low < 0 < 0.2 < high


def test_only_the_passages_that_both_hold_are_compared():
    ids = [str(i) for i in range(2, 12)]  # 2 to 9 are in both, in another order of places
    found = comparison.compare(
        made(FIRST), made(FIRST[2:] + "xx", GOLD[2:] + "xx", ids=ids, pair=())
    )
    assert (found["passages"], found["left_out"]) == (8, [2, 2])
    assert found["tasks"]["t"]["accuracy"]["difference"] == [0, 0, 0]
    other = comparison.compare(made(FIRST), made(FIRST, "y" + GOLD[1:]))
    assert (other["passages"], other["relabelled"]) == (9, 1)


def test_results_that_cannot_be_compared_are_refused():
    from dataclasses import replace

    from stance.text import InputError

    one, names = made(FIRST), ("a.json", "b.json")
    bad = {
        "b.json: holds no decisions": replace(one, decisions={}),
        "no passage in common": made(FIRST, text="آخر"),
        "every passage is labelled otherwise": made(FIRST, "yyyyyyxxxx"),
        "no task in common": replace(
            one, decisions=one.decisions | {"tasks": {"u": one.decisions["tasks"]["t"]}}
        ),
    }
    for message, two in bad.items():
        with pytest.raises(InputError, match=message):
            comparison.compare(one, two, names)


def test_what_differs_is_named():
    from dataclasses import replace

    one = made(FIRST)
    two = replace(one, signature="stance:0 data:e seed:1", settings={"C": [1, 2]}, kind="other")
    assert comparison.compare(one, two)["differs"] == [
        {"what": "evaluation", "a": "held-out", "b": "other"},
        {"what": "data", "a": "d", "b": "e"},
        {"what": "settings.C", "a": [1], "b": [1, 2]},
        {"what": "seed", "a": None, "b": "1"},
    ]


def test_a_result_holds_its_decisions(result, passages):
    tested = [p for p in passages if p.source == "passages"]
    decisions = result.decisions
    assert decisions["id"] == [p.id for p in tested]
    wrong = set()
    for task, found in decisions["tasks"].items():
        gold = [found["labels"][k] for k in found["gold"]]
        assert gold == [p.labels[task] for p in tested]
        right = np.mean(np.array(found["decided"]) == np.array(found["gold"]))
        assert right == pytest.approx(result.tasks[task]["accuracy"][0])
        several = np.mean(found["several"])
        assert several == pytest.approx(result.tasks[task]["undecided"][0])
        sure = np.array(found["several"]) == 0
        hits = (np.array(found["decided"]) == np.array(found["gold"]))[sure]
        assert result.tasks[task]["sure"][0] == pytest.approx(hits.mean())
        wrong |= {
            i
            for y in found["decided"]
            for i, v, g in zip(decisions["id"], y, found["gold"], strict=True)
            if v != g
        }
    assert set(decisions["text"]) == wrong
