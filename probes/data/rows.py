"""Rows of arrays as fingerprints: equal rows have equal numbers, whatever their type in the file."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from ..artifacts import Floats, Tensor

Prints = npt.NDArray[np.uint64]
DIGITS = 6


def fingerprints(tensor: Tensor, rounded: bool = False, without: Sequence[int] = ()) -> Prints:
    """A 64-bit hash of every row, (N,): two different rows are equal with a chance of 5e-20.

    Args:
        rounded: after rounding to DIGITS significant digits.
        without: columns of the flattened row that do not count.

    Raises:
        Unreadable
    """
    found = [_hashes(_numbers(rows, rounded, without)) for _, rows in tensor.chunks()]
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def _numbers(rows: npt.NDArray[np.generic], rounded: bool, without: Sequence[int]) -> Floats:
    numbers = rows.reshape(len(rows), -1).astype(np.float64) + 0.0  # -0 becomes 0
    if rounded:
        size = np.abs(numbers)
        known = np.isfinite(size) & (size > 0)
        exponent = np.floor(np.log10(np.where(known, size, 1.0)))
        scale = 10.0 ** np.clip(DIGITS - 1 - exponent, -300, 300)
        numbers = np.where(known, np.round(numbers * scale) / scale, numbers)
    if len(without):
        numbers[:, list(without)] = 0.0
    return np.ascontiguousarray(numbers)


def _hashes(numbers: Floats) -> Prints:
    raw = numbers.view(np.uint8).reshape(len(numbers), -1)
    digests = b"".join(blake2b(row.data, digest_size=8).digest() for row in raw)
    return np.frombuffer(digests, np.uint64)


def joined(one: Prints, other: Prints) -> Prints:
    """Fingerprints of rows of which both parts count."""
    mixed = one ^ (other * np.uint64(0x9E3779B97F4A7C15) + (other >> np.uint64(31)))
    return mixed


def busiest(tensor: Tensor, count: int, rows: int = 2000) -> list[int]:
    """The columns of the flattened row with the most distinct values in the first rows. Raises Unreadable."""
    _, first = next(iter(tensor.chunks()))
    table = first.reshape(len(first), -1)[:rows]
    distinct = [len(np.unique(table[:, j])) for j in range(min(table.shape[1], 4096))]
    return [int(j) for j in np.argsort(distinct)[::-1][:count]]
