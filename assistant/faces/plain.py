"""Blocks as plain lines: for pipes, screen readers, files. No colour, no cursor movement, no box drawing."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable

from probes.finding import Plot, Table

from ..visible import figure, visible, visible_lines
from ..words import Block, Figure, Text
from .bars import bar, bar_lines, log_lengths
from .curves import curve_lines
from .images import image_lines

MOST_ROWS = 40
"""Rows of a table that are printed; the rest is counted."""
BAR = 8
"""Characters of a bar inside a table."""


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


def table_lines(table: Table, columns: int, fine: bool = False) -> list[str]:
    """A table with aligned columns; numbers to the right; the first column is cut from the left if a row is too wide.

    Marks stand behind their cells, and the worst of a row in the margin.
    """
    shown = [marked(table, i) for i in range(min(len(table.rows), MOST_ROWS))]
    head = [visible(c) for c in table.columns]
    widths = [max(len(r[i]) for r in [head, *shown]) for i in range(len(head))]
    margin = 3 if table.marks else 2
    room = columns - sum(widths) - 2 * (len(widths) - 1) - margin
    bars = [bar(length, BAR, fine) for length in log_lengths(table)] if room > BAR else []
    widths[0] = max(12, widths[0] + min(0, room))
    right = [all(isinstance(row[i], int | float | None) for row in table.rows) for i in range(len(head))]

    def line(row: list[str], lead: str = "", drawn: str = "") -> str:
        cells = [cut_left(row[0], widths[0]), *(visible(c, w) for c, w in zip(row[1:], widths[1:], strict=True))]
        parts = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
        if bars and table.bar is not None:
            parts[table.bar] += " " + drawn.ljust(BAR)
        return lead.ljust(margin) + "  ".join(parts).rstrip()

    more = [f"  ... and {len(table.rows) - MOST_ROWS} more rows"] if len(table.rows) > MOST_ROWS else []
    body = [line(r, table.mark(i), bars[i] if bars else "") for i, r in enumerate(shown)]
    note = text_lines(Text(table.note, depth=1), columns) if table.note else []
    return [f"  {visible(table.title)}", line(head), *body, *more, *note]


def marked(table: Table, row: int) -> list[str]:
    """The cells of a row as text, marks behind them; a column with marks keeps room for them in every row."""
    found = []
    for column, cell in enumerate(table.rows[row]):
        room = max((len(table.mark(i, column)) for i in range(len(table.rows))), default=0)
        found.append(figure(cell) + table.mark(row, column).ljust(room))
    return found


def cut_left(text: str, limit: int) -> str:
    """Layers' names differ at their ends."""
    return visible(text) if len(text) <= limit else "…" + visible(text)[1 - limit :]
