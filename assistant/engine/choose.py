"""The next step: the one with the most expected information for its cost.

The gain of a question is the mutual information between its answer and the cause, I = H(answer) - E[H(answer | cause)],
under the posterior over what is not confirmed yet. A probe is a question that a file answers. A request is worth what
the probes that it lets run are worth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from knowledge.schema import Entry, Symptom
from probes.registry import ProbeSpec

from .beliefs import Belief, beliefs, chance, describes, explained_by
from .events import Answered
from .evidence import Weights
from .session import Session
from .steps import COMPLAINT, FILES, TARGET, Ask, Diagnosis, End, Measure, Request, Step

UNSURE = 0.15
"""Share of answers that are 'not sure': they teach nothing."""
HAS_FILES, HAS_TARGET = 0.8, 0.5
"""How often a person who is asked has what is asked for."""
CONFIRMATION = 0.5
"""Nats that a confirmation is worth beyond its information: a likely cause is named only after it was measured."""
WORTH_ASKING = 0.03
"""Nats per unit of cost below which a question is not worth a person's time."""
MOST_QUESTIONS = 12
LIKELY = 0.35
"""An unconfirmed diagnosis is worth showing from this probability on."""


@dataclass(frozen=True, slots=True)
class World:
    """What the engine knows that is not the session: entries, symptoms, probes and weights."""

    entries: Mapping[str, Entry]
    symptoms: Mapping[str, Symptom]
    probes: Mapping[str, ProbeSpec]
    weights: Weights


def next_step(world: World, session: Session, candidate: str = "") -> Step:
    """The step worth most now. `candidate` is a file that looks like a target, "" if none was seen."""
    if not session.events:
        return Ask(COMPLAINT)
    ranked = beliefs(world.entries, world.symptoms, session, world.weights)
    posterior = rest(ranked)
    measures = sorted(measurable(world, session, posterior), key=lambda m: -m.gain / price(world, m))
    if measures:
        return measures[0]
    untold = [b for b in ranked if b.status == "confirmed" and b.id not in session.told]
    if untold:
        return Diagnosis(untold[0])
    if not satisfied(world, session, ranked):
        offers: list[Ask | Request] = [
            *questions(world, session, posterior),
            *requests(world, session, posterior, candidate),
        ]
        worth = [o for o in offers if o.gain / price(world, o) >= WORTH_ASKING]
        if worth:
            return max(worth, key=lambda o: o.gain / price(world, o))
    likely = next((b for b in ranked if tentative(b, session)), None)
    return Diagnosis(likely) if likely else End()


def tentative(belief: Belief, session: Session) -> bool:
    """Whether an unconfirmed diagnosis is worth showing, once: a suspicion, or what the answers point to."""
    if belief.id in session.told or not belief.reasons:
        return False
    return belief.status == "suspected" or (belief.status == "unknown" and belief.probability >= LIKELY)


def rest(ranked: Iterable[Belief]) -> dict[str, float]:
    """The posterior over what is not confirmed, by id; sums to one."""
    return {b.id: b.probability for b in ranked if b.status != "confirmed"}


def satisfied(world: World, session: Session, ranked: list[Belief]) -> bool:
    """Whether a cause was confirmed that accounts for every symptom that was complained of."""
    found = [b.id for b in ranked if b.status == "confirmed" and not describes(world.entries, b.id)]
    confirmed = [world.entries[id] for id in found]
    seen = {s for s, answer in session.answers.items() if answer == "yes"}
    return bool(confirmed) and seen <= explained_by(confirmed)


def price(world: World, step: Ask | Request | Measure) -> float:
    """What a step costs the person, in questions."""
    kind = {Ask: "ask", Request: "request", Measure: "file"}[type(step)]
    if isinstance(step, Measure):
        kind = step.spec.cost
    elif step.id == TARGET:
        kind = "target"
    return world.weights.cost[kind]


def measurable(world: World, session: Session, posterior: dict[str, float]) -> list[Measure]:
    """Probes that what is provided lets run, that have not run and were not skipped."""
    made = []
    for spec in world.probes.values():
        step = Measure(spec, probe_gain(world, spec, posterior))
        if set(spec.needs) & session.kinds and spec.id not in session.findings and step.key not in session.declined:
            made.append(step)
    return made


def questions(world: World, session: Session, posterior: dict[str, float]) -> list[Ask]:
    """Questions that have no answer yet, with their gain."""
    if sum(step.startswith("ask:") for step in session.declined) + asked(session) >= MOST_QUESTIONS:
        return []
    made = (
        Ask(s.id, (1 - UNSURE) * symptom_gain(world, s, posterior))
        for s in world.symptoms.values()
        if s.id not in session.answers
    )
    return [a for a in made if a.key not in session.declined]


def asked(session: Session) -> int:
    """How many questions were answered."""
    return sum(isinstance(e, Answered) for e in session.events)


def requests(world: World, session: Session, posterior: dict[str, float], candidate: str) -> list[Request]:
    """Artifacts worth asking for, with their gain: that of the probes that would become possible."""
    made = []
    if not session.paths:
        able = [s for s in world.probes.values() if {"checkpoint", "log"} & set(s.needs)]
        made.append(Request(FILES, HAS_FILES * measuring_gain(world, able, posterior)))
    elif candidate and not session.target:
        able = [s for s in world.probes.values() if "target" in s.needs]
        made.append(Request(TARGET, HAS_TARGET * measuring_gain(world, able, posterior), candidate))
    return [r for r in made if r.key not in session.declined]


def measuring_gain(world: World, able: list[ProbeSpec], posterior: dict[str, float]) -> float:
    """What these probes would tell, and what it is worth that a cause is measured rather than told."""
    within_reach = {d for spec in able for d in spec.speaks_to}
    proof = CONFIRMATION * sum(p for d, p in posterior.items() if d in within_reach)
    return proof + sum(probe_gain(world, spec, posterior) for spec in able)


def symptom_gain(world: World, symptom: Symptom, posterior: dict[str, float]) -> float:
    """Mutual information between a yes/no answer and the cause, in nats."""
    entries = world.entries
    given = {d: chance(entries[d], symptom) if d in entries else symptom.base_rate for d in posterior}
    return information(given, posterior)


def probe_gain(world: World, spec: ProbeSpec, posterior: dict[str, float]) -> float:
    """Mutual information between 'the probe speaks up for one of its diagnoses' and the cause, summed over them."""
    by = world.weights.expected(spec.id)
    total = 0.0
    for speaks_to in spec.speaks_to:
        given = {d: by.detects if d == speaks_to else by.false_alarm for d in posterior}
        total += information(given, posterior)
    return total


def information(given: dict[str, float], posterior: dict[str, float]) -> float:
    """I(answer; cause) for a binary answer: `given` is P(yes | cause), `posterior` is P(cause)."""
    marginal = sum(p * given[d] for d, p in posterior.items())
    return entropy(marginal) - sum(p * entropy(given[d]) for d, p in posterior.items())


def entropy(p: float) -> float:
    """Of a coin, in nats."""
    return 0.0 if p <= 0 or p >= 1 else -p * math.log(p) - (1 - p) * math.log(1 - p)
