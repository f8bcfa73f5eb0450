"""Units that have received no gradient for a while, from the optimizer's saved state alone; one rule per optimizer.

Per unit, from the entries that only this unit owns: its incoming row and bias (where a normalisation layer follows,
that layer's two entries instead: a row before a normalisation keeps receiving gradient) and its outgoing column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..artifacts import Array, Checkpoint, Floats, OptimizerState
from . import moments, statistics
from .layers import EXPERT, Layer, depth, module_of
from .statistics import Statistics
from .sums import Sums

DEAD_STEPS = 151
"""Steps without gradient after which a unit counts as dead: coherence 1e-15 at Adam's default betas."""
NEARLY_STEPS = 74
"""Steps after which it counts as nearly so: 1e-8; of no use in a converged net."""
MIN_STEPS = 160
CONVERGED = 0.02
"""q90 of coherence over all units below which gradients are so uneven that 1e-8 misleads (precision 0.91)."""
FADES = 1e-3
"""Size of a layer's buffer against the next layer's above which it fades with depth rather than having stopped: a unit
that died 150 steps ago is 1e-7 of its former size, and what vanishes loses a tenth to a hundredth a layer."""
SILENT = 1e-12
"""Mean square of a momentum buffer against the largest tensor's, below which SGD's unit counts as without gradient."""
RELATIVE = 2e-3
"""A unit must also lie this far below the layer with the liveliest gradients: guards full-batch and converged runs."""


@dataclass(frozen=True, slots=True)
class Starved:
    """One layer's units without gradient.

    Args:
        layer: the module's name.
        units: how many units it has.
        never: units whose gradient was exactly 0 at every step.
        dead: those and the ones without gradient for about 150 steps.
        nearly: those and the ones without gradient for about 75 steps, or by a rule of less precision.
        saturated: units without incoming gradient whose outgoing weights still learn, by far more than they do.
        age: median number of steps without gradient of the dead ones; None if unknown.
        blind: the rule finds only some of the dead units (RMSprop; Adam with a first beta of 0; or weight decay that
            may lie in the gradients), so few found does not mean few.
        why_not: why this layer could not be judged; "" if it was.
    """

    layer: str
    units: int
    never: int = 0
    dead: int = 0
    nearly: int = 0
    saturated: int = 0
    age: float | None = None
    blind: bool = False
    why_not: str = ""


@dataclass
class _Unit:
    """Coherence by unit of one layer while the net-wide reference is being gathered; `raw`: with the decay in it."""

    layer: Layer
    inside: Floats
    raw: Floats
    outside: Floats | None
    never: Array
    normed: bool
    decay: float
    unsure: bool
    group: dict[str, Any]


def starved(checkpoint: Checkpoint) -> tuple[list[Starved], str]:
    """Every hidden dense or convolutional layer's starved units, or an empty list and the reason.

    Reads all of the optimizer's state of those layers, in bounded memory.
    """
    state = checkpoint.optimizer
    if state is None:
        return [], "the checkpoint holds no optimizer state"
    if state.mapping == "ambiguous":
        return [], state.mapping_note or "the optimizer's state cannot be matched with the parameters by name"
    family = moments.family(state)
    hidden = [layer for layer in depth(checkpoint) if layer.kind in {"dense", "conv"}][:-1]
    hidden = [layer for layer in hidden if not EXPERT.search(layer.name) and not _pruned(checkpoint, layer)]
    if not hidden:
        return [], "there is no hidden dense or convolutional layer"
    if family == "adam":
        return _adam(checkpoint, state, hidden)
    if family == "momentum":
        return _momentum(checkpoint, state, hidden), ""
    if family == "rmsprop":
        return [_rmsprop(checkpoint, layer) for layer in hidden], ""
    if family == "squares":
        return [_squares(checkpoint, layer) for layer in hidden], ""
    if family == "plain":
        return [], "plain SGD keeps nothing from step to step"
    return [], f"the state of this optimizer ({state.kind or 'unknown'}) is not understood"


def _pruned(checkpoint: Checkpoint, layer: Layer) -> bool:
    """Whether it, or the layer that reads its units, is all zero: removed on purpose, so no gradient is to be had."""
    values = statistics.of(checkpoint).values
    return any(t is not None and t.numel and values(t).zero for t in (layer.weight, layer.next))


def blamed(found: Sequence[Starved]) -> list[Starved]:
    """The layers whose own units may be at fault: where all units of a layer are without gradient, none comes back to
    the layers before it, so of several such in a row only the last counts. `found` is in forward order and judged."""
    whole = [max(layer.nearly, layer.dead) == layer.units for layer in found]
    return [s for s, here, after in zip(found, whole, [*whole, False][1:], strict=True) if not (here and after)]


def _adam(checkpoint: Checkpoint, state: OptimizerState, hidden: list[Layer]) -> tuple[list[Starved], str]:
    if (state.step or 0) < MIN_STEPS:
        return (
            [],
            f"{state.step or 0} steps are too few: a unit is only called dead after {DEAD_STEPS} without gradient",
        )
    numbers = statistics.of(checkpoint)
    gathered = [_gather(numbers, state, layer) for layer in hidden]
    judged = [u for u in gathered if isinstance(u, _Unit)]
    if not judged:
        return [u for u in gathered if isinstance(u, Starved)], ""
    # every tensor counts: where all hidden units are dead, only the head's bias still has a gradient
    everything = [s for p in state.parameters if (s := numbers.sums(p)) is not None]
    reference = max(_live(moments.coherence(s.raw, s.square)) for s in everything)
    inside = np.concatenate([u.inside[u.inside > 0] for u in judged])
    converged = not len(inside) or float(np.quantile(inside, 0.9)) < CONVERGED
    found = [u if isinstance(u, Starved) else _judge(u, reference, converged) for u in gathered]
    group = state.groups[0] if state.groups else {}
    over = reference < moments.floor_after(NEARLY_STEPS, group)
    return ([_over(s) for s in found] if over else found), ""


def _over(one: Starved) -> Starved:
    """What is left of a layer's judgement where no tensor at all, not even the last bias, has had a gradient for 75
    steps: the units that never had one. As a rule the loss is exactly 0 then."""
    if one.never:
        return Starved(one.layer, one.units, one.never, one.never, one.never, blind=True)
    why = one.why_not or "no parameter of the network receives a gradient any more: the run is over"
    return Starved(one.layer, one.units, why_not=why)


def _batch_norm(checkpoint: Checkpoint, layer: Layer) -> bool:
    """Whether it has running statistics: such a one keeps units apart, so that a dead unit's row gets nothing."""
    return layer.norm is not None and module_of(layer.norm[0].name) + ".running_var" in checkpoint.tensors


def _live(c: Floats) -> float:
    c = c[np.isfinite(c) & (c > 0)]
    return float(np.quantile(c, 0.9)) if len(c) else 0.0


def _gather(numbers: Statistics, state: OptimizerState, layer: Layer) -> _Unit | Starved:
    parameter = state.of(layer.weight.name)
    group = moments.options(state, parameter) if parameter else {}
    own = numbers.of(layer.weight)
    if parameter is None or own is None:
        return Starved(layer.name, layer.units, why_not="no optimizer state for its weight")
    if parameter.coarse:
        return Starved(layer.name, layer.units, why_not="its state is kept in 8 bits, which rounds small moments to 0")
    pieces = [own]
    if layer.norm is not None:
        pieces = [s for t in layer.norm if (s := numbers.of(t)) is not None]
    elif (bias := numbers.of(layer.bias)) is not None:
        pieces.append(bias)
    if not pieces:
        return Starved(layer.name, layer.units, why_not="no optimizer state for the normalisation after it")
    decay = moments.coupled(state, group)
    if layer.norm is not None and decay and not _batch_norm(numbers.checkpoint, layer):
        return Starved(layer.name, layer.units, why_not="coupled weight decay hides what two entries a unit could say")
    agree, raw, square = (sum(getattr(p, name) for p in pieces) for name in ("agree", "raw", "square"))
    if not (np.isfinite(agree).all() and np.isfinite(square).all()):
        return Starved(layer.name, layer.units, why_not="its optimizer state is not finite")
    out = numbers.of(layer.next)
    outside = None if out is None else moments.coherence(out.column_agree, out.column_square)
    never = (np.asarray(square) == 0) & (decay == 0)  # with coupled decay v holds the decay and says nothing
    inside = moments.coherence(np.asarray(agree), np.asarray(square))
    if layer.norm is not None and decay:  # then its row before a batch normalisation must be without gradient as well
        inside = np.maximum(inside, moments.coherence(own.agree, own.square))
    told = moments.coherence(np.asarray(raw), np.asarray(square))
    doubt = moments.unsure(state, group)
    return _Unit(layer, inside, told, outside, never, layer.norm is not None, decay, doubt, group)


def _judge(unit: _Unit, reference: float, converged: bool) -> Starved:
    group, layer = unit.group, unit.layer
    both = unit.inside if unit.outside is None else np.maximum(unit.inside, unit.outside)
    relative = both < RELATIVE * reference
    never = unit.never & (both < moments.floor_after(NEARLY_STEPS, group))  # else it is stuck at a value, not at 0
    rule = relative & (both < (1e-7 if unit.decay else moments.floor_after(NEARLY_STEPS, group)))
    dead = never | (relative & (both < moments.floor_after(DEAD_STEPS, group)))
    if unit.unsure:  # a first moment that has gone holds no decay either: then it was decoupled
        dead |= unit.raw < min(moments.floor_after(DEAD_STEPS, group), RELATIVE * reference)
    nearly = dead | rule if unit.decay or not (unit.normed or converged) else dead
    stuck = np.zeros(layer.units, dtype=bool)
    if unit.outside is not None and not unit.normed:
        quiet = unit.inside < np.minimum(moments.floor_after(NEARLY_STEPS, group), RELATIVE * unit.outside)
        stuck = quiet & (unit.outside > 1e-6)
    ages = moments.age(both[dead & ~never], max(reference, 1e-12), group)
    return Starved(
        layer.name,
        layer.units,
        never=int(never.sum()),
        dead=int(dead.sum()),
        nearly=int(nearly.sum()),
        saturated=int(stuck.sum()),
        age=float(np.median(ages)) if len(ages) else None,
        blind=unit.unsure or moments.betas(group)[0] <= 0,
    )


def _momentum(checkpoint: Checkpoint, state: OptimizerState, hidden: list[Layer]) -> list[Starved]:
    largest, numbers = 0.0, statistics.of(checkpoint)
    for parameter in state.parameters:
        sums = numbers.sums(parameter)
        if sums is not None and sums.numel:
            largest = max(largest, float(sums.square.sum()) / sums.numel)
    found = {layer.name: _buffer(numbers, state, layer, largest) for layer in hidden}
    if any(_mixed_in(state, group) for group in state.groups):
        return list(found.values())  # then what is left of a buffer is decay, whatever the gradients were
    layers, stopped = depth(checkpoint), False
    for here, after in zip(layers[-2::-1], layers[:0:-1], strict=True):
        one = found.get(here.name)
        whole = one is not None and one.nearly > 0 and _faint(numbers, state, here, largest)
        stopped = whole and (stopped or _size(numbers, here) <= FADES * _size(numbers, after))
        if one is not None and whole and not stopped and not one.never:
            why = "the gradients of the whole layer fade with depth, as vanishing ones do"
            found[here.name] = Starved(one.layer, one.units, why_not=why)
    return list(found.values())


def _faint(numbers: Statistics, state: OptimizerState, layer: Layer, largest: float) -> bool:
    """Whether not one unit of a layer is lively. Where some died, the others' gradients are as large as those of other
    layers; where they fade with depth, those of all units do, and some only happen to lie below the limit first."""
    sums, limit = numbers.of(layer.weight), SILENT / FADES**2
    if sums is None:
        return False
    size = sums.square / (sums.numel / layer.units) / largest
    return bool(((size < limit) & _beside(numbers, state, layer, largest, limit)).all())


def _size(numbers: Statistics, layer: Layer) -> float:
    """The largest RMS of a layer's buffers: behind a dead layer only its bias still gets gradients."""
    return max((s.rms for t in (layer.weight, layer.bias) if (s := numbers.of(t)) is not None), default=0.0)


def _buffer(numbers: Statistics, state: OptimizerState, layer: Layer, largest: float) -> Starved:
    parameter = state.of(layer.weight.name)
    sums = numbers.of(layer.weight)
    if parameter is None or sums is None or not np.isfinite(sums.square).all() or largest <= 0:
        return Starved(layer.name, layer.units, why_not="no usable momentum buffer for its weight")
    group = moments.options(state, parameter)
    decay = _mixed_in(state, group)
    beside = _beside(numbers, state, layer, largest)
    never = (sums.square == 0) & beside
    if decay:
        quiet = _decays(sums, numbers.values(layer.weight).rows, group, decay) & beside
        return Starved(layer.name, layer.units, nearly=int(quiet.sum()))
    size = sums.square / (sums.numel / layer.units) / largest
    quiet = (size < SILENT) & beside
    mu = moments.memory(state, group)
    ages = np.log(size[quiet & ~never]) / (2 * np.log(mu)) if 0 < mu < 1 else np.array([])
    age = float(np.median(ages)) if len(ages) else None
    return Starved(layer.name, layer.units, int(never.sum()), int(never.sum()), int(quiet.sum()), age=age)


def _mixed_in(state: OptimizerState, group: dict[str, Any]) -> float:
    """The weight decay that the buffer holds: Lion and Muon keep it out."""
    return moments.option(group, "weight_decay", 0.0) if state.kind not in {"lion", "muon"} else 0.0


def _beside(numbers: Statistics, state: OptimizerState, layer: Layer, largest: float, limit: float = SILENT) -> Array:
    """Units whose bias (or the two entries of a normalisation after them) gets no gradient either.

    Rows alone mislead where all inputs are 0 (the layer before is dead, and this one is not), and before a
    normalisation, where a row gets less the larger it is: in blown-up weights decay drowns what living units get.
    """
    quiet = np.ones(layer.units, dtype=bool)
    for tensor in layer.norm or (layer.bias,):
        parameter, sums = state.of(tensor.name) if tensor is not None else None, numbers.of(tensor)
        if tensor is None or parameter is None or sums is None:
            continue
        group = moments.options(state, parameter)
        if decay := _mixed_in(state, group):
            quiet &= _decays(sums, numbers.values(tensor).rows, group, decay) | (sums.square < limit * largest)
        else:
            quiet &= sums.square < limit * largest
    return quiet


def _decays(sums: Sums, weights: Floats, group: dict[str, Any], decay: float) -> Array:
    """Rows whose momentum is nothing but weight decay: parallel to the weights and of the decay's own size."""
    with np.errstate(divide="ignore", invalid="ignore"):
        sine = np.maximum(0.0, 1 - sums.along**2 / (sums.square * weights))
        kappa = sums.along / weights * (1 - moments.option(group, "momentum", 0.9)) / decay
    return np.asarray((sine < 1e-8) & (kappa > 0.5) & (kappa < 2))


def _rmsprop(checkpoint: Checkpoint, layer: Layer) -> Starved:
    sums = statistics.of(checkpoint).of(layer.weight)
    if sums is None or not np.isfinite(sums.square).all():
        return Starved(layer.name, layer.units, why_not="no usable optimizer state for its weight")
    never = sums.square == 0
    quiet = never | (sums.square < 1e-6 * np.quantile(sums.square, 0.9))
    return Starved(layer.name, layer.units, int(never.sum()), int(never.sum()), int(quiet.sum()), blind=True)


def _squares(checkpoint: Checkpoint, layer: Layer) -> Starved:
    """Adagrad's and Adafactor's sums only tell the units that never had a gradient (Adafactor adds 1e-30 to each)."""
    sums = statistics.of(checkpoint).of(layer.weight)
    if sums is None or not np.isfinite(sums.square).all():
        return Starved(layer.name, layer.units, why_not="no usable optimizer state for its weight")
    never = int((sums.square <= 2e-30 * sums.numel / layer.units).sum())
    return Starved(layer.name, layer.units, never, never, never, blind=True)
