"""What a person sent back, and how a typed line is read in the light of the step it answers.

Numbers mean the same everywhere: 1 yes, 2 no, 3 not sure; other choices count from 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from knowledge.schema import Symptom

from .steps import COMPLAINT, FILES, Ask, Diagnosis, End, Measure, Request, Step

COMMANDS = ("back", "skip", "why", "probe", "quit", "help")


@dataclass(frozen=True, slots=True)
class Choice:
    """A numbered quick answer; `answer` is "yes", "no", "unsure", or the number as text."""

    number: int
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One of these is filled in; an empty reply means 'go on'."""

    answer: str = ""
    text: str = ""
    path: str = ""
    command: str = ""


YES_NO = (Choice(1, "yes", "yes"), Choice(2, "no", "no"), Choice(3, "not sure", "unsure"))

ANSWERS = {
    **dict.fromkeys(["1", "y", "yes", "yeah", "yep", "sure", "true", "correct", "ok"], "yes"),
    **dict.fromkeys(["2", "n", "no", "nope", "not really", "false"], "no"),
    **dict.fromkeys(["3", "not sure", "unsure", "don't know", "dont know", "idk", "maybe", "no idea", "?!"], "unsure"),
}
SHORT = {"b": "back", "s": "skip", "w": "why", "?": "why", "q": "quit", "exit": "quit", "p": "probe", "h": "help"}
SHORT |= {"why do you ask": "why", "why do you ask?": "why", "why?": "why", "undo": "back", "measure": "probe"}


def choices(step: Step, symptoms: dict[str, Symptom], openers: tuple[str, ...] = ()) -> tuple[Choice, ...]:
    """The quick answers to a step. `openers` are the symptoms offered under the first question."""
    match step:
        case Ask(id=id) if id == COMPLAINT:
            return tuple(Choice(i, symptoms[s].statement, str(i)) for i, s in enumerate(openers, 4))
        case Ask(id=id):
            extra = (Choice(i, a.text, str(i)) for i, a in enumerate(symptoms[id].answers, 4))
            return (*YES_NO, *extra)
        case Request(id=id) if id == FILES:
            return (Choice(2, "no, I have no files to show", "no"),)
        case Request():
            return (Choice(1, "yes, run it", "yes"), Choice(2, "no", "no"))
        case Measure():
            return (Choice(1, "yes, measure", "yes"), Choice(2, "no, leave it out", "no"))
        case Diagnosis() | End():
            return ()


def read(line: str, step: Step, offered: tuple[Choice, ...]) -> Reply:
    """A typed line as a reply to `step`.

    Paths are recognised where they exist; on a request for files everything that is not an answer or a command is one.
    """
    text = line.strip()
    low = text.lower().rstrip(".!")
    bare = low.removeprefix("/")
    command = SHORT.get(bare, bare)
    if command in COMMANDS and (low.startswith("/") or len(bare) > 1 or bare in SHORT) and not is_answer(low, offered):
        return Reply(command=command)
    if low in ANSWERS and is_answer(ANSWERS[low], offered):
        return Reply(answer=ANSWERS[low])
    if any(low == c.answer for c in offered):
        return Reply(answer=low)
    if path := as_path(text):
        return Reply(path=path)
    if isinstance(step, Request) and step.id == FILES and " " not in text and text:
        return Reply(path=unquoted(text))
    return Reply(text=text)


def is_answer(text: str, offered: tuple[Choice, ...]) -> bool:
    """Whether the text is the answer of a choice on offer."""
    return any(text == c.answer for c in offered)


def as_path(text: str) -> str:
    """The path that the text names, if something is there; else ""."""
    name = unquoted(text)
    if not name or "\n" in name or len(name) > 1000:
        return ""
    try:
        return name if Path(name).expanduser().exists() and (len(name) > 1 or name in "./~") else ""
    except (OSError, ValueError, RuntimeError):
        return ""


def unquoted(text: str) -> str:
    """Without the quotes and escapes that a shell or a drag from a file manager leaves."""
    name = text.strip().removeprefix("file://")
    if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1]
    return name.replace("\\ ", " ")
