"""A tensor whose numbers a library hands out: for formats that are read through their own libraries."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...artifacts import Array


@dataclass(slots=True, eq=False)
class LibraryTensor:
    """Implements `artifacts.Tensor`; `load` gives the whole array, half precision becomes float32.

    `part`, where the library can read less, gives rows from one index to another.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], Array]
    part: Callable[[int, int], Array] | None = None

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    def array(self) -> Array:
        """The whole tensor."""
        values = np.asarray(self.load())
        if values.dtype == np.float16 or values.dtype.name == "bfloat16":
            values = values.astype(np.float32)
        return values.reshape(self.shape)

    def chunks(self, limit: int = 8 << 20) -> Iterator[tuple[int, Array]]:
        """Rows in order; see `artifacts.Tensor`. Without `part` the library holds the array whole."""
        if not self.numel:
            return
        rows = self.shape[0] if self.shape else 1
        if self.part is not None:
            few = max(1, limit // max(1, 4 * self.numel // rows))
            for row in range(0, rows, few):
                last = min(rows, row + few)
                yield row, np.asarray(self.part(row, last), np.float32).reshape(last - row, -1)
            return
        whole = self.array().reshape(rows, -1)
        step = max(1, limit // max(1, whole.shape[1] * whole.itemsize))
        for row in range(0, rows, step):
            yield row, whole[row : row + step]
