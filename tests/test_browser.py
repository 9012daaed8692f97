"""Pages in a real browser: order, width, accessibility, silence; skipped where there is none."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stance import corpus, evaluation, report

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
    return evaluation.compare(first, second, ("plain", "ما بعد التعديل"))


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_the_comparison_page(browser, changed, tmp_path, lang):
    assert changed["tasks"]["stance"]["worse"]
    report.write_comparison(changed, tmp_path, lang)
    check(browser, tmp_path / "index.html")
