"""Whole modules that were pickled, and TorchScript's objects: their tensors under the names of `state_dict()`."""

from __future__ import annotations

from typing import Any

from .lazy import LazyTensor
from .pickle_stream import Inert

DEEPEST = 64


def flatten_module(node: Inert) -> tuple[dict[str, LazyTensor], list[str]] | None:
    """(tensors by name, names of parameters) of a pickled nn.Module or a TorchScript object; None if it is neither."""
    if not is_module(node):
        return None
    tensors: dict[str, LazyTensor] = {}
    parameters: list[str] = []
    seen: set[int] = set()
    stack: list[tuple[str, Inert]] = [("", node)]
    while stack:
        prefix, module = stack.pop()
        if id(module) in seen or prefix.count(".") > DEEPEST:
            continue
        seen.add(id(module))
        state = module.state
        own, hidden = _dict(state.get("_parameters")), state.get("_non_persistent_buffers_set")
        for name, value in own.items():
            if isinstance(value, LazyTensor):
                tensors[f"{prefix}{name}"] = value
                parameters.append(f"{prefix}{name}")
        buffers = _dict(state.get("_buffers")) if "_parameters" in state else state
        for name, value in buffers.items():
            if isinstance(value, LazyTensor) and not (isinstance(hidden, list) and name in hidden):
                tensors[f"{prefix}{name}"] = value
        inner = _dict(state.get("_modules")) if "_parameters" in state else state
        children = [
            (f"{prefix}{n}.", m) for n, m in inner.items() if isinstance(m, Inert) and isinstance(m.state, dict)
        ]
        stack.extend(reversed(children))
    return (tensors, parameters) if tensors else None


def is_module(node: Inert) -> bool:
    if not isinstance(node.state, dict):
        return False
    return node.name.startswith("__torch__") or {"_parameters", "_modules"} <= node.state.keys()


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
