"""The order of a model's layers, from names and shapes alone.

A state dict lists parameters in the order in which modules were registered, which is nearly always the order of the
forward pass. Nothing here reads a tensor's values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..artifacts import Checkpoint, Tensor

WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.", "_forward_module.")
"""Prefixes that wrappers (DataParallel, compile, Lightning) put before every name."""

EMBEDDING = re.compile(
    r"(^|[._])(embd|embed\w*|emb|wte|wpe|tok_\w*|lookup|vocab\w*|pos\w*_emb\w*)([._]|$)", re.IGNORECASE
)
EXPERT = re.compile(r"(^|[._])experts?([._]|$)", re.IGNORECASE)
"""One of several subnetworks between which samples are routed: it may rightly see few or none of them."""
RECURRENT = re.compile(r"weight_(ih|hh)(_l\d+)?(_reverse)?$")
FLOATING = ("float", "bfloat")
QUANTISED = re.compile(r"(i?q|tq)\d|(mx|nv)fp4")
"""Types of blocks (GGUF's) that are decoded to floating-point numbers; torch's quint8 is none of them."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One weight matrix and what belongs to its units.

    Args:
        name: the module's name in the file, "fc1"; a display name, with the wrapper's prefix as written.
        kind: "dense", "conv", "recurrent" or "attention".
        weight: first dimension = units (outputs).
        bias: of the same length, if there is one.
        norm: (weight, bias) of a normalisation layer right after it, if there is one.
        next: the next matrix's weight, if its inputs are exactly this layer's units.
    """

    name: str
    kind: str
    weight: Tensor
    bias: Tensor | None = None
    norm: tuple[Tensor, Tensor] | None = None
    next: Tensor | None = None

    @property
    def units(self) -> int:
        return self.weight.shape[0]


def strip(name: str) -> str:
    """A tensor's name without the prefixes of wrappers."""
    while True:
        shorter = next((name[len(p) :] for p in WRAPPERS if name.startswith(p)), name)
        if shorter == name:
            return name
        name = shorter


def module_of(name: str) -> str:
    """ "encoder.fc1.weight" -> "encoder.fc1"; a recurrent or attention tensor keeps its own name."""
    for end in (".weight", ".bias", ".weight_orig", "/kernel", "/gamma"):
        if name.endswith(end):
            return name[: -len(end)]
    return name


def called(name: str) -> str:
    """What a layer is called in a sentence: its name in the file, "layer 0" where that is only a number."""
    last = strip(name)
    return f"layer {last}" if last.isdigit() else name or "the model"


def floating(tensor: Tensor) -> bool:
    """Whether a tensor holds floating-point numbers, or is decoded to some."""
    return tensor.dtype.startswith(FLOATING) or QUANTISED.match(tensor.dtype) is not None


def kind_of(name: str, tensor: Tensor) -> str | None:
    """What sort of matrix a tensor is; None if it is none (a bias, a norm, an embedding, a buffer)."""
    if len(tensor.shape) < 2 or not floating(tensor) or min(tensor.shape) < 1 or EMBEDDING.search(name):
        return None
    if RECURRENT.search(name):
        return "recurrent"
    if name.endswith("in_proj_weight"):
        return "attention"
    if not name.endswith(("weight", "weight_orig", "weight_v", "kernel")) or name.endswith("depthwise_kernel"):
        return None
    return "conv" if len(tensor.shape) > 2 else "dense"


def depth(checkpoint: Checkpoint) -> tuple[Layer, ...]:
    """The weight matrices in forward order, embeddings left out; the last one is taken for the head."""
    tensors = checkpoint.tensors
    names = list(tensors)
    position = {name: place for place, name in enumerate(names)}
    matrices = [(n, k) for n in names if (k := kind_of(n, tensors[n]))]
    layers = []
    for place, (name, kind) in enumerate(matrices):
        weight = tensors[name]
        following = matrices[place + 1] if place + 1 < len(matrices) else None
        until = position[following[0]] if following else len(names)
        bias = _bias(tensors, name) if kind in {"dense", "conv"} else None
        layers.append(
            Layer(
                name=module_of(name),
                kind=kind,
                weight=weight,
                bias=bias if bias is not None and bias.shape == weight.shape[:1] else None,
                norm=_norm(tensors, names[position[name] + 1 : until], name, weight.shape[0]),
                next=_next(tensors, following, weight.shape[0]),
            )
        )
    return tuple(layers)


def _norm(tensors: dict[str, Tensor], between: list[str], name: str, units: int) -> tuple[Tensor, Tensor] | None:
    for other in between:
        if not other.endswith((".weight", "/gamma")) or module_of(other) == module_of(name):
            continue
        weight, bias = tensors[other], _bias(tensors, other)
        if weight.shape == (units,) and bias is not None and bias.shape == (units,):
            return weight, bias
    return None


def _bias(tensors: dict[str, Tensor], name: str) -> Tensor | None:
    """The bias beside a weight, by PyTorch's names or by Keras' (a normalisation's is called beta)."""
    if name.endswith(("/kernel", "/gamma")):
        return tensors.get(module_of(name) + ("/bias" if name.endswith("kernel") else "/beta"))
    return tensors.get(module_of(name) + ".bias")


def _next(tensors: dict[str, Tensor], following: tuple[str, str] | None, units: int) -> Tensor | None:
    if following is None or following[1] in {"recurrent", "attention"}:
        return None
    weight = tensors[following[0]]
    return weight if weight.shape[1] == units else None


def networks(found: Iterable[Layer]) -> dict[str, list[Layer]]:
    """The matrices by the first part of their names: several under one are a network of its own, or a stage of one."""
    parts: dict[str, list[Layer]] = {}
    for layer in found:
        parts.setdefault(strip(layer.name).partition(".")[0], []).append(layer)
    return parts


def copies(found: Iterable[Layer], some: Iterable[str]) -> bool:
    """Whether these layers (by name) all lie in networks that have the shapes of another one without any of them: a
    target or an averaged copy beside the network itself."""
    parts, some = networks(found), set(some)
    mixed = {part for part, inside in parts.items() if some & {layer.name for layer in inside}}
    shapes = {part: [layer.weight.shape for layer in inside] for part, inside in parts.items()}
    whole = [shapes[part] for part in parts if part not in mixed]
    return bool(mixed) and all(len(shapes[part]) > 1 and shapes[part] in whole for part in mixed)


def fan_in(layer: Layer) -> int:
    """Inputs of one unit; recurrent tensors are drawn by the size of their hidden state (of 1, 3 or 4 gates)."""
    rows, fan = layer.weight.shape[0], math.prod(layer.weight.shape[1:])
    if layer.kind != "recurrent":
        return fan
    hidden = layer.weight.shape[1]
    return hidden if layer.name.find("weight_hh") >= 0 else next((rows // g for g in (4, 3) if rows % g == 0), rows)


def parameters(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The floating tensors that training is meant to move: running statistics and other known buffers left out."""
    buffers = ("running_mean", "running_var", "num_batches_tracked", "inv_freq", "position_ids", ".mask")
    keras = ("moving_mean", "moving_variance")
    return {n: t for n, t in checkpoint.tensors.items() if floating(t) and not n.endswith(buffers + keras)}


def classes(checkpoint: Checkpoint | None) -> int | None:
    """The number of outputs of the last matrix, as a guess at the number of classes."""
    layers = depth(checkpoint) if checkpoint else ()
    return layers[-1].units if layers else None
