"""Free text becomes symptoms with yes or no, numbers with a meaning, and leanings."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.load import load
from knowledge.search import Index
from knowledge.understand import CAP, understand

INDEX = Index(load())


def told(text: str, asked: str | None = None) -> dict[str, bool]:
    return understand(text, INDEX, asked).symptoms


@pytest.mark.parametrize(
    ("text", "symptom", "present"),
    [
        ("val loss goes up but train loss is fine", "val-loss-rises", True),
        ("val loss goes up but train loss is fine", "train-and-val-bad", False),
        ("no NaNs", "loss-is-nan", False),
        ("there are never any NaN values", "loss-is-nan", False),
        ("it is not overfitting", "train-good-val-bad", False),
        ("I am not sure why, the loss is nan", "loss-is-nan", True),
        ("the loss is high and doesn't decrease", "loss-not-decreasing", True),
        ("training loss falls nicely", "loss-not-decreasing", False),
        ("train loss goes down and val loss goes up", "val-loss-rises", True),
        ("train loss goes down and val loss goes up", "loss-not-decreasing", False),
        ("training loss decreasing validation loss increasing", "val-loss-rises", True),
        ("loss stuck at 2.303", "loss-at-chance", True),
        ("constant loss of 0.6931", "loss-at-chance", True),
        ("accuracy is stuck at 10%", "loss-at-chance", True),
        ("Adam with lr 0.5", "lr-above-common", True),
        ("lr=1e-8", "lr-below-common", True),
        ("batch size of 2", "small-batch", True),
        ("batch size of 64", "small-batch", False),
        ("gpu utilisation is at 12 %", "gpu-idle", True),
        ("gpu util 98%", "gpu-idle", False),
        ("we use amp", "mixed-precision-used", True),
        ("optimzer.step doesnt updat the weights", "weights-unchanged", True),
        ("the inputs are normalized", "inputs-not-scaled", False),
        ("training and validation loss diverge", "val-loss-rises", True),
        ("train acc 98%, val acc 70%", "train-good-val-bad", True),
        ("98 percent in training while validation accuracy is around 71", "train-good-val-bad", True),
        ("I use dropout 0.5 and weight decay 1e-4", "strong-regularization", False),
        ("weight decay of 0.5", "strong-regularization", True),
    ],
)
def test_a_clause_says_yes_or_no(text: str, symptom: str, present: bool) -> None:
    assert told(text).get(symptom) is present


@pytest.mark.parametrize(
    ("text", "symptom"),
    [
        ("val loss goes up", "loss-explodes"),
        ("train loss goes down and val loss goes up", "loss-explodes"),
        ("lr=0.001 with Adam", "lr-above-common"),
        ("the loss is 3.1 now", "loss-at-chance"),
        ("loss decreases slowly", "training-takes-too-long"),
        ("I set a random seed", "loss-at-chance"),
        ("the loss stays at 0.7", "loss-at-chance"),
        ("train acc 80%, val acc 79%", "train-good-val-bad"),
        ("learning rate 0.5 with SGD", "lr-above-common"),
    ],
)
def test_what_is_not_said_is_not_understood(text: str, symptom: str) -> None:
    assert told(text).get(symptom) is not True


def test_a_leading_yes_or_no_answers_the_question() -> None:
    assert told("yes", "deep-network") == {"deep-network": True}
    assert told("Nope, only three", "deep-network")["deep-network"] is False
    for doubt in ("maybe", "no idea", "not sure"):
        assert told(doubt, "deep-network") == {}


def test_more_than_the_answer_is_heard() -> None:
    heard = told("no, but the loss is nan", "deep-network")
    assert heard == {"deep-network": False, "loss-is-nan": True}


def test_a_mention_points_at_its_words() -> None:
    text = "Hi! My validation loss rises."
    (mention,) = understand(text, INDEX).mentions
    assert text[slice(*mention.span)] == "validation loss rises"


def test_a_number_says_what_it_means() -> None:
    (meaning,) = understand("loss stuck at 2.303", INDEX).numbers
    assert "ln 10" in meaning.says and meaning.value == 2.303


def test_leanings_favour_what_the_words_describe_and_are_bounded() -> None:
    leanings = understand("all my relus seem to be dying", INDEX).leanings
    assert max(leanings, key=lambda d: leanings[d]) == "dead-relu"
    assert all(0 < value <= CAP for value in leanings.values())


def test_what_is_denied_does_not_lean() -> None:
    assert "overfitting" not in understand("it is not overfitting", INDEX).leanings


def test_a_stray_word_of_another_subject_does_not_silence_the_rest() -> None:
    leanings = understand("is softmax before CrossEntropyLoss wrong in this json config?", INDEX).leanings
    assert max(leanings, key=lambda d: leanings[d]) == "loss-output-mismatch"


def test_small_talk_leans_nowhere() -> None:
    heard = understand("hello, can you help me please?", INDEX)
    assert heard.symptoms == {} and heard.leanings == {}


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_told(text: str) -> None:
    heard = understand(text, INDEX, "loss-is-nan")
    assert set(heard.symptoms) <= set(INDEX.kb.symptoms)
