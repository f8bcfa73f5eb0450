"""TensorBoard's event files: real bytes of its own writer, restarts, splits in folders, damage."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from probes.artifacts import Log
from probes.discover import discover
from probes.errors import Unreadable
from probes.readers.logs.tensorboard import read_tensorboard

WRITTEN = (
    "eNrzYICAf5M85nKa84ZrxB645SjFm1SUmJmn51qWmldiZRSkx6VTkppXnF+UlJ9YlKJXXJqbm1hUqVdelFmSWqSXClIVn5aZkxoPEfGUf52l"
    "CTXX/H88AyeIkXr2rKOWHJcgF5dPfnGxfgnIAlEGhgZ7Lk4uppwiIJPB3rB11TszqEb/8J73CI3aXJpcfKkF+ckZ8YnJyaVFicmVTlwcjEIM"
    "WiwgNV7cQFPYi5MTcxKLitd0OG3ShprSJn3YG2SKEcgUgRQMBxw2V7JBcsB0oSlnLKBaF1fWhiNrxeuEBjsUJ5S77r+sAzXny7ozriBzUsDm"
    "nGDEcEMc22JrJDfoZWUqWEL1drObf0TRiz8c7FEc8abs+Ex0R0wDG7SGCcMRTrsikR0RmjzjELoj4HrxOsIB1RG6G849AgBmi6GK"
)
"""What tensorboard 2.20 wrote for steps 0, 100, 200, 300: `Loss/train` = 1 / (step + 1) and `lr` = 0.5 in one event,
`epoch_accuracy` = step / 400 as a tensor in the next; EventAccumulator gives back the same."""
STEPS = [0.0, 100.0, 200.0, 300.0]


def written() -> bytes:
    return zlib.decompress(base64.b64decode(WRITTEN))


def put(folder: Path, content: bytes, name: str = "events.out.tfevents.1.host") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def curve(log: Log, name: str) -> tuple[list[float], list[float]]:
    one = log.get(name)
    assert one is not None, [s.name for s in log.series]
    return one.x.tolist(), one.y.tolist()


def frames() -> list[bytes]:
    """The records of the written file, with their frames."""
    content, at, found = written(), 0, []
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        found.append(content[at : at + length + 16])
        at += length + 16
    return found


def later(frame: bytes, steps: int, seconds: float) -> bytes:
    """An event with another step and time, without checksums."""
    data = bytearray(frame[12:-4])
    (time,) = struct.unpack_from("<d", data, 1)
    struct.pack_into("<d", data, 1, time + seconds)
    head, tail = bytes(data[:9]), bytes(data[9:])
    if tail[:1] == b"\x10":
        step, size = (tail[1], 2) if tail[1] < 128 else ((tail[1] & 127) + (tail[2] << 7), 3)
        step, tail = step + steps, tail[size:]
    else:
        step = steps
    if b"brain" in tail:
        return struct.pack("<Q", len(data)) + bytes(4) + bytes(data) + bytes(4)
    data = bytearray(head + b"\x10" + bytes([step & 127 | 128, step >> 7]) + tail)
    return struct.pack("<Q", len(data)) + bytes(4) + bytes(data) + bytes(4)


def test_what_tensorboard_writes(tmp_path: Path) -> None:
    log = read_tensorboard([put(tmp_path, written())])
    assert curve(log, "train/loss") == (STEPS, [float(np.float32(1 / (s + 1))) for s in STEPS])
    assert curve(log, "lr") == (STEPS, [0.5] * 4)
    assert curve(log, "train/accuracy") == (STEPS, [0.0, 0.25, 0.5, 0.75])
    assert log.warnings == ()


@pytest.mark.parametrize("cut", [1, 5, 20, 60])
def test_a_record_that_was_not_finished_is_left_out_without_a_word(tmp_path: Path, cut: int) -> None:
    log = read_tensorboard([put(tmp_path, written()[:-cut])])
    assert curve(log, "train/loss")[0] == STEPS and curve(log, "train/accuracy")[0] == STEPS[:3]
    assert log.warnings == ()


def test_a_record_with_a_wrong_checksum_is_left_out_and_said(tmp_path: Path) -> None:
    content = bytearray(written())
    place = content.index(struct.pack("<f", 0.25))
    content[place] ^= 1
    log = read_tensorboard([put(tmp_path, bytes(content))])
    assert curve(log, "train/accuracy")[0] == [0, 200, 300]
    assert "1 records" in log.warnings[0] and "checksum" in log.warnings[0]


def test_a_length_that_cannot_be_ends_the_file_and_is_said(tmp_path: Path) -> None:
    good = frames()
    bad = struct.pack("<Q", 1 << 60) + good[3][8:]
    log = read_tensorboard([put(tmp_path, b"".join([*good[:3], bad, *good[4:]]))])
    assert curve(log, "train/loss")[0] == [0]
    assert f"damaged at byte {sum(map(len, good[:3]))}" in log.warnings[0]


def test_a_restart_follows_in_time_whatever_the_files_are_called(tmp_path: Path) -> None:
    again = b"".join(later(frame, 200, 5000.0) for frame in frames())
    put(tmp_path, written(), "z.tfevents")
    put(tmp_path, again, "a.tfevents")
    (log,) = discover([tmp_path]).logs
    assert curve(log, "train/loss")[0] == [*STEPS, 200, 300, 400, 500]
    assert "2 event files were joined" in log.warnings[0]


def test_keras_folders_of_splits_are_one_run(tmp_path: Path) -> None:
    put(tmp_path / "run" / "train", written())
    put(tmp_path / "run" / "validation", written())
    (log,) = discover([tmp_path]).logs
    assert curve(log, "train/accuracy") == curve(log, "val/accuracy")


def test_curves_of_add_scalars_join_their_run(tmp_path: Path) -> None:
    tag = written().replace(b"Loss/train", b"Loss/quiet")
    put(tmp_path, written())
    put(tmp_path / "loss_val", b"".join(later(frame, 0, 0.0) for frame in _frames_of(tag)))
    (log,) = discover([tmp_path]).logs
    assert {"train/accuracy", "val/accuracy"} <= {s.name for s in log.series}


def _frames_of(content: bytes) -> list[bytes]:
    sizes = [len(frame) for frame in frames()]
    return [content[sum(sizes[:i]) : sum(sizes[: i + 1])] for i in range(len(sizes))]


def test_each_folder_is_a_run_of_its_own(tmp_path: Path) -> None:
    for name in ("version_0", "version_1"):
        put(tmp_path / name, written())
    assert len(discover([tmp_path]).logs) == 2


def test_pictures_between_the_scalars_do_no_harm(tmp_path: Path) -> None:
    picture = struct.pack("<Q", 9000) + bytes(4) + b"\x2a\xa5\x46" + bytes(8997) + bytes(4)
    log = read_tensorboard([put(tmp_path, b"".join(f + picture for f in frames()))])
    assert curve(log, "train/loss")[0] == STEPS


def test_a_file_without_scalars_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="without any scalar"):
        read_tensorboard([put(tmp_path, frames()[0])])
