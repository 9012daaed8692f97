"""The challenge set: its figures by hand, its items, and spellings that change nothing."""

from collections import Counter
from pathlib import Path

import pytest

import stance
from stance import challenge, corpus
from stance.corpus import Passage
from stance.text import InputError

FILE = Path(__file__).parent.parent / "data" / "challenge.jsonl"


def item(n, pair, relation, label, toward="", phenomenon="contrast"):
    meta = {"pair": pair, "relation": relation, "phenomenon": phenomenon, "toward": toward}
    return Passage(str(n), pair, "نص", {"framing": label}, meta=meta)


def record(label, axis):
    return {"framing": label, "framing_p": {"axis": axis, "none": 1 - axis}}


ITEMS = [
    item(1, "a", "base", "axis"),
    item(2, "a", "flip", "none"),
    item(3, "a", "same", "axis"),
    item(4, "b", "base", "none"),
    item(5, "b", "more", "none", toward="framing=axis"),
    item(6, "b", "surface", "none", phenomenon="surface"),
]
RECORDS = [
    record("axis", 0.9),
    record("axis", 0.6),
    record("axis", 0.8),
    record("none", 0.1),
    record("none", 0.3),
    record("axis", 0.6),
]


def test_figures_by_hand():
    found = challenge.by_phenomenon(ITEMS, RECORDS)
    contrast = found["contrast"]
    assert contrast["n"] == 5
    assert contrast["framing"][0] == pytest.approx(4 / 5)
    assert contrast["sets"][0] == pytest.approx(1 / 2)  # set a has a wrong flip, set b none
    assert contrast["same"][0] == 1.0
    assert contrast["direction"][0] == 1.0
    assert "surface" not in contrast
    assert found["surface"]["surface"][0] == 0.0
    assert found["all"]["n"] == 5


def test_belief_that_moves_the_wrong_way_is_counted():
    fallen = [*RECORDS[:4], record("none", 0.05), RECORDS[5]]
    assert challenge.by_phenomenon(ITEMS, fallen)["contrast"]["direction"][0] == 0.0


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (item(1, "a", "twin", "axis"), "relation 'twin'; expected one of base, flip"),
        (item(1, "a", "flip", "axis"), "its set 'a' has no item of relation 'base'"),
    ],
)
def test_items_that_make_no_set_are_refused(odd, message):
    with pytest.raises(InputError, match=message):
        challenge.by_phenomenon([odd], RECORDS[:1])


def test_a_direction_needs_a_label_of_the_model():
    items = [ITEMS[0], item(2, "a", "more", "axis", toward="framing=weather")]
    with pytest.raises(InputError, match="toward 'framing=weather'"):
        challenge.by_phenomenon(items, RECORDS[:2])


@pytest.fixture(scope="module")
def items():
    return corpus.read([FILE])


def test_the_shipped_items_are_whole(items):
    assert challenge.is_challenge(items)
    own = [p for p in items if p.meta["relation"] != "surface"]
    assert len(own) >= 300
    assert min(Counter(p.meta["phenomenon"] for p in own).values()) >= 16
    base = {p.meta["pair"]: p for p in own if p.meta["relation"] == "base"}
    for p in own:
        changed = p.labels != base[p.meta["pair"]].labels
        if p.meta["relation"] in ("flip", "same"):
            assert changed == (p.meta["relation"] == "flip"), p.id
        for task in p.labels:
            assert p.labels[task] == p.meta[f"{task}_second"], p.id


def test_no_item_stands_in_the_corpus(items):
    data = FILE.parent
    known = {p.text for p in corpus.read([data / "passages", data / "sentences"])}
    assert not known & {p.text for p in items}


def test_another_spelling_changes_no_decision(items):
    records = stance.load().classify([p.text for p in items])
    found = challenge.by_phenomenon(items, records)["surface"]
    assert found["surface"][0] == 1.0
