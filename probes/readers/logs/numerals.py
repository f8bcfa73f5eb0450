"""Decimal numbers in a block of bytes -> float64, many at once.

Eight digits are one 64-bit word and become a number in three multiplications (known as SWAR). A number with fewer than
2**53 as its digits and a power of ten up to 22 is exact in one float64 division (Clinger 1990, "How to read floating
point numbers accurately"); longer ones go through 80-bit floats where the machine has them, and all that might round
twice goes through float(): every value is what float() gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...artifacts import Floats

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
AHEAD, BEHIND = 32, 64
_SPARE = 4
LONGEST_NUMBER = 24
"""Digits."""
_NINES = 19  # decimal digits that any uint64 holds
_SAFE = 15  # decimal digits that any float64 holds
_EXTENDED = np.finfo(np.longdouble).nmant >= 63
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
        data: with AHEAD zero bytes before and BEHIND after them, so that some may be read around any place.
        bytes: the same as an array.
        runs: the place behind every run of digits, and a few at the end of the data, in order.
    """

    data: bytes
    bytes: Bytes
    runs: Places
    _windows: dict[int, npt.NDArray[np.void]] = field(default_factory=dict)

    def around(self, place: Places, width: int) -> npt.NDArray[np.uint64]:
        """(n, width / 8): the bytes from each place on, as words. The place costs more than the width."""
        if width not in self._windows:
            count = len(self.data) - width + 1
            self._windows[width] = np.ndarray((count,), f"V{width}", self.data, 0, (1,))
        return self._windows[width][place].view("<u8").reshape(len(place), width // 8)

    def lines(self) -> tuple[Places, Places, Places]:
        """Where each line begins, where it stops (behind its end), and the index of its first run of digits."""
        stops = np.flatnonzero(self.bytes == 10) + 1
        begins = np.concatenate([[AHEAD], stops[:-1]])
        each, rest = divmod(len(self.runs) - _SPARE, max(1, len(stops)))
        if each and not rest:  # as many in every line, if these are where they should be: cheaper than to search
            runs = np.arange(0, each * len(stops), each)
            if (self.runs[runs] > begins).all() and (self.runs[runs + each - 1] < stops).all():
                return begins, stops, runs
        return begins, stops, np.searchsorted(self.runs, begins)


def block_of(data: bytes) -> Block:
    """Finds the digits. Places in the block count from -AHEAD."""
    padded = bytes(AHEAD) + data + bytes(BEHIND)
    array = np.frombuffer(padded, np.uint8)
    digit = array - np.uint8(48) <= 9
    ends = np.flatnonzero(digit[:-1] > digit[1:]) + 1
    return Block(padded, array, np.concatenate([ends, np.full(_SPARE, AHEAD + len(data))]))


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
    values = _scaled(digits, power)
    if not plain or int(size.max(initial=0)) > _SAFE:
        hard = np.flatnonzero(fine & ((digits >= 2**53) | (np.abs(power) > 22) | (size > _NINES)))
        _correct(block, values, hard, (digits, power, size), (begin, whole, end, part, behind), point)
    if negative is not None and negative.any():
        values = np.where(negative, -values, values)
    return values, behind, run, fine


def _correct(
    block: Block,
    values: Floats,
    hard: Places,
    numbers: tuple[Words, Places, Places],
    places: tuple[Places, Places, Places, Places, Places],
    point: str,
) -> None:
    """Takes those values again that one division does not give: `numbers` are digits, power of ten and count of digits,
    `places` where each number, its whole part and its fraction lie."""
    if len(hard) == 0:
        return
    digits, power, size = numbers[0][hard], numbers[1][hard], numbers[2][hard]
    begin, whole, end, part, behind = (n[hard] for n in places)
    again = _long(digits, power)
    cut = size > _NINES
    cut[cut] = ~_fits(block, begin[cut], whole[cut], end[cut], part[cut])
    for i in np.flatnonzero(np.isnan(again) | cut).tolist():
        again[i] = float(block.data[begin[i] : behind[i]].replace(point.encode(), b"."))
    values[hard] = again


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
    value = _value(_top(block.around(behind - 8, 8)[:, 0], np.clip(length, 0, 8))).astype(np.intp)
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
        return _value(front)
    at = _bits(whole + 1)
    behind = (both[:, 0] >> at) | (both[:, 1] << (np.uint64(64) - at))
    behind <<= _bits(8 - part)
    if int((whole + part).max()) <= 8:  # all in one word
        front >>= _bits(part)
        front |= behind
        return _value(front)
    found = _value(front)
    found *= _of(_TENS, part)
    found += _value(behind)
    return found


def _long_digits(block: Block, whole_end: Places, whole: Places, end: Places, part: Places) -> Words:
    """The same for numbers of any length, from their ends."""
    found = _before(block, end, part)
    if whole.any():
        found += _before(block, whole_end, whole) * _of(_TENS, np.minimum(part, _NINES))
    return found


def _before(block: Block, end: Places, length: Places) -> Words:
    """The digits before each end as a number, modulo 2**64."""
    longest = int(length.max(initial=0))
    if longest == 1:
        return ((block.bytes[end - 1] & np.uint8(15)) * (length > 0)).astype(np.uint64)
    width = 8 if longest <= 8 else 16 if longest <= 16 else 24
    words = block.around(end - width, width)
    found = _value(_top(words[:, -1], np.minimum(length, 8)))
    for done in range(8, width, 8):
        more = _value(_top(words[:, -1 - done // 8], np.clip(length - done, 0, 8)))
        more *= _TENS[done]
        found += more
    return found


def _fits(block: Block, begin: Places, whole: Places, end: Places, part: Places) -> Flags:
    """Whether more than 19 digits fit a word all the same, since those in front are zeros."""
    surplus = whole + part - _NINES
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


def _value(word: Words) -> Words:
    for mask, factor, shift in _STEPS:
        word &= mask
        word *= factor
        word >>= shift
    return word


def _scaled(digits: Words, power: Places) -> Floats:
    values = digits.astype(np.float64)
    if power.max(initial=0) > 0:
        size = _POWERS[np.minimum(np.abs(power), 22)]
        return np.asarray(np.where(power > 0, values * size, values / size))
    low, high = int(power.min(initial=0)), int(power.max(initial=-99))
    values /= _POWERS[min(-low, 22)] if low == high else _POWERS[np.minimum(-power, 22)]
    return values


def _long(digits: Words, power: Places) -> Floats:
    """Through 80-bit floats; NaN where they are missing, too short, or lie half-way between two float64."""
    if not _EXTENDED:
        return np.full(len(digits), np.nan)
    size = np.minimum(np.abs(power), 27)
    long = digits.astype(np.longdouble)
    up = power > 0
    if up.any():
        long = np.where(up, long * _LONG_POWERS[size], long / _LONG_POWERS[size])
    else:
        long /= _LONG_POWERS[size]
    values = long.astype(np.float64)
    rest = np.abs((long - values).astype(np.float64))
    unsure = (np.abs(power) > 27) | (rest == np.spacing(values) / 2) | (np.abs(values) < 1e-290)
    values[unsure] = np.nan
    return values
