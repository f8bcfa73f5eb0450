"""Initial loss: whether training starts where a network that knows nothing starts

What it measures
    The first logged training loss against the cross-entropy of knowing only how many classes there are.

Formula
    Expected: ln C for C classes, C the size of the checkpoint's head, where the log's loss is at home near ln C. A
    log of steps begins at the first steps; the first value of a log of epochs is the mean of a whole epoch.

Thresholds and sources
    Public language models start at 1.00 to 1.02 times ln C. bad-initialization and unscaled-inputs: a first step of 3
    times ln C or more: suspected in a run that has not learned, else inconclusive, and so is a first epoch's mean:
    steps that are too large make it high as well. Ruled out: a first step within 0.8 to 1.25 times ln C. Below half
    of that at the first step: the weights were trained before, or the loss is scaled or averaged in another way:
    told.

Evidence
    measured: a first step at or far from ln C. inferred: that weights or inputs are the reason.

Reads
    The log's first losses; the size of the last matrix of the latest checkpoint.

Cannot tell
    Anything of regression, detection, or losses that are sums of several. Class weights, label smoothing and masked
    tokens shift the expected value by some percent.
"""

from __future__ import annotations

from ..artifacts import Artifacts, Progress, Series
from ..finding import Finding, Judgement, Measure, Verdict
from ..series.outcome import Outcome, finite, outcome

NEEDS = ("log",)
SPEAKS_TO = ("bad-initialization", "unscaled-inputs")
COST = "file"
HIGH, USUAL, LOW = 3.0, (0.8, 1.25), 0.5
FIRST_STEPS = 10


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Hold the first loss against chance."""
    known = outcome(artifacts)
    y = finite(known.main)
    if known.main is None or known.chance is None or known.games or not len(y):
        needs = "a log with the training loss of a classifier, and its checkpoint for the number of classes"
        return Finding(
            "initial-loss", "initial loss: the number of classes is not known", "could-not-check", needs=needs
        )
    first, ratio = float(y[0]), float(y[0]) / known.chance
    place = f"{known.main.x_name} {known.main.x[0]:g}"
    return Finding(
        "initial-loss",
        f"initial loss: {first:.3g} at {place}, {ratio:.2g} times chance",
        verdicts=tuple(judge(known.main, ratio, known)),
        measures=(
            Measure("first training loss", first, where=place),
            Measure(
                f"loss of chance for {known.classes} classes", known.chance, threshold=f"first loss > {HIGH:g} times"
            ),
        ),
    )


def at_the_start(series: Series) -> bool:
    """Whether the first value is that of the first steps, not the mean of an epoch."""
    return series.x_name == "step" and series.x[0] <= FIRST_STEPS and len(series.x) > 1


def judge(main: Series, ratio: float, known: Outcome) -> list[Verdict]:
    """Too high, as expected, or lower than a fresh network can be."""
    start = at_the_start(main)
    when = "its first step" if start else "the mean of its first " + main.x_name
    because = f"{main.name} begins at {ratio:.2g} times chance (ln {known.classes} = {known.chance:.3g}; {when})"
    if ratio >= HIGH:
        level: Judgement = "suspected" if start and known.learned is False else "inconclusive"
        return [
            Verdict("bad-initialization", level, "inferred", because, "first-loss"),
            Verdict("unscaled-inputs", level, "inferred", because, "first-loss"),
        ]
    if start and USUAL[0] <= ratio <= USUAL[1]:
        return [Verdict("bad-initialization", "ruled_out", "measured", because, "first-loss")]
    if start and ratio < LOW:
        because += ": weights that were trained before, or a loss that is scaled in another way"
        return [Verdict("bad-initialization", "inconclusive", "measured", because, "first-loss")]
    return []
