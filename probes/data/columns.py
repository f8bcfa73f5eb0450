"""Columns of a data set: counts, means, spreads and bounds of every column of the flattened row, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..artifacts import Floats, Tensor
from .splits import DataSet

WIDEST = 1 << 20
"""Numbers in one sample, beyond which no sums by column are kept."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of an array hold, over its finite values.

    Args:
        rows: of the array. missing: values that are NaN or infinite, of all columns; bad_rows: rows with one.
        mean, spread, rms: by column; the spread is the standard deviation.
    """

    rows: int
    missing: int
    bad_rows: int
    mean: Floats
    spread: Floats
    rms: Floats


def columns(tensor: Tensor) -> Columns:
    """One pass over an array in double precision. Raises Unreadable."""
    width = max(1, tensor.numel // max(1, tensor.shape[0]))
    counts, totals, squares = np.zeros(width), np.zeros(width), np.zeros(width)
    missing = bad_rows = 0
    origin: Floats | None = None  # values near zero keep their digits when squared
    for _, rows in tensor.chunks():
        numbers = rows.reshape(len(rows), -1).astype(np.float64)
        finite = np.isfinite(numbers)
        missing += int((~finite).sum())
        bad_rows += int((~finite).any(1).sum())
        if origin is None:
            origin = np.where(finite[0], numbers[0], 0.0)
        shifted = np.where(finite, numbers - origin, 0.0)
        counts += finite.sum(0)
        totals += shifted.sum(0)
        squares += np.square(shifted).sum(0)
    known = np.maximum(counts, 1)
    mean, variance = totals / known, np.maximum(squares / known - np.square(totals / known), 0.0)
    mean = mean + (0.0 if origin is None else origin)
    return Columns(tensor.shape[0], missing, bad_rows, mean, np.sqrt(variance), np.sqrt(variance + np.square(mean)))


def nearest_to_the_model(sets: Sequence[DataSet]) -> DataSet | None:
    """The data set with a training part that is most likely what the model gets: tensors rather than raw arrays."""
    usable = [
        d for d in sets if (part := d.get("train")) is not None and part.inputs.numel // part.inputs.shape[0] <= WIDEST
    ]
    return min(usable, key=lambda d: d.parts[0].path.suffix in {".npz", ".npy"}, default=None)
