"""Printed logs of any shape: which lines repeat, which of their numbers are metrics, and over what axis they run.

A number counts only when its line names an epoch or step, or follows a repeating line that does: numbers of settings,
summaries and messages have neither.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..artifacts import Log, Series
from ..names import TELLING, canonical, words
from .json_lines import records_log
from .scripts import parse
from .stdout_lines import Line, parse_line, phase
from .table import number

CONTEXT = 300
"""Lines for which an epoch that was announced stays valid."""
_DARKNET = re.compile(
    r"^\s*(\d+): ([-\w.]+), ([-\w.]+) avg(?: loss)?, ([-\w.]+) rate, [-\w.]+ seconds, \d+ images", re.M
)
_BLOCK_ROW = re.compile(r"^\|\s*([\w/ .]+?)\s*\|\s*(\S+)\s*\|$")


@dataclass(slots=True)
class _Curve:
    """A curve being collected; `bars` are the places whose value a later state of the same bar replaces."""

    label: str
    split: str | None
    x: list[float] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    x_name: str = "row"
    with_axis: bool = False
    peers: set[str] = field(default_factory=set)
    open_bar: float | None = None


_Key = tuple[bool, str, str | None]


def read_stdout(path: Path, text: str) -> Log | None:
    """The log in `text`, or None if no curve is printed in it."""
    if _is_python(text):
        return None
    if rows := _DARKNET.findall(text):
        records = [{"iteration": int(i), "loss": m, "loss of the step": v, "lr": r} for i, v, m, r in rows]
        return records_log(path, "stdout", records)
    if (records := _dicts(text)) and (log := records_log(path, "stdout", records)):
        return log
    if (blocks := _blocks(text)) and (log := records_log(path, "stdout", blocks)):
        return log
    lines = [Line(phase=split) if (split := phase(line)) else parse_line(line) for line in _lines(text)]
    curves = _curves(lines)
    series = [s for c in curves if (s := _series(c)) is not None]
    long_enough = any(len(s.y) > 1 and set(words(s.column)) & TELLING for s in series)
    return Log(path, "stdout", tuple(_tell_apart(series, curves))) if long_enough else None


def _is_python(text: str) -> bool:
    """Whether a text is source code, which speaks of losses and steps too."""
    if not re.search(r"^(?:def|class|import|from) ", text, re.M) or len(text) > 1_000_000:
        return False
    return parse(text) is not None


def _lines(text: str) -> Iterator[str]:
    """Lines; of a line that a progress bar rewrote, its last state."""
    for line in text.replace("\r\n", "\n").replace("\x08", "\r").split("\n"):
        states = [s for s in line.split("\r") if s.strip()]
        if states:
            yield states[-1]


def _dicts(text: str) -> list[dict[str, object]]:
    """Records that were printed as Python dicts, one a line (HF Trainer); without the summary of the run."""
    records = []
    for line in text.replace("\r", "\n").splitlines():
        if line.lstrip().startswith("{'") and line.rstrip().endswith("}") and len(line) < 5000:
            try:
                record = ast.literal_eval(re.sub(r"\b(nan|inf)\b", "'\\1'", line.strip()))
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(record, dict) and all(isinstance(k, str) for k in record) and "train_runtime" not in record:
                records.append(record)
    return records if len(records) > 1 else []


def _blocks(text: str) -> list[dict[str, float | None]]:
    """Records of `| key | value |` blocks between lines of dashes, as reinforcement-learning libraries print them."""
    records: list[dict[str, float | None]] = []
    current: dict[str, float | None] = {}
    for line in text.splitlines():
        row = _BLOCK_ROW.match(line.strip())
        if row and (value := number(row[2])) is not None:
            current[row[1]] = value
        elif set(line.strip()) <= set("-+= ") and current:
            records.append(current)
            current = {}
    return [*records, current] if current else records


def _curves(lines: list[Line | None]) -> list[_Curve]:
    repeats = Counter(line.template for line in lines if line is not None and _has_axis(line))
    shapes = Counter(_shape(line) for line in lines if line is not None)
    curves: dict[_Key, _Curve] = {}
    context: Line | None = None
    since, standing, last_split = 0, None, None
    for line in lines:
        since += 1
        if line is None:
            continue
        if line.phase is not None:
            standing = line.phase
            continue
        if line.epoch is not None:
            standing = None
        if line.closing:
            line.values = [(f"* {label}", split or last_split, value) for label, split, value in line.values]
        last_split = line.split or last_split
        if standing is not None and line.split is None:
            line.values = [(label, split or standing, value) for label, split, value in line.values]
            line.bar |= line.part is not None
        if _has_axis(line) and (repeats[line.template] > 1 or line.values):
            context, since = (line, 0) if not _inside(line) or context is None else (_joined(context, line), 0)
        elif since > CONTEXT:
            context = None
        if not any(set(words(label)) & TELLING for label, _, _ in line.values):
            continue
        if context is None:
            continue
        if not _has_axis(line) and (shapes[_shape(line)] < 2 or (repeats[context.template] < 2 and not context.values)):
            continue
        _add(curves, line, context)
    return list(curves.values())


def _shape(line: Line) -> tuple[str, ...]:
    """The labels of a line: what stays when a loop prints it again."""
    return tuple(label for label, _, _ in line.values)


def _has_axis(line: Line) -> bool:
    return line.epoch is not None or line.step is not None


def _inside(line: Line) -> bool:
    """Whether a line counts steps but not epochs, so that the epoch announced before still holds."""
    return line.epoch is None


def _joined(context: Line, line: Line) -> Line:
    return Line(line.values, {}, context.epoch, line.step, line.part, False, line.split, line.template)


def _add(curves: dict[_Key, _Curve], line: Line, context: Line) -> None:
    x, part, x_name = _position(line, context)
    averaged = bool(line.means) and line.part is not None
    names = {canonical(label, split) for label, split, _ in line.values}
    for label, split, value in line.values:
        curve = curves.setdefault(
            (label[:1] == "*", " ".join(words(label)), split), _Curve(label, split, x_name=x_name)
        )
        curve.with_axis |= _has_axis(line)
        curve.peers |= names
        replace = (line.bar or averaged) and context.epoch is not None and curve.open_bar == context.epoch
        y = line.means.get(label, value) if averaged else value
        if replace and curve.y:
            curve.x[-1], curve.parts[-1], curve.y[-1] = x, part, y
        else:
            curve.x.append(x)
            curve.parts.append(part)
            curve.y.append(y)
        curve.open_bar = context.epoch if line.bar or averaged else None


def _position(line: Line, context: Line) -> tuple[float, float, str]:
    """(epoch or step, how far into the epoch, name of the axis) of a line's values."""
    epoch = line.epoch if line.epoch is not None else context.epoch
    if line.step is not None and (epoch is None or (line.epoch is None and line.part is None)):
        return line.step, 0.0, "step"
    if epoch is not None:
        counted = line.part is not None and not line.bar and not line.means
        return epoch, line.part if counted and line.part is not None else 0.0, "epoch"
    step = line.step if line.step is not None else context.step
    return (step, 0.0, "step") if step is not None else (0.0, 0.0, "row")


def _series(curve: _Curve) -> Series | None:
    known = bool(set(words(curve.label)) & TELLING)
    if len(curve.y) < 2 and not (known and curve.with_axis and len(curve.peers) > 1):
        return None
    x, x_name = np.array(curve.x, float), curve.x_name
    if any(part < 1 for part in curve.parts):  # else every line closes its epoch
        x = x + np.array(curve.parts)
    if len(x) > 2 and len(np.unique(x)) * 2 <= len(x):
        x, x_name = np.arange(len(x), dtype=float), "row"
    return Series(canonical(curve.label, curve.split), curve.label, x, np.array(curve.y, float), x_name)


def _tell_apart(series: list[Series], curves: Iterable[_Curve]) -> list[Series]:
    """A training loss printed beside a validation loss is a mean over batches, not the step's that is printed too."""
    training = [s for s in series if s.name == "train/loss"]
    if len(training) < 2:
        return series
    beside = {c.label for c in curves if "val/loss" in c.peers}
    longest = max(training, key=lambda s: len(s.y))
    return [
        Series("train/loss_eval", s.column, s.x, s.y, s.x_name)
        if s.name == "train/loss" and s is not longest and s.column in beside
        else s
        for s in series
    ]
