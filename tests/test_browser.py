"""Pages in a real browser: order, width, accessibility, silence; skipped where there is none."""

import shutil
from collections.abc import Iterator

import pytest

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


# --- the page on a collection ---------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_corpus_page_is_held_to_what_every_page_is(browser, corpus_pages, language):
    check(browser, corpus_pages[language] / "index.html")


@pytest.fixture
def corpus(browser, corpus_pages):
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


def test_filters_of_the_corpus_page(corpus, collection):
    def numbers(wanted):
        return [str(n) for n, r in enumerate(collection, 1) if wanted(r)]

    corpus.select_option("select[data-column=stance]", "favor")
    assert shown(corpus) == numbers(lambda r: r["stance"] == "favor")
    corpus.select_option("select[data-column=outlet]", label="الديار (19)")
    both = numbers(lambda r: r["stance"] == "favor" and r["outlet"] == "الديار")
    assert shown(corpus) == both
    assert corpus.inner_text("#count") == f"{len(both)} of 60 passages shown"
    corpus.check("input[type=checkbox]")
    assert len(shown(corpus)) < len(both)
    corpus.click("#filters button")
    assert len(shown(corpus)) == 60
    corpus.select_option("select[data-column=speaker]", label="+كيم (1)")
    assert shown(corpus) == ["8"]
    corpus.click("#filters button")
    corpus.fill("input[type=search]", "رقم 31 عن اتفاق")  # other spelling, no vowel marks
    assert shown(corpus) == ["32"]
    corpus.fill("input[type=search]", "<script>")
    assert shown(corpus) == ["8"]


def test_sorting_of_the_corpus_page_by_keyboard(corpus, collection):
    corpus.focus("#passages thead th:last-child button")
    corpus.keyboard.press("Enter")
    margins = [float(x) for x in corpus.locator("#passages tbody td:last-child").all_inner_texts()]
    assert margins == sorted(margins)
    assert margins[0] < margins[-1]
    assert corpus.get_attribute("#passages thead th:last-child", "aria-sort") == "ascending"
    assert corpus.inner_text("#count").endswith("sorted by Margin, ascending")
    corpus.keyboard.press("Space")
    assert corpus.get_attribute("#passages thead th:last-child", "aria-sort") == "descending"
    corpus.click("#passages thead th:first-child button")
    assert shown(corpus) == [str(n) for n in range(1, 61)]  # as numbers, not as words
    assert corpus.get_attribute("#passages thead th:last-child", "aria-sort") == "none"


def test_a_link_to_a_row_that_is_filtered_away_shows_it(corpus):
    link = corpus.locator("#unsure a").first
    row = link.get_attribute("href")
    corpus.fill("input[type=search]", "no such words")
    assert shown(corpus) == []
    link.click()
    assert corpus.locator(row).is_visible()


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
