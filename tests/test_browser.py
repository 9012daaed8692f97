"""Pages in a real browser: order, width, accessibility, silence; skipped where there is none."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stance import article, comparison, corpus, evaluation, report, scoring
from stance.article_page import write as write_article

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium in PATH")


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Opened:
    """A page that is open in the browser, with what it complained of and what it asked for."""

    def __init__(self, browser: "playwright.Browser", path, **how):
        self.page = browser.new_page(**how)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.goto(path.as_uri())


def check(browser, path) -> None:
    """Hold a page to what every page is held to; ``path``: of its HTML file."""
    from axe_playwright_python.sync_playwright import Axe

    for width in (360, 1400):
        for scheme in ("light", "dark"):
            opened = Opened(
                browser, path, viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            page = opened.page
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found = Axe().run(page).response["violations"]
            serious = [v["id"] for v in found if v["impact"] in {"serious", "critical"}]
            assert not serious, (width, scheme, serious)
            assert not opened.complaints
            assert [u for u in opened.asked if not u.startswith(("file:", "data:"))] == []
            page.close()
    plain = Opened(browser, path, java_script_enabled=False)
    assert plain.page.inner_text("main").strip()
    plain.page.close()


SAMPLE = Path(__file__).parent.parent / "stance" / "samples" / "article.txt"


@pytest.fixture(scope="module")
def sample(model):
    return list(scoring.classify(model, scoring.units([SAMPLE]), explain=True))


@pytest.fixture(scope="module", params=["en", "ar"])
def article_page(request, model, sample, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    origin = {"name": "", **model.info}
    write_article(sample, folder, article.read(SAMPLE), request.param, origin)
    return folder / "index.html"


def test_the_article_page_holds_to_what_every_page_does(browser, article_page):
    check(browser, article_page)


def test_a_strip_cell_and_a_voice_lead_to_their_passage(browser, article_page, sample):
    for where in ("nav li:nth-child(8) a", "aside a[href='#p8']"):
        opened = Opened(browser, article_page, viewport={"width": 1000, "height": 500})
        opened.page.click(where)
        target = opened.page.locator(":target")
        top = target.bounding_box()["y"]
        assert 0 <= top < 500
        words = " ".join(target.locator(".words").inner_text().split())
        assert words == " ".join(sample[7]["text"].split())
        opened.page.close()


def test_the_course_runs_from_the_right_and_is_as_wide_as_its_passages(
    browser, article_page, sample
):
    opened = Opened(browser, article_page, viewport={"width": 1400, "height": 900})
    boxes = [cell.bounding_box() for cell in opened.page.locator("nav li").all()]
    assert [b["x"] for b in boxes] == sorted((b["x"] for b in boxes), reverse=True)
    assert len({b["y"] for b in boxes}) == 1
    for box, record in zip(boxes, sample, strict=True):
        expected = boxes[0]["width"] * len(record["text"]) / len(sample[0]["text"])
        assert box["width"] == pytest.approx(expected, rel=0.02)
    opened.page.close()


def test_weights_show_on_hover_on_focus_of_the_passage_and_in_print(browser, article_page):
    opened = Opened(browser, article_page, viewport={"width": 1400, "height": 900})
    page = opened.page
    shown = "m => getComputedStyle(m, '::after').display"
    word = page.locator("#p2 .words mark").first
    assert word.evaluate(shown) == "none"
    word.hover()
    assert word.evaluate(shown) == "block"
    page.mouse.move(0, 0)
    page.locator("#p1 summary").focus()
    page.keyboard.press("Tab")  # the next stop is the next passage, not a word
    assert page.evaluate("document.activeElement.closest('section').id") == "p2"
    assert word.evaluate(shown) == "block"
    page.locator("h1").evaluate("h => { h.tabIndex = -1; h.focus(); }")
    assert word.evaluate(shown) == "none"
    page.emulate_media(media="print")
    assert word.evaluate(shown) == "block"
    assert not page.locator("#p2 details").is_visible()
    assert page.locator("#p2 .words").evaluate(
        "p => getComputedStyle(p.parentNode).breakInside"
    ) == ("avoid")
    page.close()


def test_stronger_evidence_has_a_thicker_line_and_each_task_its_own(browser, sample, tmp_path):
    because = [
        {"start": start, "end": start + 2, "head": head, "label": sample[0][head], "weight": w}
        for head in ("stance", "framing")
        for start, w in ((0, 0.3), (10, 0.7), (20, 1.5))
    ]
    decided = [sample[0] | {"because": because}, *sample[1:]]
    write_article(decided, tmp_path, article.read(SAMPLE))
    opened = Opened(browser, tmp_path / "index.html")
    style = (
        "m => { const s = getComputedStyle(m);"
        " return [s.textDecorationStyle, s.textDecorationThickness]; }"
    )
    lines = {
        name: opened.page.locator(f"mark[data-weight].{name}").first.evaluate(style)
        for name in ("d0.w1", "d0.w2", "d0.w3", "d1.w1", "d1.w2", "d1.w3")
    }
    for task, kind in (("d0", "solid"), ("d1", "dashed")):
        assert {lines[f"{task}.w{w}"][0] for w in (1, 2, 3)} == {kind}
        thickness = [float(lines[f"{task}.w{w}"][1].removesuffix("px")) for w in (1, 2, 3)]
        assert thickness[0] * 2 <= thickness[1]
        assert thickness[1] < thickness[2]
    opened.page.close()


PROSE = "وقال المسؤول الروسي إن العلاقة بين موسكو وبيونغ يانغ دخلت مرحلة جديدة من التعاون الوثيق."
HOSTILE = {
    "tags": "<script>alert(1)</script><img src=x onerror=alert(2)></style></title> "
    f"<svg onload=alert(3)><a href='javascript:alert(4)'>{{{{ 7*7 }}}}</a> "
    f'"onmouseover=alert(5) {PROSE}',
    "overrides": f"\u202e\u2067 {PROSE} \u202d\u2066abc\u200f\u061c {PROSE}",
    "long words": f"{PROSE} {'ا' * 3000} {'W' * 3000} https://example.org/{'x' * 2000} {PROSE}",
    "emoji": f"😀👩\u200d👩\u200d👧🇰🇵 {PROSE} {'🚀' * 300} {PROSE}",
    "marks": f"{PROSE} {'م' + chr(0x651) * 60} \u0000\u0001 {PROSE}",
    "one passage": PROSE,
    "no speaker": "تقع المدينة على ضفة النهر ويسكنها نحو مليون نسمة بحسب آخر إحصاء رسمي للسكان.",
}


#: What of the first thousand elements is drawn beyond the window's edges.
OUTSIDE = """
width => [...document.querySelectorAll('body *:not(.hidden, .skip)')].slice(0, 1000).filter(e => {
  const box = e.getBoundingClientRect();
  return box.width && (box.left < -1 || box.right > width + 1);
}).map(e => e.outerHTML.slice(0, 80))
"""


def harmless(browser, path: Path) -> None:
    """Nothing runs, nothing is asked for, nothing leaves its place."""
    dialogs: list[str] = []
    opened = Opened(browser, path, viewport={"width": 360, "height": 900})
    page = opened.page
    page.on("dialog", lambda d: (dialogs.append(d.message), d.dismiss()))
    page.reload()
    page.locator(".words").first.hover()
    page.locator("details").first.evaluate("d => d.open = true")
    for width in (360, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE, width) == []
    assert not dialogs
    assert not opened.complaints
    assert [u for u in opened.asked if not u.startswith("file:")] == []
    page.close()


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_article_does_no_harm(browser, model, tmp_path, kind):
    source = tmp_path / "article.txt"
    source.write_text(f"{HOSTILE[kind][:300]}\n\n{HOSTILE[kind]}\n", encoding="utf-8")
    decided = list(scoring.classify(model, scoring.units([source]), explain=True))
    write_article(decided, tmp_path / "page", article.read(source), "ar")
    harmless(browser, tmp_path / "page" / "index.html")


@pytest.mark.parametrize("n", [20, 300])
def test_the_course_of_many_passages_has_room(browser, sample, tmp_path, n):
    texts = [sample[i % 8]["text"] for i in range(n)]
    starts = [sum(len(t) + 1 for t in texts[:i]) for i in range(n)]
    blocks = [article.Block("passage", s, s + len(t)) for s, t in zip(starts, texts, strict=True)]
    decided = [sample[i % 8] | {"start": start} for i, start in enumerate(starts)]
    found = article.Article("long.txt", "\n".join(texts), tuple(blocks))
    write_article(decided, tmp_path, found)
    path = tmp_path / "index.html"
    opened = Opened(browser, path, viewport={"width": 360, "height": 900})
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert not opened.complaints
    widths = page.evaluate("[...document.querySelectorAll('nav li')].map(e => e.offsetWidth)")
    assert len(widths) == n
    assert min(widths) >= 12
    lefts = page.evaluate("[...document.querySelectorAll('nav li')].map(e => e.offsetLeft)")
    assert min(lefts) >= 0  # what runs out at the left could not be scrolled to
    page.close()


# --- evaluation and comparison --------------------------------------------------------------------

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_the_evaluation_page(browser, tmp_path, lang):
    def committed(name):
        return json.loads((ROOT / "experiments" / name).read_text(encoding="utf-8"))

    data, audit = committed("challenge/result.json"), committed("audit/audit.json")
    audit["kinds"] = dict(list(audit["kinds"].items())[:2])
    result = evaluation.Result.from_json(data)
    report.write_evaluation(result, tmp_path, audit if lang == "en" else None, lang)
    check(browser, tmp_path / "index.html")
    opened = Opened(browser, tmp_path / "index.html", viewport={"width": 1400, "height": 900})
    for link in opened.page.locator("nav.toc a").all():
        assert opened.page.locator(link.get_attribute("href")).count() == 1
    first, second = (opened.page.locator(".card").nth(i).bounding_box()["x"] for i in (0, 1))
    assert first < second if lang == "en" else first > second
    opened.page.locator(".signature").first.click()
    assert opened.page.evaluate("getSelection().toString().trim()") == result.signature
    opened.page.close()


@pytest.fixture(scope="module")
def changed(model):
    data = ROOT / "data" / "challenge.jsonl"
    passages = [p for p in corpus.read([data]) if p.meta["phenomenon"] in {"irony", "negation"}]
    first = evaluation.held_out(model, passages)
    second = evaluation.held_out(model.with_prior("stance", {"favor": 9.0}), passages)
    return comparison.compare(first, second, ("plain", "ما بعد التعديل"))


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_the_comparison_page(browser, changed, tmp_path, lang):
    assert changed["tasks"]["stance"]["worse"]
    report.write_comparison(changed, tmp_path, lang)
    check(browser, tmp_path / "index.html")


# --- the page on a collection ---------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_corpus_page_is_held_to_what_every_page_is(browser, corpus_pages, language):
    check(browser, corpus_pages[language] / "index.html")


@pytest.fixture
def corpus_page(browser, corpus_pages):
    opened = Opened(browser, corpus_pages["en"] / "index.html")
    yield opened.page
    assert not opened.complaints
    opened.page.close()


def shown(page) -> list[str]:
    """The numbers of the rows that a reader sees, in their order."""
    return page.eval_on_selector_all(
        "#passages tbody tr",
        "rows => rows.filter(r => r.offsetHeight).map(r => r.cells[0].innerText)",
    )


def test_filters_of_the_corpus_page(corpus_page, collection):
    def numbers(wanted):
        return [str(n) for n, r in enumerate(collection, 1) if wanted(r)]

    corpus_page.select_option("select[data-column=stance]", "favor")
    assert shown(corpus_page) == numbers(lambda r: r["stance"] == "favor")
    corpus_page.select_option("select[data-column=outlet]", label="الديار (19)")
    both = numbers(lambda r: r["stance"] == "favor" and r["outlet"] == "الديار")
    assert shown(corpus_page) == both
    assert corpus_page.inner_text("#count") == f"{len(both)} of 60 passages shown"
    corpus_page.check("input[type=checkbox]")
    assert len(shown(corpus_page)) < len(both)
    corpus_page.click("#filters button")
    assert len(shown(corpus_page)) == 60
    corpus_page.select_option("select[data-column=speaker]", label="+كيم (1)")
    assert shown(corpus_page) == ["8"]
    corpus_page.click("#filters button")
    corpus_page.fill("input[type=search]", "رقم 31 عن اتفاق")  # other spelling, no vowel marks
    assert shown(corpus_page) == ["32"]
    corpus_page.fill("input[type=search]", "<script>")
    assert shown(corpus_page) == ["8"]


def test_sorting_of_the_corpus_page_by_keyboard(corpus_page, collection):
    corpus_page.focus("#passages thead th:last-child button")
    corpus_page.keyboard.press("Enter")
    margins = [
        float(x) for x in corpus_page.locator("#passages tbody td:last-child").all_inner_texts()
    ]
    assert margins == sorted(margins)
    assert margins[0] < margins[-1]
    assert corpus_page.get_attribute("#passages thead th:last-child", "aria-sort") == "ascending"
    assert corpus_page.inner_text("#count").endswith("sorted by Margin, ascending")
    corpus_page.keyboard.press("Space")
    assert corpus_page.get_attribute("#passages thead th:last-child", "aria-sort") == "descending"
    corpus_page.click("#passages thead th:first-child button")
    assert shown(corpus_page) == [str(n) for n in range(1, 61)]  # as numbers, not as words
    assert corpus_page.get_attribute("#passages thead th:last-child", "aria-sort") == "none"


def test_a_link_to_a_row_that_is_filtered_away_shows_it(corpus_page):
    link = corpus_page.locator("#unsure a").first
    row = link.get_attribute("href")
    corpus_page.fill("input[type=search]", "no such words")
    assert shown(corpus_page) == []
    link.click()
    assert corpus_page.locator(row).is_visible()


def test_without_scripts_the_table_is_plain_and_whole(browser, corpus_pages):
    opened = Opened(browser, corpus_pages["en"] / "index.html", java_script_enabled=False)
    assert opened.page.locator("#passages tbody tr").count() == 60
    assert opened.page.locator("#passages tbody tr:visible").count() == 60
    assert not opened.page.locator("#filters").is_visible()
    assert opened.page.locator("#passages thead button").count() == 0
    opened.page.close()


def test_numbers_and_arabic_stand_in_their_order(browser, corpus_pages):
    opened = Opened(browser, corpus_pages["ar"] / "index.html")
    page = opened.page
    assert page.evaluate("getComputedStyle(document.documentElement).direction") == "rtl"
    number = page.locator("main .n", has_text="[").first
    assert number.evaluate("e => getComputedStyle(e).direction") == "ltr"
    for name in ("Passage", "الفقرة"):
        assert (page.locator("#passages thead", has_text=name).count() == 1) is (name == "الفقرة")
    opened.page.close()
