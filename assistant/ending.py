"""The end in words: the verdict in one line, what was found, what was ruled out, what was not checked and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from knowledge.load import KnowledgeBase
from probes.registry import ProbeSpec

from .engine.beliefs import OTHER, Belief, upstream
from .engine.fixes import facts, specific
from .engine.session import Session
from .say import follows, headline, name_of
from .visible import visible, visible_lines
from .words import Block, Text

ARTIFACT_WORDS = {
    "checkpoint": "a checkpoint",
    "log": "a metric log",
    "target": "leave to run your model code (--target FILE.py)",
    "data": "a data sample",
    "script": "the training script",
}

NO_SUCH = "nothing of the kind in these files"
MOST_REASONS = 5
"""Reasons why something was not checked that are written out in a conversation; beyond that they are grouped."""


def conclusion(
    kb: KnowledgeBase, session: Session, ranked: Sequence[Belief], probes: Mapping[str, ProbeSpec], full: bool
) -> list[Block]:
    """The end: the verdict in one line, then found, ruled out, not checked because. `full` gives every because."""
    found = [b for b in ranked if b.status in ("confirmed", "suspected")]
    out = [b for b in ranked if b.status == "ruled_out"]
    every = by_reason(unchecked(session, probes))
    missing = every if full or len(every) <= MOST_REASONS else grouped(session, probes)
    names = [", ".join(name_of(kb, b.id) for b in out)] if out else []
    return [
        Text(verdict_line(kb, session, ranked), "title"),
        *listed("Found", [found_line(kb, session, b, ranked) for b in found]),
        *listed("Ruled out, as far as these files show", [ruled_out_line(kb, b) for b in out] if full else names),
        *listed("Not checked, because" if missing is every else "Not checked", missing),
    ]


def listed(heading: str, items: Sequence[str]) -> list[Block]:
    """A heading and its items; an empty list says so."""
    return [Text(heading, "heading"), *(Text(i, "item", depth=1) for i in items or ["nothing"])]


def found_line(kb: KnowledgeBase, session: Session, belief: Belief, ranked: Sequence[Belief]) -> str:
    """One diagnosis that was found, with the first thing to change."""
    if first := upstream(kb.entries, ranked, belief.id):
        return f"{headline(kb, belief)}. {follows(kb, first)}"
    made = specific(kb.entries[belief.id], facts(session.findings.values(), belief.id))
    here = f" ({visible_lines(made[0].measured[0], 300).rstrip('.')})" if made and made[0].measured else ""
    return headline(kb, belief) + (f". First: {visible(made[0].title)}{here}" if made else "")


def ruled_out_line(kb: KnowledgeBase, belief: Belief) -> str:
    """One diagnosis that the files speak against, and why."""
    probe, verdict = next((p, v) for p, v in belief.verdicts if v.verdict == "ruled_out")
    return f"{name_of(kb, belief.id)}: {visible_lines(verdict.because, 400)} ({probe})"


def verdict_line(kb: KnowledgeBase, session: Session, ranked: Sequence[Belief]) -> str:
    """The one line that most people need."""
    confirmed = [name_of(kb, b.id) for b in ranked if b.status == "confirmed"]
    suspected = [name_of(kb, b.id) for b in ranked if b.status == "suspected"]
    if confirmed:
        return "Verdict: confirmed " + ", ".join(confirmed) + "."
    if suspected:
        return "Verdict: nothing confirmed; suspected " + ", ".join(suspected) + "."
    if any(f.status == "done" for f in session.findings.values()):
        return "Verdict: nothing wrong found in what these files show."
    if not any(session.said) and not session.answers:
        return "Verdict: nothing could be checked on these files."
    best = next((b for b in ranked if b.id != OTHER and b.reasons), None)
    if best and best.probability >= 0.2:
        return f"Verdict: nothing was measured; by what you told me, the likeliest cause is {name_of(kb, best.id)}."
    return "Verdict: nothing was measured, and what was said fits no cause well enough to name one."


def unchecked(session: Session, probes: Mapping[str, ProbeSpec]) -> list[tuple[str, str]]:
    """(probe, why) for each probe that did not run or could not tell."""
    made = []
    for id, spec in probes.items():
        found = session.findings.get(id)
        if found is None and f"probe:{id}" in session.declined:
            made.append((id, "you left it out"))
        elif found is None:
            made.append((id, f"it needs {needs_text(spec.needs)}"))
        elif found.status != "done":
            made.append(
                (id, visible_lines(f"{found.title}; it wants {found.needs}" if found.needs else found.title, 600))
            )
    return made


def by_reason(missing: Iterable[tuple[str, str]]) -> list[str]:
    """What was not checked, (probe, why) pairs, as one line a reason."""
    groups: dict[str, list[str]] = {}
    for id, why in missing:
        groups.setdefault(why, []).append(id)
    return [f"{', '.join(ids)}: {why}" for why, ids in groups.items()]


def grouped(session: Session, probes: Mapping[str, ProbeSpec]) -> list[str]:
    """What was not checked, in few lines: which probes would want the same thing; crashes with their reasons."""
    groups: dict[str, list[str]] = {}
    crashed = []
    for id, why in unchecked(session, probes):
        if id in session.findings and session.findings[id].status == "crashed":
            crashed.append(f"{id}: {why}")
        else:
            groups.setdefault(_lacking(session, id, probes[id]), []).append(id)
    return crashed + [
        f"{lacking}: {', '.join(ids)}" for lacking, ids in sorted(groups.items(), key=lambda g: g[0] == NO_SUCH)
    ]


def _lacking(session: Session, id: str, spec: ProbeSpec) -> str:
    """What stands between a probe and a result, in a few words."""
    found = session.findings.get(id)
    if found is None:
        return "left out by you" if f"probe:{id}" in session.declined else f"needs {needs_text(spec.needs)}"
    if not found.applies:
        return NO_SUCH
    for word, lacking in (
        ("target", ARTIFACT_WORDS["target"]),
        ("log", "more in the log"),
        ("checkpoint", "other files"),
    ):
        if word in found.needs:
            return f"needs {lacking}"
    return "could not tell"


def needs_text(needs: Iterable[str]) -> str:
    """What a probe needs, in words."""
    return " or ".join(ARTIFACT_WORDS.get(n, n) for n in needs)
