"""follow a run while it trains; speak up only when a verdict changes"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from .common import add_files, knowledge_base, worker

if TYPE_CHECKING:
    from knowledge.load import KnowledgeBase

    from ..consult import Consult
    from ..watch import Change, Said, Watch

PATIENCE = 10
"""Between two looks passes at least so many times what a look takes: the run itself needs the processor."""


def add(parser: argparse.ArgumentParser) -> None:
    """Options."""
    add_files(parser, "+")
    parser.add_argument("--every", type=float, default=10.0, metavar="S", help="seconds between looks (default: 10)")
    parser.add_argument("--idle", type=float, metavar="S", help="end when nothing was written for so long")
    parser.add_argument("--until-confirmed", action="store_true", help="end at the first confirmed fault")
    parser.add_argument("--jsonl", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """Exit code at the end (Ctrl-C, --idle, --until-confirmed): 0: nothing confirmed, 1: something, 2: nothing read."""
    from knowledge.search import Index

    from ..consult import Consult
    from ..watch import Watch, state

    watch, before, last_change, readable = Watch(), None, time.monotonic(), False
    trouble, base = "", knowledge_base(args)
    if sys.stderr.isatty():
        sys.stderr.write(f"watching every {args.every:g} s; I speak when a verdict changes; Ctrl-C ends\n")
    index = Index(base)
    with worker(args) as process:
        try:
            while True:
                now, start = state(args.paths), time.monotonic()
                if now != before or watch.undecided:
                    last_change = start if now != before else last_change
                    before = now
                    seen, problem = look(Consult(base, index, process), args)
                    readable |= seen is not None
                    if problem != trouble:
                        trouble = problem
                        tell_problem(problem, args.jsonl)
                    for change in watch.changes(seen) if seen is not None else []:
                        tell(base, change, args.jsonl)
                if args.until_confirmed and watch.confirmed:
                    break
                if args.idle is not None and time.monotonic() - last_change > args.idle:
                    break
                time.sleep(max(args.every, PATIENCE * (time.monotonic() - start)))
        except KeyboardInterrupt:
            pass
    return finish(watch, readable, args.jsonl)


def look(session: Consult, args: argparse.Namespace) -> tuple[dict[str, Said] | None, str]:
    """(what stands confirmed or suspected, or None where nothing could be read; what went wrong, or "")."""
    from ..watch import Said

    notes = session.provide(args.paths, args.target)
    if not session.session.paths:
        return None, notes[-1].text
    for step in session.every_probe():
        session.measure(step)
    seen = {}
    for belief in session.beliefs:
        if belief.status in ("confirmed", "suspected"):
            reasons = [v.because for _, v in belief.verdicts if v.verdict == belief.status]
            seen[belief.id] = Said(belief.status, reasons[0] if reasons else "")
    return seen, ""


def tell(base: KnowledgeBase, change: Change, as_json: bool) -> None:
    """One line for one change; in a terminal with its bell where something is confirmed."""
    from ..say import name_of
    from ..visible import visible

    if as_json:
        _line({"event": "verdict", "diagnosis": change.diagnosis, "status": change.now, "was": change.was,
               "because": change.because})  # fmt: skip
        return
    now = {"confirmed": "confirmed", "suspected": "suspected", "nothing": "no longer " + change.was}[change.now]
    reason = f": {visible(change.because, 400)}" if change.because else ""
    bell = "\a" if change.now == "confirmed" and sys.stdout.isatty() else ""
    print(f"{_clock()}  {name_of(base, change.diagnosis)}: {now}{reason}{bell}", flush=True)


def tell_problem(problem: str, as_json: bool) -> None:
    """What cannot be read, said once; or that it can be read again."""
    from ..visible import visible

    text = problem or "the files can be read again"
    if as_json:
        _line({"event": "problem" if problem else "readable", "text": text})
    else:
        print(f"{_clock()}  {visible(text, 400)}", flush=True)


def finish(watch: Watch, readable: bool, as_json: bool) -> int:
    """The last line and the exit code."""
    confirmed = watch.confirmed
    if as_json:
        _line({"event": "end", "confirmed": confirmed, "read": readable})
    elif not readable:
        sys.stderr.write("nn-doctor: nothing could be read while watching\n")
    elif not confirmed:
        print(f"{_clock()}  watched to the end; nothing stands confirmed", flush=True)
    return 2 if not readable else int(bool(confirmed))


def _line(event: dict[str, object]) -> None:
    print(json.dumps({"time": round(time.time(), 3), **event}), flush=True)


def _clock() -> str:
    return time.strftime("%H:%M:%S")
