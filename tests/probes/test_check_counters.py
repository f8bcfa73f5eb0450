"""Mistakes of bookkeeping, made in real training loops, and the honest loops that look like them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)
from trained import mlp, tables

from probes.checks.counters import run
from probes.discover import discover
from probes.finding import Finding

BATCHES, EPOCHS = 20, 6
Make = Callable[[torch.optim.Optimizer], Any]


def probe(folder: Path) -> Finding:
    return run(discover([folder]), lambda fraction, text="": None)


def said(folder: Path) -> list[tuple[str, str]]:
    return [(v.diagnosis, v.verdict) for v in probe(folder).verdicts]


def loop(folder: Path, make: Make, per: str = "epoch", lr: float = 0.05, stands: bool = False) -> None:
    """Six epochs of twenty batches, saved after the third and the last; `stands`: the labels are noise, and logged."""
    torch.manual_seed(0)
    (x, y), model = tables(), mlp()
    y = torch.randint(0, 4, y.shape) if stands else y
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    scheduler: LRScheduler = make(optimizer)
    lines = ["epoch,train_loss"]
    for epoch in range(1, EPOCHS + 1):
        total = 0.0
        for rows in torch.randperm(len(x)).split(len(x) // BATCHES):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) / BATCHES
            if per == "batch":
                scheduler.step()
        if per == "epoch":
            scheduler.step()
        lines.append(f"{epoch},{total}")
        if epoch in (3, EPOCHS):
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "args": {"epochs": EPOCHS}}
            torch.save(state | {"lr_scheduler": scheduler.state_dict(), "epoch": epoch}, folder / f"ck_{epoch}.pt")
    if stands:
        (folder / "log.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "make",
    [
        lambda o: StepLR(o, 4, 0.5),
        lambda o: MultiStepLR(o, [2, 4, 5], 0.1),
        lambda o: ExponentialLR(o, 0.5),
        lambda o: LinearLR(o, 1.0, 0.0, total_iters=EPOCHS),
    ],
)
def test_a_schedule_in_epochs_that_was_stepped_once_a_batch_is_gone_early(tmp_path, make):
    loop(tmp_path, make, per="batch")
    assert said(tmp_path) == [("learning-rate-too-low", "suspected")]
    assert "once a batch" in probe(tmp_path).verdicts[0].because


def test_it_is_confirmed_where_the_loss_stands(tmp_path):
    loop(tmp_path, lambda o: ExponentialLR(o, 0.5), per="batch", lr=1e-4, stands=True)
    assert said(tmp_path) == [("learning-rate-too-low", "confirmed")]


@pytest.mark.parametrize(
    ("make", "per"),
    [
        (lambda o: StepLR(o, 4, 0.5), "epoch"),
        (lambda o: ExponentialLR(o, 0.5), "epoch"),
        (lambda o: ExponentialLR(o, 0.95), "batch"),
        (lambda o: CosineAnnealingLR(o, EPOCHS), "epoch"),
        (lambda o: CosineAnnealingLR(o, EPOCHS * BATCHES), "batch"),
        (lambda o: OneCycleLR(o, 0.05, EPOCHS * BATCHES + 1), "batch"),
        (lambda o: OneCycleLR(o, 0.05, EPOCHS + 1), "epoch"),
        (lambda o: LinearLR(o, 0.1, total_iters=20), "batch"),
        (lambda o: LinearLR(o, 0.1, total_iters=8), "epoch"),
    ],
)
def test_a_schedule_that_is_stepped_as_it_was_meant_is_not_accused(tmp_path, make, per):
    loop(tmp_path, make, per)
    assert said(tmp_path) == []


def test_a_cosine_as_long_as_the_epochs_that_turns_with_every_batch_is_suspected(tmp_path):
    loop(tmp_path, lambda o: CosineAnnealingLR(o, EPOCHS), per="batch")
    assert said(tmp_path) == [("training-loop-bug", "suspected")]


def test_a_cosine_as_long_as_all_batches_that_is_stepped_by_epochs_is_suspected(tmp_path):
    loop(tmp_path, lambda o: CosineAnnealingLR(o, EPOCHS * BATCHES), per="epoch")
    assert said(tmp_path) == [("training-loop-bug", "suspected")]


def test_a_one_cycle_that_never_leaves_its_warm_up_is_named_with_its_peak(tmp_path):
    loop(tmp_path, lambda o: OneCycleLR(o, 0.05, EPOCHS * BATCHES), per="epoch")
    (verdict,) = probe(tmp_path).verdicts
    assert (verdict.diagnosis, verdict.verdict) == ("learning-rate-too-low", "suspected")
    assert "still 0.00" in verdict.because and "up to 0.05" in verdict.because
    assert probe(tmp_path).facts["suggested_lr"] == "0.05"


def test_counters_of_a_plateau_schedule_stand_in_the_table(tmp_path):
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(mlp().parameters())
    plateau = ReduceLROnPlateau(optimizer)
    plateau.step(1.0)
    torch.save({"epoch": 1, "sched": plateau.state_dict(), "net": mlp().state_dict()}, tmp_path / "c.pt")
    (table,) = probe(tmp_path).tables
    assert table.columns == ("checkpoint", "epoch", "schedule steps")
    assert table.rows == (("c.pt", 1, 1),)


def sittings(
    folder: Path, restore: bool, lr: float = 1e-2, naming: str = "epoch", norm: bool = False, at: int = 4
) -> None:
    """Two sittings, the second from epoch `at` on, saved after epochs 1, 3, 4 and 6. `naming`: what tells how far."""
    torch.manual_seed(0)
    (x, y), model = tables(), nn.Sequential(nn.BatchNorm1d(16), mlp()) if norm else mlp()
    optimizer, done = torch.optim.Adam(model.parameters(), lr=1e-2), 0
    for epoch in range(1, 7):
        if epoch == at:
            state = optimizer.state_dict()
            optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=0 if lr == 1e-2 else 0.1)
            if restore:
                optimizer.load_state_dict(state)
        for rows in torch.randperm(len(x)).split(55):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            done += 1
        if epoch in (1, 3, 4, 6):
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            more = {name: value for name, value in (("epoch", epoch), ("step", done)) if name in naming}
            name = f"ep{epoch}.pt" if naming == "name" else f"weights-{'abcdefg'[epoch]}.pt"
            torch.save(state | more, folder / name)


def test_an_optimizer_that_was_not_restored_shows_in_its_own_count(tmp_path):
    sittings(tmp_path, restore=False)
    found = probe(tmp_path)
    assert said(tmp_path) == [("checkpoint-mismatch", "confirmed")]
    assert "33 at epoch 3 and 11 at epoch 4" in found.verdicts[0].because
    assert found.facts["step"] == "33"


@pytest.mark.parametrize(
    ("naming", "norm", "verdict"),
    [("step", False, "confirmed"), ("name", False, "suspected"), ("nothing", True, "suspected")],
)
def test_the_step_the_name_or_batch_norm_tells_it_where_no_epoch_is_saved(tmp_path, naming, norm, verdict):
    sittings(tmp_path, restore=False, naming=naming, norm=norm)
    assert said(tmp_path) == [("checkpoint-mismatch", verdict)]


@pytest.mark.parametrize(("naming", "norm"), [("epoch", True), ("step", True), ("name", False), ("nothing", True)])
def test_a_resume_with_everything_restored_is_not_accused(tmp_path, naming, norm):
    sittings(tmp_path, restore=True, naming=naming, norm=norm)
    assert said(tmp_path) == []


def test_a_second_stage_with_other_settings_is_only_suspected(tmp_path):
    sittings(tmp_path, restore=False, lr=1e-3)
    assert said(tmp_path) == [("checkpoint-mismatch", "suspected")]


@pytest.mark.parametrize(
    ("naming", "restore", "verdicts"),
    [
        ("epoch and step", False, [("checkpoint-mismatch", "suspected")]),
        ("step", False, [("checkpoint-mismatch", "inconclusive")]),
        ("epoch and step", True, []),
    ],
)
def test_one_file_is_enough_where_two_counters_agree_against_the_optimizer(tmp_path, naming, restore, verdicts):
    sittings(tmp_path, restore=restore, naming=naming, norm=True, at=3)
    for letter in "bde":
        (tmp_path / f"weights-{letter}.pt").unlink()
    assert said(tmp_path) == verdicts


def test_gradients_that_are_gathered_and_flushed_once_an_epoch_are_not_accused(tmp_path):
    """Ten batches an epoch, a step after every fourth and after the last: three steps for ten batches."""
    torch.manual_seed(0)
    (x, y), model = tables(), nn.Sequential(nn.BatchNorm1d(16), mlp())
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(7):
        for batch in range(1, 11):
            nn.functional.cross_entropy(model(x[:50]), y[:50]).backward()
            if batch in (4, 8, 10):
                optimizer.step()
                optimizer.zero_grad()
    state = {"step": 70, "epoch": 7, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, tmp_path / "last.pt")
    assert not {"confirmed", "suspected"} & {verdict for _, verdict in said(tmp_path)}


def test_checkpoints_of_two_runs_side_by_side_are_no_resume(tmp_path):
    for seed, epoch, steps in ((0, 2, 40), (1, 5, 20)):
        torch.manual_seed(seed)
        model = mlp()
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.randn(8, 16)).sum().backward()
            optimizer.step()
        state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state, tmp_path / f"fold{seed}.pt")
    assert said(tmp_path) == []


def test_accumulated_gradients_are_no_lost_count(tmp_path):
    torch.manual_seed(0)
    (x, y), model = tables(), nn.Sequential(nn.BatchNorm1d(16), mlp())
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(1, 61):
        nn.functional.cross_entropy(model(x[:50]), y[:50]).backward()
        if step % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
    state = {"step": 60, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, tmp_path / "last.pt")
    assert said(tmp_path) == []


def scaled(folder: Path, bad: Callable[[int], bool], steps: int = 60, save_step: bool = True) -> None:
    """Training with torch's own gradient scaler; `bad` steps have an infinite loss."""
    torch.manual_seed(0)
    (x, y), model, scaler = tables(), mlp(), torch.amp.GradScaler("cpu")
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[:50]), y[:50])
        scaler.scale(loss * (float("inf") if bad(step) else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "amp": {"scaler": scaler.state_dict()}}
    torch.save(state | ({"step": steps} if save_step else {}), folder / "last.pt")


def test_overflows_are_counted_from_the_scale_and_the_steps_that_were_skipped(tmp_path):
    scaled(tmp_path, lambda step: step in (0, 1, 2, 7, 45))
    found = probe(tmp_path)
    numbers = {m.name: m.value for m in found.measures}
    assert numbers["halvings of the loss scale less doublings, from 65,536"] == 5
    assert numbers["updates since its last overflow or doubling"] == 14
    assert numbers["steps of the file beyond the optimizer's"] == 5
    assert found.verdicts == ()


@pytest.mark.parametrize(("overflows", "verdict"), [(16, None), (18, "suspected"), (30, "confirmed")])
def test_a_loss_scale_that_keeps_falling_is_no_longer_normal(tmp_path, overflows, verdict):
    scaled(tmp_path, lambda step: step < overflows, save_step=False)
    assert said(tmp_path) == ([("numerical-instability", verdict)] if verdict else [])


def test_an_optimizer_without_any_state_late_in_a_run_was_never_stepped(tmp_path):
    state = {"model": mlp().state_dict(), "optimizer": torch.optim.Adam(mlp().parameters()).state_dict(), "epoch": 8}
    torch.save(state, tmp_path / "last.pt")
    assert said(tmp_path) == [("training-loop-bug", "inconclusive")]
    rows = "".join(f"{epoch},{1.39 + 0.001 * (epoch % 2)}\n" for epoch in range(9))
    (tmp_path / "log.csv").write_text("epoch,train_loss\n" + rows)
    assert said(tmp_path) == [("training-loop-bug", "confirmed")]


def test_plain_sgd_and_a_fresh_optimizer_are_not_accused(tmp_path):
    for name, make, epoch in (("sgd", torch.optim.SGD, 8), ("fresh", torch.optim.Adam, 0)):
        folder = tmp_path / name
        folder.mkdir()
        state = {"model": mlp().state_dict(), "optimizer": make(mlp().parameters(), lr=0.1).state_dict()}
        torch.save(state | {"epoch": epoch}, folder / "last.pt")
        assert said(folder) == []


def test_weights_alone_hold_no_counters(tmp_path):
    torch.save(mlp().state_dict(), tmp_path / "weights.pt")
    assert probe(tmp_path).status == "could-not-check"
