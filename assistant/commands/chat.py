"""the conversation in plain text, or as JSON lines for other programs"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .common import consult, worker
from .opening import add as add_conversation
from .opening import begin, session_name

if TYPE_CHECKING:
    pass


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    add_conversation(parser)
    parser.add_argument("--jsonl", action="store_true", help="one JSON step out, one JSON reply in, per line")


def run(args: argparse.Namespace) -> int:
    """Talk until the end."""
    return run_jsonl(args) if args.jsonl else run_plain(args)


def run_plain(args: argparse.Namespace) -> int:
    """The plain conversation."""
    from ..faces.chat import talk
    from ..store import SessionFile, find

    with worker(args) as process:
        file = SessionFile(session_name(args))
        session = consult(args, process, file)
        notes = begin(session, args)
        for note in notes:
            print(f"Doctor: {note.text}")
        unfinished = find("") if args.resume is None and not notes and sys.stdin.isatty() else None
        if unfinished:
            print(f"Doctor: Unfinished: nn-doctor chat --resume {unfinished.name} goes on with it.")
        talk(session, alone=args.alone)
    return 0


def run_jsonl(args: argparse.Namespace) -> int:
    """The conversation for programs."""
    from ..faces.jsonl import serve
    from ..store import SessionFile

    with worker(args) as process:
        file = SessionFile(session_name(args))
        session = consult(args, process, file)
        serve(session, begin(session, args))
    return 0
