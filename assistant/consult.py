"""One consultation: the only impure loop between the engine, the worker and the disk. Every face drives this object.

consult = Consult(...)
while not isinstance(step := consult.step, End):
    match step:
        case Measure(): consult.measure(step, on_progress)
        case _: notes = consult.reply(reply)     # what a face got from the person
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge.load import KnowledgeBase
from knowledge.search import Index
from knowledge.understand import understand
from probes.client import Worker
from probes.errors import Unreadable
from probes.finding import Finding
from probes.registry import probes

from . import ending, say
from .engine.beliefs import Belief, beliefs
from .engine.choose import World, next_step, symptom_gain
from .engine.events import Answered, Closed, Declined, Event, Found, Provided, Said, Told, Withdrew
from .engine.evidence import weights
from .engine.reply import Choice, Reply, choices
from .engine.session import Session
from .engine.steps import COMPLAINT, FILES, TARGET, Ask, Diagnosis, End, Measure, Request, Step
from .store import SessionFile
from .words import Block

if TYPE_CHECKING:
    from probes.artifacts import Progress

OPENERS = 4
"""Symptoms offered under the first question."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell the person about their reply: what was understood, why a question is asked, what failed."""

    text: str
    error: bool = False


class Consult:
    """Holds the session, the worker and the session file; everything else is worked out by the engine.

    Raises nothing for what a person types or gives: problems come back as notes, or as findings.
    """

    def __init__(self, kb: KnowledgeBase, index: Index, worker: Worker, file: SessionFile | None = None) -> None:
        self.kb = kb
        self.index = index
        self.worker = worker
        self.file = file
        self.world = World(kb.entries, kb.symptoms, probes(), weights())
        self.session = Session()
        self.description: dict[str, Any] = {"artifacts": []}
        self._opened: tuple[tuple[str, ...], str | None] | None = None
        self._step: Step | None = None

    # what a face shows

    @property
    def step(self) -> Step:
        """What to show now."""
        if self._step is None:
            self._step = next_step(self.world, self.session, self.candidate)
        return self._step

    @property
    def beliefs(self) -> list[Belief]:
        """All diagnoses, best first."""
        return beliefs(self.world.entries, self.world.symptoms, self.session, self.world.weights)

    @property
    def candidate(self) -> str:
        """A file that looks like a target and has not been allowed to run; "" if there is none."""
        return next((a["path"] for a in self.description["artifacts"] if a["kind"] == "target"), "")

    def question(self, step: Step | None = None) -> str:
        """The words of a step: the one to show now, or another."""
        return say.question(self.kb, step or self.step)

    def choices(self) -> tuple[Choice, ...]:
        """The quick answers to the step."""
        return choices(self.step, self.kb.symptoms, self._openers())

    def why(self) -> str:
        """Why the step is taken."""
        return say.why(self.kb, self.step, self.beliefs)

    def conclusion(self, full: bool = False) -> list[Block]:
        """The verdict and the three lists."""
        return ending.conclusion(self.kb, self.session, self.beliefs, self.world.probes, full)

    def diagnosis(self, belief: Belief) -> list[Block]:
        """A diagnosis with evidence and fixes."""
        return say.diagnosis(self.kb, self.session, belief, self.beliefs)

    # what a face sends back

    def reply(self, reply: Reply) -> list[Note]:
        """Take in what the person sent; the step after it is in `step`."""
        if reply.command:
            return self._command(reply.command)
        if reply.path:
            return self.provide([reply.path])
        if reply.text:
            return self.tell(reply.text)
        return self._answer(reply.answer)

    def tell(self, text: str) -> list[Note]:
        """Free text: what was understood comes back as a note."""
        asked = self.step.id if isinstance(self.step, Ask) and self.step.id != COMPLAINT else None
        meant = understand(text, self.index, asked)
        if asked and not meant.symptoms and not meant.leanings:
            return [
                Note("I could not read an answer out of that. Type 1 for yes, 2 for no, 3 for not sure.", error=True)
            ]
        self._happened(Said(text, dict(meant.symptoms), dict(meant.leanings)))
        return [Note(say.understood(self.kb, meant.symptoms))]

    def withdraw(self, symptom: str) -> None:
        """Take back something that was understood."""
        self._happened(Withdrew(symptom))

    def provide(self, paths: Sequence[str], target: str | None = None) -> list[Note]:
        """Open files or folders beside those that are there; a note says what was found, or why not."""
        every = (*self.session.paths, *(str(Path(p).expanduser().absolute()) for p in paths))
        every = tuple(dict.fromkeys(every))
        target = target or self.session.target
        try:
            description = self.worker.open(every, target)
        except Unreadable as error:
            self._reject(f"{error}")
            return [Note(str(error), error=True)]
        kinds = kinds_in(description, target)
        if not kinds:
            sentence = nothing_in(paths, description)
            self._reject(sentence)
            return [Note(sentence, error=True)]
        self.description, self._opened = description, (every, target)
        self._happened(Provided(every, target, tuple(sorted(kinds))))
        return [Note(found_line(description)), *(Note(w, error=True) for w in trouble(description))]

    def measure(self, step: Measure, on_progress: Progress | None = None) -> Finding:
        """Run the step's probe. A probe or worker that dies gives a finding that says so."""
        try:
            self._reopen()
            finding = self.worker.run(step.id, on_progress)
        except Unreadable as error:
            finding = Finding(step.id, f"could not be run: {error}", "could-not-check", needs=str(error))
        self._happened(Found(finding))
        return finding

    def every_probe(self) -> list[Measure]:
        """All probes that the files let run, whatever they are expected to tell: what `check` runs."""
        specs = (s for s in self.world.probes.values() if set(s.needs) & self.session.kinds)
        return [Measure(s) for s in specs if s.id not in self.session.findings]

    def report(self) -> list[Block]:
        """The whole result: verdict and lists, each diagnosis that was found, each finding with something to show."""
        blocks = self.conclusion(full=True)
        for belief in self.beliefs:
            if belief.status in ("confirmed", "suspected"):
                blocks += self.diagnosis(belief)
        for finding in say.telling(self.session.findings.values()):
            if finding.status == "done" or finding.verdicts or finding.measures:
                blocks += say.finding(self.kb, finding)
        return blocks

    def shown(self) -> None:
        """The diagnosis or the end in `step` has been shown: go on."""
        if isinstance(self.step, Diagnosis):
            self._happened(Told(self.step.id))
        elif isinstance(self.step, End) and not self.session.closed:
            self._happened(Closed())

    def resume(self, session: Session) -> list[Note]:
        """Go on with an earlier session; a note says so if its files cannot be opened any more."""
        self.session, self._step = session, None
        try:
            self._reopen()
        except Unreadable as error:
            return [Note(f"The files of this conversation cannot be opened: {error}", error=True)]
        return []

    # inside

    def _answer(self, answer: str) -> list[Note]:
        step = self.step
        number = int(answer) - 4 if answer.isdigit() else -1
        match step:
            case Ask(id=id) if id == COMPLAINT and 0 <= number < OPENERS:
                symptom = self._openers()[number]
                self._happened(Said(self.kb.symptoms[symptom].statement, {symptom: True}, {}))
            case Ask(id=id) if id in self.kb.symptoms and 0 <= number < len(self.kb.symptoms[id].answers):
                chosen = self.kb.symptoms[id].answers[number]
                self._happened(
                    Said(chosen.text, dict(chosen.means), {}), Answered(id, "yes" if chosen.means.get(id) else "no")
                )
            case Ask(id=id) if id != COMPLAINT and answer == "yes":
                self._happened(Answered(id, "yes"))
            case Ask(id=id) if id != COMPLAINT and answer == "no":
                self._happened(Answered(id, "no"))
            case Ask(id=id) if id != COMPLAINT and answer == "unsure":
                self._happened(Answered(id, "unsure"))
            case Request(id=id, candidate=candidate) if id == TARGET and answer == "yes":
                return self.provide([], candidate)
            case Request() if answer in ("no", "unsure"):
                self._happened(Declined(step.key))
            case Measure() if answer == "no":
                self._happened(Declined(step.key))
            case Measure():
                self.measure(step)
            case Diagnosis() | End():
                self.shown()
            case _:
                return [Note("That is no answer to this question.", error=True)]
        return []

    def _command(self, command: str) -> list[Note]:
        match command:
            case "back":
                return self._back()
            case "skip":
                if isinstance(self.step, Diagnosis | End):
                    self.shown()
                elif isinstance(self.step, Ask) and self.step.id == COMPLAINT:
                    self._happened(Said("", {}, {}))
                else:
                    self._happened(Declined(self.step.key))
            case "why":
                return [Note(self.why())]
            case "probe" if isinstance(self.step, Measure):
                self.measure(self.step)
            case "probe":
                return self._offer_files()
            case _:
                return []
        return []

    def _back(self) -> list[Note]:
        shorter = self.session.back()
        if shorter is self.session:
            return [Note("There is nothing to take back.")]
        self.session, self._step = shorter, None
        if self.file:
            self.file.undone(len(shorter.events))
        return [Note("Took back the last thing you told me.")]

    def _offer_files(self) -> list[Note]:
        if self.session.paths:
            return [Note("Everything that these files let me measure has been measured.")]
        self._step = Request(FILES)
        return []

    def _reject(self, sentence: str) -> None:
        self._step = replace(self.step, rejected=sentence) if isinstance(self.step, Request) else self._step

    def _happened(self, *events: Event) -> None:
        if self.file:
            self.file.append(events)
        self.session = self.session.add(*events)
        self._step = None

    def _reopen(self) -> None:
        wanted = (self.session.paths, self.session.target)
        if wanted[0] and self._opened != wanted:
            self.description = self.worker.open(*wanted)
            self._opened = wanted

    def _openers(self) -> tuple[str, ...]:
        ranked = {
            b.id: b.probability for b in beliefs(self.kb.entries, self.kb.symptoms, Session(), self.world.weights)
        }
        by_gain = sorted(self.kb.symptoms.values(), key=lambda s: -symptom_gain(self.world, s, ranked))
        return tuple(s.id for s in by_gain[:OPENERS])


def kinds_in(description: dict[str, Any], target: str | None) -> set[str]:
    """The kinds of artifacts that probes can be run on. Code counts only when it may be run."""
    kinds = {a["kind"] for a in description["artifacts"]} - {"unknown", "target"}
    return kinds | ({"target"} if target else set())


def found_line(description: dict[str, Any]) -> str:
    """What was found, in one sentence."""
    words = {
        "checkpoint": "checkpoint",
        "log": "log",
        "data": "data file",
        "script": "training script",
        "target": "target file",
    }
    counts = {k: sum(a["kind"] == k for a in description["artifacts"]) for k in words}
    parts = [f"{n} {words[k]}{'s' if n > 1 else ''}" for k, n in counts.items() if n]
    return "I found " + ", ".join(parts) + "."


def trouble(description: dict[str, Any]) -> list[str]:
    """Files that could not be read, a sentence each (the first five)."""
    bad = [a for a in description["artifacts"] if a["kind"] == "unknown" and a.get("warnings")]
    lines = [f"{a['path']}: {a['warnings'][0]}" for a in bad[:5]]
    return lines + ([f"{len(bad) - 5} more files were not understood."] if len(bad) > 5 else [])


def nothing_in(paths: Sequence[str], description: dict[str, Any]) -> str:
    """Why nothing can be measured on what was given, in one sentence."""
    if lines := trouble(description):
        return lines[0]
    named = ", ".join(paths) or "There"
    return f"{named}: no checkpoint and no training log in it; give a run folder, a checkpoint or a log."
