"""Weights that decay has eaten, and weights that are as they should be."""

import pytest
import torch
from trained import Trained, mlp

from probes.checks.weight_decay import run
from probes.discover import discover


def said(trained: Trained) -> str:
    found = run(discover([trained.folder]), lambda fraction, text="": None)
    (verdict,) = found.verdicts
    return verdict.verdict


def sgd(decay: float):
    return lambda m: torch.optim.SGD(m.parameters(), lr=0.05, weight_decay=decay)


def test_a_decay_that_eats_the_weights_of_a_run_that_does_not_learn_is_confirmed(train):
    torch.manual_seed(0)
    assert said(train(mlp(depth=3), sgd(0.8), steps=400)) == "confirmed"


@pytest.mark.parametrize("decay", [0.0, 1e-4, 1e-2])
def test_usual_decays_are_not_accused(train, decay):
    torch.manual_seed(0)
    assert said(train(mlp(), sgd(decay), steps=400)) == "inconclusive"


def test_adamw_at_its_default_is_not_accused(train):
    torch.manual_seed(0)
    make = lambda m: torch.optim.AdamW(m.parameters(), lr=3e-3, weight_decay=0.1)  # noqa: E731
    assert said(train(mlp(), make, steps=400)) == "inconclusive"


def test_weights_that_are_gone_are_suspected_even_where_a_loss_of_pairs_has_fallen_to_nothing(train):
    torch.manual_seed(0)
    trained = train(mlp(), sgd(0.3), steps=400)
    lines = "".join(f"{i},{0.5**i}\n" for i in range(1, 11))
    (trained.folder / "log.csv").write_text("epoch,train_loss\n" + lines)
    assert said(trained) == "inconclusive"  # small, but not gone
    for path in trained.folder.glob("*.pt"):
        state = torch.load(path)
        state["model"] = {n: 1e-6 * t for n, t in state["model"].items()}
        torch.save(state, path)
    assert said(trained) == "suspected"


@pytest.mark.parametrize(("decay", "verdict"), [(10.0, "suspected"), (1.0, "inconclusive")])
def test_a_decay_that_lets_weights_forget_within_fifty_steps_is_suspected_even_in_a_run_that_learns(
    train, decay, verdict
):
    torch.manual_seed(0)
    trained = train(mlp(), lambda m: torch.optim.AdamW(m.parameters(), lr=3e-3, weight_decay=decay), steps=200)
    lines = "".join(f"{i},{0.8**i}\n" for i in range(1, 11))
    (trained.folder / "log.csv").write_text("epoch,train_loss\n" + lines)
    assert said(trained) == verdict
