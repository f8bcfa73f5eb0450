"""The types of the knowledge base: what an entry and a symptom hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Often = Literal["always", "often", "sometimes", "rarely", "never"]
EntryKind = Literal["diagnosis", "guide"]


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Another entry that looks the same from outside, and how to tell the two apart."""

    id: str
    difference: str


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to change.

    Args:
        title: imperative, short: "Lower the learning rate".
        why: why it works, one or two sentences.
        how: what to do, in words.
        code: current PyTorch that runs, or "" if there is nothing to write.
        unless: when not to do it, or "".
        check: what to look at afterwards, or "".
        measured: a sentence with {names} of a Finding's facts, shown when every one of them was measured:
            "{worst_layer}: {dead_share} of its units are dead; {optimizer} runs at lr {lr}".
    """

    title: str
    why: str
    how: str
    code: str = ""
    unless: str = ""
    check: str = ""
    measured: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QA:
    """A question as people ask it, and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from: a document (with heading), a paper, a manual."""

    title: str
    place: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One diagnosis or guide. Texts are Markdown in our own words.

    Args:
        symptoms: symptom id -> how often a run with this fault shows it. Unlinked symptoms occur at their base rate.
        leads_to: other diagnoses that a run with this fault comes to show: mended here, they go too.
        prior: share of troubled runs that have this fault as the main cause, before anything is known; guides have 0.
        path: the file that it came from.
    """

    id: str
    kind: EntryKind
    title: str
    summary: str
    aliases: tuple[str, ...] = ()
    prior: float = 0.0
    symptoms: dict[str, Often] = field(default_factory=dict)
    look_alikes: tuple[LookAlike, ...] = ()
    causes: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    qa: tuple[QA, ...] = ()
    caveats: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    body: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A quick answer beyond 1 yes, 2 no, 3 not sure; numbered from 4. `means` maps symptom ids to yes (True) or no."""

    text: str
    means: dict[str, bool]


@dataclass(frozen=True, slots=True)
class Symptom:
    """Something that a person can see.

    Args:
        statement: what it says of the run, as a clause: "the validation loss rises while the training loss falls".
        question: under 15 words, about things seen.
        why: what the answers would change, one sentence.
        phrasings: ways people say it; patterns of words, not whole sentences of a benchmark.
        denials: ways people say that it is not so: "training loss falls".
        base_rate: share of all troubled runs that show it.
    """

    id: str
    statement: str
    question: str
    why: str
    base_rate: float
    phrasings: tuple[str, ...] = ()
    denials: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
