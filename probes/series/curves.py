"""Robust statistics of training curves: noise, trend, ends, best point, onset of a rise, first bad value.

Curves are 1-D float arrays in training order. Only `first_bad` accepts NaN and infinities; everything else wants
finite values. NumPy only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Array, Floats

WIDEST = 63
"""Points of a running median."""
MAX_PAIRS = 400
"""Theil-Sen and Mann-Kendall look at all pairs; longer curves are thinned to this many points."""

DEVIATIONS = 2.0
"""A rise of fewer standard deviations of the curve's noise than this is none."""


@dataclass(frozen=True, slots=True)
class Rise:
    """How a curve behaves after its lowest point.

    Args:
        best: index of the minimum (of the curve smoothed over 3 points).
        lowest: the value there.
        end: median of the last tenth.
        ratio: end / lowest.
        correlation: of the values after the minimum with their order.
        high_share: share of the later values that are at least 1.15 x the minimum.
        last_third: median of the last third of the later values / median of the points around the minimum.
        noise: of the logarithm of the whole curve, from point to point.
    """

    best: int
    lowest: float
    end: float
    ratio: float
    correlation: float
    high_share: float
    last_third: float
    noise: float

    @property
    def clear(self) -> bool:
        """Whether the rise stands out of the noise: the criteria by which 450 public logs were labelled."""
        return (self.correlation >= 0.5 and self.high_share >= 0.8) or (
            self.correlation >= 0.4 and self.last_third >= 1.15
        )


def first_bad(y: Floats) -> int | None:
    """The index of the first NaN or infinity."""
    bad = np.flatnonzero(~np.isfinite(y))
    return int(bad[0]) if len(bad) else None


def stays_bad(y: Floats) -> bool:
    """Whether the curve does not come back after its first bad value (at least 4 of 5 later values are bad too).

    A log that writes "nan" where it measured nothing has good values in between: that is no fault.
    """
    first = first_bad(y)
    return first is not None and float(np.mean(~np.isfinite(y[first:]))) >= 0.8


def ends(y: Floats) -> tuple[float, float]:
    """(start, end): the medians of the first 2 % and of the last 10 % of the points, at least one each."""
    n = len(y)
    return float(np.median(y[: max(1, n // 50)])), float(np.median(y[-max(1, n // 10) :]))


def smooth(y: Floats, width: int = 3) -> Floats:
    """A running median of odd `width`; the ends use what is there. Beyond `WIDEST` it is one of the medians of equal
    stretches, with straight lines between them."""
    if width > WIDEST < len(y):
        each = -(-width // WIDEST)
        count = -(-len(y) // each)
        middle = (np.arange(count) + 0.5) * len(y) / count - 0.5
        return np.interp(np.arange(len(y)), middle, smooth(thin(y, count), width // each | 1))
    half = min(width // 2, len(y))
    inner = medians(y, 2 * half + 1)
    edges = [np.array([np.median(y[max(0, i - half) : i + half + 1]) for i in at], dtype=np.float64)
             for at in (range(min(half, len(y))), range(max(half, len(y) - half), len(y)))]  # fmt: skip
    return np.concatenate([edges[0], inner, edges[1]])


def medians(y: Floats, width: int) -> Floats:
    """The median of every `width` neighbours, in order; a piece at a time, since each is copied `width` times."""
    if len(y) < width:
        return np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(y, width)
    each = max(1, (1 << 20) // width)
    return np.concatenate([np.median(windows[i : i + each], axis=1) for i in range(0, len(windows), each)])


def noise(y: Floats) -> float:
    """The standard deviation of the noise, from second differences (a straight line has none), robustly."""
    if len(y) < 4:
        return 0.0
    second = y[2:] - 2 * y[1:-1] + y[:-2]
    return 1.4826 * float(np.median(np.abs(second - np.median(second)))) / math.sqrt(6)


def thin(y: Floats, limit: int = MAX_PAIRS) -> Floats:
    """At most `limit` points: medians of equal stretches."""
    if len(y) <= limit:
        return y
    size, longer = divmod(len(y), limit)  # so many stretches have one point more
    cut = longer * (size + 1)
    parts = y[:cut].reshape(longer, size + 1), y[cut:].reshape(-1, size)
    return np.concatenate([np.median(part, axis=1) for part in parts if len(part)])


def rise(y: Floats) -> Rise:
    """What comes after the minimum of a positive curve. Needs at least one point."""
    flat = smooth(y)
    best = int(np.argmin(flat))
    lowest, (_, end) = float(flat[best]), ends(y)
    later = y[best + 1 :]
    if len(later) < 3 or lowest <= 0:
        return Rise(best, lowest, end, end / lowest if lowest > 0 else 1.0, 0.0, 0.0, 1.0, 0.0)
    order = np.arange(len(later), dtype=np.float64)
    correlation = float(np.corrcoef(order, later)[0, 1]) if np.ptp(later) > 0 else 0.0
    around = float(np.median(y[max(0, best - 2) : best + 2]))
    tail = float(np.median(later[-max(1, len(later) // 3) :]))
    high, jumps = float(np.mean(later >= 1.15 * lowest)), noise(np.log(y)) if y.min() > 0 else 0.0
    return Rise(best, lowest, end, end / lowest, correlation, high, tail / around, jumps)


def onset(y: Floats, best: int, lowest: float) -> int:
    """The index from which a risen curve stays above 1.05 x its minimum."""
    below = np.flatnonzero(y <= 1.05 * lowest)
    return min(int(below[-1]) + 1 if len(below) else best, len(y) - 1)


def still_falling(y: Floats) -> float:
    """The share of the whole fall that happens in the last third: 1/3 for a straight line, about 0 on a plateau."""
    start, end = ends(y)
    if start <= end or len(y) < 6:
        return 0.0
    cut = len(y) * 2 // 3
    return float((np.median(y[max(0, cut - 1) : cut + 2]) - end) / (start - end))


def jitter(y: Floats) -> float:
    """The median step between neighbours relative to the level, over the second half, less what a steady fall or rise
    makes of it."""
    half = y[len(y) // 2 :]
    level = abs(float(np.median(half)))
    if len(half) < 2 or level == 0:
        return 0.0
    steps = np.diff(half)
    return max(0.0, float(np.median(np.abs(steps)) - abs(np.median(steps)))) / level


def spike_factor(y: Floats) -> float:
    """How many times its level a value of a positive curve must reach to be no noise: 3, or six standard deviations.

    They are of log(value / median of the five before), robustly: a loss of single batches may double by chance alone.
    """
    if len(y) < 12 or np.min(y) <= 0:
        return 3.0
    ratios = np.log(y[5:] / medians(y[:-1], 5))
    return max(3.0, math.exp(6 * 1.4826 * float(np.median(np.abs(ratios - np.median(ratios))))))


def spikes(y: Floats, factor: float) -> list[int]:
    """Indices after the first fifth where the curve jumps above `factor` x the median of the five values before and
    later comes back below it: jumps that pass."""
    first = max(5, len(y) // 5)
    if len(y) < first + 2:
        return []
    bound = factor * medians(y[first - 5 : -2], 5)  # of the five before each of the points from `first` on
    lowest = np.minimum.accumulate(y[:first:-1])[::-1]  # of all after it
    here = (bound > 0) & (y[first:-1] > bound) & (y[first - 1 : -2] <= bound) & (lowest < bound)
    return (np.flatnonzero(here) + first).tolist()


def fraction(y: Floats) -> Floats:
    """An accuracy as a fraction, where it may have been logged in percent."""
    return y / 100 if len(y) and float(np.nanmax(y)) > 1.5 else y


def thinned(y: Floats, most: int) -> Array:
    """Indices of at most `most` points that draw the same: lowest, highest and not finite of each stretch.

    Every point if there are no more than that.
    """
    if len(y) <= most:
        return np.arange(len(y))
    kept: set[int] = {0, len(y) - 1}
    for part in np.array_split(np.arange(len(y)), max(1, (most - 2) // 3)):
        bad = part[~np.isfinite(y[part])]
        good = part[np.isfinite(y[part])]
        kept.update(int(i) for i in bad[:1])
        if len(good):
            kept.update((int(good[np.argmin(y[good])]), int(good[np.argmax(y[good])])))
    return np.array(sorted(kept))
