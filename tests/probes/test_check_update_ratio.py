"""What moved, what did not, and whether that is a fault."""

from pathlib import Path

import torch
from torch import nn
from trained import Trained, mlp

from probes.checks.update_ratio import run
from probes.discover import discover
from probes.drift import untrained
from probes.finding import Finding


def probe(folder: Path) -> Finding:
    return run(discover([folder]), lambda fraction, text="": None)


def said(finding: Finding) -> dict[str, str]:
    return {v.diagnosis: v.verdict for v in finding.verdicts}


def adam(lr: float):
    return lambda m: torch.optim.Adam(m.parameters(), lr=lr)


def head_only(m: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(m[-1].parameters(), lr=1e-3)


def test_a_healthy_run_moves_everywhere_and_is_not_accused(train):
    torch.manual_seed(0)
    found = said(probe(train(mlp(), adam(3e-3), steps=600).folder))
    assert found["frozen-parameters"] == "ruled_out"
    assert "confirmed" not in found.values()
    assert "suspected" not in found.values()


def test_a_body_left_out_of_the_optimizer_at_its_first_values_is_frozen(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(width=12, depth=4), head_only, steps=200)
    assert said(probe(trained.folder))["frozen-parameters"] == "confirmed"


def test_a_pretrained_body_frozen_on_purpose_is_not_confirmed(train, tmp_path_factory):
    from trained import training

    torch.manual_seed(0)
    model = mlp()
    training(tmp_path_factory.mktemp("pretraining"), model, adam(3e-3), steps=400)
    model[-1].reset_parameters()
    trained: Trained = train(model, head_only, steps=400)
    assert said(probe(trained.folder))["frozen-parameters"] == "inconclusive"


def test_steps_far_too_small_leave_the_weights_where_they_were(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), lambda m: torch.optim.SGD(m.parameters(), lr=1e-5), steps=400)
    assert said(probe(trained.folder))["learning-rate-too-low"] in {"confirmed", "suspected"}


def test_a_rate_that_decayed_after_a_few_batches_is_named_with_its_start(train):
    torch.manual_seed(0)
    schedulers: list[torch.optim.lr_scheduler.LRScheduler] = []

    def make(m: nn.Module) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(m.parameters(), lr=0.01)
        schedulers.append(torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5))
        return optimizer

    def step(number: int, model: nn.Module) -> None:
        if number > 1:
            schedulers[0].step()

    trained: Trained = train(mlp(), make, steps=120, before_step=step)
    found = probe(trained.folder)
    assert said(found)["learning-rate-too-low"] == "confirmed"
    assert found.facts["suggested_lr"] == "0.01"


def test_a_rate_of_zero_at_the_end_of_a_schedule_is_no_fault(train):
    torch.manual_seed(0)
    schedulers: list[torch.optim.lr_scheduler.LRScheduler] = []

    def make(m: nn.Module) -> torch.optim.Optimizer:
        optimizer = torch.optim.Adam(m.parameters(), lr=5e-3)
        schedulers.append(torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=400))
        return optimizer

    def step(number: int, model: nn.Module) -> None:
        if number > 1:
            schedulers[0].step()

    trained: Trained = train(mlp(), make, steps=401, before_step=step)
    assert not {"confirmed", "suspected"} & set(said(probe(trained.folder)).values())


def test_adams_first_step_that_replaces_the_weights_is_too_large(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(depth=3), adam(1.0), steps=300)
    assert said(probe(trained.folder))["learning-rate-too-high"] == "confirmed"


def test_fresh_layers_are_told_from_trained_ones(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), adam(1e-3), steps=30)
    weight = discover([trained.folder]).last.tensors["2.weight"]
    assert untrained("2.weight", weight) is False
    with torch.no_grad():
        trained.model[2].reset_parameters()
    torch.save({"model": trained.model.state_dict()}, trained.folder / "fresh.pt")
    fresh = next(c for c in discover([trained.folder]).checkpoints if c.path.name == "fresh.pt")
    assert untrained("2.weight", fresh.tensors["2.weight"]) is True


def test_one_file_without_optimizer_state_cannot_be_checked(tmp_path):
    torch.save(mlp().state_dict(), tmp_path / "weights.pt")
    found = probe(tmp_path)
    assert found.status == "could-not-check"
    assert "second checkpoint" in found.needs


def test_a_net_that_died_at_a_high_rate_is_not_told_to_raise_it(tmp_path):
    """Its weights hardly move between the checkpoints, because no gradient comes: a larger step would not help."""
    torch.manual_seed(0)
    model = mlp()
    optimizer = adam(0.3)(model)
    with torch.no_grad():
        model[0].bias -= 1000.0
    for step in range(400):
        x, y = torch.randn(32, 16), torch.randint(0, 4, (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        if step == 0:  # a last gradient for every weight
            for p in model.parameters():
                p.grad += 1e-3 * torch.randn_like(p)
        optimizer.step()
        if step in (90, 200, 399):
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / f"{step:03d}.pt")
    assert "learning-rate-too-low" not in said(probe(tmp_path))


def test_sgd_at_a_rate_that_blew_the_weights_up_is_suspected_from_one_file(tmp_path):
    torch.manual_seed(0)
    model = mlp(act=nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=9.0, momentum=0.9)
    x, y = torch.randn(256, 16), torch.randint(0, 4, (256,))
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "last.pt")
    assert said(probe(tmp_path))["learning-rate-too-high"] == "suspected"


def test_sgd_at_a_usual_rate_is_not(train):
    torch.manual_seed(0)
    trained = train(mlp(act=nn.Tanh), lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9), steps=300)
    (trained.folder / "log.csv").unlink()
    assert "learning-rate-too-high" not in said(probe(trained.folder))
