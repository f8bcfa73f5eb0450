"""Two runs side by side."""

import numpy as np
from curves_on_disk import csv, look, said

from probes.checks.compare_runs import run

STEPS = np.arange(1, 41)


def loss(seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [f"{v:.5f}" for v in 2 * 0.97**STEPS + 0.02 * random.normal(size=40)]


def two(folder, one, other):
    return look(run, csv(folder / "a", step=STEPS, train_loss=one), csv(folder / "b", step=STEPS, train_loss=other))


def test_runs_that_part_after_some_steps_are_told_with_the_step(tmp_path):
    found = two(tmp_path, loss(0), [*loss(0)[:10], *loss(1)[10:]])
    assert said(found) == [("irreproducible-runs", "suspected")]
    assert found.title == "a and b: train/loss parts at step 11"


def test_the_same_run_twice_is_reproducible(tmp_path):
    assert said(two(tmp_path, loss(0), loss(0))) == [("irreproducible-runs", "ruled_out")]


def test_fewer_digits_are_no_difference(tmp_path):
    rounded = [f"{float(v):.3f}" for v in loss(0)]
    assert said(two(tmp_path, loss(0), rounded)) == [("irreproducible-runs", "ruled_out")]


def test_runs_that_differ_from_the_start_are_other_runs(tmp_path):
    found = two(tmp_path, loss(0), loss(1))
    assert found.verdicts == ()
    assert next(m.value for m in found.measures if m.unit == "times the noise") < 3


def test_one_run_is_nothing_to_compare(tmp_path):
    assert look(run, csv(tmp_path, step=STEPS, train_loss=loss(0))).status == "could-not-check"
