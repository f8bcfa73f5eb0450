"""What the optimizer's state says of each weight matrix's past: trained, stopped, skipped, or never touched."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..artifacts import Checkpoint, OptimizerState, ParameterState, Tensor
from . import moments, statistics
from .drift import untrained
from .layers import Layer, depth, parameters
from .starved import CONVERGED, DEAD_STEPS, NEARLY_STEPS, RELATIVE

DECAY_ALONE = 1e-7
"""Share of a first moment that weight decay leaves unexplained below which nothing but decay is in it: frozen matrices
had less than 6e-11, trained ones more than 8e-4."""

Past = Literal["trained", "outside", "no-state", "zero", "stopped", "overflowed", "rate-0"]

WORDS: dict[Past, str] = {
    "trained": "trained",
    "outside": "not in the optimizer",
    "no-state": "never had a gradient",
    "zero": "gradient exactly 0 at every step",
    "stopped": "no gradient lately",
    "overflowed": "optimizer state not finite",
    "rate-0": "learning rate 0",
}


@dataclass(frozen=True, slots=True)
class History:
    """One weight matrix.

    Args:
        past: "outside": no group has it; "no-state": in a group, but without state where others have one; "zero": its
            second moment (SGD: its buffer) is exactly 0; "stopped": no gradient for about 75 steps; "overflowed": some
            of its state is not finite, and where it is not no update is; "rate-0": its group's learning rate is 0 while
            another's is not.
        missed: updates that others got and it did not, by its own step count; 0 where none is kept.
        age: steps since the last gradient, for "stopped".
        fresh: whether it still is what a usual uniform initialisation draws; None if that cannot be told.
    """

    layer: Layer
    past: Past
    missed: int = 0
    age: float | None = None
    fresh: bool | None = None


def histories(checkpoint: Checkpoint) -> tuple[list[History], str]:
    """One history for every weight matrix in forward order, or an empty list and the reason."""
    state = checkpoint.optimizer
    if state is None:
        return [], "the checkpoint holds no optimizer state"
    if not any(p.slots for p in state.parameters):
        return [], "the optimizer keeps no state for any parameter (plain SGD, or saved before the first step)"
    if state.mapping == "ambiguous":
        return [], state.mapping_note or "the optimizer's state cannot be matched with the parameters by name"
    found = depth(checkpoint)
    if not found:
        return [], "there is no weight matrix"
    model = distinct(checkpoint)
    if state.mapping in {"order", "shapes"} and len(state.parameters) < len(model) and not one_way(state, model):
        lacking = len(model) - len(state.parameters)
        return [], f"the optimizer lacks {lacking} of {len(model)} parameters, and their shapes do not tell which"
    known = [layer for layer in found if not _unnamed(checkpoint, state, layer)]
    if not known:
        return [], state.mapping_note
    reference = _liveliest(checkpoint, state)
    return [_history(checkpoint, state, layer, reference) for layer in known], ""


def _unnamed(checkpoint: Checkpoint, state: OptimizerState, layer: Layer) -> bool:
    """Whether a layer's state may be one of those that have no name."""
    if state.mapping != "shapes" or state_of(checkpoint, state, layer.weight) is not None:
        return False
    return any(p.name is None and p.shape in {None, layer.weight.shape} for p in state.parameters)


def distinct(checkpoint: Checkpoint) -> dict[Hashable, Tensor]:
    """The model's parameters, tied copies once."""
    return {statistics.key(t): t for t in parameters(checkpoint).values()}


def one_way(state: OptimizerState, model: dict[Hashable, Tensor]) -> bool:
    """Whether the optimizer's shapes, in order, lie among the model's in one way only."""
    ways = [1] + [0] * len(state.parameters)
    for tensor in model.values():
        for place in range(len(state.parameters), 0, -1):
            shape = state.parameters[place - 1].shape
            if shape is None or shape == tensor.shape:
                ways[place] = min(2, ways[place] + ways[place - 1])
    return ways[-1] == 1


def _liveliest(checkpoint: Checkpoint, state: OptimizerState) -> float:
    sums = [s for p in state.parameters if (s := statistics.of(checkpoint).sums(p)) is not None]
    return max((c for s in sums if np.isfinite(c := s.coherence)), default=0.0)


def _history(checkpoint: Checkpoint, state: OptimizerState, layer: Layer, reference: float) -> History:
    parameter = state_of(checkpoint, state, layer.weight)
    past, age = _past(checkpoint, state, parameter, reference)
    fresh = None if past in {"trained", "stopped"} else untrained(checkpoint, layer.weight)
    missed = (state.step or 0) - parameter.step if parameter and parameter.step else 0
    return History(layer, past, int(missed), age, fresh)


def state_of(checkpoint: Checkpoint, state: OptimizerState, tensor: Tensor) -> ParameterState | None:
    """The state of a parameter, or of the same numbers under another name (tied weights)."""
    found = state.of(tensor.name)
    if found is not None:
        return found
    same = statistics.key(tensor)
    names = [n for n, t in checkpoint.tensors.items() if n != tensor.name and statistics.key(t) == same]
    return next((p for n in names if (p := state.of(n)) is not None), None)


def _past(
    checkpoint: Checkpoint, state: OptimizerState, parameter: ParameterState | None, reference: float
) -> tuple[Past, float | None]:
    if parameter is None:
        return "outside", None
    if not parameter.slots:
        return "no-state", None
    group = moments.options(state, parameter)
    sums = statistics.of(checkpoint).sums(parameter)
    if sums is not None and not np.isfinite(sums.square).all():
        return "overflowed", None
    if sums is not None:
        if (square := float(sums.square.sum())) == 0:
            return "zero", None
        if moments.coupled(state, group) and moments.two(parameter) and float(sums.agree.sum()) < DECAY_ALONE * square:
            return "stopped", None
        c = sums.coherence
        steps = DEAD_STEPS if reference < CONVERGED else NEARLY_STEPS
        quiet = c < min(moments.floor_after(steps, group), RELATIVE * reference)
        if moments.two(parameter) and quiet:
            return "stopped", float(moments.age(np.array([c]), max(reference, 1e-12), group)[0])
    rates = [moments.option(g, "lr", 0.0) for g in state.groups]
    if moments.option(group, "lr", 0.0) == 0 and max(rates, default=0.0) > 0:
        return "rate-0", None
    return "trained", None
