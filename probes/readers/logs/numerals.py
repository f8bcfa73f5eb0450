"""Decimal numbers in a block of bytes -> float64, many at once.

Eight digits are one 64-bit word and become a number in three multiplications (known as SWAR). A number with fewer than
2**53 as its digits and a power of ten up to 22 is exact in one float64 division (Clinger 1990, "How to read floating
point numbers accurately"); longer ones go through 80-bit floats where the machine has them, and all that might round
twice goes through float(): every value is what float() gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...artifacts import Floats

Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
AHEAD, BEHIND = 32, 8
_NINES = 19  # decimal digits that any uint64 holds
_EXTENDED = np.finfo(np.longdouble).nmant >= 63
_MASKS = np.array([(0x0F0F0F0F0F0F0F0F << (8 * (8 - n))) & (2**64 - 1) for n in range(9)], np.uint64)
_TENS = np.array([10**n for n in range(20)], np.uint64)
_POWERS = np.array([10.0**n for n in range(23)])
_LONG_POWERS = np.array([np.longdouble(10) ** n for n in range(28)])
_STEPS = [
    (np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(2561), np.uint64(8)),
    (np.uint64(0x00FF00FF00FF00FF), np.uint64(6553601), np.uint64(16)),
    (np.uint64(0x0000FFFF0000FFFF), np.uint64(42949672960001), np.uint64(32)),
]


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes of whole lines.

    Args:
        data: with AHEAD zero bytes before and BEHIND after them, so that a word may be read around any place.
        words: the eight bytes at every place as one number.
        marks: places of all bytes that are no digits; `kinds` are those bytes.
    """

    data: bytes
    words: Words
    marks: Places
    kinds: npt.NDArray[np.uint8]


def block_of(data: bytes) -> Block:
    """Finds what is no digit. Places in the block count from -AHEAD."""
    padded = bytes(AHEAD) + data + bytes(BEHIND)
    array = np.frombuffer(padded, np.uint8)
    words: Words = np.ndarray((len(padded) - 7,), "<u8", padded, 0, (1,))
    marks = np.flatnonzero(array - np.uint8(48) > 9)
    return Block(padded, words, marks, array[marks])


def read_numbers(
    block: Block, start: Places, mark: Places, point: str = ".", wanted: bool = True
) -> tuple[Floats, Places, Flags]:
    """The number that begins at every place of `start`.

    Args:
        mark: the index of the first mark at or after each start.
        point: the decimal point.
        wanted: whether the values are of interest; otherwise they are 0.

    Returns:
        values, the index of the first mark behind each number, and which of them are numbers.
    """
    begin, mark, negative = _signs(block, start, mark)
    whole_end = block.marks[mark]
    dotted = block.kinds[mark] == ord(point)
    mark = mark + dotted
    end = block.marks[mark]
    whole, part = whole_end - begin, end - whole_end - dotted
    fine = (whole + part > 0) & (whole + part <= 24) & (dotted | (part == 0))
    mark, power, fine = _exponents(block, mark, end, -part, fine)
    if not wanted:
        return np.zeros(len(start)), mark, fine
    digits = _digits(block, whole_end, whole)
    if dotted.any():
        digits = digits * _TENS[np.minimum(part, _NINES)] + _digits(block, end, part)
    values = _scaled(digits, power)
    hard = np.flatnonzero(fine & ((digits >= 2**53) | (np.abs(power) > 22) | (whole + part > _NINES)))
    if len(hard):
        values[hard] = _long(digits[hard], power[hard])
        cut = ~_fits(block, whole_end[hard], whole[hard], end[hard], part[hard])
        stop = block.marks[mark]
        for i in hard[np.isnan(values[hard]) | cut].tolist():
            values[i] = abs(float(block.data[start[i] : stop[i]].replace(point.encode(), b".")))
    return np.where(negative, -values, values) if negative.any() else values, mark, fine


def _signs(block: Block, start: Places, mark: Places) -> tuple[Places, Places, Flags]:
    kind = block.kinds[mark]
    signed = ((kind == 45) | (kind == 43)) & (block.marks[mark] == start)
    if not signed.any():
        return start, mark, signed
    return start + signed, mark + signed, signed & (kind == 45)


def _digits(block: Block, end: Places, length: Places) -> Words:
    """The digits before each end as a number, modulo 2**64."""
    found = _word(block, end, np.minimum(length, 8))
    for done in (8, 16):
        more = np.flatnonzero(length > done)
        if len(more) == 0:
            break
        higher = _word(block, end[more] - done, np.minimum(length[more] - done, 8))
        found[more] += higher * _TENS[done]
    return found


def _fits(block: Block, whole_end: Places, whole: Places, end: Places, part: Places) -> Flags:
    """Whether all digits fit a word: at most 19 of them, or zeros before (arithmetic modulo 2**64 is right then)."""
    top = _word(block, end - 16, np.clip(part - 16, 0, 8))
    empty = _digits(block, whole_end, np.minimum(whole, 16)) == 0
    fits: Flags = (whole + part <= _NINES) | ((whole <= 16) & empty & (top < 1000))
    return fits


def _word(block: Block, end: Places, length: Places) -> Words:
    word = block.words[end - 8]
    word &= _MASKS[length]
    for mask, factor, shift in _STEPS:
        word &= mask
        word *= factor
        word >>= shift
    return word


def _exponents(block: Block, mark: Places, end: Places, power: Places, fine: Flags) -> tuple[Places, Places, Flags]:
    """Adds exponents ("e-05") to the powers of ten of the numbers that have one."""
    has = np.flatnonzero((block.kinds[mark] | 32) == 101)
    if len(has) == 0:
        return mark, power, fine
    begin, behind, negative = _signs(block, end[has] + 1, mark[has] + 1)
    length = block.marks[behind] - begin
    value = _word(block, block.marks[behind], np.clip(length, 0, 8)).astype(np.intp)
    power[has] += np.where(negative, -value, value)
    fine[has] &= (length > 0) & (length < 5)
    mark = mark.copy()
    mark[has] = behind
    return mark, power, fine


def _scaled(digits: Words, power: Places) -> Floats:
    values = digits.astype(np.float64)
    size = _POWERS[np.minimum(np.abs(power), 22)]
    if power.max(initial=0) > 0:
        return np.asarray(np.where(power > 0, values * size, values / size))
    values /= size
    return values


def _long(digits: Words, power: Places) -> Floats:
    """Through 80-bit floats; NaN where they are missing, too short, or lie half-way between two float64."""
    if not _EXTENDED:
        return np.full(len(digits), np.nan)
    size = np.minimum(np.abs(power), 27)
    long = digits.astype(np.longdouble)
    long = np.where(power > 0, long * _LONG_POWERS[size], long / _LONG_POWERS[size])
    values = long.astype(np.float64)
    rest = np.abs(long - values).astype(np.float64)
    unsure = (np.abs(power) > 27) | (rest == np.spacing(values) / 2) | (np.abs(values) < 1e-290)
    return np.where(unsure, np.nan, values)
