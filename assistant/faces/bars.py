"""Bars, one per layer: from a Plot of kind "bars"."""

from __future__ import annotations

import math

from probes.finding import Plot, Table

from ..visible import figure, visible
from .scale import share

EIGHTHS = " ▏▎▍▌▋▊▉█"
MOST_BARS = 40


def bar_lines(plot: Plot, columns: int, fine: bool = False) -> list[str]:
    """A line a name: name, bar, value. A log axis spans the finite positive values; others are named, not drawn."""
    values = list(plot.curves[0].y) if plot.curves else []
    names = [visible(n, 28) for n in plot.names]
    label = max((len(n) for n in names[:MOST_BARS]), default=0)
    room = max(8, columns - label - 14)
    lengths = scaled(values, plot.log_y)
    axis = f" ({visible(plot.y_label)}{', log scale' if plot.log_y else ''})" if plot.y_label else ""
    lines = [f"  {visible(plot.title)}{axis}"]
    for name, value, length in list(zip(names, values, lengths, strict=False))[:MOST_BARS]:
        lines.append(f"  {name.ljust(label)} {bar(length, room, fine)} {figure(value)}")
    if len(names) > MOST_BARS:
        lines.append(f"  ... and {len(names) - MOST_BARS} more")
    return lines


def scaled(values: list[float], log: bool) -> list[float]:
    """Lengths in [0, 1]; what is not finite (or not positive on a log axis) gets 0."""
    usable = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    if not usable:
        return [0.0] * len(values)
    top = max(usable)
    if not log:
        return [v / top if math.isfinite(v) and top > 0 and v > 0 else 0.0 for v in values]
    low, high = math.log10(min(usable)) - 0.5, math.log10(top)
    return [share(math.log10(v), low, high) if math.isfinite(v) and v > 0 else 0.0 for v in values]


def log_lengths(table: Table) -> list[float]:
    """Lengths in [0, 1] for the column of a table that is to be drawn; empty without one."""
    if table.bar is None:
        return []
    values = [row[table.bar] for row in table.rows]
    return scaled([float(v) if isinstance(v, int | float) else math.nan for v in values], log=True)


def bar(share: float, room: int, fine: bool) -> str:
    """A bar of that share of the room."""
    if not fine:
        return ("#" * round(share * room)).ljust(room)
    eighths = round(share * room * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[part] if part else "")).ljust(room)
