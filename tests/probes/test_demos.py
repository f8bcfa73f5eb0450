"""The demos really train, and the checks find in each what is wrong with it, and nothing in the healthy one."""

from pathlib import Path

import pytest

from probes.checks import dead_units, gradient_norms, learning_curves, nonfinite_weights, update_ratio
from probes.demos import demos, make
from probes.discover import discover
from probes.errors import Unreadable

CHECKS = (nonfinite_weights, dead_units, gradient_norms, learning_curves, update_ratio)
FAULT = {
    "dead-relu": "dead-relu",
    "vanishing": "vanishing-gradients",
    "overfit": "overfitting",
    "nan": "numerical-instability",
    "healthy": None,
}
ALSO_TRUE = {
    "dead-relu": {"underfitting", "learning-rate-too-high"},
    "vanishing": {"underfitting"},
    "overfit": set(),
    "nan": set(),
    "healthy": set(),
}


def confirmed(run: Path, target: Path | None) -> set[str]:
    artifacts = discover([run], target=target)
    found = [check.run(artifacts, lambda fraction, text="": None) for check in CHECKS]
    return {v.diagnosis for f in found for v in f.verdicts if v.verdict == "confirmed"}


@pytest.mark.parametrize("name", sorted(FAULT))
def test_a_demo_trains_and_its_fault_is_found_with_and_without_its_code(tmp_path, name):
    lines: list[str] = []
    run = make(name, tmp_path, on_line=lines.append)
    assert len(lines) >= 10
    assert len(list(run.glob("*.pt"))) >= 5  # three checkpoints and the data
    wanted = {FAULT[name]} - {None}
    for target in (None, run / "model.py"):
        found = confirmed(run, target)
        assert wanted <= found
        assert found <= wanted | ALSO_TRUE[name]


def test_every_demo_has_a_complaint_in_the_words_of_a_person():
    assert set(demos()) == set(FAULT)
    assert all(len(demo.complaint.split()) > 15 for demo in demos().values())


def test_a_demo_that_does_not_exist_names_those_that_do(tmp_path):
    with pytest.raises(Unreadable, match="dead-relu, healthy"):
        make("nope", tmp_path)


def test_a_folder_that_is_taken_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(Unreadable, match="not empty"):
        make("healthy", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_an_interpreter_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(Unreadable, match="cannot start this interpreter"):
        make("healthy", tmp_path, python=str(tmp_path / "no-python"))
