"""Lines of Markdown -> blocks with the lines that they came from, and text as the author marked it up.

Nested bullets that are indented so far that Markdown takes them for code are put back under their item.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from .html_text import captions, html_text

Kind = Literal["heading", "paragraph", "list", "table", "code", "quote", "rule", "comment", "definition"]
_MARKER = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])(?:\s+|$)")
_TASK = re.compile(r"\[[ xX]\]\s")
_KEY = re.compile(r"\s*[-*+]\s+(?:[a-z_][\w.-]*:(?:\s|$)|\S+$)")
_DEFINITION = re.compile(r"\s{0,3}\[[^\]]+\]:")
_KINDS: dict[str, Kind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
    "blockquote_open": "quote",
    "hr": "rule",
    "html_block": "paragraph",
}


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a list, without its marker; `task` says that it begins with a check box."""

    text: str
    start: int
    end: int
    task: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the outermost level.

    Args:
        text: its Markdown; of a heading the words alone; of HTML what a reader sees.
        start, end: first and last line, counted from 1.
        level: of a heading, 1 to 6.
        items: of a list.
        rows: of a table, the header first; () where a row has more cells than the header.
        language: of a fence.
        content: the code inside a fence.
    """

    kind: Kind
    text: str
    start: int
    end: int
    level: int = 0
    items: tuple[Item, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    language: str = ""
    content: str = ""


def blocks(lines: Sequence[str]) -> list[Block]:
    """All blocks in order; every line that is not blank belongs to one of them."""
    parser = MarkdownIt("commonmark").enable("table")
    source = recovered(lines, parser)
    tokens = parser.parse("\n".join(source))
    found: list[Block] = []
    last = 0
    for group in outermost(tokens):
        start, end = group[0].map or [last, last]
        found += between(source, last, start)
        found += made(group, source, start, end)
        last = max(last, end)
    return found + between(source, last, len(source))


def outermost(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens of each block of the outermost level."""
    group: list[Token] = []
    for token in tokens:
        group.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield group
            group = []


def between(source: Sequence[str], start: int, end: int) -> list[Block]:
    """Lines that the parser took in without a token: definitions of links, a paragraph each otherwise."""
    found = []
    for i in range(start, end):
        if source[i].strip():
            kind: Kind = "definition" if _DEFINITION.match(source[i]) else "paragraph"
            found.append(Block(kind, source[i].strip(), i + 1, i + 1))
    return found


def made(group: Sequence[Token], source: Sequence[str], start: int, end: int) -> list[Block]:
    """The block of one group of tokens; an HTML comment and what stands around it make several."""
    first = group[0]
    while end > start + 1 and not source[end - 1].strip():
        end -= 1
    text, kind = "\n".join(source[start:end]), _KINDS[first.type]
    if first.type == "html_block":
        return html(text, start + 1, end)
    if kind == "heading":
        return [Block(kind, captions(group[1].content), start + 1, end, int(first.tag[1]))]
    if kind == "code":
        return [Block(kind, code_text(first, text), start + 1, end, language=first.info.strip(), content=first.content)]
    if kind == "list":
        return [Block(kind, captions(text), start + 1, end, items=tuple(items(group, source)))]
    if kind == "table":
        return [Block(kind, captions(text), start + 1, end, rows=rows(group, source[start:end]))]
    return [Block(kind, captions(text.strip("\n")), start + 1, end)]


def code_text(token: Token, text: str) -> str:
    """A block of code as a fence; longer fences where the code itself holds one."""
    if token.type == "fence":
        return text
    fence = "```"
    while fence in token.content:
        fence += "`"
    return f"{fence}\n{token.content.rstrip()}\n{fence}"


def html(text: str, start: int, end: int) -> list[Block]:
    """What a reader sees of HTML, and its comments by themselves."""
    comments = re.findall(r"<!--.*?(?:-->|\Z)", text, re.DOTALL)
    seen = html_text(re.sub(r"<!--.*?(?:-->|\Z)", "", text, flags=re.DOTALL))
    found = [Block("comment", c, start, end) for c in comments]
    return found + ([Block("paragraph", seen, start, end)] if seen else [])


def items(group: Sequence[Token], source: Sequence[str]) -> Iterator[Item]:
    """The items of the outermost list of a group."""
    for token in group:
        if token.type == "list_item_open" and token.level == 1 and token.map:
            start, end = token.map
            while end > start + 1 and not source[end - 1].strip():
                end -= 1
            marker = _MARKER.match(source[start].expandtabs(4))
            width = len(marker.group()) if marker else 0
            head, *rest = (line.expandtabs(4) for line in source[start:end])
            text = "\n".join([head[width:], *(line[min(width, indent(line)) :] for line in rest)]).strip()
            yield Item(captions(text), start + 1, end, bool(_TASK.match(text)))


def rows(group: Sequence[Token], source: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The cells of a table; () if one has more than its header, since the parser drops those."""
    found: list[list[str]] = []
    for i, token in enumerate(group):
        if token.type == "tr_open":
            found.append([])
        elif token.type in ("th_open", "td_open"):
            found[-1].append(captions(group[i + 1].content.strip()))
    most = max(len(re.findall(r"(?<!\\)\|", line.strip().strip("|"))) for line in source) + 1
    return tuple(map(tuple, found)) if found and most <= len(found[0]) else ()


def recovered(lines: Sequence[str], parser: MarkdownIt) -> list[str]:
    """The lines with over-indented bullets moved to where their list begins; as many lines as before."""
    source = list(lines)
    for _ in range(4):
        changed = False
        for token in parser.parse("\n".join(source)):
            if token.type == "code_block" and token.map and bullets(token.content):
                changed |= dedent(source, token.map[0], token.map[1], token.content)
        if not changed:
            break
    return source


def bullets(code: str) -> bool:
    """Whether indented code is a list of prose: it begins with a bullet and is neither YAML nor a list of options."""
    said = [line for line in code.splitlines() if line.strip()]
    marked = [line for line in said if _MARKER.match(line)]
    keys = [line for line in marked if _KEY.match(line)]
    return bool(said) and said[0] in marked and 2 * len(marked) >= len(said) and 2 * len(keys) < len(marked)


def dedent(source: list[str], start: int, end: int, code: str) -> bool:
    """Move lines to the left by what makes them code."""
    lines = [source[i].expandtabs(4) for i in range(start, end)]
    least = min(indent(line) for line in lines if line.strip())
    inner = min(indent(line.expandtabs(4)) for line in code.splitlines() if line.strip())
    away = 4 + inner
    if least < away:
        return False
    for i, line in zip(range(start, end), lines, strict=True):
        source[i] = line[away:] if line.strip() else ""
    return True


def indent(line: str) -> int:
    """How many blanks a line begins with."""
    return len(line) - len(line.lstrip(" "))
