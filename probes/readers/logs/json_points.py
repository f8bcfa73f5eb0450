"""Curves in JSON with their places: {"loss": [[step, value], ...]}, {"loss": {"steps": [...], "values": [...]}}."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...artifacts import Series
from .table import Cell, Column, is_training_log, series_of, value_of

_PLACES = ("steps", "step", "x", "epochs", "epoch", "iterations", "iters")
_VALUES = ("values", "value", "y", "vals")
Points = tuple[str, list[Cell], list[Cell]]


def point_series(tree: dict[str, Any]) -> list[Series]:
    """The curves that are given as points under the keys of one object; empty without any."""
    found: list[Series] = []
    for key, value in tree.items():
        for name, places, values in _points(key, value):
            columns = [Column(name, places), Column(key, values)]
            if is_training_log(columns):
                found += series_of(columns)
    return found


def _points(key: str, value: Any) -> Iterator[Points]:
    """(name of the axis, places, values) where a value holds a curve."""
    if isinstance(value, dict):
        x = next((k for k in _PLACES if _all_numbers(value.get(k))), None)
        y = next((k for k in _VALUES if _all_numbers(value.get(k))), None)
        if x is not None and y is not None and len(value[x]) == len(value[y]):
            yield "epoch" if x.startswith("epoch") else "step", [*map(value_of, value[x])], [*map(value_of, value[y])]
    elif isinstance(value, list) and len(value) > 1 and all(_all_numbers(row) for row in value):
        widths = {len(row) for row in value}
        if widths <= {2} or widths <= {3}:  # the third is TensorBoard's wall time, which comes first
            yield "step", [value_of(row[-2]) for row in value], [value_of(row[-1]) for row in value]


def _all_numbers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(value_of(v) is not None for v in value)
