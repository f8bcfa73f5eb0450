"""Two checkpoints entry by entry: their tensors of one name are read side by side, in the one pass over all files."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np

from ..artifacts import Checkpoint, Tensor
from . import statistics
from .blocks import BLOCK, together
from .layers import floating, parameters
from .statistics import Stream, key
from .sums import Gap

Pair = tuple[Checkpoint, Checkpoint]
FEW = 4
"""Tensors side by side whose blocks are of the usual size; those of more are smaller, and take no more memory."""


@dataclass(slots=True)
class Group:
    """Tensors of several checkpoints that are read side by side.

    Args:
        members: checkpoint and tensor by the tensor's key.
        compared: the keys of two, and whose statistics (the first one's) keep what is found.
    """

    members: dict[Hashable, tuple[Checkpoint, Tensor]] = field(default_factory=dict)
    compared: set[tuple[Hashable, Hashable]] = field(default_factory=set)

    def add(self, before: Checkpoint, start: Tensor, after: Checkpoint, end: Tensor) -> None:
        """Takes in two tensors that are compared."""
        self.members |= {key(start): (before, start), key(end): (after, end)}
        self.compared.add((key(start), key(end)))

    def streams(self) -> list[Stream]:
        """What is read for each of them, in the order of the members."""
        return [statistics.of(checkpoint).stream(tensor) for checkpoint, tensor in self.members.values()]

    @property
    def size(self) -> int:
        """Stored bytes that are read."""
        return sum(statistics.stored(t) for stream in self.streams() for t in stream.sources)

    def read(self) -> None:
        """Fills the values of all tensors and the gaps between those that are compared. Raises Unreadable."""
        streams = self.streams()
        tensors = [t for stream in streams for t in stream.held()]
        place = {key(t): i for i, t in enumerate(t for stream in streams for t in stream.sources)}
        gaps = {(a, b): (place[a], place[b], Gap()) for a, b in self.compared}
        with np.errstate(all="ignore"):
            for row, column, parts in together(tensors, BLOCK * FEW // max(FEW, len(tensors))):
                first = 0
                for stream in streams:
                    last = first + len(stream.sources)
                    stream.look(row, column, parts[first:last])
                    first = last
                for one, other, gap in gaps.values():
                    gap.look(parts[one], parts[other])
        for stream in streams:
            stream.numbers.add(stream)
        for (a, b), (_, _, gap) in gaps.items():
            statistics.of(self.members[a][0]).gaps[a, b] = gap


def gap(before: Checkpoint, after: Checkpoint, name: str) -> Gap:
    """How the tensors of one name and shape differ between two checkpoints. Raises Unreadable."""
    start, end = before.tensors[name], after.tensors[name]
    known, place = statistics.of(before).gaps, (key(start), key(end))
    if place not in known:
        alone = Group()
        alone.add(before, start, after, end)
        alone.read()
    return known[place]


def groups(pairs: Iterable[Pair]) -> list[Group]:
    """The parameters that two checkpoints share, of all pairs, where they were not compared yet; every tensor is in one
    group only."""
    found: dict[Hashable, Group] = {}
    for before, after in pairs:
        known = statistics.of(before).gaps
        for name, end in parameters(after).items():
            start = before.tensors.get(name)
            if start is None or start.shape != end.shape or not floating(start) or (key(start), key(end)) in known:
                continue
            group, other = found.get(key(start), Group()), found.get(key(end), Group())
            group.members |= other.members
            group.compared |= other.compared
            group.add(before, start, after, end)
            found |= dict.fromkeys(group.members, group)
    return list({id(group): group for group in found.values()}.values())
