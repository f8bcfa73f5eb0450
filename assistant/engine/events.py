"""What can happen in a session. A session is the list of these; everything else is derived from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from probes.finding import Finding

Answered3 = Literal["yes", "no", "unsure"]


@dataclass(frozen=True, slots=True)
class Said:
    """The person wrote free text. What it means is worked out once, when it is said, and kept.

    `symptoms` maps symptom ids to yes (True) or no; `leanings` maps diagnosis ids to how strongly the words resemble
    the entry, in nats of log-likelihood.
    """

    text: str
    symptoms: dict[str, bool]
    leanings: dict[str, float]


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply to a question about a symptom."""

    symptom: str
    answer: Answered3


@dataclass(frozen=True, slots=True)
class Withdrew:
    """The person takes back something that was understood of them."""

    symptom: str


@dataclass(frozen=True, slots=True)
class Provided:
    """Files or folders to look at. `kinds` is what was found in them ("checkpoint", "log", "target" ...)."""

    paths: tuple[str, ...]
    target: str | None
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A probe reported."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Declined:
    """The person skips a step: a question, a request or a probe, by its id."""

    step: str


@dataclass(frozen=True, slots=True)
class Told:
    """A diagnosis was shown, so that it is not shown again before something changes."""

    diagnosis: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The summary was shown."""


Event = Said | Answered | Withdrew | Provided | Found | Declined | Told | Closed

_KINDS: dict[str, type[Event]] = {
    kind.__name__.lower(): kind for kind in (Said, Answered, Withdrew, Provided, Found, Declined, Told, Closed)
}


def to_json(event: Event) -> dict[str, Any]:
    """An event as plain JSON data, with its kind under "event"."""
    body = {"finding": event.finding.to_json()} if isinstance(event, Found) else asdict(event)
    return {"event": type(event).__name__.lower(), **body}


def from_json(data: dict[str, Any]) -> Event:
    """The inverse of `to_json`. Raises KeyError or TypeError on data that it did not make."""
    kind = _KINDS[data["event"]]
    if kind is Found:
        return Found(Finding.from_json(data["finding"]))
    values = {f.name: data[f.name] for f in fields(kind)}
    for name in ("paths", "kinds"):
        if name in values:
            values[name] = tuple(values[name])
    return kind(**values)
