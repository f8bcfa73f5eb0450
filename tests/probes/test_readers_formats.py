"""Formats beside torch's own: the same numbers come out that went in, and hostile files get one sentence."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from probes.describe import describe
from probes.discover import discover
from probes.errors import Unreadable
from probes.readers.checkpoints.checkpoint import IsData, read_checkpoint
from probes.readers.checkpoints.distributed import ShardedTensor
from probes.readers.checkpoints.lazy import LazyTensor, Storage, dense, tensor
from probes.readers.checkpoints.span import Span
from probes.saved import statistics
from probes.saved.layers import floating
from probes.saved.statistics import in_memory


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))


def same(read: dict[str, LazyTensor], model: nn.Module) -> bool:
    wanted = model.state_dict()
    return read.keys() == wanted.keys() and all(np.array_equal(read[k].array(), v.numpy()) for k, v in wanted.items())


@pytest.mark.filterwarnings("ignore")
def test_an_exported_program_gives_its_weights_without_being_run(tmp_path):
    model = net().eval()
    torch.export.save(torch.export.export(model, (torch.randn(3, 4),)), tmp_path / "net.pt2")
    read = read_checkpoint(tmp_path / "net.pt2")
    assert read.format == "exported"
    assert same(read.tensors, model)


@pytest.mark.filterwarnings("ignore")
def test_a_distributed_checkpoint_is_read_from_its_folder_with_its_optimizer(tmp_path):
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_state_dict

    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(9, 4)).sum().backward()
        optimizer.step()
    weights, state = get_state_dict(model, optimizer)
    dcp.save({"model": weights, "optim": state, "step": 3}, checkpoint_id=tmp_path / "step3")
    (read,) = discover([tmp_path / "step3"]).checkpoints
    assert (read.format, read.step) == ("distributed", 3)
    assert same(read.tensors, model)
    assert read.optimizer is not None
    assert (read.optimizer.kind, read.optimizer.groups[0]["lr"]) == ("adamw", 0.01)
    moments = read.optimizer.of("0.weight")
    assert moments is not None
    assert np.array_equal(moments.slots["exp_avg"].array(), optimizer.state[model[0].weight]["exp_avg"].numpy())


@pytest.mark.filterwarnings("ignore")
def test_a_part_that_is_missing_is_named(tmp_path):
    import torch.distributed.checkpoint as dcp

    dcp.save({"model": net().state_dict()}, checkpoint_id=tmp_path / "d", no_dist=True)
    next((tmp_path / "d").glob("*.distcp")).unlink()
    with pytest.raises(Unreadable, match=r"distcp.*is not there"):
        read_checkpoint(tmp_path / "d" / ".metadata")


def piece(tmp_path: Path, name: str, values: np.ndarray) -> LazyTensor:
    path = tmp_path / name
    path.write_bytes(values.tobytes())
    storage = Storage(name, Span(path, 0, values.nbytes), "float32")
    return tensor(storage, values.shape, dense(values.shape), 0)


def test_a_tensor_cut_into_chunks_is_whole_again(tmp_path):
    whole = np.arange(24, dtype="f4").reshape(6, 4)
    parts = [((0, 0), piece(tmp_path, "a", whole[:2])), ((2, 0), piece(tmp_path, "b", whole[2:].copy()))]
    cut = ShardedTensor("w", (6, 4), "float32", parts[0][1].storage, 0, (4, 1), None, parts)
    assert np.array_equal(cut.array(), whole)
    assert np.array_equal(np.concatenate([rows for _, rows in cut.chunks(16)]), whole)
    assert np.array_equal(in_memory(cut).array(), whole)


def test_an_archive_of_arrays_is_weights_or_data_by_its_names(tmp_path):
    model = net()
    np.savez(tmp_path / "w.npz", **{k: v.numpy() for k, v in model.state_dict().items()})
    np.savez(tmp_path / "d.npz", x_train=np.zeros((9, 4)), y_train=np.zeros(9))
    assert same(read_checkpoint(tmp_path / "w.npz").tensors, model)
    with pytest.raises(IsData):
        read_checkpoint(tmp_path / "d.npz")


def test_fortran_order_and_big_endian_arrays_are_read_right(tmp_path):
    values = np.arange(6, dtype=">f4").reshape(2, 3)
    np.savez(tmp_path / "w.npz", **{"a.weight": np.asfortranarray(values), "a.bias": values[0]})
    assert np.array_equal(read_checkpoint(tmp_path / "w.npz").tensors["a.weight"].array(), values)


def test_object_arrays_are_pickles_and_stay_shut(tmp_path):
    np.savez(tmp_path / "w.npz", **{"a.weight": np.zeros(3), "a.bias": np.array([{"x": 1}], dtype=object)})
    read = read_checkpoint(tmp_path / "w.npz")
    assert list(read.tensors) == ["a.weight"]
    assert read.unread == ("a.bias",)


def keras_h5(path: Path) -> np.ndarray:
    import h5py

    kernel = np.arange(12, dtype="f4").reshape(3, 4)
    with h5py.File(path, "w") as file:
        layer = file.create_group("model_weights/dense/dense")
        layer["kernel:0"], layer["bias:0"] = kernel, np.zeros(4, "f4")
        for i, shape in enumerate([(3, 4), (4,), (3, 4), (4,)]):
            file[f"optimizer_weights/Variable_{i}:0"] = np.zeros(shape, "f4")
        file["optimizer_weights/iterations:0"] = np.int64(77)
        config = {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.002}}}
        file.attrs["training_config"] = json.dumps(config)
    return kernel


def test_a_keras_file_gives_weights_optimizer_and_step(tmp_path):
    kernel = keras_h5(tmp_path / "m.h5")
    read = read_checkpoint(tmp_path / "m.h5")
    assert np.array_equal(read.tensors["dense/kernel"].array(), kernel.T)  # a row is a unit, as everywhere
    assert np.array_equal(np.concatenate([rows for _, rows in read.tensors["dense/kernel"].chunks(16)]), kernel.T)
    assert read.step == 77
    assert read.optimizer is not None
    assert (read.optimizer.kind, read.optimizer.groups[0]["lr"], len(read.optimizer.parameters)) == ("adam", 0.002, 2)
    states = {p.name: p for p in read.optimizer.parameters}
    assert states.keys() == {"dense/kernel", "dense/bias"}
    assert states["dense/kernel"].slots["exp_avg_sq"].shape == (4, 3)
    assert states["dense/kernel"].step == 77


def keras_layers(path: Path, order: list[str]) -> None:
    """Two dense layers, listed by the file in another order than that of their names; Adam's slots in a given order."""
    import h5py

    shapes = {"b/b/kernel": (3, 5), "b/b/bias": (5,), "a/a/kernel": (5, 2), "a/a/bias": (2,)}
    with h5py.File(path, "w") as file:
        for name, shape in shapes.items():
            file[f"model_weights/{name}:0"] = np.zeros(shape, "f4")
        file["model_weights"].attrs["layer_names"] = ["b", "a"]
        slots = [name for _ in "mv" for name in order]
        for i, name in enumerate(slots):
            file[f"optimizer_weights/Variable_{90 + i}:0"] = np.full(shapes[name], float(i), "f4")
        file["optimizer_weights/iterations:0"] = np.int64(9)
        names = ["iterations:0", *(f"Variable_{90 + i}:0" for i in range(len(slots)))]
        file["optimizer_weights"].attrs["weight_names"] = names
        config = {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.1, "beta_1": 0.8, "beta_2": 0.99}}}
        file.attrs["training_config"] = json.dumps(config)


@pytest.mark.parametrize(
    "order",
    [
        ["b/b/kernel", "b/b/bias", "a/a/kernel", "a/a/bias"],
        ["a/a/bias", "a/a/kernel", "b/b/bias", "b/b/kernel"],  # by name, as old versions kept them
    ],
)
def test_kerass_slots_are_mapped_by_the_order_of_layers_or_of_names(tmp_path, order):
    keras_layers(tmp_path / "m.h5", order)
    read = read_checkpoint(tmp_path / "m.h5")
    assert list(read.tensors) == ["b/kernel", "b/bias", "a/kernel", "a/bias"]
    assert read.optimizer.groups[0]["betas"] == (0.8, 0.99)
    for parameter in read.optimizer.parameters:
        place = [f"{n[0]}/{n[4:]}" for n in order].index(parameter.name)
        assert parameter.slots["exp_avg"].array().flat[0] == place
        assert parameter.slots["exp_avg_sq"].array().flat[0] == place + 4


def test_a_keras_3_archive_is_read_through_its_zip(tmp_path):
    keras_h5(tmp_path / "model.weights.h5")
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("metadata.json", "{}")
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
    assert read_checkpoint(tmp_path / "m.keras").tensors.keys() == {"dense/kernel", "dense/bias"}


def test_an_onnx_model_gives_its_initializers(tmp_path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.arange(8, dtype="f4").reshape(2, 4)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, producer_name="pytorch"), str(tmp_path / "m.onnx"))
    assert np.array_equal(read_checkpoint(tmp_path / "m.onnx").tensors["w"].array(), weight)


def onnx_of(folder, items) -> Path:
    from onnx import helper

    path = folder / "m.onnx"
    model = helper.make_model(helper.make_graph([], "g", [], [], items), producer_name="pytorch")
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", "i8", "u1"])
@pytest.mark.parametrize("size", [0, 3, 127, 1023, 4096, 20_000])
def test_an_onnx_weight_of_any_size_is_what_the_library_reads(tmp_path, dtype, size):
    from onnx import numpy_helper

    weight = (np.arange(size) % 251).astype(dtype)
    path = onnx_of(tmp_path, [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(weight[:2], "b")])
    tensors = read_checkpoint(path).tensors
    assert np.array_equal(tensors["w"].array(), weight) and np.array_equal(tensors["b"].array(), weight[:2])
    assert tensors["w"].shape == weight.shape and tensors["w"].name == "w"


def test_onnx_weights_of_four_bits_are_read_beside_others(tmp_path):
    from onnx import TensorProto, helper, numpy_helper

    packed = helper.make_tensor("q", TensorProto.INT4, [10_000], bytes(range(250)) * 20, raw=True)
    path = onnx_of(tmp_path, [packed, numpy_helper.from_array(np.ones(5000, "f4"), "w")])
    tensors = read_checkpoint(path).tensors
    assert tensors["q"].array()[:6].astype(int).tolist() == [0, 0, 1, 0, 2, 0]
    assert tensors["w"].array().sum() == 5000


def test_an_onnx_weight_that_is_a_long_list_is_refused(tmp_path, monkeypatch):
    from onnx import TensorProto, helper

    path = onnx_of(tmp_path, [helper.make_tensor("w", TensorProto.FLOAT, [1000], [0.5] * 1000)])
    assert read_checkpoint(path).tensors["w"].array().sum() == 500
    monkeypatch.setattr("probes.readers.checkpoints.onnx_file.MOST_HELD", 1000)
    with pytest.raises(Unreadable, match="number by number"):
        read_checkpoint(path)


def test_an_onnx_file_of_nothing_but_empty_parts_is_refused_soon(tmp_path):
    graph = b"\x0a\x00" * 1_500_000
    size = len(graph)
    length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07\x12\x07pytorch\x3a" + length + graph)
    with pytest.raises(Unreadable, match="millions of parts"):
        read_checkpoint(tmp_path / "m.onnx")


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "link.bin", "none.bin"])
def test_onnx_weights_in_a_file_beside_are_read_and_none_elsewhere(tmp_path, location):
    from onnx import TensorProto, helper, numpy_helper

    folder = tmp_path / "model"
    folder.mkdir()
    weight = np.arange(8, dtype="f4").reshape(2, 4)
    for file in (folder / "weights.bin", tmp_path / "weights.bin"):
        file.write_bytes(b"\xff" * 16 + weight.tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    item = numpy_helper.from_array(weight, "w")
    item.ClearField("raw_data")
    item.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "16", "length": "32"}.items():
        item.external_data.add(key=key, value=value)
    graph = helper.make_graph([], "g", [], [], [item])
    (folder / "m.onnx").write_bytes(helper.make_model(graph, producer_name="pytorch").SerializeToString())
    checkpoint = read_checkpoint(folder / "m.onnx")
    if location == "weights.bin":
        assert np.array_equal(np.concatenate([r for _, r in checkpoint.tensors["w"].chunks(16)]), weight)
    else:
        assert not checkpoint.tensors and "1 weights are said to lie in other files" in checkpoint.warnings[0]


def quantised_gguf(path, tensors):
    """Writes tensors in blocks; each by its name, numbers and kind."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    for name, (numbers, kind) in tensors.items():
        one = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(name, gguf.quants.quantize(numbers, one), raw_dtype=one)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_quantised_weights_are_judged_as_what_they_are_decoded_to(tmp_path):
    weight = 0.02 * np.random.default_rng(0).standard_normal((64, 256)).astype("f4")
    sick = weight.copy()
    sick[3, :32] = np.inf
    kinds = {"a.weight": (weight, "Q4_0"), "b.weight": (weight, "Q8_0"), "c.weight": (weight, "BF16")}
    quantised_gguf(tmp_path / "m.gguf", kinds)
    checkpoint = discover([tmp_path]).last
    numbers = statistics.of(checkpoint)
    for one in checkpoint.tensors.values():
        assert floating(one) and numbers.values(one).rms == pytest.approx(0.02, rel=0.05)
    assert checkpoint.tensors["c.weight"].dtype == "bfloat16"
    assert "2 of 3 tensors are quantised (1 q4_0, 1 q8_0)" in checkpoint.warnings[0]
    assert describe(discover([tmp_path]))["artifacts"][0]["nonfinite"] == 0
    with np.errstate(all="ignore"):
        quantised_gguf(tmp_path / "m.gguf", {"a.weight": (sick, "Q8_0")})
    assert describe(discover([tmp_path]))["artifacts"][0]["nonfinite"] == 32


def test_blocks_of_k_quants_are_decoded(tmp_path):
    """256 numbers of 4 bits: a scale of 0.5 and eight of 1, then nibbles; of 6 bits: 192 bytes, scales, 0.25."""
    import gguf

    half = lambda value: np.float16(value).tobytes()  # noqa: E731
    four = half(0.5) + half(0) + bytes([1] * 4 + [0] * 4 + [1] * 4) + bytes([0x73] * 128)
    six = bytes(192) + bytes([2] * 16) + half(0.25)
    writer = gguf.GGUFWriter(str(tmp_path / "m.gguf"), "llama")
    for name, block, kind in (("a.weight", four, "Q4_K"), ("b.weight", six, "Q6_K")):
        rows = np.frombuffer(block * 2, np.uint8).reshape(2, -1)
        writer.add_tensor(name, rows, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = read_checkpoint(tmp_path / "m.gguf")
    assert found.tensors["a.weight"].shape == (2, 256) and "1 q4_k" in found.warnings[0]
    assert set(found.tensors["a.weight"].array().ravel()) == {0.5 * 3, 0.5 * 7}
    assert set(found.tensors["b.weight"].array().ravel()) == {0.25 * 2 * -32}


def test_a_gguf_model_gives_its_tensors(tmp_path):
    import gguf

    weight = np.arange(64, dtype="f4").reshape(2, 32)
    writer = gguf.GGUFWriter(str(tmp_path / "m.gguf"), "llama")
    writer.add_tensor("blk.0.weight", weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert np.array_equal(read_checkpoint(tmp_path / "m.gguf").tensors["blk.0.weight"].array(), weight)


def test_quantised_gguf_tensors_are_decoded_a_few_rows_at_a_time(tmp_path):
    import gguf

    weight = np.random.default_rng(0).standard_normal((40, 64)).astype("f4")
    kind = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(str(tmp_path / "m.gguf"), "llama")
    writer.add_tensor("blk.0.weight", gguf.quants.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensor = read_checkpoint(tmp_path / "m.gguf").tensors["blk.0.weight"]
    parts = list(tensor.chunks(2048))
    assert [first for first, _ in parts] == list(range(0, 40, 8))
    assert np.array_equal(np.concatenate([rows for _, rows in parts]), tensor.array())
    assert np.abs(tensor.array() - weight).max() < 0.02


@pytest.mark.parametrize("name", ["m.h5", "m.onnx", "m.gguf"])
def test_what_is_cut_short_gets_one_sentence(tmp_path, name):
    heads = {"m.h5": b"\x89HDF\r\n\x1a\n" + bytes(40), "m.onnx": b"\x08\x07\x12\x07pytorch" + b"\xff" * 40}
    (tmp_path / name).write_bytes(heads.get(name, b"GGUF\x03\x00\x00\x00" + b"\xff" * 16))
    with pytest.raises(Unreadable):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize(("name", "module"), [("m.h5", "h5py"), ("m.onnx", "onnx")])
def test_a_library_that_is_missing_is_named_with_the_way_to_get_it(tmp_path, monkeypatch, name, module):
    heads = {"m.h5": b"\x89HDF\r\n\x1a\n" + bytes(40), "m.onnx": b"\x08\x07\x12\x07pytorch" + bytes(40)}
    (tmp_path / name).write_bytes(heads[name])
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Unreadable, match=f"pip install {module}"):
        read_checkpoint(tmp_path / name)
