"""Gradient trend: how the logged gradient norm went over the run

What it measures
    The logged norm of all gradients: whether it turns NaN or infinite, grows or fades by orders of magnitude, jumps
    far above its level, is exactly 0, or sits at one value because every step was clipped.

Formula
    Change in decades: log10 of the median of the last tenth over the median of the first tenth; trend by Mann-Kendall
    on the logarithm. Jump: a value above 10 times the median of all. Clipped: 90 % of the values within 1 % of their
    largest, which lies on a usual limit (0.1, 0.25, 0.5, 1, 2, 5, 10).

Thresholds and sources
    exploding-gradients: the norm grows by a decade or more with a clear trend (z > 3): confirmed where the loss
    diverges or turns NaN too, suspected from two decades on; NaN or infinity in the norm while the loss before it was
    finite: suspected (with fp16 loss scaling single infinities are skipped steps, so at least two in a row or at the
    end). vanishing-gradients: the norm fades by two decades in a run that has not learned (it also fades where a run
    converges): suspected, and at most 1e-7 from the start (SageMaker's rule): suspected. training-loop-bug: exactly 0
    in 9 of 10 points: suspected, the graph is cut or nothing is trainable. Jumps alone (trainproof: 10 times the
    median) are told.

Evidence
    measured: logged values that grow, stop or are not finite. inferred: fading, which converging runs do as well.

Reads
    Logs with a gradient norm, and their loss.

Cannot tell
    Which layer. Whether the norm was taken before or after clipping: after it, growth is hidden. Healthy norms may
    rise slowly as weights grow, or by a decade in the first steps; only the change over the whole run is judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Floats, Progress, Series
from ..finding import Curve, Finding, Judgement, Measure, Plot, Verdict
from ..series import curves, trends
from ..series.outcome import Outcome, finite, outcome

NEEDS = ("log",)
SPEAKS_TO = ("exploding-gradients", "vanishing-gradients", "training-loop-bug")
COST = "file"
GROWN, FADED, TINY = 1.0, -2.0, 1e-7
CLEAR = 3.0
JUMP = 10.0
LIMITS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
ENOUGH = 10
MOST_POINTS = 1000


@dataclass(frozen=True, slots=True)
class Trend:
    """What the norm did. `change` in decades (None without positive values at both ends); `clipped` at, or None."""

    start: float
    end: float
    change: float | None
    z: float
    jumps: int
    zero: float
    bad: int | None
    clipped: float | None


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Describe the logged norm and hold it against the loss."""
    series = artifacts.series("grad_norm")
    if series is None or len(finite(series)) < ENOUGH:
        needs = "a log with the gradient norm of every step or epoch"
        return Finding("gradient-trend", "gradient norm over time: not logged", "could-not-check", needs=needs)
    trend, known = describe(series), outcome(artifacts)
    return Finding(
        "gradient-trend",
        _title(trend),
        verdicts=tuple(judge(trend, known, series)),
        measures=_measures(trend, artifacts, series),
        plots=(_plot(series),),
    )


def describe(series: Series) -> Trend:
    """The trend of a logged norm with at least ten finite values."""
    y = finite(series)
    tenth = max(2, len(y) // 10)
    start, end = float(np.median(y[:tenth])), float(np.median(y[-tenth:]))
    change = math.log10(end / start) if start > 0 and end > 0 else None
    positive = y[y > 0]
    z = trends.mann_kendall(np.log(positive)) if len(positive) >= ENOUGH else 0.0
    level = float(np.median(y))
    jumps = int(np.count_nonzero(y > JUMP * level)) if level > 0 else 0
    return Trend(start, end, change, z, jumps, float(np.mean(y == 0)), _bad(series), _clipped(y))


def _bad(series: Series) -> int | None:
    """The index of the first of two bad values in a row, or of a bad last one: a single one is a skipped step."""
    bad = ~np.isfinite(series.y)
    pairs = np.flatnonzero(bad[1:] & bad[:-1])
    if len(pairs):
        return int(pairs[0])
    return len(bad) - 1 if bad[-1] else None


def _clipped(y: Floats) -> float | None:
    top = float(y.max())
    limit = next((c for c in LIMITS if abs(top - c) <= 0.01 * c), None)
    return limit if limit and float(np.mean(y > 0.99 * top)) >= 0.9 else None


def judge(trend: Trend, known: Outcome, series: Series) -> list[Verdict]:
    """Growth, fading, zeros, values that are not finite."""
    said = f"the logged gradient norm goes from {trend.start:.3g} to {trend.end:.3g}"
    if trend.zero >= 0.9:
        because = f"the logged gradient norm is exactly 0 at {trend.zero:.0%} of {len(series.y)} points"
        return [Verdict("training-loop-bug", "suspected", "measured", because, "curves")]
    if trend.bad is not None:
        place = f"{series.x_name} {series.x[trend.bad]:g}"
        because = f"the logged gradient norm is {series.y[trend.bad]:g} at {place} and does not come back at once"
        return [Verdict("exploding-gradients", "suspected", "measured", because, "gradient-log")]
    if trend.change is None:
        return []
    if trend.change >= GROWN and trend.z > CLEAR and not known.learned:
        worse = known.main is not None and (not np.isfinite(known.main.y[-1]) or (known.fall or 0.0) < -0.5)
        level: Judgement = "confirmed" if worse else "suspected" if trend.change >= 2 * GROWN else "inconclusive"
        because = f"{said}, {10**trend.change:.3g} times as much" + (", and the loss gets worse" if worse else "")
        return [Verdict("exploding-gradients", level, "measured", because, "gradient-log")]
    if known.learned is False and trend.change <= FADED and trend.z < -CLEAR:
        because = f"{said} while the loss stands"
        return [Verdict("vanishing-gradients", "suspected", "inferred", because, "gradient-log")]
    if known.learned is False and max(trend.start, trend.end) < TINY:
        because = f"{said}: below {TINY:g} from the start"
        return [Verdict("vanishing-gradients", "suspected", "inferred", because, "gradient-log")]
    if abs(trend.change) < 0.5 and not trend.jumps and known.learned:
        because = f"{said}, without a value above {JUMP:g} times its median"
        return [Verdict("exploding-gradients", "ruled_out", "measured", because, "gradient-log")]
    return []


def _title(trend: Trend) -> str:
    if trend.clipped is not None:
        return f"gradient norm over time: at the limit of {trend.clipped:g} at practically every step"
    return f"gradient norm over time: from {trend.start:.3g} to {trend.end:.3g}"


def _measures(trend: Trend, artifacts: Artifacts, series: Series) -> tuple[Measure, ...]:
    where = next((str(log.path) for log in artifacts.logs if series in log.series), "")
    found = [
        Measure("gradient norm at the start", trend.start, where=where),
        Measure("gradient norm at the end", trend.end, where=where),
        Measure("values above 10 times the median", trend.jumps, where=where),
    ]
    if trend.change is not None:
        found.append(Measure("change over the run", trend.change, "decades", f"> {GROWN:g} or < {FADED:g}", where))
    if trend.clipped is not None:
        found.append(Measure("clipped at", trend.clipped, where=where))
    return tuple(found)


def _plot(series: Series) -> Plot:
    kept = curves.thinned(series.y, MOST_POINTS)
    curve = Curve("gradient norm", tuple(series.x[kept].tolist()), tuple(series.y[kept].tolist()))
    return Plot("gradient norm", "lines", (curve,), x_label=series.x_name, log_y=True)
