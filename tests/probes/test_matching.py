"""Names of optimizer states: which of several models and orders they are from, and where that cannot be told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from probes.artifacts import OptimizerState
from probes.readers.checkpoints.checkpoint import read_checkpoint

torch.set_num_threads(1)


def mlp(inside: int = 6, out: int = 6) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inside, 6), nn.ReLU(), nn.Linear(6, out))


def trained(parameters: Iterable[Any]) -> dict[str, Any]:
    optimizer = torch.optim.Adam(parameters)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return optimizer.state_dict()


def saved(path: Path, tree: dict[str, Any]) -> OptimizerState:
    torch.save(tree, path)
    found = read_checkpoint(path).optimizer
    assert found is not None
    return found


def names(optimizer: OptimizerState) -> list[str | None]:
    return [p.name for p in optimizer.parameters]


@pytest.mark.parametrize(
    ("copy", "own"),
    [("ema", "model"), ("teacher", "student"), ("target_net", "policy_net"), ("best_state", "last_state")],
)
def test_a_copy_that_stands_first_has_no_optimizer(tmp_path: Path, copy: str, own: str) -> None:
    model = mlp()
    tree = {copy: mlp().state_dict(), own: model.state_dict(), "optimizer": trained(model.parameters())}
    assert names(saved(tmp_path / "c.pt", tree))[0] == f"{own}.0.weight"


@pytest.mark.parametrize(
    ("first", "second", "key", "target"),
    [
        ("generator", "discriminator", "d_optimizer", "discriminator"),
        ("G_state", "D_state", "optimizer_D", "D_state"),
        ("critic", "actor", "actor_optimizer", "actor"),
        ("critic_target", "critic", "critic_optim", "critic"),
        ("netG", "netD", "optimizerD", "netD"),
    ],
)
def test_of_equal_models_the_optimizers_key_names_its_own(
    tmp_path: Path, first: str, second: str, key: str, target: str
) -> None:
    models = {first: mlp(), second: mlp()}
    tree = {name: model.state_dict() for name, model in models.items()}
    assert (
        names(saved(tmp_path / "c.pt", tree | {key: trained(models[target].parameters())}))[0] == f"{target}.0.weight"
    )


def test_equal_models_that_nothing_tells_apart_leave_states_without_names(tmp_path: Path) -> None:
    one, two = mlp(), mlp()
    tree = {"one": one.state_dict(), "two": two.state_dict(), "optimizer": trained(one.parameters())}
    found = saved(tmp_path / "c.pt", tree)
    assert found.mapping == "ambiguous" and not any(names(found))
    assert "one, two" in found.mapping_note
    both = saved(tmp_path / "c.pt", tree | {"optimizer": trained([*two.parameters(), *one.parameters()])})
    assert both.mapping == "ambiguous" and not any(names(both))


def test_one_optimizer_of_two_models_is_mapped_in_either_order(tmp_path: Path) -> None:
    encoder, decoder = mlp(out=3), mlp(inside=3)
    tree = {"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}
    found = saved(tmp_path / "c.pt", tree | {"optim": trained([*decoder.parameters(), *encoder.parameters()])})
    assert names(found)[::4] == ["decoder.0.weight", "encoder.0.weight"]


def test_groups_in_another_order_than_the_model_are_mapped_by_their_shapes(tmp_path: Path) -> None:
    model = mlp(out=3)
    groups = [{"params": model[2].parameters(), "lr": 1e-2}, {"params": model[0].parameters()}]
    found = saved(tmp_path / "c.pt", {"model": model.state_dict(), "optimizer": trained(groups)})
    assert found.mapping == "order" and names(found) == ["2.weight", "2.bias", "0.weight", "0.bias"]


def test_groups_of_equal_layers_could_be_in_any_order(tmp_path: Path) -> None:
    model = mlp()
    groups = [{"params": layer.parameters()} for layer in (model[2], model[0])]
    found = saved(tmp_path / "c.pt", {"model": model.state_dict(), "optimizer": trained(groups)})
    assert found.mapping == "ambiguous" and "orders of the groups" in found.mapping_note
    assert not any(names(found))


def test_a_group_that_was_added_later_is_looked_for_by_itself(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4), nn.Linear(4, 5))
    groups = [{"params": model[2].parameters()}, {"params": model[1].parameters()}]
    found = saved(tmp_path / "c.pt", {"model": model.state_dict(), "optimizer": trained(groups)})
    assert names(found) == ["2.weight", "2.bias", "1.weight", "1.bias"]


def test_an_optimizer_whose_key_names_a_part_of_the_model_gets_that_part(tmp_path: Path) -> None:
    model = nn.ModuleDict({"neck": mlp(), "head": mlp()})
    parts = {part: trained(model[part].parameters()) for part in ("head", "neck")}
    found = saved(tmp_path / "c.pt", {"state_dict": model.state_dict(), "optimizer": parts})
    assert found.mapping == "order" and names(found)[0] == "head.0.weight"
