"""Blocks -> a tree of sections by their headings, and which of them are entries of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .blocks import Block
from .classify import asks_plainly, is_sentence, numbered, plain, role

DEPTH = 2
"""Sections deeper than this below the document are parts of the entry above them."""


@dataclass(slots=True)
class Section:
    """A heading with what stands under it. The document itself is the section of depth 0."""

    heading: str
    line: int
    level: int
    depth: int
    path: tuple[str, ...] = ()
    blocks: list[Block] = field(default_factory=list)
    children: list[Section] = field(default_factory=list)
    footer: list[Block] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The heading as plain text."""
        return plain(self.heading)

    @property
    def bare(self) -> bool:
        """Whether nothing but headings stands under it."""
        return not self.blocks and all(child.bare for child in self.children)

    @property
    def end(self) -> int:
        """The last line of the section with its children."""
        return max([self.line, *(b.end for b in self.blocks), *(c.end for c in self.children)])


def tree(blocks: Sequence[Block], title: str) -> Section:
    """The document as one section. Its own heading is the first one, where that is the only one of its level."""
    headed = [b for b in blocks if is_heading(b)]
    alone = bool(headed) and all(b.level > headed[0].level for b in headed[1:]) and not asks_plainly(headed[0].text)
    body, footer = split_footer(blocks)
    root = Section(
        headed[0].text if alone else title, headed[0].start if alone else 1, headed[0].level if alone else 0, 0
    )
    branch = [root]
    for block in body:
        if alone and block is headed[0]:
            continue
        if is_heading(block):
            while len(branch) > 1 and branch[-1].level >= block.level:
                branch.pop()
            above = branch[-1]
            path = (*above.path, above.title) if above.depth else ()
            section = Section(block.text, block.start, block.level, above.depth + 1, path)
            above.children.append(section)
            branch.append(section)
        else:
            branch[-1].blocks.append(replace(block, kind="paragraph") if block.kind == "heading" else block)
    root.footer = footer
    return root


def is_heading(block: Block) -> bool:
    """Whether a block heads a section: a heading that is empty, or an answer typed as a heading, does not."""
    return block.kind == "heading" and bool(plain(block.text)) and not is_sentence(block.text)


def split_footer(blocks: Sequence[Block]) -> tuple[list[Block], list[Block]]:
    """Blocks, and a few paragraphs behind the last rule that speak of the whole document."""
    rules = [i for i, b in enumerate(blocks) if b.kind == "rule"]
    behind = list(blocks[rules[-1] + 1 :]) if rules else []
    if len(behind) > 4 or any(b.kind != "paragraph" for b in behind):
        return list(blocks), []
    return [b for b in blocks if b not in behind], behind


def is_part(section: Section, above: Section) -> bool:
    """Whether a section belongs to the entry of the section above it, instead of being an entry itself."""
    if section.depth > DEPTH or role(section.heading):
        return True
    if above.depth == 0:
        return False
    beside = any(role(child.heading) for child in above.children)
    return beside or asks_plainly(section.heading) or numbered(section.heading)
