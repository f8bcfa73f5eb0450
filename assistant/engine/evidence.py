"""The weights of evidence: `evidence.yaml` as data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from probes.finding import Judgement, Kind


@dataclass(frozen=True, slots=True)
class Expected:
    """What a probe says, before it is run: probabilities of speaking up with and without the fault."""

    detects: float
    false_alarm: float


@dataclass(frozen=True, slots=True)
class Weights:
    """See the comments in `evidence.yaml`."""

    nats: dict[str, dict[str, float]]
    expected_by_probe: dict[str, Expected]
    cost: dict[str, float]

    def of(self, verdict: Judgement, kind: Kind) -> float:
        """Log-odds in nats that a verdict of this kind adds; 0 for inconclusive."""
        return self.nats.get(verdict, {}).get(kind, 0.0)

    def expected(self, probe: str) -> Expected:
        """What the probe is expected to say."""
        return self.expected_by_probe.get(probe, self.expected_by_probe["default"])


@cache
def weights() -> Weights:
    """The weights that come with the program."""
    data = yaml.safe_load(Path(__file__).with_name("evidence.yaml").read_text(encoding="utf-8"))
    return Weights(data["nats"], {k: Expected(**v) for k, v in data["expected"].items()}, data["cost"])
