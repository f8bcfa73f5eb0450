"""Gradient sizes and last updates read from the state of each kind of optimizer, against those of the training."""

import math

import pytest
import torch
from torch import nn
from trained import mlp, tables

from probes.discover import discover
from probes.readers.checkpoints.quantised import Quantised
from probes.saved import moments, statistics
from probes.saved.starved import starved


class Lion(torch.optim.Optimizer):
    """The published rule, with state as the usual packages keep it."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "use_triton": False})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                held = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                b1, b2 = group["betas"]
                p.add_(torch.sign(b1 * held + (1 - b1) * p.grad), alpha=-group["lr"])
                held.mul_(b2).add_(p.grad, alpha=1 - b2)


MAKERS = {
    "nadam": lambda p: torch.optim.NAdam(p, lr=2e-3),
    "radam": lambda p: torch.optim.RAdam(p, lr=2e-3),
    "adamax": lambda p: torch.optim.Adamax(p, lr=2e-3),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-2, initial_accumulator_value=0.1),
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=1e-2),
    "lion": lambda p: Lion(p),
}
WEIGHTS = {"nadam": 0.999, "radam": 0.999, "adadelta": 0.9}
"""Decay of the mean of squares that the state holds; Adagrad's is a plain mean, Adafactor's changes with the step."""
UPDATES = {"radam", "adamax", "lion"}


def trained(folder, name: str, steps: int = 60, model: nn.Module | None = None):
    """(checkpoint, mean squared gradient norm by parameter with the optimizer's weights, last update by parameter)"""
    torch.manual_seed(0)
    model, (x, y) = model or mlp(), tables()
    optimizer = MAKERS[name](list(model.parameters()))
    squares = {n: 0.0 for n, _ in model.named_parameters()}
    total, before = 0.0, {}
    for step in range(1, steps + 1):
        rows = torch.randint(0, len(x), (64,))
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        kept = WEIGHTS.get(name, 1 - step**-0.8 if name == "adafactor" else 1 - 1 / step)
        total = kept * total + 1 - kept
        for n, p in model.named_parameters():
            squares[n] = kept * squares[n] + (1 - kept) * float(p.grad.double().square().sum())
        before = {n: p.detach().double().clone() for n, p in model.named_parameters()}
        optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "model.pt")
    moved = {n: float((p.detach().double() - before[n]).norm()) for n, p in model.named_parameters()}
    return discover([folder]).last, {n: s / total for n, s in squares.items()}, moved


@pytest.mark.parametrize("name", ["nadam", "radam", "adadelta", "adagrad", "adafactor"])
def test_the_gradients_size_is_the_one_that_hooks_measured(tmp_path, name):
    last, squares, _ = trained(tmp_path, name)
    assert last.optimizer.kind == name
    for parameter, square in squares.items():
        sums = statistics.of(last).of(last.tensors[parameter])
        assert sums.norm == pytest.approx(math.sqrt(square), rel=2e-3), parameter


@pytest.mark.parametrize("name", list(MAKERS))
def test_the_last_update_is_the_one_that_was_made_or_is_not_claimed(tmp_path, name):
    last, _, moved = trained(tmp_path, name)
    for parameter, distance in moved.items():
        told = statistics.of(last).update_norm(last.optimizer.of(parameter))
        assert told == (pytest.approx(distance, rel=5e-3) if name in UPDATES else None), parameter


def test_adamax_keeps_a_maximum_which_is_no_mean(tmp_path):
    last, _, _ = trained(tmp_path, "adamax")
    assert moments.family(last.optimizer) == "maximum"
    assert math.isnan(statistics.of(last).of(last.tensors["0.weight"]).norm)
    assert starved(last)[0] == []


@pytest.mark.parametrize("name", ["adagrad", "adafactor", "lion"])
def test_units_that_never_had_a_gradient_are_counted_by_all(tmp_path, name):
    model = mlp()
    with torch.no_grad():
        model[0].bias[:10] = -1000.0
    last, _, _ = trained(tmp_path, name, model=model)
    found, why = starved(last)
    assert (why, found[0].never) == ("", 10)
    assert found[1].never < 5


def test_the_step_of_a_whole_group_counts_for_its_parameters(tmp_path):
    torch.manual_seed(0)
    model, (x, y) = mlp(), tables()
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    state = optimizer.state_dict()
    for one in state["state"].values():
        del one["step"]
    state["param_groups"][0]["step"] = 5  # as fused optimizers of other packages keep it
    torch.save({"model": model.state_dict(), "optimizer": state}, tmp_path / "model.pt")
    assert discover([tmp_path]).last.optimizer.step == 5


def quantised(values: torch.Tensor, table: torch.Tensor, block: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes and scales of block-wise 8-bit numbers."""
    flat = values.flatten()
    blocks = torch.nn.functional.pad(flat, (0, -len(flat) % block)).view(-1, block)
    scales = blocks.abs().amax(1)
    codes = ((blocks / scales.clamp(min=1e-30)[:, None])[..., None] - table).abs().argmin(-1)
    return codes.flatten()[: len(flat)].view(values.shape).to(torch.uint8), scales


def test_eight_bit_moments_are_read_through_their_tables(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 80), nn.ReLU(), nn.Linear(80, 4))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(170):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(64, 64)), torch.randint(0, 4, (64,))).backward()
        optimizer.step()
    state = optimizer.state_dict()
    signed, unsigned = torch.linspace(-1, 1, 256).pow(3), torch.linspace(0, 1, 256).pow(4)
    for index, one in state["state"].items():
        m, v = one.pop("exp_avg"), one.pop("exp_avg_sq")
        if m.numel() < 4096:
            one.update(state1=m, state2=v)
            continue
        (c1, s1), (c2, s2) = quantised(m, signed, 256), quantised(v, unsigned, 256)
        one.update(state1=c1, state2=c2, qmap1=signed, qmap2=unsigned, absmax1=s1, absmax2=s2)
        assert index == 0
        true = math.sqrt(float(v.double().sum()) / (1 - 0.999**170))
    torch.save({"model": model.state_dict(), "optimizer": state}, tmp_path / "model.pt")
    last = discover([tmp_path]).last
    parameter = last.optimizer.of("0.weight")
    assert isinstance(parameter.slots["exp_avg"], Quantised)
    assert statistics.of(last).sums(parameter).norm == pytest.approx(true, rel=0.02)
    assert (parameter.coarse, last.optimizer.of("0.bias").coarse) == (True, False)
    assert "8 bits" in starved(last)[0][0].why_not


def test_muons_buffer_counts_as_momentum_and_its_update_is_not_claimed(tmp_path):
    if not hasattr(torch.optim, "Muon"):
        return
    torch.manual_seed(0)
    model, (x, y) = nn.Sequential(nn.Linear(16, 32, bias=False), nn.ReLU(), nn.Linear(32, 4, bias=False)), tables()
    optimizer = torch.optim.Muon(model.parameters(), lr=1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "model.pt")
    last = discover([tmp_path]).last
    assert (last.optimizer.kind, moments.family(last.optimizer)) == ("muon", "momentum")
    parameter = last.optimizer.of("0.weight")
    assert statistics.of(last).update_norm(parameter) is None
    assert statistics.of(last).sums(parameter).norm > 0
