"""How parameters moved between saved checkpoints, and whether a tensor was ever trained at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Checkpoint, Floats, Tensor
from . import statistics
from .layers import RECURRENT, floating, parameters
from .pairs import Pair, gap

MOST_TESTED = 1 << 22
SURE = 1000
"""Entries below which only PyTorch's own law is asked for: with few, 12/n is wide, and one of many bounds fits soon."""


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
    """Whether a weight matrix still is what a usual initialisation drew: U(-b, b).

    True needs three things: no entry outside b, an entry within 12/n of b, and a Kolmogorov-Smirnov p above 0.001
    against the uniform. PyTorch's own bound: 36 of 36 frozen tensors, 0 of 633 trained ones. Normal laws have no edge
    over which a small step leads, so they are not asked. None below 100 entries; other initialisations read as False.
    Where the largest entry fits and the tensor is not kept whole, its first `MOST_TESTED` entries are read again.
    """
    n = math.prod(tensor.shape)
    if n < 100 or len(tensor.shape) < 2:
        return None
    numbers = statistics.of(checkpoint)
    largest = numbers.values(tensor).largest
    bounds = [b for b in drawn_bounds(tensor) if b * (1 - 12 / n) < largest <= b * (1 + 1e-6)]
    if not bounds:
        return False
    _, some = next(numbers.held(tensor).chunks(8 * MOST_TESTED))
    values = np.sort(np.abs(np.asarray(some, dtype=np.float64).ravel()[:MOST_TESTED]))
    return any(_ks_p(_ks(values / b), len(values)) > 0.001 for b in bounds)


def drawn_bounds(tensor: Tensor) -> list[float]:
    """The bounds of the uniform laws that matrices and kernels are drawn from: PyTorch's 1/sqrt(fan in) (for recurrent
    tensors 1/sqrt(hidden)), He's sqrt(6 / fan in), LeCun's sqrt(3 / fan in), and sqrt(6 / (fan in + fan out)) of Glorot
    and Bengio (2010), which is Keras' own; kernels have their channels first, or last as there."""
    rows, fan = tensor.shape[0], math.prod(tensor.shape[1:])
    if RECURRENT.search(tensor.name):
        sizes = [rows, rows // 3, rows // 4]
        return [1 / math.sqrt(size) for size in sizes if size]
    first = (fan, rows * math.prod(tensor.shape[2:]))
    last = (math.prod(tensor.shape[:-1]), math.prod(tensor.shape[:-2]) * tensor.shape[-1])
    found = [1 / math.sqrt(fan)] if fan else []
    if tensor.numel < SURE:
        return found
    for inward, outward in {first, last}:
        if inward and outward:
            found += [math.sqrt(6 / inward), math.sqrt(3 / inward), math.sqrt(6 / (inward + outward))]
    return found


def drawn_normal(tensor: Tensor, most: int = 1 << 16) -> bool:
    """Whether a table still is what PyTorch draws for embeddings, N(0, 1): Kolmogorov-Smirnov p above 0.001.

    Judged by the first rows of up to `most` entries, rows of zeros (padding) left out. False below 100 entries.
    """
    _, rows = next(tensor.chunks(8 * most))
    values = np.asarray(rows[(rows != 0).any(1)], dtype=np.float64).ravel()[:most]
    if len(values) < 100 or not np.isfinite(values).all():
        return False
    phi = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in np.sort(values)])
    return _ks_p(_ks(phi), len(values)) > 0.001


def _ks(ordered: Floats) -> float:
    """The Kolmogorov-Smirnov statistic of values in [0, 1], in order, against the uniform."""
    steps = np.arange(1, len(ordered) + 1) / len(ordered)
    return float(np.max(np.maximum(steps - ordered, ordered - steps + 1 / len(ordered))))


def _ks_p(d: float, n: int) -> float:
    """The asymptotic p value of the one-sample Kolmogorov-Smirnov statistic (Stephens' correction)."""
    x = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * d
    if x < 0.2:
        return 1.0
    terms = (math.copysign(math.exp(-2 * k * k * x * x), k % 2 - 0.5) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))
