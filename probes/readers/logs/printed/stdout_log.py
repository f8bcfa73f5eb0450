"""Printed logs of any shape: which lines repeat, which of their numbers are metrics, and over what axis they run.

A number counts only when its line names an epoch or step, or follows a repeating line that does: numbers of settings,
summaries and messages have neither.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ....artifacts import Log, Series
from ....names import CORE, canonical, split_of, words
from ..scripts import parse
from .bare_splits import losses_among
from .printed_records import blocks, catboost, darknet, dicts
from .printed_splits import printed_splits
from .printed_table import printed_tables
from .stdout_axis import Point, axis_of
from .stdout_lines import Line, parse_line, phase, telling
from .stdout_text import bar_lines, counted_lines, lines_of, unwrapped

CONTEXT = 300
"""Lines for which an epoch that was announced stays valid."""
SHORT = 40
"""Characters of a line that announces a split by its word alone."""
BARE = 10
"""Lines without any epoch or step that say the same before they are taken for a loop."""
_MEANS = "the metric is the average value of previous steps"
"""What Paddle prints first: its metrics are running means, of which the last of an epoch counts; its loss is none."""


@dataclass(slots=True)
class _Curve:
    """A curve being collected. `open_bar` is the epoch whose value a later state of the same bar replaces; `final`
    says that it is one number, the result at the end."""

    label: str
    split: str | None
    inner: bool
    points: list[Point] = field(default_factory=list)
    with_axis: bool = False
    peers: set[str] = field(default_factory=set)
    open_bar: float | None = None
    final: bool = False

    @property
    def closing(self) -> bool:
        return self.label[:1] == "*"


_BLANK_HEADER = re.compile(r"^ *(?:epochs?|steps?|iter\w*)  +[a-z][^\n,;|\t]*$", re.I | re.M)
_SUMMARY = re.compile(r"\bbest\b[^\d]*:\s*$", re.I)
"""A title over the line of the best epoch, printed again."""
_Key = tuple[bool, str, str | None, bool]


def read_stdout(path: Path, text: str) -> Log | None:
    """The log in `text`, or None if no curve is printed in it."""
    if _is_python(text):
        return None
    lines = list(lines_of(unwrapped(text)))
    for read in (darknet, dicts, blocks, catboost, printed_splits, printed_tables):
        if series := read(lines):
            return Log(path, "stdout", tuple(series))
    counted = _repeating(path, lines, text) or _repeating(path, counted_lines(lines), text)
    return counted or _repeating(path, bar_lines(text), text) or _repeating(path, lines, text, without_axis=True)


def read_blank_tables(path: Path, text: str) -> Log | None:
    """Tables whose columns stand apart by blanks, which a reader of delimiters would mistake; None without any."""
    if not _BLANK_HEADER.search(text):
        return None
    series = printed_tables(list(lines_of(text)))
    return Log(path, "stdout", tuple(series)) if series else None


def _repeating(path: Path, lines: list[str], text: str, without_axis: bool = False) -> Log | None:
    """The curves of lines that repeat with changing numbers."""
    told = [line for before, line in pairwise(["", *lines]) if not _SUMMARY.search(before)]
    often = {line for line, count in Counter(line for line in told if len(line) < SHORT).items() if count > 1}
    parsed = [Line(phase=split) if (split := phase(line, line in often)) else parse_line(line) for line in told]
    said = _without_totals(parsed)
    if without_axis:
        said = _bare_losses(said)
    curves = _Collector(said, means=_MEANS in text[:100_000]).curves()
    series = _named(curves)
    long_enough = any(len(s.y) > 1 and s.name != "lr" and telling(s.column) for s in series)
    return Log(path, "stdout", tuple(losses_among(_tell_apart(series, curves)))) if long_enough else None


def _is_python(text: str) -> bool:
    """Whether a text is source code, which speaks of losses and steps too."""
    if not re.search(r"^(?:def|class|import|from) ", text, re.M) or len(text) > 1_000_000:
        return False
    return parse(text) is not None


def _without_totals(parsed: list[Line | None]) -> list[Line]:
    """The lines that say something; "epochs" that never changes is a setting and no place in the run."""
    lines = [line for line in parsed if line is not None]
    if len({line.epoch for line in lines if line.plural}) == 1:
        for line in lines:
            line.epoch = None if line.plural else line.epoch
    return lines


def _bare_losses(lines: list[Line]) -> list[Line]:
    """Lines that give nothing but losses and the like, often enough to be a loop; they are counted as rows."""
    bare = [line for line in lines if line.values and all(canonical(v[0], v[1]) in CORE for v in line.values)]
    bare = [line for line in bare if not _has_axis(line)]
    shapes = Counter(_shape(line) for line in bare)
    kept = [line for line in bare if shapes[_shape(line)] >= BARE]
    for line in kept:
        line.rows = True
    return kept


class _Collector:
    """Goes through the lines once, keeping the axis that holds and the split that was announced."""

    def __init__(self, lines: list[Line], means: bool) -> None:
        self.lines, self.means = lines, means
        self.repeats = Counter(line.template for line in lines if _has_axis(line))
        self.shapes = Counter(_shape(line) for line in lines)
        self.found: dict[_Key, _Curve] = {}
        self.waiting: list[Line] = []
        self.results: list[Line] = []
        self.taken: set[tuple[str, ...]] = set()
        self.context: Line | None = None
        self.since = 0
        self.standing: str | None = None
        self.tested = _size_of_test(lines)
        self.last_split: str | None = None

    def curves(self) -> list[_Curve]:
        """All curves, in the order in which they began."""
        for line in self.lines:
            self.since += 1
            if line.phase is not None:
                self.standing = line.phase
                continue
            self._place(line)
            if not any(telling(label) for label, _, _ in line.values):
                continue
            if line.rows:
                self._add(line, line)
            elif self.context is None:
                self.waiting.append(line)
            elif _has_axis(line) or (self.shapes[_shape(line)] > 1 and self._stands()):
                self._add(line, self.context)
                self.results = []
            elif _is_result(line):
                self.results.append(line)
        for line in self.waiting:
            if _shape(line) in self.taken:
                self._add_before(line)
        if not any(curve.split == "test" for curve in self.found.values()):
            self._add_results()
        return list(self.found.values())

    def _stands(self) -> bool:
        """Whether the axis was named by a line that is part of the loop."""
        at = self.context
        return at is not None and (self.repeats[at.template] > 1 or bool(at.values) or at.of_total)

    def _place(self, line: Line) -> None:
        """Updates what holds from this line on, and what the line inherits."""
        if line.epoch is not None or (line.step is not None and not line.inner and self.context is None):
            self.standing = None
        if line.closing:
            line.values = [(label, split or self.last_split, value) for label, split, value in line.values]
        if line.split or (line.epoch is not None and not line.closing):
            self.last_split = line.split
        if self.tested is not None and line.bar and line.size == self.tested and line.split is None:
            line.values = [(label, split or "test", value) for label, split, value in line.values]
        if self.standing is not None and line.split is None:
            line.values = [(label, split or self.standing, value) for label, split, value in line.values]
            line.bar |= line.part is not None
        if _has_axis(line) and (self.repeats[line.template] > 1 or line.values or line.of_total):
            old = self.context.epoch if self.context is not None and line.epoch is None else line.epoch
            self.context, self.since = replace(line, epoch=old), 0
        elif self.since > CONTEXT:
            self.context = None

    def _curve(self, line: Line, label: str, split: str | None) -> _Curve:
        inner = line.inner and not line.bar and not line.means
        key = (label[:1] == "*", " ".join(words(label)), split, inner)
        return self.found.setdefault(key, _Curve(label, split, inner))

    def _add(self, line: Line, context: Line) -> None:
        self.taken.add(_shape(line))
        names = {canonical(label, split) for label, split, _ in line.values}
        for label, split, value in line.values:
            curve = self._curve(line, label, split)
            averaged = bool(line.means) and (line.part is not None or curve.open_bar is not None)
            running = self.means and "loss" not in words(label)
            passing = line.bar or averaged or running
            y = line.means.get(label, value) if averaged else value
            point = _point(line, context, y, passing)
            if context.epoch is not None and curve.open_bar == context.epoch and curve.points:
                curve.points.pop()
            curve.points.append(point)
            curve.with_axis |= _has_axis(line)
            curve.peers |= names
            curve.open_bar = context.epoch if passing else None

    def _add_results(self) -> None:
        """The test after the last epoch, printed once."""
        for line in self.results:
            if self.context is not None and self.shapes[_shape(line)] == 1:
                for label, split, value in line.values:
                    curve = self._curve(line, label, split)
                    curve.points, curve.final = [_point(line, self.context, value, True)], True

    def _add_before(self, line: Line) -> None:
        """A value that was printed before the first epoch or step, of a curve that goes on later: it is its start."""
        for label, split, value in reversed(line.values):
            key = (label[:1] == "*", " ".join(words(label)), split, False)
            curve = self.found.get(key)
            if curve is not None and not line.bar:
                first = curve.points[0]
                start = Point(_before(first.epoch), _before(first.step), None, value)
                place = next((i for i, p in enumerate(curve.points) if p.early is False), len(curve.points))
                curve.points.insert(place, replace(start, early=True))


def _before(x: float | None) -> float | None:
    return None if x is None else min(0.0, x)


def _shape(line: Line) -> tuple[str, ...]:
    """The labels of a line: what stays when a loop prints it again."""
    return tuple(label for label, _, _ in line.values)


def _size_of_test(lines: list[Line]) -> float | None:
    """The smaller number of samples, where two bars that name no split take turns: training, then the test."""
    sizes = [line.size for line in lines if line.bar and line.size is not None and line.split is None]
    turns = len(sizes) > 3 and all(a != b for a, b in pairwise(sizes[:-1]))
    return sizes[1] if turns and len(set(sizes[:-1])) == 2 and sizes[1] < sizes[0] else None


def _is_result(line: Line) -> bool:
    """Whether a line says nothing but how well the model does on the test set."""
    tested = all(split == "test" for _, split, _ in line.values)
    return tested and any(canonical(label, split) in CORE for label, split, _ in line.values)


def _has_axis(line: Line) -> bool:
    return line.epoch is not None or line.step is not None


def _point(line: Line, context: Line, y: float, passing: bool) -> Point:
    epoch = line.epoch if line.epoch is not None else context.epoch
    step = line.step if line.step is not None else context.step if line.epoch is None else None
    return Point(epoch, step, None if passing else line.part, y)


def _named(curves: list[_Curve]) -> list[Series]:
    """The curves that are long enough; one within epochs beside one of whole epochs is that of the steps."""
    found: dict[_Key, Series] = {}
    for curve in sorted(curves, key=lambda c: (not c.closing, c.inner)):
        series = _series(curve)
        key = (curve.closing, " ".join(words(curve.label)), curve.split, False)
        if series is None or (not curve.closing and _result_of(series, found)):
            continue
        if curve.inner and key in found:
            tail = "" if series.name in ("lr", "grad_norm") or series.name.endswith("_step") else "_step"
            series = replace(series, name=series.name + tail)
        found[(*key[:3], curve.inner)] = series
    order = {(c.closing, " ".join(words(c.label)), c.split, c.inner): i for i, c in enumerate(curves)}
    return [found[key] for key in sorted(found, key=lambda k: order[k])]


def _result_of(series: Series, found: dict[_Key, Series]) -> bool:
    """Whether the result of the evaluation, of which this is the last batch's meter, was printed as well."""
    return any(key[0] and s.name == series.name and 2 * len(s.y) >= len(series.y) for key, s in found.items())


def _series(curve: _Curve) -> Series | None:
    name = canonical(curve.label, curve.split)
    if len(curve.points) < 2 and not curve.final:
        known = telling(curve.label) and name not in ("lr", "grad_norm")
        if not (known and curve.with_axis and len(curve.peers) > 1):
            return None
    x, x_name, epoch = axis_of(curve.points)
    return Series(name, curve.label, x, np.array([p.y for p in curve.points], float), x_name, epoch)


def _tell_apart(series: list[Series], curves: list[_Curve]) -> list[Series]:
    """A training loss printed beside a validation loss is a mean over batches, not the step's that is printed too."""
    training = [s for s in series if s.name == "train/loss"]
    if len(training) < 2:
        return series
    beside = {c.label for c in curves if "val/loss" in c.peers}
    longest = max(training, key=lambda s: len(s.y))
    said = [split_of(s.column) == "train" for s in training]
    if len({len(s.y) for s in training}) == 1 and any(said) and not all(said):  # the bar's last, and the epoch's mean
        columns = [s.column for s, train in zip(training, said, strict=True) if not train]
        return [
            replace(s, name="train/loss_step") if s.name == "train/loss" and s.column in columns else s for s in series
        ]
    return [
        replace(s, name="train/loss_eval") if s.name == "train/loss" and s is not longest and s.column in beside else s
        for s in series
    ]
