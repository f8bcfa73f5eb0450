"""Whether a loss has come to rest, and what training on would give."""

import numpy as np
import pytest
from curves_on_disk import csv, look, said

from probes.checks.convergence import run

T = np.arange(1, 201.0)


def noisy(y, seed=0, sigma=0.004):
    return y + sigma * np.random.default_rng(seed).normal(size=len(y))


def test_a_plateau_is_found_with_its_beginning(tmp_path):
    csv(tmp_path, epoch=T, train_loss=noisy(np.maximum(2 - 0.01 * T, 1.2)))
    found = look(run, tmp_path)
    assert found.verdicts == ()
    assert found.title.startswith("train/loss has been at rest since epoch ")
    assert float(found.title.split()[-1]) == pytest.approx(80, abs=6)


def test_a_curve_that_still_falls_comes_with_what_training_on_would_give(tmp_path):
    csv(tmp_path, epoch=T, train_loss=noisy(3 * T**-0.3), val_loss=noisy(0.2 + 3 * T**-0.3, seed=1))
    found = look(run, tmp_path)
    assert said(found) == [("underfitting", "inconclusive")]
    then = next(m.value for m in found.measures if "again" in m.name)
    assert then == pytest.approx(0.2 + 3 * 400**-0.3, rel=0.03)


def test_an_overfitted_curve_is_said_to_rise_and_promises_nothing(tmp_path):
    csv(tmp_path, epoch=T, train_loss=noisy(3 * T**-0.5), val_loss=noisy(1 + ((T - 50) / 100) ** 2))
    found = look(run, tmp_path)
    assert "rises" in found.title
    assert found.verdicts == ()


def test_a_curve_that_bounces_around_its_level_has_been_at_rest_throughout(tmp_path):
    csv(tmp_path, epoch=T, train_loss=noisy(np.full(200, 0.7), sigma=0.05))
    assert look(run, tmp_path).title == "train/loss has been at rest throughout"
