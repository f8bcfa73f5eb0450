"""Checkpoint files that lie, are cut short or hostile: each ends in one sentence, or costs only what it spoils."""

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

from probes.errors import Unreadable
from probes.readers.checkpoints.checkpoint import IsData, read_checkpoint

torch.set_num_threads(1)


def small_model() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.BatchNorm1d(7), torch.nn.Linear(7, 3))


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
        model(torch.randn(8, 5)).square().mean().backward()
        optimizer.step()
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
