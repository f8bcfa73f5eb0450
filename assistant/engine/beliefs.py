"""The posterior over diagnoses, each with the reasons that moved it.

One cause is taken to explain what is not explained yet: a softmax over the diagnoses that no probe has confirmed, and
`OTHER` ("something else, or nothing"). Evidence adds in nats of log-odds:
- an answer about a symptom: log P(answer | diagnosis) / P(answer | any troubled run), by the words in the entry;
- what the words of the person resemble (`Said.leanings`);
- a probe's verdict, by `evidence.yaml`. Verdicts from one source about one diagnosis are one witness: the strongest
  counts.
What a probe confirmed stands by itself, with a probability of its own; the symptoms that it explains then count for
nothing else, and 'nothing else is wrong' becomes the likelier rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from knowledge.likelihood import probability
from knowledge.schema import Entry, Symptom
from probes.finding import Finding, Verdict

from .evidence import Weights
from .session import Session

OTHER = "something-else"
OTHER_PRIOR = {"quiet": 0.5, "complaint": 0.1, "explained": 0.7}
"""Prior share of `OTHER`: nothing was said (it may be healthy), something is said to be wrong, or it is explained."""

MANY_CAUSES = 8
"""So many lead to underfitting and to collapsed output: those say how a run looks, not why."""

CAUSED = 1.0
"""Nats by which a consequence must be better supported than its cause to be named before it."""

STRENGTH = {"proved": 3, "measured": 2, "inferred": 1, "told": 0}

Status = Literal["confirmed", "suspected", "ruled_out", "unknown"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that moved a belief: `what` is "answer", "words" or "probe"; `id` the symptom, "" or the probe."""

    what: Literal["answer", "words", "probe"]
    id: str
    nats: float
    verdict: Verdict | None = None
    present: bool = True


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of one diagnosis."""

    id: str
    probability: float
    status: Status
    reasons: tuple[Reason, ...]

    @property
    def verdicts(self) -> tuple[tuple[str, Verdict], ...]:
        """(probe, verdict) of every probe that spoke to it, strongest first."""
        spoken = [(r.id, r.verdict) for r in self.reasons if r.verdict]
        return tuple(sorted(spoken, key=lambda pair: -STRENGTH[pair[1].kind]))


def verdicts_on(findings: Mapping[str, Finding], diagnosis: str) -> list[tuple[str, Verdict]]:
    """(probe, verdict) of all findings about the diagnosis, inconclusive ones left out."""
    return [
        (finding.probe, verdict)
        for finding in findings.values()
        for verdict in finding.verdicts
        if verdict.diagnosis == diagnosis and verdict.verdict != "inconclusive"
    ]


def status(spoken: list[tuple[str, Verdict]]) -> Status:
    """What several probes together say.

    A confirmation holds unless something of at least its own strength rules it out; then it is a suspicion.
    """

    def strongest(judgement: str) -> int:
        return max((STRENGTH[v.kind] for _, v in spoken if v.verdict == judgement), default=-1)

    for_it, against = strongest("confirmed"), strongest("ruled_out")
    if for_it >= 0:
        return "confirmed" if for_it > against or against < 0 else "suspected"
    if strongest("suspected") >= 0:
        return "suspected" if strongest("suspected") >= against else "ruled_out"
    return "ruled_out" if against >= 0 else "unknown"


def beliefs(
    entries: Mapping[str, Entry], symptoms: Mapping[str, Symptom], session: Session, by: Weights
) -> list[Belief]:
    """All diagnoses, best first: confirmed, then suspected, then the others, then those ruled out.

    The last element is always `OTHER` if it is not the best of the unconfirmed.
    """
    diagnoses = [e for e in entries.values() if e.kind == "diagnosis"]
    spoken = {e.id: verdicts_on(session.findings, e.id) for e in diagnoses}
    state = {e.id: status(spoken[e.id]) for e in diagnoses}
    confirmed = [e for e in diagnoses if state[e.id] == "confirmed"]
    causes = [e for e in confirmed if not describes(entries, e.id)]
    explained = explained_by(causes)
    made = {
        e.id: [
            *answer_reasons(e, symptoms, session, set() if e in confirmed else explained),
            *probe_reasons(spoken[e.id], by),
        ]
        for e in diagnoses
    }
    nats = {e.id: math.log(max(e.prior, 1e-6)) + sum(counted(made[e.id])) for e in diagnoses}
    rest = {d: nats[d] for d in nats if state[d] != "confirmed"}
    share = softmax({**rest, OTHER: other_nats(diagnoses, session, bool(causes))})
    share.update({e.id: sigmoid(sum(counted(made[e.id])) + math.log(max(e.prior, 1e-6))) for e in confirmed})
    found = [Belief(d, share[d], state[d], tuple(made[d])) for d in nats]
    found.append(Belief(OTHER, share[OTHER], "unknown", ()))
    order: dict[Status, int] = {"confirmed": 0, "suspected": 1, "unknown": 2, "ruled_out": 3}
    suspects = [e for e in diagnoses if state[e.id] == "suspected" and not describes(entries, e.id)]
    follow: dict[Status, set[str]] = {"confirmed": brought_about(confirmed)}
    follow["suspected"] = follow["confirmed"] | brought_about(suspects)

    def place(belief: Belief) -> tuple[int, bool, float, str]:
        caused = belief.id in follow.get(belief.status, set())
        only_describes = caused and describes(entries, belief.id)  # its cause says more, however sure it is
        return order[belief.status], only_describes, -weight(belief, caused), belief.id

    return sorted(found, key=place)


def brought_about(causes: Iterable[Entry]) -> set[str]:
    """What these diagnoses lead to."""
    return {d for entry in causes for d in entry.leads_to}


def weight(belief: Belief, caused: bool) -> float:
    """What orders beliefs of one status, in nats: what was measured for the confirmed, the probability for the others.

    A diagnosis that was found, and that another one of its kind brings about, stands behind it, unless it is clearly
    better supported.
    """
    nats = math.log(max(belief.probability, 1e-300))
    if belief.status == "confirmed":
        nats = sum(counted([r for r in belief.reasons if r.verdict]))
    return nats - (CAUSED if caused else 0.0)


def upstream(entries: Mapping[str, Entry], ranked: Sequence[Belief], id: str) -> list[str]:
    """What was confirmed, stands before this diagnosis, and leads to it: mend that first."""
    before = takewhile(lambda b: b.id != id, ranked)
    return [b.id for b in before if b.status == "confirmed" and id in entries[b.id].leads_to]


def describes(entries: Mapping[str, Entry], id: str) -> bool:
    """Whether a diagnosis says how a run looks rather than why: so many others bring it about (underfitting)."""
    return sum(id in entry.leads_to for entry in entries.values()) >= MANY_CAUSES


def explained_by(confirmed: list[Entry]) -> set[str]:
    """Symptoms that the confirmed diagnoses show often or always: they need no other cause."""
    return {s for entry in confirmed for s, word in entry.symptoms.items() if word in ("always", "often", "sometimes")}


def answer_reasons(
    entry: Entry, symptoms: Mapping[str, Symptom], session: Session, explained: set[str]
) -> list[Reason]:
    """Reasons from answers and words, for one diagnosis."""
    made = []
    for id, answer in session.answers.items():
        if answer == "unsure" or id not in symptoms or id not in entry.symptoms or id in explained:
            continue
        if nats := answer_nats(entry, symptoms[id], answer == "yes"):
            made.append(Reason("answer", id, nats, present=answer == "yes"))
    leaning = session.leanings.get(entry.id, 0.0)
    if leaning and not explained:
        made.append(Reason("words", "", leaning))
    return made


def probe_reasons(spoken: list[tuple[str, Verdict]], by: Weights) -> list[Reason]:
    """Reasons from probes, for one diagnosis. Of each source the strongest comes first; `counted` takes only that."""
    made = [Reason("probe", probe, by.of(v.verdict, v.kind), v) for probe, v in spoken]
    return sorted(made, key=lambda r: -abs(r.nats))


def counted(reasons: list[Reason] | tuple[Reason, ...]) -> list[float]:
    """The nats that count: every answer, and of each source of probe evidence the strongest piece."""
    by_source: dict[str, float] = {}
    for reason in reasons:
        if reason.verdict and abs(reason.nats) > abs(by_source.get(reason.verdict.source, 0.0)):
            by_source[reason.verdict.source] = reason.nats
    return [r.nats for r in reasons if not r.verdict] + list(by_source.values())


def answer_nats(entry: Entry, symptom: Symptom, present: bool) -> float:
    """log P(answer | diagnosis) / P(answer | any troubled run)."""
    given, base = chance(entry, symptom), symptom.base_rate
    return math.log(given / base) if present else math.log((1 - given) / (1 - base))


def chance(entry: Entry, symptom: Symptom) -> float:
    """P(symptom | diagnosis): by the entry's word, else the base rate."""
    word = entry.symptoms.get(symptom.id)
    return probability(word) if word else symptom.base_rate


def other_nats(diagnoses: list[Entry], session: Session, explained: bool) -> float:
    """The log weight of `OTHER`, relative to priors that sum to about one."""
    complains = any(session.said) or "yes" in session.answers.values()
    share = OTHER_PRIOR["explained" if explained else "complaint" if complains else "quiet"]
    total = sum(e.prior for e in diagnoses) or 1.0
    return math.log(total * share / (1 - share))


def softmax(nats: dict[str, float]) -> dict[str, float]:
    """Probabilities from log weights."""
    top = max(nats.values())
    parts = {k: math.exp(v - top) for k, v in nats.items()}
    total = sum(parts.values())
    return {k: v / total for k, v in parts.items()}


def sigmoid(nats: float) -> float:
    """A probability from log-odds, kept below one: nothing measured is certain."""
    return min(0.99, 1 / (1 + math.exp(-nats)))
