"""The plain conversation: linear text in, linear text out. For pipes, screen readers and terminals without a screen.

Nothing is redrawn. When the input ends, what needs no person still happens: the probes run, the result is printed.
"""

from __future__ import annotations

import sys
from typing import TextIO

from .. import say
from ..consult import Consult, Note
from ..engine.reply import Reply, read
from ..engine.steps import Ask, Diagnosis, End, Measure, Request
from ..visible import visible_lines
from ..words import Text
from .plain import render

HELP = (
    "Answer with a number or a word, or say it in your own words. A path shows me files. Commands: back, skip, why, "
    "probe (measure now), quit."
)


def talk(consult: Consult, inp: TextIO = sys.stdin, out: TextIO = sys.stdout, alone: bool = False) -> None:
    """The whole conversation, until its end, `quit`, or the end of the input. `alone`: nobody is there to answer."""
    chat = Chat(consult, inp, out, alone)
    while chat.turn():
        pass
    chat.close()


class Chat:
    """One conversation on two text streams."""

    def __init__(self, consult: Consult, inp: TextIO, out: TextIO, alone: bool) -> None:
        self.consult, self.inp, self.out, self.alone = consult, inp, out, alone
        self.interactive = inp.isatty()

    def turn(self) -> bool:
        """Show one step and take the reply; False when it is over."""
        step = self.consult.step
        match step:
            case Measure():
                self.doctor(self.consult.question())
                self.measure(step)
            case Diagnosis(belief=belief):
                self.print(render(self.consult.diagnosis(belief)))
                self.consult.shown()
            case End():
                return False
            case Ask() | Request():
                return self.ask()
        return True

    def ask(self) -> bool:
        """Put a question and take in the answer."""
        if self.alone:
            self.consult.reply(Reply(command="skip"))
            return True
        self.doctor(self.consult.question())
        offered = self.consult.choices()
        for choice in offered:
            self.print(f"  {choice.number} {visible_lines(choice.text)}")
        line = self.listen()
        if line is None:
            self.alone = True
            return True
        reply = read(line, self.consult.step, offered)
        if reply.command == "quit":
            return False
        if reply.command == "help":
            self.doctor(HELP)
        elif reply != Reply():
            self.notes(self.consult.reply(reply))
        return True

    def listen(self) -> str | None:
        """The next line; None at the end of the input. What comes through a pipe is echoed: the transcript reads."""
        self.out.write("You: ")
        self.out.flush()
        try:
            line = self.inp.readline()
        except KeyboardInterrupt:
            return "quit"
        if not line:
            self.print("(no more input)")
            return None
        if not self.interactive:
            self.print(visible_lines(line.rstrip("\n")))
        return line

    def measure(self, step: Measure) -> None:
        """Run a probe, telling how far it is every so often."""
        last = [-1.0]

        def progress(fraction: float, text: str = "") -> None:
            if fraction - last[0] >= 0.25 and 0 < fraction < 1:  # lines, for the transcript; a bar would vanish
                last[0] = fraction
                self.print(f"  {100 * fraction:.0f} % {visible_lines(text, 60)}".rstrip())

        found = self.consult.measure(step, progress)
        self.print(render(say.briefly(self.consult.kb, found)).lstrip("\n"))

    def close(self) -> None:
        """Print the conclusion, and how to go on."""
        ended = isinstance(self.consult.step, End)
        self.print(render(self.consult.conclusion()))
        if ended:
            self.consult.shown()
        elif self.consult.file:
            self.print(f"\nTo go on later: nn-doctor chat --resume {self.consult.file.name}")

    def notes(self, notes: list[Note]) -> None:
        """What came of the reply."""
        for note in notes:
            self.doctor(note.text)

    def doctor(self, text: str) -> None:
        """A line of ours."""
        self.print(render([Text(text, label="Doctor")]))

    def print(self, text: str) -> None:
        """One or more lines, at once."""
        self.out.write(text + "\n")
        self.out.flush()
