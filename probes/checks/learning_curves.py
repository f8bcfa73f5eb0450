"""Learning curves: overfitting, no learning, divergence, NaN, spikes

What it measures
    The shape of the logged losses and accuracies: where the validation loss is lowest and how far it rises after
    that, how much the training loss falls and whether it still falls, how both compare with chance, the first value
    that is NaN or infinite and what came just before, and jumps that pass.

Formula
    start = median of the first 2 % of the points, end = median of the last 10 % (at least one point each).
    overfitting: val end / val minimum, with the training loss falling on after that minimum; or train minus val
    accuracy. chance: ln C for C classes, accuracy 1/C. steadiness: the share of the whole fall that happens in the
    last third (1/3 for a straight line), trend by Mann-Kendall, noise from second differences.

Thresholds and sources
    overfitting confirmed: val end >= 1.25 x minimum, minimum in the first 75 %, training loss >= 10 % lower than
    there, and a clear rise (correlation with order >= 0.5 and 80 % of later values >= 1.15 x minimum, or correlation
    >= 0.4 and the last third >= 1.15 x the minimum), of more than two standard deviations of the curve's noise (in
    logarithms, else inconclusive); or training accuracy >= 0.80 and 0.25 above validation. The
    criteria by which some 450 public logs were labelled: healthy ones end at a median of 1.01 x (q90 1.06),
    overfitted ones at 1.36 x; healthy accuracy gaps have q90 0.13. An end below 2 % of ln C is suspected only: one of
    200 samples got wrong makes such a loss. underfitting: train and validation loss both within 0.95-1.2 x ln C after
    5 points, unless an accuracy more than half the way from chance to 1 speaks against it. A small fall counts neither
    for that nor for a low rate where the run began with trained weights. divergence: loss >= 10 x its start (suspected
    from 1.5 x). Jumps alone are no fault: 10 of 71 healthy logs have one above 2 x, so spikes are only suspected, above
    3 x and six standard deviations of what such jumps are in the curve itself. unscaled-inputs: a loss above 1e6 that
    moves by less than a tenth, not of a classifier: suspected.

Evidence
    measured: where the curves' own shape is the diagnosis (overfitting, no learning, values that are not finite).
    inferred: causes behind a shape, such as a rate.

Reads
    Logs with a training or validation loss (or accuracies); the checkpoint's head for the number of classes.

Cannot tell
    Anything from fewer than 8 points (NaN and a steady rise excepted). Losses of reinforcement learning and of
    adversarial training need not fall and are not judged. The cause of a loss that stands: it fits a dozen.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..artifacts import Artifacts, Floats, Progress, Series
from ..finding import Curve, Finding, Judgement, Measure, Plot, Verdict
from ..series import curves, trends
from ..series.outcome import CHANCE, Outcome, finite, outcome

NEEDS = ("log",)
SPEAKS_TO = (
    "overfitting",
    "underfitting",
    "numerical-instability",
    "exploding-gradients",
    "learning-rate-too-high",
    "learning-rate-too-low",
    "loss-spikes",
    "unscaled-inputs",
)
COST = "file"
ENORMOUS = 1e6
"""A mean squared error of targets of a thousand; losses that are summed instead of averaged stay below it as a rule."""
MOST_POINTS = 1000
"""Points of a curve that are passed on to be drawn; no screen has more columns."""
SLIGHT = 0.02
"""Of ln C: one sample of 200 that is got wrong with certainty adds as much to a validation loss."""
FEW, ENOUGH = 5, 8
"""Points below which a shape is not judged (one in ten healthy logs has no more than 10), but for a rise of the
validation loss without a step back, which five points can show."""


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Judge the curves of the log that says most."""
    known = outcome(artifacts)
    if known.main is None and known.val_accuracy is None:
        return Finding("learning-curves", "learning curves", "could-not-check", needs="a log with a training loss")
    facts: dict[str, str] = {}
    verdicts: list[Verdict] = []
    for rule in RULES:
        verdicts += rule(known, facts)
    return Finding(
        "learning-curves",
        _title(verdicts, facts),
        verdicts=tuple(verdicts),
        measures=_measures(known),
        plots=tuple(_plots(known, facts)),
        facts=facts,
        needs="" if known.val else "a log with a validation loss",
    )


def not_finite(known: Outcome, facts: dict[str, str]) -> list[Verdict]:
    """NaN and infinities that stay."""
    series = next((s for s in (known.train, known.val) if s and curves.stays_bad(s.y)), None)
    if series is None:
        if known.train is None or not np.isfinite(known.train.y).all():
            return []
        because = f"all {len(known.train.y)} logged values of {known.train.name} are finite"
        return [Verdict("numerical-instability", "ruled_out", "measured", because, "curves")]
    first = curves.first_bad(series.y)
    assert first is not None
    place = f"{series.x_name} {series.x[first]:g}"
    facts["first_bad_step"] = place
    before = series.y[:first]
    tail = ", ".join(f"{v:.3g}" for v in before[-3:]) or "nothing: it is the first logged value"
    because = f"{series.name} is {series.y[first]:g} from {place} on; just before: {tail}"
    found = [Verdict("numerical-instability", "confirmed", "measured", because, "curves")]
    if len(before) and not _grows(before):
        because = f"{series.name} did not grow before it turned {series.y[first]:g} at {place} (last: {tail})"
        found.append(Verdict("exploding-gradients", "inconclusive", "inferred", because, "curves"))
    return found


def diverges(known: Outcome, facts: dict[str, str]) -> list[Verdict]:
    """A training loss that ends far above its start, or grew until it left the numbers."""
    y, series = finite(known.main), known.main
    if series is None or known.games or len(y) < 2 or y.min() <= 0:
        return []
    overflow = curves.stays_bad(series.y) and _grows(y)
    start, end = (float(y[0]), float(y[-1])) if overflow else curves.ends(y)
    if overflow or (len(y) >= ENOUGH and end >= 1.5 * start and trends.mann_kendall(y) > 2):
        sure = end >= 10 * start
        tail = " before it stops being finite" if overflow else ""
        because = f"{series.name} rises from {start:.3g} to {end:.3g}, {end / start:.3g} times its start{tail}"
        return [
            Verdict("learning-rate-too-high", "confirmed" if sure else "suspected", "measured", because, "curves"),
            Verdict("exploding-gradients", "suspected", "inferred", because, "curves"),
        ]
    if known.chance and len(y) >= 3 and y[0] > 4 * known.chance and known.at_chance(series):
        because = (
            f"{series.name} starts at {y[0]:.3g}, {y[0] / known.chance:.2g} times chance (ln {known.classes} = "
            f"{known.chance:.3g}), and ends no better ({curves.ends(y)[1]:.3g}): the first steps threw the weights off"
        )
        return [Verdict("learning-rate-too-high", "suspected", "inferred", because, "curves")]
    if known.worse_than_chance:
        because = (
            f"{series.name} ends at {y[-1]:.3g}; knowing nothing of {known.classes} classes costs {known.chance:.3g}"
        )
        return [Verdict("learning-rate-too-high", "suspected", "inferred", because, "curves")]
    return _bounces(known, y)


def _bounces(known: Outcome, y: Floats) -> list[Verdict]:
    series = known.main
    if series is None or len(y) < ENOUGH or series.x_name != "epoch":
        return []
    start, end = curves.ends(y)
    jitter = curves.jitter(y)
    if jitter > 0.25 and end > 0.3 * start:
        because = (
            f"{series.name} changes by {jitter:.0%} from epoch to epoch and stays at {end / start:.0%} of its start"
        )
        return [Verdict("learning-rate-too-high", "suspected", "inferred", because, "curves")]
    if known.learned and end < 0.5 * start and jitter < 0.1:
        because = f"{series.name} falls to {end / start:.0%} of its start with steps of {jitter:.1%} of its level"
        return [Verdict("learning-rate-too-high", "ruled_out", "inferred", because, "curves")]
    return []


def _grows(y: Floats) -> bool:
    return len(y) >= 2 and y[0] > 0 and float(y[-1]) >= 10 * float(np.min(y[: max(1, len(y) // 3)]))


def overfits(known: Outcome, facts: dict[str, str]) -> list[Verdict]:
    """A validation loss that turns up while training goes on, or accuracies far apart."""
    if known.games:
        return []
    val, train = finite(known.val), finite(known.train)
    gap = _accuracy_gap(known)
    if known.val is None or len(val) < FEW or val.min() <= 0:
        return _by_accuracy(known, gap)
    after = curves.rise(val)
    if len(val) < ENOUGH and not (after.ratio >= 1.25 and after.correlation > 0.9):
        return _by_accuracy(known, gap)
    place = f"{known.val.x_name} {known.val.x[np.isfinite(known.val.y)][after.best]:g}"
    facts.update(best_epoch=place, best_value=f"{after.lowest:.3g}", last_value=f"{after.end:.3g}")
    early = after.best <= 0.75 * (len(val) - 1)
    at_best = _at(train, after.best / max(1, len(val) - 1))
    learns_on = at_best is not None and curves.ends(train)[1] <= 0.9 * at_best
    numbers = f"{known.val.name} is lowest at {place} ({after.lowest:.3g}) and ends at {after.end:.3g}"
    numbers += f", {after.ratio:.3g} times that"
    rises = early and learns_on and after.clear and after.ratio >= 1.1
    if rises and math.log(after.ratio) < curves.DEVIATIONS * after.noise:
        numbers += ", no more than it jumps from point to point all along"
    elif rises:
        start = curves.onset(val, after.best, after.lowest)
        facts["onset_epoch"] = f"{known.val.x_name} {known.val.x[np.isfinite(known.val.y)][start]:g}"
        because = f"{numbers}, while the training loss falls on from {at_best:.3g} to {curves.ends(train)[1]:.3g}"
        level: Judgement = "confirmed" if after.ratio >= 1.25 else "suspected"
        if _knows_nothing(known, at_best):
            because += f", but it ends no lower than knowing nothing of {known.outputs} classes would"
            level = "inconclusive"
        elif at_best is not None and at_best < _chance(known) < after.lowest / (1.3 if _unskilled(known) else 3):
            because += "; but validation never beat knowing nothing, so other data or another mode is likelier"
            level = "inconclusive"
        elif level == "confirmed" and known.outputs and after.end < SLIGHT * math.log(max(2, known.outputs)):
            because += "; both are small beside chance, so that a few samples make the difference"
            level = "suspected"
        return [Verdict("overfitting", level, "measured", because, "curves")]
    if after.ratio <= 1.05 and (gap is None or gap < 0.13):
        return [Verdict("overfitting", "ruled_out", "measured", numbers, "curves")]
    return _by_accuracy(known, gap) or [Verdict("overfitting", "inconclusive", "measured", numbers, "curves")]


def _chance(known: Outcome) -> float:
    return math.log(max(2, known.outputs)) if known.outputs else math.inf


def _unskilled(known: Outcome) -> bool:
    """Whether the validation accuracy never goes far from chance."""
    y, count = finite(known.val_accuracy), known.outputs or 0
    return count > 1 and len(y) > 0 and count * float(y.max()) - 1 < 0.2 * (count - 1)


def _knows_nothing(known: Outcome, at_best: float | None) -> bool:
    """Whether the training loss ends where a classifier of the head's size is at chance, or above that without having
    come down by half since validation was best; and no accuracy speaks against it."""
    end, outputs = curves.ends(finite(known.train))[1], known.outputs or 0
    if outputs < 2 or (known.skill(known.train_accuracy) or 0.0) > 0.5:
        return False
    above = end >= CHANCE[0] * math.log(outputs) and end > 0.5 * (at_best or math.inf)
    return known.may_be_at_chance or above


def _accuracy_gap(known: Outcome) -> float | None:
    """The gap at the end, or of the last three points if that is smaller: one bad validation is no gap."""
    train, val = finite(known.train_accuracy), finite(known.val_accuracy)
    if len(train) < 3 or len(val) < 3:
        return None
    lasting = float(np.median(train[-3:]) - np.median(val[-3:]))
    return min(curves.ends(train)[1] - curves.ends(val)[1], lasting)


def _by_accuracy(known: Outcome, gap: float | None) -> list[Verdict]:
    if gap is None:
        return []
    train, val = curves.ends(finite(known.train_accuracy))[1], curves.ends(finite(known.val_accuracy))[1]
    because = f"accuracy ends at {train:.1%} in training and {val:.1%} in validation, {100 * gap:.0f} points apart"
    because += " over the last three points" if gap < 0.99 * (train - val) else ""
    if train >= 0.8 and gap >= 0.15:
        return [Verdict("overfitting", "confirmed" if gap >= 0.25 else "suspected", "measured", because, "curves")]
    return [Verdict("overfitting", "ruled_out", "measured", because, "curves")] if gap < 0.05 else []


def _at(y: Floats, position: float) -> float | None:
    """The value at a place in [0, 1] of a curve, as a median of three points."""
    if len(y) < 4:
        return None
    i = round(position * (len(y) - 1))
    return float(np.median(y[max(0, i - 1) : i + 2]))


def underfits(known: Outcome, facts: dict[str, str]) -> list[Verdict]:
    """Train and validation alike bad: at chance, or far from what is possible."""
    y = finite(known.main)
    if known.games or known.main is None or len(y) < 4 or curves.stays_bad(known.main.y):
        return []
    start, end = curves.ends(y)
    skills = [s for s in (known.skill(known.train_accuracy), known.skill(known.val_accuracy)) if s is not None]
    right = max(skills, default=0.0)
    if known.chance is not None and known.at_chance(known.main) and right <= 0.5:
        facts["chance_loss"] = f"{known.chance:.3g} (ln {known.classes})"
        both = known.train is not None and bool(known.at_chance(known.val))
        because = f"{known.main.name} ends at {end:.3g}; chance for {known.classes} classes is {known.chance:.3g}"
        because += f"; {known.val.name} ends at {curves.ends(finite(known.val))[1]:.3g}" if known.val and both else ""
        sure = both and len(y) >= 5 and right <= 0.2
        return [Verdict("underfitting", "confirmed" if sure else "suspected", "measured", because, "curves")]
    if known.learned and (not skills or min(skills) > 0.6):
        because = f"{known.main.name} falls from {start:.3g} to {end:.3g}"
        return [Verdict("underfitting", "ruled_out", "inferred", because, "curves")]
    if len(skills) == 2 and max(skills) < 0.5 and abs(skills[0] - skills[1]) < 0.15 and len(y) >= 5:
        because = (
            f"training accuracy ends {skills[0]:.0%} of the way from chance to perfect, validation {skills[1]:.0%}"
        )
        return [Verdict("underfitting", "suspected", "measured", because, "curves")]
    if known.stuck and len(y) >= ENOUGH and end < 1.5 * start:  # from there on it diverges, which is another matter
        moves = "falls" if end <= start else "rises"
        because = f"{known.main.name} {moves} by {abs(known.fall or 0):.1%} over {len(y)} points"
        because += f", from {start:.3g} to {end:.3g}"
        return [Verdict("underfitting", "suspected", "inferred", because, "curves")]
    return []


def enormous(known: Outcome, facts: dict[str, str]) -> list[Verdict]:
    """A loss of astronomical size that hardly moves: nothing that enters it was scaled."""
    y = finite(known.main)
    if known.main is None or known.games or len(y) < ENOUGH or known.learned or known.chance is not None:
        return []
    level = float(np.median(np.abs(y)))
    if level < ENORMOUS or known.fall is None or abs(known.fall) > 0.1:
        return []
    because = (
        f"{known.main.name} stands at {level:.2g} (it falls by {known.fall:.1%}): inputs, targets or terms unscaled"
    )
    return [Verdict("unscaled-inputs", "suspected", "inferred", because, "curves")]


def crawls(known: Outcome, facts: dict[str, str]) -> list[Verdict]:
    """A training loss that falls in a straight line and has hardly come down when the log ends."""
    y = finite(known.main)
    if known.main is None or known.games or len(y) < ENOUGH or y.min() <= 0 or curves.stays_bad(known.main.y):
        return []
    (start, end), steady = curves.ends(y), curves.still_falling(y)
    fall = (start - end) / start
    if fall >= 0.6 and steady < 0.15 and known.learned:
        because = f"{known.main.name} falls by {fall:.0%}, {steady:.0%} of that in the last third of the log"
        return [Verdict("learning-rate-too-low", "ruled_out", "inferred", because, "curves")]
    if trends.mann_kendall(finite(known.val)) > 2 or known.warm:  # training on would only fit more, or was enough
        return []
    straight = steady > 0.22 and trends.mann_kendall(y) < -3 and (start - end) > 4 * curves.noise(y)
    if straight and 0.002 < fall < 0.4:
        slope = trends.theil_sen(known.main.x[np.isfinite(known.main.y)], y).value
        because = (
            f"{known.main.name} still falls steadily when the log ends ({steady:.0%} of it in the last third), but "
            f"only from {start:.3g} to {end:.3g}, by {-slope:.2g} per {known.main.x_name}"
        )
        return [Verdict("learning-rate-too-low", "suspected", "inferred", because, "curves")]
    return []


def jumps(known: Outcome, facts: dict[str, str]) -> list[Verdict]:
    """Sudden rises that pass."""
    y = finite(known.main)
    if known.main is None or known.games or len(y) < 20 or y.min() <= 0:
        return []
    factor = curves.spike_factor(y)
    found = [i for i in curves.spikes(y, factor) if y[i] > 0.05 * curves.ends(y)[0]]
    if not found:
        return [] if curves.spikes(y, 2.0) else [_no_jumps(known.main)]
    worst = max(found, key=lambda i: float(y[i]))
    at = known.main.x[np.isfinite(known.main.y)]
    place = f"{y[worst]:.3g} at {known.main.x_name} {at[worst]:g}"
    because = f"{known.main.name} jumps {len(found)} times above {factor:.2g} x its level and comes back (to {place})"
    return [Verdict("loss-spikes", "suspected", "measured", because, "curves")]


def _no_jumps(series: Series) -> Verdict:
    return Verdict(
        "loss-spikes", "ruled_out", "measured", f"no value of {series.name} is above 2 x its level", "curves"
    )


RULES: tuple[Callable[[Outcome, dict[str, str]], list[Verdict]], ...] = (
    not_finite,
    diverges,
    overfits,
    enormous,
    underfits,
    crawls,
    jumps,
)


def _title(verdicts: list[Verdict], facts: dict[str, str]) -> str:
    for level in ("confirmed", "suspected"):
        for verdict in verdicts:
            if verdict.verdict == level:
                return f"learning curves: {verdict.diagnosis.replace('-', ' ')}" + (
                    f" from {facts['onset_epoch']}"
                    if verdict.diagnosis == "overfitting" and "onset_epoch" in facts
                    else ""
                )
    return "learning curves: nothing to see"


def _measures(known: Outcome) -> tuple[Measure, ...]:
    found = []
    for series in (known.train, known.val, known.train_accuracy, known.val_accuracy):
        y = finite(series)
        if series is not None and len(y):
            where = str(known.log.path) if known.log is not None else ""
            found.append(Measure(f"{series.name} at the start", curves.ends(y)[0], where=where))
            found.append(Measure(f"{series.name} at the end", curves.ends(y)[1], where=where))
    if known.left_aside:
        names = ", ".join(log.path.name for log in known.left_aside[:5])
        found.append(Measure("other logs with a loss, not judged", len(known.left_aside), where=names))
    if known.chance is not None:
        found.append(
            Measure(f"loss of chance for {known.classes} classes", known.chance, where="head of the checkpoint")
        )
    return tuple(found)


def _line(series: Series) -> Curve:
    kept = curves.thinned(series.y, MOST_POINTS)
    return Curve(series.name, tuple(series.x[kept].tolist()), tuple(series.y[kept].tolist()))


def _plots(known: Outcome, facts: dict[str, str]) -> list[Plot]:
    lines = [_line(s) for s in (known.train, known.val) if s is not None]
    if not lines:
        return []
    marks = [(float(facts["best_epoch"].split()[-1]), "lowest val")] if "onset_epoch" in facts else []
    if "first_bad_step" in facts:
        marks.append((float(facts["first_bad_step"].split()[-1]), "first NaN or Inf"))
    x_name = known.main.x_name if known.main else ""
    return [Plot("losses", "lines", tuple(lines), x_label=x_name, y_label="loss", marks=tuple(marks))]
