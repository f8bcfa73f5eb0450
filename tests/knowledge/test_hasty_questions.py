"""Questions typed in haste: short, misspelled, or about an amount."""

from __future__ import annotations

from functools import cache

import pytest

from knowledge.load import load
from knowledge.search import Index


@cache
def index() -> Index:
    return Index(load())


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("how many images do I need", "insufficient-data"),
        ("how much data is needed for training", "insufficient-data"),
        ("teh modle dosnt lern", "training-loop-bug"),
        ("my netowrk is overfiting", "overfitting"),
    ],
)
def test_haste_is_forgiven(typed: str, wanted: str) -> None:
    assert wanted in [hit.id for hit in index().search(typed, n=3)]


@pytest.mark.parametrize("typed", ["how to cook rice", "my cat ate the lamb", "how many eggs do I need"])
def test_short_words_of_other_subjects_are_not_bent_into_ours(typed: str) -> None:
    assert index().search(typed) == []
