"""Articles: written-for-this texts and pages in sixteen layouts, and properties of any text."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance import article
from stance.text import InputError

ARTICLES = Path(__file__).parent / "articles"
TEXTS = sorted(ARTICLES.glob("text-*.txt"))
PAGES = sorted(ARTICLES.glob("page-*.html"))


def folded(text: str) -> str:
    return " ".join(text.split())


def gold(path: Path) -> dict[str, str]:
    lines = path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    return {folded(r["text"]): r["kind"] for r in map(json.loads, lines)}


def kinds(found: article.Article) -> dict[str, str]:
    return {folded(found.block_text(b)): b.kind for b in found.blocks}


def test_the_samples_are_there():
    assert len(TEXTS) >= 8
    assert len(PAGES) >= 6


@pytest.mark.parametrize("path", TEXTS + PAGES, ids=lambda p: p.stem)
def test_passages_and_nothing_else_are_passages(path):
    found, expected = kinds(article.read(path)), gold(path)
    wrong = {
        text: (kind, found.get(text))
        for text, kind in expected.items()
        if (kind == "passage") != (found.get(text) == "passage")
    }
    assert not wrong


@pytest.mark.parametrize("path", TEXTS + PAGES, ids=lambda p: p.stem)
def test_blocks_lie_in_order_inside_the_text(path):
    found = article.read(path)
    at = 0
    for block in found.blocks:
        assert at <= block.start < block.end <= len(found.text)
        assert block.kind in article.KINDS
        assert found.block_text(block) == found.block_text(block).strip()
        at = block.end


@given(st.text(alphabet='ابتثمنهوي .؟\n:"«»-/0123', min_size=1, max_size=400))
def test_any_text_is_cut_without_losing_a_word(text):
    if not text.strip():
        with pytest.raises(InputError, match="no text"):
            article.from_text(text, "t")
        return
    found = article.from_text(text, "t")
    kept = " ".join(found.block_text(b) for b in found.blocks)
    assert kept.split() == text.split()


SENTENCE = "وأعلنت وزارة الخارجية في بيان مطول أن الجانبين اتفقا على مواصلة المشاورات بينهما. "


def test_a_very_long_paragraph_is_cut_after_sentences():
    found = article.from_text("عنوان المقال\n\n" + SENTENCE * 30)
    parts = [found.block_text(b) for b in found.passages]
    assert len(parts) >= 4
    assert all(p.endswith(".") for p in parts)
    assert all(40 <= len(p.split()) <= 160 for p in parts)
    assert " ".join(parts).split() == (SENTENCE * 30).split()


def test_title_and_inset_links():
    text = (
        "قمة جديدة في موسكو\n\n" + SENTENCE + "\n\nأخبار ذات صلة\nوفد يزور العاصمة\n"
        "اتفاق على رحلات جديدة\n\n" + SENTENCE
    )
    found = article.from_text(text)
    assert found.title == "قمة جديدة في موسكو"
    assert [b.kind for b in found.blocks] == [
        "title", "passage", "link", "link", "link", "passage",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("absent.txt", None, "No such file"),
        ("empty.txt", b"", "empty"),
        ("old.txt", (SENTENCE * 3).encode("cp1256"), "windows-1256"),
        ("bare.html", b"<html><body></body></html>", "no article in this HTML page"),
    ],
)
def test_what_is_no_article_is_refused(tmp_path, name, data, message):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        article.read(path)
