"""Tables between the lines of a printed log: fastai, skorch, Markdown, notebooks, and the two that YOLO prints."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from ....artifacts import Series
from ....names import TELLING, axis, words
from ..table import Cell, Column, is_training_log, number, series_of

LONGEST_NAME = 40
WIDE = 8
"""Columns from which on a header may have its axis in any place."""
_WORDS_ONLY = re.compile(r"^[\s|*]*[^\W\d](?:(?!\d[.]\d|\d{3})[^=:;,{}])*$")
_BAR = re.compile(r":?\s*\d{1,3}%\s*(?:\||[━─]).*$")
_COUNT = re.compile(r"^(\d+)/\d+$")
_TIME = re.compile(r"^\(?\d+:\d\d(?::\d\d)?\)?$")
_CLASSES = re.compile(r"^\s*(?:Class\s+Images\s+(?:Labels|Instances|Targets)|classes(?=\s+top1_acc))\s+(\S.*)$")
_YOLO = {"p": "precision", "r": "recall"}
_PARTS = {"box": "box_loss", "obj": "obj_loss", "cls": "cls_loss", "dfl": "dfl_loss"}


@dataclass(slots=True)
class _Table:
    """Rows under one header; `piped` where bars stand between cells, else blanks."""

    header: list[str]
    piped: bool
    rows: list[list[Cell]] = field(default_factory=list)
    open_bar: bool = False
    timed: tuple[bool, ...] = ()

    def take(self, line: str) -> bool:
        """Adds a line if it is a row of this table. A bar that is drawn again for the same epoch replaces its row."""
        bar = not self.piped and bool(_BAR.search(line))
        cells = _cells(_BAR.sub("", line) if bar else line, self.piped)
        extra = cells[len(self.header) :]
        if len(cells) < min(2, len(self.header)) or not all(_TIME.match(c) for c in extra) or _value(cells[0]) is None:
            return False
        if len(cells) < len(self.header) - 1:
            return False
        timed = tuple(bool(_TIME.match(c)) for c in cells)
        if self.rows and timed != self.timed:
            return False  # a row of another table
        row = [_value(c) for c in cells[: len(self.header)]]
        row += [None] * (len(self.header) - len(row))
        if sum(v is not None for v in row) < 2 and not any(c in ("#na#", "nan", "-") for c in cells):
            return False
        if bar and self.open_bar and self.rows[-1][0] == row[0]:
            self.rows.pop()
        self.rows.append(row)
        self.open_bar, self.timed = bar, timed
        return True


def printed_tables(lines: Iterable[str]) -> list[Series]:
    """The curves of all tables that begin with an epoch or step; of the same header, however often it is repeated."""
    tables: dict[tuple[str, ...], _Table] = {}
    current: _Table | None = None
    results = _Results()
    above = ""
    for line in lines:
        header, above = _header(line) or _two_rows(above, line), line
        if header is not None:
            current = tables.setdefault(tuple(header[0]), _Table(*header))
        elif current is None or not line.strip():
            continue
        elif not results.take(line, current) and current.take(line):
            results.at = current.rows[-1][0]
    return [s for t in tables.values() for s in _curves(t)] + results.curves()


def _curves(table: _Table) -> list[Series]:
    if len(table.rows) < 2:
        return []
    columns = [Column(name, [row[i] for row in table.rows]) for i, name in enumerate(table.header)]
    columns = [c for c in columns if len(c.values) and c.name.lower() not in ("time", "dur")]
    if not _counts([row[_axis_place(table.header, table.piped) or 0] for row in table.rows]):
        return []
    return series_of(columns) if is_training_log(columns) else []


def _counts(cells: list[Cell]) -> bool:
    """Whether an axis counts up, and goes back only to begin again: a table of results does not."""
    x = [cell for cell in cells if cell is not None]
    back = [b for a, b in pairwise(x) if b < a]
    return len(set(x)) > 1 and all(b <= min(x) + 1 for b in back)


def _header(line: str) -> tuple[list[str], bool] | None:
    """(names, whether bars separate them) of a line that is a header: words only, an axis first."""
    line = line.partition("█")[0] if "█" in line else line
    if len(line) > 1000 or not _WORDS_ONLY.match(line):
        return None
    piped = line.count("|") >= 2
    cells = _cells(line, piped) if piped or "\t" in line.strip() else re.split(r"\s{2,}", line.strip())
    if len(cells) < 2:
        cells = line.split()
    if cells[:2] == ["E", "#"]:  # spaCy
        cells[:2] = ["epoch", "step"]
    if (
        len(cells) < 2
        or _axis_place(cells, piped) is None
        or any(len(c) > LONGEST_NAME or _value(c) is not None for c in cells)
    ):
        return None
    if len(set(cells)) < len(cells):
        return None
    yolo = any(c.lower() == "gpu_mem" for c in cells)
    names = [_PARTS.get(c.lower(), c) if yolo else c for c in cells]
    telling = any(set(words(c)) & TELLING for c in names[1:])
    return (names, piped) if telling else None


def _two_rows(above: str, line: str) -> tuple[list[str], bool] | None:
    """A header of which every cell goes over two lines, as MATLAB prints it."""
    if line.count("|") < 3 or above.count("|") != line.count("|") or any(c.isdigit() for c in above + line):
        return None
    upper, lower = _cells(above, True), _cells(line, True)
    if len(upper) != len(lower) or lower[0] or axis(upper[0]) is None:
        return None
    names = [f"{a} {b}".strip() for a, b in zip(upper, lower, strict=True)]
    telling = any(set(words(name)) & TELLING for name in names)
    return (names, True) if telling and len(set(names)) == len(names) else None


def _axis_place(cells: list[str], piped: bool) -> int | None:
    """Which column counts: the first, or in a wide report whichever is named like an axis (ParlAI: the last)."""
    if axis(cells[0]) is not None:
        return 0
    wide = len(cells) >= WIDE and not piped
    return next((i for i, c in enumerate(cells) if axis(c) is not None), None) if wide else None


def _cells(line: str, piped: bool) -> list[str]:
    if piped:
        return [c.strip(" *`") for c in line.strip().strip("|").split("|")]
    return [c.strip() for c in line.split("\t")] if "\t" in line.strip() else line.split()


def _value(cell: str) -> Cell:
    count = _COUNT.match(cell)
    return float(count[1]) if count else number(cell.rstrip(":*"))


@dataclass(slots=True)
class _Results:
    """YOLO's table of classes after every epoch, of which the row of all classes is the validation's."""

    names: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    places: list[Cell] = field(default_factory=list)
    at: Cell = None

    def take(self, line: str, table: _Table) -> bool:
        if found := _CLASSES.match(_BAR.sub("", line)):
            self.names = self.names or [_metric(n) for n in found[1].replace("(", " ").replace(")", " ").split()]
            return True
        cells = line.split()
        if cells[0] == "all" and any(self.names):
            repeated = bool(self.places) and self.places[-1] == self.at and len(table.rows) > 1  # the best model, again
            names = [n for n in self.names if n]
            values = [_value(c) for c in cells[1 if names[0] == "top1_acc" else 3 :]]
            if not repeated and len(values) == len(names):
                self.rows.append(values)
                self.places.append(self.at)
            return True
        return False

    def curves(self) -> list[Series]:
        names = [n for n in self.names if n]
        seen: dict[str, int] = {}
        columns = [Column("epoch", self.places)]
        for i, name in enumerate(names):
            seen[name] = seen.get(name, 0) + 1
            title = name if seen[name] == 1 else f"{name}_mask"
            columns.append(Column(f"metrics/{title}", [row[i] for row in self.rows]))
        return series_of(columns) if len(self.rows) > 1 and None not in self.places else []


def _metric(name: str) -> str:
    return "" if name.lower() in ("box", "mask", "pose") else _YOLO.get(name.lower(), name)
