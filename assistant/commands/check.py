"""run every probe that applies; exit 1 if a fault is confirmed"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from .common import add_files, consult, worker, write

if TYPE_CHECKING:
    from ..consult import Consult


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    add_files(parser, "+")
    parser.add_argument("--format", choices=("text", "json", "markdown", "html"), default="text")
    parser.add_argument("-o", dest="out", metavar="FILE", help="write the report there")


def run(args: argparse.Namespace) -> int:
    """Exit code 0: nothing confirmed, 1: something confirmed, 2: cannot read."""
    from ..visible import visible_lines

    with worker(args) as process:
        session = consult(args, process)
        notes = session.provide(args.paths, args.target)
        if not session.session.paths:
            sys.stderr.write(f"nn-doctor: {visible_lines(notes[-1].text)}\n")
            if args.format == "json":
                write(report(session, "json"), args.out)
            return 2
        for step in session.every_probe():
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\x1b[K{session.question(step)}")
                sys.stderr.flush()
            session.measure(step)
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
        write(report(session, args.format), args.out)
        return int(any(b.status == "confirmed" for b in session.beliefs))


def report(session: Consult, form: str) -> str:
    """The report in the form asked for."""
    if form == "json":
        from ..faces.json_report import check_json

        return json.dumps(check_json(session), indent=1, ensure_ascii=True) + "\n"
    blocks = session.report()
    if form == "markdown":
        from ..faces.markdown import render as markdown

        return markdown(blocks)
    if form == "html":
        from ..faces.html import page

        return page(blocks)
    from ..faces.plain import render

    return render(blocks).lstrip("\n") + "\n"
