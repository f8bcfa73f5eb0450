"""list the saved conversations"""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("-n", type=int, default=10, help="how many (10)")


def run(args: argparse.Namespace) -> int:
    """One line each, newest first."""
    from ..store import recent
    from ..visible import visible

    saved = recent(args.n)
    for one in saved:
        about = next((t for t in one.session.said if t), ", ".join(one.session.paths) or "nothing said yet")
        state = "unfinished" if one.unfinished else "finished"
        print(f"{one.name}  {one.when:%Y-%m-%d %H:%M}  {state:10}  {visible(about, 80)}")
    return 0 if saved else 1
