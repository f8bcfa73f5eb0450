"""Modes that were forgotten, from batch norm's own counters; and the habits that only look like it."""

from pathlib import Path

import pytest
import torch
from torch import nn
from trained import tables

from probes.checks.batch_norm import run
from probes.discover import discover


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 4))


def trained(folder: Path, mode: str, epochs: int = 9) -> None:
    """Nine epochs of ten batches, three of validation after each; `mode` is how it is done."""
    (x, y), model = tables(), net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, epochs + 1):
        if mode == "never trains" or (mode == "forgets to go back" and epoch > 3):
            model.eval()
        else:
            model.train()
        for step, rows in enumerate(torch.randperm(len(x)).split(60), 1):
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            if mode != "accumulates" or step % 2 == 0:
                optimizer.step()
                optimizer.zero_grad()
        if mode != "validates in training mode":
            model.eval()
        with torch.no_grad():
            for rows in torch.arange(len(x)).split(200):
                model(x[rows])
        if epoch % 3 == 0:
            state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, folder / f"checkpoint_{epoch}.pt")


def said(folder: Path) -> dict[str, str]:
    found = run(discover([folder]), lambda fraction, text="": None)
    return {v.diagnosis: v.verdict for v in found.verdicts}


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [
        ("properly", "ruled_out"),
        ("validates in training mode", "confirmed"),
        ("accumulates", "inconclusive"),
        ("forgets to go back", "suspected"),
        ("never trains", "suspected"),
    ],
)
def test_the_counters_tell_in_which_mode_batches_were_seen(tmp_path, mode, verdict):
    trained(tmp_path, mode)
    assert said(tmp_path)["train-eval-mode"] == verdict


def test_statistics_that_were_never_gathered_are_named_where_the_layer_was_trained(tmp_path):
    trained(tmp_path, "never trains")
    assert said(tmp_path)["batch-norm-trouble"] == "suspected"


def test_a_pretrained_counter_in_one_file_is_not_judged(tmp_path):
    trained(tmp_path, "properly", epochs=3)
    file = next(tmp_path.glob("*.pt"))
    state = torch.load(file)
    state["model"]["1.num_batches_tracked"] += 5017
    torch.save(state, file)
    assert said(tmp_path) == {}


def test_an_averaged_copy_without_counter_is_not_judged(tmp_path):
    trained(tmp_path, "properly", epochs=3)
    file = next(tmp_path.glob("*.pt"))
    state = torch.load(file)
    state["model"]["1.num_batches_tracked"] *= 0
    torch.save(state, file)
    assert said(tmp_path) == {}


def test_a_negative_variance_is_proof(tmp_path):
    state = net().state_dict()
    state["1.running_var"][3] = -0.5
    torch.save(state, tmp_path / "weights.pt")
    assert said(tmp_path) == {"batch-norm-trouble": "confirmed"}


def test_a_fresh_net_is_not_accused(tmp_path):
    torch.save(net().state_dict(), tmp_path / "weights.pt")
    assert said(tmp_path) == {}


@pytest.mark.parametrize(("momentum", "verdict"), [(1e-6, "suspected"), (0.1, None)])
def test_statistics_that_hardly_take_anything_in_are_named(tmp_path, momentum, verdict):
    torch.manual_seed(0)
    norms = nn.Sequential(nn.BatchNorm1d(16, momentum=momentum), nn.Linear(16, 8), nn.BatchNorm1d(8, momentum=momentum))
    for _ in range(120):
        norms(torch.randn(40, 16))
    torch.save(norms.state_dict(), tmp_path / "model.pt")
    assert said(tmp_path).get("batch-norm-trouble") == verdict


def fine_tuned(folder: Path, *, affine: bool) -> None:
    """A network that was pretrained for 200 batches, its batch norm then kept in evaluation mode for 90 steps."""
    (x, y), model = tables(), net()
    for _ in range(200):
        model(x[torch.randint(0, len(x), (32,))])
    model.eval()
    model[1].requires_grad_(affine)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(1, 91):
        rows = torch.randint(0, len(x), (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
        if step % 30 == 0:
            state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, folder / f"step_{step}.pt")


@pytest.mark.parametrize("affine", [True, False])
def test_pretrained_statistics_that_are_kept_on_purpose_are_no_forgotten_mode(tmp_path, affine):
    fine_tuned(tmp_path, affine=affine)
    assert said(tmp_path)["train-eval-mode"] == "inconclusive"


def test_a_layer_frozen_as_a_whole_is_no_forgotten_mode_without_earlier_batches_either(tmp_path):
    fine_tuned(tmp_path, affine=False)
    for file in tmp_path.glob("*.pt"):
        state = torch.load(file)
        state["model"]["1.num_batches_tracked"] -= 190
        torch.save(state, file)
    assert said(tmp_path)["train-eval-mode"] == "inconclusive"
