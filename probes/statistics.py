"""What the numbers of a checkpoint add up to: one streaming pass, kept, and shared by all probes.

Every tensor is read once, in pieces and in bounded memory; the moments of one parameter are read side by side, together
with its weight where a formula needs both. Sums are in float64: float32 squares of Adam's first moment underflow after
some 450 steps without a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .artifacts import Array, Checkpoint, Floats, ParameterState, Tensor
from .layers import floating
from .moments import ADAM, betas, coupled, option, options, together

PIECE = 1 << 19
"""Bytes of one tensor that are looked at together: its float64 copies stay within a processor's cache."""
MOST_ROWS = 1 << 22
MOST_ELEMENTS = 1 << 18
"""A tensor with more rows (or a vector of more elements: flat buffers of all parameters) counts as one row: numbers for
each would not be small beside the file."""


@dataclass(slots=True)
class Values:
    """One tensor: counts, bounds and sums; those of finite entries only, except `numel`.

    Args:
        rows: sum of squares by index of the first dimension (one row for a scalar).
        totals: sum by the same index.
    """

    numel: int
    rows: Floats
    totals: Floats
    nan: int = 0
    inf: int = 0
    zeros: int = 0
    low: float = math.inf
    high: float = -math.inf

    @property
    def bad(self) -> int:
        """Entries that are NaN or infinite."""
        return self.nan + self.inf

    @property
    def largest(self) -> float:
        """The largest absolute value; 0 without a finite entry."""
        return max(abs(self.low), abs(self.high)) if self.low <= self.high else 0.0

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
    def constant(self) -> bool:
        """Whether all entries are the same finite number."""
        return self.numel > 0 and not self.bad and self.low == self.high


@dataclass(slots=True)
class Sums:
    """Sums over the entries of each row and each column of an optimizer's state of one parameter.

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

    @property
    def norm(self) -> float:
        """The RMS norm of the tensor's gradient."""
        return math.sqrt(float(self.square.sum()))

    @property
    def rms(self) -> float:
        """The RMS of one entry of the gradient."""
        return self.norm / math.sqrt(max(1, self.numel))

    @property
    def coherence(self) -> float:
        """How far the tensor's gradients agree, sum m^2 / sum v^; 0 without a gradient."""
        square = float(self.square.sum())
        return float(self.raw.sum()) / square if square > 0 else 0.0


@dataclass(slots=True)
class Statistics:
    """All numbers about one checkpoint, each gathered when it is first asked for."""

    checkpoint: Checkpoint
    _values: dict[Hashable, Values] = field(default_factory=dict)
    _sums: dict[int, Sums | None] = field(default_factory=dict)
    _owners: dict[Hashable, ParameterState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for parameter in self.checkpoint.optimizer.parameters if self.checkpoint.optimizer else ():
            for tensor in self._sources(parameter):
                self._owners[key(tensor)] = parameter

    def values(self, tensor: Tensor) -> Values:
        """Counts, bounds and sums of a tensor of this checkpoint. Raises Unreadable."""
        place = key(tensor)
        owner = self._owners.get(place)
        if place not in self._values and owner is not None:
            self.sums(owner)
        if place not in self._values:
            for _ in self._read([tensor]):
                pass
        return self._values[place]

    def sums(self, parameter: ParameterState) -> Sums | None:
        """The sums of one parameter's state; None if it has none that is understood. Raises Unreadable."""
        if parameter.index not in self._sums:
            self._sums[parameter.index] = self._gather(parameter)
        return self._sums[parameter.index]

    def of(self, tensor: Tensor | None) -> Sums | None:
        """The sums of the state that belongs to a model's tensor; None if the mapping knows none."""
        state = self.checkpoint.optimizer
        parameter = state.of(tensor.name) if state is not None and tensor is not None else None
        return self.sums(parameter) if parameter is not None else None

    def norm(self, tensor: Tensor) -> float:
        """The Euclidean norm of a tensor; NaN where an entry is not finite."""
        return self.values(tensor).norm

    def update_norm(self, parameter: ParameterState) -> float | None:
        """The norm of the last update without weight decay; None where the file does not hold it.

        Exact for Adam, AdamW and AMSGrad and for SGD with momentum (Nesterov: the size of the buffer's step only), as
        long as the scheduler has not changed the learning rate since.
        """
        state = self.checkpoint.optimizer
        sums = self.sums(parameter)
        if state is None or sums is None or not {"exp_avg", "momentum_buffer"} & set(parameter.slots):
            return None
        return option(options(state, parameter), "lr", 0.0) * math.sqrt(float(sums.step.sum()))

    @property
    def finite(self) -> bool:
        """Whether all floating tensors of the model are finite."""
        return not any(self.values(t).bad for t in self.checkpoint.tensors.values() if floating(t))

    def _sources(self, parameter: ParameterState) -> list[Tensor]:
        """The tensors that are read side by side for one parameter, first and second moment first."""
        state, slots = self.checkpoint.optimizer, parameter.slots
        weight = self.checkpoint.tensors.get(parameter.name) if parameter.name else None
        if state is None:
            return []
        if set(ADAM) <= set(slots) and parameter.step:
            found = [slots["exp_avg"], slots["exp_avg_sq"]]
            found += [slots["max_exp_avg_sq"]] if "max_exp_avg_sq" in slots else []
            decayed = coupled(state, options(state, parameter)) != 0
        elif "square_avg" in slots:
            found = [slots["square_avg"]] + ([slots["momentum_buffer"]] if "momentum_buffer" in slots else [])
            decayed = False
        elif "momentum_buffer" in slots:
            found, decayed = [slots["momentum_buffer"]], option(options(state, parameter), "weight_decay", 0.0) != 0
        else:
            return []
        return found + ([weight] if decayed and weight is not None and weight.shape == found[0].shape else [])

    @np.errstate(all="ignore")
    def _gather(self, parameter: ParameterState) -> Sums | None:
        sources = self._sources(parameter)
        state = self.checkpoint.optimizer
        if not sources or state is None or any(s.shape != sources[0].shape for s in sources):
            return None
        group = options(state, parameter)
        weight = sources[-1] if sources[-1] not in parameter.slots.values() else None
        if "exp_avg" in parameter.slots:
            return self._adam(sources, parameter, group, coupled(state, group) if weight is not None else 0.0)
        sums = _empty(sources[0])
        bias = 1 - option(group, "alpha", 0.99) ** (parameter.step or 1e9)
        for first, parts in self._read(sources):
            if "square_avg" in parameter.slots:
                _add(sums, first, square=parts[0] / bias, **({"step": parts[1] ** 2} if len(parts) > 1 else {}))
                continue
            squares = parts[0] ** 2
            _add(sums, first, agree=squares, raw=squares, square=squares, step=squares)
            if weight is not None:
                _add(sums, first, along=parts[0] * parts[1])
        return sums

    def _adam(self, sources: list[Tensor], parameter: ParameterState, group: dict[str, Any], decay: float) -> Sums:
        (b1, b2), t = betas(group), parameter.step or 1.0
        lr, eps = option(group, "lr", 0.0), option(group, "eps", 1e-8)
        largest = "max_exp_avg_sq" in parameter.slots
        sums = _empty(sources[0])
        for first, parts in self._read(sources):
            m, v = parts[0] / (1 - b1**t), parts[1] / (1 - b2**t)
            root = np.sqrt(v)
            if root.size and root.min() < eps:
                sums.below_eps += int(np.count_nonzero((root > 0) & (root < eps)))
            if largest:
                root = np.sqrt(parts[2] / (1 - b2**t))
            step = m / (root + eps) if eps > 0 else np.divide(m, root, out=np.zeros_like(m), where=root > 0)
            squares = m**2
            _add(sums, first, raw=squares, square=v, step=step**2)
            if decay:
                squares = (m - decay * (parts[-1] + lr * step / (1 - b1))) ** 2
            _add(sums, first, agree=squares)
        return sums

    def _read(self, sources: Sequence[Tensor]) -> Iterator[tuple[int, tuple[Floats, ...]]]:
        """Pieces of several tensors side by side as float64, with the values of each gathered on the way."""
        gathered = [_blank(t) for t in sources]
        for first, parts in together(*sources, limit=PIECE):
            for values, part in zip(gathered, parts, strict=True):
                _look(values, first, part)
            yield first, parts
        for tensor, values in zip(sources, gathered, strict=True):
            self._values[key(tensor)] = values


_kept: dict[int, Statistics] = {}


def of(checkpoint: Checkpoint) -> Statistics:
    """The statistics of a checkpoint, the same object every time until `forget`."""
    if id(checkpoint) not in _kept:  # it holds on to the checkpoint, so its id stays taken
        _kept[id(checkpoint)] = Statistics(checkpoint)
    return _kept[id(checkpoint)]


def forget() -> None:
    """Drops all that was gathered: other files are being looked at from now on."""
    _kept.clear()


def key(tensor: Tensor) -> Hashable:
    """The same for two names of the same numbers, within the file objects of one reading."""
    storage = getattr(tensor, "storage", None)
    if storage is None:
        return id(tensor)
    return id(storage), getattr(tensor, "offset", 0), tensor.shape, getattr(tensor, "strides", ())


def _blank(tensor: Tensor) -> Values:
    rows = _rows(tensor)
    return Values(math.prod(tensor.shape), np.zeros(rows), np.zeros(rows))


def _rows(tensor: Tensor) -> int:
    rows = tensor.shape[0] if tensor.shape else 1
    return rows if rows <= (MOST_ROWS if len(tensor.shape) > 1 else MOST_ELEMENTS) else 1


@np.errstate(over="ignore")
def _look(values: Values, first: int, part: Floats) -> None:
    if not part.size:
        return
    low, high = float(part.min()), float(part.max())  # a NaN or an infinity shows in one of them
    values.zeros += int(part.size - np.count_nonzero(part))
    if not (math.isfinite(low) and math.isfinite(high)):
        good = np.isfinite(part)
        missing = int(np.count_nonzero(np.isnan(part)))
        values.nan += missing
        values.inf += int(part.size - np.count_nonzero(good)) - missing
        low = float(part.min(initial=math.inf, where=good))
        high = float(part.max(initial=-math.inf, where=good))
        part = np.where(good, part, 0.0)
    values.low, values.high = min(values.low, low), max(values.high, high)
    _put(values.rows, first, np.einsum("ij,ij->i", part, part))
    _put(values.totals, first, part.sum(1))


def _put(into: Floats, first: int, rows: Floats) -> None:
    if len(into) == 1:
        into[0] += rows.sum()
    else:
        into[first : first + len(rows)] += rows


def _empty(tensor: Tensor) -> Sums:
    rows, columns = _rows(tensor), tensor.shape[1] if len(tensor.shape) > 1 else 0
    by_row: list[Floats] = [np.zeros(rows) for _ in range(5)]
    return Sums(
        by_row[0],
        by_row[1],
        by_row[2],
        np.zeros(columns),
        np.zeros(columns),
        by_row[3],
        by_row[4],
        math.prod(tensor.shape),
    )


def _add(sums: Sums, first: int, **parts: Array) -> None:
    for name, part in parts.items():
        _put(getattr(sums, name), first, part.sum(1))
        by_column = {"agree": sums.column_agree, "square": sums.column_square}.get(name)
        if by_column is not None and len(by_column):
            total = part.sum(0)  # kernel positions are added up after the rows: far fewer numbers then
            by_column += total.reshape(len(by_column), -1).sum(1)
