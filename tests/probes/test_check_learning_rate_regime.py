"""Agreement of gradients: high where the rate is far too small, noise elsewhere, untold where it means nothing."""

import copy

import pytest
import torch
from trained import Trained, mlp

from probes.checks.learning_rate_regime import odds, run
from probes.finding import Finding


def probe(trained: Trained) -> Finding:
    return run(trained.artifacts, lambda fraction, text="": None)


def said(found: Finding) -> list[tuple[str, str]]:
    return [(v.diagnosis, v.verdict) for v in found.verdicts]


def adam(lr: float, **options: float):
    return lambda m: torch.optim.Adam(m.parameters(), lr=lr, **options)


def test_a_rate_far_too_small_makes_gradients_agree_and_is_confirmed_where_the_run_stands(train):
    torch.manual_seed(0)
    slow = train(mlp(), adam(1e-6), steps=300)
    assert said(probe(slow)) == [("learning-rate-too-low", "confirmed")]
    assert probe(slow).facts["lr"] == "1e-06"
    (slow.folder / "log.csv").unlink()
    assert said(probe(slow)) == [("learning-rate-too-low", "suspected")]


@pytest.mark.parametrize("lr", [1e-3, 1e-2])
def test_a_usual_rate_is_never_accused(train, lr):
    torch.manual_seed(0)
    assert said(probe(train(mlp(), adam(lr), steps=600))) in ([], [("learning-rate-too-low", "ruled_out")])


def test_the_first_steps_agree_in_every_run_and_are_not_judged(train):
    torch.manual_seed(0)
    assert "too few" in probe(train(mlp(), adam(1e-6), steps=60)).title


@pytest.mark.parametrize(
    "make",
    [adam(1e-6, weight_decay=0.1), lambda m: torch.optim.SGD(m.parameters(), lr=1e-6, momentum=0.9)],
    ids=["coupled decay", "SGD"],
)
def test_where_agreement_means_nothing_it_says_so(train, make):
    torch.manual_seed(0)
    assert probe(train(mlp(), make, steps=150)).status == "could-not-check"


def test_the_odds_grow_with_the_agreement():
    assert [odds(c) for c in (0.01, 0.05, 0.12, 0.2, 0.9, 3.0)] == [0.15, 0.27, 6.0, 21.0, 230.0, 230.0]


def test_gradients_at_another_beta_and_of_several_players_are_not_judged(train):
    torch.manual_seed(0)
    assert "beta1 is 0.5" in probe(train(mlp(), adam(1e-6, betas=(0.5, 0.999)), steps=200)).title
    trained = train(mlp(), adam(1e-6), steps=200)
    for path in trained.folder.glob("*.pt"):
        state = torch.load(path)
        torch.save({**state, "optimizer_d": copy.deepcopy(state["optimizer"])}, path)
    assert said(probe(trained)) == []
