"""A file of training curves -> a Log, whatever its format. Recognised by content, never by its name."""

from __future__ import annotations

from pathlib import Path

from ..artifacts import Log
from ..errors import Unreadable
from .csv_log import read_csv
from .json_lines import read_json
from .text import read_text


def read_log(path: Path) -> Log:
    """Reads one file. Raises Unreadable if it is no text, or holds no training curve."""
    text = read_text(path)
    for read in (read_json, read_csv):
        if (log := read(path, text)) is not None and log.series:
            return log
    raise Unreadable("no training curve was found in it", str(path), "give the log that the training loop wrote")
