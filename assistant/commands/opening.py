"""How a conversation begins: its options on the command line, and what they say, show or resume."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import Refused
from .common import add_files

if TYPE_CHECKING:
    from ..consult import Consult, Note


def add(parser: argparse.ArgumentParser) -> None:
    """PATH..., --resume, --say and the options of `common`."""
    add_files(parser, "*")
    parser.add_argument("--resume", nargs="?", const="", metavar="NAME", help="go on with an earlier conversation")
    parser.add_argument("--say", metavar="TEXT", help="begin with this complaint")
    parser.add_argument("--alone", action="store_true", help="ask nothing: measure, print the result, end")


def session_name(args: argparse.Namespace) -> str:
    """The name of the session to write: a new one, or the one that is resumed. Raises Refused."""
    from ..store import new_name

    return new_name() if args.resume is None else resumed_name(args.resume)


def resumed_name(name: str) -> str:
    """The full name of the session to resume. Raises Refused if there is no such one."""
    from ..store import find

    saved = find(name)
    if saved is None:
        raise Refused(f"There is no unfinished conversation {name or 'to resume'}; nn-doctor sessions lists them all.")
    return saved.name


def begin(session: Consult, args: argparse.Namespace) -> list[Note]:
    """Replay what is resumed, then take in the complaint and the files of the command line.

    Raises Refused where nothing can be read of what was given: there is no point in starting.
    """
    from ..store import find

    notes: list[Note] = []
    if args.resume is not None and (saved := find(args.resume)):
        notes += session.resume(saved.session)
    if args.say:
        notes += session.tell(args.say)
    if args.paths or args.target:
        notes += session.provide(args.paths, args.target)
        if not session.session.paths:
            raise Refused(notes[-1].text)
    return notes
