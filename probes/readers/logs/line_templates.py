"""Lines that differ only in their numbers: learnt from one line, found in a whole block at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from ...artifacts import Floats
from .numerals import AHEAD, Block, Flags, Places, read_numbers

SLOT = re.compile(rb"(?:(?<![\w.])[-+])?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
T = TypeVar("T")
Cut = Callable[[bytes], Iterable[tuple[int, int]]]
MOST_SLOTS = 200
MOST_TEMPLATES = 64
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)


@dataclass(frozen=True, slots=True)
class Template:
    """The bytes before, between and behind the numbers of a line (with its line end): one more than numbers."""

    literals: tuple[bytes, ...]
    wanted: list[bool] = field(default_factory=list, compare=False)
    """Which numbers are read; all where it is empty. It may be changed while a file is read."""

    def match(self, block: Block, begin: Places, mark: Places) -> tuple[Places, list[Floats]]:
        """Which lines have this shape, and those of their numbers that are wanted.

        Args:
            begin: where lines begin; `mark`: the index of the first mark at or after it.

        Returns:
            places in `begin` of the lines that match, and for each wanted number of the template their values.
        """
        rows, found = np.arange(len(begin)), list[Floats]()
        for place, literal in enumerate(self.literals):
            same = _same(block, begin, literal)
            if not same.all():
                rows, begin, mark, found = rows[same], begin[same], mark[same], [v[same] for v in found]
            if len(rows) == 0:
                return rows, []
            begin, mark = begin + len(literal), mark + sum(not 48 <= c <= 57 for c in literal)
            if place == len(self.literals) - 1:
                break
            wanted = not self.wanted or self.wanted[place]
            values, mark, fine = read_numbers(block, begin, mark, wanted=wanted)
            begin = block.marks[mark]
            if not fine.all():
                rows, begin, mark, found = rows[fine], begin[fine], mark[fine], [v[fine] for v in found]
                values = values[fine]
            if wanted:
                found.append(values)
        return rows, found


def _same(block: Block, begin: Places, literal: bytes) -> Flags:
    """Whether the literal stands at each place."""
    same = begin + len(literal) <= len(block.data) - 8
    for at in range(0, len(literal), 8):
        piece = literal[at : at + 8]
        words = block.words[np.minimum(begin + at, len(block.words) - 1)]
        if len(piece) < 8:
            words &= _MASKS[len(piece)]
        same &= words == np.uint64(int.from_bytes(piece, "little"))
    return same


def slots(line: bytes) -> Iterator[tuple[int, int]]:
    """Where the numbers of a line begin and end."""
    return (match.span() for match in SLOT.finditer(line))


def template_of(line: bytes, spans: Iterable[tuple[int, int]]) -> Template | None:
    """The shape of a line whose numbers stand at `spans`, None where it has too many."""
    literals, at = [], 0
    for start, stop in spans:
        literals.append(line[at:start])
        at = stop
    return Template((*literals, line[at:])) if len(literals) <= MOST_SLOTS else None


def filled(template: Template, numbers: list[bytes]) -> bytes:
    """The line with other numbers."""
    parts = [part for pair in zip(template.literals, numbers, strict=False) for part in pair]
    return b"".join([*parts, template.literals[-1]])


@dataclass(slots=True)
class Matched(Generic[T]):
    """Lines of one shape in a block: which lines (in order), what was learnt of the shape, and their numbers."""

    lines: Places
    plan: T
    numbers: list[Floats]


@dataclass(slots=True)
class Sorted(Generic[T]):
    """The lines of a block: how many, those of known shapes, the places of the others."""

    count: int
    matched: list[Matched[T]]
    others: Places
    block: Block
    begins: Places
    stops: Places

    def line(self, place: int) -> bytes:
        """One line, with its end."""
        return self.block.data[self.begins[place] : self.stops[place]]


class Shapes(Generic[T]):
    """The templates learnt so far. `learn` says what a shape means, None where only the line itself can say it."""

    def __init__(self, learn: Callable[[Template, bytes], T | None], cut: Cut = slots) -> None:
        self._learn, self._cut = learn, cut
        self._known: list[tuple[Template, T]] = []
        self._tries = 0

    def sort(self, block: Block) -> Sorted[T]:
        """The lines of a block by their shapes; new shapes are learnt on the way."""
        ends = np.flatnonzero(block.kinds == 10)
        marks = np.concatenate([[AHEAD], ends[:-1] + 1])
        begins = np.concatenate([[AHEAD], block.marks[ends[:-1]] + 1])
        stops = block.marks[ends] + 1
        left, found = np.arange(len(ends)), list[Matched[T]]()
        for template, plan in self._known:
            left = self._take(block, begins, marks, left, template, plan, found)
        place = 0
        while place < len(left) and self._tries < MOST_TEMPLATES:
            line = block.data[begins[left[place]] : stops[left[place]]]
            if (shape := self._shape(line)) is None:
                self._tries += bool(line.strip())
                place += 1
                continue
            self._tries += 1
            self._known.append(shape)
            more = self._take(block, begins, marks, left[place:], *shape, found)
            stuck = len(more) == len(left) - place  # the line does not even match itself
            left = np.concatenate([left[:place], more])
            place += stuck
        return Sorted(len(ends), found, left, block, begins, stops)

    def _shape(self, line: bytes) -> tuple[Template, T] | None:
        template = template_of(line, self._cut(line)) if line.strip() else None
        plan = self._learn(template, line) if template is not None else None
        return None if template is None or plan is None else (template, plan)

    @staticmethod
    def _take(
        block: Block,
        begins: Places,
        marks: Places,
        left: Places,
        template: Template,
        plan: T,
        found: list[Matched[T]],
    ) -> Places:
        """Moves the lines of one shape from `left` to `found`."""
        if len(left) == 0:
            return left
        rows, numbers = template.match(block, begins[left], marks[left])
        if len(rows) == 0:
            return left
        found.append(Matched(left[rows], plan, numbers))
        rest = np.ones(len(left), dtype=bool)
        rest[rows] = False
        return left[rest]
