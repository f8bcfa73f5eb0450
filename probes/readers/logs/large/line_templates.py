"""Lines that differ only in their numbers: learnt from one line, found in a whole piece of a log at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from ....artifacts import Floats
from .aligned import Reading, aligned
from .growing import worth_keeping
from .numerals import AHEAD, BEHIND, Block, Flags, Places, block_of, read_numbers
from .pieces import Given, Made, Piece, whole_lines

NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
SLOT = re.compile(rb"(?:(?<![\w.])[-+])?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
T = TypeVar("T")
Alike = tuple[Places, list[Floats]]
"""Lines by their numbers, and for each number of theirs the values."""
Cut = Callable[[bytes], Iterable[tuple[int, int]]]
MOST_SLOTS = 200
MOST_TEMPLATES = 64
FEW = 4
"""Where lines are a smaller part of a piece than one in so many, it pays to put them together."""
WINDOW = 48
"""Bytes that are compared after one look at a place."""
_DIGITS = re.compile(rb"\d+")
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)


@dataclass(frozen=True, slots=True)
class Template:
    """The bytes before, between and behind the numbers of a line (with its line end): one more than numbers."""

    literals: tuple[bytes, ...]
    wanted: list[bool] = field(default_factory=list, compare=False)
    """Which numbers are read; all where it is empty. It may be changed while a file is read."""

    def reading(self, key: int, line: bytes) -> Reading[int] | None:
        """Where the numbers of a line of this shape are; None for another line."""
        at, spans = 0, list[tuple[int, int]]()
        for literal in self.literals:
            if not line.startswith(literal, at):
                return None
            at += len(literal)
            if len(spans) < len(self.literals) - 1:
                if (number := NUMBER.match(line, at)) is None:
                    return None
                spans.append(number.span())
                at = number.end()
        cells = [s for s, wanted in zip(spans, self.wanted, strict=True) if wanted] if self.wanted else spans
        return Reading(key, spans, cells) if at == len(line) else None

    def match(self, block: Block, begin: Places, run: Places) -> tuple[Places, list[Floats]]:
        """Which lines have this shape, and those of their numbers that are wanted.

        Args:
            begin: where lines begin; `run`: the index of the first run of digits that ends behind it.

        Returns:
            places in `begin` of the lines that match, and for each wanted number of the template their values.
        """
        rows, found, some = np.arange(len(begin)), list[Floats](), list(self.wanted)
        for place, literal in enumerate(self.literals):
            same = _same(block, begin, literal)
            if not same.all():
                rows, begin, run, found = rows[same], begin[same], run[same], [v[same] for v in found]
            if len(rows) == 0:
                return rows, []
            begin, run = begin + len(literal), run + len(_DIGITS.findall(literal))
            if place == len(self.literals) - 1:
                break
            wanted = not some or some[place]
            following = self.literals[place + 1][:1]
            if not wanted and (passed := _passed(block, begin, run, following)) is not None:
                begin, run = passed, run + 1
                continue
            stop = following[0] if following else -1
            values, begin, run, fine = read_numbers(block, begin, run, wanted=wanted, stop=stop)
            if not fine.all():
                rows, begin, run, found = rows[fine], begin[fine], run[fine], [v[fine] for v in found]
                values = values[fine] if wanted else values
            if wanted:
                found.append(values)
        return rows, found


def _same(block: Block, begin: Places, literal: bytes) -> Flags:
    """Whether the literal stands at each place."""
    same = begin + len(literal) <= len(block.data) - BEHIND
    for at in range(0, len(literal), WINDOW):
        piece = literal[at : at + WINDOW]
        words = block.around(np.minimum(begin + at, len(block.data) - BEHIND), -(-len(piece) // 8) * 8)
        for i in range(words.shape[1]):
            part = piece[8 * i : 8 * i + 8]
            word = words[:, i] if len(part) == 8 else words[:, i] & _MASKS[len(part)]
            same &= word == np.uint64(int.from_bytes(part, "little"))
    return same


def _passed(block: Block, begin: Places, run: Places, following: bytes) -> Places | None:
    """The places behind whole numbers of no interest; None unless all are whole, without a sign, and what is to follow
    does so."""
    behind = block.runs[run]
    whole = following != b"" and bool((block.bytes[behind] == following[0]).all())
    return behind if whole and bool((block.bytes[begin] - np.uint8(48) <= 9).all()) else None


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
    """Lines of one shape in a piece.

    Args:
        lines: which (in order); `numbers`: theirs.
        plan: what was learnt of the shape.
        every: of how many lines one was kept.
    """

    lines: Places
    plan: T
    numbers: list[Floats]
    every: int = 1


@dataclass(slots=True)
class Sorted(Generic[T]):
    """The lines of a piece: those of known shapes, the places of the others, where each begins and stops.

    Args:
        text: what the lines were cut from, where that is not the piece itself.
    """

    piece: Piece
    matched: list[Matched[T]]
    others: Places
    begins: Places
    stops: Places
    text: bytes | None

    @property
    def count(self) -> int:
        return len(self.begins)

    def line(self, place: int) -> bytes:
        """One line, with its end."""
        begin, stop = int(self.begins[place]), int(self.stops[place])
        return whole_lines(self.piece.read(begin, stop)) if self.text is None else self.text[begin:stop]


def sort_lines(data: bytes, given: Given, text: bool = False) -> Made:
    """Lines by the shapes that are `given`. `text`: whether the bytes are to come back as well."""
    templates = [Template(tuple(t.encode("latin-1") for t in texts), wanted) for texts, wanted, _ in given["shapes"]]
    block = block_of(data)
    begins, stops = block.lines()
    found: list[list[Alike]] = [[] for _ in templates]
    owned = np.zeros(len(begins), dtype=bool)

    def reading(line: bytes) -> Reading[int] | None:
        return next((r for i, template in enumerate(templates) if (r := template.reading(i, line)) is not None), None)

    for index, rows, numbers in aligned(block, begins, stops, reading):
        found[index].append((rows, numbers))
        owned[rows] = True
    left = np.flatnonzero(~owned)
    block, at, runs = _rest(block, begins[left], stops[left])
    rest = np.arange(len(left))
    for index, template in enumerate(templates):
        rows, numbers = template.match(block, at[rest], runs[rest])
        if len(rows):
            found[index].append((left[rest[rows]], numbers))
            rest = np.delete(rest, rows)
    said, arrays = list[tuple[int, int, int]](), list[np.ndarray]()
    for index, parts in enumerate(found):
        if parts:
            rows, numbers = _in_order(parts, len(begins))
            every = int(given["shapes"][index][2]) if numbers else 1
            if every > 1:
                kept = worth_keeping(numbers, every)
                rows, numbers = rows[kept], [column[kept] for column in numbers]
            said.append((index, len(numbers), every))
            arrays += [rows.astype(np.int32), *numbers]
    ends = [np.frombuffer(data, np.uint8)] if text else []
    known = {"known": len(templates), "found": said, "text": text}
    return known, [(stops - AHEAD).astype(np.int32), left[rest], *arrays, *ends]


def _rest(block: Block, begins: Places, stops: Places) -> tuple[Block, Places, Places]:
    """A block for the lines that are left, where they begin in it and their first runs of digits."""
    if FEW * int((stops - begins).sum()) < len(block.data):
        spans = map(slice, begins.tolist(), stops.tolist())
        block = block_of(b"".join(map(block.data.__getitem__, spans)))
        begins, stops = block.lines()
    return block, begins, block.first_runs(begins, stops)


def _in_order(parts: list[Alike], count: int) -> Alike:
    """Lines that were found in several turns, as if they had been found in one."""
    if len(parts) == 1:
        return parts[0]
    among = np.zeros(count, dtype=bool)
    for rows, _ in parts:
        among[rows] = True
    columns = [np.empty(count) for _ in parts[0][1]]
    for rows, numbers in parts:
        for column, values in zip(columns, numbers, strict=True):
            column[rows] = values
    return np.flatnonzero(among), [column[among] for column in columns]


class Shapes(Generic[T]):
    """The templates learnt so far. `meaning` says what a shape means, None where only the line itself can say it;
    `thinned`, of how many lines of it one is enough by now."""

    def __init__(
        self,
        meaning: Callable[[Template, bytes], T | None],
        cut: Cut = slots,
        thinned: Callable[[T], int] = lambda _: 1,
    ) -> None:
        self._meaning, self._cut, self._thinned = meaning, cut, thinned
        self._known: list[tuple[Template, T]] = []
        self._tries = 0

    def given(self) -> Given:
        """What is known by now, for `sort_lines`."""
        shapes = ((s, self._thinned(plan)) for s, plan in self._known)
        return {"shapes": [([t.decode("latin-1") for t in s.literals], s.wanted, every) for s, every in shapes]}

    def sorted(self, piece: Piece, made: Made) -> Sorted[T]:
        """The lines of a piece by all shapes, after `sort_lines`; new shapes are learnt on the way."""
        said, (stops, others, *arrays) = made
        text = bytes(arrays.pop()) if said["text"] else None
        begins = np.concatenate([np.zeros(1, stops.dtype), stops[:-1]])
        lines = Sorted[T](piece, [], others, begins, stops, text)
        for index, count, every in said["found"]:
            places, *numbers = arrays[: count + 1]
            del arrays[: count + 1]
            lines.matched.append(Matched(places, self._known[index][1], numbers, every))
        if len(others) and (self._tries < MOST_TEMPLATES or said["known"] < len(self._known)):
            self._learn(lines, said["known"])
        return lines

    def _learn(self, lines: Sorted[T], known: int) -> None:
        """Takes out of the other lines those of shapes that are known since, or that can be learnt from one of them."""
        block = block_of(whole_lines(lines.piece.read()) if lines.text is None else lines.text)
        begins, stops = block.lines()
        runs = block.first_runs(begins, stops)

        def take(left: Places, template: Template, plan: T) -> Places:
            rows, numbers = template.match(block, begins[left], runs[left])
            if len(rows):
                lines.matched.append(Matched(left[rows], plan, numbers))
            return np.delete(left, rows)

        left, place = lines.others, 0
        for template, plan in self._known[known:]:
            left = take(left, template, plan)
        while place < len(left) and self._tries < MOST_TEMPLATES:
            if (shape := self._shape(lines.line(left[place]))) is None:
                self._tries += bool(lines.line(left[place]).strip())
                place += 1
                continue
            self._tries += 1
            self._known.append(shape)
            more = take(left[place:], *shape)
            stuck = len(more) == len(left) - place  # the line does not even match itself
            left = np.concatenate([left[:place], more])
            place += stuck
        lines.others = left

    def _shape(self, line: bytes) -> tuple[Template, T] | None:
        template = template_of(line, self._cut(line)) if line.strip() else None
        plan = self._meaning(template, line) if template is not None else None
        return None if template is None or plan is None else (template, plan)
