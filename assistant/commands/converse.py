"""talk about a run: the screen on a terminal, plain text otherwise"""

from __future__ import annotations

import argparse
import os
import sys

from .opening import add as add


def run(args: argparse.Namespace) -> int:
    """The screen where there is one, else the plain conversation."""
    if has_screen():
        from ..tui.app import run_screen

        return run_screen(args)
    from .chat import run_plain

    return run_plain(args)


def has_screen() -> bool:
    """Whether a full-screen program can be used and is wanted. ACCESSIBLE=1 asks for plain text."""
    if os.environ.get("ACCESSIBLE") or os.environ.get("TERM", "") in ("", "dumb"):
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()
