"""Gradients that are too small for float16 at a loss scale: bounds from row sums, against a count by entry."""

import pytest
import torch

from probes.checks import counters
from probes.discover import discover
from probes.saved.half_range import NORMAL, ZERO, lost


def saved(folder, v: torch.Tensor, weight: torch.Tensor | None = None, decay: float = 0.0, **more):
    """A checkpoint of one matrix whose mean squares are v."""
    state = {0: {"step": 5000, "exp_avg": torch.zeros_like(v), "exp_avg_sq": v * (1 - 0.999**5000)}}
    group = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": decay, "amsgrad": False, "params": [0]}
    weight = torch.randn(v.shape) if weight is None else weight
    torch.save({"model": {"a.weight": weight}, "optimizer": {"state": state, "param_groups": [group]}} | more,
               folder / "c.pt")  # fmt: skip
    return discover([folder])


SCALE = 2.0**10


def gradients() -> torch.Tensor:
    """Rows of RMS gradients around 1e-11, 1e-9, 1e-6 and 1: at this scale lost, small, small, fine."""
    torch.manual_seed(0)
    sizes = torch.tensor([1e-12, 1e-9, 1e-8, 1.0]).repeat_interleave(8)[:, None]
    return (sizes * torch.randn(32, 64).abs()).double().float()


def test_the_share_is_never_more_than_what_counting_every_entry_gives(tmp_path):
    g = gradients()
    found = lost(saved(tmp_path, g**2).last, SCALE)
    for told, limit in ((found.lost, ZERO), (found.coarse, NORMAL)):
        true = float((g * SCALE < limit).double().mean())
        assert 0 < told <= true + 1e-6 and told > true - 0.05


def test_what_never_had_a_gradient_is_left_out(tmp_path):
    g = gradients()
    g[:8] = 0
    assert lost(saved(tmp_path, g**2).last, SCALE).lost < 0.01
    assert lost(saved(tmp_path, 0 * g).last, SCALE) is None


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_with_coupled_decay_in_the_squares_nothing_is_said(tmp_path, decay):
    assert (lost(saved(tmp_path, gradients() ** 2, decay=decay).last, SCALE) is None) == (decay > 0)


def told(artifacts):
    names = (m.name for m in counters.run(artifacts, lambda *_: None).measures)
    return [name for name in names if "float16" in name]


def test_it_is_told_where_there_is_a_scaler_or_weights_in_float16_and_not_judged(tmp_path):
    v = gradients() ** 2
    assert told(saved(tmp_path, v)) == []
    scaler = {
        "scale": SCALE,
        "growth_factor": 2.0,
        "backoff_factor": 0.5,
        "growth_interval": 2000,
        "_growth_tracker": 3,
    }
    names = told(saved(tmp_path, v, scaler=scaler))
    assert len(names) == 2 and all("at a loss scale of 1024" in name for name in names)
    assert not counters.run(saved(tmp_path, v, scaler=scaler), lambda *_: None).verdicts
    assert all("without a loss scale" in name for name in told(saved(tmp_path, v, torch.randn(32, 64).half())))
