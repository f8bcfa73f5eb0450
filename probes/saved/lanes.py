"""Numbers of 16 and 8 bits added up without being put into order: sums do not ask for it, and widening costs more.

Bounds are taken of the codes as integers: as unsigned ones the largest is the most negative number, as signed ones the
largest positive one. Four bytes of codes hold two halves or four quarters; a shift and a mask make each lane of them
float32, all of one lane at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..artifacts import Array, Tensor
from ..readers.checkpoints.lazy import LazyTensor, decode
from . import sums
from .blocks import FEW, row_squares, row_sums
from .sums import Values, put


@dataclass(frozen=True, slots=True)
class Form:
    """A float type that is a piece of float32.

    Args:
        bits: of a code.
        shift: to the right, from the top of 32 bits to where float32 has the same fields.
        scale: 2 to the difference of the exponents' zero points.
        end: the first positive code that is infinite or NaN.
    """

    bits: int
    shift: int
    scale: float
    end: int

    @property
    def mask(self) -> np.int32:
        """The bits of float32 that a code fills."""
        return np.int32(((1 << (self.bits - 1)) - 1 << (32 - self.bits - self.shift)) - (1 << 31))


FORMS = {
    "bfloat16": Form(16, 0, 1.0, 0x7F80),
    "float16": Form(16, 3, 2.0**112, 0x7C00),
    "float8_e5m2": Form(8, 3, 2.0**112, 0x7C),
    "float8_e4m3fn": Form(8, 4, 2.0**120, 0x7F),
}


def stored(tensor: Tensor, most: int) -> Iterator[tuple[int, Array]] | None:
    """(first row, codes: rows x columns, unsigned) of a large tensor of one of these types that lies in its file in
    order; None for all others. `most`: the bytes of a block are those of so many numbers in float32."""
    if tensor.dtype not in FORMS or tensor.numel <= FEW or not isinstance(tensor, LazyTensor) or not tensor.contiguous:
        return None
    found = tensor.codes.blocks(most * 32 // FORMS[tensor.dtype].bits)
    return ((row, codes.reshape(len(codes), -1)) for row, _, codes in found)


def look(values: Values, row: int, codes: Array, dtype: str) -> None:
    """Adds a block of codes that begins at a row, as `sums.look` does a block of numbers."""
    form = FORMS[dtype]
    low, high = _bounds(codes)
    sign = 1 << (form.bits - 1)
    flat = codes.reshape(1, -1) if len(values.rows) == 1 else codes
    if high % sign >= form.end or low % sign >= form.end or flat.shape[1] * form.bits % 32:
        sums.look(values, row, decode(codes.ravel(), dtype).reshape(codes.shape))
        return
    bounds = decode(np.array([low, high], codes.dtype), dtype)
    sums.widen(values, float(bounds[0]), float(bounds[1]))
    for numbers in _lanes(flat, form) if len(values.rows) else ():
        put(values.rows, row, row_squares(numbers))
        put(values.totals, row, row_sums(numbers))


def _bounds(codes: Array) -> tuple[int, int]:
    """The codes of the lowest and of the highest number, if none is NaN."""
    negative, positive = int(codes.max()), int(codes.view(f"i{codes.itemsize}").max())
    if positive >= 0 and negative > positive:
        return negative, positive
    least = int(codes.min())  # all have the same sign, and it is the nearest to zero
    return (least, positive) if positive >= 0 else (negative, least)


def _lanes(codes: Array, form: Form) -> Iterator[Array]:
    """The numbers of one lane at a time, float32, in an array that is used again."""
    packed = codes.view(np.int32)
    numbers = np.empty(packed.shape, np.float32)
    places = numbers.view(np.int32)
    for left in range(0, 32, form.bits):
        lane = np.left_shift(packed, np.int32(left), out=places) if left else packed
        if form.shift:
            lane = np.right_shift(lane, np.int32(form.shift), out=places)
        if form.shift or left + form.bits < 32:  # else there is nothing beside it any more
            np.bitwise_and(lane, form.mask, out=places)
        if form.scale != 1:
            np.multiply(numbers, np.float32(form.scale), out=numbers)
        yield numbers
