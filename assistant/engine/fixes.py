"""An entry's fixes, made specific by what was measured."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from knowledge.schema import Entry
from probes.finding import Finding


@dataclass(frozen=True, slots=True)
class SpecificFix:
    """A fix, with the sentences about this run in `measured` (empty where nothing was measured)."""

    title: str
    why: str
    how: str
    code: str
    unless: str
    check: str
    measured: tuple[str, ...]


def specific(entry: Entry, facts: Mapping[str, str]) -> list[SpecificFix]:
    """The entry's fixes in its order, with every `measured` sentence whose facts are all known."""
    return [
        SpecificFix(f.title, f.why, f.how, f.code, f.unless, f.check, tuple(filled(f.measured, facts)))
        for f in entry.fixes
    ]


def filled(templates: Iterable[str], facts: Mapping[str, str]) -> list[str]:
    """The templates whose names are all among the facts, filled in."""
    return [t.format_map(facts) for t in templates if names(t) <= facts.keys()]


def names(template: str) -> set[str]:
    """The fact names that a template asks for."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def facts(findings: Iterable[Finding], diagnosis: str) -> dict[str, str]:
    """What was measured that concerns a diagnosis: facts of the findings that speak for it, the surest on top."""
    rank = {"confirmed": 1, "suspected": 0}
    known: dict[str, str] = {}
    speaking = [
        (rank[v.verdict], f) for f in findings for v in f.verdicts if v.diagnosis == diagnosis and v.verdict in rank
    ]
    for _, finding in sorted(speaking, key=lambda pair: pair[0]):
        known.update(finding.facts)
    return known
