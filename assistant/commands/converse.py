"""talk about a run: the screen on a terminal, plain text otherwise"""

from __future__ import annotations

import argparse
import os
import sys

from .common import add_files


def add(parser: argparse.ArgumentParser) -> None:
    """Options of `nn-doctor [PATH...]`."""
    add_files(parser, "*")
    parser.add_argument("--resume", nargs="?", const="", metavar="NAME", help="go on with an earlier conversation")
    parser.add_argument("--say", metavar="TEXT", help="begin with this complaint")


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
