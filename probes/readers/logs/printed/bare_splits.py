"""Numbers of which a log says the split and no more ("loss 2.5 val 2.7", "train: 2.5 val: 2.7"): are they losses?

They are called "score" while a line is read. As curves they can be compared: a loss begins where the other loss begins
and goes its way, or at least stays within its range; an accuracy does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ....artifacts import Floats, Series

NEAR = 2.0
"""The largest ratio of the first values of two losses on different data, before anything is learned."""
RANGE = 3.0
"""How far above its first value an overfitting loss is followed; a percentage of right answers goes further."""


def losses_among(series: Sequence[Series]) -> list[Series]:
    """The series, with those scores named losses that can only be losses."""
    training = next((s for s in series if s.name == "train/loss"), None)
    reference = training or next((s for s in series if s.name == "train/score" and _falls(s.y)), None)
    if reference is None:
        return list(series)
    return [replace(s, name=s.name[:-5] + "loss") if _is_loss(s, reference) else s for s in series]


def _is_loss(series: Series, reference: Series) -> bool:
    if not series.name.endswith("/score") or len(series.y) < 2:
        return False
    if series is reference:
        return True
    first, start = float(series.y[0]), float(reference.y[0])
    if not (first > 0 and start > 0 and max(first, start) <= NEAR * min(first, start)):
        return False
    count = min(len(series.y), len(reference.y))
    together = len(series.y) == len(reference.y) and _agreement(series.y[:count], reference.y[:count]) > 0
    highest = float(np.nanmax(series.y))
    return together or 1 < highest <= RANGE * first


def _falls(y: Floats) -> bool:
    return len(y) > 1 and bool(y[-1] < y[0])


def _agreement(a: Floats, b: Floats) -> float:
    """The rank correlation of two curves."""
    ranks = [np.argsort(np.argsort(values)).astype(float) for values in (a, b)]
    return float(np.dot(*(r - r.mean() for r in ranks)))
