"""The loss of a person's model over a whole split, in evaluation and in training mode; their model stays as it was."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..artifacts import Artifacts, Floats
from ..data.splits import Part, data_sets
from ..errors import Unreadable
from .target import Target, forward, theirs

SLOWEST = 0.5
"""Seconds of computing for one pass over the split, of which a hundred or so are needed."""
MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Samples:
    """One split as tensors, whole. `source` says where it comes from."""

    inputs: Any
    targets: Any
    source: str


def samples(artifacts: Artifacts, like: tuple[Any, Any], splits: tuple[str, ...]) -> Samples | None:
    """The data of the first of these splits whose shapes and types are those of the person's own batch."""
    import torch

    if not all(isinstance(t, torch.Tensor) and t.dim() for t in like):
        return None
    for part in (p for d in data_sets(artifacts.data) if (p := d.get(*splits)) is not None):
        pair = _tensors(part)
        if pair is not None and all(_alike(a, b) for a, b in zip(pair, like, strict=True)):
            return Samples(*pair, f"{part.path.name} ({len(pair[0])} samples)")
    return None


def _tensors(part: Part) -> tuple[Any, Any] | None:
    import torch

    if part.targets is None or part.inputs.numel * part.inputs.itemsize > MOST_BYTES:
        return None
    try:
        arrays = [np.ascontiguousarray(t.array()).copy() for t in (part.inputs, part.targets)]
        return torch.from_numpy(arrays[0]), torch.from_numpy(arrays[1])
    except (Unreadable, TypeError):
        return None


def _alike(mine: Any, theirs: Any) -> bool:
    return bool(mine.shape[1:] == theirs.shape[1:] and mine.dtype == theirs.dtype)


def loss_over(target: Target, model: Any, data: Samples, train: bool, size: int, seed: int = 0) -> tuple[float, float]:
    """(mean over samples, mean over batches) of the loss, in batches of `size` in the order of the file.

    Raises Unreadable if the person's code fails or one pass takes longer than SLOWEST.
    """
    import torch

    model = copy.deepcopy(model).train(train)
    began = time.thread_time()
    losses: list[float] = []
    counts: list[int] = []
    for inputs, targets in _batches(data, size):
        torch.manual_seed(7919 * seed + len(losses))
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs = forward(target, model, inputs)
            losses.append(_value(target, outputs, targets))
        counts.append(len(inputs))
        if time.thread_time() - began > SLOWEST:
            raise Unreadable(f"one pass over the validation data takes more than {SLOWEST:g} s", str(target.path), "")
    return float(np.average(losses, weights=counts)), float(np.mean(losses))


def _value(target: Target, outputs: Any, targets: Any) -> float:
    with theirs(target.path, "loss_fn failed"):
        loss = target.functions["loss_fn"](outputs, targets)
        return float(loss.detach().double().mean())


def _batches(data: Samples, size: int) -> Iterator[tuple[Any, Any]]:
    for start in range(0, len(data.inputs), size):
        yield data.inputs[start : start + size], data.targets[start : start + size]


@dataclass(frozen=True, slots=True)
class Modes:
    """The losses of one checkpoint.

    Args:
        evaluation: the loss in evaluation mode, the mean over samples; `by_batches` the mean over batches by size.
        training: by batch size: the losses in training mode for several seeds, the mean over samples.
    """

    evaluation: float
    by_batches: Floats
    training: dict[int, Floats]


def modes(target: Target, model: Any, data: Samples, sizes: tuple[int, ...], seeds: int) -> Modes:
    """Both modes. Raises Unreadable as `loss_over`."""
    whole = sorted({min(size, len(data.inputs)) for size in sizes})
    plain = [loss_over(target, model, data, False, size) for size in whole]
    training = {size: np.array(_over_seeds(target, model, data, size, seeds)) for size in whole}
    return Modes(plain[-1][0], np.array([by_batches for _, by_batches in plain]), training)


def _over_seeds(target: Target, model: Any, data: Samples, size: int, seeds: int) -> list[float]:
    """The losses in training mode; two where the seed changes nothing, as with batch norm alone."""
    first = [loss_over(target, model, data, True, size, seed)[0] for seed in (0, 1)]
    rest = range(2, seeds) if first[0] != first[1] else ()
    return first + [loss_over(target, model, data, True, size, seed)[0] for seed in rest]


def differ(target: Target, model: Any, inputs: Any) -> bool:
    """Whether the two modes give other outputs for a batch. Raises Unreadable if the forward pass fails."""
    import torch

    outputs = []
    for train in (False, True):
        torch.manual_seed(0)
        with torch.no_grad():
            outputs.append(forward(target, copy.deepcopy(model).train(train), inputs))
    one, other = (list(_leaves(each)) for each in outputs)
    return len(one) != len(other) or any(
        a.shape != b.shape or not torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-6, equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )


def _leaves(node: Any) -> Iterator[Any]:
    """The tensors in nested tuples, lists and dicts."""
    import torch

    if isinstance(node, torch.Tensor):
        yield node
    elif isinstance(node, dict | list | tuple):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from _leaves(inner)


def always_dropping(target: Target, model: Any, inputs: Any) -> str | None:
    """The name of a dropout function that drops in evaluation mode; None if none does."""
    import torch
    from torch.overrides import TorchFunctionMode

    found: list[str] = []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name, kwargs = str(getattr(func, "__name__", "")), kwargs or {}
            if _drops(name, args, kwargs):
                found.append(name)
            return func(*args, **kwargs)

    with torch.no_grad(), Watch():
        forward(target, copy.deepcopy(model).eval(), inputs)
    return found[0] if found else None


def _drops(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    if name == "scaled_dot_product_attention":
        return float(kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0)) > 0
    if name not in {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"}:
        return False
    rate = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
    return float(rate) > 0 and bool(kwargs.get("training", args[2] if len(args) > 2 else True))
