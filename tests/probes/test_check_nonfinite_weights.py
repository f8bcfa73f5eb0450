"""Values that are no numbers: in weights, in the optimizer's state, and in which file they come first."""

from pathlib import Path

import pytest
import torch
from trained import mlp

from probes.checks.nonfinite_weights import run
from probes.discover import discover
from probes.finding import Finding


def save(folder: Path, name: str, poison: str = "", value: float = float("nan")) -> None:
    """A checkpoint after two steps of Adam, with one bad entry in the named tensor or slot."""
    torch.manual_seed(0)
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(2):
        model(torch.randn(8, 16)).square().mean().backward()
        optimizer.step()
    weights, state = model.state_dict(), optimizer.state_dict()
    if poison in weights:
        weights[poison].view(-1)[3] = value
    elif poison:
        state["state"][0][poison].view(-1)[3] = value
    torch.save({"model": weights, "optimizer": state}, folder / name)


def probe(folder: Path) -> Finding:
    return run(discover([folder]), lambda fraction, text="": None)


def test_one_nan_is_found_with_its_tensor_and_its_first_file(tmp_path):
    save(tmp_path, "epoch_1.pt")
    save(tmp_path, "epoch_2.pt", "2.weight")
    save(tmp_path, "epoch_3.pt", "0.bias")
    found = probe(tmp_path)
    (verdict,) = found.verdicts
    assert (verdict.diagnosis, verdict.verdict, verdict.kind) == ("numerical-instability", "confirmed", "proved")
    assert found.facts == {"checkpoint": "epoch_2.pt", "tensor": "2.weight"}
    assert "epoch_1.pt before it is finite" in verdict.because
    assert found.tables[0].rows[0][4] == 1


def test_an_overflowed_second_moment_beside_finite_weights_means_frozen(tmp_path):
    save(tmp_path, "epoch_1.pt", "exp_avg_sq", float("inf"))
    (verdict,) = probe(tmp_path).verdicts
    assert verdict.verdict == "confirmed"
    assert verdict.source == "optimizer-state"
    assert "exactly 0" in verdict.because


def test_a_second_moment_close_to_overflow_is_only_suspected(tmp_path):
    save(tmp_path, "epoch_1.pt", "exp_avg_sq", 1e35)
    assert probe(tmp_path).verdicts[0].verdict == "suspected"


@pytest.mark.parametrize("name", ["epoch_1.pt"])
def test_finite_files_rule_out_no_more_than_that(tmp_path, name):
    save(tmp_path, name)
    (verdict,) = probe(tmp_path).verdicts
    assert verdict.verdict == "ruled_out"
    assert "1 files are finite" in verdict.because
