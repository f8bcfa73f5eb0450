"""What the numbers of one tensor, or of an optimizer's state of one parameter, add up to, block by block.

Sums are added up in float64; within a block the squares are in float32 where that is as good, to about six digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..artifacts import Array, Floats, Tensor
from .blocks import column_sums, row_squares, row_sums, squares

MOST_ROWS = 1 << 22
MOST_ELEMENTS = 1 << 18
"""A tensor with more rows (or a vector of more elements: flat buffers of all parameters) counts as one row: numbers for
each would not be small beside the file."""
MOST_COLUMNS = 1 << 22
"""A tensor with more columns has no sums by column."""


@dataclass(slots=True)
class Values:
    """One tensor: counts, bounds and sums; those of finite entries only, except `numel`.

    Args:
        rows: sum of squares by index of the first dimension (one row for a scalar); empty for an optimizer's moments,
            whose sums are in `Sums`.
        totals: sum by the same index; as empty.
        low, high: the bounds; NaN for moments whose squares were summed anyway and are finite, since nobody needs them.
        head: the first entries (`initial_laws`), while the tensor is read and where they may be asked for afterwards.
    """

    numel: int
    rows: Floats
    totals: Floats
    nan: int = 0
    inf: int = 0
    low: float = math.inf
    high: float = -math.inf
    head: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def bad(self) -> int:
        """Entries that are NaN or infinite."""
        return self.nan + self.inf

    @property
    def largest(self) -> float:
        """The largest absolute value; 0 without a finite entry, NaN where the bounds are."""
        return 0.0 if self.low > self.high else max(abs(self.low), abs(self.high))

    @property
    def norm(self) -> float:
        """The Euclidean norm; NaN where an entry is not finite."""
        return math.nan if self.bad else math.sqrt(float(self.rows.sum()))

    @property
    def rms(self) -> float:
        """The root of the mean square; NaN where an entry is not finite."""
        return self.norm / math.sqrt(max(1, self.numel))

    @property
    def mean(self) -> float:
        return float(self.totals.sum()) / max(1, self.numel - self.bad)

    @property
    def zero(self) -> bool:
        """Whether all entries are exactly 0."""
        return self.constant and self.low == 0

    @property
    def constant(self) -> bool:
        """Whether all entries are the same finite number."""
        return self.numel > 0 and not self.bad and self.low == self.high


@dataclass(slots=True)
class Sums:
    """Sums over the entries of each row and each column of an optimizer's state of one parameter.

    Arrays that are the same by their definition may be one object.

    Args:
        agree: sum of squares of the first moment (Adam: m^; SGD: the buffer; RMSprop: zeros), by row. With coupled
            weight decay the decay's share is taken out of m^ as m^ - wd (w + u/(1-b1)), u the last update: a lagged
            subtraction, exact while the rates stand still.
        raw: the same with the decay's share in it.
        square: sum of v^ (SGD: the same as `agree`), by row.
        column_agree, column_square: by column (second dimension; kernel positions added up); empty for 1-d.
        step: sum of squares of m^ / (sqrt(v^) + eps) by row: the last update at a learning rate of 1, without decay
            (AMSGrad: with the largest v; SGD: the buffer; RMSprop: zeros).
        along: sum of buffer x weight by row, SGD only.
        below_eps: entries with 0 < sqrt(v^) < eps.
        last: sum of squares of the last gradient by row, where it is kept (Adan); else empty.
        numel: of the tensor.
    """

    agree: Floats
    raw: Floats
    square: Floats
    column_agree: Floats
    column_square: Floats
    step: Floats
    along: Floats
    numel: int
    below_eps: int = 0
    last: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def norm(self) -> float:
        """The RMS norm of the tensor's gradient; the norm of the last one where that is kept."""
        return math.sqrt(float((self.last if len(self.last) else self.square).sum()))

    @property
    def rms(self) -> float:
        """The RMS of one entry of the gradient."""
        return self.norm / math.sqrt(max(1, self.numel))

    @property
    def coherence(self) -> float:
        """How far the tensor's gradients agree, sum m^2 / sum v^; 0 without a gradient, NaN where that is not known."""
        square = float(self.square.sum())
        return float(self.raw.sum()) / square if square > 0 else square


@dataclass(slots=True)
class Gap:
    """How two tensors of one shape differ, entry by entry.

    Args:
        square: sum of the squared differences; exactly 0 only if they are equal.
        largest: the largest absolute difference of an entry.
        zeroed: entries that are exactly 0 in the second alone.
    """

    square: float = 0.0
    largest: float = 0.0
    zeroed: int = 0

    @property
    def distance(self) -> float:
        """The Euclidean distance; exactly 0 only if the tensors are equal, NaN where an entry is not finite."""
        return math.sqrt(self.square)

    def look(self, before: Array, after: Array) -> None:
        """Adds a block of both."""
        apart = np.subtract(after, before).reshape(1, 1, -1)
        self.square += float(row_squares(apart)[0])
        self.largest = max(self.largest, float(apart.max(initial=0.0)), -float(apart.min(initial=0.0)))
        zero = np.equal(after, 0)
        if zero.any():
            self.zeroed += int(np.count_nonzero(before[zero]))


def blank_values(tensor: Tensor, moment: bool = False) -> Values:
    """Of a tensor of which nothing was seen. `moment`: of an optimizer's, without sums of its own."""
    rows = 0 if moment else _rows(tensor.shape)
    return Values(math.prod(tensor.shape), np.zeros(rows), np.zeros(rows))


def blank_sums(shape: tuple[int, ...]) -> Sums:
    """Of a parameter of that shape of which nothing was seen."""
    rows, columns = _rows(shape), shape[1] if len(shape) > 1 else 0
    columns = columns if columns <= MOST_COLUMNS else 0
    agree, raw, square, step, along = (np.zeros(rows) for _ in range(5))
    return Sums(agree, raw, square, np.zeros(columns), np.zeros(columns), step, along, math.prod(shape))


def _rows(shape: tuple[int, ...]) -> int:
    rows = shape[0] if shape else 1
    return rows if rows <= (MOST_ROWS if len(shape) > 1 else MOST_ELEMENTS) else 1


def look(values: Values, row: int, block: Array, known: Floats | None = None) -> None:
    """Adds a block that begins at a row. `known`: the sums of its squares by row, where they are at hand."""
    if known is not None and not len(values.rows) and np.isfinite(known).all():
        values.low = values.high = math.nan
        return
    low, high = float(block.min()), float(block.max())  # a NaN or an infinity shows in one of them
    if not (math.isfinite(low) and math.isfinite(high)):
        good = np.isfinite(block)
        missing = int(np.count_nonzero(np.isnan(block)))
        values.nan += missing
        values.inf += int(block.size - np.count_nonzero(good)) - missing
        low = float(block.min(initial=math.inf, where=good))
        high = float(block.max(initial=-math.inf, where=good))
        block, known = np.where(good, block, block.dtype.type(0)), None
    widen(values, low, high)
    if len(values.rows) and not low == high == 0:
        block = block if len(values.rows) > 1 else block.reshape(1, -1)
        put(values.rows, row, row_squares(block) if known is None else known)
        put(values.totals, row, row_sums(block))


def widen(values: Values, low: float, high: float) -> None:
    """Takes in another block's bounds; NaN stays."""
    values.low = low if low < values.low else values.low
    values.high = high if high > values.high else values.high


def add_momentum(sums: Sums, row: int, column: int, parts: Sequence[Array]) -> tuple[Floats | None, ...]:
    """Adds a block of SGD's buffer, and of the weight if it is beside it. Returns the squares of both by row."""
    if len(parts) > 1:  # whether they are parallel is a difference of nearly equal numbers
        parts = [np.asarray(part, np.float64) for part in parts]
    sums.agree = sums.raw = sums.step = sums.square
    by_row = _add_average(sums, row, column, parts[0])
    if len(parts) > 1:
        put(sums.along, row, row_sums(np.multiply(*parts)))
    return (by_row, *(row_squares(part) for part in parts[1:]))


def add_signs(sums: Sums, row: int, column: int, parts: Sequence[Array]) -> tuple[Floats | None, ...]:
    """Adds a block of Lion's average: every entry that has one moves by the learning rate. Returns its squares."""
    sums.agree = sums.raw = sums.square
    by_row = _add_average(sums, row, column, parts[0])
    put(sums.step, row, row_sums((parts[0] != 0).astype(np.float32)))
    return (by_row,)


def _add_average(sums: Sums, row: int, column: int, block: Array) -> Floats:
    sums.column_agree = sums.column_square
    by_row, by_column = squares(block, by_column=len(sums.column_square) > 0)
    put(sums.square, row, by_row)
    put(sums.column_square, column, by_column)
    return by_row


def add_squares(
    sums: Sums, row: int, column: int, parts: Sequence[Array], scale: float, less: float = 0.0
) -> tuple[Floats | None, ...]:
    """Adds a block of squared gradients, (block - less) x scale, and of a buffer of updates if there is one. Returns
    the buffer's squares by row."""
    block = parts[0]
    if less:
        block = np.subtract(block, less, dtype=np.float64)
    put(sums.square, row, row_sums(block) * scale)
    put(sums.column_square, column, scale * column_sums(block))
    known = [row_squares(part) for part in parts[1:]]
    for by_row in known:
        put(sums.step, row, by_row)
    return None, *known


def add_row_means(sums: Sums, row: int, column: int, parts: Sequence[Array], columns: int) -> tuple[Floats | None, ...]:
    """Adds Adafactor's means over each row of a matrix with so many columns; nothing is known by column."""
    put(sums.square, max(row, column), np.asarray(parts[0], np.float64).ravel() * columns)
    sums.column_square = sums.column_agree = np.zeros(0)
    return (None,)


def add_ratio(sums: Sums, row: int, column: int, parts: Sequence[Array]) -> tuple[Floats | None, ...]:
    """Adds a block of Adamax's moments: the update is m / u; of the gradient's size only a maximum is kept."""
    step = np.divide(parts[0], parts[1], out=np.zeros_like(parts[0]), where=parts[1] > 0)
    put(sums.step, row, row_squares(step))
    sums.square = np.full_like(sums.square, np.nan)
    return None, None


@dataclass(frozen=True, slots=True)
class Adam:
    """How Adam's moments become an update: `b1`, `b2`, `lr`, `eps`, the tensor's step count, and coupled decay."""

    b1: float
    b2: float
    lr: float
    eps: float
    count: float
    decay: float = 0.0
    largest: bool = False

    def add(self, sums: Sums, row: int, column: int, parts: Sequence[Array]) -> tuple[Floats | None, ...]:
        """Adds a block of m, v, (AMSGrad) the largest v, and (coupled decay) the weight. Returns m's squares by row."""
        if self.decay:  # the decay's share is a difference of nearly equal numbers
            parts = [np.asarray(part, np.float64) for part in parts]
        (m, v), bias, scale = parts[:2], 1 - self.b1**self.count, 1 / (1 - self.b2**self.count)
        columns = len(sums.column_square) > 0
        by_row, by_column = squares(m, by_column=columns and not self.decay)
        put(sums.raw, row, by_row / bias**2)
        put(sums.square, row, row_sums(v) * scale)
        if columns:
            put(sums.column_square, column, column_sums(v) * scale)
        step, factor = self._step(sums, parts)
        put(sums.step, row, row_squares(step) * factor**2)
        if self.decay:
            own = m / bias - self.decay * (parts[-1] + self.lr * factor / (1 - self.b1) * step)
            by_own_row, by_column = squares(own, by_column=columns)
            put(sums.agree, row, by_own_row)
            put(sums.column_agree, column, by_column)
        else:
            sums.agree = sums.raw
            put(sums.column_agree, column, by_column / bias**2)
        return (by_row, *[None for _ in parts[1:]])

    def _step(self, sums: Sums, parts: Sequence[Array]) -> tuple[Array, float]:
        """The last update at a learning rate of 1, and a number that it is still to be multiplied with; counts the
        entries of v that eps outweighs."""
        bias1, bias2 = 1 - self.b1**self.count, 1 - self.b2**self.count
        lowest = self.eps**2 * bias2
        if parts[1].min() < lowest:
            sums.below_eps += int(np.count_nonzero(parts[1] < lowest) - np.count_nonzero(parts[1] <= 0))
        root = np.sqrt(parts[2 if self.largest else 1])
        factor = math.sqrt(bias2) / bias1
        if self.eps > 0:
            root += self.eps * math.sqrt(bias2)
            return np.divide(parts[0], root, out=root), factor
        return np.divide(parts[0], root, out=np.zeros_like(root), where=root > 0), factor


def put(into: Floats, first: int, sums: Floats) -> None:
    """Adds sums by row (by column) from the place `first` on; all to the one number if `into` has no more, none if it
    is empty."""
    if len(into) == 1:
        into[0] += sums.sum()
    elif len(into):
        into[first : first + len(sums)] += sums
