"""What a unit can output for any input at all: bounds of its pre-activation from the weights alone.

Sound for the wiring that the file's order suggests, which is named with every bound: a file does not say what feeds
what. A bound needs a layer's weights beside the vectors before them: `reads` names both, for the one pass to keep.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..artifacts import Checkpoint, Floats, Tensor
from . import statistics
from .layers import Layer, depth, floating, module_of

MARGIN = 1e-6
"""Relative to max(1, |w|): float32 rounding exceeded an exact bound by 2e-7 once in 185,136 units."""
DIP = 0.28
"""No usual activation falls lower than this where its input is bounded below by nothing (SiLU: 0.2785)."""
RISE = 0.7
"""Nor rises further above its input (softplus: ln 2)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One hidden layer.

    Args:
        silent: units whose pre-activation is below 0 for every input: after a ReLU they are dead for good.
        always: units whose pre-activation is above 0 for every input: the ReLU does nothing to them.
        given: what the bound rests on, as a clause ("what layer.norm puts out feeds it").
    """

    layer: str
    units: int
    silent: int
    always: int
    given: str


Bound = Callable[[Floats], tuple[Floats, Floats]]
"""Rows of weights (rows, inputs) -> the lowest and highest value of w x, each (rows,)."""


def proofs(checkpoint: Checkpoint, relu: bool) -> list[Proof]:
    """What can be proved of each hidden dense or convolutional layer; layers without a bounded input are left out.

    Args:
        relu: the code names ReLU and no other activation, so that what one layer hands the next is not negative.
    """
    found = []
    layers, names = depth(checkpoint), list(checkpoint.tensors)
    places = {name: place for place, name in enumerate(names)}
    for before, layer in zip((None, *layers), layers[:-1], strict=False):
        if layer.kind not in {"dense", "conv"} or layer.norm is not None:
            continue  # a normalisation after it moves the pre-activation
        place = places[layer.weight.name]
        bound, given = _inputs(checkpoint, names[max(0, place - 2) : place], before, layer, relu)
        if bound is not None:
            found.append(_prove(checkpoint, layer, bound, given))
    return found


def reads(checkpoint: Checkpoint) -> list[Tensor]:
    """What the bounds may need whole: vectors, and layers that no normalisation follows."""
    vectors = [t for t in checkpoint.tensors.values() if len(t.shape) == 1 and floating(t)]
    return vectors + [x.weight for x in depth(checkpoint)[:-1] if x.kind in {"dense", "conv"} and x.norm is None]


def _inputs(
    checkpoint: Checkpoint, earlier: list[str], before: Layer | None, layer: Layer, relu: bool
) -> tuple[Bound | None, str]:
    norm = _layer_norm(checkpoint, earlier, layer)
    if norm is not None and layer.kind == "dense":
        gamma, beta = (_vector(checkpoint, t) for t in norm)
        name = module_of(norm[0].name)
        if _direct(checkpoint, name, layer.name):
            return _on_a_sphere(gamma, beta), f"{name} feeds it with nothing between"
        return _in_a_box(gamma, beta), f"{name} feeds it, directly or through an activation"
    if before is None:
        return None, ""
    size = layer.weight.shape[1]
    if before.kind == "recurrent" and _bounded_state(before, size):
        return _within_one, f"the hidden state of {before.name} feeds it"
    if relu and before.next is layer.weight:
        return _not_negative, f"the ReLU after {before.name} feeds it"
    return None, ""


def _layer_norm(checkpoint: Checkpoint, earlier: list[str], layer: Layer) -> tuple[Tensor, Tensor] | None:
    """The layer normalisation right before the layer in the file, over as many features as the layer has inputs."""
    if len(earlier) < 2 or module_of(earlier[0]) != module_of(earlier[1]):
        return None
    weight, bias = (checkpoint.tensors.get(module_of(earlier[0]) + end) for end in (".weight", ".bias"))
    if weight is None or bias is None or module_of(earlier[0]) + ".running_mean" in checkpoint.tensors:
        return None
    return (weight, bias) if weight.shape == bias.shape == (layer.weight.shape[1],) else None


def _bounded_state(before: Layer, size: int) -> bool:
    """Whether it is an LSTM's or a GRU's hidden state, which lies within -1 and 1; a plain RNN's may come from ReLU."""
    rows, hidden = before.weight.shape
    return "weight_hh" in before.name and rows in (3 * hidden, 4 * hidden) and size in (hidden, 2 * hidden)


def _direct(checkpoint: Checkpoint, norm: str, layer: str) -> bool:
    """Whether nothing stands between: neighbours by number in a Sequential, or a Transformer's block."""
    (parent, _, last), (_, _, own) = norm.rpartition("."), layer.rpartition(".")
    if last.isdigit() or own.isdigit():
        return layer.rpartition(".")[0] == parent and own.isdigit() and last.isdigit() and int(own) == int(last) + 1
    attends = any("attn" in n.lower() or "attention" in n.lower() for n in checkpoint.tensors)
    return attends and layer.count(".") <= norm.count(".") + 1 and layer.startswith(parent)


def _on_a_sphere(gamma: Floats, beta: Floats) -> Bound:
    """Inputs beta + gamma z with |z| <= sqrt(d) and sum z = 0. The bound is attained."""

    def bound(w: Floats) -> tuple[Floats, Floats]:
        scaled = w * gamma
        scaled -= scaled.mean(1, keepdims=True)
        middle, width = w @ beta, math.sqrt(len(gamma)) * np.linalg.norm(scaled, axis=1)
        return middle - width, middle + width

    return bound


def _in_a_box(gamma: Floats, beta: Floats) -> Bound:
    """The same inputs, or any usual activation of them in evaluation mode: each feature within its own bounds."""
    reach = np.abs(gamma) * math.sqrt(max(0, len(gamma) - 1))
    top, bottom = np.maximum(beta + reach, 0.0) + RISE, np.minimum(beta - reach, -DIP)

    def bound(w: Floats) -> tuple[Floats, Floats]:
        up, down = np.maximum(w, 0), np.minimum(w, 0)
        return down @ top + up @ bottom, up @ top + down @ bottom

    return bound


def _within_one(w: Floats) -> tuple[Floats, Floats]:
    size = np.abs(w).sum(1)
    return -size, size


def _not_negative(w: Floats) -> tuple[Floats, Floats]:
    return np.where((w >= 0).all(1), 0.0, -np.inf), np.where((w <= 0).all(1), 0.0, np.inf)


def _prove(checkpoint: Checkpoint, layer: Layer, bound: Bound, given: str) -> Proof:
    bias = _vector(checkpoint, layer.bias) if layer.bias is not None else np.zeros(layer.units)
    margin = MARGIN * np.maximum(1.0, np.sqrt(statistics.of(checkpoint).values(layer.weight).rows))
    silent = always = 0
    for first, rows in statistics.of(checkpoint).held(layer.weight).chunks():
        w = np.asarray(rows, dtype=np.float64)
        low, high = bound(w)
        part = slice(first, first + len(w))
        silent += int((high + bias[part] <= -margin[part]).sum())
        always += int((low + bias[part] >= margin[part]).sum())
    return Proof(layer.name, layer.units, silent, always, given)


def _vector(checkpoint: Checkpoint, tensor: Tensor) -> Floats:
    return np.asarray(statistics.of(checkpoint).held(tensor).array(), dtype=np.float64).ravel()
