"""Lines over steps or epochs: from a Plot of kind "lines". Braille dots where they may be used, letters where not.

Each column shows the span from the lowest to the highest value that falls into it, so a spike of one step is seen in a
plot of a million. NaN and infinities are marked on the bottom line.
"""

from __future__ import annotations

import math
from itertools import pairwise

from probes.finding import Curve, Plot

from ..visible import figure, visible
from .scale import share

MARKS = "ox+*"
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
LABEL = 9


def curve_lines(plot: Plot, columns: int, height: int = 10, fine: bool = False) -> list[str]:
    """The plot as lines of at most `columns` characters."""
    finite = [(x, v) for c in plot.curves for x, v in points(c, plot.log_y) if math.isfinite(v)]
    if not finite:
        return [f"  {visible(plot.title)}: no finite value to draw"]
    room = max(16, columns - LABEL - 4)
    low_x, high_x = min(x for c in plot.curves for x in c.x), max(x for c in plot.curves for x in c.x)
    low, high = min(v for _, v in finite), max(v for _, v in finite)
    grid = Grid(room, height, (low_x, high_x), (low, high), fine)
    for i, curve in enumerate(plot.curves):
        grid.draw(points(curve, plot.log_y), i)
    lines = [f"  {visible(plot.title)}   {legend(plot, fine)}"]
    for row, text in enumerate(grid.rows()):
        label = figure(unlog(high, plot)) if row == 0 else figure(unlog(low, plot)) if row == height - 1 else ""
        lines.append(f"{label:>{LABEL}} |{text}")
    if any(c != " " for c in grid.bad):
        lines.append(f"{'not finite':>{LABEL}} |{''.join(grid.bad)}"[:columns])
    right = f"{figure(high_x)} {visible(plot.x_label)}".strip()
    lines.append(f"{'':>{LABEL}}  {figure(low_x)}{right:>{max(1, room - len(figure(low_x)))}}")
    lines += [f"{'':>{LABEL}}  ^ {visible(label)} at {figure(x)}" for x, label in plot.marks[:4]]
    return lines


def points(curve: Curve, log: bool) -> list[tuple[float, float]]:
    """(x, value), the value as a logarithm on a log axis; what has none becomes NaN."""
    if not log:
        return list(zip(curve.x, curve.y, strict=True))
    return [
        (x, math.log10(y) if y > 0 and math.isfinite(y) else math.nan) for x, y in zip(curve.x, curve.y, strict=True)
    ]


def unlog(value: float, plot: Plot) -> float:
    """A value of the axis as it was measured."""
    return float(10 ** min(value, 308.0)) if plot.log_y else value


def legend(plot: Plot, fine: bool) -> str:
    """Which curve is drawn how."""
    if fine or len(plot.curves) == 1:
        return " / ".join(visible(c.label) for c in plot.curves)
    return "  ".join(f"{MARKS[i % len(MARKS)]} {visible(c.label)}" for i, c in enumerate(plot.curves))


class Grid:
    """Cells to draw on: braille (2 x 4 dots a cell) or one character a cell."""

    def __init__(self, width: int, height: int, x: tuple[float, float], y: tuple[float, float], fine: bool) -> None:
        self.fine = fine
        self.nx, self.ny = (2 * width, 4 * height) if fine else (width, height)
        self.cells = [[0 if fine else " " for _ in range(width)] for _ in range(height)]
        self.bad = [" "] * width
        self.x, self.y = x, y

    def draw(self, line: list[tuple[float, float]], which: int) -> None:
        """One curve: a vertical span per column, joined to the column before."""
        spans: dict[int, tuple[float, float, float]] = {}
        for x, y in line:
            column = self.column(x)
            if not math.isfinite(y):
                self.bad[column // (2 if self.fine else 1)] = "!"
                continue
            low, high, _ = spans.get(column, (y, y, y))
            spans[column] = (min(low, y), max(high, y), y)
        for column, (low, high, _) in spans.items():
            for row in range(self.row(high), self.row(low) + 1):
                self.dot(column, row, which)
        ordered = sorted(spans)
        for left, right in pairwise(ordered):
            for column in range(left + 1, right):
                share = (column - left) / (right - left)
                self.dot(column, self.row(spans[left][2] * (1 - share) + spans[right][2] * share), which)

    def column(self, x: float) -> int:
        """The dot column of an x."""
        return round(share(x, *self.x) * (self.nx - 1))

    def row(self, y: float) -> int:
        """The dot row of a y, 0 at the top."""
        return round((1 - share(y, *self.y)) * (self.ny - 1))

    def dot(self, column: int, row: int, which: int) -> None:
        """Set one dot."""
        if self.fine:
            self.cells[row // 4][column // 2] |= DOTS[column % 2][row % 4]  # type: ignore[operator]
        else:
            self.cells[row][column] = MARKS[which % len(MARKS)]

    def rows(self) -> list[str]:
        """The lines, top first."""
        if self.fine:
            return ["".join(chr(0x2800 + int(c)) for c in row) for row in self.cells]
        return ["".join(str(c) for c in row).rstrip() for row in self.cells]
