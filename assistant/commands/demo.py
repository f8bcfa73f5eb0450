"""train a small run in seconds (broken or healthy) and open it"""

from __future__ import annotations

import argparse
import sys


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    from .common import add_worker

    parser.add_argument("name", nargs="?", default="dead-relu", metavar="NAME", help="which run (dead-relu)")
    parser.add_argument("--list", action="store_true", dest="list_demos", help="name the demo runs")
    parser.add_argument("-o", dest="out", metavar="DIR", help="keep the run folder there (default: a temporary folder)")
    add_worker(parser)


def run(args: argparse.Namespace) -> int:
    """Train, then talk about it: the person of the demo complains, the files are there, their code may be run."""
    import tempfile
    from pathlib import Path

    from probes.demos import demos, make
    from probes.errors import Unreadable

    from ..visible import visible
    from . import converse

    if args.list_demos:
        for name, demo in demos().items():
            print(f"{name:14} {demo.complaint}")
        return 0
    if args.name not in demos():
        raise Unreadable("there is no demo of that name", args.name, f"there are: {', '.join(demos())}")
    into = Path(args.out) if args.out else Path(tempfile.mkdtemp(prefix="nn-doctor-")) / args.name
    print(f"Training the demo run {args.name} in {into} ...", flush=True)
    folder = make(args.name, into, args.python, lambda line: print(f"  {visible(line.rstrip(), 100)}", flush=True))
    args.paths, args.target = [str(folder)], str(folder / "model.py")
    args.say, args.resume, args.alone = demos()[args.name].complaint, None, not sys.stdin.isatty()
    return converse.run(args)
