"""An optimizer's state as `torch.distributed` flattens it: `state.NAME.exp_avg` and `param_groups.NAME.lr`."""

from __future__ import annotations

from typing import Any

from .settings import simplify


def as_torch(node: dict[Any, Any]) -> dict[str, Any] | None:
    """The same as a torch optimizer's state_dict keyed by names; None if it is not flattened in this way.

    Parameters whose options are the same make one group.
    """
    heads = {key.partition(".")[0] for key in node if isinstance(key, str)}
    if heads != {"state", "param_groups"} or not all(isinstance(key, str) and key.count(".") > 1 for key in node):
        return None
    states: dict[str, dict[str, Any]] = {}
    options: dict[str, dict[str, Any]] = {}
    for key, value in node.items():
        head, _, rest = key.partition(".")
        name, _, last = rest.rpartition(".")
        (states if head == "state" else options).setdefault(name, {})[last] = value
    groups: dict[str, dict[str, Any]] = {}
    for name, chosen in options.items():
        chosen.pop("params", None)
        groups.setdefault(repr(simplify(chosen, [100])), {**chosen, "params": []})["params"].append(name)
    return {"state": states, "param_groups": list(groups.values())}
