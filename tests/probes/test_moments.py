"""The identities, against what hooks and copies of the weights say in real training."""

import math

import numpy as np
import pytest
import torch
from trained import Trained, mlp

from probes.discover import discover
from probes.saved import moments, statistics


def adam(model: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=2e-3)


def test_the_gradient_rms_from_adams_state_is_the_one_that_hooks_measured(train):
    torch.manual_seed(0)
    run: Trained = train(mlp(), adam, steps=120)
    last = run.artifacts.last
    for name, square in run.squares.items():
        sums = statistics.of(last).of(last.tensors[name])
        assert sums.norm == pytest.approx(math.sqrt(square), rel=1e-4)


@pytest.mark.parametrize(
    "make",
    [
        lambda m: torch.optim.Adam(m.parameters(), lr=2e-3),
        lambda m: torch.optim.Adam(m.parameters(), lr=2e-3, amsgrad=True),
        lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9),
    ],
    ids=["adam", "amsgrad", "momentum"],
)
def test_the_last_update_from_the_state_is_the_one_that_was_made(train, make):
    torch.manual_seed(0)
    before: dict[str, torch.Tensor] = {}

    def keep(step: int, model: torch.nn.Module) -> None:
        if step == 60:
            before.update({n: p.detach().clone() for n, p in model.named_parameters()})

    run: Trained = train(mlp(), make, steps=60, before_step=keep)
    last = run.artifacts.last
    for name, p in run.model.named_parameters():
        moved = float((p.detach().double() - before[name].double()).norm())
        assert statistics.of(last).update_norm(last.optimizer.of(name)) == pytest.approx(moved, rel=2e-3)


def test_age_counts_the_steps_since_the_last_gradient():
    group = {"betas": (0.9, 0.999)}
    live = (1 - 0.9) / (1 + 0.9)
    c = np.array([moments.floor_after(steps, group) for steps in (0, 75, 151, 400)])
    assert moments.age(c, live, group) == pytest.approx([0, 75, 151, 400], abs=0.5)
    assert c[1] < 1e-8 * 1.1 and c[2] < 1.2e-15


@pytest.mark.parametrize(("decay", "mixed"), [(0.01, True), (0.0, False), (0.02, True)])
def test_an_adamw_that_is_one_only_by_its_decay_is_a_guess(tmp_path, decay, mixed):
    """A file of an old torch, without the flag that tells Adam from AdamW."""
    model = mlp()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=decay)
    model(torch.ones(2, 16)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    del state["param_groups"][0]["decoupled_weight_decay"]
    torch.save({"model": model.state_dict(), "optimizer": state}, tmp_path / "old.pt")
    found = discover([tmp_path]).checkpoints[0].optimizer
    assert found.decoupled is None
    assert moments.unsure(found, found.groups[0]) == mixed
