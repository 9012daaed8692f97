"""The cards: what they say is what the corpus, the model and the committed result say."""

import importlib.util
import re
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
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).is_file(), picture


# --- the Arabic README ----------------------------------------------------------------------------


def readme(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_figures_of_the_arabic_readme_stand_in_the_english_one():
    figures = re.findall(r"\d\.\d{3} \[[^\]]*\]", readme("README.ar.md"))
    assert len(figures) >= 4
    for figure in figures:
        assert figure in readme("README.md"), figure


def test_the_readmes_lead_to_each_other():
    assert "(README.ar.md)" in readme("README.md")[:200]
    assert "(README.md)" in readme("README.ar.md")[:200]


def test_the_labels_of_the_arabic_readme_are_those_of_the_pages():
    from stance.language import LABELS

    rows = re.findall(r"^\| (.+?) \| `(\w+)` \|", readme("README.ar.md"), re.M)
    assert {label: name for name, label in rows} == LABELS["ar"]


def test_the_commands_of_the_arabic_readme_exist():
    """Every command and option of it, outside of what runs from right to left."""
    from stance.cli import main

    text = readme("README.ar.md")
    assert text.count('<div dir="rtl">') == text.count("</div>")
    blocks = re.findall(
        r"</div>\n\n```(?:console|json|text)\n(.*?)```\n\n<div dir=\"rtl\">", text, re.S
    )
    assert len(blocks) * 2 == text.count("```")
    lines = [x for b in blocks for x in b.splitlines() if x.startswith("$ .venv/bin/stance ")]
    assert len(lines) > 10
    for line in lines:
        words = line.split()[2:]
        command = main
        while hasattr(command, "commands") and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert command is not main, line
        known = {o for p in command.params for o in p.opts} | {"--help"}
        assert {w for w in words if w.startswith("-") and w != "-1"} <= known, line
