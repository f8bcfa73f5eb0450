"""Steps, findings and beliefs in words: the one place where sentences to the person are made.

Everything that comes from their files passes `visible`. How a finding and a fix are laid out follows one template:
what (with place and size), how sure, evidence, because; then what to do, the code, why it works, when not to, how to
check it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from knowledge.load import KnowledgeBase
from probes.finding import Finding, Measure, Verdict

from .engine.beliefs import OTHER, Belief, Reason, chance, upstream
from .engine.fixes import SpecificFix, facts, specific
from .engine.session import Session
from .engine.steps import COMPLAINT, TARGET, Ask, Diagnosis, End, Request, Step
from .engine.steps import Measure as MeasureStep
from .visible import figure, visible, visible_lines
from .words import Block, Figure, Text

STATUS_WORDS = {"confirmed": "confirmed", "suspected": "suspected", "ruled_out": "ruled out", "unknown": "open"}
VERDICT_WORDS = {
    "confirmed": "confirmed",
    "suspected": "suspected",
    "ruled_out": "ruled out",
    "inconclusive": "could not tell",
}


MOST_IN_SHORT = 3
MOST_MEASURES = 6
"""Measures of a finding that are written out; its table and the JSON have all."""

FOLDERS = re.compile(r"(?<!\S)(/|~/|\./)\S*/")
"""The folders before a file's name: a reader knows where the files are that were given."""


def name_of(kb: KnowledgeBase, id: str) -> str:
    """The title of a diagnosis."""
    if id == OTHER:
        return "something else, or nothing"
    return visible(kb.entries[id].title) if id in kb.entries else visible(id)


def percent(p: float) -> str:
    """A probability for a reader."""
    return "< 1 %" if p < 0.01 else f"{100 * p:.0f} %"


def question(kb: KnowledgeBase, step: Step) -> str:
    """What a step says to the person, in one or two sentences."""
    match step:
        case Ask(id=id) if id == COMPLAINT:
            return "What is going wrong with the training? Say it in your own words, or pick a number."
        case Ask(id=id):
            return visible(kb.symptoms[id].question)
        case Request(id=id, candidate=candidate, rejected=rejected) if id == TARGET:
            why = f"{rejected} " if rejected else ""
            return (
                f"{why}{visible(candidate)} builds the model and a batch. May I run it (a batch forward and backward, "
                "nothing is trained or written)? That measures units and gradients directly."
            )
        case Request(rejected=rejected):
            why = f"{rejected} " if rejected else ""
            return f"{why}Where is the run? Give the path of a run folder, a checkpoint or a log, and I measure on it."
        case MeasureStep(spec=spec):
            return f"Measuring: {visible(spec.title.partition(':')[0])}"
        case Diagnosis(belief=belief):
            return headline(kb, belief)
        case End():
            return "Nothing more can be learned from what is here."


def headline(kb: KnowledgeBase, belief: Belief) -> str:
    """One line: the diagnosis, its status and how it is known."""
    name = name_of(kb, belief.id)
    if belief.status == "confirmed":
        return f"{name}: confirmed, {belief.verdicts[0][1].kind}"
    if belief.status == "suspected":
        return f"{name}: suspected, not confirmed"
    return f"{name}: the likeliest cause by what you told me ({percent(belief.probability)}), not measured"


def finding_line(finding: Finding) -> str:
    """What a probe reported, in one line."""
    if finding.status != "done":
        return f"{finding.probe}: {visible(finding.title)}"
    spoken = [f"{v.diagnosis} {VERDICT_WORDS[v.verdict]}" for v in finding.verdicts if v.verdict != "inconclusive"]
    return f"{finding.probe}: {visible(finding.title)}" + (f" ({', '.join(spoken)})" if spoken else "")


def finding(kb: KnowledgeBase, found: Finding, figures: bool = True) -> list[Block]:
    """A finding in full: title, verdicts with their because, measures, tables and plots, what it would need."""
    blocks: list[Block] = [Text(f"{found.probe}: {visible(found.title)}", "heading")]
    blocks += [verdict_text(kb, v) for v in found.verdicts]
    blocks += [Text(measure_text(m), "item", depth=1) for m in found.measures[:MOST_MEASURES]]
    if len(found.measures) > MOST_MEASURES:
        blocks.append(Text(f"... and {len(found.measures) - MOST_MEASURES} more", "muted", depth=1))
    if found.needs:
        blocks.append(Text(visible_lines(found.needs), "muted", "would help"))
    if figures:
        blocks += [Figure(p) for p in found.plots]
        blocks += [Figure(t) for t in found.tables]
    return blocks


def briefly(kb: KnowledgeBase, found: Finding) -> list[Block]:
    """A finding as a conversation tells it: in full where it accuses, in one line where it does not.

    Tables with marked rows are shown in any case: that is what marks are for.
    """
    spoken = [v for v in found.verdicts if v.verdict in ("confirmed", "suspected")]
    marked = [Figure(t) for t in found.tables if any(t.mark(i) for i in range(len(t.rows)))]
    if not spoken:
        return [Text(finding_line(found), "muted" if found.status != "done" else "text"), *marked]
    told = [Text(measure_text(m), "item", depth=1) for m in found.measures[:MOST_IN_SHORT]]
    heading = Text(f"{found.probe}: {visible(found.title)}", "heading")
    return [heading, *(verdict_text(kb, v) for v in spoken), *told, *(Figure(p) for p in found.plots[:1]), *marked]


def verdict_text(kb: KnowledgeBase, verdict: Verdict) -> Text:
    """A verdict in one sentence."""
    how = f", {verdict.kind}" if verdict.verdict != "inconclusive" else ""
    label = f"{VERDICT_WORDS[verdict.verdict]}{how}"
    return Text(f"{name_of(kb, verdict.diagnosis)}: {visible_lines(verdict.because, 600)}", "text", label, 1)


def measure_text(measure: Measure) -> str:
    """A measure: name, value with unit, threshold, place."""
    against = f" (held against {visible(measure.threshold)})" if measure.threshold else ""
    where = f"   [{visible(FOLDERS.sub('', measure.where))}]" if measure.where else ""
    return f"{visible(measure.name)} = {figure(measure.value, measure.unit)}{against}{where}"


def diagnosis(kb: KnowledgeBase, session: Session, belief: Belief, ranked: Sequence[Belief]) -> list[Block]:
    """A diagnosis with its evidence and its fixes; in short if something else is confirmed and comes first."""
    entry = kb.entries[belief.id]
    blocks: list[Block] = [Text(headline(kb, belief), "title")]
    for probe, verdict in belief.verdicts[:3]:
        if verdict.verdict in ("confirmed", "suspected"):
            blocks.append(Text(f"{visible_lines(verdict.because, 600)} ({probe})", label="because", depth=1))
    if not belief.verdicts:
        blocks.append(Text(reasons_line(kb, belief), label="because", depth=1))
    if first := upstream(kb.entries, ranked, belief.id):
        blocks.append(Text(f"{follows(kb, first)}; mend that first.", depth=1))
    elif belief.status != "confirmed" and ranked[0].status == "confirmed":
        blocks.append(Text(f"Mend {name_of(kb, ranked[0].id)} first and look again.", depth=1))
    else:
        blocks.append(Text(visible_lines(entry.summary, 1000), "muted", "what it is", 1))
        blocks += fixes(specific(entry, facts(session.findings.values(), belief.id)))
        blocks += [
            Text(f"{name_of(kb, o.id)}: {visible_lines(o.difference, 600)}", "muted", "not to be confused with", 1)
            for o in (() if belief.status == "confirmed" else entry.look_alikes[:2])
        ]
    blocks.append(Text(f"nn-doctor explain {belief.id}", "muted", "more", 1))
    return blocks


def reasons_line(kb: KnowledgeBase, belief: Belief) -> str:
    """What moved a belief, in one line, strongest first."""
    strongest = sorted(belief.reasons, key=lambda r: -abs(r.nats))
    return "; ".join(reason_text(kb, r) for r in strongest[:4]) or "nothing yet: this is the base rate"


def reason_text(kb: KnowledgeBase, reason: Reason) -> str:
    """One reason, with how far it moved the odds."""
    odds = f"{'x' if reason.nats >= 0 else '÷'}{figure(2.718281828 ** abs(reason.nats))}"
    if reason.what == "probe" and reason.verdict:
        return f"{reason.id} says {VERDICT_WORDS[reason.verdict.verdict]} (odds {odds})"
    if reason.what == "words":
        return f"your words resemble it (odds {odds})"
    statement = visible(kb.symptoms[reason.id].statement)
    return f"{statement if reason.present else 'not so: ' + statement} (odds {odds})"


def fixes(made: Sequence[SpecificFix], full: int = 2) -> list[Block]:
    """Fixes in the order to try; the first ones in full, the others in a line each."""
    blocks: list[Block] = []
    for i, fix in enumerate(made):
        blocks.append(Text(f"{i + 1}. {visible(fix.title)}", "heading", depth=1))
        blocks += [Text(visible_lines(m, 400), label="here", depth=2) for m in fix.measured]
        if i >= full:
            continue
        blocks.append(Text(visible_lines(fix.how, 1200), depth=2))
        if fix.code:
            blocks.append(Text(visible_lines(fix.code.rstrip()), "code", depth=2))
        for label, text in (("why", fix.why), ("not if", fix.unless), ("check", fix.check)):
            if text:
                blocks.append(Text(visible_lines(text, 600), "muted", label, 2))
    return blocks


def fix_json(fix: SpecificFix) -> dict[str, str]:
    """A fix as scripts get it: the measured sentences lead in `how`, the code follows."""
    parts = [*fix.measured, fix.how, fix.code, f"Not if: {fix.unless}" if fix.unless else ""]
    parts.append(f"Check: {fix.check}" if fix.check else "")
    return {"title": fix.title, "why": fix.why, "how": "\n".join(p.strip() for p in parts if p.strip())}


def understood(kb: KnowledgeBase, symptoms: Mapping[str, bool]) -> str:
    """What was taken from free text, so that it can be taken back."""
    if not symptoms:
        return "I could not tie that to a symptom that I know; it still counts as words."
    said = [f"{visible(kb.symptoms[s].statement)}: {'yes' if present else 'no'}" for s, present in symptoms.items()]
    return "Understood: " + "; ".join(said) + "."


def why(kb: KnowledgeBase, step: Step, ranked: Sequence[Belief]) -> str:
    """'Why do you ask?', answered in consequences."""
    match step:
        case Ask(id=id) if id == COMPLAINT:
            return "Your words decide what I ask and measure first. Nothing leaves this machine."
        case Ask(id=id):
            return why_symptom(kb, id, ranked)
        case Request(id=id) if id == TARGET:
            return "With the model's code I see each unit on a real batch; files show what the optimizer kept."
        case Request():
            return "What is saved can settle it: optimizer state shows gradients and dead units, a log the curves."
        case MeasureStep(spec=spec):
            names = ", ".join(name_of(kb, d) for d in spec.speaks_to)
            return f"It can confirm or rule out: {names}."
        case Diagnosis() | End():
            return "It follows from the evidence above."


def why_symptom(kb: KnowledgeBase, id: str, ranked: Sequence[Belief]) -> str:
    """Which of the leading causes a yes would make likelier, and by how much."""
    symptom = kb.symptoms[id]
    open_ones = [b for b in ranked if b.status != "confirmed" and b.id in kb.entries][:6]
    by_chance = sorted(open_ones, key=lambda b: chance(kb.entries[b.id], symptom))
    text = visible(symptom.why)
    if len(by_chance) > 1:
        low, high = by_chance[0], by_chance[-1]
        ratio = chance(kb.entries[high.id], symptom) / chance(kb.entries[low.id], symptom)
        if ratio > 1.2:
            text += (
                f" A yes makes {name_of(kb, high.id)} {figure(ratio)} times likelier against {name_of(kb, low.id)}; "
                "a no turns that round."
            )
    return text


def telling(findings: Iterable[Finding]) -> list[Finding]:
    """Findings with the most telling first: by worst verdict, then those without any, then what was not checked."""
    order = ("confirmed", "suspected", "inconclusive", "ruled_out")

    def place(found: Finding) -> int:
        spoken = {v.verdict for v in found.verdicts}
        if found.status != "done" and not spoken:
            return 6 if found.applies else 7
        return next((i for i, level in enumerate(order) if level in spoken), 5)

    return sorted(findings, key=place)


def follows(kb: KnowledgeBase, first: Sequence[str]) -> str:
    """What a diagnosis may be the consequence of."""
    return f"It may follow from {' or '.join(name_of(kb, d) for d in first)}"
