"""Blocks as Markdown, for an issue or a lab book. Untrusted text is escaped; figures become tables and code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from probes.finding import Table

from ..visible import figure, visible, visible_lines
from ..words import Block, Figure
from .plain import plot_lines

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def render(blocks: Iterable[Block]) -> str:
    """The blocks as one document."""
    return "\n\n".join(part for b in blocks if (part := one(b))) + "\n"


def one(block: Block) -> str:
    """One block."""
    if isinstance(block, Figure):
        if isinstance(block.content, Table):
            return table(block.content)
        return fenced("\n".join(plot_lines(block.content, 88)))
    text = visible_lines(block.text)
    if block.style == "code":
        return fenced(text)
    shown = escape(text)
    if block.style in ("title", "heading"):
        return f"{'#' if block.style == 'title' else '##'} {shown}"
    lead = f"**{escape(block.label)}:** " if block.label else ""
    return f"- {lead}{shown}" if block.style == "item" else lead + shown


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    return SPECIAL.sub(r"\\\1", text)


def fenced(text: str) -> str:
    """A code block that its content cannot close."""
    longest = max((len(m) for m in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def table(content: Table) -> str:
    """A pipe table."""
    head = [escape(visible(c)) for c in content.columns]
    rows = [[cell(content, i, j) for j in range(len(row))] for i, row in enumerate(content.rows)]
    lines = [head, ["---"] * len(head), *rows]
    note = f"\n\n{escape(visible(content.note, 400))}" if content.note else ""
    return f"**{escape(visible(content.title))}**\n\n" + "\n".join("| " + " | ".join(r) + " |" for r in lines) + note


def cell(content: Table, row: int, column: int) -> str:
    """One cell, bold with its mark where it has one."""
    text, mark = escape(figure(content.rows[row][column])), escape(content.mark(row, column))
    return f"**{text} {mark}**" if mark else text
