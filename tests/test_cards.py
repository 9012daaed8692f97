"""The cards: what they say is what the corpus, the model and the committed result say."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def cards() -> dict[Path, str]:
    spec = importlib.util.spec_from_file_location("cards", ROOT / "experiments" / "cards.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.cards()


def test_the_cards_are_up_to_date(cards):
    for path, text in cards.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run make report"


@pytest.mark.parametrize(
    ("start", "folder"), [("| cross-validated", "evaluation"), ("| frozen split", "frozen")]
)
def test_the_readmes_figures_stand_in_the_committed_report(start, folder):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    report = (ROOT / "experiments" / folder / "report.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith(start)]
    assert len(rows) == 2
    for row in rows:
        for figure in row.split("|")[2:-1]:
            assert figure.strip() in report, figure


def test_every_picture_of_the_readme_is_there():
    import re

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).is_file(), picture
