"""The tar that torch 0.1 wrote, made by hand after the layout that torch itself still loads."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from probes.discover import discover

SHAPES = {"fc.weight": (3, 4), "fc.bias": (3,)}


class Referring(pickle.Pickler):
    """Pickles stand-ins for tensors as references by key."""

    def persistent_id(self, obj: Any) -> str | None:
        return str(obj.key) if isinstance(obj, Reference) else None


class Reference:
    def __init__(self, key: int) -> None:
        self.key = key


def pickled(value: Any) -> bytes:
    return pickle.dumps(value, protocol=2)


def old_tar(path: Path, numel: int = 12, sizes: tuple[int, int] = (3, 4)) -> dict[str, np.ndarray[Any, Any]]:
    """A weight with a storage of its own, transposed, and a bias that is a view of another's storage."""
    weight, shared = np.arange(12, dtype="<f4"), np.arange(100, 110, dtype="<f4")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        storages = pickled(2)
        storages += pickled((1, "cpu", torch.FloatStorage)) + struct.pack("<q", numel) + weight.tobytes()
        storages += pickled((2, "cuda:0", torch.FloatStorage)) + struct.pack("<q", 10) + shared.tobytes()
        storages += pickled([(3, 2, 5, 4)])
        tensors = pickled(2)
        tensors += pickled((11, 1, torch.FloatTensor)) + struct.pack("<q2q2qq", 2, *sizes, 1, 3, 0)
        tensors += pickled((12, 3, torch.FloatTensor)) + struct.pack("<q1q1qq", 1, 3, 1, 1)
    out = io.BytesIO()
    pickler = Referring(out, protocol=2)
    pickler.dump({"state_dict": OrderedDict([("fc.weight", Reference(11)), ("fc.bias", Reference(12))]), "epoch": 4})
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as archive:
        for name, data in (
            ("sys_info", pickled({"little_endian": True})),
            ("pickle", out.getvalue()),
            ("tensors", tensors),
            ("storages", storages),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return {"fc.weight": weight.reshape(4, 3).T, "fc.bias": shared[6:9]}


def test_the_tar_of_torch_0_1_is_read_as_torch_reads_it(tmp_path):
    want = old_tar(tmp_path / "checkpoint.pth.tar")
    checkpoint = discover([tmp_path]).last
    assert (checkpoint.format, checkpoint.epoch, checkpoint.refused) == ("torch-tar", 4, ())
    for name, shape in SHAPES.items():
        assert checkpoint.tensors[name].shape == shape
        assert np.array_equal(checkpoint.tensors[name].array(), want[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.load(tmp_path / "checkpoint.pth.tar", map_location="cpu", weights_only=False)["state_dict"]
    assert all(np.array_equal(theirs[name].numpy(), want[name]) for name in SHAPES)


@pytest.mark.parametrize("fault", [{"numel": 1 << 40}, {"numel": -5}, {"sizes": (1 << 40, 4)}, {"sizes": (-3, 4)}])
def test_sizes_that_the_file_does_not_hold_are_refused(tmp_path, fault):
    old_tar(tmp_path / "checkpoint.pth.tar", **fault)
    found = discover([tmp_path])
    assert found.unknown or "fc.weight" not in found.last.tensors


@pytest.mark.parametrize("length", [600, 1500, 3000, 4000])
def test_a_tar_that_is_cut_short_gets_one_sentence(tmp_path, length):
    path = tmp_path / "checkpoint.pth.tar"
    old_tar(path)
    path.write_bytes(path.read_bytes()[:length])
    found = discover([tmp_path])
    assert not found.checkpoints and len(found.unknown) == 1


def test_any_other_tar_is_to_be_unpacked(tmp_path):
    (tmp_path / "notes.txt").write_text("loss went up")
    with tarfile.open(tmp_path / "run.tar", "w") as archive:
        archive.add(tmp_path / "notes.txt", "notes.txt")
    (tmp_path / "notes.txt").unlink()
    assert "unpack it first" in discover([tmp_path]).unknown[0].why
