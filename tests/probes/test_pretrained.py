"""Runs that began with trained weights, told from fresh ones by how far their normalisations' scales lie apart."""

from pathlib import Path

import pytest
import torch
from curves_on_disk import csv
from torch import nn
from trained import tables

from probes.checks.checkpoint_drift import run as drift
from probes.checks.learning_curves import run as curves
from probes.discover import discover
from probes.saved.pretrained import pretrained


def adam(lr: float):
    return lambda model: torch.optim.AdamW(model.parameters(), lr=lr)


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, many: int) -> float:
    (x, y), loss = tables(), torch.zeros(())
    for _ in range(many):
        rows = torch.randint(0, len(x), (64,))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    return loss.item()


def trained(folder: Path, before: int, make) -> Path:
    """`before` steps of Adam at 3e-3 that leave no file, then ten epochs of ten steps with a new optimizer."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 4))
    steps(model, torch.optim.Adam(model.parameters(), lr=3e-3), before)
    optimizer, losses = make(model), []
    for epoch in range(1, 11):
        losses.append(steps(model, optimizer, 10))
        if epoch in (1, 5, 10):
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
            torch.save(state, folder / f"epoch_{epoch:02d}.pt")
    level = sum(losses) / len(losses)
    csv(folder, epoch=range(1, 11), train_loss=[level * (1.02 - 0.002 * k) for k in range(10)])
    return folder


@pytest.mark.parametrize(
    ("before", "make", "answer"),
    [
        (300, adam(1e-5), True),
        (0, adam(1e-5), False),
        (0, adam(1e-2), False),
        (300, lambda m: torch.optim.SGD(m.parameters(), lr=1e-4, momentum=0.9), False),  # there is no bound
    ],
)
def test_scales_that_the_steps_cannot_have_taken_apart_were_trained_before(tmp_path, before, make, answer):
    assert pretrained(discover([trained(tmp_path, before, make)])) is answer


def test_weights_alone_do_not_tell(tmp_path):
    torch.save(nn.LayerNorm(8).state_dict(), tmp_path / "weights.pt")
    assert not pretrained(discover([tmp_path]))
    assert not pretrained(discover([]))


@pytest.mark.parametrize(("before", "accused"), [(300, False), (0, True)])
def test_small_steps_are_too_small_for_a_fresh_net_and_right_for_a_trained_one(tmp_path, before, accused):
    artifacts = discover([trained(tmp_path, before, adam(1e-5))])
    found = [v for run in (drift, curves) for v in run(artifacts, lambda fraction, text="": None).verdicts]
    said = {v.diagnosis for v in found if v.verdict in {"confirmed", "suspected"}}
    assert ("learning-rate-too-low" in said) is accused
    assert accused or not said
