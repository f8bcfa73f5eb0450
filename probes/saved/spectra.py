"""Singular values of weight matrices and what is read off them: stable rank, condition, rank, tail exponent.

All in float64, from the Gram matrix over the smaller dimension: singular values are sure down to some 1e-7 of the
largest one, about what float32 weights resolve.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from ..artifacts import Array, Floats, Tensor

EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
FLOOR = 1e-5
"""Eigenvalues up to here are no part of the fitted density (absolute, as in WeightWatcher 0.7)."""
LEAST_TAIL = 20
"""Eigenvalues below which no exponent is fitted; WeightWatcher goes over to another estimator there."""
BLOCK, PATCH = 1 << 25, 1 << 20
"""Bytes of float64 that are worked on together: in products, and in comparing laws with data (a processor's cache)."""
SPARSE = 16
_reading = threading.Lock()
"""Readers share a file's position between the tensors of a file; the computing goes on in parallel."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What the singular values of one weight say.

    Args:
        rows, columns: of the matrix; a convolution is outputs x (inputs times kernel positions).
        live: the smaller number of its rows or columns that are not all zero.
        stable_rank: sum of squared singular values over the largest one squared; 1 to min(rows, columns).
        condition: largest over smallest singular value; infinite where the rank is not full.
        rank: singular values above the resolution of the file's number format.
        tail: the power law fitted to the eigenvalues; None where there are too few.
    """

    rows: int
    columns: int
    live: int
    stable_rank: float
    condition: float
    rank: int
    tail: Tail | None

    @property
    def full(self) -> int:
        """The largest rank that the shape allows."""
        return min(self.rows, self.columns)


@dataclass(frozen=True, slots=True)
class Tail:
    """A power law p(x) ~ x^-alpha for x >= xmin: its Kolmogorov-Smirnov distance and how many values it covers."""

    alpha: float
    xmin: float
    distance: float
    count: int


def spectrum(tensor: Tensor) -> Spectrum | None:
    """The spectrum of a weight; None where an entry is not finite or all are zero. Raises Unreadable.

    Source of the exponent: Martin and Mahoney's WeightWatcher, pooled over the kernel positions of a convolution.
    """
    with _reading:
        values = np.asarray(tensor.array())
    matrix = values.reshape(values.shape[0], -1)
    gram = _gram(matrix)
    if not np.isfinite(gram).all() or not gram.any():
        return None
    squares = _eigenvalues(gram)
    live = int(min(np.count_nonzero(matrix.any(1)), np.count_nonzero(matrix.any(0))))
    rank = _rank(squares, matrix.shape, tensor.dtype)
    full = min(matrix.shape)
    return Spectrum(
        rows=matrix.shape[0],
        columns=matrix.shape[1],
        live=live,
        stable_rank=float(squares.sum() / squares[-1]),
        condition=math.sqrt(squares[-1] / squares[0]) if rank == full else math.inf,
        rank=rank,
        tail=power_law(squares if values.ndim == 2 else density(values, squares)),
    )


def density(values: Array, whole: Floats) -> Floats:
    """The eigenvalues of the matrices at all kernel positions together, ascending; (out, in, *kernel).

    `whole`: those of outputs x (inputs times positions), which are the answer where there is one position.
    Those of a two-dimensional kernel are halved: WeightWatcher's normalisation, which matters only for its floor.
    """
    scale = 0.5 if values.ndim == 4 else 1.0
    if values[0, 0].size == 1:
        return scale * whole
    slices = np.moveaxis(values.reshape(*values.shape[:2], -1), 2, 0)
    if slices.shape[1] < slices.shape[2]:
        slices = slices.swapaxes(1, 2)
    found, step = [], max(1, BLOCK // (8 * slices[0].size))
    for first in range(0, len(slices), step):
        some = slices[first : first + step].astype(np.float64, order="C")
        found.append(_eigenvalues(some.swapaxes(1, 2) @ some).reshape(-1))
    together: Floats = np.sort(np.concatenate(found))
    return scale * together


def power_law(values: Floats, floor: float = FLOOR) -> Tail | None:
    """The power law of the values above `floor` whose lower end makes its distance to them smallest.

    For each candidate xmin (each value but the largest) alpha = 1 + n / sum ln(x / xmin) over the n values from it on;
    the distance is the largest between 1 - (x / xmin)^(1 - alpha) and the share of smaller values (Clauset, Shalizi,
    Newman 2009). None below 20 values, or where they are all one. O(n^2) time, bounded memory.
    """
    x = np.sort(values[np.isfinite(values) & (values > floor)])
    if len(x) < LEAST_TAIL:
        return None
    logs, count = np.log(x), len(x)
    left = np.arange(count, 0, -1.0)[:-1]
    excess = np.cumsum(logs[::-1])[::-1][:-1] - left * logs[:-1]
    usable = excess > 1e-9 * left
    alphas = 1 + left / np.where(usable, excess, np.inf)
    best = _nearest(logs, alphas, left, usable)
    if not usable[best]:
        return None
    distance = float(_distances(logs, alphas, left, np.array([best]), 1)[0])
    return Tail(float(alphas[best]), float(x[best]), distance, count - best)


def work(tensor: Tensor) -> float:
    """Roughly how much there is to do, in multiplications: products, eigenvalues and the fit."""
    shape = tensor.shape
    rows, rest, kernel = shape[0], shape[1], math.prod(shape[2:])
    whole = sorted((rows, rest * kernel))
    cost = float(whole[0] ** 2 * (whole[1] + 3 * whole[0]))
    if len(tensor.shape) > 2:
        small, large = sorted((rows, rest))
        cost += kernel * float(small**2 * (large + 3 * small))
    return cost + 200.0 * float(min(rows, rest) * kernel) ** 2


def _gram(matrix: Array) -> Floats:
    """The products of its columns (of its rows if these are fewer), block by block."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    small = tall.shape[1]
    step = max(1, BLOCK // (8 * small))
    blocks = (tall[first : first + step].astype(np.float64) for first in range(0, len(tall), step))
    found: Floats = reduce(np.add, (block.T @ block for block in blocks))
    return found


def _eigenvalues(gram: Floats) -> Floats:
    """Ascending and not negative, of one matrix or of each of several."""
    found: Floats = np.maximum(np.linalg.eigvalsh(gram) if gram.shape[-1] > 1 else gram[..., 0], 0.0)
    return found


def _rank(squares: Floats, shape: tuple[int, int], dtype: str) -> int:
    """Singular values above what rounding, in the file's format or in the Gram matrix, gives a matrix of lower rank."""
    size = math.sqrt(squares.sum() / math.prod(shape))
    rounding = EPSILON.get(dtype, EPSILON["float32"]) * size * (math.sqrt(shape[0]) + math.sqrt(shape[1]))
    computing = math.sqrt(EPSILON["float64"] * max(shape) * squares[-1])
    return int(np.count_nonzero(squares > max(rounding, computing) ** 2))


def _nearest(logs: Floats, alphas: Floats, left: Floats, usable: npt.NDArray[np.bool_]) -> int:
    """The candidate of the smallest distance. Distances at some of the points bound those at all from below."""
    bounds = np.where(usable, _distances(logs, alphas, left, np.arange(len(alphas)), SPARSE), np.inf)
    order = np.argsort(bounds, kind="stable")
    best, least = int(order[0]), math.inf
    for first in range(0, len(order), SPARSE):
        some = order[first : first + SPARSE]
        if bounds[some[0]] > least:
            break
        exact = np.where(usable[some], _distances(logs, alphas, left, some, 1), np.inf)
        place = int(np.argmin(exact))
        if (exact[place], some[place]) < (least, best):
            best, least = int(some[place]), float(exact[place])
    return best


def _distances(logs: Floats, alphas: Floats, left: Floats, which: npt.NDArray[np.intp], every: int) -> Floats:
    """For each candidate the largest gap between the law from it on and the data, at every so many-th of the data."""
    points = np.arange(0, len(logs), every)
    found, step = np.empty(len(which)), max(1, PATCH // (8 * len(points)))
    for first in range(0, len(which), step):
        own = which[first : first + step]
        inside = points[None, :] - own[:, None]
        above = np.maximum(logs[points][None, :] - logs[own][:, None], 0.0)
        gaps = np.abs(np.expm1((1 - alphas[own])[:, None] * above) + inside / left[own][:, None])
        found[first : first + step] = np.where(inside >= 0, gaps, 0.0).max(1)
    return found
