"""Blocks as Textual content. Nothing here is ever parsed as markup: every text goes in as text."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from probes.finding import Table

from ..faces.plain import plot_lines, table_lines
from ..visible import visible_lines
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


def content(blocks: Iterable[Block], columns: int = 72) -> Content:
    """The blocks as one piece of content, a blank line before each heading."""
    parts: list[Content] = []
    for block in blocks:
        if isinstance(block, Figure):
            parts.append(figure(block, columns))
            continue
        if block.style in ("title", "heading") and parts:
            parts.append(Content(""))
        parts.append(paragraph(block))
    return Content("\n").join(parts)


def paragraph(block: Text) -> Content:
    """One paragraph with its indent, label and style."""
    pad = "  " * block.depth + ("    " if block.style == "code" else "")
    text = visible_lines(block.text).replace("\n", "\n" + pad)
    lead = "- " if block.style == "item" else ""
    label = (f"{block.label}: ", "bold") if block.label else ""
    return Content.assemble(pad + lead, label, (text, STYLES[block.style]))


def figure(block: Figure, columns: int) -> Content:
    """A plot or a table in characters."""
    lines = (
        table_lines(block.content, columns)
        if isinstance(block.content, Table)
        else plot_lines(block.content, columns, fine=True)
    )
    return Content("\n".join(lines))
