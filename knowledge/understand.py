"""Free text -> symptoms with yes or no, numbers with a meaning, and leanings towards diagnoses.

Leanings are what the words alone suggest, in nats, so that a complaint counts even where no symptom was recognised.
They leave out the symptoms, which are evidence of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .meanings import Meaning
from .mentions import Mention, answer
from .search import Index, Query

CAP = 3.0
_FULL = 8.0
_SHARPNESS = 2.0


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a text says.

    Args:
        symptoms: symptom id -> yes (True) or no.
        mentions: where the text says so.
        leanings: diagnosis id -> nats towards it, from 0 to `CAP`; absent means 0.
        numbers: numbers of the text that mean something, with what they mean.
    """

    symptoms: dict[str, bool]
    mentions: tuple[Mention, ...]
    leanings: dict[str, float]
    numbers: tuple[Meaning, ...]


def understand(text: str, index: Index, asked: str | None = None) -> Understanding:
    """Read a text. `asked` is the symptom that was asked about: a leading yes or no answers it."""
    query = index.read(text)
    mentions = query.mentions + tuple(
        Mention(m.symptom, m.present, m.span, 5.0)
        for m in query.meanings
        if m.symptom in index.kb.symptoms and all(m.symptom != other.symptom for other in query.mentions)
    )
    symptoms = {m.symptom: m.present for m in mentions}
    said = answer(text)
    if asked is not None and said is not None:
        symptoms[asked] = said
        mentions = (*(m for m in mentions if m.symptom != asked), Mention(asked, said, (0, len(text)), 10.0))
    return Understanding(symptoms, mentions, _leanings(query, index), query.meanings)


def _leanings(query: Query, index: Index) -> dict[str, float]:
    """Nats by diagnosis: full for the best fitting words, falling off quickly, small if even the best fits little."""
    faults = [e.id for e in index.kb.entries.values() if e.kind == "diagnosis"]
    affirmed = replace(query, words=query.affirmed)
    found = index.text_scores(affirmed)
    scores = {id_: found[id_] for id_ in faults if id_ in found}
    best = max(scores.values(), default=0.0)
    if best <= 0 or query.elsewhere > query.topics:
        return {}
    height = CAP * min(1.0, best / _FULL)
    nats = {id_: height * (score / best) ** _SHARPNESS for id_, score in scores.items()}
    return {id_: round(value, 3) for id_, value in nats.items() if value >= 0.1}
