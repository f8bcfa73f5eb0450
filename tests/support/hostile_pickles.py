"""Hostile torch files: archives that inflate, tensors beyond their bytes, streams that never end."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

import pytest
from hostile import GOOD, attack, beside, model, number, tensor, text, torch_zip


@attack("left_out")
def zip_bomb_as_storage(folder: Path) -> Path:
    path = torch_zip(folder / "c.pt", model(tensor([1 << 26], [1], numel=1 << 26, key="1")))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("archive/data/1", b"\0" * (1 << 28))
    return path


@attack("left_out")
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


@attack()
def storage_shorter_than_numel(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([1000], [1], numel=1000, key="0")))


@attack("left_out")
def tensor_beyond_its_storage(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([4, 4], [4, 1])))


@attack("left_out")
def negative_offset(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([2], [1], offset=-1)))


@attack("left_out")
def negative_stride(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([2], [-1], offset=1)))


@attack("left_out")
def two_to_the_eighty_elements(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([2**40, 2**40], [2**40, 1])))


@attack("left_out")
def stride_zero_over_sixteen_bytes(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([10**6, 10**6], [0, 0])))


@attack("left_out")
def many_expanded_tensors(folder: Path) -> Path:
    items = b"".join(text(f"w{i}") + tensor([1 << 23], [0], offset=i % 4, key=f"{i}") for i in range(2000))
    path = torch_zip(folder / "c.pt", b"\x80\x02}(" + text("good.weight") + GOOD + items + b"u.")
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(1, 2000):
            archive.writestr(f"archive/data/{i}", b"\0" * 16)
    return path


@attack("left_out")
def twenty_thousand_names_on_one_storage(folder: Path) -> Path:
    numel = 1 << 18
    head = b"\x80\x02}(" + text("good.weight") + tensor([numel], [1], numel=numel)
    items = b"".join(text(f"w{i}") + tensor([numel - i], [1], i, numel) for i in range(20_000))
    return torch_zip(folder / "c.pt", head + items + b"u.", b"\0" * 4 * numel)


@attack()
def views_in_the_optimizer(folder: Path) -> Path:
    numel = 1 << 18
    slots = b"".join(
        number(i) + b"}(" + text("exp_avg") + tensor([numel - i], [1], i, numel) + b"u" for i in range(20_000)
    )
    groups = b"]}(" + text("params") + b"](" + b"".join(number(i) for i in range(20_000)) + b"eua"
    state = b"}(" + text("state") + b"}(" + slots + b"u" + text("param_groups") + groups + b"u"
    return torch_zip(folder / "c.pt", beside(state), b"\0" * 4 * numel)


@attack("walked")
def nested_lists(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"]" * 200_000 + b"a" * 199_999))


@attack()
def nested_dicts(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", b"\x80\x02" + b"}K\x01" * 200_000 + b"}" + b"s" * 200_000 + b".")


@attack()
def memo_doubling_of_lists(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"]" + b"2\x86" * 60))


@attack()
def memo_doubling_of_batches(folder: Path) -> Path:
    batch = b"}(" + text("x") + GOOD + text("y") + GOOD + b"u"
    doubled = b"".join(b"q" + bytes([i]) + b"0}(K\x01h" + bytes([i]) + b"K\x02h" + bytes([i]) + b"u" for i in range(60))
    return torch_zip(folder / "c.pt", b"\x80\x02" + batch + doubled + b".")


@attack("walked")
def dict_inside_itself(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", b"\x80\x02}q\x00" + text("self") + b"h\x00s" + text("m") + model()[2:-1] + b"s.")


@attack()
def nothing_but_itself(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", b"\x80\x02}q\x00" + text("self") + b"h\x00s.")


@attack("refused")
def forty_million_instructions(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", b"\x80\x02" + b"N0" * 20_000_000 + b"N.", packed=True)


@attack()
def instructions_up_to_the_limit(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"](" + b"}" * 4_000_000 + b"e"))


@attack("refused")
def copies_of_a_long_list(folder: Path) -> Path:
    long = b"](" + b"N" * 100_000 + b"e"
    calls = b"cbuiltins\nlist\nq\x00" + long + b"\x85q\x01](" + b"h\x00h\x01R" * 100_000 + b"e"
    return torch_zip(folder / "c.pt", beside(calls))


@attack("walked")
def keys_that_collide(folder: Path) -> Path:
    keys = b"".join(number(k * (2**61 - 1)) + b"N" for k in range(1, 100_000))
    return torch_zip(folder / "c.pt", beside(b"}(" + keys + b"u"))


@attack("refused")
def integer_of_eight_megabytes(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"\x8b" + struct.pack("<i", 8 << 20) + b"\x7f" * (8 << 20)))


@attack("refused")
def integer_in_text(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"L" + b"9" * 1_000_000 + b"L\n"))


@attack("refused")
def text_of_sixteen_gigabytes(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"\x8d" + struct.pack("<Q", 2**34)))


@attack("refused")
def bytearray_of_sixteen_gigabytes(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"\x96" + struct.pack("<Q", 2**34)))


@attack()
def memo_index_of_four_billion(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(b"Nr" + struct.pack("<I", 2**32 - 16)))


@attack("refused")
def item_set_on_a_tensor(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", beside(GOOD + b"K\x00K\x01s"))


@attack("refused")
def two_members_of_one_name(folder: Path) -> Path:
    path = torch_zip(folder / "c.pt", model())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data.pkl", model())
    return path


@attack("left_out")
def storage_key_that_is_a_path(folder: Path) -> Path:
    return torch_zip(folder / "c.pt", model(tensor([2], [1], key="../../../../etc/hostname")))


@attack()
def many_empty_members(folder: Path) -> Path:
    path = torch_zip(folder / "c.pt", model())
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(200_000):
            info = zipfile.ZipInfo(f"archive/data/e{i}")
            info.header_offset = info.CRC = info.compress_size = 0
            archive.filelist.append(info)
        archive._didModify = True  # type: ignore[attr-defined]
    return path


@attack("refused")
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


@attack("refused")
def legacy_of_eight_billion_numbers(folder: Path) -> Path:
    return legacy(folder, 2**33, 2**33)


@attack("refused")
def legacy_of_fewer_than_no_numbers(folder: Path) -> Path:
    return legacy(folder, -4, -4)


@attack("refused")
def legacy_that_contradicts_itself(folder: Path) -> Path:
    return legacy(folder, 4, 3)


@attack("left_out")
def names_with_control_characters(folder: Path) -> Path:
    bad = "\x1b[2J\x1b]0;owned\x07\r\nweight"
    items = text(bad) + tensor([9], [1]) + text("good.weight") + GOOD
    return torch_zip(folder / "c.pt", b"\x80\x02}(" + items + b"u.")


@attack("left_out")
def name_of_ten_megabytes(folder: Path) -> Path:
    items = text("w" * 10_000_000) + tensor([9], [1]) + text("good.weight") + GOOD
    return torch_zip(folder / "c.pt", b"\x80\x02}(" + items + b"u.")
