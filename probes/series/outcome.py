"""How a run went, as far as its logs and its head say: the curves that belong together, chance, stuck or not."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from ..artifacts import Artifacts, Floats, Log, Series
from ..saved import layers
from ..saved.pretrained import pretrained
from . import curves
from .restarts import last_run

GAMES = re.compile(
    r"reward|return|advantage|policy|critic|actor|rollout|discrim|generator|adv_loss|(^|[/_ .-])[dg][_ -]?loss",
    re.I,
)
"""Columns of reinforcement learning and of adversarial training: their losses need not fall."""

CHANCE = (0.95, 1.2)
"""A loss in this range, times ln C, is what a model scores that knows only how many classes there are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The curves of one run that belong together; any of them may be missing. Accuracies are fractions.

    `classes` is the number of classes where the head's size and the start of the loss agree on it; `outputs` is the
    head's size, whatever it is for. `games` says that the columns are those of reinforcement learning or of adversarial
    training.
    `warm` says that the run began with trained weights; it is not asked of one that learned.
    `log` holds the main curve; `left_aside` are the logs with a loss of their own of which no curve was taken.
    """

    train: Series | None
    val: Series | None
    train_accuracy: Series | None
    val_accuracy: Series | None
    classes: int | None
    games: bool
    log: Log | None = None
    outputs: int | None = None
    left_aside: tuple[Log, ...] = ()
    warm: bool = False

    @property
    def main(self) -> Series | None:
        """The training loss, else the validation loss."""
        return self.train or self.val

    @property
    def chance(self) -> float | None:
        """The cross-entropy of knowing nothing: ln C."""
        return math.log(self.classes) if self.classes else None

    def at_chance(self, series: Series | None) -> bool | None:
        """Whether a loss ends at chance; None if that cannot be told."""
        y = finite(series)
        if self.chance is None or not len(y):
            return None
        return CHANCE[0] * self.chance <= curves.ends(y)[1] <= CHANCE[1] * self.chance

    @property
    def worse_than_chance(self) -> bool:
        """Whether the training loss ends above 1.5 x chance without having come down by half."""
        y = finite(self.main)
        if self.chance is None or self.games or len(y) < 4:
            return False
        start, end = curves.ends(y)
        return end > 1.5 * self.chance and end > 0.5 * start

    def skill(self, series: Series | None) -> float | None:
        """How much of the way from chance to perfect an accuracy has gone at the end: 0 at 1/C, 1 at 1."""
        y = finite(series)
        if not len(y):
            return None
        chance = 1 / self.classes if self.classes else 0.0
        return (curves.ends(y)[1] - chance) / (1 - chance)

    @property
    def fall(self) -> float | None:
        """(start - end) / start of the training loss; None below 4 points or where it is not positive."""
        y = finite(self.main)
        if len(y) < 4:
            return None
        start, end = curves.ends(y)
        return (start - end) / start if start > 0 else None

    @property
    def stuck(self) -> bool | None:
        """Whether the run has not learned: at chance, or a fall below a tenth and no accuracy to speak of. A small fall
        alone says nothing of a run that began with trained weights."""
        if self.games or self.fall is None:
            return None
        skills = [s for s in (self.skill(self.train_accuracy), self.skill(self.val_accuracy)) if s is not None]
        if skills and max(skills) > 0.5:
            return False
        if self.warm and not self.at_chance(self.main) and 0 <= self.fall < 0.1:
            return None
        return bool(self.at_chance(self.main)) or self.fall < 0.1

    @property
    def learned(self) -> bool | None:
        """Whether the run has clearly learned: a loss down by half, or more than half of the possible accuracy."""
        if self.fall is None:
            return None
        skill = self.skill(self.val_accuracy) if self.val_accuracy else self.skill(self.train_accuracy)
        if skill is not None and skill > 0.5:
            return True
        # a loss that blew up at first has fallen a long way without having learned: chance is the better measure
        end = curves.ends(finite(self.main))[1]
        if self.may_be_at_chance and self.fall > 0.5:
            return None
        fell = self.fall > 0.5 and (self.chance is None or end < 0.8 * self.chance)
        return None if self.warm and not fell and self.fall >= 0 else fell

    @property
    def may_be_at_chance(self) -> bool:
        """Whether a loss that is not known to be a cross-entropy, as it began far from ln C, ends where a classifier of
        the head's size would be at chance."""
        y = finite(self.main)
        if self.chance is not None or self.games or not len(y) or not self.outputs or self.outputs < 2:
            return False
        return CHANCE[0] * math.log(self.outputs) <= curves.ends(y)[1] <= CHANCE[1] * math.log(self.outputs)

    @property
    def idle(self) -> bool | None:
        """Whether not even a beginning of learning shows: at chance to the end, or a fall below 3 %."""
        stuck = self.stuck
        return stuck and (bool(self.at_chance(self.main)) or (self.fall or 0.0) < 0.03)


def finite(series: Series | None) -> Floats:
    """The finite values of a series, in order; empty without one."""
    return np.asarray([], dtype=np.float64) if series is None else series.y[np.isfinite(series.y)]


def outcome(artifacts: Artifacts) -> Outcome:
    """The curves of the log with most to say, those of one x axis together."""
    logs = sorted(artifacts.logs, key=_worth, reverse=True)
    val_log, val = _first(logs, "val/loss")
    if val is None:
        val_log, val = _first(logs, "test/loss")
    train_log, train = _first(logs, "train/loss", val, val_log)
    if train is None:
        train_log, train = _first(logs, "train/loss_step", val, val_log)
    home = train_log or val_log
    train_accuracy = _first(logs, "train/accuracy", val, home)
    val_accuracy = _first(logs, "val/accuracy", None, home)
    if val_accuracy[1] is None:
        val_accuracy = _first(logs, "test/accuracy", None, home)
    taken = [val_log, train_log, train_accuracy[0], val_accuracy[0]]
    aside = [log for log in artifacts.logs if not any(log is t for t in taken) and _has_loss(log)]
    columns = [s.column + " " + s.name for log in logs for s in log.series]
    accuracies = _accuracy(train_accuracy[1]), _accuracy(val_accuracy[1])
    count = _classes(artifacts, train or val, any(accuracies))
    games = any(GAMES.search(c) for c in columns)
    outputs = layers.classes(artifacts.last)
    found = Outcome(train, val, *accuracies, count, games, home or val_accuracy[0], outputs, tuple(aside))
    return found if found.learned else replace(found, warm=pretrained(artifacts))  # which takes a while


def _has_loss(log: Log) -> bool:
    return any(len(s.y) > 1 for s in log.series if s.name in ("train/loss", "val/loss", "train/loss_step"))


def _worth(log: Log) -> tuple[bool, int]:
    return log.get("val/loss") is not None, max((len(s.y) for s in log.series), default=0)


def _first(
    logs: list[Log], name: str, like: Series | None = None, home: Log | None = None
) -> tuple[Log | None, Series | None]:
    """The curve of that name, of the last run where a log holds several, and its log: `home` if that has one."""
    found = [(log, last_run(s)) for log in logs for s in log.series if s.name == name and len(s.y)]

    def order(pair: tuple[Log, Series]) -> tuple[bool, bool, int]:
        log, s = pair
        away = home is not None and log is not home
        return (away, False, 0) if like is None else (away, s.x_name != like.x_name, abs(len(s.y) - len(like.y)))

    return min(found, key=order, default=(None, None))


def _accuracy(series: Series | None) -> Series | None:
    if series is None or not len(finite(series)):
        return None
    y = curves.fraction(series.y)
    return Series(series.name, series.column, series.x, y, series.x_name) if finite(series).min() >= 0 else None


def _classes(artifacts: Artifacts, loss: Series | None, accuracy: bool) -> int | None:
    """The head's size, where the first losses are about as large as ln C: a head of another kind is not believed."""
    size = layers.classes(artifacts.last)
    y = finite(loss)
    if size is None or not len(y):
        return None
    count = 2 if size == 1 and accuracy else size
    if count < 2:
        return None
    (start, end), chance = curves.ends(y), math.log(count)
    if accuracy:  # any loss of a classifier that is at home near ln C
        return count if max(start, end) > 0.5 * chance and min(start, end) < 5 * chance else None
    return count if 0.85 <= start / chance <= 1.25 else None
