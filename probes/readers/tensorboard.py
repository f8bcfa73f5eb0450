"""TensorBoard event files: TFRecord frames around protobuf messages, of which only scalars are read.

Frame: length (8 bytes), its checksum (4), the message, its checksum (4). Event: wall_time 1, step 2, file_version 3,
summary 5. Summary.Value: tag 1, simple_value 2, tensor 8. A frame that is cut short ends the file: killed runs do that.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..artifacts import Log, Progress, Series
from ..errors import Unreadable
from ..names import canonical, split_of, words
from .protobuf import fields

MOST_POINTS = 5_000_000
MOST_RECORD = 64 << 20
_TENSOR_TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}


def is_events(head: bytes) -> bool:
    """Whether a file begins with an event file's version record."""
    return len(head) >= 12 and b"brain.Event:" in head[12:64]


def read_tensorboard(paths: Sequence[Path], progress: Progress | None = None) -> Log:
    """All scalars of the event files of one folder, joined in time order. Raises Unreadable if there are none."""
    points: dict[str, list[tuple[float, float]]] = {}
    warnings = []
    for path in sorted(paths, key=lambda p: p.name):
        for tag, step, value in _scalars(path):
            points.setdefault(tag, []).append((step, value))
    if not points:
        raise Unreadable("an event file without any scalar", str(paths[0]), "give the run's other event files")
    if len(paths) > 1:
        warnings.append(f"{len(paths)} event files of this folder were joined.")
    series = []
    for tag, pairs in points.items():
        xy = np.array(pairs, float)
        series.append(Series(_name(tag, paths[0]), tag, xy[:, 0], xy[:, 1], _x_name(tag)))
    return Log(paths[0], "tensorboard", tuple(series), tuple(warnings))


def _name(tag: str, path: Path) -> str:
    if tag == "hp_metric":
        return "sys/hp_metric"
    return canonical(tag, split_of(path.parent.name))


def _x_name(tag: str) -> str:
    return "epoch" if words(tag)[:1] == ("epoch",) else "step"


def _scalars(path: Path) -> Iterator[tuple[str, float, float]]:
    """(tag, step, value) in file order."""
    count = 0
    for record in _records(path):
        step, summaries = 0, []
        for number, wire, value, data in fields(record):
            if number == 2 and wire == 0:
                step = value
            elif number == 5 and wire == 2:
                summaries.append(data)
        for summary in summaries:
            for number, wire, _, data in fields(summary):
                if number == 1 and wire == 2 and (scalar := _value(data)) is not None:
                    count += 1
                    if count > MOST_POINTS:
                        return
                    yield scalar[0], float(step), scalar[1]


def _records(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        while len(header := file.read(12)) == 12:
            (length,) = struct.unpack("<Q", header[:8])
            if length > size:
                return
            if length > MOST_RECORD:
                file.seek(length + 4, 1)
                continue
            record = file.read(length + 4)
            if len(record) < length + 4:
                return
            yield record[:length]


def _value(data: bytes) -> tuple[str, float] | None:
    """(tag, number) of a Summary.Value that holds one number."""
    tag, number = "", None
    for field, wire, _, content in fields(data):
        if field == 1 and wire == 2:
            tag = content.decode("utf-8", "replace")[:500]
        elif field == 2 and wire == 5 and len(content) == 4:
            number = struct.unpack("<f", content)[0]
        elif field == 8 and wire == 2:
            number = _tensor(content)
    return (tag, number) if tag and number is not None else None


def _tensor(data: bytes) -> float | None:
    """The one number of a TensorProto: dtype 1, shape 2, tensor_content 4, float_val 5, double_val 6, int_val 7."""
    kind, content, elements = 0, b"", 1
    listed: float | None = None
    for number, wire, value, raw in fields(data):
        if number == 1 and wire == 0:
            kind = value
        elif number == 2 and wire == 2:
            elements = _elements(raw)
        elif number == 4 and wire == 2:
            content = raw
        elif number in (5, 6) and raw:
            form, size = ("<f", 4) if number == 5 else ("<d", 8)
            listed = struct.unpack(form, raw[:size])[0] if len(raw) >= size else None
    if elements != 1:
        return None
    code = _TENSOR_TYPES.get(kind)
    if content and code and len(content) == np.dtype(code).itemsize:
        return float(np.frombuffer(content, code)[0])
    return listed


def _elements(shape: bytes) -> int:
    """Elements of a TensorShapeProto: dim 2, each with size 1."""
    sizes = [v for n, w, _, dim in fields(shape) if n == 2 and w == 2 for m, _, v, _ in fields(dim) if m == 1]
    return math.prod(sizes)
