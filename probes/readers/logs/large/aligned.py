"""Lines whose numbers stand in the same places, as programs print them that fix the number of digits.

One line tells where the digits are. Lines of the same length are compared with it eight bytes at a time, and numbers
are then read without looking for where they begin and end: several times as fast as `numerals.read_numbers`, and the
same values. What is written in any other way is left to the reader that asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ....artifacts import Floats
from .numerals import (
    LONGEST_NUMBER,
    SURE_DIGITS,
    SURE_WORD,
    Block,
    Bytes,
    Places,
    Words,
    precise,
    scaled,
    unsure,
    value_of,
)

K = TypeVar("K")
Span = tuple[int, int]
FEWEST = 1500
"""Lines of one layout from which on it is worth it."""
MOST_MISSES = 12
"""Lines that are tried in a piece and turn out to have few like them."""
LONGEST_LINE = 2000
_NUMBER = re.compile(rb"([-+]?)(\d*)[.,]?(\d*)(?:[eE]([-+]?)(\d{1,4}))?")
_HIGH = np.uint64(0x8080808080808080)
_ZERO, _TO_DIGITS, _TO_ZERO = 0x30, 0x76, 0x7F
"""The byte of the digit 0; what added to 0..9, or to 0 only, leaves the highest bit of a byte alone."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[K]):
    """What one line is to a reader.

    Args:
        key: for the reader to tell its kinds of line apart.
        free: where digits may be others in other lines; all other bytes are the same.
        cells: the numbers wanted, each by where it stands, or by its value if that is the same in all lines.
    """

    key: K
    free: Sequence[Span]
    cells: Sequence[Span | float]


@dataclass(frozen=True, slots=True)
class _Number:
    """Where in a line the parts of a number begin and how many digits they have."""

    begin: int
    whole: int
    part_at: int
    part: int
    exponent_at: int
    exponent: int
    negative: bool
    small: bool

    @property
    def behind(self) -> int:
        return self.exponent_at + self.exponent if self.exponent else self.part_at + self.part


def aligned(
    block: Block, begins: Places, stops: Places, read: Callable[[bytes], Reading[K] | None]
) -> Iterator[tuple[K, Places, list[Floats]]]:
    """Groups of lines that agree in where their digits are.

    Args:
        begins, stops: of lines in the block, with their ends.
        read: what a line is, None if it is of no use.

    Yields:
        the reader's key, places in `begins` (in order), and for each cell the values.
    """
    sizes, misses = stops - begins, 0
    counts = np.bincount(np.minimum(sizes, LONGEST_LINE + 1), minlength=LONGEST_LINE + 2)[: LONGEST_LINE + 1]
    for size in np.argsort(-counts, kind="stable").tolist():
        if counts[size] < FEWEST:
            return
        left = np.flatnonzero(sizes == size)
        lines = _lines(block, begins[left], size)
        while len(left) >= FEWEST and misses < MOST_MISSES:
            place = len(left) // 2
            line = block.data[begins[left[place]] : stops[left[place]]]
            reading = read(line)
            numbers = None if reading is None else _numbers(line, reading.cells)
            same = np.arange(len(left)) == place
            if reading is not None and numbers is not None:
                same = _same(lines, line, reading.free)
                found, these = (left, lines) if same.all() else (left[same], lines[same])
                yield reading.key, found, [_values(these, number) for number in numbers]
            misses += int(np.count_nonzero(same) < FEWEST)
            left, lines = left[~same], lines[~same]


def _lines(block: Block, begins: Places, size: int) -> Bytes:
    """(n, width): the lines and at least eight bytes behind each."""
    width = -(-size // 8) * 8 + 8
    return block.around(begins, width).view(np.uint8).reshape(len(begins), width)


def _same(lines: Bytes, line: bytes, free: Sequence[Span]) -> npt.NDArray[np.bool_]:
    """Which lines are like `line` but for the digits in `free`."""
    wild = np.zeros(len(line), dtype=bool)
    for begin, stop in free:
        wild[begin:stop] = True
    own = np.frombuffer(line, np.uint8)
    wild &= own - np.uint8(_ZERO) <= 9
    like, more = np.zeros(lines.shape[1], np.uint8), np.zeros(lines.shape[1], np.uint8)
    like[: len(line)] = np.where(wild, _ZERO, own)
    more[: len(line)] = np.where(wild, _TO_DIGITS, _TO_ZERO)
    other = np.zeros(len(lines), np.uint64)
    for at in range(0, len(line), 8):
        word = _word(lines, at) ^ like[at : at + 8].view("<u8")
        if len(line) - at < 8:
            word &= np.uint64((1 << 8 * (len(line) - at)) - 1)
        other |= word
        word += more[at : at + 8].view("<u8")
        other |= word
    other &= _HIGH
    return np.asarray(other == 0)


def _numbers(line: bytes, cells: Sequence[Span | float]) -> list[_Number | float] | None:
    """Where the parts of each number are; None if any is not one."""
    found: list[_Number | float] = []
    for cell in cells:
        if isinstance(cell, float):
            found.append(cell)
            continue
        match = _NUMBER.fullmatch(line, *cell)
        if match is None or not 0 < len(match[2]) + len(match[3]) <= LONGEST_NUMBER:
            return None
        power = len(match[5] or b"")
        places = (match.start(2), len(match[2]), match.start(3), len(match[3]), match.start(5), power)
        found.append(_Number(*places, negative=match[1] == b"-", small=match[4] == b"-"))
    return found


def _values(lines: Bytes, number: _Number | float) -> Floats:
    """The values of one number in lines of this layout."""
    if isinstance(number, float):
        return np.full(len(lines), number)
    digits, part, size = _digits(lines, number), number.part, number.whole + number.part
    power: Places | int = -part
    if number.exponent:
        exponent = _run(lines, number.exponent_at, number.exponent).astype(np.intp)
        power = (-exponent if number.small else exponent) - part
    values = scaled(digits, power)
    if number.exponent or size > SURE_DIGITS:
        hard = np.flatnonzero(unsure(digits, power, size))
        if len(hard):
            values[hard] = _corrected(lines, hard, digits, power, number)
    return np.negative(values, out=values) if number.negative else values


def _corrected(lines: Bytes, hard: Places, digits: Words, power: Places | int, number: _Number) -> Floats:
    """The values of numbers that one division does not give."""
    if len(hard) < len(lines):
        lines, digits, power = lines[hard], digits[hard], power if isinstance(power, int) else power[hard]
    values = precise(digits, power)
    unknown = np.isnan(values)
    for at in _surplus(number):
        unknown |= lines[:, at] != _ZERO
    for i in np.flatnonzero(unknown).tolist():
        values[i] = float(bytes(lines[i, number.begin : number.behind]).replace(b",", b"."))
    return values


def _surplus(number: _Number) -> Iterator[int]:
    """Where the digits are that do not fit into a word, unless they are zeros."""
    for at in range(number.whole + number.part - SURE_WORD):
        yield number.begin + at if at < number.whole else number.part_at + at - number.whole


def _digits(lines: Bytes, number: _Number) -> Words:
    """All digits of a number as one, modulo 2**64."""
    whole, part = number.whole, number.part
    if part == 0 or whole == 0:
        return _run(lines, number.begin, whole) if whole else _run(lines, number.part_at, part)
    if whole + part <= 8:  # all in one word
        front = _word(lines, number.begin) << np.uint64(8 * (8 - whole))
        front >>= np.uint64(8 * part)
        front |= _word(lines, number.part_at) << np.uint64(8 * (8 - part))
        return value_of(front)
    found = _run(lines, number.begin, whole)
    found *= np.uint64(pow(10, part, 1 << 64))
    found += _run(lines, number.part_at, part)
    return found


def _run(lines: Bytes, at: int, count: int) -> Words:
    """The digits in `count` bytes from `at` on as a number, modulo 2**64."""
    if count == 1:
        return np.asarray((lines[:, at] & np.uint8(15)).astype(np.uint64))
    found = None
    for start in range(at, at + count, 8):
        length = min(8, at + count - start)
        more = value_of(_word(lines, start) << np.uint64(8 * (8 - length)))
        if found is None:
            found = more
        else:
            found *= np.uint64(10**length)
            found += more
    assert found is not None
    return found


def _word(lines: Bytes, at: int) -> Words:
    """(n,): eight bytes of each line."""
    return np.ndarray((len(lines),), "<u8", lines, at, (lines.shape[1],))
