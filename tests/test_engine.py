"""The native engine: what Python and scikit-learn count and weigh, it counts and weighs too."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse import random as random_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

import stance
from stance import engine, features, lexicon, scope
from stance.features import (
    Categories,
    CharNgrams,
    Discourse,
    Features,
    Form,
    Scoped,
    Stems,
    Target,
    WordNgrams,
)
from stance.text import Table, default_table, make_table, normalise

ROOT = Path(__file__).parent.parent
DATA = ROOT / "data"
CUES = lexicon.read(sorted((DATA / "lexicons").glob("*.json")))
TEXTS = [
    json.loads(line)["text"]
    for name in ("gulf-dailies", "minimal-pairs-8")
    for line in (DATA / "passages" / f"{name}.jsonl").read_text("utf-8").splitlines()[:120]
]

# Texts that reach every rule: the marks of scopes, cues, proclitics, punctuation, odd characters.
_WORDS = sorted(
    {w for words in scope.MARKS.values() for w in words}
    | {w for pairs in scope.PAIRS.values() for pair in pairs for w in pair}
    | {e for c in list(CUES.categories.values())[::3] for e in c.entries[:4]}
)
_PIECES = st.one_of(
    st.sampled_from(_WORDS),
    st.sampled_from(_WORDS).map(lambda w: "و" + w),
    st.sampled_from(_WORDS).map(lambda w: "وبال" + w),
    st.sampled_from(
        [*'.,;:!?"،؛؟«»', "...", '."', '?"', "_", "#", "12", "٣٤", "👍", "ـــ", "\u202e"]
    ),
    st.text(max_size=6),
)
WRITTEN = st.lists(st.tuples(_PIECES, st.sampled_from(["", " ", " ", " ", "\n"])), max_size=30).map(
    lambda pieces: "".join(a + b for a, b in pieces)
)


def families() -> list[tuple[str, features.Family, float]]:
    return [
        ("characters", CharNgrams(2, 5, 1), 0.5),
        ("clinging", CharNgrams(1, 3, 1, marks=1), 0.7),
        ("words", WordNgrams(1, 2, 1), 1.0),
        ("longer", WordNgrams(2, 4, 1, marks=1), 1.5),
        ("stems", Stems(1, 2, 1), 1.0),
        ("scoped", Scoped(1), 0.3),
        ("categories", Categories(CUES), 0.25),
        ("discourse", Discourse(CUES), 0.25),
        ("target", Target(CUES), 0.5),
        ("form", Form(), 0.2),
    ]


@pytest.fixture
def python(monkeypatch):
    """Run a call without the engine."""

    def without(call, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(engine, "native", None)
            return call(*arguments)

    return without


@pytest.fixture(scope="module")
def learned():
    """The same features: learned and kept by the engine, learned and kept in Python."""
    with pytest.MonkeyPatch.context() as patch:
        native = Features(families()).fit(TEXTS)
        native.transform([])
        patch.setattr(engine, "native", None)
        plain = Features(families(), Table(default_table())).fit(TEXTS)
        plain.transform([""])
    return native, plain


def test_both_learn_the_same_columns_and_weights(learned):
    native, plain = learned
    assert native.columns() == plain.columns()
    for (_, a, _), (_, b, _) in zip(native.families, plain.families, strict=True):
        if isinstance(a, features.Ngrams):
            assert np.array_equal(a.idf_, b.idf_)


@given(WRITTEN)
@example("")
@example("؟!")
@example('قال "ليس محورا')
@example("محور \ud800x")
@settings(max_examples=400)
def test_both_give_the_same_row_and_scores(learned, text):
    native, plain = learned
    one, other = native.transform([text]), plain.transform([text])
    assert one.indices.tolist() == other.indices.tolist()
    np.testing.assert_allclose(one.data, other.data, rtol=1e-12)
    weights = np.random.default_rng(0).normal(size=(one.shape[1], 5)).astype(np.float32)
    scores, words = native.scores([text], weights)
    expected, counted = plain.scores([text], weights)
    np.testing.assert_allclose(scores, expected, atol=1e-9)
    np.testing.assert_allclose(scores, other @ weights.astype(float), atol=1e-9)
    assert words.tolist() == counted.tolist()


@given(st.lists(WRITTEN, min_size=2, max_size=8))
@settings(max_examples=60)
def test_features_and_weights_are_those_of_scikit_learn(texts):
    texts = [*texts, "محور جديد"]
    ours = Features([("c", CharNgrams(2, 5, 1), 0.5), ("w", WordNgrams(1, 2, 1), 1.0)])
    shared = {"preprocessor": plain_words, "sublinear_tf": True}
    theirs = FeatureUnion(
        [
            ("c", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **shared)),
            ("w", TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), **shared)),
        ],
        transformer_weights={"c": 0.5, "w": 1.0},
    )
    expected = theirs.fit_transform(texts)
    found = ours.fit_transform(texts)
    names = [name.replace("__", ": ", 1) for name in theirs.get_feature_names_out()]
    assert ours.columns() == names
    assert abs(found - expected).max() < 1e-12


def plain_words(text: str) -> str:
    """Words of letters and digits, digits as 0, from the table alone."""
    table = default_table()
    mapped = "".join(table.get(c, c) for c in text)
    kept = "".join(("0" if c.isdecimal() else c) if c.isalnum() else " " for c in mapped)
    return " ".join(kept.split())


def test_decisions_are_those_of_scikit_learn(learned):
    native, plain = learned
    y = [json.loads(line)["stance"] for line in _lines("gulf-dailies")[:120]]
    machine = LogisticRegression(C=10.0).fit(plain.transform(TEXTS[:120]), y)
    weights = np.ascontiguousarray(machine.coef_.T, dtype=np.float32)
    new = [json.loads(line)["text"] for line in _lines("panarab-papers")[:150]]
    scores = native.scores(new, weights)[0] + machine.intercept_
    assert machine.classes_[scores.argmax(axis=1)].tolist() == list(
        machine.predict(plain.transform(new))
    )


def _lines(name: str) -> list[str]:
    return (DATA / "passages" / f"{name}.jsonl").read_text("utf-8").splitlines()


@given(WRITTEN)
@settings(max_examples=200)
def test_normalisation_is_the_same_with_its_way_back(text):
    kept = engine.native
    ours = normalise(text)
    try:
        engine.native = None
        expected = normalise(text, Table(default_table()))
    finally:
        engine.native = kept
    assert ours == expected


def test_the_kept_table_is_what_camel_tools_gives():
    assert default_table() == make_table()


def test_threads_share_an_engine(model):
    expected = model.predict_proba(TEXTS)["stance"]
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: model.predict_proba(TEXTS)["stance"], range(16)):
            assert np.array_equal(found, expected)


def test_more_words_than_are_remembered_change_nothing(model):
    """A reader starts anew when it has met 262,144 different words."""
    before = model.predict_proba(TEXTS[:20])["framing"]
    letters = "ابتثجحخدذرزسشصضطظعغ"
    n = len(letters)
    words = (
        letters[i % n] + letters[i // n % n] + letters[i // n**2 % n] + letters[i // n**3 % n] + "ك"
        + letters[i // n**4 % n] for i in range(270_000)
    )  # fmt: skip
    together = list(words)
    model.predict_proba([" ".join(together[i : i + 1000]) for i in range(0, len(together), 1000)])
    assert np.array_equal(model.predict_proba(TEXTS[:20])["framing"], before)


def test_what_is_no_text_or_no_weight_is_refused(model):
    with pytest.raises(TypeError, match="text is int, expected str"):
        model.predict_proba([1])
    with pytest.raises(ValueError, match="weights have 3 rows, expected"):
        model.features.scores(["محور"], np.zeros((3, 8), dtype=np.float32))


@pytest.mark.parametrize("width", [1, 2, 4, 7])
def test_products_are_those_of_scipy(width):
    X = random_matrix(30, 50, 0.2, format="csr", dtype=np.float32, random_state=0)
    rng = np.random.default_rng(0)
    for transposed, rows in ((False, 50), (True, 30)):
        dense = rng.random((rows, width))
        expected = (X.T if transposed else X).astype(float) @ dense
        np.testing.assert_allclose(engine.native.times(X, dense, transposed), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="7 rows, expected 50"):
        engine.native.times(X, np.zeros((7, 2)))


def test_the_ridge_is_scikit_learns(python):
    """Its own solver: all labels in one run; the same without the engine."""
    from sklearn.linear_model import RidgeClassifier

    from stance.learner import fit_head

    X = Features([("w", WordNgrams(1, 1, 2), 1.0)]).fit_transform(TEXTS)
    labels = ("favor", "against", "neutral")
    rng = np.random.default_rng(0)
    y, weight = rng.choice(labels, len(TEXTS)), rng.uniform(0.5, 2, len(TEXTS))
    coef, intercept = fit_head(X, y, weight, labels, 0.5)
    share = np.array([weight[y == label].sum() for label in labels])
    balanced = weight * (weight.sum() / 3 / share)[[labels.index(v) for v in y]]
    theirs = RidgeClassifier(alpha=2.0, solver="cholesky").fit(
        X.toarray(), y, sample_weight=balanced
    )
    order = [list(theirs.classes_).index(label) for label in labels]
    expected = X @ theirs.coef_[order].T + theirs.intercept_[order]
    np.testing.assert_allclose(X @ coef.T + intercept, expected, atol=2e-3)
    X.indptr = X.indptr.astype(np.int64)  # as SciPy has it after some operations
    assert np.array_equal(fit_head(X, y, weight, labels, 0.5)[0], coef)
    again, bias = python(fit_head, X, y, weight, labels, 0.5)
    np.testing.assert_allclose(X @ again.T + bias, expected, atol=2e-3)


CODE = """
import json, sys, warnings
# an editable installation would find the engine where it was built
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in repr(f).lower()]
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    import stance
    found = stance.load().predict_proba(json.load(sys.stdin))
print(json.dumps([[str(w.message) for w in told], found["stance"].tolist()]))
"""


@pytest.mark.parametrize(("built", "switch", "warnings"), [(False, "", 1), (True, "0", 0)])
def test_without_the_engine_the_numbers_are_the_same(model, tmp_path, built, switch, warnings):
    """One warning where it was not built; none where it was switched off."""
    ignored = shutil.ignore_patterns("__pycache__", *([] if built else ["*.so", "*.pyd"]))
    shutil.copytree(Path(stance.__file__).parent, tmp_path / "stance", ignore=ignored)
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps(TEXTS[:8]),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "STANCE_NATIVE": switch},
    )
    told, p = json.loads(done.stdout)
    assert [("the native engine is missing" in w) for w in told] == [True] * warnings
    np.testing.assert_allclose(p, model.predict_proba(TEXTS[:8])["stance"], atol=1e-9)
