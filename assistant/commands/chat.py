"""the conversation in plain text, or as JSON lines for other programs"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .common import consult, worker
from .converse import add as add_conversation

if TYPE_CHECKING:
    from ..consult import Consult, Note


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
    from ..store import SessionFile, find, new_name

    with worker(args) as process:
        file = SessionFile(new_name() if args.resume is None else resumed_name(args.resume))
        session = consult(args, process, file)
        notes = begin(session, args)
        for note in notes:
            print(f"Doctor: {note.text}")
        unfinished = find("") if args.resume is None and not notes and sys.stdin.isatty() else None
        if unfinished:
            print(f"Doctor: Unfinished: nn-doctor chat --resume {unfinished.name} goes on with it.")
        talk(session)
    return 0


def run_jsonl(args: argparse.Namespace) -> int:
    """The conversation for programs."""
    from ..faces.jsonl import serve
    from ..store import SessionFile, new_name

    with worker(args) as process:
        file = SessionFile(new_name() if args.resume is None else resumed_name(args.resume))
        session = consult(args, process, file)
        serve(session, begin(session, args))
    return 0


def resumed_name(name: str) -> str:
    """The full name of the session to resume. Raises Unreadable if there is no such one."""
    from probes.errors import Unreadable

    from ..store import find

    saved = find(name)
    if saved is None:
        raise Unreadable(
            "there is no such unfinished conversation", name or "--resume", "list them with nn-doctor sessions"
        )
    return saved.name


def begin(session: Consult, args: argparse.Namespace) -> list[Note]:
    """Replay what is resumed, then take in the complaint and the files of the command line.

    Raises Unreadable where nothing can be read of what was given: there is no point in starting.
    """
    from probes.errors import Unreadable

    from ..store import find

    notes: list[Note] = []
    if args.resume is not None and (saved := find(args.resume)):
        notes += session.resume(saved.session)
    if args.say:
        notes += session.tell(args.say)
    if args.paths or args.target:
        notes += session.provide(args.paths, args.target)
        if not session.session.paths:
            raise Unreadable(
                notes[-1].text, ", ".join(args.paths) or args.target, "give a run folder, a checkpoint or a log"
            )
    return notes
