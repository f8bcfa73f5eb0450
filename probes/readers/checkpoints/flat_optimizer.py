"""An optimizer's state as `torch.distributed` flattens it: `state.NAME.exp_avg` and `param_groups.NAME.lr`."""

from __future__ import annotations

from typing import Any

from .settings import simplify


def split(node: dict[Any, Any]) -> tuple[dict[str, Any], dict[Any, Any]] | None:
    """(the same as a torch optimizer's state_dict keyed by names, what else the dict holds); None if nothing is flat.

    Parameters whose options are the same make one group.
    """
    held: dict[str, dict[str, dict[str, Any]]] = {"state": {}, "param_groups": {}}
    rest: dict[Any, Any] = {}
    for key, value in node.items():
        head, _, below = key.partition(".") if isinstance(key, str) else ("", "", "")
        name, _, last = below.rpartition(".")
        if head in held and name:
            held[head].setdefault(name, {})[last] = value
        else:
            rest[key] = value
    states, options = held["state"], held["param_groups"]
    if not options or not states.keys() <= options.keys():
        return None
    groups: dict[str, dict[str, Any]] = {}
    for name, chosen in options.items():
        chosen.pop("params", None)
        groups.setdefault(repr(simplify(chosen, [100])), {**chosen, "params": []})["params"].append(name)
    return {"state": states, "param_groups": list(groups.values())}, rest
