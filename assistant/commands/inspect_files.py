"""show what was understood of files, before any diagnosis"""

from __future__ import annotations

import argparse

from .common import add_files, worker


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    add_files(parser, "+")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 2 if nothing could be read."""
    import json

    from ..faces.inspection import lines

    with worker(args) as process:
        description = process.open(tuple(args.paths), args.target)
    if args.format == "json":
        print(json.dumps(description, ensure_ascii=True))
    else:
        print("\n".join(lines(description)))
    return 0 if any(a["kind"] != "unknown" for a in description["artifacts"]) else 2
