"""How many gradients are too small for float16 at a loss scale, from the mean squares that Adam and RMSprop keep.

v^ of an entry is the mean square of its gradient g, after the loss scale S was divided out. In the backward pass S g is
held in float16, which loses digits below 2^-14 and rounds to 0 below 2^-25. Of a row of n entries whose v^ sum up to q,
at most q / L^2 have an RMS gradient of L or more: so at least n - q / L^2 lie below L. That bound needs the row sums
alone. Rows of exactly 0 are left out: whether they were rounded to 0 or never had a gradient cannot be told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Checkpoint
from . import moments, statistics

NORMAL = 2.0**-14
"""The smallest float16 with all its digits, 6.1e-5."""
ZERO = 2.0**-25
"""Half the smallest float16: what is less is rounded to 0."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Shares of the entries in rows that have a gradient: at least so many are below the normal range, or lost."""

    coarse: float
    lost: float


def lost(checkpoint: Checkpoint, scale: float) -> Lost | None:
    """The least shares of entries whose RMS gradient, times `scale`, is too small; None where the file does not tell.

    Reads the optimizer's state in the shared pass. Raises Unreadable.
    """
    state = checkpoint.optimizer
    if state is None or moments.family(state) not in {"adam", "rmsprop"} or not scale > 0:
        return None
    total, found = 0.0, [0.0, 0.0]
    for parameter in state.parameters:
        sums = statistics.of(checkpoint).sums(parameter)
        if (
            sums is None
            or moments.maybe_mixed(state, moments.options(state, parameter))
            or not np.isfinite(sums.square).all()
        ):
            continue
        each = sums.numel / max(1, len(sums.square))
        rows = sums.square[sums.square > 0]
        total += each * len(rows)
        for place, limit in enumerate((NORMAL, ZERO)):
            found[place] += float(np.maximum(0.0, each - rows * (scale / limit) ** 2).sum())
    return Lost(found[0] / total, found[1] / total) if total and math.isfinite(total) else None
