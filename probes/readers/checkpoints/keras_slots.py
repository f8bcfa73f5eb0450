"""Which weight each slot of a Keras optimizer belongs to.

Keras 2 saves the iterations, then one slot of every trainable weight, then the next slot of every one, in the order of
the layers. Keras 3 names them after the weights (`dense_kernel_momentum`, `dense_kernel_velocity`), or saves pairs side
by side. Shapes decide which it is; where they do not fit, nothing is mapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...artifacts import ParameterState, Tensor


class Stored(Tensor, Protocol):
    """A tensor of a Keras file: its shape there, and the same one turned as another is."""

    @property
    def stored(self) -> tuple[int, ...]: ...

    def like(self, other: Stored) -> Tensor: ...


NOT_TRAINED = ("moving_mean", "moving_variance", "seed_generator_state")
NAMES: dict[str, tuple[str, ...]] = {
    "adam": ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
    "nadam": ("exp_avg", "exp_avg_sq"),
    "adamax": ("exp_avg", "exp_inf"),
    "lion": ("exp_avg",),
    "rmsprop": ("square_avg",),
    "adagrad": ("sum",),
}
"""Slots by the names that the same numbers have in PyTorch. Keras' SGD keeps updates instead of gradients."""


def mapped(
    kind: str | None, weights: dict[str, Stored], slots: Sequence[Stored], step: int | None
) -> tuple[ParameterState, ...]:
    """One state for every trainable weight, turned as the weight is, or nothing where slots and weights do not fit."""
    in_order = [(n, t) for n, t in weights.items() if not n.endswith(NOT_TRAINED) and t.dtype.startswith("float")]
    known, count = NAMES.get(kind or ""), len(in_order)
    if known is None or not count or len(slots) % count or not 1 <= len(slots) // count <= len(known):
        return ()
    by_name = sorted(in_order, key=lambda pair: pair[0].split("/")[-2:])  # as Keras before 2.1 had them
    each = len(slots) // count
    for trained in (in_order, by_name):
        for order in (_in_turn(slots, count, each), _side_by_side(slots, count, each)):
            if all({t.stored for t in one} == {w.stored} for one, (_, w) in zip(order, trained, strict=True)):
                return tuple(
                    ParameterState(i, 0, name, _named(known, one, weight), step, weight.shape)
                    for i, ((name, weight), one) in enumerate(zip(trained, order, strict=True))
                )
    return ()


def _named(known: Sequence[str], slots: Sequence[Stored], weight: Stored) -> dict[str, Tensor]:
    return {name: slot.like(weight) for name, slot in zip(known, slots, strict=False)}


def _in_turn(slots: Sequence[Stored], count: int, each: int) -> list[list[Stored]]:
    return [[slots[i + k * count] for k in range(each)] for i in range(count)]


def _side_by_side(slots: Sequence[Stored], count: int, each: int) -> list[list[Stored]]:
    return [list(slots[i * each : (i + 1) * each]) for i in range(count)]


def options(settings: dict[str, Any]) -> dict[str, Any]:
    """A Keras optimizer's settings by PyTorch's names beside its own."""
    found = dict(settings)
    rate = settings.get("learning_rate", settings.get("lr"))
    if isinstance(rate, int | float):
        found["lr"] = float(rate)
    if isinstance(settings.get("beta_1"), int | float) and isinstance(settings.get("beta_2"), int | float):
        found["betas"] = (settings["beta_1"], settings["beta_2"])
    for ours, theirs in (("eps", "epsilon"), ("alpha", "rho")):
        if isinstance(settings.get(theirs), int | float):
            found[ours] = settings[theirs]
    return found
