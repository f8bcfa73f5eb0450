"""What a scheduler's saved state says: how often it was stepped, how long it is, when its learning rate is gone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..artifacts import Checkpoint

GONE = 1e-3
"""Below this share of its start a learning rate moves nothing that is left to move."""

KINDS = {
    "_schedule_phases": "one-cycle",
    "T_max": "cosine",
    "T_0": "warm restarts",
    "step_size": "steps",
    "milestones": "milestones",
    "end_factor": "linear",
    "power": "polynomial",
    "num_bad_epochs": "plateau",
    "max_lrs": "cyclic",
    "lr_lambdas": "function",
    "_milestones": "sequence",
    "gamma": "exponential",
}
"""The key that only this kind of torch's schedulers saves, looked for in this order."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One scheduler.

    Args:
        count: how often it was stepped.
        length: after so many it has done what it does; None if it has no end or does not say.
        base: the largest of its base rates. rate: the largest it set last. top: the largest it may set.
        gone: the count from which on its rate is below a thousandth of the base for good; None if that never comes.
        falls: whether it ends below its start. Each of these is None where the state does not tell.
    """

    kind: str
    count: int
    length: int | None
    base: float | None
    rate: float | None
    top: float | None
    gone: int | None
    falls: bool | None


def schedules(checkpoint: Checkpoint) -> list[Schedule]:
    """One for every saved scheduler whose count is a number."""
    return [_schedule(s, checkpoint) for s in checkpoint.schedulers if _number(s.get("last_epoch")) is not None]


def _schedule(state: dict[str, Any], checkpoint: Checkpoint) -> Schedule:
    kind = next((name for key, name in KINDS.items() if key in state), "")
    groups = checkpoint.optimizer.groups if checkpoint.optimizer else ()
    base, peak = _largest(state.get("base_lrs")), _largest([g.get("max_lr") for g in groups])
    return Schedule(
        kind,
        count=int(state["last_epoch"]),
        length=_length(kind, state),
        base=base,
        rate=_largest(state.get("_last_lr")) if "_last_lr" in state else _largest([g.get("lr") for g in groups]),
        top={"one-cycle": peak, "cyclic": _largest(state.get("max_lrs")), "function": None, "": None}.get(kind, base),
        gone=_gone(kind, state),
        falls=_falls(kind, state),
    )


def _number(value: Any) -> float | None:
    finite = type(value) in (int, float) and math.isfinite(value) and abs(value) < 2**53
    return value if finite else None


def _largest(values: Any) -> float | None:
    found = [n for v in values if (n := _number(v)) is not None] if isinstance(values, list) else []
    return max(found, default=None)


def _length(kind: str, state: dict[str, Any]) -> int | None:
    key = {"one-cycle": "total_steps", "cosine": "T_max", "linear": "total_iters", "polynomial": "total_iters"}.get(
        kind
    )
    value = _number(state.get(key)) if key else None
    return int(value) if value is not None and value > 0 else None


def _falls(kind: str, state: dict[str, Any]) -> bool | None:
    if kind == "linear":
        start, end = _number(state.get("start_factor")), _number(state.get("end_factor"))
        return end < start if start is not None and end is not None else None
    return True if kind in {"cosine", "polynomial"} or _decay(state) is not None else None


def _decay(state: dict[str, Any]) -> float | None:
    """The factor of a schedule that multiplies its rate again and again."""
    gamma = _number(state.get("gamma"))
    return gamma if gamma is not None and 0 < gamma < 1 else None


def _gone(kind: str, state: dict[str, Any]) -> int | None:
    gamma, length = _decay(state), _length(kind, state)
    if kind == "polynomial" or (kind == "linear" and (_number(state.get("end_factor")) or 0.0) < GONE):
        return length
    if gamma is None:
        return None
    times = math.ceil(math.log(GONE) / math.log(gamma) - 1e-9)
    if kind == "exponential":
        return times
    size = _number(state.get("step_size"))
    if kind == "steps" and size is not None and size > 0:
        return int(size) * times
    return _milestone(state.get("milestones"), times) if kind == "milestones" else None


def _milestone(milestones: Any, times: int) -> int | None:
    """The count at which the rate has been multiplied so often; torch saves a count by milestone."""
    if not isinstance(milestones, dict):
        return None
    places = sorted((int(k), int(_number(n) or 0)) for k, n in milestones.items() if str(k).isdigit())
    for place, often in places:
        times -= often
        if times <= 0:
            return place
    return None
