"""Numbers in small blocks, so that what is computed on them stays within a processor's cache; several tensors side by
side. A block is rows x columns x everything else, and the columns are the tensor's second dimension."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..artifacts import Array, Floats, Tensor
from ..readers.checkpoints.lazy import LazyTensor

BLOCK = 1 << 20
"""Numbers in one block: 4 MB of float32. Smaller ones stay nearer to the processor, but then two threads spend their
time on handing the interpreter to each other; NumPy even keeps it while it does up to 500 dot products at once."""
TINY = 1e-38
"""The mean square (float32) below which squares may have underflowed: they lose precision below 1.2e-38."""
FEW = 1 << 12
"""Numbers in a block up to which float64 costs less than asking whether float32 was good enough."""
WIDE, LONG = 64, 1 << 11
"""Numbers in a row from which on dot products by row are quicker than anything else, and up to which float32 keeps six
digits of a sum."""

Block = tuple[int, int, Array]


def blocks(tensor: Tensor, most: int = BLOCK) -> Iterator[Block]:
    """All numbers of a tensor once, as (first row, first column, numbers): float32 or float64.

    An array is only good until the next one is asked for. Complex numbers come as their absolute values.

    Raises:
        Unreadable
    """
    own: Callable[[int], Iterator[Block]] | None = getattr(tensor, "blocks", None)
    for row, column, numbers in own(most) if own is not None else _by_rows(tensor, most):
        with np.errstate(invalid="ignore"):
            found = real(numbers)
        yield row, column, found


def together(tensors: Sequence[Tensor], most: int = BLOCK) -> Iterator[tuple[int, int, tuple[Array, ...]]]:
    """The blocks of tensors of one shape side by side. What NumPy warns of is left to the caller. Raises Unreadable."""
    if all(type(t) is LazyTensor and 0 < t.numel <= most and t.contiguous for t in tensors):
        yield 0, 0, tuple([real(t.block()) for t in tensors if isinstance(t, LazyTensor)])
        return
    layouts = {getattr(tensor, "layout", None) for tensor in tensors}
    if len(tensors) > 1 and (None in layouts or len(layouts) > 1):
        yield from _aligned(tensors, most)
        return
    for found in zip(*(blocks(tensor, most) for tensor in tensors), strict=True):
        yield found[0][0], found[0][1], tuple(numbers for _, _, numbers in found)


def real(numbers: Array) -> Array:
    """As float32 if they are many and it holds them exactly, else as float64."""
    if numbers.dtype.kind == "c":
        numbers = np.abs(numbers)
    elif numbers.size <= FEW:
        return numbers.astype(np.float64)
    if numbers.dtype in (np.float32, np.float64):
        return numbers
    return np.asarray(numbers, np.float32 if numbers.dtype.itemsize < 4 else np.float64)


def _by_rows(tensor: Tensor, most: int) -> Iterator[Block]:
    for row, part in tensor.chunks(8 * most):
        yield row, 0, part.reshape(len(part), tensor.shape[1] if len(tensor.shape) > 1 else 1, -1)


def _aligned(tensors: Sequence[Tensor], most: int) -> Iterator[tuple[int, int, tuple[Array, ...]]]:
    """Tensors that lie in their files in different ways, by whole rows."""
    streams = [t.chunks(8 * most) for t in tensors[1:]]
    left: list[Array | None] = [None for _ in streams]
    columns = tensors[0].shape[1] if len(tensors[0].shape) > 1 else 1
    for first, rows in tensors[0].chunks(8 * most):
        parts = [rows]
        for i, stream in enumerate(streams):
            held = left[i]
            pieces, count = ([] if held is None else [held]), (0 if held is None else len(held))
            while count < len(rows):
                _, more = next(stream)
                pieces.append(more)
                count += len(more)
            block = np.concatenate(pieces)
            parts.append(block[: len(rows)])
            left[i] = block[len(rows) :] if count > len(rows) else None
        yield first, 0, tuple(real(part).reshape(len(part), columns, -1) for part in parts)


_ones: dict[Any, Array] = {}


def _ones_like(numbers: Array, count: int) -> Array:
    """So many ones: sums are products with them, several times as fast as NumPy's own sums. (And `np.dot` lets another
    thread run meanwhile, which `@` does not.)"""
    held = _ones.get(numbers.dtype)
    if held is None or len(held) < count:
        held = _ones[numbers.dtype] = np.ones(count, numbers.dtype)
    return held[:count]


def row_sums(block: Array) -> Floats:
    """By row; in float64 where float32 overflows."""
    flat = block.reshape(len(block), -1)
    ones = _ones_like(flat, flat.shape[1])
    sums: Array = np.dot(flat, ones) if flat.shape[1] < WIDE else _dots(flat, ones)
    if flat.dtype == np.float64:
        return sums
    if not np.isfinite(sums).all():
        return row_sums(flat.astype(np.float64))
    return sums.astype(np.float64)


def column_sums(block: Array) -> Floats:
    """By column; in float64 where float32 overflows."""
    flat = block.reshape(len(block), -1)
    sums = np.zeros(flat.shape[1])
    for first in range(0, len(flat), LONG):
        some = flat[first : first + LONG]
        sums += np.dot(_ones_like(some, len(some)), some)
    if flat.dtype != np.float64 and not np.isfinite(sums).all():
        return column_sums(block.astype(np.float64))
    return np.asarray(sums.reshape(block.shape[1], -1).sum(1))


def row_squares(block: Array) -> Floats:
    """Sums of squares by row: in float32 where that is as good as float64, else in float64."""
    flat = block.reshape(len(block), -1)
    if flat.size <= FEW and flat.dtype == np.float64:
        return _products(flat, flat)
    if flat.shape[1] < WIDE:
        return squares(block)[0]
    return _mended(_dots(flat, flat), block, 0)  # the squares are never written down


def squares(block: Array, by_column: bool = False) -> tuple[Floats, Floats]:
    """(sums of squares by row, by column): in float32 where that is as good as float64, else in float64.

    Args:
        by_column: whether the sums by column are wanted; else they are empty.
    """
    found: Array = np.multiply(block, block)
    rows = _mended(row_sums(found), block, 0)
    return rows, _mended(column_sums(found), block, 1) if by_column else np.zeros(0)


def _mended(sums: Floats, block: Array, axis: int) -> Floats:
    """Sums of float32 squares, those that may have under- or overflowed taken again in float64."""
    if block.dtype != np.float64:
        bad = ~((sums > TINY * block.size / block.shape[axis]) & (sums < np.inf))
        if bad.any():
            some = np.compress(bad, block, axis).astype(np.float64)
            sums[bad] = (row_sums, column_sums)[axis](some * some)
    return sums


def _dots(a: Array, b: Array) -> Floats:
    """The products of rows, added up; of long rows by pieces, since in float32 long sums of like numbers drift."""
    even = max(0, a.shape[1] - 1) // LONG * LONG
    sums: Floats = _products(a[:, even:], b[..., even:]).astype(np.float64)
    if even:
        sums += _products(*(x[..., :even].reshape(*x.shape[:-1], -1, LONG) for x in (a, b))).sum(1, dtype=np.float64)
    return sums


def _products(a: Array, b: Array) -> Array:
    """Over the last dimension; NumPy before 2.0 has the slower way only."""
    found: Array = np.vecdot(a, b) if hasattr(np, "vecdot") else np.einsum("...i,...i->...", a, b)
    return found
