"""What is said of a log, for logs as people have them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from curves_on_disk import csv, head, look, said
from torch import nn

from probes.artifacts import Artifacts, Log, Series
from probes.checks.learning_curves import run
from probes.discover import discover
from probes.finding import Finding

EPOCHS = np.arange(1.0, 31.0)


def judged(**columns: np.ndarray) -> dict[str, str]:
    found = finding(**columns)
    return {v.diagnosis: v.verdict for v in found.verdicts}


def finding(**columns: np.ndarray) -> Finding:
    series = tuple(
        Series(name.replace("_", "/", 1), name, np.arange(1.0, len(y) + 1), np.asarray(y, dtype=np.float64), "epoch")
        for name, y in columns.items()
    )
    return run(Artifacts(logs=(Log(Path("log.csv"), "csv", series),)), lambda fraction, text="": None)


def falling(end: float, start: float = 2.0, speed: float = 0.25) -> np.ndarray:
    return end + (start - end) * np.exp(-speed * EPOCHS)


def alarms(verdicts: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in verdicts.items() if v in {"confirmed", "suspected"}}


def test_a_validation_loss_that_turns_up_while_training_falls_is_overfitting():
    rising = np.concatenate([np.linspace(1.5, 0.6, 8), np.linspace(0.62, 1.4, 22)])
    found = finding(train_loss=falling(0.01), val_loss=rising)
    assert {v.diagnosis: v.verdict for v in found.verdicts}["overfitting"] == "confirmed"
    assert found.facts["best_epoch"] in {"epoch 7", "epoch 8", "epoch 9"}
    assert found.plots[0].marks


def test_a_loss_that_only_came_down_to_chance_rules_no_rate_out(tmp_path):
    csv(tmp_path, epoch=EPOCHS, train_loss=falling(1.61, 12.0, 0.9), train_acc=np.full(30, 0.21))
    head(tmp_path, 5)
    verdicts = dict(said(look(run, tmp_path)))
    assert not {"learning-rate-too-high", "learning-rate-too-low"} & {
        d for d, v in verdicts.items() if v == "ruled_out"
    }


def test_a_loss_that_rises_is_not_said_to_fall():
    found = finding(train_loss=np.linspace(1.6, 90.0, 10))
    assert "underfitting" not in {v.diagnosis for v in found.verdicts}
    (stands,) = (v for v in finding(train_loss=np.linspace(1.6, 1.7, 10)).verdicts if v.diagnosis == "underfitting")
    assert "rises by" in stands.because


def test_overfitting_shows_in_accuracies_alone():
    assert judged(train_accuracy=falling(0.99, 0.1), val_accuracy=falling(0.65, 0.1))["overfitting"] == "confirmed"


def test_one_bad_validation_at_the_end_is_no_gap():
    x = np.arange(10)
    accuracies = {"train/accuracy": 0.9 - 0.5 * 0.7**x, "val/accuracy": np.append(0.88 - 0.5 * 0.7 ** x[:9], 0.44)}
    losses = {"train/loss": falling(0.3)[:10], "val/loss": np.append(falling(0.4)[:9], 1.4)}
    assert "overfitting" not in alarms(judged(**losses, **accuracies))


def test_early_stopping_patience_is_not_overfitting():
    val = np.concatenate([np.linspace(1.5, 0.5, 26), [0.505, 0.51, 0.508, 0.512]])
    assert judged(train_loss=falling(0.3), val_loss=val)["overfitting"] == "ruled_out"


@pytest.mark.parametrize("seed", range(8))
def test_a_noisy_healthy_run_is_not_accused(seed: int):
    random = np.random.default_rng(seed)
    train = falling(0.3) * np.exp(0.05 * random.normal(size=30))
    val = falling(0.4) * np.exp(0.05 * random.normal(size=30))
    accuracy = np.clip(1 - 0.4 * val, 0, 1)
    assert alarms(judged(train_loss=train, val_loss=val, val_accuracy=accuracy)) == {}


def test_a_loss_that_turns_nan_names_the_step_and_what_came_before():
    train = falling(0.1)
    train[20:] = np.nan
    found = finding(train_loss=train)
    verdicts = {v.diagnosis: v for v in found.verdicts}
    assert verdicts["numerical-instability"].verdict == "confirmed"
    assert found.facts["first_bad_step"] == "epoch 21"
    assert "just before" in verdicts["numerical-instability"].because
    assert verdicts["exploding-gradients"].verdict == "inconclusive"


def test_nan_between_good_values_is_no_fault():
    train = falling(0.1)
    train[::3] = np.nan
    assert "numerical-instability" not in alarms(judged(train_loss=train))


def test_a_loss_that_grows_until_it_overflows_is_a_rate_that_is_too_high():
    train = 2.0 * 8.0 ** np.arange(30)
    train[20:] = np.inf
    found = judged(train_loss=train)
    assert found["learning-rate-too-high"] == "confirmed"
    assert found["numerical-instability"] == "confirmed"


def test_a_straight_slow_fall_is_suspected_to_be_too_slow():
    assert judged(train_loss=np.linspace(2.3, 2.2, 30))["learning-rate-too-low"] == "suspected"


def test_poor_accuracies_on_both_sides_are_underfitting():
    found = judged(train_loss=falling(1.5), train_accuracy=falling(0.3, 0.1), val_accuracy=falling(0.29, 0.1))
    assert found["underfitting"] == "suspected"


def test_losses_of_agents_and_of_adversaries_are_not_judged():
    random = np.random.default_rng(0)
    critic = 1 + np.cumsum(np.abs(random.normal(size=30)))
    assert alarms(judged(train_loss=critic, rollout_reward=np.linspace(0, 200, 30))) == {}
    assert alarms(judged(train_loss=np.full(30, math.log(2)), d_loss=np.full(30, math.log(2)))) == {}


def test_four_points_are_too_few_for_any_accusation():
    assert alarms(judged(train_loss=np.array([1.0, 1.1, 1.2, 1.3]), val_loss=np.array([1.0, 1.3, 1.6, 2.0]))) == {}


def test_six_evaluations_show_a_rise_without_a_step_back():
    train = np.array([11.0, 5.0, 2.0, 0.5, 0.05, 0.005])
    val = np.array([10.9, 9.3, 10.4, 11.8, 13.0, 14.2])
    assert judged(train_loss=train, val_loss=val)["overfitting"] == "confirmed"


def test_no_loss_at_all_cannot_be_checked():
    found = run(Artifacts(), lambda fraction, text="": None)
    assert found.status == "could-not-check"
    assert found.needs


def test_the_finding_survives_the_way_through_json():
    train = falling(0.1)
    train[20:] = np.nan
    found = finding(train_loss=train)
    assert Finding.from_json(found.to_json()).title == found.title


def test_no_overfitting_is_confirmed_where_the_training_loss_ends_at_the_heads_chance(tmp_path):
    torch.save(nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 3)).state_dict(), tmp_path / "model.pt")
    train = [76.0, 1.4, *np.linspace(1.25, 1.12, 18)]
    val = [1.04, 1.05, *np.linspace(1.06, 1.38, 18)]
    rows = "".join(f"{i},{a},{b}\n" for i, (a, b) in enumerate(zip(train, val, strict=True), 1))
    (tmp_path / "log.csv").write_text("epoch,train_loss,val_loss\n" + rows)
    found = {v.diagnosis: v for v in run(discover([tmp_path]), lambda fraction, text="": None).verdicts}
    assert found["overfitting"].verdict == "inconclusive"
    assert "3 classes" in found["overfitting"].because


def test_a_rise_that_one_sample_can_make_is_not_confirmed(tmp_path):
    torch.save(nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 6)).state_dict(), tmp_path / "model.pt")
    val = [*np.geomspace(1.2, 0.011, 8), *np.linspace(0.013, 0.03, 8)]
    rows = "".join(f"{i},{a},{b}\n" for i, (a, b) in enumerate(zip(np.geomspace(1.5, 0.005, 16), val, strict=True), 1))
    (tmp_path / "log.csv").write_text("epoch,train_loss,val_loss\n" + rows)
    found = {v.diagnosis: v for v in run(discover([tmp_path]), lambda fraction, text="": None).verdicts}
    assert found["overfitting"].verdict == "suspected"
    assert "a few samples" in found["overfitting"].because


def test_a_validation_loss_far_above_chance_from_the_start_is_no_overfitting(tmp_path):
    """As running statistics that were never gathered make it, while the training loss falls as it should."""
    torch.save(nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 6)).state_dict(), tmp_path / "model.pt")
    both = zip(np.geomspace(1.1, 0.03, 16), np.linspace(106, 186, 16), strict=True)
    rows = "".join(f"{i},{a},{b}\n" for i, (a, b) in enumerate(both, 1))
    (tmp_path / "log.csv").write_text("epoch,train_loss,val_loss\n" + rows)
    found = {v.diagnosis: v for v in run(discover([tmp_path]), lambda fraction, text="": None).verdicts}
    assert found["overfitting"].verdict == "inconclusive"
    assert "another mode" in found["overfitting"].because


def test_a_loss_that_falls_fast_to_the_end_does_not_bounce():
    loss = np.array([0.67, 0.57, 0.53, 0.46, 0.36, 0.28, 0.22, 0.204])
    assert "learning-rate-too-high" not in alarms(judged(train_loss=loss))
    assert "learning-rate-too-high" in alarms(
        judged(train_loss=np.array([0.7, 0.6, 0.7, 0.3, 0.6, 0.3, 0.6, 0.3, 0.5]))
    )


def test_validation_that_is_far_worse_than_chance_from_the_first_epoch_is_not_called_overfitting(tmp_path):
    csv(tmp_path, epoch=np.arange(12), train_loss=np.geomspace(1.2, 0.06, 12), val_loss=np.linspace(3.2, 13, 12),
        val_acc=np.full(12, 0.26))  # fmt: skip
    head(tmp_path, 5)
    assert ("overfitting", "inconclusive") in said(look(run, tmp_path))


def test_training_on_is_not_advised_where_it_only_makes_validation_worse():
    slow, worse = np.linspace(1.61, 1.38, 30), np.linspace(1.61, 1.68, 30)
    assert "learning-rate-too-low" in alarms(judged(train_loss=slow))
    assert "learning-rate-too-low" not in alarms(judged(train_loss=slow, val_loss=worse))


def test_a_rise_within_the_jumps_of_a_noisy_validation_loss_is_not_overfitting():
    """Losses of sampled pairs double and halve from one epoch to the next, at the end as everywhere."""
    val = np.array([0.145, 0.122, 0.061, 0.054, 0.056, 0.031, 0.044, 0.022, 0.024, 0.016, 0.033, 0.032])
    verdicts = judged(train_loss=np.geomspace(0.27, 0.014, 12), val_loss=val)
    assert alarms(verdicts) == {}
    assert verdicts["overfitting"] == "inconclusive"
    smooth = np.concatenate([np.geomspace(0.145, 0.022, 8), np.geomspace(0.024, 0.034, 4)])
    assert alarms(judged(train_loss=np.geomspace(0.27, 0.014, 12), val_loss=smooth)) == {"overfitting": "confirmed"}


def test_a_large_loss_of_a_net_that_is_mostly_right_is_not_called_knowing_nothing(tmp_path):
    loss = np.append(np.geomspace(2.4, 2.1, 10), [2.0, 2.05])
    csv(tmp_path, epoch=np.arange(1, 13), train_loss=loss, val_loss=loss + 0.1, val_acc=np.linspace(0.5, 0.93, 12))
    head(tmp_path, 8)
    assert "underfitting" not in [d for d, v in said(look(run, tmp_path)) if v in {"confirmed", "suspected"}]
