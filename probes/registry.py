"""Which probes there are: their files are read with `ast`, so listing them imports neither torch nor NumPy.

A probe is a file in `checks/`: a docstring with six headings, the literals NEEDS, SPEAKS_TO and COST, `run`, and
perhaps `whole` and `compared`, which name the tensors that it needs in one piece and the checkpoints that it compares.
"""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .errors import Unreadable

if TYPE_CHECKING:  # artifacts imports NumPy
    from .artifacts import Artifacts, Checkpoint, Run, Tensor

HEADINGS = ("What it measures", "Formula", "Thresholds and sources", "Evidence", "Reads", "Cannot tell")
KINDS = frozenset({"checkpoint", "log", "target", "data", "script"})
COSTS = frozenset({"file", "batch"})
FOLDER = Path(__file__).resolve().parent / "checks"


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """What is known of a probe without running it.

    Args:
        id: the file's name with dashes.
        title: the first line of its docstring; `doc` is all of it.
        needs: kinds of artifact, any of which is enough: "checkpoint", "log", "target", "data", "script".
        speaks_to: ids of the diagnoses that it can say something about.
        cost: "file" (reads files), or "batch" (runs the person's model).
    """

    id: str
    title: str
    doc: str
    needs: tuple[str, ...]
    speaks_to: tuple[str, ...]
    cost: str
    path: Path


@cache
def probes(folder: Path = FOLDER) -> dict[str, ProbeSpec]:
    """All probes by id, in alphabetical order. Raises Unreadable for a file that is no complete probe."""
    found = (read_spec(path) for path in sorted(folder.glob("*.py")) if not path.name.startswith("_"))
    return {spec.id: spec for spec in found}


def read_spec(path: Path) -> ProbeSpec:
    """Reads one probe's file without importing it. Raises Unreadable with what is missing."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise Unreadable(f"not valid Python ({error})", str(path), "correct the file") from error
    doc = ast.get_docstring(tree) or ""
    missing = [h for h in HEADINGS if not any(line.strip().rstrip(":") == h for line in doc.splitlines())]
    if missing:
        raise Unreadable(f"its docstring lacks {', '.join(missing)}", str(path), "write these sections")
    if not any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
        raise Unreadable("it defines no run(artifacts, progress)", str(path), "define it")
    literals = _literals(tree)
    needs, speaks_to = _texts(literals, "NEEDS", path), _texts(literals, "SPEAKS_TO", path)
    if unknown := set(needs) - KINDS:
        raise Unreadable(
            f"NEEDS has unknown kinds: {', '.join(sorted(unknown))}", str(path), f"use {', '.join(sorted(KINDS))}"
        )
    cost = literals.get("COST")
    if not isinstance(cost, str) or cost not in COSTS:
        raise Unreadable('COST must be "file" or "batch"', str(path), "set it")
    return ProbeSpec(path.stem.replace("_", "-"), doc.splitlines()[0], doc, needs, speaks_to, cost, path)


def _literals(tree: ast.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            name, value = node.target.id, node.value
        else:
            continue
        if name in ("NEEDS", "SPEAKS_TO", "COST"):
            try:
                found[name] = ast.literal_eval(value)
            except ValueError:
                found[name] = None
    return found


def _texts(literals: dict[str, Any], name: str, path: Path) -> tuple[str, ...]:
    value = literals.get(name)
    if not isinstance(value, tuple | list) or not value or not all(isinstance(v, str) for v in value):
        raise Unreadable(f"{name} must be a literal tuple of texts, not empty", str(path), "write it out")
    return tuple(value)


def wanted(artifacts: Artifacts) -> list[Tensor]:
    """Tensors of the latest checkpoint that the probes of files declare (`whole(artifacts)`) to need as a whole."""
    return _declared("whole", artifacts)


def compared(artifacts: Artifacts) -> list[tuple[Checkpoint, Checkpoint]]:
    """Checkpoints that the probes of files declare (`compared(artifacts)`) to compare entry by entry."""
    return _declared("compared", artifacts)


def _declared(need: str, artifacts: Artifacts) -> list[Any]:
    modules = [_module(name) for name, spec in probes().items() if spec.cost == "file" and "checkpoint" in spec.needs]
    return [one for module in modules if hasattr(module, need) for one in getattr(module, need)(artifacts)]


def load(probe_id: str) -> Run:
    """The `run` function of a probe; imports its module. Raises Unreadable for an unknown id."""
    if probe_id not in probes():
        raise Unreadable("there is no such probe", probe_id, "`probe list` shows them all")
    run: Run = _module(probe_id).run
    return run


def _module(probe_id: str) -> ModuleType:
    return importlib.import_module(f".checks.{probe_id.replace('-', '_')}", __package__)
