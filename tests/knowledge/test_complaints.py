"""What people say, and which symptoms (with a minus: denied) are understood from it."""

import pytest

from knowledge.load import load
from knowledge.search import Index
from knowledge.understand import understand

INDEX = Index(load())


def said(text: str) -> set[str]:
    return {id_ if yes else f"-{id_}" for id_, yes in understand(text, INDEX).symptoms.items()}


@pytest.mark.parametrize(
    "text",
    [
        "I am not sure whether anything is wrong.",
        "Nothing seems wrong, just checking",
        "I don't know if something is wrong here, can you check?",
        "thanks a lot",
        "how do I choose a batch size?",
        "I have a ResNet trained on CIFAR-10 for 30 epochs with SGD",
    ],
)
def test_a_text_without_a_symptom_has_none(text: str) -> None:
    assert said(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "different results every run",
        "each time I train I get another accuracy",
        "every time I start training the result is different",
        "Running the same script twice gives different numbers",
        "my scores are never the same twice",
        "no two runs give the same score",
        "rerunning the notebook changes my F1 by 5 points",
        "results change from run to run even though I set the seed",
    ],
)
def test_runs_that_differ_are_understood(text: str) -> None:
    assert said(text) == {"results-differ-between-runs"}


@pytest.mark.parametrize(
    ("text", "symptoms"),
    [
        ("the same image gives a different prediction each time", "worse-in-eval-mode"),
        ("it nails the training set but is terrible on the held-out set", "train-good-val-bad"),
        ("my test loss is lower than my training loss", "val-better-than-train"),
        ("training is awfully slow on my laptop", "training-takes-too-long"),
        ("speed is fine", "-training-takes-too-long"),
        ("my loss is all over the place", "loss-oscillates"),
        ("it improved for ten epochs and then got stuck", "plateau-after-progress"),
        ("it spits out the same answer no matter what I feed it", "predictions-constant"),
        ("it can't even overfit a single batch", "one-batch-not-learned -train-good-val-bad"),
        (
            "99% of my samples are negative and the model always says negative",
            "classes-unequal predicts-majority-class",
        ),
        ("both training and validation accuracy are stuck at 55%", "train-and-val-bad"),
        ("I have no relu between my linear layers", "no-activations-between -uses-relu"),
        ("some images are in both train and validation", "same-samples-in-both"),
        ("How large should my network be?", ""),
    ],
)
def test_a_complaint_gives_its_symptoms(text: str, symptoms: str) -> None:
    assert said(text) == set(symptoms.split())


def test_a_loss_that_stays_higher_is_not_a_loss_that_stands_still() -> None:
    assert "loss-not-decreasing" not in said("with dropout the training loss stays higher")
    assert "loss-not-decreasing" in said("the training loss stays at 2.3")
