"""show one entry of the knowledge base"""

from __future__ import annotations

import argparse
import sys

from .common import add_kb, knowledge_base


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("id", metavar="ID", help="such as dead-relu; nn-doctor kb list names them all")
    add_kb(parser)


def run(args: argparse.Namespace) -> int:
    """Rendered on a terminal, Markdown source when piped."""
    from probes.errors import Unreadable

    from .. import entry_text
    from ..visible import visible_lines

    base = knowledge_base(args)
    entry = base.entries.get(args.id)
    if entry is None:
        raise Unreadable(
            "there is no entry of that id", args.id, f"did you mean {nearest(args.id, list(base.entries))}?"[:-1]
        )
    source = visible_lines(entry_text.entry_markdown(base, entry), 100_000)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(source, hyperlinks=False))
    else:
        print(source, end="")
    return 0


def nearest(word: str, ids: list[str]) -> str:
    """The id that looks most like what was typed."""
    from rapidfuzz import process

    return str(process.extractOne(word, ids)[0])
