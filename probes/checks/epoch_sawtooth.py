"""Epoch sawtooth: whether the loss goes through the same pattern in every epoch

What it measures
    A training loss that was logged several times an epoch: how much of its variation repeats from epoch to epoch, as
    it does where the samples come in the same order every time.

Formula
    The trend (a running median of one epoch's length) is taken away. Each epoch is cut into 8 equal parts; the mean
    profile over the parts explains the share R of the variance. Against chance: the same with each epoch's parts
    shifted around at random, 200 times.

Thresholds and sources
    unshuffled-data: R > 0.5 over at least 4 whole epochs, above all of the 200 shifted ones, and larger than 2 % of
    the loss: suspected. Shuffled data give R of about 1 / epochs. A loss that is logged as the running mean since the
    epoch's start makes a sawtooth too, falling within each epoch and jumping up at its border while the run learns:
    where the profile is monotone from border to border, the verdict is inconclusive.

Evidence
    inferred: a pattern beyond chance, by shuffling its own parts.

Reads
    Logs that have the training loss by step and the epoch, or steps and a known number of steps an epoch.

Cannot tell
    Which order: sorted by class, by file, by time. Logs of one value an epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Floats, Progress, Series
from ..finding import Curve, Finding, Judgement, Measure, Plot, Verdict
from ..series import curves

NEEDS = ("log",)
SPEAKS_TO = ("unshuffled-data",)
COST = "file"
PARTS, EPOCHS, SHIFTS = 8, 4, 200
MOST_EPOCHS = 2000
"""Of more, an even share is looked at."""
REPEATS, LARGE = 0.5, 0.02


@dataclass(frozen=True, slots=True)
class Sawtooth:
    """The repeating part: mean profile over the parts of an epoch, its share of the variance, the chance level."""

    profile: Floats
    share: float
    chance: float
    epochs: int
    level: float

    @property
    def monotone(self) -> bool:
        """Whether the profile runs one way from border to border, as a running mean does."""
        steps = np.diff(self.profile)
        return bool((steps <= 0).sum() >= PARTS - 2 or (steps >= 0).sum() >= PARTS - 2)


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Fold the training loss by epoch."""
    needs = f"a log of the training loss by step over {EPOCHS} epochs or more, with the epoch beside it"
    for log in artifacts.logs:
        for series in log.series:
            if series.name in {"train/loss", "train/loss_step"} and (found := fold(series)) is not None:
                return _finding(found, series)
    return Finding("epoch-sawtooth", "loss within the epochs: not logged", "could-not-check", needs=needs)


def fold(series: Series) -> Sawtooth | None:
    """The pattern that repeats each epoch; None where the epochs are not known or too few."""
    position = epochs_of(series)
    if position is None:
        return None
    good = np.isfinite(series.y)
    place, y = position[good], series.y[good]
    per_epoch = len(y) / max(1.0, place[-1] - place[0]) if len(y) else 0.0
    if len(y) < 4 * PARTS or per_epoch < PARTS or np.any(np.diff(place) < 0):
        return None
    width = int(per_epoch) | 1
    rest = y - curves.smooth(y, min(width, 2001))
    first, last = int(np.ceil(place[0] - 1e-6)), int(np.floor(place[-1] + 1 / per_epoch))
    table = _by_part(place - first, rest, last - first)
    table = table[:: -(-len(table) // MOST_EPOCHS) or 1]
    if len(table) < EPOCHS:
        return None
    share = _share(table)
    random = np.random.default_rng(0)
    shifted = [_share(_turned(table, random)) for _ in range(SHIFTS)]
    return Sawtooth(table.mean(0), share, max(shifted), len(table), abs(float(np.median(y))))


def _by_part(place: Floats, rest: Floats, epochs: int) -> Floats:
    """The mean of every part of the epochs from 0 on, (epochs, PARTS), those left out that lack one."""
    part = np.floor(place * PARTS).astype(np.intp)
    inside = (part >= 0) & (part < epochs * PARTS)
    counts, sums = (np.bincount(part[inside], w, max(0, epochs) * PARTS) for w in (None, rest[inside]))
    table = (sums / np.where(counts, counts, np.nan)).reshape(-1, PARTS)
    return np.asarray(table[np.isfinite(table).all(1)])


def _turned(table: Floats, random: np.random.Generator) -> Floats:
    """With the parts of each epoch shifted around."""
    turns = (np.arange(PARTS) + random.integers(PARTS, size=(len(table), 1))) % PARTS
    return np.take_along_axis(table, turns, axis=1)


def _whole(x: Floats) -> bool:
    return bool(np.all(x == np.round(x)))


def _share(table: Floats) -> float:
    """The share of the variance that the mean profile explains."""
    total = float(((table - table.mean()) ** 2).sum())
    return len(table) * float(((table.mean(0) - table.mean()) ** 2).sum()) / total if total > 0 else 0.0


def epochs_of(series: Series) -> Floats | None:
    """The epoch, with its fraction, of every value; None where the log does not say.

    As logged where fractions are; else the values of each whole epoch are spread over it in their order.
    """
    epoch = series.epoch if series.epoch is not None else series.x if series.x_name == "epoch" else None
    if epoch is None or len(epoch) < 2 or not np.isfinite(epoch).all() or len(np.unique(epoch)) == 1:
        return None
    if not _whole(epoch):
        return epoch
    values, which, counts = np.unique(epoch, return_inverse=True, return_counts=True)
    if len(values) == len(epoch):
        return None
    order = np.argsort(which, kind="stable")
    rank = np.empty(len(epoch))
    rank[order] = np.arange(len(epoch)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(epoch + rank / counts[which])


def _finding(found: Sawtooth, series: Series) -> Finding:
    size = float(np.ptp(found.profile)) / found.level if found.level > 0 else 0.0
    because = (
        f"{found.share:.0%} of what {series.name} does within an epoch repeats over {found.epochs} epochs "
        f"(by chance at most {found.chance:.0%}), by {size:.1%} of its level"
    )
    verdicts: tuple[Verdict, ...] = ()
    if found.share > REPEATS and found.share > found.chance and size > LARGE:
        if found.monotone:
            because += "; it runs one way within each epoch, as a mean that starts anew each epoch does"
        level: Judgement = "inconclusive" if found.monotone else "suspected"
        verdicts = (Verdict("unshuffled-data", level, "inferred", because, "curves"),)
    elif found.share <= found.chance:
        verdicts = (Verdict("unshuffled-data", "ruled_out", "inferred", because, "curves"),)
    x = tuple((i + 0.5) / PARTS for i in range(PARTS))
    return Finding(
        "epoch-sawtooth",
        f"loss within the epochs: {found.share:.0%} of its variation repeats",
        verdicts=verdicts,
        measures=(
            Measure("share of the variation that repeats each epoch", found.share, "", f"> {REPEATS:g}"),
            Measure("the same by chance, at most", found.chance),
            Measure("size of the pattern against the loss", size, "", f"> {LARGE:g}"),
        ),
        plots=(
            Plot("mean course of an epoch", "lines", (Curve(series.name, x, tuple(found.profile.tolist())),), "epoch"),
        ),
    )
