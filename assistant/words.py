"""Blocks: the small document that every face draws. Sentences are made in `say`, drawing is the faces' matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from probes.finding import Plot, Table

Style = Literal["title", "heading", "text", "item", "muted", "code", "error"]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph of printable text. `label` stands before it ("because", "try first"); `depth` indents."""

    text: str
    style: Style = "text"
    label: str = ""
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """A table or a plot of a finding."""

    content: Table | Plot


Block = Text | Figure
