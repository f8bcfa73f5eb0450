"""Logs in which the step goes back: several runs, and runs that were resumed."""

import numpy as np
import pytest
from curves_on_disk import csv, look, said

from probes.checks.resumed_run import run
from probes.discover import discover
from probes.series.outcome import outcome


def noisy(y, seed=0):
    return y * (1 + 0.01 * np.random.default_rng(seed).normal(size=len(y)))


def resumed(folder, jump: float):
    """Steps 0..79, then resumed at 60 and up to 119, the loss off by a factor at first."""
    first, second = np.arange(80), np.arange(60, 120)
    loss = np.concatenate([2 * 0.99**first, 2 * 0.99**second * (1 + (jump - 1) * 0.9 ** (second - 60))])
    csv(folder, step=np.concatenate([first, second]), train_loss=noisy(loss))
    return look(run, folder)


def test_a_loss_that_jumps_at_the_resume_is_suspected_and_healed_jumps_are_seen(tmp_path):
    found = resumed(tmp_path, 2.0)
    assert said(found) == [("checkpoint-mismatch", "suspected")]
    assert found.title == "the log holds 1 run, resumed 1 times"


def test_a_loss_that_goes_on_where_it_was_rules_it_out(tmp_path):
    assert said(resumed(tmp_path, 1.0)) == [("checkpoint-mismatch", "ruled_out")]


def test_a_second_run_in_the_same_file_is_told_and_judged_by_itself(tmp_path):
    step = np.arange(1, 41)
    csv(tmp_path, step=np.concatenate([step, step]), train_loss=np.concatenate([0.9**step, 5 + 0.0 * step]))
    found = look(run, tmp_path)
    assert found.title == "the log holds 2 runs, resumed 0 times"
    assert found.verdicts == ()
    main = outcome(discover([tmp_path])).main
    assert main is not None
    assert main.y.tolist() == [5.0] * 40


def test_what_a_resumed_run_wrote_again_replaces_what_was_there(tmp_path):
    resumed(tmp_path, 1.0)
    main = outcome(discover([tmp_path])).main
    assert main is not None
    assert main.x.tolist() == list(range(120))
    assert main.y[60:80] == pytest.approx(2 * 0.99 ** np.arange(60, 80), rel=0.05)


def test_a_log_that_goes_through_once_is_told_as_such(tmp_path):
    csv(tmp_path, step=np.arange(50), train_loss=np.linspace(2, 1, 50))
    assert (look(run, tmp_path).title, look(run, tmp_path).verdicts) == ("the log goes through once", ())
