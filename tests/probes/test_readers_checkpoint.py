"""Checkpoint readers against torch itself, and against files that lie."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from probes.errors import Unreadable
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


def safetensors_bytes(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**62) + b"{}",
        safetensors_bytes(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', b"\0" * 4),
        safetensors_bytes(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"\0" * 8),
        safetensors_bytes(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"\0" * 8),
        safetensors_bytes(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', b"\0" * 4),
        safetensors_bytes(b'{"a":1,"a":2}'),
        safetensors_bytes(b'{"a":NaN}'),
        safetensors_bytes(b"[" * 100_000),
    ],
)
def test_a_lying_safetensors_header_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(Unreadable):
        read_checkpoint(tmp_path / "m")


def test_saved_inputs_and_targets_are_data(tmp_path: Path) -> None:
    batch = {"x": torch.randn(4, 2), "y": torch.randn(4)}
    for content in (batch, {"train": batch, "val": batch}, torch.randn(3), (torch.randn(2), torch.randn(2))):
        torch.save(content, tmp_path / "d.pt")
        with pytest.raises(IsData):
            read_checkpoint(tmp_path / "d.pt")


class Evil:
    """Would create a file if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_foreign_object_is_named_and_never_built(tmp_path: Path, zipped: bool) -> None:
    bait = tmp_path / "ran"
    bundle = {"state_dict": small_model().state_dict(), "trap": Evil(bait)}
    torch.save(bundle, tmp_path / "c.pt", _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(tmp_path / "c.pt")
    assert not bait.exists()
    assert "builtins.exec" in checkpoint.refused
    assert "trap" in checkpoint.unread
    assert len(checkpoint.tensors) == 9


def rewritten(source: Path, target: Path, change: dict[str, bytes | None], compress: bool = False) -> None:
    """A copy of a zip with members replaced or left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            part = info.filename.partition("/")[2]
            content = change.get(part, old.read(info))
            if content is not None:
                new.writestr(info.filename, content, zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)


def test_a_tensor_whose_numbers_are_short_is_left_out_by_name(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.randn(8, 8), "fc.bias": torch.randn(8)}, tmp_path / "a.pt")
    rewritten(tmp_path / "a.pt", tmp_path / "b.pt", {"data/0": b"\0" * 16})
    checkpoint = read_checkpoint(tmp_path / "b.pt")
    assert list(checkpoint.tensors) == ["fc.bias"]
    assert any("fc.weight" in w for w in checkpoint.warnings)


def test_a_missing_storage_and_a_zip_bomb_cost_only_their_tensor(tmp_path: Path) -> None:
    torch.save({"a": torch.randn(8, 8), "b": torch.randn(8), "c": torch.ones(3)}, tmp_path / "a.pt")
    rewritten(tmp_path / "a.pt", tmp_path / "b.pt", {"data/0": b"\0" * (200 << 20), "data/1": None}, compress=True)
    assert list(read_checkpoint(tmp_path / "b.pt").tensors) == ["c"]


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.randn(8, 8)}, tmp_path / "a.pt")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "a.pt", "a") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02N.")
    with pytest.raises(Unreadable, match="two members"):
        read_checkpoint(tmp_path / "a.pt")


def stream(build: bytes) -> bytes:
    return b"\x80\x02" + build + b"."


def torch_file(path: Path, pkl: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pkl)
        archive.writestr("archive/data/0", b"\0" * 16)
        archive.writestr("archive/version", b"3\n")
    return path


def view_of_storage(size: bytes, stride: bytes, offset: bytes = b"K\x00") -> bytes:
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    build = (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + b"(" + size + b"t(" + stride + b"t\x89N" + b"tR"
    )
    return stream(b"}(X\x01\x00\x00\x00w" + build + b"X\x01\x00\x00\x00v" + build + b"u")


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        (b"\x8a\x08" + struct.pack("<q", 10**12), b"K\x00", b"K\x00"),
        (b"K\x04", b"K\x02", b"K\x00"),
        (b"K\x02", b"K\x01", b"K\x03"),
        (b"K\x02", b"J\xff\xff\xff\xff", b"K\x01"),
        (b"K\x02", b"K\x01", b"J\xff\xff\xff\xff"),
        (b"J\xff\xff\xff\xff", b"K\x01", b"K\x00"),
        (b"\x8a\x0a" + (2**72).to_bytes(10, "little"), b"K\x01", b"K\x00"),
    ],
)
def test_a_tensor_that_leaves_its_storage_is_left_out(
    tmp_path: Path, size: bytes, stride: bytes, offset: bytes
) -> None:
    checkpoint = read_checkpoint(torch_file(tmp_path / "c.pt", view_of_storage(size, stride, offset)))
    assert checkpoint.tensors == {} and checkpoint.warnings


def test_thousands_of_views_of_one_storage_are_bounded(tmp_path: Path) -> None:
    base = torch.zeros(1 << 16)
    torch.save({f"w{i}": base[i:] for i in range(3000)}, tmp_path / "c.pt")
    checkpoint = read_checkpoint(tmp_path / "c.pt")
    assert sum(t.numel for t in checkpoint.tensors.values()) * 4 <= 16 * base.nbytes + (96 << 20)
    assert any("more tensors were left out" in w for w in checkpoint.warnings)


def test_layers_that_share_their_weights_keep_all_their_names(tmp_path: Path) -> None:
    base = torch.zeros(1 << 20)
    torch.save({f"layer.{i}.weight": base for i in range(100)}, tmp_path / "c.pt")
    assert len(read_checkpoint(tmp_path / "c.pt").tensors) == 100


@pytest.mark.parametrize(
    "pkl",
    [
        stream(b"]" * 200_000 + b"a" * 199_999),
        stream(b"(" * 100_000),
        stream(b"]" + b"2\x86" * 60),
        stream(b"N0" * 200_000 + b"N"),
        stream(b"\x8b\x00\x00\x10\x00" + b"\xff" * (1 << 20)),
        stream(b"\x8d" + struct.pack("<Q", 2**34)),
        stream(b"Nr\xf0\xff\xff\xff"),
        stream(b"K\x01X\x01\x00\x00\x00a\x86K\x02s"),
        stream(b"cos\nsystem\nK\x01s"),
        b"\x80\x02}",
        b"",
        b"garbage",
    ],
    ids=range(12),
)
def test_hostile_streams_end_in_one_sentence_or_in_nothing(tmp_path: Path, pkl: bytes) -> None:
    try:
        checkpoint = read_checkpoint(torch_file(tmp_path / "c.pt", pkl))
    except Unreadable as error:
        assert str(error).endswith(".") and "\n" not in str(error)
    else:
        assert checkpoint.tensors == {}


def test_a_dict_inside_itself_is_walked_once(tmp_path: Path) -> None:
    tree: dict[str, Any] = {"w": small_model().state_dict()}
    tree["self"] = tree
    torch.save(tree, tmp_path / "c.pt")
    assert len(read_checkpoint(tmp_path / "c.pt").tensors) == 9


def test_a_truncated_checkpoint_says_so(tmp_path: Path) -> None:
    torch.save({"w": torch.randn(100, 100)}, tmp_path / "c.pt")
    data = (tmp_path / "c.pt").read_bytes()
    (tmp_path / "d.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(Unreadable, match="cut short"):
        read_checkpoint(tmp_path / "d.pt")


def _samples() -> list[bytes]:
    samples = []
    for zipped in (True, False):
        buffer = io.BytesIO()
        model = small_model()
        optimizer = torch.optim.Adam(model.parameters())
        trained(optimizer, model)
        bundle = OrderedDict(model=model.state_dict(), optimizer=optimizer.state_dict(), best=np.float64(0.5))
        torch.save(bundle, buffer, _use_new_zipfile_serialization=zipped)
        samples.append(buffer.getvalue())
    return samples


SAMPLES = _samples()


def read_or_refuse(path: Path) -> None:
    """Nothing but Unreadable may come out, also when the numbers are read."""
    try:
        checkpoint = read_checkpoint(path)
        for tensor in checkpoint.tensors.values():
            sum(rows.size for _, rows in tensor.chunks())
    except (Unreadable, IsData):
        pass


quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", struct.pack("<Q", 20) + b"{"]))
def test_random_bytes_never_raise_anything_else(tmp_path: Path, content: bytes, start: bytes) -> None:
    (tmp_path / "c").write_bytes(start + content)
    read_or_refuse(tmp_path / "c")


@quick
@given(
    st.integers(0, 1),
    st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=4)), max_size=6),
    st.data(),
)
def test_mutated_checkpoints_never_raise_anything_else(
    tmp_path: Path, which: int, edits: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    content = bytearray(SAMPLES[which])
    for place, patch in edits:
        at = place % len(content)
        content[at : at + len(patch)] = patch
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    (tmp_path / "c").write_bytes(bytes(content[:cut]))
    read_or_refuse(tmp_path / "c")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()


def several(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner)


@quick
@given(st.recursive(SCALARS, several, max_leaves=30), st.integers(0, 5))
def test_plain_pickles_read_back_as_they_were(value: Any, protocol: int) -> None:
    from probes.readers.checkpoints.pickle_stream import read_pickle

    tree, refused = read_pickle(io.BytesIO(pickle.dumps(value, protocol)), "here", {}, lambda pid: pid)
    assert set(refused) <= {"_codecs.encode", "builtins.bytes"}
    if not refused:
        assert repr(tree) == repr(value)
