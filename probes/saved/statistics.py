"""What the numbers of a checkpoint add up to: one streaming pass, kept, and shared by all probes.

Every tensor is read once, in pieces and in bounded memory; the moments of one parameter are read side by side, together
with its weight where a formula needs both. `gather` in `reading` does all of it at once, on two threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..artifacts import Checkpoint, Floats, ParameterState, Tensor
from ..readers.checkpoints.lazy import LazyTensor
from ..readers.checkpoints.library_tensor import LibraryTensor
from . import lanes
from .blocks import BLOCK, together
from .identities import Rule, rule
from .layers import floating
from .moments import option, options
from .sums import Sums, Values, blank_sums, blank_values, look

MOST_KEPT = 384 << 20
"""Bytes of tensors that are kept whole."""


@dataclass(slots=True)
class Statistics:
    """All numbers about one checkpoint, each gathered when it is first asked for."""

    checkpoint: Checkpoint
    _values: dict[Hashable, Values] = field(default_factory=dict)
    _sums: dict[int, Sums | None] = field(default_factory=dict)
    _rules: dict[int, Rule | None] = field(default_factory=dict)
    _owners: dict[Hashable, ParameterState] = field(default_factory=dict)
    _moments: set[Hashable] = field(default_factory=set)
    _wanted: set[Hashable] = field(default_factory=set)
    _whole: dict[Hashable, Tensor] = field(default_factory=dict)
    seen: int = 0
    """Stored bytes that were read so far: for progress, and so not guarded against two threads."""

    def __post_init__(self) -> None:
        state, tensors = self.checkpoint.optimizer, self.checkpoint.tensors
        for parameter in state.parameters if state is not None else ():
            weight = tensors.get(parameter.name) if parameter.name else None
            self._rules[parameter.index] = rule(state, parameter, weight) if state is not None else None
            self._moments |= {key(tensor) for tensor in parameter.slots.values()}
            for tensor in self._sources(parameter):
                self._owners[key(tensor)] = parameter

    def values(self, tensor: Tensor) -> Values:
        """Counts, bounds and sums of a tensor of this checkpoint. Raises Unreadable."""
        place = key(tensor)
        owner = self._owners.get(place)
        if place not in self._values and owner is not None:
            self.sums(owner)
        if place not in self._values:
            self._read([tensor])
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

    def keep(self, tensors: Iterable[Tensor]) -> None:
        """Names tensors that are wanted whole: each is read once and then stays in memory, the smallest first, up to
        `MOST_KEPT` bytes in all."""
        room = MOST_KEPT
        for tensor in sorted({key(t): t for t in tensors}.values(), key=stored):
            room -= stored(tensor)
            if room < 0:
                return
            self._wanted.add(key(tensor))

    def held(self, tensor: Tensor) -> Tensor:
        """The same tensor in memory, if it is one of those that are kept (or one number), else as it is.

        Raises:
            Unreadable
        """
        place = key(tensor)
        if (place in self._wanted or tensor.numel == 1) and place not in self._whole:
            self._whole[place] = in_memory(tensor)
        return self._whole.get(place, tensor)

    def norm(self, tensor: Tensor) -> float:
        """The Euclidean norm of a tensor; NaN where an entry is not finite."""
        return self.values(tensor).norm

    def update_norm(self, parameter: ParameterState) -> float | None:
        """The norm of the last update without weight decay; None where the file does not hold it (`identities`).

        Exact as long as the scheduler has not changed the learning rate since (Nesterov: its buffer's step).
        """
        state, sums, how = self.checkpoint.optimizer, self.sums(parameter), self._rules[parameter.index]
        if state is None or sums is None or how is None or how.update is None:
            return None
        return how.update * option(options(state, parameter), "lr", 0.0) * math.sqrt(float(sums.step.sum()))

    @property
    def finite(self) -> bool:
        """Whether all floating tensors of the model are finite."""
        return not any(self.values(t).bad for t in self.checkpoint.tensors.values() if floating(t))

    def jobs(self, state: bool) -> list[tuple[int, Callable[[], object]]]:
        """(stored bytes, what reads them) of all that was not read yet: the floating weights and, if wished, the
        optimizer's state. Each raises Unreadable."""
        found: list[tuple[int, Callable[[], object]]] = []
        optimizer, taken = self.checkpoint.optimizer, set[Hashable]()
        for parameter in optimizer.parameters if optimizer is not None and state else ():
            sources = self._sources(parameter)
            if sources and parameter.index not in self._sums:
                found.append((sum(map(stored, sources)), partial(self.sums, parameter)))
                taken |= {key(t) for t in sources}
        for tensor in self.checkpoint.tensors.values():
            if (place := key(tensor)) not in taken and place not in self._values and floating(tensor):
                found.append((stored(tensor), partial(self.values, tensor)))
                taken.add(place)
        return found

    def _sources(self, parameter: ParameterState) -> tuple[Tensor, ...]:
        """The tensors that are read side by side for one parameter."""
        how = self._rules[parameter.index]
        return how.sources if how is not None else ()

    def _gather(self, parameter: ParameterState) -> Sums | None:
        how = self._rules[parameter.index]
        if how is None or any(s.shape != how.sources[0].shape for s in how.sources):
            return None
        sums = blank_sums(how.like or how.sources[0].shape)
        self._read(how.sources, partial(how.add, sums))
        return sums

    def _read(self, sources: Sequence[Tensor], add: Callable[..., Sequence[Floats | None]] | None = None) -> None:
        """Reads tensors side by side: `add` gets every block of them, and the values of each are gathered."""
        keys = [key(t) for t in sources]
        gathered = [blank_values(t, moment=k in self._moments) for t, k in zip(sources, keys, strict=True)]
        unknown, sizes = [None for _ in sources], [itemsize(t) for t in sources]
        sources = [self.held(t) for t in sources]
        with np.errstate(all="ignore"):
            if add is None and (codes := lanes.stored(sources[0], BLOCK)) is not None:
                for row, part in codes:
                    lanes.look(gathered[0], row, part, sources[0].dtype)
                    self.seen += part.nbytes
            else:
                for row, column, parts in together(sources, BLOCK):
                    known = unknown if add is None else add(row, column, parts)
                    for values, part, squares in zip(gathered, parts, known, strict=True):
                        look(values, row, part, squares)
                    self.seen += sum(part.size * size for part, size in zip(parts, sizes, strict=True))
        self._values.update(zip(keys, gathered, strict=True))


_kept: dict[int, Statistics] = {}


def of(checkpoint: Checkpoint) -> Statistics:
    """The statistics of a checkpoint, the same object every time until `forget`."""
    if id(checkpoint) not in _kept:  # it holds on to the checkpoint, so its id stays taken
        _kept[id(checkpoint)] = Statistics(checkpoint)
    return _kept[id(checkpoint)]


def forget() -> None:
    """Drops all that was gathered: other files are being looked at from now on."""
    _kept.clear()


def in_memory(tensor: Tensor) -> Tensor:
    """The same numbers, read now. Raises Unreadable."""
    if isinstance(tensor, LazyTensor):
        return tensor.loaded()
    numbers = tensor.array()
    return LibraryTensor(tensor.name, tensor.shape, tensor.dtype, lambda: numbers)


def itemsize(tensor: Tensor) -> int:
    """Bytes of one stored number; 4 where the tensor does not say."""
    return int(getattr(tensor, "itemsize", 4))


def stored(tensor: Tensor) -> int:
    """Bytes that a tensor takes in its file."""
    return tensor.numel * itemsize(tensor)


def key(tensor: Tensor) -> Hashable:
    """The same for two names of the same numbers, within the file objects of one reading."""
    storage = getattr(tensor, "storage", None)
    if storage is None:
        return id(tensor)
    return id(storage), getattr(tensor, "offset", 0), tensor.shape, getattr(tensor, "strides", ())
