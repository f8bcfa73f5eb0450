"""The conversation for other programs: one JSON step out, one JSON reply in, a line each."""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

from probes.finding import Finding

from ..consult import Consult, Note
from ..engine.reply import Reply
from ..engine.steps import End
from .json_report import step_json


def serve(consult: Consult, notes: list[Note], inp: TextIO = sys.stdin, out: TextIO = sys.stdout) -> None:
    """Until the end, `quit`, or no more input. A line that is no reply gets an error note and the same step."""
    finding: Finding | None = None
    while True:
        out.write(json.dumps(step_json(consult, notes, finding), ensure_ascii=True) + "\n")
        out.flush()
        if isinstance(consult.step, End):
            consult.shown()
            return
        line = inp.readline()
        if not line:
            return
        before = dict(consult.session.findings)
        try:
            reply = parse(line)
        except ValueError as error:
            notes, finding = [Note(str(error), error=True)], None
            continue
        if reply.command == "quit":
            return
        notes = consult.reply(reply)
        finding = next((f for id, f in consult.session.findings.items() if before.get(id) is not f), None)


def parse(line: str) -> Reply:
    """A reply object. Raises ValueError with one sentence for a person."""
    try:
        data: Any = json.loads(line)
    except ValueError:
        raise ValueError("That line is no JSON; send one object a line.") from None
    if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
        raise ValueError("A reply is an object of strings: answer, text, path or command.")
    known = {k: data.get(k, "") for k in ("answer", "text", "path", "command")}
    if unknown := sorted(set(data) - set(known)):
        raise ValueError(f"A reply has no field {unknown[0]!r}; it has answer, text, path or command.")
    return Reply(**known)
