"""Blocks as plain lines: for pipes, screen readers, files. No colour, no cursor movement, no box drawing."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable

from probes.finding import Plot, Table

from ..visible import figure, visible, visible_lines
from ..words import Block, Figure, Text
from .bars import bar_lines
from .curves import curve_lines
from .images import image_lines

MOST_ROWS = 40
"""Rows of a table that are printed; the rest is counted."""


def width() -> int:
    """Columns to fill: the terminal's, between 60 and 100."""
    return max(60, min(100, shutil.get_terminal_size((88, 24)).columns))


def render(blocks: Iterable[Block], columns: int | None = None) -> str:
    """The blocks as text, wrapped: a blank line before headings, a rule under titles."""
    columns = columns or width()
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Figure):
            lines += figure_lines(block, columns)
            continue
        made = text_lines(block, columns)
        lines += ["", *made] if block.style in ("title", "heading") else made
        lines += ["=" * max(map(len, made))] if block.style == "title" else []
    return "\n".join(lines)


def text_lines(block: Text, columns: int) -> list[str]:
    """One paragraph, wrapped, indented by its depth, its label in front. Code keeps its own lines."""
    pad = "  " * block.depth
    text = visible_lines(block.text)
    if block.style == "code":
        return [f"{pad}    {line}" for line in text.split("\n")]
    lead = "- " if block.style == "item" else f"{block.label}: " if block.label else ""
    inner = pad + ("  " if lead else "")
    made: list[str] = []
    for i, part in enumerate(text.split("\n")):
        first = pad + lead if i == 0 else inner
        made += textwrap.wrap(part, columns, initial_indent=first, subsequent_indent=inner, break_on_hyphens=False) or [
            first.rstrip()
        ]
    return made


def figure_lines(block: Figure, columns: int) -> list[str]:
    """A table, or a plot of plain characters."""
    if isinstance(block.content, Table):
        return ["", *table_lines(block.content, columns)]
    return ["", *plot_lines(block.content, columns)]


def plot_lines(plot: Plot, columns: int, fine: bool = False) -> list[str]:
    """A plot: bars for layers, lines over steps, pictures. `fine` allows block and braille characters."""
    if plot.kind == "images":
        return image_lines(plot, columns, fine)
    return bar_lines(plot, columns, fine) if plot.kind == "bars" else curve_lines(plot, columns, fine=fine)


def table_lines(table: Table, columns: int) -> list[str]:
    """A table with aligned columns; numbers to the right; the first column is cut if the row is too wide."""
    cells = [[figure(c) for c in row] for row in table.rows[:MOST_ROWS]]
    head = [visible(c) for c in table.columns]
    widths = [max(len(r[i]) for r in [head, *cells]) for i in range(len(head))]
    over = sum(widths) + 2 * (len(widths) - 1) + 2 - columns
    if over > 0:
        widths[0] = max(12, widths[0] - over)
    numeric = [all(isinstance(row[i], int | float | None) for row in table.rows) for i in range(len(head))]

    def line(row: list[str]) -> str:
        shown = [visible(c, w) for c, w in zip(row, widths, strict=True)]
        parts = [c.rjust(w) if n else c.ljust(w) for c, w, n in zip(shown, widths, numeric, strict=True)]
        return "  " + "  ".join(parts).rstrip()

    more = [f"  ... and {len(table.rows) - MOST_ROWS} more rows"] if len(table.rows) > MOST_ROWS else []
    return [f"  {visible(table.title)}", line(head), *(line(c) for c in cells), *more]
