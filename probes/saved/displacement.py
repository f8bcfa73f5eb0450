"""How far Adam can move a weight at most, and which parameters moved further: those were changed outside of it.

For any sequence of gradients, one step of Adam moves a coordinate by at most lr a(t),
a(t) = (1-b1)/sqrt(1-b2) sqrt((1-r^t)/(1-r)) sqrt(1-b2^t)/(1-b1^t) with r = b1^2/b2 (Cauchy-Schwarz). 641 runs at
constant rates: no violation, the largest use of the bound 0.9994. It passes the size of the weights after some 50
steps at usual rates, so that only checkpoints close to each other can be held against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..artifacts import Artifacts, Checkpoint, OptimizerState, Series
from . import moments, pairs, statistics
from .layers import parameters
from .moments import betas, option
from .schedules import schedules

SLACK = 1.002
"""Room for float32 rounding over the steps."""
MOST_STEPS = 20_000
Group = dict[str, Any]
PRUNED = 0.05
"""A share of entries that became exactly 0: pruned on purpose, not moved."""


@dataclass(frozen=True, slots=True)
class Reach:
    """One parameter between two checkpoints: the largest change of an entry, and the most that Adam could do."""

    name: str
    moved: float
    most: float
    steps: int

    @property
    def beyond(self) -> bool:
        """Whether it moved further than it could have."""
        return self.moved > self.most


def reaches(before: Checkpoint, after: Checkpoint, artifacts: Artifacts) -> list[Reach]:
    """One for every parameter for which the bound could be passed at all; empty where the rate is not certain.

    Only torch's own Adam and AdamW, float32 weights, and counts that went on from `before` to `after`.
    """
    old, state, found = before.optimizer, after.optimizer, []
    if old is None or state is None or not bounded(before, after):
        return []
    logged = artifacts.series("lr")
    for name, end in parameters(after).items():
        start, own, then = before.tensors.get(name), state.of(name), old.of(name)
        if start is None or own is None or then is None or start.shape != end.shape or end.dtype != "float32":
            continue
        first, last = int(then.step or 0), int(own.step or 0)
        rate = highest(before, after, (old.groups[then.group], state.groups[own.group]), logged)
        if rate is None or start.dtype != "float32" or not 0 < first < last <= first + MOST_STEPS:
            continue
        was, now = statistics.of(before).values(start), statistics.of(after).values(end)
        most = reach(first, last, rate, state.groups[own.group], was.largest)
        if most >= was.largest + now.largest:
            continue
        gap = pairs.gap(before, after, name)
        if gap.zeroed <= PRUNED * now.numel:
            found.append(Reach(name, gap.largest, most, last - first))
    return found


def bounded(before: Checkpoint, after: Checkpoint) -> bool:
    """Whether both hold the state of an Adam for which the bound may hold, few enough steps apart."""
    old, state = before.optimizer, after.optimizer
    if old is None or state is None or not is_torch_adam(state) or len(old.groups) != len(state.groups):
        return False
    return (state.step or 0) <= (old.step or 0) + MOST_STEPS


def reach(first: int, last: int, lr: float, group: Group, size: float) -> float:
    """The most that an entry of at most `size` moves in the steps from `first` to `last`, decay included."""
    b1, b2 = betas(group)
    t = np.arange(first + 1, last + 1, dtype=np.float64)
    r = b1 * b1 / b2
    with np.errstate(over="ignore"):
        powers = (1 - r**t) / (1 - r) if r != 1 else t
    bound = lr * float(np.sum((1 - b1) / math.sqrt(1 - b2) * np.sqrt(powers * (1 - b2**t)) / (1 - b1**t)))
    decay = lr * option(group, "weight_decay", 0.0) * len(t)
    return SLACK * (bound + decay * (size + bound)) + 1e-6 * size


def is_torch_adam(state: OptimizerState) -> bool:
    """Others keep the same two moments and step further (LAMB, Prodigy); they lack torch's `amsgrad`."""
    named = all("amsgrad" in g and "d" not in g for g in state.groups)
    sane = all(0 <= b1 < 1 and 0 < b2 < 1 for b1, b2 in map(betas, state.groups))
    return named and sane and state.kind in {"adam", "adamw"} and moments.family(state) == "adam"


def highest(before: Checkpoint, after: Checkpoint, groups: tuple[Group, Group], logged: Series | None) -> float | None:
    """The largest rate that a group can have had in between; None where it may have been any.

    It is known from a log of it, from a saved schedule, or where no schedule was ever attached and both ends agree.
    """
    ends = [option(g, "lr", math.nan) for g in groups]
    known = [option(g, key, 0.0) for g in groups for key in ("initial_lr", "max_lr")]
    values = logged.y[np.isfinite(logged.y)].tolist() if logged is not None else []
    tops = [s.top for c in (before, after) for s in schedules(c)]
    if not values and (None in tops if tops else any(known) or ends[0] != ends[1]):
        return None
    top = max(*ends, *known, *values, *(t for t in tops if t is not None))
    return top if math.isfinite(top) and top > 0 else None
