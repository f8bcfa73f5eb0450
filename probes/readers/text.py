"""Bytes of a log -> text, whatever wrote it."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import Unreadable

MOST_BYTES = 256 << 20
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")


def read_text(path: Path) -> str:
    """The file's text without terminal colours. Raises Unreadable for binary or huge files."""
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable("larger than 256 MB", str(path), "give the part of the log that matters")
    return decode(path.read_bytes(), str(path))


def decode(data: bytes, where: str) -> str:
    """UTF-8, UTF-16 with a mark, GB18030, in this order; Latin-1 as the last resort."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _ESCAPES.sub("", data.decode("utf-16", "replace"))
    if b"\0" in data[:65_536]:
        raise Unreadable("binary data, not text", where, "give a text log")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return _ESCAPES.sub("", data.decode(encoding))
        except UnicodeDecodeError:
            continue
    return _ESCAPES.sub("", data.decode("latin-1"))
