"""Times and memory in logs."""

import numpy as np
import pytest
from curves_on_disk import csv, look, said

from probes.checks.throughput import run

STEPS = np.arange(60)
LOSS = np.linspace(2, 1, 60)
JITTER = 1 + 0.05 * np.random.default_rng(0).normal(size=60)


@pytest.mark.parametrize(
    ("share", "verdicts"),
    [(0.8, [("slow-data-loading", "suspected")]), (0.3, []), (0.02, [("slow-data-loading", "ruled_out")])],
)
def test_the_share_of_waiting_for_data_is_measured_where_both_are_logged(tmp_path, share, verdicts):
    csv(tmp_path, step=STEPS, loss=LOSS, time=0.5 * JITTER, data_time=0.5 * share * JITTER)
    found = look(run, tmp_path)
    assert said(found) == verdicts
    assert next(m.value for m in found.measures if "waiting" in m.name) == pytest.approx(share, rel=1e-3)


def test_epochs_that_take_longer_and_longer_are_told(tmp_path):
    csv(tmp_path, epoch=STEPS, train_loss=LOSS, epoch_time=10 * (1 + STEPS / 30) * JITTER)
    assert said(look(run, tmp_path)) == [("memory-leak", "inconclusive")]


def test_a_clock_is_turned_into_durations(tmp_path):
    csv(tmp_path, step=STEPS, train_loss=LOSS, time=np.cumsum(3 * JITTER))
    found = look(run, tmp_path)
    assert found.measures[0].value == pytest.approx(3, rel=0.05)
    assert found.verdicts == ()


def test_memory_that_never_stops_growing_is_suspected_and_memory_that_settles_is_not(tmp_path):
    csv(tmp_path, step=STEPS, train_loss=LOSS, memory_mb=1000 + 40 * STEPS)
    assert said(look(run, tmp_path)) == [("memory-leak", "suspected")]
    csv(tmp_path, step=STEPS, train_loss=LOSS, memory_mb=1000 + 900 * np.minimum(1, STEPS / 5))
    assert said(look(run, tmp_path)) == []


def test_stalls_are_counted(tmp_path):
    times = 0.1 * JITTER
    times[[20, 40]] = 30
    csv(tmp_path, step=STEPS, loss=LOSS, step_time=times)
    assert next(m.value for m in look(run, tmp_path).measures if "10 times" in m.name) == 2
