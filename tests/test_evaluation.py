"""Metrics by hand and by scikit-learn; cross-validation end to end on a part of the corpus."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from stance import corpus, evaluation, lexicon
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
