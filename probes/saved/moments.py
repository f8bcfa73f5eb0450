"""What an optimizer's saved state says, as identities: gradient sizes, agreement of gradients, the last update.

Adam keeps exp_avg m and exp_avg_sq v. With t the tensor's own step, m^ = m/(1-b1^t) and v^ = v/(1-b2^t) are
weighted means of the gradient and of its square over about the last 1/(1-b1) and 1/(1-b2) steps. So sqrt(sum v^) is
the RMS norm of the tensor's gradient, and c = sum m^2 / sum v^ says how far the gradients agree (noise: about
(1-b1)/(1+b1)); after the last gradient c falls by b1^2/b2 a step. All sums are in float64: float32 squares of m
underflow after some 450 steps without a gradient (`blocks` sees to it).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..artifacts import Floats, OptimizerState, ParameterState, Tensor

ADAM = ("exp_avg", "exp_avg_sq")
TWO_MOMENTS = frozenset(["adam", "adamw", "nadam", "radam", "lamb"])
"""Kinds whose `exp_avg` and `exp_avg_sq` are means of the gradient and of its square."""
DECAYED_APART = frozenset(["adamw", "lamb", "lion", "muon", "adan", "adafactor", "schedule-free"])
"""Kinds whose weight decay never goes through the gradient."""


def family(state: OptimizerState) -> str | None:
    """What kind of state it keeps; None if of no kind that is known here.

    "adam" (two moments), "momentum" (SGD, Muon, Lion: one average of gradients), "rmsprop" (a decaying mean of squares:
    RMSprop, Adadelta), "squares" (other sums of squares: Adagrad, Adafactor, schedule-free; Adan's beside its last
    gradient), "maximum" (Adamax), "mixed" (Muon with Adam for the rest), "plain" (none: SGD).
    """
    held = [set(p.slots) for p in state.parameters if p.slots]
    if not held:
        return "plain" if state.kind in {"sgd", None} else None
    for name, kinds, known in _FAMILIES:
        if state.kind in kinds and all(any(need <= slots for need in known) for slots in held):
            return name
    return None


_FAMILIES: tuple[tuple[str, frozenset[str], tuple[set[str], ...]], ...] = (
    ("adam", TWO_MOMENTS, (set(ADAM),)),
    ("rmsprop", frozenset(["rmsprop", "adadelta"]), ({"square_avg"},)),
    ("maximum", frozenset(["adamax"]), ({"exp_avg", "exp_inf"},)),
    (
        "squares",
        frozenset(["adagrad", "adafactor", "schedule-free", "adan"]),
        ({"sum"}, {"row_var"}, {"variance"}, {"exp_avg_sq_row"}, {"exp_avg_sq"}, {"n"}),
    ),
    ("momentum", frozenset(["sgd", "muon"]), ({"momentum_buffer"},)),
    ("momentum", frozenset(["lion"]), ({"exp_avg"},)),
    ("mixed", frozenset(["muon"]), ({"momentum_buffer"}, set(ADAM))),
)
KINDS = frozenset(kind for _, kinds, _ in _FAMILIES for kind in kinds)
"""Kinds of which something is known."""


def two(parameter: ParameterState) -> bool:
    """Whether it has Adam's two moments, so that the agreement of its gradients is known."""
    return set(ADAM) <= set(parameter.slots) and "exp_avg_diff" not in parameter.slots


def buffer(parameter: ParameterState) -> Tensor | None:
    """The average of gradients of SGD with momentum, Muon or Lion; None for other states."""
    if "momentum_buffer" in parameter.slots:
        return parameter.slots["momentum_buffer"]
    return None if two(parameter) else parameter.slots.get("exp_avg")


def memory(state: OptimizerState, group: dict[str, Any]) -> float:
    """How much of a buffer is left after a step without gradient: SGD's momentum, Lion's second beta."""
    return betas(group, 0.99)[1] if state.kind == "lion" else option(group, "momentum", 0.9)


def options(state: OptimizerState, parameter: ParameterState) -> dict[str, Any]:
    """The options of a parameter's group."""
    return state.groups[parameter.group] if parameter.group < len(state.groups) else {}


def option(group: dict[str, Any], name: str, default: float) -> float:
    """One numeric option; `default` where it is missing or no number."""
    value = group.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def betas(group: dict[str, Any], second: float = 0.999) -> tuple[float, float]:
    """Adam's two decay rates, (0.9, `second`) if the file does not say."""
    value = group.get("betas")
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value):
        return float(value[0]), float(value[1])
    return 0.9, second


def coupled(state: OptimizerState, group: dict[str, Any]) -> float:
    """The weight decay that went through the gradient (coupled L2); 0 if there is none or it is decoupled."""
    decay = option(group, "weight_decay", 0.0)
    return 0.0 if state.decoupled or state.kind in DECAYED_APART else decay


def maybe_mixed(state: OptimizerState, group: dict[str, Any]) -> float:
    """The weight decay that went through the gradient, or may have: without the flag `decoupled_weight_decay` a file
    does not tell Adam from AdamW, and an AdamW by its value of weight decay is only a guess."""
    return 0.0 if state.decoupled else option(group, "weight_decay", 0.0)


def unsure(state: OptimizerState, group: dict[str, Any]) -> bool:
    """Whether there is a weight decay of which the file does not tell if it went through the gradient."""
    return state.decoupled is None and state.kind_from != "class" and maybe_mixed(state, group) != 0


def coherence(agree: Floats, square: Floats) -> Floats:
    """c = sum m^2 / sum v^ by row; 0 where v is exactly 0 (no gradient since the optimizer started)."""
    return np.divide(agree, square, out=np.zeros_like(agree), where=square > 0)


def age(c: Floats, live: float, group: dict[str, Any]) -> Floats:
    """Steps since the last gradient, from coherence: ln(live/c) / ln(b2/b1^2). Saturates near 820-900 at .9/.999; 0
    where b1 is 0 (usual in adversarial training): such a moment remembers one step only."""
    b1, b2 = betas(group)
    if b1 <= 0:
        return np.zeros_like(c)
    with np.errstate(divide="ignore"):
        return np.maximum(0.0, np.log(max(live, 1e-300) / np.maximum(c, 1e-300)) / math.log(b2 / b1**2))


def floor_after(steps: float, group: dict[str, Any]) -> float:
    """The coherence that a unit reaches after so many steps without a gradient, started at the noise floor."""
    b1, b2 = betas(group)
    return float((1 - b1) / (1 + b1) * (b1**2 / b2) ** steps)
