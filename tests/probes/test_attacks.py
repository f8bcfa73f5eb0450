"""Files made to hurt whoever opens them: each is understood with a warning or refused in one sentence, soon and small.

Every file is looked at in a process of its own, which may use a gigabyte and five seconds.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("needs fork and limits of memory", allow_module_level=True)

SECONDS = 5
"""Of processor time, a file."""
MEGABYTES = 1024

LOOK = """
import json, os, resource, signal, sys, time
from pathlib import Path
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the worker does
from probes.describe import describe
from probes.discover import discover

def look(path):
    resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))
    signal.alarm(60)
    try:
        seen = describe(discover([Path(path)]))
        return {"entries": seen["artifacts"], "warnings": seen["warnings"]}
    except BaseException as error:
        return {"raised": f"{type(error).__name__}: {error}"[:300]}

for path in sys.argv[1:]:
    into, out = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(into)
        with os.fdopen(out, "w") as file:
            json.dump(look(path), file)
        os._exit(0)
    os.close(out)
    with os.fdopen(into) as file:
        text = file.read()
    _, status, used = os.wait4(child, 0)
    found = json.loads(text) if text else {"raised": f"died with status {status}"}
    rss = used.ru_maxrss >> (20 if sys.platform == "darwin" else 10)
    print(json.dumps({**found, "seconds": used.ru_utime + used.ru_stime, "megabytes": rss}))
"""


@dataclass(frozen=True)
class Seen:
    """What came out of one file."""

    entries: list[dict[str, Any]]
    seconds: float
    megabytes: int
    raised: str

    @property
    def sentences(self) -> list[str]:
        return [w for entry in self.entries for w in entry["warnings"]]


ATTACKS: dict[str, Callable[[Path], Path]] = {}


def attack(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    ATTACKS[make.__name__] = make
    return make


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """All attacks, each made in a folder of its own and looked at."""
    made = {}
    for name, make in ATTACKS.items():
        folder = tmp_path_factory.mktemp(name)
        made[name] = make(folder)
    command = [sys.executable, "-c", LOOK, *map(str, made.values())]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=600, check=True)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return {
        name: Seen(line.get("entries", []), line["seconds"], line["megabytes"], line.get("raised", ""))
        for name, line in zip(made, lines, strict=True)
    }


def torch_zip(path: Path, pkl: bytes, storage: bytes = b"\0" * 16, packed: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pkl)
        archive.writestr("archive/data/0", storage)
        archive.writestr("archive/version", b"3\n")
    return path


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def tensor(shape: list[int], strides: list[int], offset: int = 0, numel: int = 4, key: str = "0") -> bytes:
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(numel) + b"tQ"
    sizes, steps = (b"(" + b"".join(map(number, v)) + b"t" for v in (shape, strides))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + sizes + steps + b"\x89}tR"


GOOD = tensor([2, 2], [2, 1])


def model(bad: bytes = b"", good: bytes = GOOD) -> bytes:
    """A pickle of {"good.weight": a sound tensor, "bad.weight": `bad`}."""
    items = text("good.weight") + good + (text("bad.weight") + bad if bad else b"")
    return b"\x80\x02}(" + items + b"u."


def beside(value: bytes) -> bytes:
    """A pickle of {"state_dict": {"good.weight": ...}, "other": value}."""
    return b"\x80\x02}(" + text("state_dict") + model()[2:-1] + text("other") + value + b"u."


@attack
def zip_bomb_as_storage(folder: Path) -> Path:
    path = torch_zip(folder / "c.pt", model(tensor([1 << 26], [1], numel=1 << 26, key="1")))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("archive/data/1", b"\0" * (1 << 28))
    return path


@attack
def many_members_that_inflate(folder: Path) -> Path:
    items = b"".join(text(f"w{i}") + tensor([1 << 23], [1], numel=1 << 23, key=f"b{i}") for i in range(60))
    path = torch_zip(folder / "c.pt", b"\x80\x02}(" + text("good.weight") + GOOD + items + b"u.")
    noise = bytes(range(256)) * 1024
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("archive/data/b0", noise * 128)
    _repeat_member(path, "archive/data/b0", [f"archive/data/b{i}" for i in range(60)])
    return path


def _repeat_member(path: Path, name: str, names: list[str]) -> None:
    """Makes the directory list one member's bytes under many names."""
    with zipfile.ZipFile(path, "a") as archive:
        info = archive.getinfo(name)
        for other in names:
            if other != name:
                copy = zipfile.ZipInfo(other)
                for field in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "flag_bits"):
                    setattr(copy, field, getattr(info, field))
                archive.filelist.append(copy)
                archive.NameToInfo[other] = copy
        archive._didModify = True  # type: ignore[attr-defined]


@attack
def storage_shorter_than_numel(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([1000], [1], numel=1000, key="0")))


@attack
def tensor_beyond_its_storage(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([4, 4], [4, 1])))


@attack
def negative_offset(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([2], [1], offset=-1)))


@attack
def negative_stride(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([2], [-1], offset=1)))


@attack
def two_to_the_eighty_elements(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([2**40, 2**40], [2**40, 1])))


@attack
def stride_zero_over_sixteen_bytes(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([10**6, 10**6], [0, 0])))


@attack
def many_expanded_tensors(folder: Path) -> Path:
    items = b"".join(text(f"w{i}") + tensor([1 << 23], [0], offset=i % 4, key=f"{i}") for i in range(2000))
    path = torch_zip(folder / "c.pt", b"\x80\x02}(" + text("good.weight") + GOOD + items + b"u.")
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(1, 2000):
            archive.writestr(f"archive/data/{i}", b"\0" * 16)
    return path


@attack
def twenty_thousand_names_on_one_storage(folder: Path) -> Path:
    numel = 1 << 18
    head = b"\x80\x02}(" + text("good.weight") + tensor([numel], [1], numel=numel)
    items = b"".join(text(f"w{i}") + tensor([numel - i], [1], i, numel) for i in range(20_000))
    return torch_zip(folder / "c.pt", head + items + b"u.", b"\0" * 4 * numel)


@attack
def views_in_the_optimizer(folder: Path) -> Path:
    numel = 1 << 18
    slots = b"".join(
        number(i) + b"}(" + text("exp_avg") + tensor([numel - i], [1], i, numel) + b"u" for i in range(20_000)
    )
    groups = b"]}(" + text("params") + b"](" + b"".join(number(i) for i in range(20_000)) + b"eua"
    state = b"}(" + text("state") + b"}(" + slots + b"u" + text("param_groups") + groups + b"u"
    return torch_zip(folder / "c.pt", beside(state), b"\0" * 4 * numel)


@attack
def nested_lists(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"]" * 200_000 + b"a" * 199_999))


@attack
def nested_dicts(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", b"\x80\x02" + b"}K\x01" * 200_000 + b"}" + b"s" * 200_000 + b".")


@attack
def memo_doubling_of_lists(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"]" + b"2\x86" * 60))


@attack
def memo_doubling_of_batches(folder: Path) -> Path:
    batch = b"}(" + text("x") + GOOD + text("y") + GOOD + b"u"
    doubled = b"".join(b"q" + bytes([i]) + b"0}(K\x01h" + bytes([i]) + b"K\x02h" + bytes([i]) + b"u" for i in range(60))
    return torch_zip(folder / "c.pt", b"\x80\x02" + batch + doubled + b".")


@attack
def dict_inside_itself(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", b"\x80\x02}q\x00" + text("self") + b"h\x00s" + text("m") + model()[2:-1] + b"s.")


@attack
def nothing_but_itself(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", b"\x80\x02}q\x00" + text("self") + b"h\x00s.")


@attack
def forty_million_instructions(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", b"\x80\x02" + b"N0" * 20_000_000 + b"N.", packed=True)


@attack
def instructions_up_to_the_limit(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"](" + b"}" * 4_000_000 + b"e"))


@attack
def copies_of_a_long_list(folder: Path) -> Path:
    long = b"](" + b"N" * 100_000 + b"e"
    calls = b"cbuiltins\nlist\nq\x00" + long + b"\x85q\x01](" + b"h\x00h\x01R" * 100_000 + b"e"
    return torch_zip(folder / "c.pt", beside(calls))


@attack
def keys_that_collide(folder: Path) -> Path:
    keys = b"".join(number(k * (2**61 - 1)) + b"N" for k in range(1, 100_000))
    return torch_zip(folder / "c.pt", beside(b"}(" + keys + b"u"))


@attack
def integer_of_eight_megabytes(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"\x8b" + struct.pack("<i", 8 << 20) + b"\x7f" * (8 << 20)))


@attack
def integer_in_text(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"L" + b"9" * 1_000_000 + b"L\n"))


@attack
def text_of_sixteen_gigabytes(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"\x8d" + struct.pack("<Q", 2**34)))


@attack
def bytearray_of_sixteen_gigabytes(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"\x96" + struct.pack("<Q", 2**34)))


@attack
def memo_index_of_four_billion(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"Nr" + struct.pack("<I", 2**32 - 16)))


@attack
def item_set_on_a_tensor(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(GOOD + b"K\x00K\x01s"))


@attack
def two_members_of_one_name(folder: Path) -> Path:
    path = torch_zip(folder / "c.pt", model())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data.pkl", model())
    return path


@attack
def storage_key_that_is_a_path(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([2], [1], key="../../../../etc/hostname")))


@attack
def many_empty_members(folder: Path) -> Path:
    path = torch_zip(folder / "c.pt", model())
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(200_000):
            info = zipfile.ZipInfo(f"archive/data/e{i}")
            info.header_offset = info.CRC = info.compress_size = 0
            archive.filelist.append(info)
        archive._didModify = True  # type: ignore[attr-defined]
    return path


@attack
def archive_cut_short(folder: Path) -> Path:
    path = torch_zip(folder / "c.pt", model(), b"\0" * 100_000)
    path.write_bytes(path.read_bytes()[:50_000])
    return path


def legacy(folder: Path, numel: int, written: int) -> Path:
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    head = b"".join(pickle.dumps(p, 2) for p in parts)
    body = model(good=tensor([2, 2], [2, 1], numel=numel))
    path = folder / "c.pth"
    path.write_bytes(head + body + pickle.dumps(["0"], 2) + struct.pack("<q", written) + b"\0" * 16)
    return path


@attack
def legacy_of_eight_billion_numbers(folder: Path) -> Path:
    return legacy(folder, 2**33, 2**33)


@attack
def legacy_of_fewer_than_no_numbers(folder: Path) -> Path:
    return legacy(folder, -4, -4)


@attack
def legacy_that_contradicts_itself(folder: Path) -> Path:
    return legacy(folder, 4, 3)


def safetensors(folder: Path, header: bytes, data: bytes = b"", length: int | None = None) -> Path:
    path = folder / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def entry(name: str, begin: int, end: int, shape: str = "[1]") -> str:
    return f'"{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}'


@attack
def safetensors_of_great_length(folder: Path) -> Path:
    return safetensors(folder, b"{}", length=2**63)


@attack
def safetensors_longer_than_the_file(folder: Path) -> Path:
    return safetensors(folder, b"{" + entry("a", 0, 4).encode() + b"}", b"\0" * 4, length=500)


@attack
def safetensors_that_overlap(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4)},{entry('b', 0, 4)}}}".encode(), b"\0" * 4)


@attack
def safetensors_with_a_hole(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4)},{entry('b', 8, 12)}}}".encode(), b"\0" * 12)


@attack
def safetensors_with_a_tail(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4)}}}".encode(), b"\0" * 9)


@attack
def safetensors_with_a_huge_shape(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4, f'[{2**70},{2**70}]')}}}".encode(), b"\0" * 4)


@attack
def safetensors_with_a_negative_shape(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4, '[-1,-1]')}}}".encode(), b"\0" * 4)


@attack
def safetensors_with_one_name_twice(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4)},{entry('a', 4, 8)}}}".encode(), b"\0" * 8)


@attack
def safetensors_with_nan(folder: Path) -> Path:
    return safetensors(folder, f"{{{entry('a', 0, 4, '[NaN]')}}}".encode(), b"\0" * 4)


@attack
def safetensors_nested_deeply(folder: Path) -> Path:
    return safetensors(folder, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@attack
def safetensors_of_a_million_tensors(folder: Path) -> Path:
    return safetensors(folder, ("{" + ",".join(entry(f"t{i}", 0, 0, "[0]") for i in range(1_000_000)) + "}").encode())


@attack
def safetensors_near_the_limit(folder: Path) -> Path:
    return safetensors(folder, ("{" + ",".join(entry(f"t{i}", 0, 0, "[0]") for i in range(60_000)) + "}").encode())


@attack
def safetensors_of_brackets(folder: Path) -> Path:
    return safetensors(folder, b'{"a":[' + b"[]," * 20_000_000 + b"1]}")


def npz(folder: Path, header: str, data: bytes, packed: bool = False) -> Path:
    raw = header.encode().ljust(118)
    path = folder / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + data
        archive.writestr("dense.weight.npy", array)
    return path


@attack
def npz_of_a_huge_shape(folder: Path) -> Path:
    return npz(folder, f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**12},)}}", b"\0" * 16)


@attack
def npz_of_objects(folder: Path) -> Path:
    return npz(folder, "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"cos\nsystem\n.")


@attack
def npz_that_inflates(folder: Path) -> Path:
    return npz(folder, "{'descr': '<f4', 'fortran_order': False, 'shape': (16777216,)}", b"\0" * (1 << 26), packed=True)


def index(folder: Path, target: str) -> Path:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": target}}))
    return folder


@attack
def index_that_climbs(folder: Path) -> Path:
    inner = folder / "run"
    inner.mkdir()
    safetensors(folder, f"{{{entry('a', 0, 4)}}}".encode(), b"\0" * 4)
    return index(inner, "../m.safetensors")


@attack
def index_with_an_absolute_path(folder: Path) -> Path:
    return index(folder, "/etc/hostname")


@attack
def index_of_a_link(folder: Path) -> Path:
    inner = folder / "run"
    inner.mkdir()
    (inner / "linked.safetensors").symlink_to(safetensors(folder, f"{{{entry('a', 0, 4)}}}".encode(), b"\0" * 4))
    return index(inner, "linked.safetensors")


@attack
def index_of_itself(folder: Path) -> Path:
    return index(folder, "model.safetensors.index.json")


@attack
def folder_that_holds_itself(folder: Path) -> Path:
    safetensors(folder, f"{{{entry('a', 0, 4)}}}".encode(), b"\0" * 4)
    (folder / "again").symlink_to(folder)
    return folder


@attack
def distributed_with_nonsense(folder: Path) -> Path:
    table = b"\x80\x02}(" + text("torch.distributed.checkpoint") + b"K\x01u."
    (folder / ".metadata").write_bytes(table)
    return folder


@attack
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


@attack
def names_with_control_characters(folder: Path) -> Path:
    bad = "\x1b[2J\x1b]0;owned\x07\r\nweight"
    items = text(bad) + tensor([9], [1]) + text("good.weight") + GOOD
    return torch_zip(folder / "c.pt", b"\x80\x02}(" + items + b"u.")


@attack
def name_of_ten_megabytes(folder: Path) -> Path:
    items = text("w" * 10_000_000) + tensor([9], [1]) + text("good.weight") + GOOD
    return torch_zip(folder / "c.pt", b"\x80\x02}(" + items + b"u.")


@attack
def state_with_bad_numbers(folder: Path) -> Path:
    path = folder / "trainer_state.json"
    records = f'{{"step": {"9" * 5000}, "loss": NaN}}, {{"step": 1, "loss": 1e400}}, {{"step": 2, "loss": -Infinity}}'
    path.write_text(f'{{"log_history": [{records}], "log_history": [{records}]}}')
    return path


@attack
def state_nested_deeply(folder: Path) -> Path:
    path = folder / "trainer_state.json"
    path.write_text('{"log_history": ' + "[" * 200_000 + "]" * 200_000 + "}")
    return path


@attack
def printed_lines_of_nothing_but_numbers(folder: Path) -> Path:
    path = folder / "train.log"
    path.write_text(
        "loss: 1.0\n" + "".join((unit * 1500)[:4000] + "\n" for unit in ["0:", "1.", "1/", "a=1 ", "123,"] * 8)
    )
    return path


@attack
def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "c.pt")
    return folder / "c.pt"


@attack
def device(folder: Path) -> Path:
    return Path("/dev/zero")


@attack
def folder_called_like_a_file(folder: Path) -> Path:
    (folder / "model.pt").mkdir()
    return folder / "model.pt"


@pytest.mark.parametrize("name", list(ATTACKS))
def test_a_hostile_file_costs_little_and_ends_in_plain_sentences(seen: dict[str, Seen], name: str) -> None:
    result = seen[name]
    assert not result.raised
    assert result.seconds < SECONDS
    assert result.megabytes < MEGABYTES
    for sentence in result.sentences:
        assert sentence.isprintable() and len(sentence) < 500


UNDERSTOOD = [
    "zip_bomb_as_storage", "many_members_that_inflate", "tensor_beyond_its_storage", "negative_offset",
    "negative_stride", "two_to_the_eighty_elements", "stride_zero_over_sixteen_bytes", "many_expanded_tensors",
    "twenty_thousand_names_on_one_storage", "storage_key_that_is_a_path", "names_with_control_characters",
    "name_of_ten_megabytes",
]  # fmt: skip
REFUSED = [
    "forty_million_instructions", "copies_of_a_long_list", "integer_of_eight_megabytes", "integer_in_text",
    "text_of_sixteen_gigabytes", "bytearray_of_sixteen_gigabytes", "item_set_on_a_tensor", "two_members_of_one_name",
    "archive_cut_short", "legacy_of_eight_billion_numbers", "legacy_of_fewer_than_no_numbers",
    "legacy_that_contradicts_itself", "safetensors_that_overlap", "safetensors_with_a_hole", "safetensors_with_a_tail",
    "safetensors_with_a_huge_shape", "safetensors_with_a_negative_shape", "safetensors_with_one_name_twice",
    "safetensors_with_nan", "safetensors_nested_deeply", "safetensors_of_a_million_tensors", "safetensors_of_brackets",
    "npz_that_inflates", "index_that_climbs", "index_with_an_absolute_path", "index_of_a_link",
    "index_of_itself", "distributed_with_nonsense", "distributed_that_climbs", "pipe", "device",
]  # fmt: skip


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_the_sound_tensors_of_a_hostile_file_are_read_and_the_others_named(seen: dict[str, Seen], name: str) -> None:
    (entry,) = seen[name].entries
    assert entry["kind"] == "checkpoint" and entry["tensors"] >= 1
    assert any("left out" in w for w in entry["warnings"])


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_believed_is_refused(seen: dict[str, Seen], name: str) -> None:
    kinds = [entry["kind"] for entry in seen[name].entries]
    assert "checkpoint" not in kinds and "unknown" in kinds
    assert len(seen[name].sentences) <= 2


@pytest.mark.parametrize(
    "name", ["dict_inside_itself", "nested_lists", "safetensors_near_the_limit", "keys_that_collide"]
)
def test_odd_shapes_are_walked_once(seen: dict[str, Seen], name: str) -> None:
    (entry,) = seen[name].entries
    assert entry["kind"] == "checkpoint" and entry["tensors"] >= 1


CALLS = [
    ("os", "system"), ("posix", "system"), ("builtins", "exec"), ("builtins", "eval"), ("subprocess", "Popen"),
    ("runpy", "_run_code"), ("importlib", "import_module"), ("pickle", "loads"), ("torch.hub", "load"),
    ("__builtin__", "eval"), ("webbrowser", "open"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "function"), CALLS)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_asks_for_commands_says_so_beside_its_tensors(
    tmp_path: Path, module: str, function: str, zipped: bool
) -> None:
    from probes.readers.checkpoints.checkpoint import read_checkpoint

    bait = tmp_path / "ran"
    call = f"c{module}\n{function}\n".encode() + text(f"touch {bait}") + b"\x85R"
    path = torch_zip(tmp_path / "c.pt", beside(call))
    if not zipped:
        parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
        head = b"".join(pickle.dumps(p, 2) for p in parts)
        tail = pickle.dumps(["0"], 2) + struct.pack("<q", 4) + b"\0" * 16
        path.write_bytes(head + beside(call) + tail)
    checkpoint = read_checkpoint(path)
    name = f"{'builtins' if module == '__builtin__' else module}.{function}"
    assert list(checkpoint.tensors) == ["good.weight"] and not bait.exists()
    assert f"it asks for {name}, which a checkpoint never needs: do not load it with pickle." in checkpoint.warnings


def test_harmless_classes_raise_no_alarm(tmp_path: Path) -> None:
    from probes.readers.checkpoints.checkpoint import read_checkpoint

    names = [b"cargparse\nNamespace\n", b"cfunctools\npartial\n", b"cbuiltins\ngetattr\n", b"cosmos.net\nModel\n"]
    path = torch_zip(tmp_path / "c.pt", beside(b"](" + b"".join(n + b")R" for n in names) + b"e"))
    assert read_checkpoint(path).warnings == ()


def test_a_plain_pickle_is_not_read_and_its_wish_is_named(tmp_path: Path) -> None:
    from probes.errors import Unreadable
    from probes.readers.checkpoints.checkpoint import read_checkpoint

    (tmp_path / "p.pkl").write_bytes(b"\x80\x04cos\nsystem\n" + text("true") + b"\x85R.")
    with pytest.raises(Unreadable, match=r"os\.system"):
        read_checkpoint(tmp_path / "p.pkl")
