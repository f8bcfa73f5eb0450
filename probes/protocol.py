"""How the worker and its parent speak: one JSON object a line, ASCII only, NaN and infinities as strings."""

from __future__ import annotations

import json
from typing import Any

from .finding import plain

LONGEST_LINE = 256 << 20

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """One line. Values must be plain data (NumPy scalars are turned into Python's)."""
    return json.dumps(plain(message), ensure_ascii=True, allow_nan=False, default=str).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """The inverse. Raises ValueError for anything that `encode` did not make."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("not an object")
    return message
