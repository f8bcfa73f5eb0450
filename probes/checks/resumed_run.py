"""Resumed runs: whether training went on where it had stopped

What it measures
    Places where the step or epoch of a log goes back: how many runs the log holds, and how far the loss lies off
    where a run was resumed.

Formula
    Resumed: x goes back, but not to where the log began. Jump: the median of the first five values after it, over the
    median of the last five values before the same x. Noise from second differences of the loss before it.

Thresholds and sources
    checkpoint-mismatch: the loss after a resume lies 10 % and 6 standard errors of its noise above where it was:
    suspected (weights restored, the optimizer's state, the schedule or the running statistics not), and ruled out
    within 2 standard errors or 2 %. Adam without its state takes large first steps; a jump then heals within some
    hundred steps. A new run in the same file is told: later runs are judged by themselves.

Evidence
    measured: the jump against its own noise. inferred: no jump, so all was restored.

Reads
    Logs with a step or epoch that goes back at least once.

Cannot tell
    A resume that goes on at the very next step without any trace in the log. Other data after the resume (the
    sampler's state lost) may move the loss as well.
"""

from __future__ import annotations

import math

import numpy as np

from ..artifacts import Artifacts, Progress, Series
from ..finding import Curve, Finding, Measure, Plot, Verdict
from ..series import curves
from ..series.restarts import Restart, around, restarts

NEEDS = ("log",)
SPEAKS_TO = ("checkpoint-mismatch",)
COST = "file"
JUMP, SURE, SAME = 0.10, 6.0, 2.0
ENOUGH = 8
MOST_POINTS = 1000


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Look for restarts in the training loss (or what comes next to it) of every log."""
    losses = [
        s for log in artifacts.logs for s in log.series if s.name in {"train/loss", "val/loss", "train/loss_step"}
    ]
    series, found = next(((s, r) for s in losses if (r := restarts(s))), (None, []))
    if not losses:
        return Finding("resumed-run", "resumed runs: no loss", "could-not-check", needs="a log with a loss")
    if series is None:
        return Finding("resumed-run", "the log goes through once")
    resumed = [r for r in found if not r.fresh]
    verdicts = [v for r in resumed if (v := judge(series, r)) is not None]
    runs = 1 + sum(r.fresh for r in found)
    title = f"the log holds {runs} run{'s' if runs > 1 else ''}, resumed {len(resumed)} times"
    return Finding(
        "resumed-run",
        title,
        verdicts=tuple(sorted(verdicts, key=lambda v: v.verdict != "suspected")[:1]),
        measures=(
            Measure("runs in the log", runs),
            Measure("resumed", len(resumed), "times"),
            Measure("points written twice", sum(r.overlap for r in resumed)),
        ),
        plots=(_plot(series, found),),
    )


def judge(series: Series, restart: Restart) -> Verdict | None:
    """Whether the loss goes on where it was; None with too few points, or losses that are not positive."""
    stop = restart.index - restart.overlap
    before, after = around(series.y, stop)[0], around(series.y, restart.index)[1]
    past = series.y[:stop][np.isfinite(series.y[:stop])]
    if len(past) < ENOUGH or len(after) < 3 or min(before.min(), after.min()) <= 0:
        return None
    was, now = float(np.median(before)), float(np.median(after))
    error = 1.2533 * curves.noise(past[-50:]) * math.sqrt(1 / len(before) + 1 / len(after))
    place = f"{series.x_name} {series.x[restart.index]:g}"
    because = f"resumed at {place}: {series.name} is {now:.3g} after it and was {was:.3g} before"
    if now - was > max(JUMP * was, SURE * error):
        because += f", {now / was - 1:.0%} more: not all of the state came back"
        return Verdict("checkpoint-mismatch", "suspected", "measured", because, "resume")
    if 0.9 * was <= now <= was + max(0.02 * was, SAME * error):  # it may go on falling
        return Verdict("checkpoint-mismatch", "ruled_out", "inferred", because, "resume")
    return Verdict("checkpoint-mismatch", "inconclusive", "measured", because, "resume")


def _plot(series: Series, found: list[Restart]) -> Plot:
    place = np.arange(len(series.y), dtype=np.float64)
    kept = curves.thinned(series.y, MOST_POINTS)
    marks = tuple((float(r.index), "new run" if r.fresh else "resumed") for r in found[:8])
    curve = Curve(series.name, tuple(place[kept].tolist()), tuple(series.y[kept].tolist()))
    return Plot("the log as written", "lines", (curve,), x_label="point", marks=marks)
