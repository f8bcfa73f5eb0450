"""What moved between checkpoints, what did not, and what the optimizer cannot have moved."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from trained import Trained, mlp, tables

from probes.checks.checkpoint_drift import run
from probes.discover import discover
from probes.finding import Finding
from probes.saved.displacement import reach, reaches
from probes.saved.drift import untrained


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


def test_a_network_that_died_is_not_told_to_take_larger_steps(train):
    torch.manual_seed(0)

    def kill(number: int, model: nn.Module) -> None:
        if number == 100:
            with torch.no_grad():
                model[0].bias.fill_(-1000.0)
                model[2].bias.fill_(-1000.0)

    trained = train(mlp(), lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9), 400, kill)
    (trained.folder / "log.csv").write_text("epoch,train_loss\n" + "".join(f"{i},1.386\n" for i in range(1, 11)))
    assert "learning-rate-too-low" not in said(probe(trained.folder))


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


def test_fresh_layers_are_told_from_trained_ones(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), adam(1e-3), steps=30)
    last = discover([trained.folder]).last
    assert untrained(last, last.tensors["2.weight"]) is False
    with torch.no_grad():
        trained.model[2].reset_parameters()
    torch.save({"model": trained.model.state_dict()}, trained.folder / "fresh.pt")
    fresh = next(c for c in discover([trained.folder]).checkpoints if c.path.name == "fresh.pt")
    assert untrained(fresh, fresh.tensors["2.weight"]) is True


@pytest.mark.parametrize("law", ["he", "glorot", "lecun", "channels last"])
def test_weights_of_other_uniform_laws_are_fresh_until_they_take_a_step(tmp_path, law):
    torch.manual_seed(0)
    bound = {"he": (6 / 64) ** 0.5, "glorot": (6 / 96) ** 0.5, "lecun": (3 / 64) ** 0.5}.get(law, (6 / (9 * 24)) ** 0.5)
    shape = (3, 3, 8, 16) if law == "channels last" else (32, 64)
    drawn = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
    stepped = nn.Parameter(drawn.detach().clone())
    optimizer = torch.optim.SGD([stepped], lr=1e-3)
    (stepped * torch.randn(shape)).sum().backward()
    optimizer.step()
    torch.save({"drawn": drawn.detach(), "stepped": stepped.detach()}, tmp_path / "net.pt")
    last = discover([tmp_path]).last
    assert [untrained(last, last.tensors[name]) for name in ("drawn", "stepped")] == [True, False]


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


def test_one_checkpoint_alone_cannot_be_checked(tmp_path):
    torch.save(mlp().state_dict(), tmp_path / "weights.pt")
    found = probe(tmp_path)
    assert found.status == "could-not-check"
    assert "two or more" in found.needs


def neighbours(folder: Path, change=None, kind=torch.optim.Adam, every: int = 10, **options) -> None:
    """Forty steps at 1e-3, saved every ten; `change(model, optimizer)` happens before the third file is written."""
    torch.manual_seed(0)
    (x, y), model = tables(), mlp()
    optimizer = kind(model.parameters(), **({"lr": 1e-3} | options))
    for step in range(1, 41):
        rows = torch.randint(0, len(x), (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
        if step == 30 and change is not None:
            change(model, optimizer)
        if step % every == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            torch.save(state, folder / f"step_{step}.pt")


def first_layer_anew(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model[0].reset_parameters()


def everything_anew(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model.load_state_dict(mlp().state_dict())


def an_average(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Weights far back on the way, as a slow average has them."""
    average = copy.deepcopy(mlp())
    with torch.no_grad():
        for p, q in zip(model.parameters(), average.parameters(), strict=True):
            p.mul_(0.9).add_(q, alpha=0.1)


def first_layer_pruned(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    with torch.no_grad():
        model[0].weight[model[0].weight.abs() < 0.1] = 0


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (None, None),
        (first_layer_anew, "suspected"),
        (everything_anew, "inconclusive"),
        (an_average, "inconclusive"),
        (first_layer_pruned, None),
    ],
)
def test_weights_that_were_changed_beside_the_optimizer_are_told(tmp_path, change, verdict):
    neighbours(tmp_path, change)
    assert said(probe(tmp_path)).get("checkpoint-mismatch") == verdict


def test_what_was_changed_is_named_with_adams_bound(tmp_path):
    neighbours(tmp_path, first_layer_anew)
    found = probe(tmp_path)
    verdict = next(v for v in found.verdicts if v.diagnosis == "checkpoint-mismatch")
    assert verdict.kind == "proved" and "from step_20.pt to step_30.pt" in verdict.because
    assert {row[0] for row in found.tables[-1].rows} == {"0.weight", "0.bias"}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.Adam, {}),
        (torch.optim.Adam, {"weight_decay": 0.1}),
        (torch.optim.AdamW, {"weight_decay": 5.0}),
        (torch.optim.Adam, {"betas": (0.9, 0.95)}),
        (torch.optim.Adam, {"betas": (0.95, 0.9)}),
        (torch.optim.Adam, {"amsgrad": True}),
    ],
)
def test_adam_itself_never_passes_its_bound(tmp_path, kind, options):
    neighbours(tmp_path, kind=kind, **options)
    artifacts = discover([tmp_path])
    held = reaches(artifacts.checkpoints[0], artifacts.checkpoints[1], artifacts)
    assert held and not any(r.beyond for r in held)


def test_the_worst_gradients_come_as_close_as_the_bound_says():
    """Gradients that grow so that Adam's step is as large as it can be: the bound is not a loose one."""
    weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.Adam([weight], lr=1e-3, eps=0.0)
    growth = 0.999 / 0.9
    for t in range(60):
        weight.grad = torch.tensor([growth**t], dtype=torch.float64)
        optimizer.step()
    moved = abs(float(weight.detach()))
    assert 0.98 < moved / reach(0, 60, 1e-3, {"betas": [0.9, 0.999]}, 0.0) <= 1


def test_a_rate_that_changed_by_hand_leaves_the_bound_unknown(tmp_path):
    def warm(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        first_layer_anew(model, optimizer)
        optimizer.param_groups[0]["lr"] = 2e-3

    neighbours(tmp_path, warm)
    assert "checkpoint-mismatch" not in said(probe(tmp_path))


def test_a_cycle_of_rates_counts_with_its_top(tmp_path):
    """Both files are saved at the foot of the cycle, far below what the optimizer did in between."""
    torch.manual_seed(0)
    (x, y), model = tables(), mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
    cycle = torch.optim.lr_scheduler.CyclicLR(optimizer, 1e-5, 3e-2, step_size_up=5, cycle_momentum=False)
    for step in range(1, 31):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[:50]), y[:50]).backward()
        optimizer.step()
        cycle.step()
        if step % 10 == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            torch.save(state | ({"sched": cycle.state_dict()} if step > 10 else {}), tmp_path / f"{step}.pt")
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-5)
    assert "checkpoint-mismatch" not in said(probe(tmp_path))


def never(folder: Path, stands: bool, lr: float = 1e-3, stepping: str = "another copy") -> None:
    """A loop whose steps do not reach the weights that are saved."""
    torch.manual_seed(0)
    model = mlp()
    other = copy.deepcopy(model) if stepping == "another copy" else model
    optimizer = torch.optim.Adam(other.parameters(), lr=lr)
    for epoch in range(1, 9):
        for _ in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(other(torch.randn(8, 16)), torch.randint(0, 4, (8,))).backward()
            if stepping != "never":
                optimizer.step()
        if epoch % 4 == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
            torch.save(state, folder / f"{epoch}.pt")
    rows = "".join(f"{epoch},{1.39 + 0.001 * (epoch % 2)}\n" for epoch in range(9))
    (folder / "log.csv").write_text("epoch,train_loss\n" + rows if stands else "")


@pytest.mark.parametrize("stepping", ["another copy", "never"])
@pytest.mark.parametrize(("stands", "verdict"), [(True, "confirmed"), (False, "suspected")])
def test_nothing_that_moved_is_a_loop_whose_steps_do_not_arrive(tmp_path, stands, verdict, stepping):
    never(tmp_path, stands, stepping=stepping)
    assert said(probe(tmp_path))["training-loop-bug"] == verdict


def test_a_learning_rate_of_zero_is_no_fault_of_the_loop(tmp_path):
    never(tmp_path, stands=True, lr=0.0, stepping="every batch")
    assert said(probe(tmp_path)) == {"frozen-parameters": "suspected"}


def test_a_copy_of_the_best_checkpoint_is_not_accused(train):
    torch.manual_seed(0)
    folder = train(mlp(), adam(3e-3), steps=60).folder
    for name in ("00020", "00040"):
        (folder / f"checkpoint_{name}.pt").unlink()
    (folder / "best.pt").write_bytes((folder / "checkpoint_00060.pt").read_bytes())
    assert not {"confirmed", "suspected"} & set(said(probe(folder)).values())


def test_small_moves_of_fine_tuning_accuse_only_a_run_that_stands(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), adam(1e-6), steps=300)
    assert said(probe(trained.folder))["learning-rate-too-low"] in {"confirmed", "suspected"}
    lines = "".join(f"{i},{0.02 - 0.001 * i}\n" for i in range(1, 9))
    (trained.folder / "log.csv").write_text("epoch,train_loss\n" + lines)
    assert said(probe(trained.folder))["learning-rate-too-low"] == "inconclusive"
    (trained.folder / "log.csv").unlink()
    assert said(probe(trained.folder))["learning-rate-too-low"] == "inconclusive"


def test_a_rate_that_is_gone_early_is_told_where_the_loss_had_fallen(train):
    torch.manual_seed(0)
    schedulers: list[torch.optim.lr_scheduler.LRScheduler] = []

    def make(m: nn.Module) -> torch.optim.Optimizer:
        optimizer = adam(5e-3)(m)
        schedulers.append(torch.optim.lr_scheduler.MultiStepLR(optimizer, [60], 1e-5))
        return optimizer

    def step(number: int, model: nn.Module) -> None:
        if number > 1:
            schedulers[0].step()

    (found,) = [v for v in probe(train(mlp(), make, 300, step).folder).verdicts if v.diagnosis.startswith("learning")]
    assert found.verdict == "inconclusive"
    assert "the learning rate is down from 0.005" in found.because
