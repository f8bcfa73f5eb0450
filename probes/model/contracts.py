"""What torch's losses expect of the two tensors that they are given, and where a call breaks it.

Sources: the manual pages of the losses (torch.nn.functional): which take raw scores, which probabilities or their
logarithms, and what targets may be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..finding import Judgement
from .watched import LossCall, Squash, Watched, same

FUSED = {"cross_entropy": "softmax", "binary_cross_entropy_with_logits": "sigmoid"}
LOGS = frozenset(["nll_loss", "kl_div"])
ELEMENTWISE = frozenset(["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
RANGES = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, math.inf)}
BEYOND = 0.1
"""Share of targets that a bounded output must be unable to reach; single outliers are no fault of the output."""
SLACK = 1e-3


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken expectation.

    Args:
        because: a clause with the numbers. floor: the lowest loss that can be reached with it, None if not told.
    """

    because: str
    judgement: Judgement = "confirmed"
    floor: float | None = None


def breach(seen: Watched, call: LossCall) -> Breach | None:
    """The first expectation that a call breaks; None if it keeps all that are known."""
    import torch

    if not isinstance(call.given, torch.Tensor) or not isinstance(call.wanted, torch.Tensor):
        return None
    if not call.given.is_floating_point() or not call.given.numel():
        return None
    return next((found for rule in RULES if (found := rule(seen, call)) is not None), None)


def squash_of(seen: Watched, tensor: Any) -> Squash | None:
    """The last squashing function that a tensor came out of, if nothing was done with it since."""
    return next((s for s in reversed([*seen.forward, *seen.inside]) if same(s.out, tensor)), None)


def columns(call: LossCall) -> int:
    """Number of classes: the second dimension, the only one of a single sample."""
    shape = call.given.shape
    return int(shape[1] if len(shape) > 1 else shape[0])


def sums(tensor: Any, dim: int) -> Any:
    """Sums over one dimension in double precision."""
    return tensor.detach().double().sum(dim)


def are_shares(tensor: Any, dim: int) -> bool:
    """Whether a tensor holds at least two shares along a dimension that sum to 1."""
    if tensor.dim() <= dim or tensor.shape[dim] < 2 or bool((tensor < 0).any()):
        return False
    return bool(((sums(tensor, dim) - 1).abs() < SLACK).all())


def one_column(seen: Watched, call: LossCall) -> Breach | None:
    """Cross-entropy over one class is 0 whatever the output."""
    if call.name != "cross_entropy" or columns(call) > 1:
        return None
    return Breach("cross_entropy gets a single column; a softmax over one class is always 1, so the loss is always 0")


def class_indices(seen: Watched, call: LossCall) -> Breach | None:
    """Indices must lie in 0 .. C - 1, but for the one that is ignored."""
    if call.name not in {"cross_entropy", "nll_loss"} or call.wanted.is_floating_point() or not call.wanted.numel():
        return None
    if call.wanted.dim() == call.given.dim() and call.given.dim() > 1:
        return None  # a wrong number of dimensions, about which the loss itself speaks
    counted = call.wanted[call.wanted != call.options.get("ignore_index", -100)]
    if not counted.numel():
        return None
    low, high, count = int(counted.min()), int(counted.max()), columns(call)
    if low >= 0 and high < count:
        return None
    hint = f"the model needs {high + 1} outputs" if low >= 0 else "indices begin at 0"
    if low == 1 and high == count:
        hint = "subtract 1 from them"
    return Breach(f"targets run from {low} to {high}, and the outputs have {count} columns (0 to {count - 1}): {hint}")


def squashed_twice(seen: Watched, call: LossCall) -> Breach | None:
    """Losses that apply softmax or sigmoid themselves must get raw scores."""
    if call.name not in FUSED:
        return None
    first = squash_of(seen, call.given)
    softmax = call.name == "cross_entropy"
    if first is not None and first.name in {"sigmoid", "softmax"}:
        name = first.name
    elif softmax and are_shares(call.given, 1 if call.given.dim() > 1 else 0):
        name = "softmax"
    else:
        return None
    floor = _floor(call, softmax)
    least = "" if floor is None else f": with outputs in 0..1 the loss cannot fall below {floor:.3g}"
    return Breach(
        f"the outputs went through {name}, and {call.name} applies {FUSED[call.name]} again{least}", "confirmed", floor
    )


def _floor(call: LossCall, softmax: bool) -> float | None:
    """The lowest mean loss for inputs in [0, 1]: log(1 + (C - 1) / e); BCE: log(1 + 1/e) and log 2 by the targets."""
    if any(call.options.get(k) is not None for k in ("weight", "pos_weight")):
        return None
    if call.options.get("reduction", "mean") != "mean" or call.options.get("label_smoothing"):
        return None
    if softmax:
        return None if call.wanted.is_floating_point() else math.log1p((columns(call) - 1) / math.e)
    ones = float(call.wanted.double().mean())
    hard = bool(((call.wanted == 0) | (call.wanted == 1)).all())
    return ones * math.log1p(1 / math.e) + (1 - ones) * math.log(2) if hard else None


def logarithms(seen: Watched, call: LossCall) -> Breach | None:
    """nll_loss and kl_div expect logarithms of probabilities: their exponentials sum to 1."""
    given = call.given.detach().double()
    if call.name not in LOGS or not bool(given.isfinite().all()):
        return None
    dim = min(1, given.dim() - 1)
    total = given.exp().sum(dim)
    # Bernoulli and masked distributions need not sum to 1 in kl_div: there only the sign tells
    if bool((given <= 0).all()) if call.name == "kl_div" else bool(((total - 1).abs() < 0.05).all()):
        return None
    if are_shares(given, dim):
        return Breach(f"{call.name} expects logarithms of probabilities and gets the probabilities themselves")
    return Breach(
        f"{call.name} expects logarithms of probabilities; the exponentials of what it gets sum to"
        f" {float(total.mean()):.3g} per sample, not to 1"
    )


def probabilities(seen: Watched, call: LossCall) -> Breach | None:
    """binary_cross_entropy expects values in [0, 1]."""
    if call.name != "binary_cross_entropy":
        return None
    low, high = float(call.given.min()), float(call.given.max())
    if (low >= 0 and high <= 1) or not math.isfinite(low + high):
        return None
    return Breach(f"binary_cross_entropy expects probabilities and gets outputs from {low:.3g} to {high:.3g}")


def binary_targets(seen: Watched, call: LossCall) -> Breach | None:
    """Binary targets lie in [0, 1]; those of margin losses are -1 and 1."""
    if not call.wanted.numel():
        return None
    numbers = call.wanted.double()
    low, high = float(numbers.min()), float(numbers.max())
    if call.name in {"binary_cross_entropy", "binary_cross_entropy_with_logits"} and (low < 0 or high > 1):
        return Breach(f"{call.name} expects targets in 0..1 and gets {low:.3g} to {high:.3g}")
    margin = call.name in {"soft_margin_loss", "hinge_embedding_loss"}
    if margin and bool(((numbers == 0) | (numbers == 1)).all()) and low == 0:
        return Breach(f"{call.name} expects targets -1 and 1 and gets 0 and 1")
    return None


def shares_as_targets(seen: Watched, call: LossCall) -> Breach | None:
    """Float targets of cross-entropy are probabilities of classes that exclude one another."""
    if call.name != "cross_entropy" or not call.wanted.is_floating_point() or call.wanted.shape != call.given.shape:
        return None
    if call.wanted.dim() < 2 or not bool(((call.wanted == 0) | (call.wanted == 1)).all()):
        return None
    several = float((sums(call.wanted, 1) > 1).double().mean())
    if several <= BEYOND:
        return None
    return Breach(
        f"{several:.0%} of the samples have several classes at once, and cross_entropy lets them compete", "suspected"
    )


def unreachable(seen: Watched, call: LossCall) -> Breach | None:
    """Targets of a regression outside the range of the last activation cannot be reached."""
    squash = squash_of(seen, call.given) if call.name in ELEMENTWISE else None
    if squash is None or squash.name not in RANGES or not call.wanted.numel():
        return None
    low, high = RANGES[squash.name]
    share = float(((call.wanted < low) | (call.wanted > high)).double().mean())
    if share < BEYOND or not same(call.wanted, seen.targets):
        return None
    span = f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} and above"
    least, most = float(call.wanted.min()), float(call.wanted.max())
    return Breach(
        f"the outputs end in {squash.name} ({span}), and {share:.0%} of the targets ({least:.3g} to {most:.3g})"
        " lie outside of that"
    )


RULES = (
    one_column,
    class_indices,
    squashed_twice,
    logarithms,
    probabilities,
    binary_targets,
    shares_as_targets,
    unreachable,
)
