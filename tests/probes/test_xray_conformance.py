"""The x-ray against what hooks saw in the training, and against a slow count in float64 of the state that torch loads.

Every optimizer in every form in which people save it: all numbers agree to 1e-3.
"""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from trained import tables

from probes.checks.optimizer_xray import run
from probes.discover import discover
from probes.saved import moments, statistics

STEPS = 200
MAKERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=3e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=3e-3, weight_decay=0.1, betas=(0.9, 0.98)),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=3e-3, amsgrad=True),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=1e-3, momentum=0.5),
}


def net() -> nn.Module:
    """Two matrices, a normalisation, and ten units that never fire, which six more join half-way."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 24), nn.LayerNorm(24), nn.Linear(24, 4))
    with torch.no_grad():
        model[0].bias[:10] = -1000.0
    return model


@pytest.fixture(scope="module", params=list(MAKERS))
def trained(request):
    """(kind, model, optimizer, by parameter the root mean square of its gradient's norm and the last move)"""
    kind, model, (x, y) = request.param, net(), tables()
    optimizer = MAKERS[kind](list(model.parameters()))
    kept = {"adamw": 0.98, "rmsprop": 0.99}.get(kind, 0.999)
    squares = {n: 0.0 for n, _ in model.named_parameters()}

    def watch(name):
        def hook(gradient):
            squares[name] = kept * squares[name] + (1 - kept) * float(gradient.double().square().sum())

        return hook

    for name, parameter in model.named_parameters():
        parameter.register_hook(watch(name))
    for step in range(STEPS):
        if step == 40:
            with torch.no_grad():
                model[0].bias[10:16] = -1000.0
        rows = torch.randint(0, len(x), (64,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        before = {n: p.detach().double().clone() for n, p in model.named_parameters()}
        optimizer.step()
    rate, decay = optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]
    moved = {
        n: float((p.detach().double() - before[n] * (1 - rate * decay)).norm()) for n, p in model.named_parameters()
    }
    norms = {n: math.sqrt(s / (1 - kept**STEPS)) for n, s in squares.items()}
    return kind, model, optimizer, norms, moved


def plain(folder, model, optimizer):
    torch.save({"net": model.state_dict(), "optim": optimizer.state_dict(), "step": STEPS}, folder / "c.pth")


def lightning(folder, model, optimizer):
    saved = {
        "pytorch-lightning_version": "2.4.0",
        "epoch": 3,
        "global_step": STEPS,
        "state_dict": {f"model.{n}": t for n, t in model.state_dict().items()},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [],
    }
    torch.save(saved, folder / "c.ckpt")


def trainer(folder, model, optimizer):
    inside = folder / f"checkpoint-{STEPS}"
    inside.mkdir()
    torch.save(model.state_dict(), inside / "pytorch_model.bin")
    torch.save(optimizer.state_dict(), inside / "optimizer.pt")
    state = {"global_step": STEPS, "epoch": 1.0, "log_history": [{"step": i, "loss": 1.0 / i} for i in range(1, 9)]}
    (inside / "trainer_state.json").write_text(json.dumps(state))


def safetensors(folder, model, optimizer):
    """This format sorts the names, and the order of the modules is found again."""
    save_file(model.state_dict(), folder / "model.safetensors")
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")


FORMS = {"plain": plain, "lightning": lightning, "trainer": trainer, "safetensors": safetensors}


def slowly(kind, state, options):
    """(sum of m^2, sum of v) by row in float64, bias-corrected, straight from torch's own state."""
    t = float(state.get("step", STEPS))
    if kind == "sgd":
        squares = state["momentum_buffer"].double().square()
        return squares.flatten(1).sum(1), squares.flatten(1).sum(1)
    if kind == "rmsprop":
        v = state["square_avg"].double() / (1 - options["alpha"] ** t)
        return torch.zeros(len(v)), v.flatten(1).sum(1)
    b1, b2 = options["betas"]
    m, v = state["exp_avg"].double() / (1 - b1**t), state["exp_avg_sq"].double() / (1 - b2**t)
    return m.square().flatten(1).sum(1), v.flatten(1).sum(1)


@pytest.mark.parametrize("form", list(FORMS))
def test_every_number_is_that_of_hooks_and_of_the_loaded_state(tmp_path, trained, form):
    kind, model, optimizer, norms, moved = trained
    FORMS[form](tmp_path, model, optimizer)
    artifacts = discover([tmp_path])
    (last,) = artifacts.checkpoints
    numbers, prefix = statistics.of(last), "model." if form == "lightning" else ""
    found = run(artifacts, lambda fraction, text="": None).tables[0]
    shown = {str(row[0]): dict(zip(found.columns, row, strict=True)) for row in found.rows}
    for name, parameter in model.named_parameters():
        weight = last.tensors[prefix + name]
        assert np.array_equal(weight.array(), parameter.detach().numpy())
        state = optimizer.state[parameter]
        mine, own = numbers.of(weight), last.optimizer.of(prefix + name)
        if kind != "sgd":  # whose buffer is no mean of squares
            assert mine.norm == pytest.approx(norms[name], rel=1e-3), name
        assert numbers.update_norm(own) == pytest.approx(moved[name], rel=2e-3, abs=1e-7), name
        if parameter.dim() < 2:
            continue
        agree, square = (s.numpy() for s in slowly(kind, state, optimizer.param_groups[0]))
        assert mine.square == pytest.approx(square, rel=1e-3, abs=1e-300)
        assert int((mine.square == 0).sum()) == int((square == 0).sum()) == (10 if name == "0.weight" else 0)
        row = shown[prefix + name.removesuffix(".weight")]
        assert row["gradient"] == pytest.approx(math.sqrt(square.sum() / parameter.numel()), rel=1e-3)
        size = float(parameter.detach().double().norm())
        assert row["update"] == pytest.approx(numbers.update_norm(own) / size, rel=1e-3)
        if kind in {"adam", "adamw", "amsgrad"}:
            assert row["coherence"] == pytest.approx(agree.sum() / square.sum(), rel=1e-3)
            mine_low, low = (quiet(moments.coherence(a, s)) for a, s in ((mine.agree, mine.square), (agree, square)))
            assert mine_low == low and (name != "0.weight" or low == 6)
        else:
            assert row["coherence"] is None


def quiet(c) -> int:
    """Rows whose coherence lies far below that of the liveliest of their tensor."""
    return int((c[c > 0] < 2e-3 * np.quantile(c[c > 0], 0.9)).sum())
