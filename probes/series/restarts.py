"""Several runs in one log, and runs that were resumed: where the x axis goes back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..artifacts import Floats, Series

MOST = 1000
"""An axis that goes back more often counts something else."""


@dataclass(frozen=True, slots=True)
class Restart:
    """One place where a log begins again.

    Args:
        index: of the first point after it.
        fresh: it begins where the log itself began: another run; otherwise a run was resumed.
        overlap: points before it whose x come again after it.
    """

    index: int
    fresh: bool
    overlap: int


def restarts(series: Series) -> list[Restart]:
    """Where x goes back, in order. Rows without an axis never do."""
    x = series.x
    if series.x_name == "row" or len(x) < 2:
        return []
    places = np.flatnonzero(np.diff(x) < 0) + 1
    if len(places) > MOST:
        return []
    found: list[Restart] = []
    for index in places:
        begin = found[-1].index if found else 0
        spacing = float(np.median(np.abs(np.diff(x)))) or 1.0
        fresh = bool(x[index] <= x[0] + spacing)
        found.append(Restart(int(index), fresh, int(np.count_nonzero(x[begin:index] >= x[index]))))
    return found


def last_run(series: Series) -> Series:
    """The run that a log ends with: without earlier runs, and without points that a resumed run wrote again."""
    found = restarts(series)
    if not found:
        return series
    start = max((r.index for r in found if r.fresh), default=0)
    kept = np.ones(len(series.x), dtype=bool)
    kept[:start] = False
    for r in found:
        if not r.fresh and r.index > start:
            earlier = np.arange(len(series.x)) < r.index
            kept &= ~(earlier & (series.x >= series.x[r.index]))
    return replace(
        series, x=series.x[kept], y=series.y[kept], epoch=None if series.epoch is None else series.epoch[kept]
    )


def around(y: Floats, index: int, count: int = 5) -> tuple[Floats, Floats]:
    """Up to `count` finite values before and after a place."""
    good = np.isfinite(y)
    before = y[:index][good[:index]][-count:]
    return before, y[index:][good[index:]][:count]
