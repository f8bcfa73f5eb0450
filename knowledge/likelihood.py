"""The one table from a maintainer's word to a probability: how often a run with the fault shows the symptom."""

from __future__ import annotations

from typing import Final

LIKELIHOOD: Final[dict[str, float]] = {
    "always": 0.95,
    "often": 0.75,
    "sometimes": 0.40,
    "rarely": 0.10,
    "never": 0.02,
}


def probability(word: str) -> float:
    """The probability that a frequency word stands for. Raises KeyError on a word that is not in the table."""
    return LIKELIHOOD[word]
