"""Resting level: values at which a loss or an accuracy stands, or which it passes, only when something is wrong

What it measures
    Whether the loss comes to rest where a second softmax leaves it although the accuracy is high, whether it falls on
    below 0 although the accuracy does not rise, and whether the validation accuracy is the same to the last sample in
    every epoch.

Formula
    Outputs that are probabilities, put through cross_entropy's own softmax over C classes, cost
    floor = log(1 + (C - 1) / e) for a sample that is got right with certainty and floor + 1 for one that is got wrong,
    so that training ends at loss = floor + 1 - accuracy. rest: the median of the last tenth of the losses. Unchanging:
    the last n accuracies are one number. Cross-entropies of right targets and of probabilities are never below 0; of
    raw scores, or of targets outside 0 to 1, they are straight lines in the scores and have no bound.

Thresholds and sources
    loss-output-mismatch suspected, from 3 classes on: a loss that is at rest (less than a tenth of its fall in the last
    third) within 0.02 + 0.03 x (1 - accuracy) of that, no loss of the log ever below the floor, and an accuracy more
    than three quarters of the way from chance to 1: below that, nets that stopped early come near it. 8 nets of 3 to 20
    classes that were trained so ended within 0.012 of it, in training and in validation; trained without the second
    softmax, the same nets ended 0.55 to 2.1 below the floor. Suspected as well: a loss that ends below -10 ln C, at
    least a third of its fall in the last third, and an accuracy at most half the way from chance to 1. Objectives that
    may be negative in a healthy run stay above that (similarities -1, information -ln C) or slow down on their way, as
    densities do that gain by the logarithm of a width. collapsed-output suspected: 5 or more points (10 where two
    digits give the number in full), all of them the same, or at least the last half of them in a run that has not
    learned, while the validation loss moves by 2 % or more; not at 0 or 1. Where the loss stands as well nothing is
    learned at all, which other probes judge. A network that changes its answers changes its score by some sample.

Evidence
    inferred: a level has other causes, if rarely.

Reads
    Logs with an accuracy; the head of the latest checkpoint for the number of classes.

Cannot tell
    The floor without an accuracy or a checkpoint, and of sums of several losses. Label smoothing and mixed samples
    raise a loss as well, to levels of their own. A validation set of a few dozen samples may stand still by chance.
"""

from __future__ import annotations

import math

import numpy as np

from ..artifacts import Artifacts, Progress, Series
from ..finding import Finding, Measure, Verdict
from ..series import curves
from ..series.outcome import Outcome, finite, outcome

NEEDS = ("log",)
SPEAKS_TO = ("loss-output-mismatch", "collapsed-output")
COST = "file"
FEWEST_CLASSES, SKILLED, AT_REST = 3, 0.75, 0.1
FEW, COARSE = 5, 10
MOVES, BOTTOM = 0.02, 10.0


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Look at where the curves of the log that says most come to rest."""
    known = outcome(artifacts)
    if known.val_accuracy is None and known.train_accuracy is None:
        return Finding("resting-level", "resting level", "could-not-check", needs="a log with an accuracy")
    verdicts = [*squashed_twice(known), *bottomless(known), *unchanging(known)]
    size = known.outputs if known.outputs and known.outputs > 1 else None
    measures = (Measure(f"floor of a second softmax over {size} classes", floor(size)),) if size else ()
    titles = {"loss-output-mismatch": "the loss and the accuracy do not belong together"}
    titles["collapsed-output"] = "the accuracy never changes"
    title = titles[verdicts[0].diagnosis] if verdicts else "resting level: nothing to see"
    return Finding("resting-level", title, verdicts=tuple(verdicts), measures=measures)


def floor(classes: int) -> float:
    """The least cross-entropy of probabilities that are taken for scores; two classes have theirs (0.313) where honest
    nets rest as well."""
    return math.log(1 + (classes - 1) / math.e)


def squashed_twice(known: Outcome) -> list[Verdict]:
    """A classifier that is right and whose loss does not know it."""
    size = known.outputs
    if size is None or size < FEWEST_CLASSES or known.games or _below(known, floor(size)):
        return []
    for loss, accuracy in ((known.train, known.train_accuracy), (known.val, known.val_accuracy)):
        y, right = finite(loss), finite(accuracy)
        if loss is None or len(y) < FEW or not len(right) or curves.still_falling(y) > AT_REST:
            continue
        rest, share = curves.ends(y)[1], curves.ends(right)[1]
        expected = floor(size) + 1 - share
        if abs(rest - expected) < 0.02 + 0.03 * (1 - share) and size * share - 1 > SKILLED * (size - 1):
            because = (
                f"{loss.name} comes to rest at {rest:.4g} with {share:.1%} right; {size} classes through a second "
            )
            because += f"softmax cost {expected:.4g} at that share, and never less than {floor(size):.4g}"
            return [Verdict("loss-output-mismatch", "suspected", "inferred", because, "curves")]
    return []


def _below(known: Outcome, low: float) -> bool:
    return any(bool((finite(s) < 0.999 * low).any()) for s in (known.train, known.val))


def bottomless(known: Outcome) -> list[Verdict]:
    """A classifier's loss that falls below what any cross-entropy can be, and on, without more right answers."""
    y = finite(known.main)
    if known.main is None or known.games or len(y) < FEW:
        return []
    size = max(known.outputs or 2, 2)
    (start, end), third = curves.ends(y), curves.ends(y[: -(len(y) // 3)])[1]
    if end > -BOTTOM * math.log(size) or third - end < (start - end) / 3:
        return []
    right = max(curves.ends(r)[1] for s in (known.train_accuracy, known.val_accuracy) if len(r := finite(s)))
    if size * right - 1 > (size - 1) / 2:
        return []
    because = (
        f"{known.main.name} falls on without bound, to {end:.4g}, while {right:.1%} are right: a cross-entropy is "
    )
    because += "never below 0, unless it gets raw scores for log-probabilities or targets outside 0 to 1"
    return [Verdict("loss-output-mismatch", "suspected", "inferred", because, "curves")]


def unchanging(known: Outcome) -> list[Verdict]:
    """An accuracy that no update moves by a single sample."""
    series, count = known.val_accuracy, _same(known.val_accuracy)
    losses = finite(known.val)[-count:]
    if series is None or count < FEW or not len(losses) or np.ptp(losses) < MOVES * abs(float(np.median(losses))):
        return []
    value, total = float(finite(series)[-1]), len(finite(series))
    always = count == total and (count >= COARSE or round(value, 2) != value)
    if not 0 < value < 1 or not (always or (2 * count >= total and known.learned is False)):
        return []
    because = f"{series.name} is {value:.4g} at each of the last {count} of {total} points, to the last digit"
    because += ", while the loss moves: the answers do not change, as when they are the same for every input"
    return [Verdict("collapsed-output", "suspected", "inferred", because, "curves")]


def _same(series: Series | None) -> int:
    """How many values at the end are one number."""
    y = finite(series)
    differ = (y != y[-1]).nonzero()[0] if len(y) else []
    return len(y) - (int(differ[-1]) + 1 if len(differ) else 0)
