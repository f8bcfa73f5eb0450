"""Layers that were never trained, that stopped, that joined late; and those that are frozen on purpose."""

import pytest
import torch
from torch import nn
from trained import Trained, training

from probes.checks.frozen_parameters import run
from probes.finding import Finding
from probes.saved.histories import histories
from probes.saved.starved import starved


def probe(trained: Trained) -> Finding:
    return run(trained.artifacts, lambda fraction, text="": None)


def said(trained: Trained) -> str:
    return probe(trained).verdicts[0].verdict


def pasts(trained: Trained) -> list[str]:
    return [h.past for h in histories(trained.artifacts.last)[0]]


def deep(*widths: int) -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    size = 16
    for width in widths or (32, 24, 20):
        layers += [nn.Linear(size, width), nn.ReLU()]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, 4))


def adam(m: nn.Module, lr: float = 2e-3) -> torch.optim.Optimizer:
    return torch.optim.Adam([p for p in m.parameters() if p.requires_grad], lr=lr)


def no_log(trained: Trained) -> Trained:
    """Without a log it is not known whether the run learned."""
    (trained.folder / "log.csv").unlink()
    return trained


def with_loss(trained: Trained, losses: list[float]) -> Trained:
    """The same files with another log."""
    lines = [f"{i},{loss}" for i, loss in enumerate(losses, 1)]
    (trained.folder / "log.csv").write_text("\n".join(["epoch,train_loss", *lines]) + "\n")
    return trained


def test_a_net_that_trains_everything_is_not_accused(tmp_path):
    trained = training(tmp_path, deep(), adam, 200)
    assert pasts(trained) == ["trained"] * 4
    assert said(trained) == "ruled_out"


@pytest.mark.parametrize("make", [adam, lambda m: torch.optim.SGD(m[6].parameters(), 0.05, momentum=0.9)])
def test_a_random_body_that_is_never_trained_is_confirmed_only_where_the_loss_stands(tmp_path, make):
    model = deep()
    for p in model[:6].parameters():
        p.requires_grad = False
    trained = no_log(training(tmp_path, model, make, 200))
    assert pasts(trained) == ["outside"] * 3 + ["trained"]
    assert said(trained) == "suspected"
    assert "cannot tell" in probe(trained).verdicts[0].because
    assert said(with_loss(trained, [1.4] * 10)) == "confirmed"
    assert said(with_loss(trained, [1.4 * 0.75**i for i in range(10)])) == "inconclusive"


class Branches(nn.Module):
    """Two branches; what the second one says is cut off from the loss's gradient, or is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.head = deep(24), deep(20), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.left(x), self.right(x).detach()], 1))


def test_a_branch_that_the_optimizer_was_given_and_no_gradient_reaches_is_suspected_though_the_run_learns(tmp_path):
    trained = training(tmp_path, Branches(), lambda m: torch.optim.Adam(m.parameters(), 2e-3), 150)
    assert pasts(trained) == ["trained", "trained", "no-state", "no-state", "trained"]
    with_loss(trained, [1.4 * 0.75**i for i in range(10)])
    assert said(trained) == "suspected"
    assert "cut off" in probe(trained).verdicts[0].because


def test_a_pretrained_body_that_is_frozen_is_fine_tuning(tmp_path):
    trained = training(tmp_path, deep(), adam, 150)
    for p in trained.model[:4].parameters():
        p.requires_grad = False
    again = no_log(training(tmp_path, trained.model, adam, 150))
    assert pasts(again) == ["outside", "outside", "trained", "trained"]
    assert said(again) == "inconclusive"


def test_a_trained_layer_in_the_middle_that_the_optimizer_lacks_may_have_been_loaded(tmp_path):
    trained = training(tmp_path, deep(), adam, 150)
    trained.model[2].weight.requires_grad = False
    again = no_log(training(tmp_path, trained.model, adam, 150))
    assert pasts(again) == ["trained", "outside", "trained", "trained"]
    assert said(again) == "inconclusive"
    assert said(with_loss(again, [1.4] * 10)) == "suspected"


def test_moments_that_were_kept_and_are_zero_between_trained_layers_prove_an_accident(tmp_path):
    model = deep()
    model[2].weight.register_hook(torch.zeros_like)
    trained = no_log(training(tmp_path, model, adam, 200))
    assert pasts(trained) == ["trained", "zero", "trained", "trained"]
    assert said(trained) == "confirmed"


def test_a_random_reservoir_that_is_only_read_out_is_no_confirmed_fault(tmp_path):
    class Echo(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reservoir, self.out = nn.RNN(4, 40, batch_first=True).requires_grad_(False), nn.Linear(40, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.reservoir(x.view(-1, 4, 4))[0][:, -1])

    torch.manual_seed(0)
    trained = no_log(training(tmp_path, Echo(), adam, 150))
    assert pasts(trained) == ["outside", "outside", "trained"]
    assert said(trained) == "suspected"
    assert "reservoir" in probe(trained).verdicts[0].because


def test_a_layer_that_joins_late_is_told_with_the_updates_that_it_missed(tmp_path):
    model = deep()

    def late(step: int, model: nn.Module) -> None:
        model[0].weight.requires_grad = step > 120

    trained = training(tmp_path, model, lambda m: torch.optim.Adam(m.parameters(), lr=2e-3), 300, late)
    assert histories(trained.artifacts.last)[0][0].missed == 120
    assert said(trained) == "ruled_out"


def test_gradients_that_are_zeroed_from_some_step_on_are_found_with_their_age(tmp_path):
    hooks = []

    def stop(step: int, model: nn.Module) -> None:
        if step == 200:
            hooks.append(model[2].weight.register_hook(torch.zeros_like))

    trained = no_log(training(tmp_path, deep(), adam, 350, stop))
    second = histories(trained.artifacts.last)[0][1]
    assert second.past == "stopped"
    assert second.age == pytest.approx(151, abs=25)
    assert said(trained) == "suspected"


def test_a_group_with_a_learning_rate_of_zero_is_named(tmp_path):
    def make(m: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam([{"params": m[:4].parameters()}, {"params": m[4:].parameters(), "lr": 0.0}], lr=1e-3)

    trained = no_log(training(tmp_path, deep(), make, 200))
    assert pasts(trained) == ["trained", "trained", "rate-0", "rate-0"]
    assert said(trained) == "inconclusive"


def test_layers_of_one_shape_cannot_be_told_apart_and_that_is_said(tmp_path):
    model = deep(32, 32, 32)
    for p in model[:4].parameters():
        p.requires_grad = False
    found = probe(training(tmp_path, model, adam, 100))
    assert found.status == "could-not-check"
    assert "lacks 4 of 8 parameters" in found.title


def test_tied_weights_are_trained_under_their_other_name(tmp_path):
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inputs, self.back, self.head = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 4)
            self.back.weight = self.inputs.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.back(self.inputs(x).relu()).relu())

    torch.manual_seed(0)
    trained = training(tmp_path, Tied(), adam, 150)
    assert pasts(trained) == ["trained"] * 3


def test_plain_sgd_keeps_nothing_and_that_is_said(tmp_path):
    found = probe(training(tmp_path, deep(), lambda m: torch.optim.SGD(m.parameters(), 0.1), 100))
    assert found.status == "could-not-check"
    assert "plain SGD" in found.title


class Beside(nn.Module):
    """A network that is trained, and one beside it that is not."""

    def __init__(self, other: nn.Module) -> None:
        super().__init__()
        self.online, self.target = deep(), other.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.online(x)


def named(m: nn.Module) -> torch.optim.Optimizer:
    """An optimizer that saves its parameters' names: the shapes of two like networks do not tell them apart."""
    return torch.optim.Adam([(n, p) for n, p in m.named_parameters() if p.requires_grad], lr=2e-3)


def test_a_network_beside_the_trained_one_is_a_teacher_or_a_target(tmp_path):
    model = Beside(deep())

    def follow(step: int, _: nn.Module) -> None:
        for a, b in zip(model.target.parameters(), model.online.parameters(), strict=True):
            a.lerp_(b.detach(), 0.05)

    averaged = no_log(training(tmp_path, model, named, 200, follow))
    assert pasts(averaged) == ["trained"] * 4 + ["outside"] * 4
    assert said(averaged) == "inconclusive"
    (tmp_path / "random").mkdir()
    assert said(no_log(training(tmp_path / "random", Beside(deep()), named, 200))) == "inconclusive"


def test_a_random_network_of_other_shapes_is_no_copy(tmp_path):
    assert said(no_log(training(tmp_path, Beside(deep(40, 30)), named, 200))) == "suspected"


def test_layers_whose_gradient_stopped_on_the_way_are_no_fine_tuning(tmp_path):
    def kill(step: int, model: nn.Module) -> None:
        if step == 100:
            with torch.no_grad():
                model[2].bias.fill_(-1000.0)

    found = probe(no_log(training(tmp_path, deep(), adam, 350, kill))).verdicts[0]
    assert found.verdict == "inconclusive"
    assert "dead units" in found.because


def test_state_that_has_overflowed_is_not_called_a_gradient_that_stopped(tmp_path):
    hooks = []

    def overflow(step: int, model: nn.Module) -> None:
        if step == 150:
            hooks.append(model[2].weight.register_hook(lambda g: torch.full_like(g, 3e22)))
        elif step == 151:
            hooks[0].remove()

    trained = no_log(training(tmp_path, deep(), adam, 300, overflow))
    assert pasts(trained) == ["trained", "overflowed", "trained", "trained"]
    assert said(trained) == "inconclusive"


def test_coupled_decay_alone_in_a_matrix_is_a_gradient_that_stopped(tmp_path):
    model = deep()
    model[2].weight.register_hook(torch.zeros_like)
    make = lambda m: torch.optim.Adam(m.parameters(), lr=1e-4, weight_decay=1e-3)  # noqa: E731
    trained = training(tmp_path, model, make, 300)
    assert pasts(trained) == ["trained", "stopped", "trained", "trained"]


class Routed(nn.Module):
    """Three experts, of which one is never chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.head = nn.Linear(16, 20), nn.Linear(20, 4)
        self.experts = nn.ModuleList(nn.Linear(20, 20) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.inputs(x).relu()
        first = x[:, :1] > x[:, 1:2]
        return self.head(torch.where(first, self.experts[0](x), self.experts[1](x)).relu())


def test_an_expert_to_which_nothing_is_routed_is_told(tmp_path):
    torch.manual_seed(0)
    trained = no_log(training(tmp_path, Routed(), adam, 200))
    assert pasts(trained).count("no-state") == 1
    assert said(trained) == "inconclusive"
    assert "experts" in probe(trained).verdicts[0].because
    assert not any("experts" in s.layer for s in starved(trained.artifacts.last)[0])
