"""Hostile files that are no torch archives: lying headers, indices that climb, folders that hold themselves, text."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path

from hostile import attack, text


def safetensors(folder: Path, header: bytes, data: bytes = b"", length: int | None = None) -> Path:
    path = folder / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def entry(name: str, begin: int, end: int, shape: str = "[1]") -> str:
    return f'"{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}'


@attack()
def safetensors_of_great_length(folder: Path) -> Path:
    return safetensors(folder, b"{}", length=2**63)


@attack()
def safetensors_longer_than_the_file(folder: Path) -> Path:
    return safetensors(folder, b"{" + entry("a", 0, 4).encode() + b"}", b"\0" * 4, length=500)


@attack("refused")
def safetensors_that_overlap(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4)},{entry('b', 0, 4)}}}".encode(), b"\0" * 4)


@attack("refused")
def safetensors_with_a_hole(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4)},{entry('b', 8, 12)}}}".encode(), b"\0" * 12)


@attack("refused")
def safetensors_with_a_tail(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4)}}}".encode(), b"\0" * 9)


@attack("refused")
def safetensors_with_a_huge_shape(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4, f'[{2**70},{2**70}]')}}}".encode(), b"\0" * 4)


@attack("refused")
def safetensors_with_a_negative_shape(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4, '[-1,-1]')}}}".encode(), b"\0" * 4)


@attack("refused")
def safetensors_with_one_name_twice(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4)},{entry('a', 4, 8)}}}".encode(), b"\0" * 8)


@attack("refused")
def safetensors_with_nan(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4, '[NaN]')}}}".encode(), b"\0" * 4)


@attack("refused")
def safetensors_nested_deeply(folder: Path) -> Path:
    return safetensors(folder, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@attack("refused")
def safetensors_of_a_million_tensors(folder: Path) -> Path:
    return safetensors(folder, ("{" + ",".join(entry(f"t{i}", 0, 0, "[0]") for i in range(1_000_000)) + "}").encode())


@attack("walked")
def safetensors_near_the_limit(folder: Path) -> Path:
    return safetensors(folder, ("{" + ",".join(entry(f"t{i}", 0, 0, "[0]") for i in range(60_000)) + "}").encode())


@attack("refused")
def safetensors_of_brackets(folder: Path) -> Path:
    return safetensors(folder, b'{"a":[' + b"[]," * 20_000_000 + b"1]}")


def npz(folder: Path, header: str, data: bytes, packed: bool = False) -> Path:
    raw = header.encode().ljust(118)
    path = folder / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + data
        archive.writestr("dense.weight.npy", array)
    return path


@attack()
def npz_of_a_huge_shape(folder: Path) -> Path:
    return npz(folder, f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**12},)}}", b"\0" * 16)


@attack()
def npz_of_objects(folder: Path) -> Path:
    return npz(folder, "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"cos\nsystem\n.")


@attack("refused")
def npz_that_inflates(folder: Path) -> Path:
    return npz(folder, "{'descr': '<f4', 'fortran_order': False, 'shape': (16777216,)}", b"\0" * (1 << 26), packed=True)


def index(folder: Path, target: str) -> Path:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": target}}))
    return folder


@attack("refused")
def index_that_climbs(folder: Path) -> Path:
    inner = folder / "run"
    inner.mkdir()
    safetensors(folder, f"{{{entry('a', 0, 4)}}}".encode(), b"\0" * 4)
    return index(inner, "../m.safetensors")


@attack("refused")
def index_with_an_absolute_path(folder: Path) -> Path:
    return index(folder, "/etc/hostname")


@attack("refused")
def index_of_a_link(folder: Path) -> Path:
    inner = folder / "run"
    inner.mkdir()
    (inner / "linked.safetensors").symlink_to(safetensors(folder, f"{{{entry('a', 0, 4)}}}".encode(), b"\0" * 4))
    return index(inner, "linked.safetensors")


@attack("refused")
def index_of_itself(folder: Path) -> Path:
    return index(folder, "model.safetensors.index.json")


@attack()
def folder_that_holds_itself(folder: Path) -> Path:
    safetensors(folder, f"{{{entry('a', 0, 4)}}}".encode(), b"\0" * 4)
    (folder / "again").symlink_to(folder)
    return folder


@attack("refused")
def distributed_with_nonsense(folder: Path) -> Path:
    table = b"\x80\x02}(" + text("torch.distributed.checkpoint") + b"K\x01u."
    (folder / ".metadata").write_bytes(table)
    return folder


@attack("refused")
def distributed_that_climbs(folder: Path) -> Path:
    module = "torch.distributed.checkpoint"
    size = b"(K\x02tq\x05"

    def made(name: str, state: bytes) -> bytes:
        return f"c{module}.{name}\n)R".encode().replace(b")R", b"") + b")R" + state + b"b"

    chunk = made("metadata\nChunkStorageMetadata", b"}(" + text("offsets") + b"(K\x00t" + text("sizes") + size + b"u")
    about = made(
        "metadata\nTensorStorageMetadata", b"}(" + text("size") + size + text("chunks") + b"](" + chunk + b"eu"
    )
    key = made("metadata\nMetadataIndex", b"}(" + text("fqn") + text("a") + text("offset") + b"(K\x00tu")
    place = (
        b"}("
        + text("relative_path")
        + text("../../etc/hostname")
        + text("offset")
        + b"K\x00"
        + text("length")
        + b"K\x04u"
    )
    place = made("filesystem\n_StorageInfo", place)
    state = (
        text("state_dict_metadata")
        + b"}("
        + text("a")
        + about
        + b"u"
        + text("storage_data")
        + b"}("
        + key
        + place
        + b"u"
    )
    (folder / ".metadata").write_bytes(b"\x80\x02" + made("metadata\nMetadata", b"}(" + state + b"u") + b".")
    return folder


@attack()
def state_with_bad_numbers(folder: Path) -> Path:
    path = folder / "trainer_state.json"
    records = f'{{"step": {"9" * 5000}, "loss": NaN}}, {{"step": 1, "loss": 1e400}}, {{"step": 2, "loss": -Infinity}}'
    path.write_text(f'{{"log_history": [{records}], "log_history": [{records}]}}')
    return path


@attack()
def state_nested_deeply(folder: Path) -> Path:
    path = folder / "trainer_state.json"
    path.write_text('{"log_history": ' + "[" * 200_000 + "]" * 200_000 + "}")
    return path


@attack()
def printed_lines_of_nothing_but_numbers(folder: Path) -> Path:
    path = folder / "train.log"
    path.write_text(
        "loss: 1.0\n" + "".join((unit * 1500)[:4000] + "\n" for unit in ["0:", "1.", "1/", "a=1 ", "123,"] * 8)
    )
    return path


@attack("refused")
def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "c.pt")
    return folder / "c.pt"


@attack("refused")
def device(folder: Path) -> Path:
    return Path("/dev/zero")


@attack()
def folder_called_like_a_file(folder: Path) -> Path:
    (folder / "model.pt").mkdir()
    return folder / "model.pt"
