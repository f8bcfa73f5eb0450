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
    "linear": "underfitting",
    "healthy": None,
}
COMPARISONS = {  # demo -> its logs, and what is found in the first of them
    "activations": (["run1_sigmoid.csv", "run2_tanh.csv", "run3_relu.csv"], "vanishing-gradients"),
    "dropout": (["run1_no_dropout.csv", "run2_dropout.csv"], "overfitting"),
    "width-depth": (["run1_huge.csv", "run2_deep.csv", "run3_wide.csv", "run4_narrow.csv"], "overfitting"),
}
ALSO_TRUE = {
    "dead-relu": {"underfitting", "learning-rate-too-high"},
    "vanishing": {"underfitting"},
    "overfit": set(),
    "nan": set(),
    "linear": set(),
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


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> dict[str, Path]:
    """The comparisons, each trained once."""
    into = tmp_path_factory.mktemp("compared")
    return {name: make(name, into / name) for name in COMPARISONS}


@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_a_comparison_leaves_one_log_a_setting(compared, name):
    logs, fault = COMPARISONS[name]
    run = compared[name]
    assert sorted(path.name for path in run.glob("*.csv")) == logs
    found = discover([run])
    assert [log.path.name for log in found.logs] == logs
    assert all(log.get("train/loss") and log.get("val/loss") for log in found.logs)
    assert confirmed(run, run / "model.py") == {fault}


def last_losses(run: Path) -> list[tuple[float, float]]:
    """(train, val) at the end of every log, in the order of the runs."""
    ends = []
    for log in discover([run]).logs:
        train, val = log.get("train/loss"), log.get("val/loss")
        assert train is not None and val is not None
        ends.append((float(train.y[-1]), float(val.y[-1])))
    return ends


def test_sigmoid_stays_at_chance_where_tanh_and_relu_learn(compared):
    sigmoid, *others = last_losses(compared["activations"])
    assert sigmoid[0] > 0.68
    assert all(train < 0.2 for train, _ in others)


def test_dropout_costs_training_loss_and_gains_validation_loss(compared):
    without, with_dropout = last_losses(compared["dropout"])
    assert with_dropout[0] > without[0] and with_dropout[1] < without[1]


def test_the_largest_network_fits_best_and_generalises_worst(compared):
    huge, *_, narrow = last_losses(compared["width-depth"])
    assert huge[0] < narrow[0] and huge[1] > narrow[1]


def test_every_demo_has_a_complaint_in_the_words_of_a_person():
    assert set(demos()) == {*FAULT, *COMPARISONS}
    assert all(len(demo.complaint.split()) > 15 for demo in demos().values())


def test_a_demo_that_does_not_exist_names_those_that_do(tmp_path):
    with pytest.raises(Unreadable, match="activations, dead-relu, dropout, healthy"):
        make("nope", tmp_path)


def test_a_folder_that_is_taken_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(Unreadable, match="not empty"):
        make("healthy", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_an_interpreter_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(Unreadable, match="cannot start this interpreter"):
        make("healthy", tmp_path, python=str(tmp_path / "no-python"))
