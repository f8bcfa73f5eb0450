"""TFRecord files of TensorBoard events -> scalars, events of one shape at once.

Frame: length (8 bytes), its checksum (4), the message, its checksum (4). Event: wall_time 1, step 2, file_version 3,
summary 5. Summary: value 1. Value: tag 1, simple_value 2, tensor 8. TensorProto: dtype 1, shape 2, tensor_content 4,
float_val 5, double_val 6. Checksums are CRC-32C, masked as TensorFlow's record_writer says.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...artifacts import Floats, Progress
from ..protobuf import Span, spans, varint

CHUNK = 8 << 20
MOST_RECORD = 64 << 20
MOST_SHAPES = 2000
_SMALL = 4096
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}
_Bytes = npt.NDArray[np.uint8]


def _crc_table() -> npt.NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ (table & np.uint32(1)) * np.uint32(0x82F63B78)
    return table


_CRC = _crc_table()


@dataclass(slots=True)
class Scalars:
    """The scalars of one file.

    Args:
        points: tag -> pieces of (number of the record in the file, step, value), not in order.
        damaged: records whose checksum is wrong; they are left out.
        broken: the byte from which on nothing could be read although there is more, None if there is none.
    """

    points: dict[str, list[tuple[Floats, Floats, Floats]]] = field(default_factory=lambda: defaultdict(list))
    damaged: int = 0
    broken: int | None = None

    def tags(self) -> list[str]:
        """In the order in which they first appear."""
        return sorted(self.points, key=lambda tag: min(float(order.min()) for order, _, _ in self.points[tag]))

    def curve(self, tag: str) -> tuple[Floats, Floats]:
        """Steps and values of a tag, in the order of the file."""
        order, steps, values = (np.concatenate(part) for part in zip(*self.points[tag], strict=True))
        rank = np.argsort(order, kind="stable")
        return steps[rank], values[rank]


@dataclass(frozen=True, slots=True)
class _Shape:
    """An event of which only time, step and values change.

    Args:
        fixed: which bytes are the same in all of them; `sample` are all bytes of one.
        step: where the step is, as a varint.
        values: (tag, place, dtype) of each number.
    """

    sample: _Bytes
    fixed: npt.NDArray[np.bool_]
    step: Span
    values: tuple[tuple[str, int, str], ...]


def read_scalars(path: Path, progress: Progress | None = None) -> Scalars:
    """All scalars of one event file, up to where it is cut or damaged."""
    found, shapes = Scalars(), dict[int, list[_Shape]]()
    number = 0
    for data, places in _chunks(path, found, progress):
        by_length = defaultdict[int, list[int]](list)
        for i, (_, length) in enumerate(places):
            by_length[length].append(i)
        for length, members in by_length.items():
            starts = np.array([places[i][0] for i in members])
            numbers = np.array(members, float) + number
            _take(data, starts, length, numbers, shapes.setdefault(length, []), found)
        number += len(places)
    return found


def _chunks(path: Path, found: Scalars, progress: Progress | None) -> Iterator[tuple[bytes, list[tuple[int, int]]]]:
    """Pieces of the file and where whole messages lie in them, as (start, length)."""
    size, at, rest = path.stat().st_size, 0, b""
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            if progress is not None:
                progress(min(1.0, file.tell() / max(1, size)), f"reading {path.name}")
            data = rest + data
            places, end = _frames(data)
            yield data, places
            at, rest = at + end, data[end:]
            if len(rest) < 12:
                continue
            (length,) = struct.unpack_from("<Q", rest)
            if at + 12 + length > size:
                if not _checks(rest[:8], rest[8:12]):
                    found.broken = at
                return
            if length > MOST_RECORD:  # pictures and sound: no scalar is as long
                at += length + 16
                file.seek(at)
                rest = b""


def _frames(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """The whole messages in a piece of a file, and where the first that is cut begins."""
    places, at, size = [], 0, len(data)
    unpack = struct.Struct("<Q").unpack_from
    while at + 12 <= size:
        (length,) = unpack(data, at)
        if at + 16 + length > size:
            break
        places.append((at + 12, length))
        at += 16 + length
    return places, at


def _take(
    data: bytes, starts: npt.NDArray[np.intp], length: int, numbers: Floats, shapes: list[_Shape], found: Scalars
) -> None:
    """The scalars of all messages of one length."""
    if length > _SMALL or len(shapes) >= MOST_SHAPES:
        for start, number in zip(starts.tolist(), numbers.tolist(), strict=True):
            _add_one(data[start : start + length], number, found)
        return
    whole = np.frombuffer(data, np.uint8)
    table = whole[starts[:, None] + np.arange(length + 4)]
    good = _sums(table)
    found.damaged += int(np.sum(~good))
    table, numbers = table[good, :length], numbers[good]
    known = 0
    while len(table):
        if known == len(shapes):
            shape = _shape(bytes(table[0]))
            if shape is None or len(shapes) >= MOST_SHAPES:
                _add_one(bytes(table[0]), float(numbers[0]), found)
                table, numbers = table[1:], numbers[1:]
                continue
            shapes.append(shape)
        same = _same(table, shapes[known])
        if same.any():
            _add(table[same], numbers[same], shapes[known], found)
            table, numbers = table[~same], numbers[~same]
        known += 1


def _sums(table: _Bytes) -> npt.NDArray[np.bool_]:
    """Whether the last four bytes of each row are the checksum of the others; 0 stands for none."""
    crc = np.full(len(table), 0xFFFFFFFF, np.uint32)
    for column in range(table.shape[1] - 4):
        crc = _CRC[(crc ^ table[:, column]) & np.uint32(255)] ^ (crc >> np.uint32(8))
    crc = ~crc
    masked = ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)
    said = np.ascontiguousarray(table[:, -4:]).view("<u4")[:, 0]
    return np.asarray((masked == said) | (said == 0))


def _checks(data: bytes, checksum: bytes) -> bool:
    return bool(_sums(np.frombuffer(data + checksum, np.uint8)[None, :])[0])


def _same(table: _Bytes, shape: _Shape) -> npt.NDArray[np.bool_]:
    start, stop = shape.step
    steps = table[:, start:stop] >> 7
    goes_on = np.arange(start, stop) < stop - 1
    return np.asarray((table[:, shape.fixed] == shape.sample[shape.fixed]).all(1) & (steps == goes_on).all(1))


def _add(table: _Bytes, numbers: Floats, shape: _Shape, found: Scalars) -> None:
    start, stop = shape.step
    weights = np.array([1 << (7 * i) for i in range(stop - start)], np.int64)
    steps = ((table[:, start:stop] & 127).astype(np.int64) @ weights).astype(float)
    for tag, place, code in shape.values:
        width = np.dtype(code).itemsize
        values = np.ascontiguousarray(table[:, place : place + width]).view(code)[:, 0].astype(float)
        found.points[tag].append((numbers, steps, values))


def _add_one(record: bytes, number: float, found: Scalars) -> None:
    step, values = _event(record)
    first, last = step
    at = float(varint(record, first)[0]) if last > first else 0.0
    for tag, place, code in values:
        (value,) = np.frombuffer(record, code, 1, place)
        found.points[tag].append((np.array([number]), np.array([at]), np.array([float(value)])))


def _shape(record: bytes) -> _Shape | None:
    """What changes in events like this one; None where that is not only its step and its values."""
    step, values = _event(record)
    if not values or step[1] - step[0] > 9:
        return None
    fixed = np.ones(len(record), dtype=bool)
    fixed[step[0] : step[1]] = False
    if record[:1] == b"\x09":  # the time
        fixed[1:9] = False
    for _, place, code in values:
        fixed[place : place + np.dtype(code).itemsize] = False
    return _Shape(np.frombuffer(record, np.uint8), fixed, step, values)


def _event(record: bytes) -> tuple[Span, tuple[tuple[str, int, str], ...]]:
    """Where the step is (empty: it is 0) and the numbers of an event: tag, place, dtype."""
    step, values = (0, 0), []
    for number, wire, start, stop in spans(record, 0, len(record)):
        if number == 2 and wire == 0:
            step = (start, stop)
        elif number == 5 and wire == 2:
            for inner, kind, begin, end in spans(record, start, stop):
                if inner == 1 and kind == 2 and (value := _value(record, begin, end)) is not None:
                    values.append(value)
    return step, tuple(values)


def _value(record: bytes, start: int, stop: int) -> tuple[str, int, str] | None:
    """(tag, place, dtype) of a Summary.Value that holds one number."""
    tag, place = "", None
    for number, wire, begin, end in spans(record, start, stop):
        if number == 1 and wire == 2:
            tag = record[begin:end].decode("utf-8", "replace")[:500]
        elif number == 2 and wire == 5:
            place = begin, "<f4"
        elif number == 8 and wire == 2:
            place = _tensor(record, begin, end)
    return (tag, *place) if tag and place is not None else None


def _tensor(record: bytes, start: int, stop: int) -> tuple[int, str] | None:
    """(place, dtype) of the one number of a tensor."""
    kind, elements, content, listed = 0, 1, (0, 0), None
    for number, wire, begin, end in spans(record, start, stop):
        if number == 1 and wire == 0:
            kind = varint(record, begin)[0]
        elif number == 2 and wire == 2:
            elements = _elements(record, begin, end)
        elif number == 4 and wire == 2:
            content = (begin, end)
        elif number in (5, 6) and wire != 0:
            code = "<f4" if number == 5 else "<f8"
            listed = (begin, code) if end - begin >= np.dtype(code).itemsize else None
    if elements != 1:
        return None
    named = _DTYPES.get(kind)
    if named is not None and content[1] - content[0] == np.dtype(named).itemsize:
        return content[0], named
    return listed


def _elements(record: bytes, start: int, stop: int) -> int:
    """Elements of a TensorShapeProto: dim 2, each with size 1."""
    count = 1
    for number, wire, begin, end in spans(record, start, stop):
        if number == 2 and wire == 2:
            for inner, kind, first, _ in spans(record, begin, end):
                if inner == 1 and kind == 0:
                    count *= varint(record, first)[0]
    return count
