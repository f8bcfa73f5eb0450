"""Probes are found by their files, without importing them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from probes.errors import Unreadable
from probes.finding import Kind
from probes.registry import HEADINGS, load, probes, read_spec

DOC = "Dead units.\n\n" + "\n\n".join(f"{h}\nsome text" for h in HEADINGS)
GOOD = (
    f'"""{DOC}"""\nimport not_there\nNEEDS = ("log",)\nSPEAKS_TO = ("dead-relu",)\nCOST = "file"\ndef run(a, p): ...\n'
)


def test_a_probe_is_read_without_being_imported(tmp_path: Path) -> None:
    (tmp_path / "dead_units.py").write_text(GOOD)
    spec = read_spec(tmp_path / "dead_units.py")
    assert (spec.id, spec.title, spec.cost) == ("dead-units", "Dead units.", "file")
    assert (spec.needs, spec.speaks_to) == (("log",), ("dead-relu",))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (GOOD.replace("Cannot tell", "Else"), "Cannot tell"),
        (GOOD.replace('("log",)', '("rumour",)'), "rumour"),
        (GOOD.replace('("log",)', 'tuple(["log"])'), "NEEDS"),
        (GOOD.replace('"file"', '"cheap"'), "COST"),
        (GOOD.replace("def run", "def walk"), "run"),
        ("def run(:", "not valid Python"),
    ],
)
def test_an_incomplete_probe_is_refused_with_what_is_missing(tmp_path: Path, broken: str, says: str) -> None:
    (tmp_path / "odd.py").write_text(broken)
    with pytest.raises(Unreadable, match=says):
        read_spec(tmp_path / "odd.py")


def test_every_probe_of_ours_is_complete_and_can_be_loaded() -> None:
    for probe_id in probes():
        assert callable(load(probe_id))


def test_an_unknown_probe_is_named() -> None:
    with pytest.raises(Unreadable, match="no such probe"):
        load("nonsense")


@pytest.mark.parametrize("spec", probes().values(), ids=lambda spec: spec.id)
def test_every_probe_says_which_class_of_evidence_its_verdicts_rest_on(spec):
    evidence = spec.doc.partition("\nEvidence\n")[2].partition("\nReads\n")[0]
    named = {kind for kind in get_args(Kind) if f"{kind}:" in evidence}
    used = set()
    for node in ast.walk(ast.parse(spec.path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and node.value in get_args(Kind):
            used.add(node.value)
    assert named == used
