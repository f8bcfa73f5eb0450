"""A person's corrections of what their logs were understood to say: `val/loss=eval_nll`, `step=iter_no`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .errors import Unreadable

if TYPE_CHECKING:  # artifacts imports NumPy, which parsing does not need
    from .artifacts import Log, Series

AXES = ("step", "epoch")


def parse(corrections: Sequence[str]) -> dict[str, str]:
    """["val/loss=eval_nll"] -> {"val/loss": "eval_nll"}. Raises Unreadable for anything else."""
    found = {}
    for text in corrections:
        name, equals, column = (part.strip() for part in text.partition("="))
        if not (name and equals and column):
            raise Unreadable(
                "this is no correction of a name", text, "write --map NAME=COLUMN: --map val/loss=eval_nll"
            )
        found[name] = column
    return found


def rename(logs: Sequence[Log], corrections: Mapping[str, str]) -> tuple[Log, ...]:
    """The logs with columns named as the person says; what had that name before is called by its column again.

    `step=COLUMN` and `epoch=COLUMN` make a column the x axis of all series that have as many points.
    Raises Unreadable for a column that no log has.
    """
    for name, column in corrections.items():
        if logs and not any(_is(s, column) for log in logs for s in log.series):
            known = sorted({s.column for log in logs for s in log.series})
            there = ", ".join(known[:20]) + (" ..." if len(known) > 20 else "")
            raise Unreadable(f"no log has a column {column!r} to be called {name}", "--map", f"there are: {there}")
        logs = [_axis(log, name, column) if name in AXES else _name(log, name, column) for log in logs]
    return tuple(logs)


def _is(series: Series, column: str) -> bool:
    return column in (series.column, series.name)


def _name(log: Log, name: str, column: str) -> Log:
    chosen = next((s for s in log.series if s.column == column), None)
    chosen = chosen or next((s for s in log.series if s.name == column), None)
    if chosen is None:
        return log
    others = tuple(
        replace(s, name=s.column if s.column != name else f"{name} (as logged)") if s.name == name else s
        for s in log.series
        if s is not chosen
    )
    return replace(log, series=(replace(chosen, name=name), *others))


def _axis(log: Log, name: str, column: str) -> Log:
    axis = next((s for s in log.series if _is(s, column)), None)
    if axis is None:
        return log
    moved = tuple(
        replace(s, x=axis.y, x_name=name) if len(s.y) == len(axis.y) and s is not axis else s for s in log.series
    )
    return replace(log, series=tuple(s for s in moved if s is not axis))
