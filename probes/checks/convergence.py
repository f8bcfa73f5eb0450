"""Convergence: whether the loss has come to rest, since when, and what training on would give

What it measures
    The training and validation loss: where the last change of course was, whether there is a trend since, how much of
    the fall happened at the end, and where the curve would be after as many steps again.

Formula
    Change points of straight lines (binary segmentation). At rest: the 95 % interval of Theil-Sen's slope after the
    last one holds 0, or the curve would move by less than 1 % of its level over the stretch. Outlook: a + b t^-c
    fitted to the last two thirds, at twice the number of points.

Thresholds and sources
    underfitting: told as inconclusive where the fit promises a validation (else training) loss lower by 5 % or more
    and the curve still falls: healthy runs are often stopped there, and the promise holds for constant rates only. A
    plateau is told: whether it is one of success or of failure is for the other measurements to say. Loss over
    training follows such a power law over decades of steps in many tasks; a schedule or a change of data breaks it.

Evidence
    inferred: a fit to the curve, and what it promises.

Reads
    Logs with a training or validation loss of 12 points or more.

Cannot tell
    Anything of losses that need not fall (reinforcement learning, adversarial training). A plateau before a later
    drop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Floats, Progress, Series
from ..finding import Curve, Finding, Measure, Plot, Verdict
from ..series import curves, trends
from ..series.outcome import finite, outcome
from ..series.trends import Outlook

NEEDS = ("log",)
SPEAKS_TO = ("underfitting",)
COST = "file"
ENOUGH = 12
STILL, PROMISING = 0.01, 0.05
MOST_POINTS = 1000


@dataclass(frozen=True, slots=True)
class Rest:
    """The last straight stretch of a curve.

    Args:
        start: index of its first point.
        at_rest: no trend over it, or one too small to matter.
        move: what the curve does over the stretch by its slope, as a share of its level; negative when it falls.
    """

    start: int
    at_rest: bool
    move: float


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Describe how the loss came to rest, or how it goes on."""
    known = outcome(artifacts)
    series = known.val if known.val is not None and len(finite(known.val)) >= ENOUGH else known.main
    y = finite(series)
    if series is None or len(y) < ENOUGH or known.games or curves.stays_bad(series.y):
        needs = f"a log with {ENOUGH} or more finite values of the training or validation loss"
        return Finding("convergence", "convergence: too few values", "could-not-check", needs=needs)
    x = series.x[np.isfinite(series.y)]
    rest, ahead = settle(y), trends.outlook(y)
    ahead = ahead if ahead is not None and not rest.at_rest and rest.move < 0 else None
    verdicts: tuple[Verdict, ...] = ()
    if ahead is not None and ahead.gain >= PROMISING:
        because = (
            f"{series.name} still falls when the log ends: as many {series.x_name}s again would bring it from "
            f"{ahead.now:.3g} to about {ahead.then:.3g} ({ahead.gain:.0%} lower), if it goes on as it did"
        )
        verdicts = (Verdict("underfitting", "inconclusive", "inferred", because, "outlook"),)
    return Finding(
        "convergence",
        _title(series, x, rest, ahead),
        verdicts=verdicts,
        measures=_measures(series, x, y, rest, ahead),
        plots=(_plot(series, x, rest),),
    )


def settle(y: Floats) -> Rest:
    """The last straight stretch of a curve of at least four points."""
    cuts = trends.change_points(y)
    start = cuts[-1] if cuts else 0
    part = y[start:]
    slope = trends.theil_sen(np.arange(len(part), dtype=np.float64), part)
    level = abs(float(np.median(part))) or 1.0
    move = slope.value * len(part) / level
    return Rest(start, slope.low <= 0 <= slope.high or abs(move) < STILL, move)


def _title(series: Series, x: Floats, rest: Rest, ahead: Outlook | None) -> str:
    if rest.at_rest:
        since = f"since {series.x_name} {x[rest.start]:g}" if rest.start else "throughout"
        return f"{series.name} has been at rest {since}"
    if ahead is not None:
        gain = f"about {ahead.gain:.0%}" if ahead.gain >= STILL else "less than 1 %"
        return f"{series.name} still falls; as many {series.x_name}s again: {gain} lower"
    return f"{series.name} {'still falls' if rest.move < 0 else 'rises'} when the log ends"


def _measures(series: Series, x: Floats, y: Floats, rest: Rest, ahead: Outlook | None) -> tuple[Measure, ...]:
    found = [
        Measure(f"last change of course of {series.name}", float(x[rest.start]), series.x_name),
        Measure("change over the stretch since", rest.move, "of its level", f"within {STILL:g} is at rest"),
        Measure("share of the fall in the last third", curves.still_falling(y)),
        Measure("noise", curves.noise(y)),
    ]
    if ahead is not None:
        found.append(Measure("loss after as many steps again, if it goes on so", ahead.then, threshold="gain > 0.05"))
    return tuple(found)


def _plot(series: Series, x: Floats, rest: Rest) -> Plot:
    kept = curves.thinned(series.y, MOST_POINTS)
    curve = Curve(series.name, tuple(series.x[kept].tolist()), tuple(series.y[kept].tolist()))
    label = "at rest since" if rest.at_rest else "last change"
    marks = ((float(x[rest.start]), label),) if rest.start else ()
    return Plot(series.name, "lines", (curve,), x_label=series.x_name, marks=marks)
