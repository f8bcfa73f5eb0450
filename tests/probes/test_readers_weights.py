"""Weights in forms that are no plain state dict: NumPy arrays, trees, pairs, odd keys; and what is no weight."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from probes.artifacts import Checkpoint
from probes.describe import describe
from probes.discover import discover
from probes.readers.checkpoints.checkpoint import read_checkpoint

torch.set_num_threads(1)
LAYER = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2)}


def saved(path: Path, tree: Any, **way: Any) -> Checkpoint:
    torch.save(tree, path, **way)
    return read_checkpoint(path)


@pytest.mark.parametrize("key", ["model", None, "worker"])
def test_weights_that_were_saved_as_numpy_arrays_are_read(tmp_path: Path, key: str | None) -> None:
    arrays: dict[str, Any] = {name: value.numpy() for name, value in LAYER.items()}
    arrays["fc.weight"] = np.asfortranarray(arrays["fc.weight"])
    checkpoint = saved(tmp_path / "c.pt", {key: arrays, "__author__": "someone"} if key else arrays)
    assert list(checkpoint.tensors) == ["fc.weight", "fc.bias"]
    assert np.array_equal(checkpoint.tensors["fc.weight"].array(), LAYER["fc.weight"].numpy())
    assert describe(discover([tmp_path]))["artifacts"][0]["nonfinite"] == 0


def test_arrays_that_are_a_history_are_no_weights(tmp_path: Path) -> None:
    curves = {"train_loss": np.arange(5.0), "val_loss": np.arange(5.0)}
    metrics = {"loss": torch.rand(5), "accuracy": torch.rand(5)}
    checkpoint = saved(tmp_path / "c.pt", {"model": LAYER, "curves": curves, "metrics": metrics})
    assert list(checkpoint.tensors) == list(LAYER)


def test_a_tree_of_layers_is_one_model(tmp_path: Path) -> None:
    tree = {"one": {"weight": torch.ones(2, 2), "bias": torch.ones(2)}, "log_std": torch.zeros(2)}
    assert set(saved(tmp_path / "c.pt", tree).tensors) == {"one.weight", "one.bias", "log_std"}


def test_a_state_dict_beside_lone_tensors_keeps_its_names(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "c.pt", {"state_dict": LAYER, "mean": torch.zeros(3)})
    assert list(checkpoint.tensors) == list(LAYER)


def test_a_tree_that_holds_itself_ends(tmp_path: Path) -> None:
    tree: dict[str, Any] = {"weight": torch.ones(2, 2)}
    for _ in range(60):
        tree = {"a": tree, "b": tree, "weight": torch.ones(2, 2)}
    torch.save(tree, tmp_path / "c.pt")
    assert read_checkpoint(tmp_path / "c.pt").tensors


def test_pairs_of_name_and_tensor_are_a_model(tmp_path: Path) -> None:
    assert list(saved(tmp_path / "c.pt", list(LAYER.items())).tensors) == list(LAYER)


def test_keys_may_be_paths_numbers_and_any_script(tmp_path: Path) -> None:
    tree = {"层.权重": torch.ones(2, 2), 3: torch.ones(3, 3), ("enc", "w"): torch.ones(4, 4)}
    assert set(saved(tmp_path / "c.pt", tree).tensors) == {"层.权重", "3", "enc.w"}


def test_tensors_without_readable_numbers_are_named(tmp_path: Path) -> None:
    tree = {"s.weight": torch.eye(4).to_sparse(), "m.weight": torch.empty(4, 4, device="meta"), **LAYER}
    checkpoint = saved(tmp_path / "c.pt", tree)
    assert list(checkpoint.tensors) == list(LAYER)
    said = " ".join(checkpoint.warnings)
    assert "s.weight: sparse" in said and "m.weight: it was saved on the meta device" in said


def test_a_legacy_file_of_a_newer_pickle_protocol_is_read(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "c.pt", LAYER, _use_new_zipfile_serialization=False, pickle_protocol=4)
    assert checkpoint.format == "torch-legacy" and list(checkpoint.tensors) == list(LAYER)


def test_flax_names_in_npz_are_weights_and_their_step_is_the_step(tmp_path: Path) -> None:
    arrays = {"params/Dense_0/kernel": np.ones((2, 3)), "params/Embed_0/embedding": np.ones((5, 2)), "step": 100}
    np.savez(tmp_path / "c.npz", **arrays)  # type: ignore[arg-type]
    checkpoint = read_checkpoint(tmp_path / "c.npz")
    assert list(checkpoint.tensors) == list(arrays)[:2] and checkpoint.step == 100


def test_layers_beside_a_longer_list_of_curves_are_weights(tmp_path: Path) -> None:
    curves = {f"curve_{i}": np.ones(9) for i in range(3)}
    np.savez(tmp_path / "c.npz", **curves, **{name: value.numpy() for name, value in LAYER.items()})
    assert set(LAYER) <= set(read_checkpoint(tmp_path / "c.npz").tensors)


def test_safetensors_metadata_tell_step_and_epoch(tmp_path: Path) -> None:
    tensors = {name: value.numpy() for name, value in LAYER.items()}
    save_file(tensors, tmp_path / "c.safetensors", {"epoch": "4", "global_step": "77", "format": "pt"})
    checkpoint = read_checkpoint(tmp_path / "c.safetensors")
    assert (checkpoint.step, checkpoint.epoch) == (77, 4)


def test_stable_baselines_settings_are_read_and_its_pickles_are_not(tmp_path: Path) -> None:
    policy = BytesIO()
    torch.save(LAYER, policy)
    told = {"gamma": 0.99, "num_timesteps": 20480, "policy_class": {":type:": "x", ":serialized:": "gASV"}}
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("data", json.dumps(told))
        archive.writestr("policy.pth", policy.getvalue())
    assert read_checkpoint(tmp_path / "c.zip").hyper == {"gamma": 0.99, "num_timesteps": 20480}


def test_an_onnx_file_without_an_exporters_name_is_recognised(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    inside, out = (onnx.helper.make_tensor_value_info(name, 1, [1, n]) for name, n in (("x", 3), ("y", 2)))
    weights = [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in LAYER.items()]
    node = onnx.helper.make_node("Gemm", ["x", *LAYER], ["y"], transB=1)
    graph = onnx.helper.make_graph([node], "g", [inside], [out], weights)
    onnx.save(onnx.helper.make_model(graph), tmp_path / "m.onnx")
    (checkpoint,) = discover([tmp_path]).checkpoints
    assert list(checkpoint.tensors) == list(LAYER)


def test_two_models_of_one_folder_have_the_optimizers_of_their_numbers(tmp_path: Path) -> None:
    for end, width in (("", 3), ("_1", 4)):
        model = torch.nn.Linear(width, 2)
        optimizer = torch.optim.Adam(model.parameters())
        model(torch.ones(1, width)).sum().backward()
        optimizer.step()
        torch.save(model.state_dict(), tmp_path / f"pytorch_model{end}.bin")
        torch.save(optimizer.state_dict(), tmp_path / f"optimizer{end}.bin")
    found = discover([tmp_path]).checkpoints
    assert len(found) == 2
    for checkpoint in found:
        state = checkpoint.optimizer and checkpoint.optimizer.of("weight")
        assert state is not None and state.shape == checkpoint.tensors["weight"].shape  # type: ignore[union-attr]


def test_a_model_beside_an_example_of_its_input_is_a_checkpoint(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "c.pt", {"model": LAYER, "x": torch.rand(4, 3), "replay": {"obs": torch.rand(9, 3)}})
    assert list(checkpoint.tensors) == list(LAYER)


class Bundle(dict[str, Any]):
    """A dict of a class of its own, as settings libraries make them."""


def test_dicts_of_a_foreign_class_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(Bundle(net=Bundle(LAYER), epoch=3), tmp_path / "c.pt")
    checkpoint = read_checkpoint(tmp_path / "c.pt")
    assert list(checkpoint.tensors) == list(LAYER) and checkpoint.epoch == 3
    assert checkpoint.refused == (f"{__name__}.Bundle",)


def test_weights_that_lie_loose_beside_their_optimizer_have_step_and_epoch(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    state = torch.optim.Adam(model.parameters()).state_dict()
    checkpoint = saved(tmp_path / "c.pt", {**model.state_dict(), "epoch": 3, "optimizer": state, "best": 0.5})
    assert set(checkpoint.tensors) == {"weight", "bias"}
    assert (checkpoint.epoch, checkpoint.hyper["best"], checkpoint.unread) == (3, 0.5, ())


@pytest.mark.parametrize("among", [True, False])
def test_an_optimizer_that_was_flattened_by_names_is_read(tmp_path: Path, among: bool) -> None:
    flat: dict[str, Any] = {}
    for name, value in LAYER.items():
        flat |= {f"state.{name}.step": 4.0, f"state.{name}.exp_avg": value, f"state.{name}.exp_avg_sq": value}
        flat |= {f"param_groups.{name}.lr": 0.1 if "bias" in name else 0.2, f"param_groups.{name}.betas": (0.9, 0.999)}
    checkpoint = saved(tmp_path / "c.pt", LAYER | flat if among else {"model": LAYER, "optimizer": flat})
    found = checkpoint.optimizer
    assert list(checkpoint.tensors) == list(LAYER)
    assert found is not None and (found.kind, found.mapping, found.step) == ("adam", "names", 4)
    assert [p.name for p in found.parameters] == list(LAYER) and [g["lr"] for g in found.groups] == [0.2, 0.1]


@pytest.mark.parametrize(
    "state",
    [
        {"last_step": 36, "_global_step": 37, "base_values": [0.1]},
        {"param_group_field": "lr", "base_values": [0.1], "t_initial": 300},
        {"_schedulers": [{"last_epoch": 3, "_step_count": 4}], "_last_lr": [0.1]},
    ],
)
def test_schedulers_that_keep_no_epoch_are_known(tmp_path: Path, state: dict[str, Any]) -> None:
    assert len(saved(tmp_path / "c.pt", {"model": LAYER, "any": [state]}).schedulers) == 1
