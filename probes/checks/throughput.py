"""Throughput: how long steps or epochs took, whether they slow down, stall, or wait for data

What it measures
    The logged times: seconds per step or per epoch, whatever the unit, and the time spent waiting for data where that
    is logged; growth over the run, single stalls, the share of data loading. Logged memory: whether it grows.

Formula
    A column that never falls is a clock, and its differences are the times (negative ones, at restarts, left out).
    Growth: median of the last fifth over the median of the first fifth, first point left out, with a Mann-Kendall z.
    Stall: a time above 10 times the median. Data share: median of data time / time at common places.

Thresholds and sources
    slow-data-loading: waiting for data is more than half of each step (DLCheck, trainproof): suspected, since a log
    does not say whether the wait overlaps with other work; ruled out below a tenth. memory-leak: logged memory grows
    by half or more in a steady trend (z > 5): suspected; or times that grow by half with z > 5 (lists that grow,
    graphs that are kept): inconclusive, as schedules of larger batches or inputs do it too. Stalls are told:
    validation and saving take time.

Evidence
    measured: logged times and memory. inferred: memory behind times that grow.

Reads
    Columns of time, data time and memory in the logs.

Cannot tell
    Whether the speed is what the hardware can do: slow-training needs a profile. Times in columns whose names do not
    say so; a time that is the mean since the start hides growth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Floats, Log, Progress, Series
from ..finding import Curve, Finding, Measure, Plot, Verdict
from ..names import words
from ..series import curves, trends

NEEDS = ("log",)
SPEAKS_TO = ("slow-data-loading", "memory-leak")
COST = "file"
ENOUGH = 10
GROWN, CLEAR = 1.5, 5.0
STALL = 10.0
BOUND, FREE = 0.5, 0.1
MOST_POINTS = 1000
TIME = re.compile(r"^(time|seconds?|secs?|duration|dur|step time|iter time|batch time|epoch time|runtime|elapsed|ms)$")
DATA = re.compile(r"^(data|data time|load(ing)? time|dataloader time|data load(ing)? time|data wait( time)?)$")
MEMORY = re.compile(r"(^|\s)(mem(ory)?|rss|ram|vram)(\s|$)")


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of one column: places, values, growth (ratio, z), how many stalls."""

    series: Series
    x: Floats
    y: Floats
    ratio: float
    z: float
    stalls: int


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Look at the log that says most about time."""
    found = [(log, pace) for log in artifacts.logs if (pace := _pace(log, TIME)) is not None]
    memory = [m for log in artifacts.logs for m in _memory(log)]
    if not found and not memory:
        needs = "a log with the time of every step or epoch, or with the memory used"
        return Finding("throughput", "throughput: no times are logged", "could-not-check", needs=needs)
    verdicts, measures, share = [], [], None
    pace = max((p for _, p in found), key=lambda p: len(p.y), default=None)
    if pace is not None:
        share = next((s for log, p in found if (s := data_share(log, p)) is not None), None)
        verdicts += [*_data_bound(share), *_slowing(pace)]
        measures += _measures(pace, share)
    verdicts += [v for m in memory if (v := _growing(m)) is not None][:1]
    return Finding(
        "throughput",
        _title(pace, share),
        verdicts=tuple(verdicts),
        measures=tuple(measures),
        plots=(_plot(pace),) if pace else (),
    )


def _named(series: Series, pattern: re.Pattern[str]) -> bool:
    return pattern.search(" ".join(words(series.column))) is not None


def _pace(log: Log, pattern: re.Pattern[str]) -> Pace | None:
    """The times of the first column of that name that has ten of them."""
    for series in log.series:
        if _named(series, pattern):
            x, y = times(series)
            if len(y) >= ENOUGH:
                fifth = max(2, len(y) // 5)
                first, last = float(np.median(y[1 : fifth + 1])), float(np.median(y[-fifth:]))
                level = float(np.median(y))
                ratio = last / first if first > 0 else 1.0
                return Pace(series, x, y, ratio, trends.mann_kendall(y[1:]), int(np.count_nonzero(y > STALL * level)))
    return None


def times(series: Series) -> tuple[Floats, Floats]:
    """Places and durations: differences of a clock, the values themselves of anything else."""
    good = np.isfinite(series.y) & (series.y >= 0)
    x, y = series.x[good], series.y[good]
    if len(y) < 3:
        return x, y
    step = np.diff(y)
    is_clock = (
        float(np.mean(step > 0)) > 0.95 and y[-1] > 3 * y[0] and curves.noise(y) < 0.2 * abs(float(np.median(step)))
    )
    return (x[1:][step >= 0], step[step >= 0]) if is_clock else (x, y)


def data_share(log: Log, pace: Pace) -> float | None:
    """The share of a step that waits for data, where the log has both; None otherwise."""
    data = next((s for s in log.series if _named(s, DATA)), None)
    if data is None or data is pace.series:
        return None
    _, i, j = np.intersect1d(pace.x, data.x, return_indices=True)
    whole, part = pace.y[i], data.y[j]
    good = np.isfinite(part) & (whole > 0) & (part >= 0)
    return float(np.median(part[good] / whole[good])) if good.sum() >= ENOUGH else None


def _data_bound(share: float | None) -> list[Verdict]:
    if share is None or share > 1.0:  # another unit, or a clock of its own
        return []
    because = f"{share:.0%} of the time of each step is waiting for data (median)"
    if share > BOUND:
        return [Verdict("slow-data-loading", "suspected", "measured", because, "curves")]
    return [Verdict("slow-data-loading", "ruled_out", "measured", because, "curves")] if share < FREE else []


def _slowing(pace: Pace) -> list[Verdict]:
    if pace.ratio < GROWN or pace.z < CLEAR:
        return []
    because = (
        f"{pace.series.column} grows steadily, to {pace.ratio:.2g} times what it was in the first fifth of the run"
    )
    return [Verdict("memory-leak", "inconclusive", "inferred", because, "curves")]


def _memory(log: Log) -> list[Series]:
    return [s for s in log.series if _named(s, MEMORY) and len(s.y) >= ENOUGH and np.isfinite(s.y).all()]


def _growing(series: Series) -> Verdict | None:
    """Memory that only goes up: a maximum is kept by some logs, so it must still rise in the second half."""
    y, half = series.y, series.y[len(series.y) // 2 :]
    if y[0] <= 0 or trends.mann_kendall(y) < CLEAR or trends.mann_kendall(half) < CLEAR:
        return None
    start, end = float(np.median(y[1 : max(2, len(y) // 10) + 1])), float(np.median(y[-max(2, len(y) // 10) :]))
    if end < GROWN * start or float(half[-1]) < 1.15 * float(half[0]):
        return None
    because = f"{series.column} grows from {start:.4g} to {end:.4g} without a stop, in the second half of the run too"
    return Verdict("memory-leak", "suspected", "measured", because, "memory")


def _measures(pace: Pace, share: float | None) -> list[Measure]:
    name = f"{pace.series.column} per {pace.series.x_name}"
    found = [
        Measure(f"{name} (median, in the log's own unit)", float(np.median(pace.y))),
        Measure(f"{name}: last fifth against the first", pace.ratio, "times", f"> {GROWN:g}"),
        Measure(f"{name}: values above {STALL:g} times the median", pace.stalls),
    ]
    return [*found, Measure("share spent waiting for data", share, "", f"> {BOUND:g}")] if share is not None else found


def _title(pace: Pace | None, share: float | None) -> str:
    if pace is None:
        return "throughput: memory only"
    if share is not None:
        return f"throughput: {share:.0%} of the time waits for data"
    return f"throughput: {pace.series.column} {'grows' if pace.ratio >= GROWN and pace.z > CLEAR else 'is steady'}"


def _plot(pace: Pace) -> Plot:
    kept = curves.thinned(pace.y, MOST_POINTS)
    curve = Curve(pace.series.column, tuple(pace.x[kept].tolist()), tuple(pace.y[kept].tolist()))
    return Plot("time", "lines", (curve,), x_label=pace.series.x_name)
