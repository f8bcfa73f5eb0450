"""The optimizer's state as fastai saves it (`learn.save`): a list in the parameters' order, under names of its own."""

from __future__ import annotations

from typing import Any

from .torch_values import scalar

SLOTS = {"grad_avg": "exp_avg", "sqr_avg": "exp_avg_sq"}
OPTIONS = {"lr": "lr", "wd": "weight_decay", "eps": "eps"}


def as_torch(node: dict[Any, Any]) -> dict[str, Any] | None:
    """The same as a torch optimizer's state_dict of one group; None if it is no fastai optimizer.

    Which parameters belong to which of several groups is not in the file, so options are kept where all groups agree.
    """
    states, hypers = node.get("state"), node.get("hypers")
    if not (isinstance(states, list) and isinstance(hypers, list) and hypers):
        return None
    if not all(isinstance(part, dict) for part in (*states, *hypers)):
        return None
    adam = any("sqr_avg" in state for state in states)
    names = SLOTS if adam else {"grad_avg": "momentum_buffer"}
    group: dict[str, Any] = {theirs: _common(hypers, ours) for ours, theirs in OPTIONS.items()}
    momentum, square = _common(hypers, "mom"), _common(hypers, "sqr_mom")
    if adam and momentum is not None and square is not None:
        group["betas"] = (momentum, square)
    elif not adam and momentum is not None:
        group["momentum"] = momentum
    renamed = [{names.get(k, k): v for k, v in state.items()} for state in states]
    known = {k: v for k, v in group.items() if v is not None}
    return {"state": dict(enumerate(renamed)), "param_groups": [known | {"params": list(range(len(states)))}]}


def _common(hypers: list[dict[Any, Any]], name: str) -> float | int | None:
    found = {scalar(group.get(name)) for group in hypers}
    return found.pop() if len(found) == 1 else None
