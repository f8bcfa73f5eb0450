"""search the knowledge base"""

from __future__ import annotations

import argparse

from ..errors import Refused
from .common import add_kb, knowledge_base


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("query", nargs="+", metavar="QUERY", help="in your own words; an error message will do")
    parser.add_argument("-n", type=int, default=5, help="how many results (5)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    add_kb(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0: found, 1: nothing fits."""
    import json
    from dataclasses import asdict

    from knowledge.search import Index

    from ..visible import visible, visible_lines

    if not (query := " ".join(args.query).strip()):
        raise Refused("There is nothing to search for; say what goes wrong, or paste an error message.")
    hits = Index(knowledge_base(args)).search(query, n=max(1, args.n))
    if args.format == "json":
        print(json.dumps([asdict(h) for h in hits], ensure_ascii=True))
    elif not hits:
        print("I do not know: nothing in the knowledge base fits that.")
    for hit in hits if args.format == "text" else []:
        print(f"{visible(hit.title)}   nn-doctor explain {visible(hit.id)}\n    {visible_lines(hit.snippet, 300)}")
    return 0 if hits else 1
