"""What Adan's state says: the last gradient itself, and the last update.

Adan keeps (minus) the last gradient g, m = mean of g, d = mean of g - g' (g': the one before) and n = mean of
(g + b2 (g - g'))^2. So the norm of the last gradient and the last update are exact, and n is 0 just where none has come
for thousands of steps. Of the gradient's size over the window n only gives bounds: it lies between n/(1 + 2 b2)^2 and n
(at b2 = .92 a factor of 2.84 in the norm), n itself where all gradients are the same and n/((1 + b2)^2 + b2^2) where
they are independent. That is told nowhere as a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..artifacts import Array, Floats
from .blocks import column_sums, row_squares, row_sums
from .sums import Sums, put


@dataclass(frozen=True, slots=True)
class Adan:
    """`b1`, `b2`, `b3` are what is left of m, d, n after a step; `eps`; the group's step count."""

    b1: float
    b2: float
    b3: float
    eps: float
    count: float

    def add(self, sums: Sums, row: int, column: int, parts: Sequence[Array]) -> tuple[Floats | None, ...]:
        """Adds a block of the last gradient, n, m and d (or of the first two). Returns the first's squares by row."""
        bias = 1 - self.b3**self.count
        by_row = row_squares(parts[0])
        if not len(sums.last):
            sums.last = np.zeros_like(sums.square)
        put(sums.last, row, by_row)
        put(sums.square, row, row_sums(parts[1]) / bias)
        if len(sums.column_square):
            put(sums.column_square, column, column_sums(parts[1]) / bias)
        if len(parts) > 2:
            put(sums.step, row, row_squares(self._step(*parts[1:])))
        return by_row, *[None for _ in parts[1:]]

    def _step(self, n: Array, m: Array, d: Array) -> Array:
        """The last update at a learning rate of 1, without decay."""
        root = np.sqrt(n) / math.sqrt(1 - self.b3**self.count) + self.eps
        step = m / (1 - self.b1**self.count) + self.b2 / (1 - self.b2**self.count) * d
        found: Array = np.divide(step, root, out=np.zeros_like(root), where=root > 0)
        return found
