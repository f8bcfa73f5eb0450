"""How parameters moved between saved checkpoints, and whether a tensor was ever trained at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..artifacts import Checkpoint, Tensor
from . import statistics
from .initial_laws import still_uniform
from .layers import floating, parameters
from .pairs import Pair, gap


@dataclass(frozen=True, slots=True)
class Move:
    """How one parameter moved from the first to the last checkpoint that has it.

    Args:
        relative: |last - first| / |first|; exactly 0 only if every entry is the same. NaN if either is not finite.
        after: the same from the middle checkpoint to the last.
        straight: |last - first| / (|middle - first| + |last - middle|): 1 on a straight line, about 0.7 for a random
            walk in halves; None without a middle checkpoint or without a move.
    """

    name: str
    shape: tuple[int, ...]
    relative: float
    after: float
    straight: float | None


def ends(checkpoints: tuple[Checkpoint, ...]) -> list[Pair]:
    """Those between which moves are measured: first and last, first and middle, middle and last."""
    if len(checkpoints) < 2:
        return []
    first, middle, last = checkpoints[0], checkpoints[len(checkpoints) // 2], checkpoints[-1]
    return [(first, last), *([(first, middle), (middle, last)] if len(checkpoints) > 2 else [])]


def moves(checkpoints: tuple[Checkpoint, ...]) -> list[Move]:
    """One Move for every floating parameter that the first and the last checkpoint share. Raises Unreadable."""
    if len(checkpoints) < 2:
        return []
    first, last = checkpoints[0], checkpoints[-1]
    middle = checkpoints[len(checkpoints) // 2] if len(checkpoints) > 2 else None
    found = []
    for name, end in parameters(last).items():
        start = first.tensors.get(name)
        if start is None or start.shape != end.shape or not floating(start):
            continue
        between = middle.tensors.get(name) if middle else None
        same = between is not None and between.shape == end.shape
        found.append(_move(name, first, middle if same else None, last))
    return found


def _move(name: str, first: Checkpoint, middle: Checkpoint | None, last: Checkpoint) -> Move:
    start, whole = first.tensors[name], gap(first, last, name).distance
    size = statistics.of(first).norm(start)
    relative = whole / size if size > 0 else (0.0 if whole == 0 else math.inf)
    if middle is None:
        return Move(name, start.shape, relative, relative, None)
    one, two = gap(first, middle, name).distance, gap(middle, last, name).distance
    after = two / size if size > 0 else (0.0 if two == 0 else math.inf)
    return Move(name, start.shape, relative, after, whole / (one + two) if one > 0 and two > 0 else None)


def steps_between(a: Checkpoint, b: Checkpoint) -> int | None:
    """Optimizer steps from one checkpoint to another, as far as either counts them; negative after a reset."""
    first = a.optimizer.step if a.optimizer and a.optimizer.step else a.step
    last = b.optimizer.step if b.optimizer and b.optimizer.step else b.step
    return last - first if first is not None and last is not None else None


def untrained(checkpoint: Checkpoint, tensor: Tensor) -> bool | None:
    """Whether a weight matrix still is what a usual initialisation drew (`initial_laws.still_uniform`). Raises
    Unreadable."""
    return still_uniform(tensor, statistics.of(checkpoint).values(tensor))
