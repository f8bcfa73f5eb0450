"""How often units behind a batch normalisation can fire, from its two vectors alone.

A normalised feature is about standard normal, so a ReLU right after it is positive in Phi(beta / |gamma|) of all cases.
Against real nets (19,040 units) the rates are off by 0.03 to 0.19, so they are no measurement; but of units below 1e-4
a share of 0.999 was dead (33,200 units, recall 0.87). In a residual block something may be added before the ReLU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..artifacts import Checkpoint, Floats, Tensor
from . import statistics
from .layers import depth, module_of

SILENT = -3.719
"""beta / |gamma| at which Phi is 1e-4."""


@dataclass(frozen=True, slots=True)
class Normed:
    """One layer with a batch normalisation after it; `silent` of its units have no share in firing to speak of."""

    layer: str
    units: int
    silent: int


def behind_batch_norm(checkpoint: Checkpoint) -> list[Normed]:
    """Every hidden layer that a batch normalisation follows."""
    found = []
    for layer in depth(checkpoint)[:-1]:
        if layer.norm is None or module_of(layer.norm[0].name) + ".running_var" not in checkpoint.tensors:
            continue
        gamma, beta = (_vector(checkpoint, t) for t in layer.norm)
        silent = (beta < 0) & (beta < SILENT * np.abs(gamma))
        found.append(Normed(layer.name, layer.units, int(silent.sum())))
    return found


def _vector(checkpoint: Checkpoint, tensor: Tensor) -> Floats:
    return np.asarray(statistics.of(checkpoint).held(tensor).array(), dtype=np.float64).ravel()
