"""DeepSpeed folders beyond one model's partitions: pipelines, tensor parallelism, frozen weights, universal ones."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from probes.discover import discover

torch.set_num_threads(1)
Tensors = dict[str, torch.Tensor]


def runs(flat: torch.Tensor, ranks: int) -> list[torch.Tensor]:
    share = -(-flat.numel() // ranks)
    return [t.clone() for t in torch.nn.functional.pad(flat, (0, share * ranks - flat.numel())).split(share)]


def write_rank(folder: Path, place: int, weights: Tensors, moment: Tensors, ranks: int = 2, **more: Any) -> None:
    """What one `mp_rank` saves under ZeRO 2: its parameters' shapes, and their numbers cut over the data ranks."""
    head: dict[str, Any] = {
        "module": {name: w.half() for name, w in weights.items()},
        "buffer_names": [],
        "param_shapes": [OrderedDict((name, w.shape) for name, w in weights.items())],
        "global_steps": 9,
    }
    torch.save(head | more, folder / f"mp_rank_{place:02d}_model_states.pt")
    flat = [torch.cat([t.flatten() for t in part.values()]) for part in (weights, moment)]
    masters, firsts = (runs(one, ranks) for one in flat)
    for rank in range(ranks):
        state = {"step": 9, "exp_avg": firsts[rank], "exp_avg_sq": firsts[rank] ** 2}
        groups = [{"lr": 1e-3, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1, "bias_correction": True}]
        inner = {
            "zero_stage": 2,
            "partition_count": ranks,
            "base_optimizer_state": {"state": {0: state}, "param_groups": groups},
            "single_partition_of_fp32_groups": [masters[rank]],
        }
        path = folder / f"zero_pp_rank_{rank}_mp_rank_{place:02d}_optim_states.pt"
        torch.save({"optimizer_state_dict": inner}, path)


def random(**shapes: tuple[int, ...]) -> Tensors:
    return {name.replace("__", "."): torch.randn(shape) for name, shape in shapes.items()}


def test_the_stages_of_a_pipeline_are_one_model(tmp_path: Path) -> None:
    stages = [random(a__weight=(6, 4), a__bias=(6,)), random(b__weight=(3, 6), b__bias=(3,))]
    for place, weights in enumerate(stages):
        write_rank(tmp_path, place, weights, {n: -w for n, w in weights.items()})
        torch.save({"weight": torch.zeros(2)}, tmp_path / f"layer_0{place}-model_00-model_states.pt")
    (checkpoint,) = discover([tmp_path]).checkpoints
    whole = stages[0] | stages[1]
    assert checkpoint.step == 9 and not checkpoint.warnings
    assert set(checkpoint.tensors) == set(whole)
    assert checkpoint.optimizer is not None
    for name, weight in whole.items():
        assert np.array_equal(checkpoint.tensors[name].array(), weight.numpy())
        state = checkpoint.optimizer.of(name)
        assert state is not None and np.array_equal(state.slots["exp_avg"].array(), -weight.numpy())
    assert {p.group for p in checkpoint.optimizer.parameters} == {0, 1}


def test_slices_of_tensors_are_read_apart_and_that_is_said_once(tmp_path: Path) -> None:
    slices = [random(a__weight=(6, 4), a__bias=(6,)) for _ in range(2)]
    for place, weights in enumerate(slices):
        write_rank(tmp_path, place, weights, weights)
    (checkpoint,) = discover([tmp_path]).checkpoints
    (told,) = checkpoint.warnings
    assert "2 tensors are read as 2 slices each" in told and "ds_to_universal" in told
    for place, weights in enumerate(slices):
        name = f"mp_rank_0{place}.a.weight"
        assert np.array_equal(checkpoint.tensors[name].array(), weights["a.weight"].numpy())
        assert checkpoint.optimizer is not None and checkpoint.optimizer.of(name) is not None


def test_a_part_of_a_parallel_model_that_is_missing_is_named(tmp_path: Path) -> None:
    for place in range(2):
        weights = random(a__weight=(6, 4))
        write_rank(tmp_path, place, weights, weights)
    (tmp_path / "mp_rank_01_model_states.pt").unlink()
    found = discover([tmp_path])
    assert not found.checkpoints and "mp_rank_01_model_states.pt is missing" in found.unknown[0].why


def test_weights_that_are_not_trained_and_tied_ones_are_there_as_well(tmp_path: Path) -> None:
    weights, frozen = random(head__weight=(3, 6)), torch.randn(6, 4)
    more = {
        "frozen_param_shapes": OrderedDict({"base.weight": frozen.shape}),
        "frozen_param_fragments": OrderedDict({"base.weight": frozen}),
        "shared_params": [["tied.weight", "head.weight"]],
    }
    write_rank(tmp_path, 0, weights, weights, **more)
    (checkpoint,) = discover([tmp_path]).checkpoints
    assert set(checkpoint.tensors) == {"head.weight", "base.weight", "tied.weight"}
    assert np.array_equal(checkpoint.tensors["base.weight"].array(), frozen.numpy())
    assert checkpoint.optimizer is not None and checkpoint.optimizer.of("base.weight") is None


def write_universal(folder: Path, weights: Tensors) -> None:
    for name, weight in weights.items():
        inside = folder / "zero" / name
        inside.mkdir(parents=True)
        torch.save({"param": weight, "cat_dim": 0}, inside / "fp32.pt")
        torch.save({"param": 0.1 * weight}, inside / "exp_avg.pt")
        torch.save({"param": weight**2}, inside / "exp_avg_sq.pt")
        torch.save(7, inside / "step.pt")
    groups = [{"lr": 1e-3, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": d, "params": [0]} for d in (0.1, 0.0)]
    torch.save({"zero_stage": 2, "param_groups": groups}, folder / "zero" / "optimizer_state.pt")
    module = {n: w.half() for n, w in weights.items()} | {"norm.running_mean": torch.ones(3)}
    torch.save({"module": module, "global_steps": 7, "lr": 5}, folder / "mp_rank_00_model_states.pt")


def test_a_universal_checkpoint_is_read_by_its_names(tmp_path: Path) -> None:
    weights = random(a__weight=(6, 4), a__bias=(6,))
    write_universal(tmp_path / "global_step7_universal", weights)
    (checkpoint,) = discover([tmp_path]).checkpoints
    assert (checkpoint.format, checkpoint.step) == ("deepspeed-universal", 7)
    assert set(checkpoint.tensors) == {"a.weight", "a.bias", "norm.running_mean"}
    assert np.array_equal(checkpoint.tensors["a.weight"].array(), weights["a.weight"].numpy())
    state = checkpoint.optimizer
    assert state is not None and state.mapping == "names" and state.groups[0]["lr"] == 1e-3
    assert "weight_decay" not in state.groups[0]  # the groups differ, and which one a parameter was in is not told
    own = state.of("a.bias")
    assert own is not None and own.step == 7 and set(own.slots) == {"exp_avg", "exp_avg_sq"}


@pytest.mark.parametrize("content", [{"param": "text"}, [1, 2], {"param": {"a": 1}}])
def test_a_universal_part_of_another_kind_is_left_out_by_name(tmp_path: Path, content: Any) -> None:
    write_universal(tmp_path, random(a__weight=(6, 4), b__weight=(6, 4)))
    torch.save(content, tmp_path / "zero" / "b.weight" / "exp_avg.pt")
    torch.save({"param_groups": 5}, tmp_path / "zero" / "optimizer_state.pt")
    found = discover([tmp_path])
    if found.checkpoints:
        assert any("b.weight.exp_avg" in w for w in found.checkpoints[0].warnings)
    else:
        assert "do not hold what they should" in found.unknown[0].why


@pytest.mark.parametrize("slices", [1, 2])
def test_the_layers_of_a_pipeline_without_partitions_are_one_model(tmp_path: Path, slices: int) -> None:
    for layer in range(3):
        for place in range(slices):
            weights = {"weight": torch.full((4, 2), float(layer)), "bias": torch.zeros(4)}
            torch.save(weights, tmp_path / f"layer_{layer:02d}-model_{place:02d}-model_states.pt")
    (checkpoint,) = discover([tmp_path]).checkpoints
    name = "layer_02.weight" if slices == 1 else "layer_02.model_01.weight"
    assert len(checkpoint.tensors) == 6 * slices and checkpoint.tensors[name].array().max() == 2
    assert len(checkpoint.warnings) == slices - 1
