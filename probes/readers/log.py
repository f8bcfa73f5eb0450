"""A file of training curves -> a Log, whatever its format. Recognised by content, never by its name."""

from __future__ import annotations

from pathlib import Path

from ..artifacts import Log, Progress
from ..errors import Unreadable
from .csv_blocks import read_large_csv
from .csv_log import read_csv
from .growing import LARGE
from .json_blocks import read_large_json
from .json_lines import read_json
from .mlflow_metric import read_mlflow
from .stdout_blocks import read_large_stdout
from .stdout_log import read_stdout
from .tensorboard import is_events, read_tensorboard
from .text import read_text
from .wandb_run import read_wandb


def read_log(path: Path, progress: Progress | None = None) -> Log:
    """Reads one file. Raises Unreadable if it is no text, or holds no training curve."""
    with path.open("rb") as file:
        head = file.read(64)
    if is_events(head):
        return read_tensorboard([path], progress)
    if head.startswith(b":W&B"):
        return read_wandb(path)
    if path.stat().st_size >= LARGE and (log := _large(path, progress)) is not None:
        return log
    text = read_text(path)
    for read in (read_mlflow, read_json, read_csv, read_stdout):
        if (log := read(path, text)) is not None and log.series:
            return log
    raise Unreadable("no training curve was found in it", str(path), "give the log that the training loop wrote")


def _large(path: Path, progress: Progress | None) -> Log | None:
    """By the readers that go through a file in blocks; None where it needs to be looked at whole."""
    for read in (read_large_json, read_large_csv, read_large_stdout):
        if (log := read(path, progress)) is not None and log.series:
            return log
    return None
