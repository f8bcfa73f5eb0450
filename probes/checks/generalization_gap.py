"""Generalization gap: training against validation from the first epoch on

What it measures
    How validation compares with training at the same epochs: from the first one, not only at the end. Whether
    validation is better throughout, or never leaves chance while training learns. How finely and how surely the
    validation accuracy can tell one epoch from another.

Formula
    Gap: validation minus training accuracy, validation over training loss, at common epochs. Size of the validation
    set: the smallest n for which all logged accuracies are multiples of 1/n, as far as their digits say. Standard
    error of an accuracy p: sqrt(p (1 - p) / n).

Thresholds and sources
    Validation better than training is no fault in itself: in 23 of 56 healthy logs the validation loss ends below the
    training loss (dropout, augmentation, running means). So data-leakage is told as inconclusive where validation is
    better at 80 % of the epochs, and suspected only where its loss is below half of training's and its accuracy 0.1
    above it over the second half while the code names neither dropout nor augmentation. preprocessing-mismatch and
    train-eval-mode: training accuracy goes more than 80 % of the way to 1 while validation never leaves the first 10 %:
    suspected; likewise where it never leaves the first 20 %, the training loss falls below half of chance and the
    validation loss is above 1.3 x chance from the first epoch to the last. bad-labels: validation begins at chance
    (0.95 to 1.25 x ln C), never gets better and turns worse, while the training loss falls by a tenth or more:
    suspected. insufficient-data: a standard error above 0.03 (about 250 samples): told as inconclusive, since
    differences between epochs below twice that are chance.

Evidence
    measured: the size of the validation set and its standard error. inferred: reasons for a gap.

Reads
    Training and validation losses and accuracies of one log; the script's or target's text for dropout and
    augmentation.

Cannot tell
    Why validation is better: the training numbers of an epoch are taken while the weights still change, and with
    dropout on. A few hundred training samples scored in evaluation mode would tell.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Floats, Progress, Series
from ..finding import Curve, Finding, Judgement, Measure, Plot, Verdict
from ..series import curves, trends
from ..series.outcome import Outcome, finite, outcome

NEEDS = ("log",)
SPEAKS_TO = ("data-leakage", "preprocessing-mismatch", "train-eval-mode", "insufficient-data", "bad-labels")
COST = "file"
ENOUGH = 5
MOST, SURE_LOSS, SURE_ACCURACY = 0.8, 0.5, 0.1
LEARNED, CHANCE = 0.8, 0.1
OFF, START = 1.3, 1.25
UNSURE = 0.03
LARGEST_SET = 3000
NOISE_IN_TRAINING = re.compile(
    r"dropout|drop_?path|mixup|cutmix|augment|random(crop|flip|resized|horizontal|erasing)", re.I
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Training and validation values at the same places."""

    x: Floats
    train: Floats
    val: Floats


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Compare the two splits epoch by epoch."""
    known = outcome(artifacts)
    loss, accuracy = common(known.train, known.val), common(known.train_accuracy, known.val_accuracy)
    if known.games or (loss is None and accuracy is None):
        needs = f"a log with training and validation values at {ENOUGH} or more common epochs"
        return Finding("generalization-gap", "generalization gap: no common epochs", "could-not-check", needs=needs)
    size = set_size(known.val_accuracy)
    noisy = NOISE_IN_TRAINING.search(artifacts.code) is not None
    verdicts = [
        *better(loss, accuracy, noisy),
        *(at_chance(accuracy, known) or only_by_heart(loss, known)),
        *unsure(known.val_accuracy, size),
    ]
    return Finding(
        "generalization-gap",
        _title(loss, accuracy),
        verdicts=tuple(verdicts),
        measures=_measures(loss, accuracy, size, known),
        plots=_plots(accuracy, known),
    )


def common(train: Series | None, val: Series | None) -> Pair | None:
    """Values of both at the x that both have, finite ones only; None below five."""
    if train is None or val is None or train.x_name != val.x_name:
        return None
    x, i, j = np.intersect1d(train.x, val.x, return_indices=True)
    good = np.isfinite(train.y[i]) & np.isfinite(val.y[j])
    return Pair(x[good], train.y[i][good], val.y[j][good]) if good.sum() >= ENOUGH else None


def better(loss: Pair | None, accuracy: Pair | None, noisy: bool) -> list[Verdict]:
    """Validation better than training throughout."""
    parts, shares = [], []
    if loss is not None:
        shares.append(float(np.mean(loss.val < loss.train)))
        parts.append(f"the validation loss is below the training loss at {shares[-1]:.0%} of {len(loss.x)} epochs")
    if accuracy is not None:
        shares.append(float(np.mean(accuracy.val > accuracy.train)))
        parts.append(f"the validation accuracy is above training's at {shares[-1]:.0%}")
    if min(shares) < MOST:
        return []
    late = slice(len(loss.x) // 2, None) if loss else slice(0)
    far = loss is not None and bool((loss.val[late] < SURE_LOSS * loss.train[late]).all())
    if accuracy is not None:
        half = len(accuracy.x) // 2
        far = far and float(np.median(accuracy.val[half:] - accuracy.train[half:])) > SURE_ACCURACY
    level: Judgement = "suspected" if far and accuracy is not None and not noisy else "inconclusive"
    because = "; ".join(parts) + (" (the code names dropout or augmentation, which does that)" if noisy else "")
    return [Verdict("data-leakage", level, "inferred", because, "curves")]


def at_chance(accuracy: Pair | None, known: Outcome) -> list[Verdict]:
    """Training learns from the start and validation never does."""
    if accuracy is None or known.classes is None:
        return []
    floor = 1 / known.classes
    train, val = (accuracy.train - floor) / (1 - floor), (accuracy.val - floor) / (1 - floor)
    if train.max() < LEARNED or val.max() > CHANCE:
        return []
    because = (
        f"training accuracy reaches {accuracy.train.max():.0%}, validation never more than {accuracy.val.max():.0%} "
        f"(chance: {floor:.0%}), from the first epoch on: overfitting begins with both alike"
    )
    return [Verdict(d, "suspected", "inferred", because, "gap") for d in ("preprocessing-mismatch", "train-eval-mode")]


def only_by_heart(loss: Pair | None, known: Outcome) -> list[Verdict]:
    """A training loss that falls while nothing of it ever carries over to validation: by when that shows."""
    skill = finite(known.val_accuracy)
    if loss is None or known.chance is None or not known.classes or not len(skill):
        return []
    if (skill.max() - 1 / known.classes) / (1 - 1 / known.classes) > 2 * CHANCE or loss.val.min() < 0.95 * known.chance:
        return []
    first, last = (float(v) / known.chance for v in (loss.val[0], curves.ends(loss.val)[1]))
    end = curves.ends(loss.train)[1]
    because = (
        f"the training loss falls to {end / known.chance:.2g} times chance (ln {known.classes} = {known.chance:.3g})"
    )
    because += (
        f" and the validation loss is {first:.2g} times chance at first, {last:.2g} at the end, its accuracy never"
    )
    because += f" above {skill.max():.0%}"
    if end < 0.5 * known.chance and loss.val.min() > OFF * known.chance:
        because += ": overfitting begins with both alike"
        return [
            Verdict(d, "suspected", "inferred", because, "gap") for d in ("preprocessing-mismatch", "train-eval-mode")
        ]
    if end < 0.9 * known.chance and first < START and trends.mann_kendall(loss.val) > 2:
        because += ": what is learned holds for no other sample, as when labels do not belong to their inputs"
        return [Verdict("bad-labels", "suspected", "inferred", because, "gap")]
    return []


def set_size(series: Series | None) -> int | None:
    """The smallest number of samples of which all logged accuracies are whole counts; None if that cannot be told.

    Needs 4 different values, and digits enough to tell: a multiple of 1/n within the rounding of the log would come by
    chance with probability 2 n r each, r the rounding; the product over the values must be below 1e-3.
    """
    y = np.unique(finite(series))
    y = y[(y > 0) & (y < 1)]
    if len(y) < 4:
        return None
    rounding = 0.5 * 10.0 ** -max(_digits(v) for v in y)
    for n in range(10, LARGEST_SET):
        off = np.abs(y * n - np.round(y * n)) / n
        if off.max() <= rounding * 1.01 and (2 * n * rounding) ** len(y) * n < 1e-3:
            return n
    return None


def _digits(value: float) -> int:
    """Decimals with which a number was written, 8 at most."""
    return next((d for d in range(1, 8) if abs(value - round(value, d)) < 1e-9), 8)


def unsure(series: Series | None, size: int | None) -> list[Verdict]:
    """A validation set too small to tell epochs apart."""
    y = finite(series)
    if size is None or not len(y):
        return []
    p = min(max(curves.ends(y)[1], 1 / size), 1 - 1 / size)
    error = math.sqrt(p * (1 - p) / size)
    if error <= UNSURE:
        return []
    because = (
        f"the logged accuracies are counts of {size} validation samples: {p:.1%} is known within {error:.1%}, and "
        f"differences between epochs below {2 * error:.0%} are chance"
    )
    return [Verdict("insufficient-data", "inconclusive", "measured", because, "curves")]


def _title(loss: Pair | None, accuracy: Pair | None) -> str:
    if accuracy is not None:
        first, last = (100 * float(accuracy.train[i] - accuracy.val[i]) for i in (0, -1))
        return f"training minus validation accuracy: {first:.1f} points at first, {last:.1f} at the end"
    assert loss is not None
    first, last = (float(loss.val[i] / loss.train[i]) if loss.train[i] else math.inf for i in (0, -1))
    return f"validation over training loss: {first:.3g} at first, {last:.3g} at the end"


def _measures(loss: Pair | None, accuracy: Pair | None, size: int | None, known: Outcome) -> tuple[Measure, ...]:
    found = []
    for name, pair in (("loss", loss), ("accuracy", accuracy)):
        if pair is not None:
            found.append(Measure(f"validation minus training {name} at first", float(pair.val[0] - pair.train[0])))
            found.append(Measure(f"validation minus training {name} at the end", float(pair.val[-1] - pair.train[-1])))
    if size is not None:
        found.append(Measure("validation samples, by the steps of the accuracy", size))
    if known.val is not None and len(finite(known.val)) >= 8:
        found.append(Measure("noise of the validation loss", curves.noise(finite(known.val))))
    return tuple(found)


def _plots(accuracy: Pair | None, known: Outcome) -> tuple[Plot, ...]:
    if accuracy is None or known.val_accuracy is None:
        return ()
    x = tuple(accuracy.x.tolist())
    lines = (
        Curve("train/accuracy", x, tuple(accuracy.train.tolist())),
        Curve("val/accuracy", x, tuple(accuracy.val.tolist())),
    )
    return (Plot("accuracies", "lines", lines, x_label=known.val_accuracy.x_name, y_label="accuracy"),)
