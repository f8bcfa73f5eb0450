"""What a logged learning rate did: usual schedules are described and not accused, broken ones are."""

import math

import numpy as np
import pytest
from curves_on_disk import csv, look, said

from probes.checks.learning_rate_schedule import run

STEPS = np.arange(100)
FALLING = 2.3 * np.exp(-STEPS / 30)
STUCK = 2.3 - 0.0001 * STEPS


def schedule(kind: str) -> np.ndarray:
    return {
        "constant": np.full(100, 1e-3),
        "cosine": 5e-4 * (1 + np.cos(math.pi * STEPS / 100)),
        "linear": 1e-3 * (1 - STEPS / 100),
        "steps": 0.1 * 0.1 ** (STEPS // 40),
        "warm-up": 1e-3 * np.minimum(1, (STEPS + 1) / 10) * (1 - STEPS / 101),
    }[kind]


@pytest.mark.parametrize("kind", ["constant", "cosine", "linear", "steps", "warm-up"])
@pytest.mark.parametrize("loss", [FALLING, STUCK])
def test_usual_schedules_are_not_accused_whether_the_run_learns_or_not(tmp_path, kind, loss):
    csv(tmp_path, epoch=STEPS, train_loss=loss, lr=schedule(kind))
    assert [v for v in said(look(run, tmp_path)) if v[1] in {"confirmed", "suspected"}] == []


def test_the_title_says_what_the_rate_did(tmp_path):
    csv(tmp_path, epoch=STEPS, train_loss=FALLING, lr=schedule("warm-up"))
    assert look(run, tmp_path).title == "learning rate peaks at 0.000911 after 8% of the run and ends at 0.022 of that"


def test_a_rate_that_is_gone_early_while_the_loss_stands_is_suspected_with_the_rate_to_go_back_to(tmp_path):
    loss = np.where(STEPS < 20, 2.3 - 0.01 * STEPS, 2.1)
    csv(tmp_path, epoch=STEPS, train_loss=loss, lr=0.05 * 0.1 ** np.maximum(0, STEPS - 18.0))
    found = look(run, tmp_path)
    assert said(found) == [("learning-rate-too-low", "suspected")]
    assert found.facts["suggested_lr"] == "0.05"
    assert "having fallen until then" in found.verdicts[0].because


def test_a_run_that_learns_has_a_rate_that_was_printed_with_too_few_digits(tmp_path):
    csv(tmp_path, epoch=STEPS, train_loss=FALLING, lr=np.zeros(100))
    assert said(look(run, tmp_path)) == []


def test_a_rate_of_zero_throughout_is_confirmed(tmp_path):
    csv(tmp_path, epoch=STEPS, train_loss=STUCK, lr=np.zeros(100))
    assert said(look(run, tmp_path)) == [("learning-rate-too-low", "confirmed")]


def test_jumps_where_the_rate_is_highest_point_to_it(tmp_path):
    rate = np.where((STEPS > 30) & (STEPS < 60), 1.0, 0.1)
    loss = 1 - 0.001 * STEPS
    loss[[34, 41, 48, 55]] = 8.0
    csv(tmp_path, epoch=STEPS, train_loss=loss, lr=rate)
    assert said(look(run, tmp_path)) == [("learning-rate-too-high", "suspected")]


def test_a_constant_rate_under_a_loss_that_only_bounces_is_told(tmp_path):
    random = np.random.default_rng(0)
    loss = np.maximum(FALLING, 0.5) * np.exp(0.2 * random.normal(size=100))
    csv(tmp_path, epoch=STEPS, train_loss=loss, lr=schedule("constant"))
    found = look(run, tmp_path)
    assert said(found) == [("learning-rate-too-high", "inconclusive")]
    assert "a decay would bring it lower" in found.verdicts[0].because


def test_without_a_logged_rate_it_says_what_to_log(tmp_path):
    csv(tmp_path, epoch=STEPS, train_loss=FALLING)
    assert look(run, tmp_path).status == "could-not-check"


def test_a_rate_that_is_gone_after_a_quarter_is_suspected_also_where_something_was_learned_until_then(tmp_path):
    loss, accuracy = np.where(STEPS < 20, 2.3 - 0.05 * STEPS, 1.35), np.minimum(0.2 + 0.02 * STEPS, 0.6)
    rate = 0.05 * 0.1 ** np.maximum(0, STEPS - 18.0)
    csv(tmp_path / "early", epoch=STEPS, train_loss=loss, lr=rate, val_acc=accuracy)
    assert said(look(run, tmp_path / "early")) == [("learning-rate-too-low", "suspected")]
    csv(tmp_path / "done", epoch=STEPS, train_loss=np.maximum(2.3 * 0.7**STEPS, 0.01), lr=rate, val_acc=accuracy + 0.3)
    assert said(look(run, tmp_path / "done")) == []
