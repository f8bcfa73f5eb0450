"""Which of an optimizer's saved tensors say what of the gradient and of the last update, one rule a kind.

Each rule names the tensors that are read side by side and how a block of them is added up in `sums.Sums`. What a kind
does not hold stays NaN (no gradient) or None (no update): nothing is estimated.

    kind                    gradient (sum v^)                  agreement   last update
    Adam, AdamW, AMSGrad    exp_avg_sq / (1 - b2^t)            m^          m^ / (sqrt v^ + eps)
    NAdam                   the same                           m^          no: it also holds the last gradient
    RAdam                   the same                           m^          r_t m^ / (sqrt v^ + eps'), or m^ at first
    Adamax                  no: a maximum, not a mean          -           m / ((1 - b1^t) exp_inf)
    RMSprop, Adadelta       square_avg / (1 - alpha^t)         -           the buffer's, if there is one
    Adagrad                 (sum - its start) / t              -           no
    Adafactor               row_var x columns, by row          -           no
    SGD with momentum       the buffer: the agreeing part      -           the buffer
    Lion                    exp_avg: the agreeing part         -           a sign for every entry
    Muon                    the buffer: the agreeing part      -           no: it is made orthogonal first
    LAMB                    as Adam                            m^          no: scaled by a ratio of norms
    Adan                    the last one; n only where it is 0 -           (m^ + b2 d^) / (sqrt n^ + eps) (`adan`)
    schedule-free Adam      exp_avg_sq / (1 - b2^k)            -           no

Sources: the optimizers' own update rules in PyTorch 2.13, transformers, timm, lion-pytorch, schedule_free and Adan's
authors' repository. Others with tensors of these names (SOAP's in a turned basis, Prodigy's scaled, ADOPT's average
of updates, AdaBelief's variance) are not read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..artifacts import Floats, OptimizerState, ParameterState, Tensor
from .adan import Adan
from .moments import ADAM, KINDS, betas, buffer, coupled, option, options
from .sums import Adam, add_momentum, add_ratio, add_row_means, add_signs, add_squares

Adder = Callable[..., Sequence[Floats | None]]
"""(sums, row, column, blocks) -> the sums of squares by row of each of the blocks, where they were needed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one parameter's state is read.

    Args:
        sources: tensors of one shape, read side by side.
        add: adds a block of each to the sums.
        update: what the root of the sum of `step` is multiplied with, beside the learning rate, to be the norm of the
            last update without decay; None where the file does not hold it.
        like: the shape of the sums, where that is not the first source's.
    """

    sources: tuple[Tensor, ...]
    add: Adder
    update: float | None
    like: tuple[int, ...] | None = None


def rule(state: OptimizerState, parameter: ParameterState, weight: Tensor | None) -> Rule | None:
    """The rule for one parameter; None where its state is of no kind that is known here."""
    slots, group = parameter.slots, options(state, parameter)
    if state.kind not in KINDS:
        return None
    if state.kind == "adan":
        return _adan(state, parameter)
    if set(ADAM) <= set(slots) and state.kind != "adafactor":  # whose exp_avg is a mean of updates
        return _adam(state, parameter, weight) if parameter.step else None
    if "exp_inf" in slots and "exp_avg" in slots and parameter.step:
        bias = 1 - betas(group)[0] ** parameter.step
        return Rule((slots["exp_avg"], slots["exp_inf"]), add_ratio, 1 / bias)
    if "square_avg" in slots:
        return _mean_square(parameter, option(group, "alpha", option(group, "rho", 0.99)))
    if "sum" in slots and parameter.step:
        start = option(group, "initial_accumulator_value", 0.0)
        start = start if slots["sum"].dtype == "float64" else float(np.float32(start))  # as it was stored
        return Rule((slots["sum"],), partial(add_squares, scale=1 / parameter.step, less=start), None)
    if (rows := slots.get("row_var") or slots.get("exp_avg_sq_row")) is not None:
        return _factored(parameter, rows, weight)
    if (whole := slots.get("variance") or slots.get("exp_avg_sq")) is not None:
        bias = 1 - betas(group)[1] ** (parameter.step or 1e9) if state.kind == "schedule-free" else 1.0
        return Rule((whole,), partial(add_squares, scale=1 / bias), None)
    held = buffer(parameter)
    return _buffer(state, parameter, held, weight) if held is not None else None


def _adam(state: OptimizerState, parameter: ParameterState, weight: Tensor | None) -> Rule:
    slots, group = parameter.slots, options(state, parameter)
    decay = coupled(state, group)
    beside = decay != 0 and weight is not None and weight.shape == slots["exp_avg"].shape
    sources = [slots["exp_avg"], slots["exp_avg_sq"]]
    sources += [slots["max_exp_avg_sq"]] if "max_exp_avg_sq" in slots else []
    sources += [weight] if beside and weight is not None else []
    rates = (*betas(group), option(group, "lr", 0.0), option(group, "eps", 1e-8), parameter.step or 1.0)
    add = Adam(*rates, decay if beside else 0.0, "max_exp_avg_sq" in slots).add
    return Rule(tuple(sources), add, _adams_update(state, parameter))


def _adan(state: OptimizerState, parameter: ParameterState) -> Rule | None:
    """The authors' own and timm's keep the betas as decays; lucidrains' keeps 1 - b, and its rules vary by version."""
    slots, group = parameter.slots, options(state, parameter)
    last, square = slots.get("neg_pre_grad", slots.get("prev_grad")), slots.get("exp_avg_sq", slots.get("n"))
    if last is None or square is None or not parameter.step:
        return None
    rates: Any = group.get("betas")
    told = isinstance(rates, list | tuple) and len(rates) == 3 and all(isinstance(b, int | float) for b in rates)
    b1, b2, b3 = rates if told else (0.98, 0.92, 0.99)
    add = Adan(b1, b2, b3, option(group, "eps", 1e-8), parameter.step).add
    means = [slots[key] for key in ("exp_avg", "exp_avg_diff") if key in slots]
    if len(means) < 2 or not told or group.get("caution"):
        return Rule((last, square), add, None)
    return Rule((last, square, *means), add, 1.0)


def _adams_update(state: OptimizerState, parameter: ParameterState) -> float | None:
    """1 for Adam; RAdam's rectification; None where it also holds the last gradient (NAdam), is scaled by norms (LAMB),
    masked or not corrected for its start, and for RAdam's first steps, which leave v out."""
    group = options(state, parameter)
    uncorrected = any(group.get(name) is False or group.get(name) == 0 for name in ("bias_correction", "correct_bias"))
    if state.kind in {"nadam", "lamb"} or uncorrected or group.get("caution"):
        return None
    if state.kind != "radam":
        return 1.0
    b2, t = betas(group)[1], parameter.step or 1.0
    most = 2 / (1 - b2) - 1
    now = most - 2 * t * b2**t / (1 - b2**t)
    if now <= 5:
        return None
    return math.sqrt((now - 4) * (now - 2) * most / ((most - 4) * (most - 2) * now))


def _mean_square(parameter: ParameterState, alpha: float) -> Rule:
    slots = parameter.slots
    held = slots.get("momentum_buffer")
    bias = 1 - alpha ** (parameter.step or 1e9)
    sources = (slots["square_avg"],) if held is None else (slots["square_avg"], held)
    return Rule(sources, partial(add_squares, scale=1 / bias), None if held is None else 1.0)


def _factored(parameter: ParameterState, rows: Tensor, weight: Tensor | None) -> Rule | None:
    """Adafactor keeps the mean of the squared gradients of each row (of the last two dimensions)."""
    shape = weight.shape if weight is not None else parameter.shape
    if shape is None or len(shape) != 2 or rows.numel != shape[0]:
        return None
    return Rule((rows,), partial(add_row_means, columns=shape[1]), None, like=shape)


def _buffer(state: OptimizerState, parameter: ParameterState, held: Tensor, weight: Tensor | None) -> Rule:
    if state.kind == "lion":
        return Rule((held,), add_signs, 1.0)
    decayed = option(options(state, parameter), "weight_decay", 0.0) != 0 and state.kind != "muon"
    beside = decayed and weight is not None and weight.shape == held.shape
    sources = (held, weight) if beside and weight is not None else (held,)
    return Rule(sources, add_momentum, None if state.kind == "muon" else 1.0)
