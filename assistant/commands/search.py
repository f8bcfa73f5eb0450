"""search the knowledge base"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import Refused
from .common import add_kb, knowledge_base

if TYPE_CHECKING:
    from knowledge.search import Hit


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

    if not (query := " ".join(args.query).strip()):
        raise Refused("There is nothing to search for; say what goes wrong, or paste an error message.")
    hits = Index(knowledge_base(args)).search(query, n=max(1, args.n))
    if args.format == "json":
        print(json.dumps([asdict(h) for h in hits], ensure_ascii=True))
    elif not hits:
        print("I do not know: nothing in the knowledge base fits that.")
    else:
        show(hits)
    return 0 if hits else 1


def show(hits: Sequence[Hit]) -> None:
    """Titles, how to read on, and the passage that matches: rendered on a terminal, plain when piped."""
    from ..visible import visible, visible_lines

    if not sys.stdout.isatty():
        for hit in hits:
            print(f"{visible(hit.title)}   nn-doctor explain {visible(hit.id)}\n    {visible_lines(hit.snippet, 300)}")
        return
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.padding import Padding
    from rich.text import Text

    console = Console()
    for hit in hits:
        console.print(Text.assemble((visible(hit.title), "bold"), ("   nn-doctor explain " + visible(hit.id), "dim")))
        console.print(Padding(Markdown(visible_lines(hit.snippet, 300), hyperlinks=False), (0, 0, 0, 4)))
