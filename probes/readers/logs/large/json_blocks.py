"""Large files of JSON lines: read in pieces, lines of a known shape at once. Says the same as `json_lines`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ....artifacts import Log, Progress, Series
from ....names import TELLING, split_of, words
from ..json_lines import (
    KIND_KEYS,
    SPOILT,
    Record,
    counted_in_epochs,
    flatten,
    is_training,
    kind_of,
    record_of,
    spoilt,
)
from ..table import BLANK, Cell, Column, is_training_log, series_of, value_of
from .growing import Growing, thinning
from .line_templates import Matched, Shapes, Template, filled, slots, sort_lines
from .pieces import LARGE, made_of, pieces

_SENTINEL = 7_000_000_000_000_000
_PART = re.compile(rb'("(?:[^"\\]|\\.)*")(\s*:)?|-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?')
_FLUSH = 10_000


@dataclass(slots=True)
class _Group:
    """Records with the same keys of numbers and the same split."""

    keys: tuple[str, ...]
    kind: str | None
    training: bool
    said: bool
    table: Growing
    rows: list[int] = field(default_factory=list)
    cells: list[list[float]] = field(default_factory=list)

    def flush(self) -> None:
        if self.rows:
            columns = np.array(self.cells, float).T
            self.table.add(np.array(self.rows, float), [np.ascontiguousarray(c) for c in columns])
            self.rows, self.cells = [], []


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the numbers of a line go: for each key of the group the number's place in the line, or a constant."""

    group: _Group
    places: tuple[int | None, ...]
    constants: tuple[float, ...]


class _Records:
    """All records so far, in groups."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str | None, tuple[str, ...]], _Group] = {}
        self.texts: set[str] | None = None

    def group(self, record: Record) -> tuple[_Group, list[Cell]]:
        flat = flatten(record)
        cells = {key: value_of(v) for key, v in flat.items()}
        keys = tuple(key for key, cell in cells.items() if cell is not None)
        texts = {k for k, v in record.items() if isinstance(v, str) and value_of(v) is None and k not in KIND_KEYS}
        self.texts = texts if self.texts is None else self.texts & texts
        kind = kind_of(flat)
        group = self.groups.get((kind, keys))
        if group is None:
            group = _Group(keys, kind, is_training(flat), any(split_of(k) for k in flat), Growing(len(keys)))
            self.groups[kind, keys] = group
        return group, [cells[key] for key in keys]

    @property
    def promising(self) -> bool:
        """Whether any key has the name of a curve."""
        return any(TELLING & set(words(key)) for group in self.groups.values() for key in group.keys)

    def learn(self, template: Template, line: bytes) -> _Plan | None:
        """The plan of a shape, by reading it with numbers that tell their places."""
        numbers = [str(_SENTINEL + i).encode() for i in range(len(template.literals) - 1)]
        told = record_of(filled(template, numbers))
        if told is None or record_of(line) is None:
            return None
        group, cells = self.group(told)
        slots = [int(c) - _SENTINEL if c is not None and _SENTINEL <= c < _SENTINEL + 1e6 else None for c in cells]
        return _Plan(group, tuple(slots), tuple(float(BLANK if c is None else c) for c in cells))


def read_large_json(path: Path, progress: Progress | None = None) -> Log | None:
    """The log in a large file of JSON lines, or None if it is none."""
    records = _Records()
    shapes = Shapes(records.learn, _slots, lambda plan: plan.group.table.every)
    with path.open("rb") as file:
        if not file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
            return None
        count = bad = 0
        parts, size = pieces(file, progress, path), path.stat().st_size
        for piece, made in made_of(sort_lines, shapes.given, parts, size):
            lines, cut = shapes.sorted(piece, made), False
            for found in lines.matched:
                _add(found, count, piece.stop / size)
            for place in lines.others.tolist():
                line = lines.line(place)
                if line.strip() and not _add_line(records, count + place, line):
                    bad, cut = bad + 1, place == lines.count - 1
                    if count + place == 0:
                        return None
            count += lines.count
            if bad > SPOILT * count + 1 or (not records.promising and piece.stop >= LARGE):
                return None  # other text, or a data set
    return _log(path, records, spoilt(bad - cut)) if bad < count else None


def _slots(line: bytes) -> Iterator[tuple[int, int]]:
    """Where numbers stand in a record: bare ones, and those in texts that are values; keys are none."""
    for match in _PART.finditer(line):
        if match[1] is None:
            yield match.span()
        elif match[2] is None and b"\\" not in match[1]:
            yield from ((match.start() + a, match.start() + b) for a, b in slots(match[1]))


def _add(found: Matched[_Plan], first: int, share: float) -> None:
    """Adds lines to the table of their group; `first` is the number of the first line of the piece."""
    plan, rows = found.plan, found.lines.astype(float) + first
    columns = [
        found.numbers[place] if place is not None else np.full(len(rows), constant)
        for place, constant in zip(plan.places, plan.constants, strict=True)
    ]
    plan.group.table.add(rows, columns, share, found.every)


def _add_line(records: _Records, row: int, line: bytes) -> bool:
    """Adds a line by itself; whether it is a record."""
    record = record_of(line.removeprefix(b"\xef\xbb\xbf"))
    if record is None:
        return False
    group, cells = records.group(record)
    group.rows.append(row)
    group.cells.append([float(BLANK if c is None else c) for c in cells])
    if len(group.rows) >= _FLUSH:
        group.flush()
    return True


def _log(path: Path, records: _Records, notes: tuple[str, ...]) -> Log | None:
    groups = list(records.groups.values())
    for group in groups:
        group.flush()
    if not any(g.kind for g in groups) and any(g.training for g in groups):
        for group in groups:
            group.kind = None if group.training or group.said else "val"
    kinds = dict.fromkeys(g.kind for g in groups)
    columns = counted_in_epochs({kind: _columns([g for g in groups if g.kind == kind], kind) for kind in kinds})
    if not is_training_log([c for group in columns.values() for c in group], sorted(records.texts or ())):
        return None
    every = max(g.table.every for g in groups)
    found: Iterable[Series] = (s for group in columns.values() for s in series_of(group))
    return Log(path, "jsonl", tuple(found), (*notes, *thinning(every)))


def _columns(groups: list[_Group], kind: str | None) -> list[Column]:
    """The groups of one split as columns over all their records, in the order of the file."""
    parts = [(group, *group.table.take()) for group in groups]
    rows = np.concatenate([rows for _, rows, _ in parts])
    order = np.argsort(rows, kind="stable") if len(parts) > 1 or np.any(np.diff(rows) < 0) else None
    columns = []
    for key in dict.fromkeys(key for group in groups for key in group.keys):
        pieces = [
            columns[group.keys.index(key)] if key in group.keys else np.full(len(rows), BLANK)
            for group, rows, columns in parts
        ]
        cells = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
        columns.append(Column(key, cells if order is None else cells[order], kind))
    return columns
