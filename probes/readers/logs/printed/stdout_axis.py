"""The x axis of a printed curve: which of the epochs, steps and counters of its lines rise from point to point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....artifacts import Floats

MOST_REPEATS = 0.34
"""An axis on which more points than these stand still is not the one that was counted."""


@dataclass(frozen=True, slots=True)
class Point:
    """One printed value: the epoch and step that held, how far into the epoch (in [0, 1]) it was, the value.

    `early` marks one that was printed before the first axis.
    """

    epoch: float | None
    step: float | None
    part: float | None
    y: float
    early: bool = False


def axis_of(points: list[Point]) -> tuple[Floats, str, Floats | None]:
    """(x, its name, the epoch of every point beside it or None). Whole epochs if there is one value for each.

    Else steps that go on over the epochs, else epochs with their fractions, else the row number.
    """
    epoch, step = (_array([getattr(p, name) for p in points]) for name in ("epoch", "step"))
    part = _array([p.part for p in points])
    fractions = part is not None and bool(np.any(part < 1))  # else every line closes its epoch
    if epoch is not None and not fractions and _rises(epoch):
        return epoch, "epoch", None
    if step is not None and _rises(step) and _goes_on(step, epoch, part):
        return step, "step", epoch
    if epoch is not None and part is not None and fractions:
        return epoch + part, "epoch", None
    if step is not None and epoch is None and _rises(step):
        return step, "step", None
    return np.arange(len(points), dtype=float), "row", epoch


def _array(values: list[float | None]) -> Floats | None:
    known = [v for v in values if v is not None]
    return np.array(known, float) if len(known) == len(values) else None


def _rises(x: Floats) -> bool:
    return len(x) < 2 or float(np.mean(np.diff(x) == 0)) <= MOST_REPEATS


def _goes_on(step: Floats, epoch: Floats | None, part: Floats | None) -> bool:
    """Whether a step counts over the whole run and does not begin again with every epoch."""
    if epoch is None:
        return True
    borders = np.flatnonzero(np.diff(epoch) > 0) + 1
    if not len(borders):
        return part is None
    return float(np.mean(step[borders] > step[borders - 1])) > 0.5
