"""the knowledge base: list its entries, check a directory of entries"""

from __future__ import annotations

import argparse

from .common import add_kb, knowledge_base


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    sub = parser.add_subparsers(metavar="list|validate", required=True, dest="what")
    listing = sub.add_parser("list", help="all entries, a line each")
    listing.set_defaults(do=run_list)
    add_kb(listing)
    validate = sub.add_parser("validate", help="check a directory of entries (default: the built-in ones)")
    validate.add_argument("folder", nargs="?", metavar="DIR")
    validate.set_defaults(do=run_validate)


def run(args: argparse.Namespace) -> int:
    """Exit code of the part."""
    return int(args.do(args))


def run_list(args: argparse.Namespace) -> int:
    """A line an entry."""
    from ..visible import visible

    for entry in knowledge_base(args).entries.values():
        print(f"{visible(entry.id):28} {entry.kind:10} {visible(entry.title)}")
    return 0


def run_validate(args: argparse.Namespace) -> int:
    """Exit code 0: fine; 2: problems, each with file, line and field."""
    from pathlib import Path

    from knowledge.load import load

    base = load([Path(args.folder)] if args.folder else [])
    print(f"fine: {len(base.entries)} entries and {len(base.symptoms)} symptoms, the built-in ones counted in")
    return 0
