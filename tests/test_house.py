"""The house: which module may import which, and who alone uses a library."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "stance"
MODULES = {p.stem: ast.parse(p.read_text(encoding="utf-8")) for p in PACKAGE.glob("*.py")}

MAY_IMPORT = {
    "engine": set(),
    "text": {"engine"},
    "lexicon": {"text"},
    "article": {"text"},
    "voice": {"text", "lexicon"},
    "records": {"text"},
    "corpus": {"text", "records"},
    "scope": {"text"},
    "features": {"engine", "text", "lexicon", "scope"},
    "encoder": {"text", "features"},
    "model": {"text", "lexicon", "features", "encoder"},
    "learner": {"engine", "text", "lexicon", "features", "model"},
    "evaluation": {"text", "lexicon", "features", "corpus", "model", "learner"},
    "comparison": {"text", "evaluation"},
    "challenge": {"text", "corpus", "evaluation"},
    "agreement": {"text", "corpus"},
    "audit": {"text", "lexicon", "features", "corpus", "model", "learner", "evaluation"},
    "prevalence": {"text"},
    "storage": {"text", "lexicon", "features", "model"},
    "scoring": {"text", "article", "voice", "records", "model", "storage"},
    "cluster": {"text", "scoring", "storage", "evaluation"},
    "language": set(),
    "findings": set(),
    "tables": {"text", "evaluation"},
    "figures": {"text", "language", "tables", "evaluation"},
    "page": {"language", "figures"},
    "article_page": {"text", "figures", "page", "article"},
    "corpus_page": {"text", "language", "prevalence", "tables", "figures", "page"},
    "report": {"language", "findings", "tables", "figures", "page", "evaluation"},
    "__init__": {"article", "model", "storage"},
    "cli": set(MODULES) - {"cli"},
}
SOLE_USERS = {
    "camel_tools": {"text"},
    "trafilatura": {"article"},
    "pyarrow": {"records"},
    "krippendorff": {"agreement"},
    "safetensors": {"storage"},
    "Stemmer": {"features"},
    "dask": {"cluster"},
    "distributed": {"cluster"},
    "torch": {"encoder"},
    "transformers": {"encoder"},
    "matplotlib": {"figures"},
    "jinja2": {"page"},
    "click": {"cli"},
    "pickle": set(),
}


def imported(tree: ast.AST) -> set[str]:
    """Every dotted name that a module imports, wherever the import stands."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_module_is_in_the_table():
    assert set(MODULES) == set(MAY_IMPORT)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_downward(module):
    inside = {
        name.split(".")[1]
        for name in imported(MODULES[module])
        if name.startswith("stance.") and name.split(".")[1] in MODULES
    }
    assert inside - {module} <= MAY_IMPORT[module]


@pytest.mark.parametrize("library", sorted(SOLE_USERS))
def test_a_library_has_its_users(library):
    users = {
        module
        for module, tree in MODULES.items()
        if any(name.split(".")[0] == library for name in imported(tree))
    }
    assert users <= SOLE_USERS[library]


def test_help_and_version_import_no_heavy_library():
    import subprocess
    import sys

    code = (
        "import sys\nfrom stance.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'sklearn', 'matplotlib', 'scipy', 'camel_tools', 'pyarrow', 'pandas', 'dask'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
