"""Logged gradient norms: growth, fading, zeros and clipping, with and without a loss that agrees."""

import numpy as np
import pytest
from curves_on_disk import csv, look, said

from probes.checks.gradient_trend import run

STEPS = np.arange(100)
FALLING, STUCK, RISING = 2.3 * np.exp(-STEPS / 30), np.full(100, 2.3), 2.3 * np.exp(STEPS / 30)
NOISE = np.exp(0.2 * np.random.default_rng(0).normal(size=100))


def norms(folder, values, loss):
    csv(folder, step=STEPS, train_loss=loss, grad_norm=values)
    return look(run, folder)


def test_a_norm_that_grows_with_the_loss_is_confirmed_and_without_it_told(tmp_path):
    grown = 0.5 * 1.05**STEPS * NOISE
    assert said(norms(tmp_path, grown, RISING)) == [("exploding-gradients", "confirmed")]
    assert said(norms(tmp_path, grown, STUCK)) == [("exploding-gradients", "inconclusive")]
    assert said(norms(tmp_path, grown, FALLING)) == []


def test_a_norm_that_fades_is_no_fault_where_the_run_learns(tmp_path):
    faded = 0.9**STEPS * NOISE
    assert said(norms(tmp_path, faded, FALLING)) == []
    assert said(norms(tmp_path, faded, STUCK)) == [("vanishing-gradients", "suspected")]


def test_a_steady_norm_in_a_run_that_learns_rules_explosion_out(tmp_path):
    assert said(norms(tmp_path, NOISE, FALLING)) == [("exploding-gradients", "ruled_out")]


def test_zeros_mean_that_nothing_is_trained(tmp_path):
    assert said(norms(tmp_path, np.zeros(100), STUCK)) == [("training-loop-bug", "suspected")]


@pytest.mark.parametrize(("bad", "level"), [([40], []), ([40, 41], [("exploding-gradients", "suspected")])])
def test_a_single_infinity_is_a_skipped_step_of_mixed_precision_and_two_in_a_row_are_not(tmp_path, bad, level):
    values = NOISE.copy()
    values[bad] = np.inf
    assert [v for v in said(norms(tmp_path, values, STUCK)) if v[1] == "suspected"] == level


def test_a_norm_at_a_limit_is_called_clipped(tmp_path):
    assert "limit of 1 at practically every step" in norms(tmp_path, np.full(100, 0.999), FALLING).title
