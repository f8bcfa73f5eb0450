"""What an optimizer's saved state says, as identities: gradient sizes, agreement of gradients, the last update.

Adam keeps exp_avg m and exp_avg_sq v. With t the tensor's own step, m^ = m/(1-b1^t) and v^ = v/(1-b2^t) are
weighted means of the gradient and of its square over about the last 1/(1-b1) and 1/(1-b2) steps. So sqrt(sum v^) is
the RMS norm of the tensor's gradient, and c = sum m^2 / sum v^ says how far the gradients agree (noise: about
(1-b1)/(1+b1)); after the last gradient c falls by b1^2/b2 a step. All sums are in float64: float32 squares of m
underflow after some 450 steps without a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .artifacts import Array, Checkpoint, Floats, OptimizerState, ParameterState, Tensor

ADAM = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the entries of each row and each column of a tensor, in float64.

    Args:
        agree: sum of squares of the first moment (Adam: m^; SGD: the buffer; RMSprop: zeros), by row.
        square: sum of v^ (SGD: the same as `agree`), by row.
        column_agree, column_square: the same by column (second dimension; kernel positions added up); empty for 1-d.
        numel: of the tensor.
    """

    agree: Floats
    square: Floats
    column_agree: Floats
    column_square: Floats
    numel: int

    @property
    def norm(self) -> float:
        """The RMS norm of the tensor's gradient."""
        return math.sqrt(float(self.square.sum()))

    @property
    def rms(self) -> float:
        """The RMS of one entry of the gradient."""
        return self.norm / math.sqrt(max(1, self.numel))


def family(state: OptimizerState) -> str | None:
    """ "adam", "momentum", "rmsprop", "plain" (no state: SGD), or None if the state is of a kind not known here."""
    slots = [set(p.slots) for p in state.parameters if p.slots]
    if not slots:
        return "plain" if state.kind in {"sgd", None} else None
    if all(s >= set(ADAM) for s in slots):
        return "adam"
    if all("square_avg" in s for s in slots):
        return "rmsprop"
    return "momentum" if all("momentum_buffer" in s for s in slots) else None


def options(state: OptimizerState, parameter: ParameterState) -> dict[str, Any]:
    """The options of a parameter's group."""
    return state.groups[parameter.group] if parameter.group < len(state.groups) else {}


def option(group: dict[str, Any], name: str, default: float) -> float:
    """One numeric option; `default` where it is missing or no number."""
    value = group.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def betas(group: dict[str, Any]) -> tuple[float, float]:
    """Adam's two decay rates, (0.9, 0.999) if the file does not say."""
    value = group.get("betas")
    if isinstance(value, list | tuple) and len(value) == 2:
        return float(value[0]), float(value[1])
    return 0.9, 0.999


def coupled(state: OptimizerState, group: dict[str, Any]) -> float:
    """The weight decay that went through the gradient (coupled L2); 0 if there is none or it is decoupled."""
    decay = option(group, "weight_decay", 0.0)
    return 0.0 if state.decoupled or state.kind == "adamw" else decay


def together(*tensors: Tensor, limit: int = 8 << 20) -> Iterator[tuple[int, tuple[Floats, ...]]]:
    """The rows of tensors of one shape side by side, as (first row, float64 arrays), in bounded memory."""
    streams = [t.chunks(limit) for t in tensors[1:]]
    left: list[Array | None] = [None for _ in streams]
    for first, rows in tensors[0].chunks(limit):
        parts = [rows.astype(np.float64)]
        for i, stream in enumerate(streams):
            held = left[i]
            pieces, count = ([] if held is None else [held]), (0 if held is None else len(held))
            while count < len(rows):
                _, more = next(stream)
                pieces.append(more)
                count += len(more)
            block = np.concatenate(pieces)
            parts.append(block[: len(rows)].astype(np.float64))
            left[i] = block[len(rows) :] if count > len(rows) else None
        yield first, tuple(parts)


def moments(state: OptimizerState, parameter: ParameterState, weight: Tensor | None = None) -> Sums | None:
    """The sums of one parameter's state; None if it has none that is understood.

    With `weight` and coupled weight decay the decay's share is taken out of Adam's first moment, as
    m^ - wd (w + u/(1-b1)), u the last update: a lagged subtraction, exact while the rates stand still.
    """
    group = options(state, parameter)
    slots = parameter.slots
    if set(ADAM) <= set(slots) and parameter.step:
        decay = coupled(state, group)
        sources = [slots["exp_avg"], slots["exp_avg_sq"]] + ([weight] if weight is not None and decay else [])
        return _sums(sources, lambda parts: _adam(parts, parameter.step or 1.0, group, decay))
    if "square_avg" in slots:
        return _sums(
            [slots["square_avg"]], lambda parts: (np.zeros_like(parts[0]), _unbias(parts[0], parameter, group))
        )
    if "momentum_buffer" in slots:
        return _sums([slots["momentum_buffer"]], lambda parts: (parts[0] ** 2, parts[0] ** 2))
    return None


def _unbias(v: Floats, parameter: ParameterState, group: dict[str, Any]) -> Floats:
    return np.asarray(v / (1 - option(group, "alpha", 0.99) ** (parameter.step or 1e9)), dtype=np.float64)


def _adam(parts: tuple[Floats, ...], step: float, group: dict[str, Any], decay: float) -> tuple[Floats, Floats]:
    b1, b2 = betas(group)
    m, v = parts[0] / (1 - b1**step), parts[1] / (1 - b2**step)
    if len(parts) > 2:
        update = option(group, "lr", 0.0) * m / (np.sqrt(v) + option(group, "eps", 1e-8))
        m = m - decay * (parts[2] + update / (1 - b1))
    return m**2, v


def _sums(sources: list[Tensor], values: Any) -> Sums:
    shape = sources[0].shape
    rows = shape[0] if shape else 1
    agree, square = np.zeros(rows), np.zeros(rows)
    columns = shape[1] if len(shape) > 1 else 0
    by_column = [np.zeros(columns), np.zeros(columns)]
    for first, parts in together(*sources):
        a, s = values(parts)
        agree[first : first + len(a)], square[first : first + len(s)] = a.sum(1), s.sum(1)
        if columns:
            by_column[0] += a.reshape(len(a), columns, -1).sum((0, 2))
            by_column[1] += s.reshape(len(s), columns, -1).sum((0, 2))
    return Sums(agree, square, by_column[0], by_column[1], math.prod(shape))


def coherence(agree: Floats, square: Floats) -> Floats:
    """c = sum m^2 / sum v^ by row; 0 where v is exactly 0 (no gradient since the optimizer started)."""
    return np.divide(agree, square, out=np.zeros_like(agree), where=square > 0)


def age(c: Floats, live: float, group: dict[str, Any]) -> Floats:
    """Steps since the last gradient, from coherence: ln(live/c) / ln(b2/b1^2). Saturates near 820-900 at .9/.999."""
    b1, b2 = betas(group)
    with np.errstate(divide="ignore"):
        return np.maximum(0.0, np.log(max(live, 1e-300) / np.maximum(c, 1e-300)) / math.log(b2 / b1**2))


def floor_after(steps: float, group: dict[str, Any]) -> float:
    """The coherence that a unit reaches after so many steps without a gradient, started at the noise floor."""
    b1, b2 = betas(group)
    return float((1 - b1) / (1 + b1) * (b1**2 / b2) ** steps)


def update_norm(state: OptimizerState, parameter: ParameterState) -> float | None:
    """The norm of the last update without weight decay; None where the file does not hold it.

    Exact for Adam, AdamW and AMSGrad and for SGD with momentum (Nesterov: the size of the buffer's step only), as
    long as the scheduler has not changed the learning rate since.
    """
    group, slots = options(state, parameter), parameter.slots
    lr = option(group, "lr", 0.0)
    if set(ADAM) <= set(slots) and parameter.step:
        b1, b2 = betas(group)
        eps = option(group, "eps", 1e-8)
        second = slots.get("max_exp_avg_sq", slots["exp_avg_sq"])
        total = 0.0
        for _, (m, v) in together(slots["exp_avg"], second):
            step = (m / (1 - b1**parameter.step)) / (np.sqrt(v / (1 - b2**parameter.step)) + eps)
            total += float((step**2).sum())
        return lr * math.sqrt(total)
    if "momentum_buffer" in slots:
        return lr * norm(slots["momentum_buffer"])
    return None


def norm(tensor: Tensor) -> float:
    """The Euclidean norm of a tensor, in float64 and bounded memory."""
    return math.sqrt(sum(float((rows.astype(np.float64) ** 2).sum()) for _, rows in tensor.chunks()))


def distance(a: Tensor, b: Tensor) -> float:
    """The Euclidean distance of two tensors of one shape; exactly 0 only if they are equal."""
    return math.sqrt(sum(float(((x - y) ** 2).sum()) for _, (x, y) in together(a, b)))


def finite(checkpoint: Checkpoint) -> bool:
    """Whether all floating tensors of a model are finite."""
    return all(
        np.isfinite(rows).all()
        for tensor in checkpoint.tensors.values()
        if tensor.dtype.startswith(("float", "bfloat"))
        for _, rows in tensor.chunks()
    )
