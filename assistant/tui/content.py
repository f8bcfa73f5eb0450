"""Blocks as Textual content. Nothing here is ever parsed as markup: every text goes in as text."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from textual.content import Content
from textual.widgets import Static

from probes.finding import Table

from ..faces.plain import plot_lines, table_lines, text_lines
from ..words import Block, Figure, Text

STYLES = {
    "title": "bold $accent",
    "heading": "bold",
    "text": "",
    "item": "",
    "muted": "$text-muted",
    "code": "$text-secondary",
    "error": "bold $error",
}
MARKS = {"": "", "!": "$warning", "!!": "$error"}


class Page(Static):
    """Blocks, wrapped to the width that there is: wrapped again when the width changes, so that indents hold."""

    def __init__(self, blocks: Iterable[Block], classes: str | None = None) -> None:
        super().__init__("", markup=False, classes=classes)
        self.blocks = tuple(blocks)
        self.columns = 0

    def on_resize(self) -> None:
        """Wrap anew."""
        if self.columns != self.size.width:
            self.columns = self.size.width
            self.update(content(self.blocks, self.columns))


def content(blocks: Iterable[Block], columns: int = 72) -> Content:
    """The blocks as one piece of content, a blank line before each heading."""
    parts: list[Content] = []
    for block in blocks:
        if isinstance(block, Figure):
            parts.append(figure(block, columns))
            continue
        if block.style in ("title", "heading") and parts:
            parts.append(Content(""))
        parts.append(paragraph(block, columns))
    return Content("\n").join(parts)


def paragraph(block: Text, columns: int) -> Content:
    """One paragraph with its indent, label and style."""
    lines = "\n".join(text_lines(block, max(20, columns)))
    label = f"{block.label}: "
    if block.label and label in lines:
        before, _, after = lines.partition(label)
        return Content.assemble(before, (label, "bold"), (after, STYLES[block.style]))
    return Content.assemble((lines, STYLES[block.style]))


def figure(block: Figure, columns: int) -> Content:
    """A plot or a table in characters; rows of a table in the colour of their worst mark."""
    if isinstance(block.content, Table):
        return Content("\n").join(table(block.content, columns))
    return Content("\n".join(plot_lines(block.content, columns, fine=True)))


def table(made: Table, columns: int) -> list[Content]:
    """The lines of a table: title, head, rows, what follows them."""
    lines = table_lines(made, columns, fine=True)
    styles = ["", "bold", *(MARKS[made.mark(i)] for i in range(len(made.rows)))]
    return [Content.assemble((line, style)) for line, style in zip_longest(lines, styles[: len(lines)], fillvalue="")]
