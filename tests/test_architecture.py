"""The rules of the house that no type checker holds: who may import whom, and what the quick commands load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "textual"}


def imported(path: Path) -> set[str]:
    """Names of the packages that a file imports by absolute name, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def files(package: str) -> list[Path]:
    return sorted(p for p in (ROOT / package).rglob("*.py") if "demos" not in p.relative_to(ROOT).parts[:-1])


@pytest.mark.parametrize("package", ["knowledge", "probes"])
def test_knowledge_and_probes_know_nobody(package: str) -> None:
    for path in files(package):
        assert not imported(path) & {"assistant", "knowledge", "probes", "textual"}, path


def test_only_the_screen_knows_textual() -> None:
    for path in files("assistant"):
        if "tui" not in path.relative_to(ROOT).parts:
            assert "textual" not in imported(path), path


def test_no_one_but_probes_knows_torch() -> None:
    for path in [*files("assistant"), *files("knowledge")]:
        assert not imported(path) & {"torch", "numpy"}, path


def test_faces_hold_no_diagnosis() -> None:
    ids = {p.stem for p in (ROOT / "knowledge" / "entries").glob("*.yaml")}
    for path in [*(ROOT / "assistant" / "tui").glob("*.py"), *(ROOT / "assistant" / "faces").glob("*.py")]:
        words = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}
        assert not ids & words, path


@pytest.mark.parametrize(
    "words", [["--help"], ["search", "loss is nan"], ["explain", "dead-relu"], ["probe", "list"], ["demo", "--list"]]
)
def test_quick_commands_load_nothing_heavy(words: list[str]) -> None:
    script = (
        "import sys\nfrom assistant.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_every_probe_speaks_to_diagnoses_that_exist() -> None:
    from knowledge.load import load
    from probes.registry import probes

    entries = load().entries
    for spec in probes().values():
        for id in spec.speaks_to:
            assert entries[id].kind == "diagnosis", (spec.id, id)


def test_the_readme_names_every_probe_and_no_other() -> None:
    from probes.registry import probes

    rows = (ROOT / "README.md").read_text(encoding="utf-8").partition("| probe |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", rows, re.M)) == set(probes())
