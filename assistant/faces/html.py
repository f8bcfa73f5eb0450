"""Blocks as one self-contained HTML page: no script, nothing fetched, everything untrusted escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from probes.finding import Table

from ..visible import figure, visible, visible_lines
from ..words import Block, Figure
from .svg import svg

STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:auto;padding:1rem}"
    "h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.4rem 0 .3rem}p{margin:.3rem 0}pre{overflow:auto;padding:.6rem;"
    "border:1px solid #8886}table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.15rem .6rem;text-align:right;"
    "border-bottom:1px solid #8884}td:first-child,th:first-child{text-align:left}.muted{opacity:.7}"
    ".label{font-weight:600}"
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
    """A table with a caption."""
    head = "".join(f"<th>{escape(visible(c))}</th>" for c in content.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(figure(c))}</td>" for c in row) + "</tr>" for row in content.rows)
    return f"<table><caption>{escape(visible(content.title))}</caption><tr>{head}</tr>{rows}</table>"
