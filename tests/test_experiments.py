"""The experiments: their settings are sound, their arithmetic is right, their results are fresh."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from stance import corpus, voice
from stance.model import Settings

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "experiments"
PLANS = sorted((FOLDER / "settings").glob("*.json"))


def script(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run():
    return script("run")


@pytest.mark.parametrize(
    ("base", "change", "result"),
    [  # the examples of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_merged(run, base, change, result):
    assert run.merged(base, change) == result


@pytest.mark.parametrize("path", PLANS, ids=lambda p: p.stem)
def test_every_plan_makes_settings(run, path):
    plan = json.loads(path.read_text(encoding="utf-8"))
    assert plan["group"]
    assert plan["what"]
    default = json.loads((ROOT / "stance" / "default.json").read_text(encoding="utf-8"))
    assert Settings.from_json(run.merged(default, plan.get("change", {}))).features


def test_f1_under_weights_agrees_with_scikit_learn():
    module = script("arabicstancex")
    rng = np.random.default_rng(5)
    truth, decided = rng.choice(module.LABELS, (2, 200))
    weights = rng.integers(0, 3, (2, 200)).astype(float)
    found = module.f1(truth, decided, weights)
    for row, weight in zip(found, weights, strict=True):
        expected = f1_score(
            truth, decided, labels=module.LABELS, average=None, sample_weight=weight
        )
        np.testing.assert_allclose(row, expected)


def test_every_plan_has_a_result_on_the_data_that_is_shipped():
    data = corpus.read([ROOT / "data" / "passages", ROOT / "data" / "sentences"])
    learned = f"data:{corpus.data_hash(corpus.learnable(data))} "
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    for plan in PLANS:
        result = json.loads((FOLDER / "results" / plan.name).read_text(encoding="utf-8"))
        assert learned in result["signature"], f"{plan.stem}: run make experiments"
        assert f"| {result['what']} | {result['tasks']['stance']['macro_f1'][0]:.3f} |" in page


def test_a_change_of_nothing_makes_no_difference():
    default = json.loads((FOLDER / "results" / "00-default.json").read_text(encoding="utf-8"))
    for found in default["tasks"].values():
        assert found["difference"] == [0.0, 0.0, 0.0]


def test_holders_are_measured_by_kind_of_error():
    module = script("holders")
    somebody = voice.Holder("سالم الهاشم", "سالم الهاشم", "", "person", "named")
    found = [
        ("سالم الهاشم", somebody, ""),
        ("الهاشم", somebody, "overlap"),
        ("ريم العلي", somebody, "other"),
        ("", somebody, "invented"),
        ("ريم العلي", voice.AUTHOR, "missed"),
        ("", voice.AUTHOR, ""),
    ]
    assert [module.error(gold, holder.name) for gold, holder, _ in found] == [e for *_, e in found]
    result = module.measured([module.Row("d", "", "", "", g, h) for g, h, _ in found])
    assert result["exact"] == [0.3333, 0.3333, 0.3333]  # one article: no spread
    assert result["exact where held"][0] == 0.25
    assert result["f1 of somebody"][0] == 0.75
    assert result["by kind"] == {"author": [2, 0.5], "person": [4, 0.25]}
