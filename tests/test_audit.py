"""Audits: a planted shortcut is found, masking hides what it should, the figures add up."""

import json

import numpy as np
import pytest

from stance import audit, lexicon
from stance.corpus import Passage
from stance.lexicon import Category, Lexicon
from stance.model import Settings
from stance.text import default_table

SETTINGS = Settings(
    {"words": {"smallest": 1, "largest": 1, "min_df": 1, "weight": 1.0}}, [1.0], seed=7
)
NAMES = Lexicon({"place": Category("name", "", ("بيونغ يانغ", "موسكو"))})


def planted(n: int = 120) -> list[Passage]:
    """Label and outlet kind always agree; the words tell nothing."""
    rng = np.random.default_rng(1)
    words = ["وفد", "زيارة", "بيان", "لقاء", "جلسة", "قطار", "ميناء", "تقرير", "اجتماع", "وثيقة"]
    return [
        Passage(
            str(i),
            f"d{i}",
            " ".join(rng.choice(words, 12)),
            {"stance": ("favor", "against")[i % 2]},
            meta={"kind": ("east", "west")[i % 2], "genre": "news"},
        )
        for i in range(n)
    ]


def test_a_planted_shortcut_is_found():
    found = audit.audit(planted(), SETTINGS, None, default_table(), n_folds=3, jobs=1)
    systems = {name: scores["stance"] for name, scores in found["systems"].items()}
    assert systems["outlet kind"][0] == 1.0
    assert systems["genre"][0] < 0.55  # one genre: no more than a coin could tell
    assert systems["the model's features"][0] < 0.7
    # a model that never saw the kind never saw its only label
    assert systems["outlet kind held out"][0] == 0.0
    assert found["kinds"]["east"]["stance"]["held_out"][0] == 0.0
    assert found["kinds"]["east"]["passages"] == 60


def test_masking_hides_names_and_the_holder_only():
    p = Passage(
        "1",
        "1",
        "قال «سمير العبدلي» في بيونغ يانغ إن الوفد وصل.",
        {},
        meta={"holder": "سمير العبدلي"},
    )
    assert audit.mask(p, NAMES) == "قال «شيء شيء» في شيء شيء إن الوفد وصل."
    cues = Lexicon({"visit": Category("axis", "", ("الوفد",))})
    assert audit.mask(p, cues) == "قال «سمير العبدلي» في بيونغ يانغ إن شيء وصل."


def test_z_of_a_word_by_hand():
    passages = [
        Passage(
            str(i),
            str(i),
            "محور جديد" if i < 4 else "صفقة جديدة",
            {"framing": "axis" if i < 5 else "convenience"},
        )
        for i in range(10)
    ]
    found = audit.telling_words(passages, "framing")
    # four passages, all axis, where half of all are: (1 - 0.5) / sqrt(0.25 / 4) = 2
    assert found["axis"][0] in (["محور", 4, 1.0, 2.0], ["جديد", 4, 1.0, 2.0])


def test_precision_and_coverage_of_a_category_by_hand():
    passages = [
        Passage("1", "1", "محور جديد في آسيا", {"framing": "axis"}),
        Passage("2", "2", "لا محور هنا ولا غيره", {"framing": "none"}),
        Passage("3", "3", "صفقة بين بلدين", {"framing": "axis"}),
        Passage("4", "4", "وصل الوفد أمس", {"framing": "none"}),
    ]
    bloc = Lexicon(
        {"bloc": Category("axis", "", ("محور",)), "pact": Category("name", "", ("معاهدة",))}
    )
    rows = audit.categories(passages, bloc)
    assert rows[0] == {
        "category": "bloc",
        "pole": "axis",
        "cues": 1,
        "passages": 2,
        "precision": 0.5,
        "coverage": 0.5,
        "base": 0.5,
    }
    assert rows[1] == {"category": "pact", "pole": "name", "cues": 1, "passages": 0}


def test_the_command_writes_tables_and_a_figure(run, small_data, quick_settings, tmp_path):
    done = run(
        "audit",
        small_data,
        "--settings",
        quick_settings,
        "--folds",
        "2",
        "--report",
        tmp_path / "a",
        "--jobs",
        "1",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "a" / "audit.json").read_text(encoding="utf-8"))
    expected = {
        "the model's features",
        "lexicon cues masked",
        "first five words",
        "function words",
        "length",
        "outlet kind",
        "genre",
        "outlet kind held out",
    }
    assert set(found["systems"]) == expected
    assert f"signature: {found['signature']}" in done.stdout
    report = (tmp_path / "a" / "audit.md").read_text(encoding="utf-8")
    assert "| outlet kind held out |" in report
    assert (tmp_path / "a" / "figures" / "audit.png").stat().st_size > 5000


def test_an_entity_file_that_is_missing_is_named(run, small_data, tmp_path):
    done = run("audit", small_data, "--entities", tmp_path / "none.json")
    assert done.returncode == 2
    assert "none.json" in done.stderr


def test_the_bundled_names_are_a_valid_lexicon(request):
    names = lexicon.read([request.config.rootpath / "data" / "entities.json"])
    assert {c.pole for c in names.categories.values()} == {"name"}
    with pytest.raises(KeyError):
        names.categories["exchange"]
