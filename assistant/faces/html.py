"""Blocks as one self-contained HTML page: no script, nothing fetched, everything untrusted escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from probes.finding import Table

from ..visible import figure, visible, visible_lines
from ..words import Block, Figure
from .bars import log_lengths
from .svg import svg

STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:auto;padding:1rem}"
    "h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.4rem 0 .3rem}p{margin:.3rem 0}pre{overflow:auto;padding:.6rem;"
    "border:1px solid #8886}table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.15rem .6rem;text-align:right;"
    "border-bottom:1px solid #8884}td:first-child,th:first-child{text-align:left}.muted{opacity:.7}"
    ".label{font-weight:600}.look{background:#e8a60050}.far{background:#e0202050;font-weight:600}"
    "td i{display:inline-block;height:.6rem;background:#4a7ebb;margin-right:.5rem}"
    "svg{max-width:100%;height:auto}"
)


def page(blocks: Iterable[Block], title: str = "nn-doctor report") -> str:
    """The document."""
    body = "\n".join(one(b) for b in blocks)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def one(block: Block) -> str:
    """One block."""
    if isinstance(block, Figure):
        return table(block.content) if isinstance(block.content, Table) else svg(block.content)
    text = escape(visible_lines(block.text))
    if block.style == "code":
        return f"<pre><code>{text}</code></pre>"
    if block.style in ("title", "heading"):
        tag = "h1" if block.style == "title" else "h2"
        return f"<{tag}>{text}</{tag}>"
    label = f'<span class="label">{escape(block.label)}:</span> ' if block.label else ""
    kind = ' class="muted"' if block.style == "muted" else ""
    return f'<p{kind} style="margin-left:{block.depth}rem">{label}{text}</p>'


def table(content: Table) -> str:
    """A table with a caption; cells with a mark in its colour, a column of bars behind the numbers."""
    head = "".join(f"<th>{escape(visible(c))}</th>" for c in content.columns)
    lengths = log_lengths(content)
    rows = "".join(
        "<tr>" + "".join(cell(content, i, j, lengths) for j in range(len(row))) + "</tr>"
        for i, row in enumerate(content.rows)
    )
    note = f'<p class="muted">{escape(visible(content.note, 400))}</p>' if content.note else ""
    return f"<table><caption>{escape(visible(content.title))}</caption><tr>{head}</tr>{rows}</table>{note}"


def cell(content: Table, row: int, column: int, lengths: list[float]) -> str:
    """One cell."""
    mark = content.mark(row, column)
    kind = {"": "", "!": ' class="look"', "!!": ' class="far"'}[mark]
    text = escape(figure(content.rows[row][column])) + (f" {mark}" if mark else "")
    if column != content.bar or not lengths:
        return f"<td{kind}>{text}</td>"
    return f'<td{kind}><i style="width:{5 * lengths[row]:.2f}rem"></i>{text}</td>'
