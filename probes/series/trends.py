"""Trends of noisy curves: slope with its confidence, test for a trend, change points, what training on would give.

Curves are 1-D float arrays in training order, finite. NumPy only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from ..artifacts import Array, Floats
from .curves import noise, smooth, thin


@dataclass(frozen=True, slots=True)
class Slope:
    """Theil-Sen's slope, y units per x unit, and its confidence interval."""

    value: float
    low: float
    high: float


def theil_sen(x: Floats, y: Floats, confidence: float = 0.95) -> Slope:
    """The median of the slopes of all pairs of points, with Sen's interval (1968); zeros without two different x.

    Longer curves are thinned to `curves.MAX_PAIRS` points, which widens the interval.
    """
    x, y = thin(x), thin(y)
    n = len(x)
    i, j = np.triu_indices(n, k=1)
    run = x[j] - x[i]
    slopes = np.sort((y[j] - y[i])[run > 0] / run[run > 0])
    if not len(slopes):
        return Slope(0.0, 0.0, 0.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    sigma = math.sqrt(max(0.0, (n * (n - 1) * (2 * n + 5) - _tied(x) - _tied(y)) / 18))
    low = max(0, round((len(slopes) - z * sigma) / 2) - 1)
    high = min(len(slopes) - 1, round((len(slopes) + z * sigma) / 2))
    return Slope(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))


def mann_kendall(y: Floats) -> float:
    """The z score of a trend, negative when falling (normal approximation, corrected for ties); 0 below 4 points."""
    y = thin(y)
    n = len(y)
    if n < 4:
        return 0.0
    i, j = np.triu_indices(n, k=1)
    s = float(np.sign(y[j] - y[i]).sum())
    variance = (n * (n - 1) * (2 * n + 5) - _tied(y)) / 18
    return float((s - np.sign(s)) / math.sqrt(variance)) if variance > 0 else 0.0


def _tied(y: Floats) -> float:
    """What groups of equal values take from the variance of Kendall's S, times 18."""
    _, counts = np.unique(y, return_counts=True)
    return float((counts * (counts - 1) * (2 * counts + 5)).sum())


def change_points(y: Floats, most: int = 4) -> list[int]:
    """Indices at which one straight line gives way to another, in order.

    Binary segmentation of straight-line fits, after values far from the running median of five were pulled in. A cut is
    kept where it saves more than the Bayesian information criterion asks of three more parameters, twice over, since
    the places are searched for. No stretch is shorter than a twentieth of the curve (6 points at least). Curves of more
    than 2,000 points are thinned; indices are of the curve as given.
    """
    flat = thin(y, 2000)
    if len(flat) < 8:
        return []
    middle, reach = smooth(flat, 5), 4 * noise(flat)
    flat = np.clip(flat, middle - reach, middle + reach) if reach > 0 else flat
    sums = _prefix(flat)
    cuts = [0, len(flat)]
    while len(cuts) - 2 < most:
        found = [c for a, b in pairwise(cuts) if (c := _best_cut(sums, a, b)) is not None]
        if not found:
            break
        cuts = sorted([*cuts, max(found)[1]])
    return [round(c * len(y) / len(flat)) for c in _settled(sums, cuts)[1:-1]]


def _settled(sums: Floats, cuts: list[int]) -> list[int]:
    """Each cut at its best place between its neighbours; those that no longer pay are left out."""
    for _ in range(2):
        for cut in cuts[1:-1]:
            place = cuts.index(cut)
            better = _best_cut(sums, cuts[place - 1], cuts[place + 1])
            cuts = [*cuts[:place], *([better[1]] if better else []), *cuts[place + 1 :]]
    return cuts


def _prefix(y: Floats) -> Floats:
    """Running sums of 1, x, y, x x, x y, y y: the squared error of any stretch's line comes from their differences."""
    x = np.arange(len(y), dtype=np.float64) / len(y)
    y = (y - y.mean()) / (np.ptp(y) or 1.0)
    parts = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    return np.concatenate([np.zeros((6, 1)), np.cumsum(parts, axis=1)], axis=1)


def _error(sums: Floats, a: Array, b: Array) -> Floats:
    """Squared error of the best line over [a, b), for arrays of ends."""
    n, x, y, xx, xy, yy = np.subtract(sums[:, b], sums[:, a])
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = xx - x * x / n
        slope = np.where(spread > 1e-15, (xy - x * y / n) / spread, 0.0)
    return np.asarray(np.maximum(yy - y * y / n - slope * slope * spread, 1e-12))


def _best_cut(sums: Floats, a: int, b: int) -> tuple[float, int] | None:
    """(what it saves, where) of the best cut of a stretch that is worth its parameters."""
    n, least = b - a, max(6, sums.shape[1] // 20)
    if n < 2 * least:
        return None
    places = np.arange(a + least, b - least + 1)
    split = _error(sums, np.full_like(places, a), places) + _error(sums, places, np.full_like(places, b))
    whole = float(_error(sums, np.array([a]), np.array([b]))[0])
    best = int(np.argmin(split))
    saved = n * math.log(whole / float(split[best])) - 2 * 3 * math.log(n)
    return (saved, int(places[best])) if saved > 0 else None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What training on for as long again would give, if the curve goes on as it did.

    Args:
        now: the level at the end.
        then: the level after as many points again.
        gain: 1 - then / now.
        floor: the level that the fit tends to.
    """

    now: float
    then: float
    gain: float
    floor: float


def outlook(y: Floats) -> Outlook | None:
    """Fits a + b t^-c to the last two thirds of a falling positive curve; None where that does not fit well.

    Curves of loss against steps are close to such a law over decades of steps. The exponent is searched on a grid, a
    and b by least squares with a >= 0; the fit must explain 0.8 of the variance of the smoothed curve, and the
    exponent must lie within the grid.
    """
    if len(y) < 12 or y.min() <= 0:
        return None
    flat, n = thin(smooth(y, 5)), len(y)
    t = (np.arange(len(flat)) + 1.0) * n / len(flat)
    part = slice(len(flat) // 3, None)
    t, flat = t[part], flat[part]
    best: tuple[float, float, float, float] | None = None
    for c in np.linspace(0.05, 2.0, 40):
        power = t**-c
        b = float(((power - power.mean()) * (flat - flat.mean())).sum() / ((power - power.mean()) ** 2).sum())
        a = float(flat.mean() - b * power.mean())
        if a < 0:
            a, b = 0.0, float((power * flat).sum() / (power**2).sum())
        error = float(((flat - a - b * power) ** 2).sum())
        if b > 0 and (best is None or error < best[0]):
            best = (error, a, b, float(c))
    total = float(((flat - flat.mean()) ** 2).sum())
    if best is None or total == 0 or best[0] > 0.2 * total:
        return None
    _, a, b, c = best
    if c > 1.9 and a == 0:
        return None  # it falls faster than any such law
    now, then = a + b * n**-c, a + b * (2 * n) ** -c
    return Outlook(now, then, 1 - then / now, a)
