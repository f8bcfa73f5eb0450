"""Labels against what all other samples foretell: noise in training alone, in both parts, and none."""

from pathlib import Path

import numpy as np
import pytest
from trained import tables

from probes.checks.label_agreement import run
from probes.discover import discover
from probes.finding import Finding


def probe(folder: Path, x, y, x_val, y_val) -> Finding:
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_val=x_val, y_val=y_val)
    return run(discover([folder]), lambda fraction, text="": None)


def redrawn(y: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(y)) < share, rng.integers(0, 4, len(y)), y)


def said(finding: Finding) -> str:
    return finding.verdicts[0].verdict


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    x, y = tables(1600)
    return x.numpy(), y.numpy()


def test_wrong_labels_in_training_alone_are_confirmed(tmp_path, data):
    x, y = data
    found = probe(tmp_path, x[:1100], redrawn(y[:1100], 0.4), x[1100:], y[1100:])
    assert said(found) == "confirmed"
    assert "training labels are the worse ones" in found.verdicts[0].because


def test_shuffled_validation_labels_are_suspected(tmp_path, data):
    x, y = data
    assert said(probe(tmp_path, x[:1100], y[:1100], x[1100:], np.roll(y[1100:], 1))) == "suspected"


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_labels_that_are_as_wrong_in_both_parts_are_not_accused(tmp_path, data, share):
    x, y = data
    noisy = redrawn(y, share)
    assert said(probe(tmp_path, x[:1100], noisy[:1100], x[1100:], noisy[1100:])) == "inconclusive"


def test_copies_do_not_count_as_agreement(tmp_path, data):
    x, y = data
    noisy = redrawn(y[:1100], 0.4)
    found = probe(tmp_path, np.r_[x[:1100], x[:1100]], np.r_[noisy, noisy], x[:300], noisy[:300])
    assert found.status == "could-not-check"


def test_an_oversampled_rare_class_is_not_taken_for_wrong_labels(tmp_path, data):
    x, y = data
    order = np.random.default_rng(1).permutation(np.r_[np.arange(1600), np.repeat(np.flatnonzero(y == 3), 3)])
    found = probe(tmp_path, x[order[:1500]], y[order[:1500]], x[order[1500:]], y[order[1500:]])
    assert found.verdicts == ()


def test_validation_of_another_kind_is_not_held_against_the_labels(tmp_path, data):
    x, y = data
    found = probe(tmp_path, x[:1100], y[:1100], x[1100:] + 1.5, y[1100:])
    assert said(found) == "inconclusive"
    assert "differ as well" in found.verdicts[0].because


def test_regressions_and_small_data_have_no_labels_to_agree_on(tmp_path, data):
    x, y = data
    assert probe(tmp_path, x[:1100], x[:1100, 0], x[1100:], x[1100:, 0]).status == "could-not-check"
    assert probe(tmp_path, x[:40], y[:40], x[40:80], y[40:80]).status == "could-not-check"
