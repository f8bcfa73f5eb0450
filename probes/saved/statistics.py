"""What the numbers of a checkpoint add up to: one streaming pass, kept, and shared by all probes.

Every tensor is read once, in pieces and in bounded memory; the moments of one parameter are read side by side, together
with its weight where a formula needs both, and with the same weights of other checkpoints where these are compared
(`pairs`). `gather` in `reading` does all of it at once, on two threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..artifacts import Array, Checkpoint, Floats, ParameterState, Tensor
from ..readers.checkpoints.lazy import LazyTensor, decode
from ..readers.checkpoints.library_tensor import LibraryTensor
from . import lanes
from .blocks import BLOCK, together
from .identities import Rule, rule
from .initial_laws import HEAD, head_wanted, may_be_drawn
from .layers import floating
from .moments import option, options
from .sums import Gap, Sums, Values, blank_sums, blank_values, look

MOST_KEPT = 384 << 20
"""Bytes of tensors that are kept whole."""
MOST_HEADS = 64 << 20
"""Bytes of first entries that are kept."""


Job = tuple[int, Callable[[], object]]
"""Stored bytes, and what reads them; it raises Unreadable."""


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
    gaps: dict[tuple[Hashable, Hashable], Gap] = field(default_factory=dict)
    """Between tensors of this checkpoint and of later ones, by the keys of both; `pairs` fills and reads them."""
    _heads: int = 0
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
        if place not in self._values:
            self.stream(tensor).read()
        return self._values[place]

    def sums(self, parameter: ParameterState) -> Sums | None:
        """The sums of one parameter's state; None if it has none that is understood. Raises Unreadable."""
        if parameter.index not in self._sums:
            stream = self._state(parameter)
            if stream is None:
                self._sums[parameter.index] = None
            else:
                stream.read()
        return self._sums[parameter.index]

    def stream(self, tensor: Tensor) -> Stream:
        """What is to be read for a tensor's values: the state that it is read side by side with, else it alone."""
        place = key(tensor)
        owner = self._owners.get(place) if place not in self._values else None
        found = self._state(owner) if owner is not None else None
        return found if found is not None else self._stream([tensor])

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
        if place not in self._whole and (place in self._wanted or tensor.numel == 1):
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

    def jobs(self, state: bool, taken: Iterable[Hashable] = ()) -> list[Job]:
        """All that was not read yet: the floating weights and, if wished, the optimizer's state; without what the
        tensors of the keys `taken` are read with."""
        found: list[Job] = []
        optimizer, done = self.checkpoint.optimizer, set(taken)
        for parameter in optimizer.parameters if optimizer is not None and state else ():
            sources = self._sources(parameter)
            if sources and parameter.index not in self._sums and done.isdisjoint(places := [key(t) for t in sources]):
                found.append((sum(map(stored, sources)), partial(self.sums, parameter)))
                done.update(places)
        for tensor in self.checkpoint.tensors.values():
            if (place := key(tensor)) not in done and place not in self._values and floating(tensor):
                found.append((stored(tensor), partial(self.values, tensor)))
                done.add(place)
        return found

    def add(self, stream: Stream) -> None:
        """Takes in what a stream has gathered once it is read to its end."""
        for tensor, values in zip(stream.sources, stream.gathered, strict=True):
            if len(values.head) and may_be_drawn(tensor, values) and self._heads < MOST_HEADS:
                self._heads += values.head.nbytes
            else:
                values.head = np.zeros(0)
            self._values[key(tensor)] = values
        if stream.parameter is not None:
            self._sums[stream.parameter.index] = stream.sums

    def _sources(self, parameter: ParameterState) -> tuple[Tensor, ...]:
        """The tensors that are read side by side for one parameter."""
        how = self._rules[parameter.index]
        return how.sources if how is not None else ()

    def _state(self, parameter: ParameterState) -> Stream | None:
        """The stream of one parameter's state; None if it has none that is understood."""
        how = self._rules[parameter.index]
        if how is None or any(s.shape != how.sources[0].shape for s in how.sources):
            return None
        sums = blank_sums(how.like or how.sources[0].shape)
        return self._stream(how.sources, partial(how.add, sums), sums, parameter)

    def _stream(
        self,
        sources: Sequence[Tensor],
        take: Callable[..., Sequence[Floats | None]] | None = None,
        sums: Sums | None = None,
        parameter: ParameterState | None = None,
    ) -> Stream:
        gathered = [blank_values(t, moment=key(t) in self._moments) for t in sources]
        return Stream(self, sources, gathered, take, sums, parameter)


@dataclass(slots=True)
class Stream:
    """Tensors of one checkpoint that are read side by side, and what all their blocks are added to.

    Args:
        gathered: the values of each of the sources.
        take: adds a block of each to `sums`; None where only the values are wanted.
        parameter: the one that the sums belong to.
    """

    numbers: Statistics
    sources: Sequence[Tensor]
    gathered: list[Values]
    take: Callable[..., Sequence[Floats | None]] | None
    sums: Sums | None
    parameter: ParameterState | None
    width: int = field(init=False)
    """Stored bytes of a number of each of them."""

    def __post_init__(self) -> None:
        self.width = sum(map(itemsize, self.sources))

    def read(self) -> None:
        """Reads it to its end. Raises Unreadable."""
        sources = self.held()
        with np.errstate(all="ignore"):
            if self.take is None and (codes := lanes.stored(sources[0], BLOCK)) is not None:
                for row, part in codes:
                    if row == 0:
                        self._begin([decode(part.ravel()[:HEAD], sources[0].dtype)])
                    lanes.look(self.gathered[0], row, part, sources[0].dtype)
                    self.numbers.seen += part.nbytes
            else:
                for row, column, parts in together(sources, BLOCK):
                    self.look(row, column, parts)
        self.numbers.add(self)

    def held(self) -> list[Tensor]:
        """The sources, in memory where they are kept there. Raises Unreadable."""
        return [self.numbers.held(t) for t in self.sources]

    def look(self, row: int, column: int, parts: Sequence[Array]) -> None:
        """Adds a block of each of the sources."""
        if row == column == 0:
            self._begin(parts)
        known = self.take(row, column, parts) if self.take is not None else [None for _ in parts]
        for values, part, squares in zip(self.gathered, parts, known, strict=True):
            look(values, row, part, squares)
        self.numbers.seen += parts[0].size * self.width

    def _begin(self, parts: Sequence[Array]) -> None:
        """Keeps the first entries of those of the sources that are weights."""
        for tensor, values, part in zip(self.sources, self.gathered, parts, strict=True):
            if len(values.rows) and not len(values.head) and head_wanted(tensor):
                values.head = part.reshape(-1)[:HEAD].copy()


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
    if type(tensor) is LazyTensor:  # others lie in several pieces
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
    if type(tensor) is LazyTensor:  # as nearly all are
        return id(tensor.storage), tensor.offset, tensor.shape, tensor.strides
    storage = getattr(tensor, "storage", None)
    if storage is None:
        return id(tensor)
    return id(storage), getattr(tensor, "offset", 0), tensor.shape, getattr(tensor, "strides", ())
