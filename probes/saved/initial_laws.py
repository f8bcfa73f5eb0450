"""Whether a tensor still is what a usual initialisation drew, told by its bounds, its sums and its first entries.

The one pass over a file keeps the first entries of those tensors only whose bounds and sums leave it open.
"""

from __future__ import annotations

import math

import numpy as np

from ..artifacts import Floats, Tensor
from .layers import RECURRENT
from .sums import Values

HEAD = 1 << 14
"""Entries that are kept, of which the distribution is taken: a Kolmogorov-Smirnov distance of .015 shows."""
FEWEST = 100
"""Entries of a tensor that is judged."""
SURE = 1000
"""Entries below which only PyTorch's own law is asked for: with few, 12/n is wide, and one of many bounds fits soon."""
LEVEL = 0.001
"""Of the Kolmogorov-Smirnov test."""
NEAR = 0.1
"""How far the RMS of a table that was drawn from N(0, 1) may be from 1, in any case."""


def head_wanted(tensor: Tensor) -> bool:
    """Whether the first entries are kept while a tensor is read: of matrices, kernels and tables."""
    return len(tensor.shape) >= 2 and tensor.numel >= FEWEST


def may_be_drawn(tensor: Tensor, values: Values) -> bool:
    """Whether bounds and sums leave it open that a tensor is as it was drawn."""
    if values.bad:
        return False
    used = int(np.count_nonzero(values.rows)) / max(1, len(values.rows)) * tensor.numel
    normal = used > 0 and abs(math.sqrt(float(values.rows.sum()) / used) - 1) < NEAR
    return normal or bool(_bounds(tensor, values))


def still_uniform(tensor: Tensor, values: Values) -> bool | None:
    """Whether a weight matrix still is what a usual initialisation drew: U(-b, b).

    True needs three things: no entry outside b, an entry within 12/n of b, and a Kolmogorov-Smirnov p above 0.001
    against the uniform, of the first HEAD entries. PyTorch's own bound: 36 of 36 frozen tensors, 0 of 633 trained ones.
    Normal laws have no edge over which a small step leads, so they are not asked. None below 100 entries, and where the
    first entries were not kept; other initialisations read as False.
    """
    if not head_wanted(tensor):
        return None
    bounds = _bounds(tensor, values)
    if not bounds:
        return False
    if not len(values.head):
        return None
    ordered = np.sort(np.abs(values.head.astype(np.float64)))
    return any(_p(_distance(ordered / b), len(ordered)) > LEVEL for b in bounds)


def still_normal(tensor: Tensor, values: Values) -> bool:
    """Whether a table still is what PyTorch draws for embeddings, N(0, 1): Kolmogorov-Smirnov p above 0.001.

    Judged by the first rows, of which those of zeros (padding) are left out. False below 100 entries.
    """
    columns = tensor.shape[-1]
    rows = values.head[: len(values.head) // columns * columns].reshape(-1, columns)
    entries = rows[(rows != 0).any(1)].astype(np.float64).ravel()
    if len(entries) < FEWEST or not np.isfinite(entries).all():
        return False
    phi = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in np.sort(entries)])
    return _p(_distance(phi), len(entries)) > LEVEL


def _bounds(tensor: Tensor, values: Values) -> list[float]:
    """The bounds of usual laws that the largest entry just reaches."""
    near = 1 - 12 / tensor.numel
    return [b for b in _drawn_bounds(tensor) if b * near < values.largest <= b * (1 + 1e-6)]


def _drawn_bounds(tensor: Tensor) -> list[float]:
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


def _distance(ordered: Floats) -> float:
    """The Kolmogorov-Smirnov statistic of values in [0, 1], in order, against the uniform."""
    steps = np.arange(1, len(ordered) + 1) / len(ordered)
    return float(np.max(np.maximum(steps - ordered, ordered - steps + 1 / len(ordered))))


def _p(d: float, n: int) -> float:
    """The asymptotic p value of the one-sample Kolmogorov-Smirnov statistic (Stephens' correction)."""
    x = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * d
    if x < 0.2:
        return 1.0
    terms = (math.copysign(math.exp(-2 * k * k * x * x), k % 2 - 0.5) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))
