"""The x-ray table: its numbers are those that the training itself had."""

import math

import pytest
import torch
from torch import nn
from trained import Trained, mlp

from probes.checks.optimizer_xray import run
from probes.finding import Finding


def probe(trained: Trained) -> Finding:
    return run(trained.artifacts, lambda fraction, text="": None)


def table(found: Finding) -> dict[str, dict[str, object]]:
    columns = found.tables[0].columns
    return {str(row[0]): dict(zip(columns, row, strict=True)) for row in found.tables[0].rows}


def test_every_layer_has_a_row_with_the_gradients_and_updates_of_the_training(train):
    torch.manual_seed(0)
    before: dict[str, torch.Tensor] = {}

    def keep(step: int, model: nn.Module) -> None:
        if step == 180:
            before.update({n: p.detach().clone() for n, p in model.named_parameters()})

    trained: Trained = train(mlp(), lambda m: torch.optim.Adam(m.parameters(), lr=2e-3), steps=180, before_step=keep)
    found = table(probe(trained))
    assert list(found) == ["0", "2", "4"]
    for name, row in found.items():
        weight = trained.model[int(name)].weight.detach()
        want = math.sqrt(trained.squares[f"{name}.weight"] / weight.numel())
        assert row["gradient"] == pytest.approx(want, rel=1e-4)
        moved = float((weight - before[f"{name}.weight"]).norm() / weight.norm())
        assert row["update"] == pytest.approx(moved, rel=2e-3)
        fresh = math.sqrt(3 * weight.shape[1])
        assert row["weights"] == pytest.approx(float(weight.square().mean().sqrt()) * fresh, rel=1e-5)
        assert row["training"] == "trained"
    assert found["0"]["dead"] == 0


def test_units_that_die_show_in_their_layers_row(train):
    torch.manual_seed(0)

    def kill(step: int, model: nn.Module) -> None:
        if step == 1:
            with torch.no_grad():
                model[0].bias[:16] = -1000.0

    found = table(probe(train(mlp(), lambda m: torch.optim.Adam(m.parameters(), 2e-3), steps=200, before_step=kill)))
    assert found["0"]["never"] == pytest.approx(0.5)
    assert found["2"]["never"] == 0


def test_the_sick_layer_is_marked_and_healthy_ones_are_not(train):
    def kill(step: int, model: nn.Module) -> None:
        if step == 1:
            with torch.no_grad():
                model[2].bias[:24] = -1000.0

    torch.manual_seed(0)

    def make(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), 2e-3)

    healthy = probe(train(mlp(depth=3), make, steps=300)).tables[0]
    assert [healthy.mark(i) for i in range(4)] == [""] * 4
    sick = probe(train(mlp(depth=3), make, steps=300, before_step=kill)).tables[0]
    assert [sick.mark(i) for i in range(4)] == ["", "!!", "", ""]
    assert sick.mark(1, sick.columns.index("never")) == "!!"


def test_an_eps_that_drowns_the_gradients_is_only_suspected_where_nothing_is_learned(train):
    torch.manual_seed(0)
    trained: Trained = train(mlp(), lambda m: torch.optim.Adam(m.parameters(), lr=1e-4, eps=10.0), steps=120)
    assert [(v.diagnosis, v.verdict) for v in probe(trained).verdicts] == [("learning-rate-too-low", "suspected")]
    (trained.folder / "log.csv").unlink()
    assert [v.verdict for v in probe(trained).verdicts] == ["inconclusive"]


def test_a_usual_eps_is_not_mentioned(train):
    torch.manual_seed(0)
    assert probe(train(mlp(), lambda m: torch.optim.Adam(m.parameters()), steps=120)).verdicts == ()


def test_without_state_it_says_what_to_save(train):
    found = probe(train(mlp(), lambda m: torch.optim.SGD(m.parameters(), lr=0.1), steps=30))
    assert found.status == "could-not-check"
    assert "optimizer.state_dict()" in found.needs


def test_of_an_optimizer_that_is_not_understood_it_names_the_kind(train):
    trained: Trained = train(mlp(), lambda m: torch.optim.Adam(m.parameters()), steps=30)
    for path in trained.folder.glob("*.pt"):
        saved = torch.load(path)
        for state in saved["optimizer"]["state"].values():
            state["GG"], state["Q"] = [torch.eye(3), []], [torch.eye(3), []]
        torch.save(saved, path)
    found = probe(trained)
    assert found.status == "could-not-check" and "(soap) is not understood" in found.title


def test_vanished_layers_are_marked_and_not_the_head(train):
    torch.manual_seed(0)
    layers = [part for i in range(8) for part in (nn.Linear(16 if i == 0 else 32, 32), nn.Sigmoid())]
    model = nn.Sequential(*layers, nn.Linear(32, 4))
    found = probe(train(model, lambda m: torch.optim.SGD(m.parameters(), lr=0.02, momentum=0.9), steps=200)).tables[0]
    gradient = [found.mark(i, found.columns.index("gradient")) for i in range(9)]
    assert gradient[:3] == ["!!"] * 3
    assert gradient[-2:] != ["!!", "!!"] and gradient[-2] == ""


def test_units_that_are_stuck_at_a_value_count_as_starved(train):
    torch.manual_seed(0)

    def push(step: int, model: nn.Module) -> None:
        if step == 1:
            with torch.no_grad():
                model[0].bias[:24] = 1000.0

    trained: Trained = train(mlp(act=nn.Tanh), lambda m: torch.optim.Adam(m.parameters(), lr=2e-3), 400, push)
    found = probe(trained).tables[0]
    assert table(probe(trained))["0"]["starved"] == pytest.approx(0.75)
    assert found.mark(0, found.columns.index("starved")) == "!!"
