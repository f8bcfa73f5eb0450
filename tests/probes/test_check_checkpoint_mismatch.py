"""Checkpoints that do not fit their model, and honest files."""

from pathlib import Path

import pytest
import torch
from trained import mlp

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


def test_a_model_that_fits_is_ruled_out_only_where_the_optimizer_counted_on(tmp_path):
    for epoch, steps in ((1, 12), (2, 24)):
        torch.manual_seed(0)
        model = mlp()
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(steps):
            model(torch.ones(1, 16)).sum().backward()
            optimizer.step()
        state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state, tmp_path / f"{epoch}.pt")
    assert said(probe(tmp_path, target=True)) == [("ruled_out", "names")]
    (tmp_path / "1.pt").unlink()
    assert said(probe(tmp_path, target=True)) == [("inconclusive", "names")]
