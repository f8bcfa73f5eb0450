"""Plain Python data of what a pickle held: for people to read, and for probes to look settings up in."""

from __future__ import annotations

from typing import Any

from .modules import is_module
from .pickle_stream import Inert, Name
from .torch_values import number_list, scalar

MOST_UNREAD = 200


def simplify(
    value: Any,
    budget: list[int],
    depth: int = 0,
    path: str = "",
    lost: list[str] | None = None,
    above: tuple[int, ...] = (),
) -> Any:
    """Plain Python data of `value`: numbers, texts, lists and dicts; None for what cannot be shown as such.

    Args:
        budget: how many values may still be looked at.
        lost: gets the paths, below `path`, of what could not be shown.
        above: what it lies in, by id: an object that refers back to it has nothing more to show.
    """
    budget[0] -= 1
    if isinstance(value, str):
        return value[:2000]
    if value is None or isinstance(value, bool | int | float):
        return value
    if budget[0] >= 0 and depth <= 8 and not (isinstance(value, Inert) and is_module(value)):
        if isinstance(value, Name):
            return value.text
        if (number := scalar(value)) is not None:
            return number
        if (numbers := number_list(value)) is not None:
            return numbers[:10_000]
        if isinstance(value, Inert) and (inner := value.state if isinstance(value.state, dict) else value.items):
            return simplify(inner, budget, depth + 1, path, lost, above)
        if id(value) in above:
            return None
        above = (*above, id(value))
        if isinstance(value, dict):
            named = ((str(k)[:200], v) for k, v in value.items() if isinstance(k, str | int | float))
            pairs = ((k, simplify(v, budget, depth + 1, f"{path}.{k}", lost, above)) for k, v in named)
            return {k: v for k, v in pairs if v is not None}
        if isinstance(value, list | tuple):
            return [simplify(v, budget, depth + 1, f"{path}.{i}", lost, above) for i, v in enumerate(value[:10_000])]
    if lost is not None and len(lost) < MOST_UNREAD:
        lost.append(path)
    return None
