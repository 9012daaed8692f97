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
