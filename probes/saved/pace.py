"""How fast a run was set to go, as far as its checkpoints say: learning rates, and whether gradients still come."""

from __future__ import annotations

import math

import numpy as np

from ..artifacts import Checkpoint
from . import moments, statistics
from .layers import depth
from .moments import option

SILENT = 1e-3
"""Adam's step at a learning rate of 1 where gradients come is about 0.1 to 1 for each weight; below this none do."""
STILL = 1e-9
"""A mean of gradients (SGD's buffer) that at no rate up to 1 changes a weight of 0.02 in float32."""
LARGE_LR = 1e-2
"""Adam moves every weight by about this much a step: ten times its default is not too low."""


def rates(checkpoints: tuple[Checkpoint, ...]) -> tuple[float, ...]:
    """The first group's learning rate in each checkpoint that has one; NaN where it is no number."""
    groups = [c.optimizer.groups[0] for c in checkpoints if c.optimizer and c.optimizer.groups]
    return tuple(option(g, "lr", math.nan) for g in groups)


def peak(checkpoints: tuple[Checkpoint, ...]) -> float | None:
    """The largest learning rate that the first groups have now or began with."""
    groups = [c.optimizer.groups[0] for c in checkpoints if c.optimizer and c.optimizer.groups]
    starts = [option(g, "initial_lr", math.nan) for g in groups]
    return max((r for r in (*rates(checkpoints), *starts) if math.isfinite(r)), default=None)


def is_adam(checkpoint: Checkpoint) -> bool:
    """Whether the optimizer keeps Adam's two moments."""
    return checkpoint.optimizer is not None and moments.family(checkpoint.optimizer) == "adam"


def silent(checkpoint: Checkpoint) -> bool:
    """Whether most matrices receive no gradient any more, as far as the state shows."""
    limit, numbers = SILENT if is_adam(checkpoint) else STILL, statistics.of(checkpoint)
    sums = [s for layer in depth(checkpoint) if (s := numbers.of(layer.weight)) is not None]
    steps = [math.sqrt(float(s.step.sum()) / max(1, s.numel)) for s in sums if np.isfinite(s.step).all()]
    return bool(steps) and float(np.median(steps)) <= limit


def may_be_low(checkpoints: tuple[Checkpoint, ...]) -> bool:
    """Whether a larger rate could help: without gradients nothing moves at any rate, and above a large one it is no
    cure."""
    last = checkpoints[-1]
    return not silent(last) and not (is_adam(last) and (peak(checkpoints) or 0) >= LARGE_LR)
