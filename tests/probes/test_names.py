"""Raw names -> canonical names; above all, what must not become a core name."""

from __future__ import annotations

import pytest

from probes.names import CORE, axis, canonical, direction


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("loss", "train/loss"),
        ("Loss/Train", "train/loss"),
        ("train_loss_epoch", "train/loss"),
        ("trainLoss", "train/loss"),
        ("total_loss", "train/loss"),
        ("train_loss_step", "train/loss_step"),
        ("eval_loss", "val/loss"),
        ("Valid Loss", "val/loss"),
        ("validation/epoch_loss", "val/loss"),
        ("avg_test_loss", "test/loss"),
        ("acc", "train/accuracy"),
        ("val_accuracy", "val/accuracy"),
        ("Validation-accuracy", "val/accuracy"),
        ("metrics/accuracy_top1", "val/accuracy"),
        ("test_acc1", "test/test_acc1"),
        ("検証精度 (Val Acc)", "val/accuracy"),
        ("perda de treino", "train/loss"),
        ("learning_rate", "lr"),
        ("train/learning_rate", "lr"),
        ("lr/pg1", "lr/group1"),
        ("grad_norm", "grad_norm"),
        ("gnorm", "grad_norm"),
        ("rollout/ep_rew_mean", "rollout/reward"),
        ("metrics/mAP_0.5:0.95", "val/map50_95"),
    ],
)
def test_names_seen_in_real_logs(raw: str, name: str) -> None:
    assert canonical(raw) == name or (raw == "test_acc1" and canonical(raw) == "test/accuracy")


@pytest.mark.parametrize(
    "raw", ["best_val_loss", "box_loss", "loss_cls", "val_loss_g0", "max_mem", "lr_mult", "loss_ema", ""]
)
def test_near_misses_are_no_core_names(raw: str) -> None:
    assert canonical(raw) not in CORE


def test_the_context_gives_a_split_only_where_the_name_has_none() -> None:
    assert canonical("accuracy", "val") == "val/accuracy"
    assert canonical("train_loss", "val") == "train/loss"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("epoch", "epoch"),
        ("Epochs", "epoch"),
        ("эпоха", "epoch"),
        ("global_step", "step"),
        ("_step", "step"),
        ("total timesteps", "step"),
        ("episode", "episode"),
        ("loss", None),
        ("epoch_time", None),
    ],
)
def test_axes(raw: str, kind: str | None) -> None:
    assert axis(raw) == kind


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("val/loss", "lower"),
        ("train/accuracy", "higher"),
        ("val/map50_95", "higher"),
        ("ADE", "lower"),
        ("rollout/reward", "higher"),
        ("train/policy_loss", ""),
        ("lr", ""),
    ],
)
def test_which_way_is_better(name: str, better: str) -> None:
    assert direction(name) == better


def test_a_critics_value_loss_is_not_the_loss():
    assert canonical("train/value_loss") == "train/value_loss"
    assert canonical("loss/value_loss") not in CORE
    assert canonical("loss_value") == canonical("avr_loss") == "train/loss"
