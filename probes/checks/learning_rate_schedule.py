"""Learning-rate schedule: what the logged learning rate did, and what the loss did then

What it measures
    Peak, warm-up, decay and restarts of the logged learning rate; the share of the run that was left after it had
    decayed; whether the loss was still falling then and stood afterwards; the rate at which the loss jumped; whether
    a constant rate leaves a loss that bounces around one level.

Formula
    Warm-up: points before 90 % of the peak is first reached. Gone: the rate stays below 1 % of its peak from there
    on. Stands: the first and the last three values after that differ by less than 2 %. Constant: highest and lowest
    rate within 1 %.

Thresholds and sources
    learning-rate-too-low: a rate that is gone before 60 % of the run, and a loss that stands since, in a run that has
    not learned, or before 40 % in one that had only fallen to 30 % of its first loss by then: suspected, since cosine
    and step schedules reach 1 % only at their ends (a cosine at 94 % of the run, a linear decay at 99 %). A rate of
    exactly 0 in nine of ten points: confirmed (trainproof's limit is 99 %), unless the run learns: then the rate was
    printed with too few digits. learning-rate-too-high: more than half of
    at least 3 jumps at 80 % of the peak or above while less than half of the run was spent there: suspected. A constant
    rate and a loss that has stopped falling amid noise above 5 % of its level: told as inconclusive, a decay would
    lower that level.

Evidence
    measured: the logged rate itself. inferred: that a rate causes jumps or noise.

Reads
    Logs that have a learning rate, with their training loss. Rates are compared at the same epochs or steps.

Cannot tell
    Rates of other parameter groups, and rates that were not logged. Whether the best rate was another one: the shape
    of a schedule does not say (the learning-rate trial does, with a target file).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Floats, Progress, Series
from ..finding import Curve, Finding, Measure, Plot, Verdict
from ..series import curves, trends
from ..series.outcome import Outcome, finite, outcome

NEEDS = ("log",)
SPEAKS_TO = ("learning-rate-too-low", "learning-rate-too-high")
COST = "file"
GONE, EARLY, VERY_EARLY = 0.01, 0.6, 0.4
HIGH = 0.3
STANDS = 0.02
ENOUGH = 8
NOISY = 0.05
MOST_POINTS = 1000


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a learning rate did over a run; places are shares of the run.

    Args:
        rate: the logged rates, finite ones only.
        peak: the largest.
        warm_up: where 90 % of the peak is first reached.
        gone: from where on the rate stays below 1 % of the peak; None if it does not.
        zero: share of points with a rate of exactly 0.
        constant: within 1 % from first to last.
        restarts: times the rate more than doubled after the warm-up.
    """

    series: Series
    rate: Floats
    peak: float
    warm_up: float
    gone: float | None
    zero: float
    constant: bool
    restarts: int


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Describe the schedule and hold it against the training loss."""
    series = artifacts.series("lr")
    if series is None or len(finite(series)) < 3:
        needs = "a log with the learning rate of every epoch or step"
        return Finding(
            "learning-rate-schedule", "learning-rate schedule: no rate logged", "could-not-check", needs=needs
        )
    schedule, known = describe(series), outcome(artifacts)
    verdicts = [v for rule in (zero, gone_early, jumps_at_the_peak, constant) for v in rule(schedule, known)]
    return Finding(
        "learning-rate-schedule",
        f"learning rate {_shape(schedule)}",
        verdicts=tuple(verdicts),
        measures=_measures(schedule, artifacts),
        plots=(_plot(series),),
        facts=_facts(schedule, verdicts),
    )


def describe(series: Series) -> Schedule:
    """The schedule's shape. Needs a finite value."""
    rate = finite(series)
    peak, n = float(rate.max()), len(rate)
    warm = int(np.argmax(rate >= 0.9 * peak)) / n
    above = np.flatnonzero(rate >= GONE * peak)
    gone = (int(above[-1]) + 1) / n if peak > 0 and above[-1] < n - 1 else None
    later = rate[int(warm * n) :]
    restarts = int(np.count_nonzero((later[1:] > 2 * later[:-1]) & (later[:-1] > 0)))
    flat = peak > 0 and float(rate.min()) > 0.99 * peak
    return Schedule(series, rate, peak, warm, gone, float(np.mean(rate == 0)), flat, restarts)


def zero(schedule: Schedule, known: Outcome) -> list[Verdict]:
    """A rate of nothing. With none a run learns nothing; one that does had a rate that was rounded when printed."""
    if known.learned or schedule.zero < 0.9 or len(schedule.rate) < ENOUGH:
        return []
    because = f"the logged learning rate is exactly 0 at {schedule.zero:.0%} of {len(schedule.rate)} points"
    return [Verdict("learning-rate-too-low", "confirmed", "measured", because, "curves")]


def gone_early(schedule: Schedule, known: Outcome) -> list[Verdict]:
    """A rate that was gone long before the end of a run that has not learned, and a loss that stands since."""
    main, y = known.main, finite(known.main)
    if schedule.gone is None or schedule.gone > EARLY or main is None or known.games:
        return []
    if len(y) < ENOUGH or len(schedule.rate) < ENOUGH:
        return []
    cut = int(schedule.gone * len(y))
    after = y[cut:]
    level = float(np.median(after))
    if level <= 0 or abs(float(np.median(after[-3:])) - float(np.median(after[:3]))) > STANDS * level:
        return []
    if known.learned is not False and (schedule.gone > VERY_EARLY or level < HIGH * y[0]):
        return []
    before = y[:cut]
    falling = len(before) >= 3 and before[-1] < 0.98 * before[0] and trends.mann_kendall(before) < 0
    because = (
        f"the learning rate is below 1 % of its peak ({schedule.peak:.3g}) after {schedule.gone:.0%} of the run, and "
        f"{main.name} stands at {level:.3g} since" + (", having fallen until then" if falling else "")
    )
    return [Verdict("learning-rate-too-low", "suspected", "measured", because, "schedule")]


def jumps_at_the_peak(schedule: Schedule, known: Outcome) -> list[Verdict]:
    """Jumps of the loss that come where the rate is highest."""
    y = finite(known.main)
    if known.main is None or known.games or len(y) < 20 or y.min() <= 0 or schedule.constant:
        return []
    found = curves.spikes(y, curves.spike_factor(y))
    high = schedule.rate >= 0.8 * schedule.peak
    there = [i for i in found if high[min(len(high) - 1, i * len(high) // len(y))]]
    if len(found) < 3 or len(there) <= len(found) / 2 or float(high.mean()) > 0.5:
        return []
    because = (
        f"{len(there)} of {len(found)} jumps of {known.main.name} came at 80 % of the peak learning rate "
        f"({schedule.peak:.3g}) or above, where {high.mean():.0%} of the run was spent"
    )
    return [Verdict("learning-rate-too-high", "suspected", "inferred", because, "schedule")]


def constant(schedule: Schedule, known: Outcome) -> list[Verdict]:
    """A rate that never falls, and a loss that only bounces."""
    y = finite(known.main)
    if not schedule.constant or known.main is None or known.games or len(y) < 40 or not known.learned:
        return []
    late = y[len(y) // 2 :]
    level = abs(float(np.median(late)))
    if level == 0 or curves.noise(late) < NOISY * level or abs(trends.mann_kendall(late)) > 2:
        return []
    because = (
        f"the learning rate is {schedule.peak:.3g} throughout, and over the second half {known.main.name} bounces by "
        f"{curves.noise(late) / level:.0%} around {level:.3g} without a trend: a decay would bring it lower"
    )
    return [Verdict("learning-rate-too-high", "inconclusive", "inferred", because, "schedule")]


def _shape(s: Schedule) -> str:
    if s.zero == 1:
        return "of 0 throughout"
    if s.constant:
        return f"constant at {s.peak:.3g}"
    parts = [f"peaks at {s.peak:.3g}"]
    if s.warm_up > 0:
        parts.append(f"after {s.warm_up:.0%} of the run")
    if s.restarts:
        parts.append(f"with {s.restarts} restart{'s' if s.restarts > 1 else ''}")
    end = float(s.rate[-1])
    parts.append("and ends there" if end >= 0.99 * s.peak else f"and ends at {end / s.peak:.2g} of that")
    return " ".join(parts)


def _measures(s: Schedule, artifacts: Artifacts) -> tuple[Measure, ...]:
    where = next((str(log.path) for log in artifacts.logs if s.series in log.series), "")
    found = [
        Measure("largest learning rate", s.peak, where=where),
        Measure("learning rate at the end", float(s.rate[-1]), where=where),
        Measure("warm-up", s.warm_up, "of the run", where=where),
    ]
    if s.gone is not None:
        found.append(Measure("below 1 % of its peak from", s.gone, "of the run", f"< {EARLY:g}", where))
    return tuple(found)


def _plot(series: Series) -> Plot:
    kept = curves.thinned(series.y, MOST_POINTS)
    curve = Curve("learning rate", tuple(series.x[kept].tolist()), tuple(series.y[kept].tolist()))
    return Plot("learning rate", "lines", (curve,), x_label=series.x_name, y_label="learning rate")


def _facts(s: Schedule, verdicts: list[Verdict]) -> dict[str, str]:
    low = any(v.diagnosis == "learning-rate-too-low" and v.verdict in {"confirmed", "suspected"} for v in verdicts)
    facts = {"lr": f"{s.peak:.3g}"} if verdicts and s.peak > 0 else {}
    return {**facts, "suggested_lr": facts["lr"]} if low and facts else facts
