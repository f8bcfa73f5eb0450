"""Checkpoint readers against torch itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from probes.readers.checkpoints.checkpoint import IsData, read_checkpoint

torch.set_num_threads(1)


def small_model() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.BatchNorm1d(7), torch.nn.Linear(7, 3))


def trained(optimizer: Any, model: torch.nn.Module, steps: int = 3) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 5)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("key", ["state_dict", "model", "net", "whatever"])
def test_weights_are_found_under_any_key_with_the_values_that_torch_reads(
    tmp_path: Path, zipped: bool, key: str
) -> None:
    model = small_model()
    torch.save({key: model.state_dict(), "epoch": 4}, tmp_path / "c", _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(tmp_path / "c")
    assert checkpoint.format == ("torch-zip" if zipped else "torch-legacy")
    assert checkpoint.epoch == 4
    assert list(checkpoint.tensors) == list(model.state_dict())
    for name, value in model.state_dict().items():
        assert np.array_equal(checkpoint.tensors[name].array(), value.numpy())


DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64"]
DTYPES += ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"]


@pytest.mark.parametrize(
    "name",
    DTYPES,
)
def test_every_type_of_number_reads_as_torch_reads_it(tmp_path: Path, name: str) -> None:
    dtype: torch.dtype = getattr(torch, name)
    if dtype.itemsize == 1 and dtype.is_floating_point:
        value = torch.arange(256, dtype=torch.uint8).view(dtype).reshape(16, 16)
    else:
        value = (torch.randn(16, 16) * 3).to(dtype)
    torch.save({"w": value, "v": value}, tmp_path / "c.pt")
    got = read_checkpoint(tmp_path / "c.pt").tensors["w"]
    half = dtype.is_floating_point and dtype.itemsize < 4
    want = value.to(torch.float32).numpy() if half else value.numpy()
    assert got.dtype == name
    assert np.array_equal(got.array(), want, equal_nan=not dtype.is_complex and dtype.is_floating_point)


def test_views_are_read_with_their_strides_and_offsets(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    views = {
        "t": base.t(),
        "row": base[2],
        "part": base[1:3, 2:5],
        "wide": base[:, :1].expand(4, 3),
        "scalar": base[3, 5],
    }
    torch.save(views, tmp_path / "c.pt")
    tensors = read_checkpoint(tmp_path / "c.pt").tensors
    for name, value in views.items():
        assert np.array_equal(tensors[name].array(), value.numpy())
        whole = np.concatenate([rows for _, rows in tensors[name].chunks(limit=16)]).reshape(value.shape)
        assert np.array_equal(whole, value.numpy())


def test_chunks_are_bounded_and_cover_every_row(tmp_path: Path) -> None:
    value = torch.randn(1000, 33)
    torch.save({"w": value, "b": torch.randn(7)}, tmp_path / "c.pt")
    tensor = read_checkpoint(tmp_path / "c.pt").tensors["w"]
    pieces = list(tensor.chunks(limit=10_000))
    assert all(rows.nbytes <= 10_000 for _, rows in pieces)
    assert [first for first, _ in pieces] == list(range(0, 1000, len(pieces[0][1])))
    assert np.array_equal(np.concatenate([rows for _, rows in pieces]), value.numpy())


@pytest.mark.parametrize("step", [float("nan"), float("inf"), -3.0, 1e300])
def test_a_step_count_that_cannot_be_one_is_left_out(tmp_path: Path, step: float) -> None:
    model = small_model()
    optimizer = torch.optim.Adam(model.parameters())
    trained(optimizer, model)
    state = optimizer.state_dict()
    state["state"][0]["step"] = torch.tensor(step)
    torch.save({"model": model.state_dict(), "opt": state}, tmp_path / "c.pt")
    found = read_checkpoint(tmp_path / "c.pt").optimizer
    assert found is not None and found.parameters[0].step is None
    assert found.step == found.parameters[1].step


@pytest.mark.parametrize(
    ("make", "kind", "how"),
    [
        (lambda p: torch.optim.Adam(p), "adam", "flag"),
        (lambda p: torch.optim.AdamW(p), "adamw", "flag"),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), "sgd", "keys"),
        (lambda p: torch.optim.SGD(p, lr=0.1), "sgd", "keys"),
        (lambda p: torch.optim.RMSprop(p), "rmsprop", "keys"),
        (lambda p: torch.optim.NAdam(p), "nadam", "keys"),
        (lambda p: torch.optim.RAdam(p), "radam", "keys"),
        (lambda p: torch.optim.Adamax(p), "adamax", "keys"),
        (lambda p: torch.optim.Adagrad(p), "adagrad", "keys"),
        (lambda p: torch.optim.Adadelta(p), "adadelta", "keys"),
        (lambda p: torch.optim.Adafactor(p), "adafactor", "keys"),
        (lambda p: torch.optim.ASGD(p), "asgd", "keys"),
        (lambda p: torch.optim.Rprop(p), "rprop", "keys"),
    ],
)
def test_the_optimizer_is_told_by_what_it_saved(tmp_path: Path, make: Any, kind: str, how: str) -> None:
    model = small_model()
    optimizer = make(model.parameters())
    trained(optimizer, model)
    torch.save({"model": model.state_dict(), "opt": optimizer.state_dict()}, tmp_path / "c.pt")
    found = read_checkpoint(tmp_path / "c.pt").optimizer
    assert found is not None
    assert (found.kind, found.kind_from) == (kind, how)
    assert [p.name for p in found.parameters] == [n for n, _ in model.named_parameters()]


def test_slots_of_a_named_parameter_hold_its_moments(tmp_path: Path) -> None:
    model = small_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=0.1)
    trained(optimizer, model, steps=5)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "c.pt")
    checkpoint = read_checkpoint(tmp_path / "c.pt")
    assert checkpoint.optimizer is not None
    state = checkpoint.optimizer.of("2.weight")
    assert state is not None and state.step == 5 and checkpoint.step == 5
    assert np.array_equal(state.slots["exp_avg_sq"].array(), optimizer.state[model[2].weight]["exp_avg_sq"].numpy())
    assert checkpoint.optimizer.groups[0]["weight_decay"] == 0.1


def test_two_whole_modules_keep_apart_and_the_optimizer_gets_the_firsts_names(tmp_path: Path) -> None:
    model = small_model()
    optimizer = torch.optim.Adam(model.parameters())
    trained(optimizer, model)
    torch.save({"model": model, "ema": small_model(), "optimizer": optimizer.state_dict()}, tmp_path / "c.pt")
    checkpoint = read_checkpoint(tmp_path / "c.pt")
    assert "model.0.weight" in checkpoint.tensors and "ema.0.weight" in checkpoint.tensors
    assert checkpoint.optimizer is not None and checkpoint.optimizer.of("model.0.weight") is not None


class Tied(torch.nn.Module):
    """An embedding whose weights are also the output layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(11, 6)
        self.norm = torch.nn.LayerNorm(6)
        self.head = torch.nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.embed(x)))  # type: ignore[no-any-return]


def test_tied_weights_with_matrices_first_are_mapped(tmp_path: Path) -> None:
    model = Tied()
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": matrices}, {"params": others, "weight_decay": 0.0}])
    model(torch.arange(11)).square().mean().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "c.pt")
    found = read_checkpoint(tmp_path / "c.pt").optimizer
    assert found is not None and found.mapping == "order"
    assert [p.name for p in found.parameters] == ["embed.weight", "norm.weight", "norm.bias"]


def test_an_optimizer_of_the_head_alone_gets_the_heads_names(tmp_path: Path) -> None:
    model = small_model()
    optimizer = torch.optim.Adam(model[2].parameters())
    trained(optimizer, model)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "c.pt")
    found = read_checkpoint(tmp_path / "c.pt").optimizer
    assert found is not None
    assert [p.name for p in found.parameters] == ["2.weight", "2.bias"]
    assert "2 of 6" in found.mapping_note


def test_names_that_would_be_a_guess_are_left_out(tmp_path: Path) -> None:
    model = torch.nn.Sequential(*[torch.nn.Linear(4, 4) for _ in range(3)])
    optimizer = torch.optim.Adam(model[1].parameters())
    model(torch.randn(2, 4)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "c.pt")
    found = read_checkpoint(tmp_path / "c.pt").optimizer
    assert found is not None and found.mapping == "ambiguous"
    assert [p.name for p in found.parameters] == [None, None]
    assert "would settle it" in found.mapping_note


def test_param_names_settle_the_mapping(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    optimizer = torch.optim.Adam(reversed(list(model.named_parameters())))
    model(torch.randn(2, 4)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "c.pt")
    found = read_checkpoint(tmp_path / "c.pt").optimizer
    assert found is not None and found.mapping == "param_names"
    assert found.parameters[0].name == "1.bias"


def test_a_whole_module_is_read_without_building_it(tmp_path: Path) -> None:
    model = small_model()
    torch.save({"net": model, "epoch": 2}, tmp_path / "c.pt")
    checkpoint = read_checkpoint(tmp_path / "c.pt")
    assert set(checkpoint.tensors) == set(model.state_dict())
    assert "torch.nn.modules.linear.Linear" in checkpoint.refused


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_weights_are_read(tmp_path: Path) -> None:
    scripted = torch.jit.trace(small_model().eval(), torch.randn(2, 5))
    torch.jit.save(scripted, str(tmp_path / "c.pt"))
    checkpoint = read_checkpoint(tmp_path / "c.pt")
    assert checkpoint.format == "torchscript"
    assert set(checkpoint.tensors) == set(small_model().state_dict())


def test_lightning_bundles_keep_step_epoch_and_settings(tmp_path: Path) -> None:
    model = small_model()
    bundle = {"pytorch-lightning_version": "2.0", "epoch": 3, "global_step": 120, "state_dict": model.state_dict()}
    bundle |= {"hyper_parameters": {"lr": 0.1, "layers": [1, 2]}, "optimizer_states": [], "lr_schedulers": []}
    torch.save(bundle, tmp_path / "c.ckpt")
    checkpoint = read_checkpoint(tmp_path / "c.ckpt")
    assert (checkpoint.format, checkpoint.step, checkpoint.epoch) == ("lightning", 120, 3)
    assert checkpoint.hyper["hyper_parameters"] == {"lr": 0.1, "layers": [1, 2]}


def test_safetensors_agree_with_the_library(tmp_path: Path) -> None:
    values = {"a": torch.randn(3, 4), "b": torch.arange(5), "c": torch.randn(2, 2).to(torch.bfloat16)}
    save_file(values, tmp_path / "m.safetensors", metadata={"note": "hello"})
    checkpoint = read_checkpoint(tmp_path / "m.safetensors")
    assert checkpoint.hyper == {"note": "hello"}
    assert np.array_equal(checkpoint.tensors["c"].array(), values["c"].float().numpy())
    assert np.array_equal(checkpoint.tensors["b"].array(), values["b"].numpy())


def test_saved_inputs_and_targets_are_data(tmp_path: Path) -> None:
    batch = {"x": torch.randn(4, 2), "y": torch.randn(4)}
    for content in (batch, {"train": batch, "val": batch}, torch.randn(3), (torch.randn(2), torch.randn(2))):
        torch.save(content, tmp_path / "d.pt")
        with pytest.raises(IsData):
            read_checkpoint(tmp_path / "d.pt")
