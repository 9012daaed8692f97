"""The classifier: settings, exact explanations, calibration pieces, independence of the batch."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.special import softmax

import stance
from stance import corpus, evaluation, lexicon
from stance.learner import Sample, conformal_thresholds, fit_head, fit_temperature
from stance.model import LEARNERS, Model, Settings, build_features, log_prior
from stance.text import InputError, default_table

ROOT = Path(__file__).parent.parent
DEFAULT = json.loads((ROOT / "stance" / "default.json").read_text())
TEXTS = [
    json.loads(line)["text"]
    for line in (ROOT / "data/passages/panarab-papers.jsonl").read_text("utf-8").splitlines()[:25]
]


def test_probabilities_are_probabilities(model):
    for task, p in model.predict_proba(TEXTS).items():
        assert p.shape == (len(TEXTS), len(model.labels[task]))
        assert p.sum(axis=1) == pytest.approx(1)
        assert ((p >= 0) & (p <= 1)).all()


def test_labels_stand_in_the_codebooks_order(model):
    assert model.labels == {k: tuple(v) for k, v in corpus.LABELS.items()}


def test_a_record_has_the_contracts_form(model):
    record = model.classify(TEXTS[:1])[0]
    assert set(record) == {
        "stance", "stance_p", "stance_set", "framing", "framing_p", "framing_set",
    }  # fmt: skip
    assert record["stance"] in record["stance_set"]
    assert list(record["framing_p"]) == list(model.labels["framing"])


def test_a_result_never_depends_on_its_batch(model):
    together = model.classify(TEXTS)
    for text, record in zip(TEXTS[:6], together[:6], strict=True):
        alone = model.classify([text])[0]
        assert alone["stance"] == record["stance"]
        assert alone["stance_p"] == pytest.approx(record["stance_p"], abs=1e-12)


@given(st.integers(0, len(TEXTS) - 1), st.randoms())
@settings(max_examples=15, deadline=None)
def test_a_result_does_not_depend_on_spelling(number, rng):
    model = stance.load()
    plain = TEXTS[number]
    noisy = "".join(c + rng.choice(["", "", "\u0651", "\u0640", "\u200f"]) for c in plain)
    noisy = noisy.replace("أ", "ا").replace("ى", "ي").replace("2", "٢")
    assert model.predict_proba([noisy])["framing"] == pytest.approx(
        model.predict_proba([plain])["framing"], abs=1e-12
    )


@pytest.mark.parametrize("number", range(0, 25, 5))
def test_the_words_add_up_to_the_decision(model, number):
    record = model.classify([TEXTS[number]], explain=True)[0]
    for task in model.labels:
        log_p = np.log(list(record[f"{task}_p"].values()))
        because = [b for b in record["because"] if b["head"] == task]
        label = because[0]["label"]
        k = model.labels[task].index(label)
        assert sum(b["weight"] for b in because) == pytest.approx(log_p[k] - log_p.mean(), abs=1e-5)
        for b in because:
            assert 0 <= b["start"] <= b["end"] <= len(TEXTS[number])
            assert b["end"] > b["start"] or (b["start"], b["end"]) == (0, 0)


def test_removing_a_heavy_word_moves_the_decision_away_from_its_label(model):
    text = "وأعرب المتحدث عن قلق بالغ من هذا التعاون العسكري بين موسكو وبيونغ يانغ"
    record = model.classify([text], explain=True)[0]
    assert record["stance"] == "against"
    word = next(b for b in record["because"] if b["end"] > b["start"])
    without = text[: word["start"]] + text[word["end"] :]
    changed = model.predict_proba([without])["stance"][0]
    assert changed[model.labels["stance"].index("against")] < record["stance_p"]["against"]


def test_no_texts_no_records(model):
    assert model.classify([]) == []


@pytest.mark.parametrize("text", ["", "12 34", "plain English words only", "؟!"])
def test_what_cannot_be_read_rules_no_label_out(model, text):
    record = model.classify([text])[0]
    assert set(record["stance_set"]) == set(model.labels["stance"])
    assert set(record["framing_set"]) == set(model.labels["framing"])


def test_an_unrelated_passage_is_not_framed(model):
    text = "صدت القوات الأوكرانية عشرات الهجمات على جبهة بوكروفسك في دونيتسك خلال الليل"
    record = model.classify([text])[0]
    assert (record["stance"], record["framing"], record["framing_set"]) == (
        "unrelated", "none", ["none"],
    )  # fmt: skip


def test_another_prior_shifts_every_probability_by_its_ratio(model):
    shifted = model.with_prior("stance", {"favor": 5.0})
    p = model.predict_proba(TEXTS[:5])["stance"]
    q = shifted.predict_proba(TEXTS[:5])["stance"]
    before = model.heads["stance"].log_prior
    after = log_prior(model.labels["stance"], {"favor": 5.0}, "stance")
    odds = np.exp(after - before)
    expected = p * odds / (p * odds).sum(axis=1, keepdims=True)
    assert q == pytest.approx(expected)


def test_a_prior_for_a_label_that_is_not_there(model):
    with pytest.raises(InputError, match="stance has no label 'pro'"):
        model.with_prior("stance", {"pro": 2.0})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([], "got list, expected a JSON object"),
        (DEFAULT | {"folds": 3}, "unknown key 'folds'"),
        ({"features": DEFAULT["features"]}, "'C' is missing or empty"),
        (DEFAULT | {"features": {"bert": {}}}, "unknown feature family 'bert'"),
        (DEFAULT | {"features": {"words": {"min_df": 0}}}, "words: 'min_df': 0"),
        (DEFAULT | {"features": {"words": {"size": 2}}}, "words: 'size': 2"),
        (DEFAULT | {"C": [1, -1]}, "C -1; expected numbers above 0"),
        (DEFAULT | {"prior": {"stance": {"favor": 0}}}, "prior stance favor: 0"),
        (DEFAULT | {"clauses": -1}, "clauses -1; expected 0 or more"),
        (DEFAULT | {"inner_folds": 1}, "inner_folds 1; expected 2 or more"),
        (DEFAULT | {"coverage": 1.5}, "coverage 1.5; expected 0 < coverage < 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(InputError) as caught:
        Settings.from_json(change, "s.json")
    assert str(caught.value).startswith("s.json")
    assert message in str(caught.value)


def test_settings_round_trip():
    one = Settings.from_json(DEFAULT)
    assert Settings.from_json(one.to_json()) == one


def test_the_temperature_that_scaled_the_scores_is_found_again():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), size=20_000)
    truth = np.array([rng.choice(3, p=row) for row in p])
    # class shares are nearly equal, so balanced loss is plain loss
    assert fit_temperature(np.log(p) * 2.5, truth) == pytest.approx(2.5, rel=0.1)


def test_conformal_thresholds_cover_new_items_of_the_same_kind():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 4000)
    score = np.clip(rng.normal(0.7 - 0.4 * (truth == 0), 0.15), 0.01, 0.99)
    p = np.column_stack([1 - score, score])
    thresholds = conformal_thresholds(p[:2000], truth[:2000], 0.9)
    for k in (0, 1):
        own = p[2000:][truth[2000:] == k, k]
        assert (own >= thresholds[k]).mean() == pytest.approx(0.9, abs=0.03)


def test_too_few_items_for_a_threshold_rule_nothing_out():
    p = np.array([[0.9, 0.1]] * 5)
    assert conformal_thresholds(p, np.zeros(5, int), 0.9).tolist() == [0.0, 0.0]


def test_a_label_that_was_never_seen_is_never_decided():
    X = csr_matrix(np.eye(4))
    coef, intercept = fit_head(
        X, np.array(["a", "b", "a", "b"]), np.ones(4), ("a", "never", "b"), 1.0
    )
    scores = X @ coef.T + intercept
    assert set(scores.argmax(axis=1)) == {0, 2}


def test_heavier_items_count_more():
    X = csr_matrix(np.array([[1.0], [1.0], [1.0], [0.0]]))
    y = np.array(["a", "b", "b", "a"])
    light, _ = fit_head(X, y, np.array([1.0, 1, 1, 1]), ("a", "b"), 1.0)
    heavy, _ = fit_head(X, y, np.array([9.0, 1, 1, 1]), ("a", "b"), 1.0)
    assert heavy[0, 0] > light[0, 0]


@pytest.mark.parametrize("learner", LEARNERS)
def test_every_learner_decides_what_is_easy(learner):
    """Each label has a column of its own; scores come in the order of the labels asked for."""
    labels = ("none", "axis", "mixed", "convenience")
    y = np.array(list(labels) * 5)
    X = csr_matrix(np.eye(4, 6)[[labels.index(v) for v in y]])
    if learner == "frames":  # "mixed" is both: it has the columns of the two
        X = csr_matrix(
            [{"none": [0, 0], "axis": [0, 1], "mixed": [1, 1], "convenience": [1, 0]}[v] for v in y]
        )
    coef, intercept = fit_head(X, y, np.ones(len(y)), labels, 10.0, learner)
    assert coef.shape == (4, X.shape[1])
    assert [labels[k] for k in (X @ coef.T + intercept).argmax(axis=1)] == y.tolist()


def test_conformal_sets_are_those_of_crepes():
    """Class-conditional sets by an outside tool (Boström 2022), on the same scores."""
    from crepes.base import ConformalClassifier

    rng = np.random.default_rng(0)
    p, truth, new = (
        rng.dirichlet(np.ones(3), 400),
        rng.integers(0, 3, 400),
        rng.dirichlet([1] * 3, 99),
    )
    theirs = ConformalClassifier().fit(1 - p[np.arange(400), truth], bins=truth)
    for k in range(3):
        inside = theirs.predict_set(
            1 - new[:, [k]], bins=np.full(99, k), confidence=0.9, smoothing=False
        )
        ours = new[:, k] >= conformal_thresholds(p, truth, 0.9)[k]
        assert inside[:, 0].astype(bool).tolist() == ours.tolist()


def test_two_frames_give_the_product_of_two_probabilities():
    rng = np.random.default_rng(1)
    X, labels = csr_matrix(rng.random((60, 3))), ("convenience", "axis", "mixed", "none")
    y = rng.choice(labels, 60)
    coef, intercept = fit_head(X, y, np.ones(60), labels, 1.0, "frames")
    p = softmax(X @ coef.T.astype(float) + intercept, axis=1)
    yes = p[:, 0] + p[:, 2], p[:, 1] + p[:, 2]  # convenience?, axis?
    np.testing.assert_allclose(p[:, 2], yes[0] * yes[1], rtol=1e-5)
    np.testing.assert_allclose(p[:, 3], (1 - yes[0]) * (1 - yes[1]), rtol=1e-5)


def test_an_unknown_learner_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="learner 'forest'; expected one of logistic, svm"):
        Settings.from_json({"features": {"form": {"weight": 1}}, "C": [1], "learner": "forest"})


def test_clauses_are_examples_with_labels_and_weights_of_their_own():

    one = Settings.from_json({"features": {"words": {"min_df": 1}}, "C": [1.0]})
    sample = Sample(
        ["محور دائم بينهما", "وصل الوفد أمس"],
        {"framing": np.array(["axis", "none"]), "stance": np.array(["favor", "neutral"])},
        {"framing": np.array([1.0, 0.5]), "stance": np.ones(2)},
        [
            [("محور دائم", {"framing": ("axis", 1.0)})],
            [("وصل", {"framing": ("none", 0.5), "stance": ("neutral", 1.0)})],
        ],
        clause_weight=0.4,
    )
    features = build_features(one, None, default_table())
    matrices = sample.matrices(features)
    X, y, weight = matrices["framing"]
    assert y.tolist() == ["axis", "none", "axis", "none"]
    assert weight == pytest.approx([1.0, 0.5, 0.4, 0.5 * 0.5 * 0.4])
    assert (X[2:] != features.transform(["محور دائم", "وصل"])).nnz == 0
    X, y, weight = matrices["stance"]
    assert y.tolist() == ["favor", "neutral", "neutral"]
    assert weight == pytest.approx([1.0, 1.0, 0.4])
    assert (X[2:] != features.transform(["وصل"])).nnz == 0
    swapped = sample.take(np.array([1, 0])).matrices(features)["framing"]
    assert swapped[1].tolist() == ["none", "axis", "none", "axis"]


def test_training_again_from_the_same_data_gives_the_shipped_classifier(model):
    """The last step of ``make train``, at the C that was tuned, against what ships."""
    passages = corpus.learnable(
        corpus.read([ROOT / "data" / "passages", ROOT / "data" / "sentences"])
    )
    assert model.info["data"] == corpus.data_hash(passages), "run make train after changing data/"
    settings_ = Settings.from_json(DEFAULT)
    assert model.info["settings"] == settings_.to_json(), "run make train after changing settings"
    cues = lexicon.read(sorted((ROOT / "data" / "lexicons").glob("*.json")))
    features = build_features(settings_, cues, default_table())
    learned = evaluation.sample_of(passages, settings_).matrices(features)
    heads = {}
    for task, head in model.heads.items():
        coef, intercept = fit_head(*learned[task], head.labels, head.C, settings_.learner)
        heads[task] = dataclasses.replace(head, coef=coef, intercept=intercept)
    again = Model(features, heads, model.info)
    assert again.features.columns() == model.features.columns()
    texts = [p.text for p in passages[::7]]
    for task, p in again.predict_proba(texts).items():
        shipped = model.predict_proba(texts)[task]
        assert p == pytest.approx(shipped, abs=1e-3)
        # another processor may round the last digits of a tie differently
        clear = np.diff(np.sort(shipped, axis=1)[:, -2:])[:, 0] > 2e-3
        assert clear.mean() > 0.98
        assert (p.argmax(axis=1) == shipped.argmax(axis=1))[clear].all()
