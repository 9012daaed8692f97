"""Pages and figures: complete, safe, readable, and there as a whole or not at all."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.image import imread

from stance import (
    article,
    challenge,
    evaluation,
    figures,
    findings,
    language,
    report,
    scoring,
    tables,
)

SAMPLE = Path(__file__).parent.parent / "stance" / "samples" / "article.txt"


@pytest.fixture(scope="module")
def records(model):
    return list(scoring.classify(model, scoring.units([SAMPLE]), explain=True))


@pytest.fixture(scope="module")
def result(model, small_data):
    from stance import corpus

    return evaluation.held_out(model, corpus.read([small_data / "passages"]))


class Visible(HTMLParser):
    """The words a reader sees, and the tags that made them."""

    def __init__(self, page: str):
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def test_the_article_page_shows_every_block_and_decision(records, tmp_path):
    found = article.read(SAMPLE)
    report.write_decisions(records, tmp_path / "page", found)
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    seen = " ".join(" ".join(Visible(page).words).split())
    plain = re.sub(r"\s+", "", seen)
    for block in found.blocks:
        assert re.sub(r"\s+", "", found.block_text(block)) in plain, block.kind
    for record in records:
        assert f"stance: {record['stance']}" in seen
    assert page.count('<section class="passage"') == len(records)
    assert "<mark" in page


def test_pages_ask_nothing_of_the_network(records, result, tmp_path):
    report.write_decisions(records, tmp_path / "a")
    report.write_evaluation(result, tmp_path / "b")
    for page in tmp_path.rglob("index.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", text)
        assert not re.search(r"url\(|@import|<script|<link", text)


def test_an_article_of_tags_and_overrides_does_no_harm(model, tmp_path):
    evil = (
        "<script>alert(1)</script><img src=x onerror=alert(2)> \u202eمحور\u2066 & \"جديد\" 'قديم'"
    )
    long = (
        evil
        + " وقال المسؤول إن العلاقة بين البلدين دخلت مرحلة جديدة من التعاون الوثيق بينهما. <script>"
    )
    path = tmp_path / "evil.txt"
    path.write_text("<b>عنوان</b> المقال الأول\n\n" + long, encoding="utf-8")
    records = list(scoring.classify(model, scoring.units([path]), explain=True))
    report.write_decisions(records, tmp_path / "page", article.read(path))
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "script" not in Visible(page).tags
    assert "b" not in Visible(page).tags
    assert "onerror=alert" not in re.sub(r">[^<]*<", "><", page)
    assert "\u202e" not in page
    assert "\u2066" not in page
    assert "&lt;script&gt;" in page


def test_figures_are_pictures_with_something_on_them(records, result, tmp_path):
    report.write_decisions(records, tmp_path / "a")
    report.write_evaluation(result, tmp_path / "b")
    names = {p.name for p in tmp_path.rglob("*.png")}
    assert {"labels.png", "course.png", "stance-confusion.png", "framing-reliability.png"} <= names
    for picture in tmp_path.rglob("*.png"):
        pixels = imread(picture)
        assert pixels.shape[0] > 100
        assert pixels[..., :3].std() > 0.02, picture.name
        assert picture.with_suffix(".svg").stat().st_size > 1000


def test_the_same_result_gives_the_same_files(result, tmp_path):
    for name in ("a", "b"):
        report.write_evaluation(result, tmp_path / name)
    for first in (tmp_path / "a").rglob("*"):
        if first.is_file():
            second = tmp_path / "b" / first.relative_to(tmp_path / "a")
            assert first.read_bytes() == second.read_bytes(), first.name


def test_the_written_result_is_the_result(result, tmp_path):
    report.write_evaluation(result, tmp_path / "r")
    written = json.loads((tmp_path / "r" / "result.json").read_text(encoding="utf-8"))
    assert evaluation.Result.from_json(written).signature == result.signature
    assert written["tasks"]["stance"]["accuracy"] == result.tasks["stance"]["accuracy"]


def test_every_figure_of_the_table_stands_in_the_result(result):
    text = tables.table(result)
    for found in result.tasks.values():
        assert "{:.3f} [{:.3f}, {:.3f}]".format(*found["macro_f1"]) in text
    assert text.rstrip().endswith(result.signature)


def test_an_interrupted_report_leaves_nothing(result, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(figures, "reliability", interrupt)
    with pytest.raises(KeyboardInterrupt):
        report.write_evaluation(result, tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_a_report_replaces_an_older_one_and_leaves_other_files(result, tmp_path):
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "index.html").write_text("old")
    report.write_evaluation(result, folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "index.html").read_text(encoding="utf-8") != "old"
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_each_label_has_a_colour_and_an_arabic_name_of_its_own():
    assert len(set(figures.COLOURS.values())) == len(figures.COLOURS) == 8
    assert set(language.LABELS["ar"]) == set(language.LABELS["en"]) == set(figures.COLOURS)
    assert figures.colour("pro-vaccine").startswith("#")


# --- evaluation and comparison --------------------------------------------------------------------

FOUND = {  # of 20 x 18 are found, of 10 y 5, of 5 z 4; a fifth is left to the reader
    "confusion": {"labels": ["x", "y", "z"], "matrix": [[18, 1, 1], [4, 5, 1], [0, 1, 4]]},
    "per_class": {k: {"recall": [v, v, v]} for k, v in {"x": 0.9, "y": 0.5, "z": 0.8}.items()},
    "undecided": [0.2, 0.1, 0.3],
    "sure": [0.9, 0.8, 1.0],
    "reliability": [
        {"confidence": 0.9, "accuracy": 0.8, "mass": 3},
        {"confidence": 0.5, "accuracy": 0.7, "mass": 1},
    ],
    "risk_coverage": [{"coverage": 0.8, "accuracy": 0.95}, {"coverage": 1.0, "accuracy": 0.7}],
    "baselines": {
        "weak": {"macro_f1": {"value": [0.1, 0, 0.2], "difference": [0.5, 0.4, 0.6]}},
        "near": {"macro_f1": {"value": [0.6, 0.5, 0.7], "difference": [0.1, -0.1, 0.3]}},
        "strong": {"macro_f1": {"value": [0.9, 0.8, 1], "difference": [-0.2, -0.3, -0.1]}},
    },
}


def test_the_first_facts_by_hand():
    found = findings.headline(FOUND)
    assert found["shares"] == {"right": 72, "wrong": 8, "reader": 20}  # 0.8 × 0.9, 0.8 × 0.1, 0.2
    assert found["weakest"] == {
        "label": "y", "recall": [0.5, 0.5, 0.5], "n": 10, "missed": 5, "as": "x", "taken": 4
    }  # fmt: skip
    assert found["leaning"] == 1  # 0.8 stated on the mean, 0.775 right
    assert [(r["name"], r["verdict"]) for r in found["rivals"]] == [
        ("strong", -1), ("near", 0), ("weak", 1)
    ]  # fmt: skip
    older = findings.headline({k: v for k, v in FOUND.items() if k != "sure"})
    assert (older["sure"], older["shares"]) == (None, {"right": 76, "wrong": 4, "reader": 20})
    perfect = FOUND | {"confusion": {"labels": ["x"], "matrix": [[3]]}}
    assert findings.weakest(perfect) is None


def test_hundredths_add_up():
    assert findings.hundred([0.725, 0.075, 0.2]) in ([73, 7, 20], [72, 8, 20])
    assert findings.hundred([1.0, 0.0, 0.0]) == [100, 0, 0]


@pytest.fixture(scope="module")
def hard(model):
    """A result on part of the challenge set."""
    from stance import corpus

    data = Path(__file__).parent.parent / "data" / "challenge.jsonl"
    passages = [
        p for p in corpus.read([data]) if p.meta["phenomenon"] in {"irony", "negation", "contrast"}
    ]
    records = model.classify([p.text for p in passages])
    found = evaluation.held_out(model, passages, {"twin": model}, records)
    return replace(found, phenomena=challenge.by_phenomenon(passages, records))


@pytest.fixture(scope="module")
def changed(hard):
    """What :func:`stance.evaluation.compare` finds where a third of the decisions differ."""
    decisions = json.loads(json.dumps(hard.decisions))
    for task in decisions["tasks"].values():
        task["decided"] = [[k if i % 3 else (k + 1) % 4 for i, k in enumerate(task["decided"][0])]]
    other = replace(hard, decisions=decisions, settings={"C": [1]})
    return evaluation.compare(hard, other, ("before", "after"))


def seen_in(page: Path) -> str:
    return " ".join(" ".join(Visible(page.read_text(encoding="utf-8")).words).split())


def figure(value, sign=False):
    return tables.interval(value, sign)


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_the_first_screen_says_what_is_right_and_what_is_not(hard, tmp_path, lang):
    report.write_evaluation(hard, tmp_path / "r", language=lang)
    seen = seen_in(tmp_path / "r" / "index.html")
    first = seen[: seen.index("Label by label" if lang == "en" else "وسمًا وسمًا")]
    for task, found in hard.tasks.items():
        right = findings.hundred([found["accuracy"][0]])[0]
        line = {"en": f"{right} of 100 passages right", "ar": f"{right} من كل 100 فقرة صحيحة"}[lang]
        assert line in first
        twin = found["baselines"]["twin"]["macro_f1"]
        for value in (found["accuracy"], found["macro_f1"], found["undecided"], found["sure"]):
            assert figure(value) in first
        assert figure(twin["difference"], True) in first
        assert figure(found["per_class"][findings.weakest(found)["label"]]["recall"]) in first
        worst = findings.weakest_phenomena(hard.phenomena, task)[0][1][task]
        assert figure(worst) in first


def test_every_figure_of_the_result_stands_in_the_page(hard, tmp_path):
    report.write_evaluation(hard, tmp_path / "r")
    seen = seen_in(tmp_path / "r" / "index.html")
    for found in hard.tasks.values():
        for name in tables.NAMES:
            if name in found:
                assert figure(found[name]) in seen, name
        for scores in found["per_class"].values():
            assert all(figure(scores[m]) in seen for m in ("precision", "recall", "f1"))
        for scores in found["baselines"].values():
            for m in ("accuracy", "macro_f1"):
                assert figure(scores[m]["value"]) in seen
                assert figure(scores[m]["difference"], True) in seen
    for found in hard.phenomena.values():
        assert all(figure(v) in seen for k, v in found.items() if k != "n")
    assert hard.signature in seen


def test_results_of_earlier_versions_and_other_targets_have_pages(hard, tmp_path):
    """Without decisions, ``sure`` and risk–coverage; and with a task and labels of one's own."""
    old = json.loads(json.dumps(hard.to_json()))
    del old["decisions"]
    found = old["tasks"].pop("stance")
    del found["sure"]
    old["tasks"] = {"vaccine": json.loads(json.dumps(found).replace('"favor"', '"<b>pro</b>"'))}
    old["phenomena"] = {}
    for lang in ("en", "ar"):
        folder = tmp_path / lang
        report.write_evaluation(evaluation.Result.from_json(old), folder, language=lang)
        page = (folder / "index.html").read_text(encoding="utf-8")
        assert "Vaccine" in page
        assert "&lt;b&gt;pro&lt;/b&gt;" in page
        assert "<b>pro" not in page


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_a_comparison_says_what_changed(changed, tmp_path, lang):
    report.write_comparison(changed, tmp_path / "c", lang)
    seen = seen_in(tmp_path / "c" / "index.html")
    text = (tmp_path / "c" / "comparison.md").read_text(encoding="utf-8")
    for task, one in changed["tasks"].items():
        for name in ("accuracy", "macro_f1", "ece", "undecided", "pairs"):
            for place in (seen, text):
                assert figure(one[name]["a"]) in place
                assert figure(one[name]["b"]) in place
                assert figure(one[name]["difference"], True) in place
        for kind in ("better", "worse"):
            assert one[kind]
            assert all(e["id"] in seen and e["id"] in text for e in one[kind])
            assert all(language.LABELS[lang].get(e["b"], e["b"]) in seen for e in one[kind])
            for e in one[kind]:
                assert " ".join(e["text"].split()) in seen
        assert (tmp_path / "c" / "figures" / f"{task}-differences.svg").is_file()
    assert changed["signatures"][0] in seen
    assert json.loads((tmp_path / "c" / "comparison.json").read_text("utf-8")) == changed


def test_no_harm_comes_from_texts_of_a_comparison(changed, tmp_path):
    evil = json.loads(json.dumps(changed))
    for one in evil["tasks"].values():
        for e in one["worse"]:
            e["text"] = "<script>alert(1)</script>"
    evil["names"] = ["<img src=x>", "b"]
    report.write_comparison(evil, tmp_path / "c")
    page = (tmp_path / "c" / "index.html").read_text(encoding="utf-8")
    tags = Visible(page).tags
    assert "script" not in tags
    assert "&lt;script&gt;alert(1)" in page
    assert tags.count("img") == len(evil["tasks"])


@pytest.mark.parametrize("template", ["evaluation.html", "comparison.html", "measures.html"])
def test_every_phrase_of_a_page_has_its_arabic(template):
    made = report.environment("en")
    source = made.loader.get_source(made, template)[0]
    phrases = set()
    for _, _, found in made.extract_translations(source):
        phrases |= {found} if isinstance(found, str) else set(found) - {None}
    assert len(phrases) > 5
    assert phrases - set(language.phrases("ar")) == set()


def test_a_phrase_and_its_arabic_have_the_same_places_to_fill():
    for phrase, arabic in language.phrases("ar").items():
        places = re.compile(r"%\((\w+)\)s")
        assert sorted(places.findall(phrase)) == sorted(places.findall(arabic)), phrase
