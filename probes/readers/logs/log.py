"""A file of training curves -> a Log, whatever its format. Recognised by content, never by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...artifacts import Log, Progress
from ...errors import Unreadable
from ...series.restarts import restarts
from .csv_log import read_csv
from .json_lines import read_json
from .large.csv_blocks import read_large_csv
from .large.json_blocks import read_large_json
from .large.pieces import LARGE
from .large.stdout_blocks import read_large_stdout
from .mlflow_metric import read_mlflow
from .printed.stdout_log import read_blank_tables, read_stdout
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
        return told_of_runs(log)
    text = read_text(path)
    for read in (read_mlflow, read_json, read_blank_tables, read_csv, read_stdout):
        if (log := read(path, text)) is not None and log.series:
            return told_of_runs(log)
    raise Unreadable("no training curve was found in it", str(path), "give the log that the training loop wrote")


def told_of_runs(log: Log) -> Log:
    """The log, with a sentence where its axis goes back: several runs, or one that was resumed."""
    losses = [s for s in log.series if s.name in ("train/loss", "val/loss", "train/accuracy", "val/accuracy")]
    found = max((restarts(s) for s in losses or log.series), key=len, default=[])
    fresh, resumed = sum(r.fresh for r in found), sum(not r.fresh for r in found)
    if fresh > 20 or resumed > 20:  # an axis that goes back that often counts something else
        return log
    notes = []
    if fresh:
        notes.append(f"{fresh + 1} runs (or stages of one) in this file; the last is judged.")
    if resumed:
        overlap = sum(r.overlap for r in found if not r.fresh)
        twice = f" ({overlap} points were written twice; the later ones count)" if overlap else ""
        notes.append(f"resumed {resumed} time{'s' if resumed > 1 else ''}{twice}.")
    return replace(log, warnings=(*log.warnings, *notes))


def _large(path: Path, progress: Progress | None) -> Log | None:
    """By the readers that go through a file in blocks; None where it needs to be looked at whole."""
    for read in (read_large_json, read_large_csv, read_large_stdout):
        if (log := read(path, progress)) is not None and log.series:
            return log
    return None
