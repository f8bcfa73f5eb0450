"""What a person's model and loss really compute: the squashing functions and the losses of torch on a batch.

The calls are watched from outside, so it does not matter whether a sigmoid is a module, a function or a method, nor
what the loss is called. Compiled and scripted models show no calls.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

from ..errors import Unreadable
from .target import Target, forward, theirs

FAILED = "loss_fn failed"
KEPT = 16
"""Squashing calls whose tensors are held: what becomes of the outputs is decided at the end of a model."""

SQUASHES = frozenset(["sigmoid", "softmax", "tanh", "relu", "log_softmax", "logsigmoid"])
LOSSES = frozenset(
    [
        "cross_entropy",
        "nll_loss",
        "kl_div",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "soft_margin_loss",
        "hinge_embedding_loss",
    ]
)


@dataclass(frozen=True, slots=True)
class Squash:
    """One call of a squashing function.

    Args:
        name: of SQUASHES. out: the tensor that came out.
        dim: of a softmax; None where it has none, or was not told.
    """

    name: str
    out: Any
    dim: int | None


@dataclass(frozen=True, slots=True)
class LossCall:
    """One call of a loss of torch: what it was given (tensors), and its options by name."""

    name: str
    given: Any
    wanted: Any
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Watched:
    """One batch, forward and loss, in evaluation mode.

    Args:
        outputs, targets: whatever the person's functions returned; detached where they are tensors.
        loss: its value; None if it raised.
        error: what it raised, in one line; "" if it did not.
        forward, inside: squashing calls of the model, and of the loss function.
        losses: the losses of torch that the loss function called.
    """

    outputs: Any
    targets: Any
    loss: float | None
    error: str
    forward: list[Squash] = field(default_factory=list)
    inside: list[Squash] = field(default_factory=list)
    losses: list[LossCall] = field(default_factory=list)


def watch(target: Target, model: Any, inputs: Any, targets: Any) -> Watched:
    """Run the model and the loss once; a loss that fails is recorded.

    Raises Unreadable if the forward pass fails or the loss is no number.
    """
    import torch

    model = model.eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, _, outputs = _calls(lambda: forward(target, model, inputs))
        calls: list[LossCall] = []
        inside: list[Squash] = []
        try:
            inside, calls, loss = _calls(lambda: value(target, outputs, targets), inside, calls)
            error = ""
        except Unreadable as failed:
            if not failed.what.startswith(FAILED):
                raise
            loss, error = None, failed.what.removeprefix(FAILED + " (").removesuffix(")")
    return Watched(outputs, targets, loss, error, before, inside, calls)


def value(target: Target, outputs: Any, targets: Any) -> float:
    """The loss as one number. Raises Unreadable if it fails or is no tensor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss = target.call("loss_fn", outputs, targets)
    with theirs(target.path, "loss_fn returned no number"):
        return float(loss.detach().double().mean())


def _calls(
    run: Any, squashes: list[Squash] | None = None, losses: list[LossCall] | None = None
) -> tuple[list[Squash], list[LossCall], Any]:
    """What `run` calls and returns; the lists that are given are filled even if it raises."""
    from torch.overrides import TorchFunctionMode

    passed: list[Squash] = [] if squashes is None else squashes
    called: list[LossCall] = [] if losses is None else losses

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            name = str(getattr(func, "__name__", "")).rstrip("_")
            if name in LOSSES and len(args) >= 2:
                called.append(LossCall(name, args[0], args[1], kwargs))
            if name not in SQUASHES or not args:
                return func(*args, **kwargs)
            out = func(*args, **kwargs)
            dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
            passed.append(Squash(name, out, dim if isinstance(dim, int) else None))
            del passed[:-KEPT]
            return out

    with Watch():
        result = run()
    return passed, called, result


def same(one: Any, other: Any) -> bool:
    """Whether two tensors hold the same numbers, up to their order: views, reshapes and permuted copies do."""
    import torch

    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor) or one.numel() != other.numel():
        return False
    if not one.numel() or one.is_complex() or other.is_complex():
        return False
    if one.data_ptr() == other.data_ptr() and one.dtype == other.dtype:
        return True
    return torch.equal(one.double().flatten().sort().values, other.double().flatten().sort().values)
