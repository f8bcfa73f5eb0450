"""Where on a curve a checkpoint lies, and with how many digits a curve was written."""

from __future__ import annotations

import numpy as np

from ..artifacts import Checkpoint, Floats, Series
from ..saved import counts


def written(y: Floats) -> float:
    """The last digit with which the values of a log were written, from 1 to 1e-7."""
    y = y[np.abs(y) < 1e9]
    for digits in range(7):
        if np.allclose(y * 10**digits, np.round(y * 10**digits), rtol=0, atol=1e-6):
            return float(10.0**-digits)
    return 1e-7


def place(checkpoint: Checkpoint, curve: Series) -> tuple[float, float] | None:
    """(where on the curve's axis a checkpoint lies, how far that may be off); None if it cannot be told.

    Some logs call an axis of epochs "step": one that ends near the epoch, and far below the step, is one.
    """
    step, epoch, end = counts.own(checkpoint) or checkpoint.step, checkpoint.epoch, float(np.nanmax(curve.x))
    spacing = float(np.median(np.abs(np.diff(curve.x)))) if len(curve.x) > 1 else 1.0
    in_epochs = epoch is not None and (step is None or end < step / 3) and end <= 3 * (epoch + 1)
    if curve.x_name == "epoch" or (curve.x_name == "step" and in_epochs):
        return (float(epoch), max(1.0, spacing)) if epoch is not None else None
    if curve.x_name != "step" or step is None or in_epochs:
        return None
    return float(step), max(spacing, step / epoch if epoch else 0.0)


def around(checkpoint: Checkpoint, curve: Series) -> Floats | None:
    """The curve's finite values near a checkpoint; None if it has none there."""
    found = place(checkpoint, curve)
    if found is None:
        return None
    near = curve.y[(np.abs(curve.x - found[0]) <= 1.01 * found[1]) & np.isfinite(curve.y)]
    return near if len(near) else None
