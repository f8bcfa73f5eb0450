"""Gradient sizes and last updates read from the state of each kind of optimizer, against those of the training."""

import math

import numpy as np
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


class Adan(torch.optim.Optimizer):
    """The paper's rule, with state as its authors keep it: a step count by group, and the last gradient negated."""

    def __init__(self, params, lr=1e-3, weight_decay=0.0, no_prox=False):
        super().__init__(
            params,
            {"lr": lr, "betas": (0.98, 0.92, 0.99), "eps": 1e-8, "weight_decay": weight_decay, "no_prox": no_prox},
        )

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            t = group["step"] = group.get("step", 0) + 1
            (b1, b2, b3), lr, decay = group["betas"], group["lr"], group["weight_decay"]
            for p in group["params"]:
                held, g = self.state[p], p.grad
                before = -held["neg_pre_grad"] if held else g
                for key, b, new in (
                    ("exp_avg", b1, g),
                    ("exp_avg_diff", b2, g - before),
                    ("exp_avg_sq", b3, (g + b2 * (g - before)) ** 2),
                ):
                    held[key] = b * held.get(key, torch.zeros_like(p)) + (1 - b) * new
                held["neg_pre_grad"] = -g
                m, d = held["exp_avg"] / (1 - b1**t), held["exp_avg_diff"] / (1 - b2**t)
                step = lr * (m + b2 * d) / ((held["exp_avg_sq"] / (1 - b3**t)).sqrt() + group["eps"])
                p.copy_(p * (1 - lr * decay) - step if group["no_prox"] else (p - step) / (1 + lr * decay))


class Lamb(torch.optim.Optimizer):
    """Adam's moments and a step that is scaled by norms, as apex keeps it: the step in the group."""

    def __init__(self, params, lr=1e-2):
        super().__init__(params, {"lr": lr, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.1,
                                  "grad_averaging": True, "bias_correction": True, "max_grad_norm": 1.0})  # fmt: skip

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            t = group["step"] = group.get("step", 0) + 1
            b1, b2 = group["betas"]
            for p in group["params"]:
                held = self.state[p]
                m = held["exp_avg"] = b1 * held.get("exp_avg", torch.zeros_like(p)) + (1 - b1) * p.grad
                v = held["exp_avg_sq"] = b2 * held.get("exp_avg_sq", torch.zeros_like(p)) + (1 - b2) * p.grad**2
                step = m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + group["eps"]) + group["weight_decay"] * p
                p.sub_(step, alpha=group["lr"] * float(p.norm() / step.norm()))


class ScheduleFree(torch.optim.Optimizer):
    """AdamW without a schedule: a mean of squares, and the point z that the steps are made from."""

    def __init__(self, params, lr=2e-3):
        super().__init__(params, {"lr": lr, "betas": (0.9, 0.999), "eps": 1e-8, "k": 0, "weight_decay": 0.0,
                                  "weight_sum": 0.0, "lr_max": -1.0, "train_mode": True})  # fmt: skip

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            group["k"] += 1
            share = 1 / group["k"]
            for p in group["params"]:
                held = self.state[p]
                z = held.setdefault("z", p.clone())
                v = held["exp_avg_sq"] = b2 * held.get("exp_avg_sq", torch.zeros_like(p)) + (1 - b2) * p.grad**2
                step = group["lr"] * p.grad / ((v / (1 - b2 ** group["k"])).sqrt() + group["eps"])
                p.lerp_(z, share).sub_(step, alpha=1 - b1 * (1 - share))
                z.sub_(step)


TWO = {"exp_avg": None, "exp_avg_sq": None}
MAKERS = {
    "adan": lambda p: Adan(p),
    "lamb": lambda p: Lamb(p),
    "schedule-free": lambda p: ScheduleFree(p),
    "nadam": lambda p: torch.optim.NAdam(p, lr=2e-3),
    "radam": lambda p: torch.optim.RAdam(p, lr=2e-3),
    "adamax": lambda p: torch.optim.Adamax(p, lr=2e-3),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-2, initial_accumulator_value=0.1),
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=1e-2),
    "lion": lambda p: Lion(p),
}
WEIGHTS = {"nadam": 0.999, "radam": 0.999, "adadelta": 0.9, "lamb": 0.999, "schedule-free": 0.999, "adan": 0.0}
"""Decay of the mean of squares that the state holds; Adagrad's is a plain mean, Adafactor's changes with the step, and
of Adan only the last gradient is known."""
UPDATES = {"radam", "adamax", "lion", "adan"}


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


@pytest.mark.parametrize(
    "name", ["nadam", "radam", "adadelta", "adagrad", "adafactor", "lamb", "schedule-free", "adan"]
)
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


@pytest.mark.parametrize("no_prox", [False, True])
def test_adans_update_is_told_without_its_decay(tmp_path, no_prox):
    torch.manual_seed(0)
    model, (x, y) = mlp(), tables()
    optimizer = Adan(list(model.parameters()), lr=1e-2, weight_decay=0.5, no_prox=no_prox)
    for _ in range(40):
        rows, before = torch.randint(0, len(x), (64,)), model[0].weight.detach().double().clone()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "model.pt")
    after = model[0].weight.detach().double()
    step = before * (1 - 0.005) - after if no_prox else before - after * 1.005
    last = discover([tmp_path]).last
    told = statistics.of(last).update_norm(last.optimizer.of("0.weight"))
    assert told == pytest.approx(float(step.norm()), rel=2e-3)


def test_adans_mean_of_squares_bounds_the_gradient_and_is_not_told_as_one(tmp_path):
    last, _, _ = trained(tmp_path, "adan")
    sums = statistics.of(last).of(last.tensors["0.weight"])
    bounds = math.sqrt(sums.square.sum()) / (1 + 2 * 0.92), math.sqrt(sums.square.sum())
    assert sums.norm == math.sqrt(sums.last.sum()) and bounds[0] < sums.norm < bounds[1]
    assert not moments.two(last.optimizer.of("0.weight"))  # the agreement of gradients is no identity here


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ({"m": None, "v": None, "n": None, "prev_grad": None}, {"betas": (0.02, 0.08, 0.01), "restart_cond": None}),
        (TWO | {"exp_avg_diff": None, "neg_pre_grad": None}, {"betas": (0.98, 0.92, 0.99), "caution": True}),
    ],
)
def test_of_other_adans_the_last_gradient_is_known_and_the_update_is_not_claimed(tmp_path, keys, options):
    last = saved_as(tmp_path, keys, options, steps=50)
    assert (last.optimizer.kind, moments.family(last.optimizer)) == ("adan", "squares")
    parameter = last.optimizer.of("w.weight")
    held = parameter.slots["prev_grad" if "prev_grad" in keys else "neg_pre_grad"].array()
    numbers = statistics.of(last)
    assert numbers.sums(parameter).norm == pytest.approx(float(np.linalg.norm(held)), rel=1e-6)
    assert numbers.update_norm(parameter) is None


def saved_as(folder, keys: dict, options: dict | None = None, steps: int = 3):
    """The optimizer of a file whose state holds so-called tensors of the weight's shape (or what is given instead)."""
    weight = torch.randn(8, 4)
    state = {key: torch.rand(8, 4) if value is None else value for key, value in keys.items()}
    group = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "params": [0]} | (options or {})
    optimizer = {"state": {0: {"step": steps} | state}, "param_groups": [group]}
    torch.save({"model": {"w.weight": weight}, "optimizer": optimizer}, folder / "model.pt")
    return discover([folder]).last


@pytest.mark.parametrize(
    ("kind", "keys", "options"),
    [
        ("soap", TWO | {"GG": [torch.eye(8), []], "Q": [torch.eye(8), []]}, {"precondition_frequency": 10}),
        ("soap", TWO | {"GG": [torch.eye(8), torch.eye(4)]}, {}),
        ("adam-like", TWO | {"basis": [torch.eye(8)]}, {}),
        ("adam-like", TWO | {"exp_avg_sharpness": None}, {}),
        ("shampoo", {"momentum_buffer": None, "precond_0": torch.eye(8), "inv_precond_0": torch.eye(8)}, {}),
        ("prodigy", TWO | {"s": torch.zeros(32), "p0": None}, {"d": 1e-4, "d0": 1e-6, "d_coef": 1.0}),
        ("d-adaptation", TWO | {"s": None}, {"d": 1e-4, "d0": 1e-6}),
        ("adopt", TWO, {"clip_exp": 0.333, "foreach": True, "differentiable": False}),
        ("mars", TWO | {"last_grad": None}, {"mars_type": "mars-adamw"}),
        ("adabelief", {"exp_avg": None, "exp_avg_var": None}, {}),
        ("sophia", {"exp_avg": None, "hessian": None}, {"rho": 0.04}),
        ("ademamix", TWO | {"exp_avg_slow": None}, {}),
        ("adan-like", TWO | {"exp_avg_diff": None}, {"no_prox": False}),
        ("adafactor-like", TWO | {"exp_avg_sq_r": torch.zeros(8, 1)}, {}),
        ("sgd-like", {"momentum_buffer": None, "curvature": None}, {"momentum": 0.9, "nesterov": False}),
    ],
)
def test_what_only_looks_like_adam_is_not_taken_for_it(tmp_path, kind, keys, options):
    last = saved_as(tmp_path, keys, options)
    assert (last.optimizer.kind, moments.family(last.optimizer)) == (kind, None)
    numbers, (parameter,) = statistics.of(last), last.optimizer.parameters
    assert numbers.sums(parameter) is None and numbers.update_norm(parameter) is None


@pytest.mark.parametrize(
    ("kind", "keys", "options"),
    [
        ("adam", TWO, {"bias_correction": True, "weight_decay": 0.0}),  # apex and DeepSpeed
        ("adam", TWO | {"master_param": None}, {"bias_correction": True}),
        ("adamw", TWO, {"correct_bias": True, "weight_decay": 0.0}),  # transformers
        ("nadam", TWO, {"foreach": None, "maximize": False, "capturable": False}),  # timm's NAdamW
        ("radam", TWO, {"foreach": None, "maximize": False, "capturable": False, "differentiable": False}),
        ("lamb", TWO, {"trust_clip": False, "grad_averaging": True}),
        ("lamb", TWO | {"trust_ratio": torch.tensor(1.0)}, {}),
        ("lion", {"exp_avg": None}, {}),
    ],
)
def test_the_kinds_of_other_libraries_are_told_by_their_keys(tmp_path, kind, keys, options):
    last = saved_as(tmp_path, keys, options)
    assert last.optimizer.kind == kind and moments.family(last.optimizer) is not None


def test_a_step_without_bias_correction_is_not_claimed(tmp_path):
    last = saved_as(tmp_path, TWO, {"correct_bias": False})
    assert statistics.of(last).update_norm(last.optimizer.of("w.weight")) is None
    assert statistics.of(last).of(last.tensors["w.weight"]).norm > 0


def test_muon_with_adam_for_the_rest_is_read_by_each_ones_own_rule(tmp_path):
    weights = {"a.weight": torch.randn(8, 4), "a.bias": torch.randn(8)}
    state = {
        0: {"momentum_buffer": torch.rand(8, 4)},
        1: {"exp_avg": torch.rand(8), "exp_avg_sq": torch.rand(8), "step": 7},
    }
    groups = [
        {"params": [0], "lr": 0.02, "momentum": 0.95, "weight_decay": 0.1, "use_muon": True},
        {"params": [1], "lr": 3e-4, "betas": (0.9, 0.95), "eps": 1e-10, "weight_decay": 0.1, "use_muon": False},
    ]
    torch.save({"model": weights, "optimizer": {"state": state, "param_groups": groups}}, tmp_path / "model.pt")
    last = discover([tmp_path]).last
    assert (last.optimizer.kind, moments.family(last.optimizer)) == ("muon", "mixed")
    numbers = statistics.of(last)
    assert numbers.update_norm(last.optimizer.of("a.weight")) is None
    v = state[1]["exp_avg_sq"].double().sum() / (1 - 0.95**7)
    assert numbers.of(last.tensors["a.bias"]).norm == pytest.approx(math.sqrt(v), rel=1e-6)
    assert numbers.update_norm(last.optimizer.of("a.bias")) > 0


def test_adafactors_average_of_updates_is_not_taken_for_one_of_gradients(tmp_path):
    weights = {"a.weight": torch.randn(8, 4), "a.bias": torch.randn(8)}
    state = {
        0: {"step": 5, "exp_avg": torch.rand(8, 4), "exp_avg_sq_row": torch.rand(8), "exp_avg_sq_col": torch.rand(4)},
        1: {"step": 5, "exp_avg": torch.rand(8), "exp_avg_sq": torch.rand(8)},
    }
    group = {"lr": 1e-3, "clip_threshold": 1.0, "beta1": 0.9, "params": [0, 1]}
    torch.save({"model": weights, "optimizer": {"state": state, "param_groups": [group]}}, tmp_path / "model.pt")
    last = discover([tmp_path]).last
    assert (last.optimizer.kind, moments.family(last.optimizer)) == ("adafactor", "squares")
    sums = statistics.of(last).of(last.tensors["a.bias"])
    assert sums.norm == pytest.approx(float(state[1]["exp_avg_sq"].double().sum().sqrt()), rel=1e-6)
    assert not sums.agree.any()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lion", {"betas": (0.9, 0.99), "eps": 0.0}),
        ("sgd", {"betas": (0.9, 0.0), "eps": 0.0}),
        ("rmsprop-like", {"betas": (0.99, 0.0), "eps": 1e-8}),
    ],
)
def test_eight_bit_optimizers_of_one_state_are_told_by_their_betas(tmp_path, kind, options):
    torch.manual_seed(0)
    true, table = torch.randn(64, 80), torch.linspace(-1, 1, 256).pow(3)
    codes, scales = quantised(true, table, 256)
    state = {0: {"step": 9, "state1": codes, "qmap1": table, "absmax1": scales}}
    group = {"lr": 1e-4, "weight_decay": 0.0, "params": [0]} | options
    saved = {"model": {"w.weight": true}, "optimizer": {"state": state, "param_groups": [group]}}
    torch.save(saved, tmp_path / "model.pt")
    last = discover([tmp_path]).last
    assert last.optimizer.kind == kind
    sums = statistics.of(last).of(last.tensors["w.weight"])
    assert sums is None if kind == "rmsprop-like" else sums.norm == pytest.approx(float(true.norm()), rel=0.03)


@pytest.mark.parametrize("name", ["adagrad", "adafactor", "lion", "adan", "schedule-free"])
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
