"""What the engine wants next. A face shows a step and sends back a reply; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from probes.registry import ProbeSpec

from .beliefs import Belief

COMPLAINT = "complaint"
FILES = "files"
TARGET = "target"


@dataclass(frozen=True, slots=True)
class Ask:
    """A question about a symptom; `id` is the symptom's, or `COMPLAINT` for 'what is going wrong?'.

    `gain` is the expected information in nats.
    """

    id: str
    gain: float = 0.0

    @property
    def key(self) -> str:
        """How a skipped step is remembered."""
        return f"ask:{self.id}"


@dataclass(frozen=True, slots=True)
class Request:
    """Ask for artifacts: `FILES` (a run folder, checkpoint or log) or `TARGET` (leave to run the person's code).

    `candidate` is the file that looks like a target. `rejected` says why the last path that was given did not do.
    """

    id: str
    gain: float = 0.0
    candidate: str = ""
    rejected: str = ""

    @property
    def key(self) -> str:
        """How a skipped step is remembered."""
        return f"request:{self.id}"


@dataclass(frozen=True, slots=True)
class Measure:
    """Run a probe."""

    spec: ProbeSpec
    gain: float = 0.0

    @property
    def id(self) -> str:
        """The probe's id."""
        return self.spec.id

    @property
    def key(self) -> str:
        """How a skipped step is remembered."""
        return f"probe:{self.spec.id}"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Show a diagnosis: confirmed by a probe, or (if `belief.status` says otherwise) the likeliest so far."""

    belief: Belief

    @property
    def id(self) -> str:
        """The diagnosis' id."""
        return self.belief.id

    @property
    def key(self) -> str:
        """How a shown step is remembered."""
        return f"diagnosis:{self.belief.id}"


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more can be learned: found, ruled out, not checked because."""

    id: str = "end"

    @property
    def key(self) -> str:
        """How the step is remembered."""
        return "end"


Step = Ask | Request | Measure | Diagnosis | End
