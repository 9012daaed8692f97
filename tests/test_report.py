"""Pages and figures: complete, safe, readable, and there as a whole or not at all."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.image import imread

from stance import article, evaluation, figures, language, report, scoring, tables

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
