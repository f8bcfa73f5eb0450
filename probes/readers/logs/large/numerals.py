"""Decimal numbers in a block of bytes -> float64, many at once.

Eight digits are one 64-bit word and become a number in three multiplications (known as SWAR). A number with fewer than
2**53 as its digits and a power of ten up to 22 is exact in one float64 division (Clinger 1990, "How to read floating
point numbers accurately"); longer ones are computed in twice that precision, and all for which this is not enough goes
through float(): every value is what float() gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ....artifacts import Floats

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
AHEAD, BEHIND = 32, 64
_SPARE = 4
LONGEST_NUMBER = 24
"""Digits."""
SURE_DIGITS = 15
"""Decimal digits that any float64 holds."""
SURE_WORD = 19
"""Decimal digits that any uint64 holds."""
_TENS = np.array([10**n for n in range(20)], np.uint64)
_POWERS = np.array([10.0**n for n in range(23)])
MOST_POWER = 250
"""Of ten, so that nothing that is computed on the way overflows or is lost."""
_SPLIT = 2.0**27 + 1
_DOUBT = 2.0**-44
_STEPS = [
    (np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(2561), np.uint64(8)),
    (np.uint64(0x00FF00FF00FF00FF), np.uint64(6553601), np.uint64(16)),
    (np.uint64(0x0000FFFF0000FFFF), np.uint64(42949672960001), np.uint64(32)),
]


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes of whole lines.

    Args:
        data: with AHEAD zero bytes before and BEHIND after them, so that some may be read around any place.
        bytes: the same as an array.
    """

    data: bytes
    bytes: Bytes
    _runs: list[Places] = field(default_factory=list)
    _windows: dict[int, npt.NDArray[np.void]] = field(default_factory=dict)

    @property
    def runs(self) -> Places:
        """The place behind every run of digits, and a few at the end of the data, in order."""
        if not self._runs:
            digit = self.bytes - np.uint8(48) <= 9
            ends = np.flatnonzero(digit[:-1] > digit[1:]) + 1
            self._runs.append(np.concatenate([ends, np.full(_SPARE, len(self.data) - BEHIND)]))
        return self._runs[0]

    def around(self, place: Places, width: int) -> npt.NDArray[np.uint64]:
        """(n, width / 8): the bytes from each place on, as words. The place costs more than the width."""
        if width not in self._windows:
            count = len(self.data) - width + 1
            self._windows[width] = np.ndarray((count,), f"V{width}", self.data, 0, (1,))
        return self._windows[width][place].view("<u8").reshape(len(place), width // 8)

    def lines(self) -> tuple[Places, Places]:
        """Where each line begins, and where it stops (behind its end)."""
        stops = np.flatnonzero(self.bytes == 10) + 1
        return np.concatenate([[AHEAD], stops[:-1]])[: len(stops)], stops

    def first_runs(self, begins: Places, stops: Places) -> Places:
        """The index of the first run of digits of each line, or behind it, where it has none."""
        each, rest = divmod(len(self.runs) - _SPARE, max(1, len(stops)))
        if each and not rest:  # as many in every line, if these are where they should be: cheaper than to search
            runs = np.arange(0, each * len(stops), each)
            if (self.runs[runs] > begins).all() and (self.runs[runs + each - 1] < stops).all():
                return runs
        return np.searchsorted(self.runs, begins)


def block_of(data: bytes) -> Block:
    """Places in the block count from -AHEAD."""
    padded = bytes(AHEAD) + data + bytes(BEHIND)
    return Block(padded, np.frombuffer(padded, np.uint8))


def read_numbers(
    block: Block, start: Places, run: Places, point: str = ".", wanted: bool = True, stop: int = -1
) -> tuple[Floats, Places, Places, Flags]:
    """The number that begins at every place of `start`.

    Args:
        run: the index of the first run of digits that ends behind each start.
        point: the decimal point.
        wanted: whether the values are of interest; otherwise they are none.
        stop: the byte that is expected behind every number; where it is, nothing else needs to be looked for.

    Returns:
        values, the place behind each number, the index of the next run, and which of them are numbers.
    """
    first = block.bytes[start]
    digit = first - np.uint8(48) <= 9
    begin, negative = start, None
    if not digit.all():
        negative, signed = first == 45, (first == 43) | (first == 45)
        begin = start + signed
        first = block.bytes[begin]
        digit = first - np.uint8(48) <= 9
    whole_end = np.where(digit, block.runs[run], begin) if not digit.all() else block.runs[run]
    end, part, run = _fraction(block, whole_end, run + digit, ord(point))
    whole = whole_end - begin
    size = whole + part
    fine = (size > 0) & (size <= LONGEST_NUMBER)
    behind, power, plain = end, -part, stop >= 0 and bool((block.bytes[end] == stop).all())
    if not plain:
        behind, run, power, fine = _exponents(block, end, run, power, fine)
    if not wanted:
        return np.zeros(0), behind, run, fine
    digits = _digits(block, begin, whole, end, part)
    values = scaled(digits, power)
    if not plain or int(size.max(initial=0)) > SURE_DIGITS:
        hard = np.flatnonzero(fine & unsure(digits, power, size))
        if len(hard):
            counts, places = [n[hard] for n in (size, whole, part)], [n[hard] for n in (begin, end, behind)]
            values[hard] = _corrected(block, digits[hard], power[hard], counts, places, point)
    if negative is not None and negative.any():
        values = np.where(negative, -values, values)
    return values, behind, run, fine


def unsure(digits: Words, power: Places | int, size: Places | int) -> Flags:
    """Which numbers of so many digits one division may not give."""
    return np.asarray((digits >= 2**53) | (np.abs(power) > 22) | (size > SURE_WORD))


def _corrected(
    block: Block, digits: Words, power: Places, counts: Sequence[Places], places: Sequence[Places], point: str = "."
) -> Floats:
    """The values of numbers that one division does not give.

    Args:
        counts: digits of each number, of its whole part, of its fraction.
        places: where each begins, where its fraction ends, and its exponent.
    """
    size, whole, part = counts
    begin, end, behind = places
    values = precise(digits, power)
    cut = size > SURE_WORD
    cut[cut] = ~_fits(block, begin[cut], whole[cut], end[cut], part[cut])
    for i in np.flatnonzero(np.isnan(values) | cut).tolist():
        values[i] = float(block.data[begin[i] : behind[i]].replace(point.encode(), b"."))
    return values


def _fraction(block: Block, whole_end: Places, run: Places, point: int) -> tuple[Places, Places, Places]:
    """Where the number ends without its exponent, how many digits are behind its point, and the next run."""
    dotted = block.bytes[whole_end] == point
    if not dotted.any():
        return whole_end, np.zeros_like(whole_end), run
    more = dotted & (block.bytes[whole_end + 1] - np.uint8(48) <= 9)
    if more.all():
        end = block.runs[run]
        return end, end - whole_end - 1, run + 1
    end = np.where(more, block.runs[run], whole_end + dotted)
    return end, end - whole_end - dotted, run + more


def _exponents(
    block: Block, end: Places, run: Places, power: Places, fine: Flags
) -> tuple[Places, Places, Places, Flags]:
    """Adds exponents ("e-05") to the powers of ten of the numbers that have one."""
    has = np.flatnonzero((block.bytes[end] | np.uint8(32)) == 101)
    if len(has) == 0:
        return end, run, power, fine
    sign = block.bytes[end[has] + 1]
    begin = end[has] + 1 + ((sign == 45) | (sign == 43))
    behind = block.runs[run[has]]
    length = behind - begin
    fine[has] &= (length > 0) & (length < 5) & (block.bytes[begin] - np.uint8(48) <= 9)
    value = value_of(_top(block.around(behind - 8, 8)[:, 0], np.clip(length, 0, 8))).astype(np.intp)
    end, run, power = end.copy(), run.copy(), power.copy()
    power[has] += np.where(sign == 45, -value, value)
    end[has], run[has] = behind, run[has] + 1
    return end, run, power, fine


def _digits(block: Block, begin: Places, whole: Places, end: Places, part: Places) -> Words:
    """All digits of a number as one, modulo 2**64."""
    longest_whole, longest_part = int(whole.max(initial=0)), int(part.max(initial=0))
    if longest_whole > 7 or longest_part > 8 or int(whole.min(initial=0)) < 0:
        return _long_digits(block, begin + whole, np.clip(whole, 0, LONGEST_NUMBER), end, part)
    both = block.around(begin, 16)
    front = both[:, 0] << _bits(8 - whole)
    if longest_part == 0:
        return value_of(front)
    at = _bits(whole + 1)
    behind = (both[:, 0] >> at) | (both[:, 1] << (np.uint64(64) - at))
    behind <<= _bits(8 - part)
    if int((whole + part).max()) <= 8:  # all in one word
        front >>= _bits(part)
        front |= behind
        return value_of(front)
    found = value_of(front)
    found *= _of(_TENS, part)
    found += value_of(behind)
    return found


def _long_digits(block: Block, whole_end: Places, whole: Places, end: Places, part: Places) -> Words:
    """The same for numbers of any length, from their ends."""
    found = _before(block, end, part)
    if whole.any():
        found += _before(block, whole_end, whole) * _of(_TENS, np.minimum(part, SURE_WORD))
    return found


def _before(block: Block, end: Places, length: Places) -> Words:
    """The digits before each end as a number, modulo 2**64."""
    longest = int(length.max(initial=0))
    if longest == 1:
        return ((block.bytes[end - 1] & np.uint8(15)) * (length > 0)).astype(np.uint64)
    width = 8 if longest <= 8 else 16 if longest <= 16 else 24
    words = block.around(end - width, width)
    found = value_of(_top(words[:, -1], np.minimum(length, 8)))
    for done in range(8, width, 8):
        more = value_of(_top(words[:, -1 - done // 8], np.clip(length - done, 0, 8)))
        more *= _TENS[done]
        found += more
    return found


def _fits(block: Block, begin: Places, whole: Places, end: Places, part: Places) -> Flags:
    """Whether more than 19 digits fit a word all the same, since those in front are zeros."""
    surplus = whole + part - SURE_WORD
    zeros: Flags = np.ones(len(begin), dtype=bool)
    for at in range(int(surplus.max(initial=0))):
        place = begin + at + (at >= whole) * (end - part - begin - whole)
        zeros &= (at >= surplus) | (block.bytes[place] == 48)
    return zeros


def _bits(count: Places) -> Words | np.uint64:
    """Bytes as bits to shift by; one number where all are the same."""
    low, high = int(count.min(initial=8)), int(count.max(initial=0))
    return np.uint64(8 * low) if low == high else (count << 3).astype(np.uint64)


def _of(table: Words, index: Places) -> Words | np.uint64:
    """Entries of a table; one where all are the same."""
    low, high = int(index.min(initial=len(table))), int(index.max(initial=0))
    found: Words | np.uint64 = table[low] if low == high else table[index]
    return found


def _top(word: Words, length: Places) -> Words:
    """The last bytes of a word, of the given number, the others zero."""
    bits = _bits(8 - length)
    found: Words = (word >> bits) << bits
    return found


def value_of(word: Words) -> Words:
    """The number that eight digits (or zero bytes in front of them) are; the word itself is overwritten."""
    for mask, factor, shift in _STEPS:
        word &= mask
        word *= factor
        word >>= shift
    return word


def scaled(digits: Words, power: Places | int) -> Floats:
    """Digits times powers of ten, as exact as one division or multiplication of float64 is."""
    values = digits.astype(np.float64)
    low, high = int(np.min(power, initial=99)), int(np.max(power, initial=-99))
    if high > 0:
        size = _POWERS[np.minimum(np.abs(power), 22)]
        return np.asarray(np.where(np.greater(power, 0), values * size, values / size))
    values /= _POWERS[min(-low, 22)] if low == high else _POWERS[np.minimum(np.negative(power), 22)]
    return values


def precise(digits: Words, power: Places | int) -> Floats:
    """Digits times powers of ten in twice the precision of a float64 (Dekker 1971, "A floating-point technique for
    extending the available precision"); NaN where it would take more to know how to round, or beyond MOST_POWER."""
    size = np.abs(power)
    low, high = int(np.min(size)), int(np.max(size))
    place = min(low, MOST_POWER) if low == high else np.minimum(size, MOST_POWER)
    ten, ten_front, ten_back, ten_rest = (table[place] for table in _PRECISE_POWERS)
    digits = np.minimum(digits, _TENS[SURE_WORD])  # more are not theirs, and might round up to 2**64
    head = digits.astype(np.float64)
    tail = (digits - head.astype(np.uint64)).view(np.int64).astype(np.float64)
    up = np.greater(power, 0)
    ups = bool(up.any())
    first = np.where(up, head, head / ten) if ups else head / ten
    shifted = _SPLIT * first
    front = shifted - (shifted - first)
    back = first - front
    product = first * ten
    error = front * ten_front
    error -= product
    error += front * ten_back
    error += back * ten_front
    error += back * ten_back
    error += first * ten_rest
    more = head - product
    more -= error
    more += tail
    more /= ten
    if ups:
        more, first = np.where(up, error + tail * ten, more), np.where(up, product, first)
    values = first + more * (1 + _DOUBT)
    unknown = values != first + more * (1 - _DOUBT)
    if high > MOST_POWER:
        unknown |= size > MOST_POWER
    values[unknown] = np.nan
    return values


def _precise_powers() -> tuple[Floats, Floats, Floats, Floats]:
    """Powers of ten: rounded, the front and back halves of that, and what was rounded off."""
    ten = np.array([float(10**n) for n in range(MOST_POWER + 1)])
    rest = np.array([float(10**n - int(ten[n])) for n in range(MOST_POWER + 1)])
    shifted = _SPLIT * ten
    front = shifted - (shifted - ten)
    return ten, front, ten - front, rest


_PRECISE_POWERS = _precise_powers()
