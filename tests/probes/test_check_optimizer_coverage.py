"""What the optimizer has of the model: layers that were left out, groups, rates and decay."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from trained import mlp, tables

from probes.checks.optimizer_coverage import run
from probes.discover import discover
from probes.finding import Finding


def probe(folder: Path) -> Finding:
    return run(discover([folder]), lambda fraction, text="": None)


def said(finding: Finding) -> dict[str, str]:
    return {v.diagnosis: v.verdict for v in finding.verdicts}


def measured(finding: Finding) -> dict[str, Any]:
    return {m.name: m.value for m in finding.measures}


def norms() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 24), nn.LayerNorm(24), nn.ReLU(), nn.Linear(24, 20), nn.ReLU(), nn.Linear(20, 4))


def save(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 3, **more: Any) -> None:
    x, y = tables()
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[:40]), y[:40]).backward()
        optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "step": steps}
    torch.save(state | more, folder / "last.pt")


def stands(folder: Path) -> None:
    rows = "".join(f"{epoch},{1.39 + 0.001 * (epoch % 2)}\n" for epoch in range(9))
    (folder / "log.csv").write_text("epoch,train_loss\n" + rows)


def without(model: nn.Module, *names: str) -> Iterable[nn.Parameter]:
    return [p for n, p in model.named_parameters() if n not in names]


def test_an_optimizer_that_has_everything_is_told_and_not_judged(tmp_path):
    model = norms()
    save(tmp_path, model, torch.optim.AdamW(model.parameters(), lr=1e-3))
    found = probe(tmp_path)
    assert found.title == "optimizer coverage: all 8 parameters in 1 group"
    assert found.verdicts == ()
    assert measured(found)["normalisations and biases under weight decay, of 5"] == 5


@pytest.mark.parametrize(
    ("left", "certain"),
    [
        (("3.weight",), True),
        (("3.weight", "3.bias"), True),
        (("0.weight", "0.bias"), False),  # the bias is as large as the two vectors of the norm after it
    ],
)
def test_parameters_that_were_left_out_are_named_where_their_shapes_tell(tmp_path, left, certain):
    model = norms()
    save(tmp_path, model, torch.optim.Adam(without(model, *left)))
    found = probe(tmp_path)
    assert measured(found)["parameters of the model in no group"] == len(left)
    assert {row[0] for table in found.tables[1:] for row in table.rows} == (set(left) if certain else set())


def test_only_the_number_is_told_where_the_shapes_are_all_alike(tmp_path):
    model = nn.Sequential(*[nn.Linear(16, 16) for _ in range(5)], nn.Linear(16, 4))
    save(tmp_path, model, torch.optim.Adam(without(model, "1.weight", "1.bias")))
    found = probe(tmp_path)
    assert said(found) == {"frozen-parameters": "inconclusive"}
    assert "2 of 12 parameters" in found.verdicts[0].because and "do not tell" in found.verdicts[0].because
    assert len(found.tables) == 1


def test_plain_sgd_of_the_head_alone_is_suspected_only_where_the_loss_stands(tmp_path):
    model = mlp(depth=3)
    save(tmp_path, model, torch.optim.SGD(model[-1].parameters(), lr=0.1))
    assert said(probe(tmp_path)) == {"frozen-parameters": "inconclusive"}
    stands(tmp_path)
    assert said(probe(tmp_path)) == {"frozen-parameters": "suspected"}


def test_layers_that_can_be_named_are_left_to_their_own_probe(tmp_path):
    model = mlp(width=12, depth=4)
    save(tmp_path, model, torch.optim.Adam(model[-1].parameters()))
    found = probe(tmp_path)
    assert found.title == "optimizer coverage: 2 of 10 parameters in 1 group"
    assert said(found) == {}


def test_an_averaged_copy_in_the_file_is_not_missing(tmp_path):
    model = mlp()
    save(tmp_path, model, torch.optim.Adam(model.parameters()), ema=copy.deepcopy(model).state_dict())
    found = probe(tmp_path)
    assert found.title == "optimizer coverage: all 6 parameters in 1 group"


def test_the_other_model_of_a_pair_has_its_own_optimizer(tmp_path):
    model, critic = mlp(), mlp(width=8)
    other = torch.optim.Adam(critic.parameters())
    save(tmp_path, model, torch.optim.Adam(model.parameters()), critic=critic.state_dict(), opt_c=other.state_dict())
    found = probe(tmp_path)
    assert said(found) == {}
    assert measured(found)["parameters of the model in no group"] == 0


def test_parameters_without_state_are_counted(tmp_path):
    model = norms()
    model[1].weight.requires_grad_(False)
    save(tmp_path, model, torch.optim.Adam(model.parameters()))
    found = probe(tmp_path)
    assert found.title.endswith("1 of them without state")
    assert [row[0] for row in found.tables[1].rows] == ["1.weight"]


def test_groups_are_told_with_what_is_in_them(tmp_path):
    model = norms()
    large = [p for p in model.parameters() if p.dim() > 1]
    small = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": large, "lr": 1e-2, "weight_decay": 0.1}, {"params": small, "lr": 1e-5, "weight_decay": 0.0}]
    save(tmp_path, model, torch.optim.AdamW(groups))
    found = probe(tmp_path)
    assert [row[1:6] for row in found.tables[0].rows] == [(3, 3, 3, 0, 0), (5, 5, 0, 5, 0)]
    assert measured(found)["largest group rate against the smallest"] == pytest.approx(1000)
    assert said(found) == {}


@pytest.mark.parametrize(("decay", "verdict"), [(0.01, None), (1.0, "inconclusive")])
def test_decay_of_biases_is_told_only_where_it_would_take_most_of_them(tmp_path, decay, verdict):
    model = norms()
    save(tmp_path, model, torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=decay), steps=100)
    assert said(probe(tmp_path)).get("over-regularization") == verdict
    if verdict:
        stands(tmp_path)
        assert said(probe(tmp_path))["over-regularization"] == "suspected"


def test_weights_alone_say_nothing_of_an_optimizer(tmp_path):
    torch.save(mlp().state_dict(), tmp_path / "weights.pt")
    assert probe(tmp_path).status == "could-not-check"
