"""A session: the append-only list of events, and what follows from it. Undo drops events; nothing else changes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from probes.finding import Finding

from .events import Answered, Answered3, Closed, Declined, Event, Found, Provided, Said, Told, Withdrew

PERSON = (Said, Answered, Withdrew, Provided, Declined)
"""Events that a person causes; `back` goes to before the last of them."""


@dataclass(frozen=True)
class Session:
    """What happened, in order. Everything below is derived from `events` and from nothing else."""

    events: tuple[Event, ...] = ()

    def add(self, *events: Event) -> Session:
        """The session with these events appended."""
        return Session(self.events + events)

    def back(self) -> Session:
        """The session as it was before the person's last event; the same session if there is none."""
        for i in reversed(range(len(self.events))):
            if isinstance(self.events[i], PERSON):
                return Session(self.events[:i])
        return self

    @cached_property
    def said(self) -> tuple[str, ...]:
        """Everything that was written in free text."""
        return tuple(e.text for e in self.events if isinstance(e, Said))

    @cached_property
    def answers(self) -> dict[str, Answered3]:
        """Symptom id -> the last that the person let us know about it, in whatever way."""
        known: dict[str, Answered3] = {}
        for event in self.events:
            match event:
                case Said(symptoms=symptoms):
                    known.update({s: "yes" if present else "no" for s, present in symptoms.items()})
                case Answered(symptom=symptom, answer=answer):
                    known[symptom] = answer
                case Withdrew(symptom=symptom):
                    known.pop(symptom, None)
        return known

    @cached_property
    def leanings(self) -> dict[str, float]:
        """Diagnosis id -> nats from the resemblance of what was said; the strongest of several texts counts."""
        known: dict[str, float] = {}
        for event in self.events:
            if isinstance(event, Said):
                for diagnosis, nats in event.leanings.items():
                    known[diagnosis] = max(known.get(diagnosis, nats), nats)
        return known

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The files and folders that were given, each once, in order."""
        return tuple(dict.fromkeys(p for e in self.events if isinstance(e, Provided) for p in e.paths))

    @cached_property
    def target(self) -> str | None:
        """The target file that the person asked to be run."""
        return next((e.target for e in reversed(self.events) if isinstance(e, Provided) and e.target), None)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Kinds of artifacts that are there: "checkpoint", "log", "target", "data", "script"."""
        last = next((e for e in reversed(self.events) if isinstance(e, Provided)), None)
        return frozenset(last.kinds) if last else frozenset()

    @cached_property
    def findings(self) -> dict[str, Finding]:
        """Probe id -> its latest finding about what is provided now: new files make the old findings stale."""
        known: dict[str, Finding] = {}
        for event in self.events:
            if isinstance(event, Provided):
                known.clear()
            elif isinstance(event, Found):
                known[event.finding.probe] = event.finding
        return known

    @cached_property
    def declined(self) -> frozenset[str]:
        """Steps that the person skipped, by id. New files make probes and requests worth offering again."""
        known: set[str] = set()
        for event in self.events:
            if isinstance(event, Provided):
                known = {step for step in known if step.startswith("ask:")}
            elif isinstance(event, Declined):
                known.add(event.step)
        return frozenset(known)

    @cached_property
    def told(self) -> tuple[str, ...]:
        """Diagnoses that were shown since the last new evidence about files."""
        known: list[str] = []
        for event in self.events:
            if isinstance(event, Provided):
                known.clear()
            elif isinstance(event, Told):
                known.append(event.diagnosis)
        return tuple(known)

    @cached_property
    def closed(self) -> bool:
        """Whether the summary was shown and nothing happened since."""
        return bool(self.events) and isinstance(self.events[-1], Closed)
