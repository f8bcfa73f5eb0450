"""Words are compared by stem, in one spelling, with synonyms and phrases as one word; numbers keep their digits."""

import pytest

from knowledge.text import numbers, stem, tokens, words


@pytest.mark.parametrize(
    "same",
    [
        ("normalise", "normalize", "normalised", "normalising", "normalization"),
        ("class", "classes"),
        ("batch", "batches"),
        ("stop", "stopped", "stopping", "stops"),
        ("colour", "color", "colours"),
        ("frequency", "frequencies"),
    ],
)
def test_endings_and_spellings_do_not_matter(same: tuple[str, ...]) -> None:
    assert len({stem(word) for word in same}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("val acc", "validation accuracy"),
        ("lr", "learning rate"),
        ("bn", "batch normalisation"),
        ("OOM", "CUDA out of memory"),
        ("ckpt", "checkpoint"),
        ("gpu util", "GPU utilization"),
        ("clip_grad_norm_", "gradient clipping"),
        ("goes up", "increases"),
    ],
)
def test_abbreviations_and_phrases_become_one_word(one: str, other: str) -> None:
    assert words(one) == words(other)


def test_contractions_keep_their_negation() -> None:
    assert [t.word for t in tokens("doesn't learn")] == ["do", "not", "learn"] or [
        t.word for t in tokens("doesn't learn")
    ] == ["doe", "not", "learn"]
    assert "not" in [t.word for t in tokens("it cant train")]


def test_a_token_knows_where_it_stands() -> None:
    text = "the Validation set is odd"
    token = next(t for t in tokens(text) if t.word == "validation")
    assert text[token.start : token.end] == "Validation set"


def test_numbers_keep_decimals_and_percentages_are_shares() -> None:
    found = numbers("stuck at 2.303, lr=1e-5, 50 % of 128px and v1.2.3")
    assert [(n.value, n.digits, n.percent) for n in found] == [(2.303, 3, False), (1e-5, 0, False), (0.5, 2, True)]


@pytest.mark.parametrize("text", ["", "   ", "\x00\ud800", "é" * 50_000, "1" * 400 + "e999", "-" * 1000, "9e9999 %"])
def test_no_text_is_too_strange(text: str) -> None:
    assert isinstance(tokens(text), list)
    assert isinstance(numbers(text), list)
