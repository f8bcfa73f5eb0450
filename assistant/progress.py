"""How far long work is, in words: percent and, after some seconds, the time that is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from .visible import visible

QUIET = 2.0
"""Seconds in which nothing is said: most work is done by then."""
SURE = 4.0
"""Seconds after which what passed tells what is left."""


class Bar:
    """Called with fractions as they come; shows a line, and "" when the work has ended.

    Args:
        show: takes the line.
        quiet: seconds before the first line.
    """

    def __init__(
        self, show: Callable[[str], None], quiet: float = QUIET, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._show, self._quiet, self._clock = show, quiet, clock
        self._start, self._first, self._last = 0.0, 0.0, 2.0

    def __call__(self, fraction: float, text: str = "") -> None:
        now = self._clock()
        if fraction < self._last:  # other work has begun
            self._start, self._first = now, fraction
        self._last = fraction
        if fraction >= 1:
            self._last = 2.0
            self._show("")
        elif now - self._start >= self._quiet:
            self._show(f"{100 * fraction:3.0f} %  {visible(text, 60)}{self._left(fraction, now - self._start)}")

    def _left(self, fraction: float, passed: float) -> str:
        done = fraction - self._first
        if passed < SURE or done < 0.01:
            return ""
        return f", {duration(passed * (1 - fraction) / done)} left"


def duration(seconds: float) -> str:
    """A time as one says it: 40 s, 3 min, 2 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"


def on_terminal() -> Bar | None:
    """A bar that rewrites one line of standard error; None if that is no terminal."""
    if not sys.stderr.isatty():
        return None

    def show(text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    return Bar(show)
