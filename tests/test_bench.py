"""The benchmarks: what they score is like the corpus, what they compare with decides alike."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from experiments.bench import (  # noqa: E402
    __main__ as bench,
)
from experiments.bench import measure, reference, sections, texts  # noqa: E402


@pytest.fixture(scope="module")
def corpus_texts() -> list[str]:
    return texts.corpus_texts(ROOT / "data" / "passages")


@pytest.fixture(scope="module")
def made(corpus_texts) -> list[str]:
    return texts.take(corpus_texts, 2000)


# --- texts ----------------------------------------------------------------------------------------


def test_recombination_is_the_same_at_every_call(corpus_texts, made):
    assert texts.take(corpus_texts, 50) == made[:50]
    assert texts.take(corpus_texts, 50, seed=1) != made[:50]


def test_recombined_passages_are_as_long_as_those_of_the_corpus(corpus_texts, made):
    ours, theirs = ([len(t) for t in found] for found in (made, corpus_texts))
    for quantile in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert np.quantile(ours, quantile) == pytest.approx(np.quantile(theirs, quantile), rel=0.03)


def test_sentences_of_a_passage_are_the_corpus_own_and_of_different_passages(corpus_texts, made):
    home: dict[str, set[int]] = {}
    for n, text in enumerate(corpus_texts):
        for sentence in texts.sentences(text):
            home.setdefault(sentence, set()).add(n)
    for text in made[:300]:
        homes = [home[sentence] for sentence in texts.sentences(text)]
        # as many different passages as sentences, though one may stand in several
        assert len(set().union(*homes)) >= len(homes)


def test_too_few_passages_to_draw_from_are_refused():
    with pytest.raises(ValueError, match="too few"):
        next(texts.recombined(["جملة أولى. جملة ثانية."]))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_made_passages_are_written_as_they_come(kind, tmp_path, made):
    from stance import corpus

    path = texts.write(iter(made), 30, tmp_path / f"made.{kind}")
    assert [(row["id"], row["text"]) for _, row in corpus.rows(path)] == [
        (f"r{i}", text) for i, text in enumerate(made[:30], 1)
    ]
    assert list(tmp_path.iterdir()) == [path]


# --- the reference --------------------------------------------------------------------------------


def test_the_reference_decides_as_the_package(model, made):
    features, heads = reference.pipeline(model)
    X = features.transform(made[:200])
    for task, p in model.predict_proba(made[:200]).items():
        np.testing.assert_allclose(heads[task].predict_proba(X), p, atol=1e-9)
        decided = [model.labels[task][k] for k in p.argmax(1)]
        assert list(heads[task].predict(X)) == decided


def test_differences_are_counted():
    ours = {"stance": np.array([[0.6, 0.4], [0.2, 0.8]]), "framing": np.array([[0.5, 0.5]] * 2)}
    theirs = {"stance": np.array([[0.4, 0.6], [0.2, 0.8]]), "framing": np.array([[0.5, 0.5]] * 2)}
    found = sections.compared(ours, theirs)
    assert found == {"passages": 2, "differing": {"stance": 1, "framing": 0}, "largest": 0.2}


# --- clocks and processes -------------------------------------------------------------------------


def test_a_process_is_measured_without_its_parents_memory():
    held = bytearray(200 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    small = measure.run([sys.executable, "-ISc", "pass"])
    large = measure.run([sys.executable, "-ISc", f"x = b'x' * {100 * 2**20}"])
    assert small.memory < 50
    assert 100 < large.memory < 150
    assert small.wall > 0


def test_the_memory_of_a_tree_is_its_sum():
    child = f"import time; x = b'x' * {50 * 2**20}; time.sleep(0.5)"
    parent = (
        "import subprocess, sys\n"
        f"all = [subprocess.Popen([sys.executable, '-ISc', {child!r}]) for _ in '12']\n"
        "[one.wait() for one in all]"
    )
    assert measure.run([sys.executable, "-ISc", parent]).memory > 100


def test_a_failing_process_is_told_with_its_last_line():
    with pytest.raises(RuntimeError, match=r"exit code 3: no luck"):
        measure.run(
            [sys.executable, "-ISc", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"]
        )


# --- results --------------------------------------------------------------------------------------


def test_sections_are_merged_in_the_order_of_the_page():
    before = {"startup": {"signature": "old"}, "instructions": {"signature": "kept"}}
    after = bench.merged(before, {"startup": {"signature": "new"}, "scoring": {}})
    assert list(after) == ["scoring", "startup", "instructions"]
    assert after["startup"] == {"signature": "new"}
    assert after["instructions"] == {"signature": "kept"}
    assert before["startup"] == {"signature": "old"}
    with pytest.raises(ValueError, match="section 'speed'"):
        bench.merged({"speed": {}}, {})


def test_signatures_name_what_a_section_depends_on():
    options = sections.Options(passages=7, rounds=3)
    signature = bench.signature("scoring", options)
    assert " bench:scoring passages:7 rounds:3 " in signature
    assert signature == bench.signature("scoring", options)
    assert "passages:" not in bench.signature("startup", options)


def test_the_page_is_that_of_the_committed_result():
    file = bench.HERE / "result.json"
    if not file.exists():
        pytest.skip("nothing measured yet: make bench")
    result = json.loads(file.read_text(encoding="utf-8"))
    assert (bench.HERE / "README.md").read_text(encoding="utf-8") == bench.page(result)
