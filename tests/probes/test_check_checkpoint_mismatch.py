"""Checkpoints that do not fit their model, resumes that lost the optimizer, and honest files."""

from pathlib import Path

import pytest
import torch
from torch import nn
from trained import mlp, tables

from probes.checks.checkpoint_mismatch import run
from probes.discover import discover
from probes.finding import Finding

TARGET = (
    "from torch import nn\n\ndef build_model():\n"
    "    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))\n\n"
    "loss_fn = nn.CrossEntropyLoss()\n\ndef load_batch():\n    raise RuntimeError('not needed')\n"
)


def probe(folder: Path, target: bool = False) -> Finding:
    (folder / "model.py").write_text(TARGET)
    return run(discover([folder], folder / "model.py" if target else None), lambda fraction, text="": None)


def said(finding: Finding) -> list[tuple[str, str]]:
    return [(v.verdict, v.source) for v in finding.verdicts]


def sittings(folder: Path, restore: bool, lr: float = 1e-2) -> None:
    """Two sittings of three epochs each, with a checkpoint at epochs 1, 3, 4 and 6."""
    torch.manual_seed(0)
    (x, y), model = tables(), mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(1, 7):
        if epoch == 4:
            state = optimizer.state_dict()
            optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=0 if lr == 1e-2 else 0.1)
            if restore:
                optimizer.load_state_dict(state)
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        if epoch in (1, 3, 4, 6):
            state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, folder / f"checkpoint_{epoch}.pt")


def test_an_optimizer_that_was_not_restored_shows_in_its_own_count(tmp_path):
    sittings(tmp_path, restore=False)
    found = probe(tmp_path)
    assert said(found) == [("confirmed", "counters")]
    assert "36 at epoch 3 and 12 at epoch 4" in found.verdicts[0].because


def test_a_resume_with_everything_restored_is_not_accused(tmp_path):
    sittings(tmp_path, restore=True)
    assert said(probe(tmp_path)) == [("inconclusive", "names")]
    assert said(probe(tmp_path, target=True)) == [("ruled_out", "names")]


def test_a_second_stage_with_other_settings_is_only_suspected(tmp_path):
    sittings(tmp_path, restore=False, lr=1e-3)
    assert said(probe(tmp_path)) == [("suspected", "counters")]


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
    assert said(probe(tmp_path)) == [("inconclusive", "names")]


@pytest.mark.parametrize(
    ("prefix", "verdict"), [("module.", "confirmed"), ("_orig_mod.", "confirmed"), ("", "inconclusive")]
)
def test_a_wrapper_prefix_does_not_load_into_the_bare_model(tmp_path, prefix, verdict):
    torch.save({prefix + n: t for n, t in mlp().state_dict().items()}, tmp_path / "weights.pt")
    assert said(probe(tmp_path, target=True)) == [(verdict, "names")]


def test_a_prefix_alone_is_told_and_not_judged(tmp_path):
    torch.save({"module." + n: t for n, t in mlp().state_dict().items()}, tmp_path / "weights.pt")
    found = probe(tmp_path)
    assert said(found) == [("inconclusive", "names")]
    assert "module." in found.verdicts[0].because
    assert found.needs


def test_missing_tensors_and_other_shapes_are_named(tmp_path):
    state = mlp().state_dict()
    state.pop("2.bias")
    state["4.weight"] = torch.zeros(10, 32)
    torch.save(state, tmp_path / "weights.pt")
    found = probe(tmp_path, target=True)
    assert said(found) == [("confirmed", "names")]
    assert "2.bias" in found.verdicts[0].because and "4.weight" in found.verdicts[0].because
    assert found.facts["layers"] == "2.bias, 4.weight"


def test_another_models_file_is_not_called_broken(tmp_path):
    torch.save({"conv.weight": torch.zeros(4, 3, 3, 3), "conv.bias": torch.zeros(4)}, tmp_path / "weights.pt")
    assert said(probe(tmp_path, target=True)) == [("suspected", "names")]
