"""Losses that go through the same pattern in every epoch."""

import numpy as np
import pytest

from probes.artifacts import Artifacts, Log, Series
from probes.checks.epoch_sawtooth import run
from probes.finding import Finding

PER_EPOCH, EPOCHS = 40, 8
STEPS = np.arange(PER_EPOCH * EPOCHS)


def probe(loss: np.ndarray, whole: bool = False) -> Finding:
    from pathlib import Path

    epoch = STEPS / PER_EPOCH
    epoch = np.floor(epoch) if whole else epoch
    series = Series("train/loss", "loss", STEPS.astype(float), loss, "step", epoch)
    log = Log(Path("log.jsonl"), "jsonl", (series,))
    return run(Artifacts(logs=(log,)), lambda fraction, text="": None)


def noise(seed: int) -> np.ndarray:
    return 0.05 * np.random.default_rng(seed).normal(size=len(STEPS))


def falling() -> np.ndarray:
    return 1 + np.exp(-STEPS / 100)


@pytest.mark.parametrize("whole", [False, True])
def test_samples_in_the_same_order_every_epoch_show(whole):
    by_class = np.repeat([0.3, -0.2, 0.1, -0.4], PER_EPOCH // 4)
    found = probe(falling() + np.tile(by_class, EPOCHS) + noise(0), whole)
    assert [(v.diagnosis, v.verdict) for v in found.verdicts] == [("unshuffled-data", "suspected")]


@pytest.mark.parametrize("seed", range(10))
def test_shuffled_data_are_never_accused(seed):
    assert all(v.verdict != "suspected" for v in probe(falling() + noise(seed)).verdicts)


def test_a_mean_that_starts_anew_each_epoch_is_not_held_against_the_data():
    raw = falling() + noise(1)
    running = np.concatenate([np.cumsum(e) / np.arange(1, PER_EPOCH + 1) for e in raw.reshape(EPOCHS, -1)])
    assert all(v.verdict in {"inconclusive", "ruled_out"} for v in probe(running).verdicts)


def test_one_value_an_epoch_cannot_show_it():
    from pathlib import Path

    series = Series("train/loss", "loss", np.arange(30.0), np.linspace(2, 1, 30), "epoch")
    log = Log(Path("log.csv"), "csv", (series,))
    assert run(Artifacts(logs=(log,)), lambda fraction, text="": None).status == "could-not-check"
