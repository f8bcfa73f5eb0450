"""Where a value lies on an axis."""

from __future__ import annotations


def share(value: float, low: float, high: float) -> float:
    """The place of a finite value between two finite ends, 0 to 1; 0.5 if the ends are one. Does not overflow."""
    size = max(abs(low), abs(high)) or 1.0
    width = high / size - low / size
    return min(1.0, max(0.0, (value / size - low / size) / width)) if width > 0 else 0.5
