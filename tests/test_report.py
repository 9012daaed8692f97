"""Pages and figures: complete, safe, readable, and there as a whole or not at all."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import spread
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from stance import article, evaluation, figures, language, report, scoring, tables
from stance.text import InputError

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


# --- the page on a collection ---------------------------------------------------------------------


def rows_of(folder, name):
    text = (folder / "data" / name).read_text(encoding="utf-8")
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def words_of(folder):
    return " ".join(
        " ".join(Visible((folder / "index.html").read_text(encoding="utf-8")).words).split()
    )


def test_the_corpus_page_says_what_it_holds(corpus_pages, collection):
    seen = words_of(corpus_pages["en"])
    unsure = sum(len(r["stance_set"]) > 1 for r in collection)
    assert "Passages 60 Articles 20 Outlets 4 Period 2024-01 – 2024-04" in seen
    assert f"Read these yourself {unsure} ({100 * unsure / 60:.0f}%)" in seen
    assert "in favour ×1 , against ×1 , neutral ×2 , unrelated ×1 ;" in seen
    assert "Framing: not known, equal shares taken" in seen
    assert "Dates that can't be read: 1 passages" in seen
    assert "19/06/2024" in seen
    assert "others: 1 with fewer than 5 passages" in seen
    assert "can't be told apart" in seen  # as many for as against
    for record in collection:
        assert " ".join(text_of(record).split()) in seen


def text_of(record):
    return record["text"].replace("\u202e", "").replace("\u2066", "")


def test_the_tables_of_a_collection_can_be_counted_by_hand(corpus_pages, collection):
    folder = corpus_pages["en"]
    cells = {(r["stance"], r["framing"]): int(r["passages"]) for r in rows_of(folder, "cells.csv")}
    assert sum(cells.values()) == 60
    assert cells["favor", "axis"] == sum(r["framing"] == "axis" for r in collection) == 12
    outlets = rows_of(folder, "by_outlet.csv")
    one = next(r for r in outlets if (r["outlet"], r["label"]) == ("الديار", "favor"))
    mine = [r["stance"] == "favor" for r in collection if r["outlet"] == "الديار"]
    assert (int(one["passages"]), int(one["articles"])) == (len(mine), 19)
    assert float(one["counted"]) == pytest.approx(sum(mine) / len(mine), abs=1e-6)
    assert float(one["counted_low"]) < float(one["counted"]) < float(one["counted_high"])
    months = list(dict.fromkeys(r["month"] for r in rows_of(folder, "by_month.csv")))
    assert months == ["2024-01", "2024-02", "2024-04"]
    axis = [r for r in rows_of(folder, "by_speaker.csv") if r["label"] == "axis minus convenience"]
    assert {r["speaker"]: r["passages"] for r in axis} == {
        "": "36",
        "كيم": "23",
        "(others)": "1",
    }
    passages = rows_of(folder, "passages.csv")
    assert [r["read_yourself"] == "yes" for r in passages] == [
        len(r["stance_set"]) > 1 for r in collection
    ]
    written = (folder / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in written] == collection


def test_no_cell_runs_as_a_formula(corpus_pages):
    found = 0
    for file in (corpus_pages["en"] / "data").iterdir():
        for row in rows_of(corpus_pages["en"], file.name):
            for value in row.values():
                if value.lstrip()[:1] in {"=", "+", "-", "@"}:
                    float(value)  # a number, and nothing else
                found += value.startswith("'")
    assert found >= 6


@given(st.text())
def test_any_text_comes_back_from_csv_with_an_apostrophe_at_most(text):
    (row,) = csv.DictReader(io.StringIO(tables.csv_text([{"n": 1, "x": text}]), newline=""))
    assert row["x"] in (text, f"'{text}")
    assert row["x"].lstrip(" \u00a0\u200f\u202e")[:1] not in {*"=+-@\t\r"}


@pytest.mark.parametrize("language_", ["en", "ar"])
def test_hostile_texts_of_a_collection_do_no_harm(corpus_pages, language_):
    page = (corpus_pages[language_] / "index.html").read_text(encoding="utf-8")
    tags = Visible(page).tags
    assert tags.count("script") == 1
    assert "b" not in Visible(page[: page.index("<tbody>")]).tags
    assert "onerror=alert" not in re.sub(r">[^<]*<", "><", page)
    assert "\u202e" not in page
    assert "\u2066" not in page
    assert "&lt;b&gt;Daily&lt;/b&gt;" in page
    links = re.findall(r"""(?:src|href)=["'](?!data:|#)([^"']+)""", page)
    assert all((corpus_pages[language_] / link).is_file() for link in links)  # its own files only
    assert not re.search(r"url\(|@import|<link", page)


def test_the_figures_of_a_collection_are_all_there(corpus_pages):
    for folder in corpus_pages.values():
        names = {p.stem for p in (folder / "figures").glob("*.png")}
        groups = {f"by-{g}-{t}" for g in ("outlet", "month", "speaker") for t in TASKS}
        assert names == {"shares", "cells", "balance", "speakers"} | groups
        for picture in (folder / "figures").glob("*.png"):
            assert imread(picture)[..., :3].std() > 0.02, picture.name


TASKS = ("stance", "framing")


def test_the_names_on_the_map_cover_neither_each_other_nor_a_disc():
    places = [(0.01 * i, 0.02 * (i % 4)) for i in range(12)]
    rows = [
        {
            "title": f"متحدث رقم {i}", "name": str(i), "leaning": {"framing": x, "stance": y},
            "tasks": {"stance": {"passages": 30 - i}},
        }
        for i, (x, y) in enumerate(places)
    ]  # fmt: skip
    figure = figures.speakers(rows)
    axes = figure.axes[0]
    named = [t for t in axes.texts if t.get_text().startswith("متحدث")]
    boxes = [t.get_window_extent() for t in named]
    assert len(boxes) >= 2
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    discs = [axes.transData.transform(place) for place in places]
    assert not any(box.contains(*disc) for box in boxes for disc in discs)


def test_a_page_of_very_many_passages_holds_the_least_sure(collection, tmp_path):
    kept = {k: v for k, v in collection[0].items() if k not in {"outlet", "date", "holder"}}
    kept["framing_p"] = spread("none", 0.999, list(kept["framing_p"]))
    labels = list(kept["stance_p"])
    many = [
        kept | {"id": str(i), "stance_p": spread("neutral", 0.99 if i % 51 == 7 else 0.9, labels)}
        for i in range(2040)
    ]
    report.write_corpus(many, tmp_path / "m", "ar")
    page = (tmp_path / "m" / "index.html").read_text(encoding="utf-8")
    shown = {int(n) for n in re.findall(r'<tr id="p(\d+)"', page)}
    assert len(shown) == 2000
    assert "في هذه الصفحة 2000 فقرة" in page
    left = [r for n, r in enumerate(many, 1) if n not in shown]
    assert [r["stance_p"]["neutral"] for r in left] == [0.99] * 40
    assert len(rows_of(tmp_path / "m", "passages.csv")) == 2040
    assert {p.name for p in (tmp_path / "m" / "data").iterdir()} == {"passages.csv", "cells.csv"}
    linked = {int(n) for n in re.findall(r'href="#p(\d+)"', page)}
    assert linked <= shown


def test_a_collection_of_one_passage_and_another_target(tmp_path):
    one = {
        "id": 1, "doc": "d", "text": "نص\ud800", "stance": "pro",
        "stance_p": {"pro": 0.6, "anti": 0.4},
        "stance_set": ["pro", "anti"], "outlet": ["x"],
    }  # fmt: skip
    report.write_corpus([one], tmp_path / "o")
    seen = words_of(tmp_path / "o")
    assert "Passages 1 Articles 1 Outlets 1 Read these yourself 1 (100%)" in seen
    assert "Stance and framing together" not in seen
    assert "pro" in seen
    assert not (tmp_path / "o" / "data" / "cells.csv").exists()


def test_the_same_collection_gives_the_same_files(corpus_pages, collection, tmp_path):
    report.write_corpus(collection, tmp_path / "b", "en", {"stance": {"neutral": 2}})
    for first in corpus_pages["en"].rglob("*"):
        if first.is_file():
            second = tmp_path / "b" / first.relative_to(corpus_pages["en"])
            assert first.read_bytes() == second.read_bytes(), first.name


def test_a_collection_that_is_refused_leaves_nothing(collection, tmp_path):
    with pytest.raises(InputError, match="record 'p1'"):
        report.write_corpus([collection[0], collection[1] | {"stance": "x"}], tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_every_phrase_of_the_corpus_page_has_its_arabic():
    template = Path(report.__file__).with_name("templates") / "corpus.html"
    found = report.environment("en").extract_translations(template.read_text(encoding="utf-8"))
    said = {message if isinstance(message, str) else message[0] for _, _, message in found}
    assert len(said) > 60
    assert said <= set(language.phrases("ar"))
