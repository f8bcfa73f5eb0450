"""W&B's run files (`run-ID.wandb`): LevelDB log framing around protobuf records, of which only history rows are read.

Seven bytes of file header, then blocks of 32 KiB; a piece has a header of checksum (4), length (2) and type (1: whole,
2: first, 3: middle, 4: last). Record: history is field 2; its items are field 1 with key 1 and value_json 16.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...artifacts import Log
from ...errors import Unreadable
from ..protobuf import fields
from .json_lines import record_columns
from .table import series_of

BLOCK = 32 * 1024
MOST_BYTES = 512 << 20
LONGEST_VALUE = 200
"""Numbers are short; tables, images and HTML in a row are not and are skipped."""


def read_wandb(path: Path) -> Log:
    """The curves of one run. Raises Unreadable if no history row is in the file."""
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable("larger than 512 MB", str(path), "export the run's history as CSV")
    rows = [row for record in _records(path.read_bytes()) if (row := _history(record))]
    if not rows:
        raise Unreadable("a W&B run without any history row", str(path), "give the run's output.log")
    return Log(path, "wandb", tuple(series_of(record_columns(rows, None))))


def _records(data: bytes) -> Iterator[bytes]:
    at, parts = 7, list[bytes]()
    while at + 7 <= len(data):
        left = BLOCK - at % BLOCK
        if left < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        piece = data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind not in (1, 2, 3, 4) or len(piece) < length:
            return
        parts = [piece] if kind in (1, 2) else [*parts, piece]
        if kind in (1, 4):
            yield b"".join(parts)


def _history(record: bytes) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for number, wire, _, content in fields(record):
        if number == 2 and wire == 2:
            for item, kind, _, data in fields(content):
                if item == 1 and kind == 2:
                    row |= _item(data)
    return row


def _item(data: bytes) -> dict[str, Any]:
    key, nested, text = "", list[str](), b""
    for number, wire, _, content in fields(data):
        if wire == 2 and number == 1:
            key = content.decode("utf-8", "replace")
        elif wire == 2 and number == 2:
            nested.append(content.decode("utf-8", "replace"))
        elif wire == 2 and number == 16:
            text = content
    name = key or ".".join(nested)
    if not name or len(text) > LONGEST_VALUE or name in ("_runtime", "_timestamp", "_wandb"):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {name: value} if isinstance(value, int | float | str) else {}
