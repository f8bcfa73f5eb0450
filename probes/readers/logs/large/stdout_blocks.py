"""Large printed logs: a short copy of the file says which numbers are curves, then all lines give those numbers.

The copy has every line that is rare, an even share of the lines that differ only in their numbers, and lines around
which something changes. It is read as any printed log is. A curve whose points are, one by one, a number of such lines
gets that number of all of them; one that is made in another way keeps the points of the copy, and the log says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path

import numpy as np

from ....artifacts import Floats, Log, Progress, Series
from ..printed.stdout_log import read_stdout
from ..text import decode
from .growing import Growing, thinning
from .line_templates import Matched, Shapes, Sorted, Template, sort_lines
from .numerals import Flags
from .pieces import LARGE, Given, Made, made_of, pieces

SHARE = 500
"""Lines of one shape in the copy, once there are twice as many."""
MOST_COPY = 4000
MOST_CELLS, LEAST_ROWS = 12_000_000, 100_000
"""Numbers of one shape that are kept, and lines of it in any case."""
RARE = 0.05
_RANDOM = 0.05
"""A number that falls in fewer lines than this is a counter; where it falls, an epoch ends."""
_MOST_TRIED = 12
_CLOCK = frozenset([b":", b"-"])
"""What stands between the numbers of a time or a date, and nothing else."""
_STATES = re.compile(rb"[^\r\n]*\r(?=[^\r\n]*[^\s][^\r\n]*\r[^\r\n]*\S)")


@dataclass(slots=True, eq=False)
class _Shape:
    """All lines of one shape: their numbers, those that are in the copy, by line number, and the last."""

    template: Template
    table: Growing
    count: int = 0
    every: int = 1
    copied: dict[int, bytes] = field(default_factory=dict)
    last: tuple[int, bytes] | None = None
    plan: list[int] = field(default_factory=list)

    @property
    def counters(self) -> list[int]:
        """Which of the numbers that are read may count something of the run: those of clocks and dates do not."""
        around = zip(self.template.literals, self.template.literals[1:], strict=False)
        places = [i for i, pair in enumerate(around) if not _CLOCK & set(pair)]
        return [self.plan.index(i) for i in places if i in self.plan] if self.plan else places

    def wanted(self, numbers: list[Floats]) -> list[Floats]:
        """The planned ones of a line's numbers: lines that were read before there was a plan have all."""
        return numbers if len(numbers) == self.table.width else [numbers[i] for i in self.plan]


class _Copy:
    """The short copy of a file while it is being made."""

    def __init__(self) -> None:
        self.shapes: list[_Shape] = []
        self.edges: dict[int, tuple[int, bytes]] = {}
        self.every = 1

    def learn(self, template: Template, line: bytes) -> _Shape | None:
        width = len(template.literals) - 1
        if width == 0 or len(line) > 2000:
            return None
        shape = _Shape(template, Growing(width, max(LEAST_ROWS, MOST_CELLS // width)))
        self.shapes.append(shape)
        return shape

    def add(self, lines: Sorted[_Shape], first: int, share: float) -> None:
        """Takes what it needs of a piece: `first` is the number of its first line, `share` how much of the file is read
        with it."""
        edges = self._edges(lines)
        for found in lines.matched:
            shape = found.plan
            shape.table.add((found.lines + first).astype(float), shape.wanted(found.numbers), share)
            wanted = (np.arange(shape.count, shape.count + len(found.lines)) % shape.every) == 0
            shape.count += len(found.lines)
            for place in found.lines[wanted].tolist():
                shape.copied[place + first] = lines.line(place)
            shape.last = (int(found.lines[-1]) + first, lines.line(int(found.lines[-1])))
            while len(shape.copied) > 2 * SHARE:
                shape.copied = dict(list(shape.copied.items())[::2])
                shape.every *= 2
        owners = np.full(lines.count, -1)
        for found in lines.matched:
            owners[found.lines] = self.shapes.index(found.plan)
        for place in np.flatnonzero(edges)[:: self.every].tolist():
            self.edges[place + first] = int(owners[place]), lines.line(place)
        while len(self.edges) > MOST_COPY:
            self.edges = dict(list(self.edges.items())[::2])
            self.every *= 2

    def _edges(self, lines: Sorted[_Shape]) -> Flags:
        """Rare lines and those beside them; lines before and after one of their counters begins again."""
        most = max((shape.count for shape in self.shapes), default=0)
        rare = np.zeros(lines.count, dtype=bool)
        rare[lines.others] = True
        for found in lines.matched:
            rare[found.lines] |= found.plan.count + len(found.lines) <= max(SHARE, RARE * most)
        edges = rare.copy()
        edges[1:] |= rare[:-1]
        edges[:-1] |= rare[1:]
        for found in lines.matched:
            edges[found.lines[_falls(found, found.plan.counters)]] = True
        return edges

    def text(self, path: Path) -> str:
        """The copy, in the order of the file."""
        chosen = {row: line for row, (_, line) in self.edges.items()}
        for shape in self.shapes:
            chosen |= shape.copied
            if shape.last is not None:
                chosen[shape.last[0]] = shape.last[1]
        return decode(b"".join(chosen[row] for row in sorted(chosen)), str(path))


def _falls(found: Matched[_Shape], counters: list[int]) -> Flags:
    """Lines before and after a counter falls."""
    falls = np.zeros(len(found.lines), dtype=bool)
    for numbers in (found.numbers[i] for i in counters if i < len(found.numbers)):
        down = numbers[1:] < numbers[:-1]
        if 0 < down.sum() < _RANDOM * len(down):
            falls[1:] |= down
            falls[:-1] |= down
    return falls


def read_large_stdout(path: Path, progress: Progress | None = None) -> Log | None:
    """The log printed in a large file, or None if no curve is."""
    copy, lines, looked = _Copy(), 0, False
    shapes = Shapes(copy.learn)
    with path.open("rb") as file:
        if b"\0" in file.read(65_536):
            return None
        parts, size = pieces(file, progress, path), path.stat().st_size
        for piece, made in made_of(sort_printed, shapes.given, parts, size):
            found = shapes.sorted(piece, made)
            copy.add(found, lines, piece.stop / size)
            lines += found.count
            if not looked and piece.stop >= LARGE:
                looked = True
                if (log := read_stdout(path, copy.text(path))) is None:  # a text, not a log
                    return None
                _narrow(log, copy)
    log = read_stdout(path, copy.text(path))
    if log is None:
        return None
    every = max((shape.every for shape in copy.shapes), default=1)
    return _completed(log, copy) if every > 1 or copy.every > 1 else log


def sort_printed(data: bytes, given: Given) -> Made:
    """`sort_lines`; of a line that was written over many times the last two states."""
    if b"\r" not in data or b"\r" not in data.replace(b"\r\n", b"\n"):
        return sort_lines(data, given)
    return sort_lines(_STATES.sub(b"", data), given, text=True)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers of one shape.

    Args:
        rows: the numbers in the file of all its lines that were kept; `columns` are theirs.
        copied: which of these are in the copy.
        kept: which of its lines in the copy are among them; all, unless the table was thinned.
    """

    rows: Floats
    columns: list[Floats]
    copied: Flags
    kept: Flags


def _completed(log: Log, copy: _Copy) -> Log:
    """The log with all points of the curves that a number of similar lines makes."""
    every = max(shape.table.every for shape in copy.shapes)
    series = list(log.series)
    for shape in copy.shapes:
        if shape.every > 1:
            table = _numbers(shape, copy)
            series = [_full(s, table) if s is old else s for s, old in zip(series, log.series, strict=True)]
    thin = [s.name for s, old in zip(series, log.series, strict=True) if s is old and len(s.y) >= SHARE]
    note = f"so long that only a part of the points of {', '.join(thin[:5])} was read."
    return replace(log, series=tuple(series), warnings=(*log.warnings, *thinning(every), *([note] if thin else [])))


def _narrow(log: Log, copy: _Copy) -> None:
    """From now on reads only the numbers that are in curves, if each long curve is known to be made of such."""
    known: set[int] = set()
    for shape in copy.shapes:
        if shape.every == 1:
            continue
        table = _numbers(shape, copy)
        used = [_used(s, table) for s in log.series]
        known |= {i for i, places in enumerate(used) if places}
        shape.plan = sorted({place for places in used for place in places})
    if any(i not in known and len(s.y) >= SHARE for i, s in enumerate(log.series)):
        return
    for shape in copy.shapes:
        if shape.plan:
            shape.template.wanted[:] = [i in shape.plan for i in range(shape.table.width)]
            rows, columns = shape.table.take()
            shape.table = Growing(len(shape.plan), max(LEAST_ROWS, MOST_CELLS // len(shape.plan)))
            shape.table.add(rows, [columns[i] for i in shape.plan])


def _numbers(shape: _Shape, copy: _Copy) -> _Numbers:
    last = () if shape.last is None else (shape.last[0],)
    own = (row for row, (owner, _) in copy.edges.items() if copy.shapes[owner] is shape and owner >= 0)
    rows, columns = shape.table.whole()
    copied = np.array(sorted({*shape.copied, *own, *last}), float)
    if np.any(rows[1:] < rows[:-1]):
        order = np.argsort(rows, kind="stable")
        rows, columns = rows[order], [c[order] for c in columns]
    places = np.minimum(np.searchsorted(rows, copied), len(rows) - 1)
    kept, among = rows[places] == copied, np.zeros(len(rows), dtype=bool)
    among[places[kept]] = True
    return _Numbers(rows, columns, among, kept)


def _full(series: Series, table: _Numbers) -> Series:
    """The curve over all lines of a shape, if over the copied ones it is made of their numbers; else itself."""
    places = _used(series, table)
    if not places:
        return series
    columns = [table.columns[i] for i in places]
    if series.x_name == "row":
        counted = np.arange(len(columns[0]), dtype=float) if table.kept.all() else table.rows
        return replace(series, x=counted, y=columns[0])
    same = np.array_equal(columns[1][table.copied], series.x[table.kept])
    x = columns[1] if same else columns[1] + columns[2] / columns[3]
    epoch = columns[2] if same and len(columns) > 2 else None
    return replace(series, x=x, y=columns[0], epoch=epoch)


def _used(series: Series, table: _Numbers) -> tuple[int, ...]:
    """Which numbers of the lines make a curve: y; then x and the epoch, or three that make a fraction of an epoch."""
    if len(series.y) != len(table.kept) or not table.kept.any():
        return ()
    y = _place(series.y[table.kept], table)
    if y is None or series.x_name == "row":
        return () if y is None else (y,)
    x = _place(series.x[table.kept], table)
    if x is None:
        parts = _fraction(series.x[table.kept], table)
        return (y, *parts) if parts else ()
    epoch = None if series.epoch is None else _place(series.epoch[table.kept], table)
    return (y, x) if epoch is None else (y, x, epoch)


def _place(values: Floats, table: _Numbers) -> int | None:
    """The number of a line that gives `values` over the copied lines."""
    same = (i for i, c in enumerate(table.columns) if np.array_equal(c[table.copied], values, equal_nan=True))
    return next(same, None)


def _fraction(values: Floats, table: _Numbers) -> tuple[int, ...]:
    """The places of epoch, step and steps of an epoch where the values are epoch + step / steps."""
    short = [c[table.copied] for c in table.columns[:_MOST_TRIED]]
    for a, b, c in permutations(range(len(short)), 3):
        if np.all(short[c][:50] > 0) and np.array_equal(short[a][:50] + short[b][:50] / short[c][:50], values[:50]):
            with np.errstate(divide="ignore", invalid="ignore"):
                if np.array_equal(short[a] + short[b] / short[c], values):
                    return a, b, c
    return ()
