"""The same net on one batch at several rates: what a trial says of the run's own."""

from pathlib import Path

import pytest
import torch
from torch import nn
from trained import Trained, mlp

from probes.checks.learning_rate_trial import run
from probes.discover import discover
from probes.finding import Finding

TARGET = """import torch
from torch import nn

def build_model():
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))

loss_fn = nn.CrossEntropyLoss()

def load_batch():
    return tuple(torch.load("sample.pt"))
"""


def probe(trained: Trained, text: str = TARGET) -> Finding:
    torch.save((trained.x[:64], trained.y[:64]), trained.folder / "sample.pt")
    target: Path = trained.folder / "model.py"
    target.write_text(text)
    return run(discover([trained.folder], target=target), lambda fraction, text="": None)


def said(finding: Finding) -> dict[str, str]:
    return {v.diagnosis: v.verdict for v in finding.verdicts}


def sgd(lr: float):
    return lambda m: torch.optim.SGD(m.parameters(), lr=lr, momentum=0.9)


def test_a_rate_at_which_the_batch_cannot_be_learned_but_lower_ones_can_is_too_high(train):
    torch.manual_seed(0)
    found = probe(train(mlp(), lambda m: torch.optim.Adam(m.parameters(), lr=10.0), steps=200))
    assert said(found)["learning-rate-too-high"] == "confirmed"
    assert float(found.facts["suggested_lr"]) <= 1.0


def test_a_rate_at_which_only_higher_ones_learn_the_batch_is_too_low(train):
    torch.manual_seed(0)
    found = probe(train(mlp(), lambda m: torch.optim.Adam(m.parameters(), lr=1e-6), steps=200))
    assert said(found)["learning-rate-too-low"] == "confirmed"
    assert float(found.facts["suggested_lr"]) > 1e-6


@pytest.mark.parametrize("make", [sgd(0.05), lambda m: torch.optim.Adam(m.parameters(), lr=2e-3)])
def test_a_rate_at_which_the_run_learned_is_left_alone(train, make):
    torch.manual_seed(0)
    assert said(probe(train(mlp(), make, steps=300))) == {}


def test_a_fault_that_no_rate_repairs_is_not_blamed_on_the_rate(train):
    torch.manual_seed(0)
    deaf = TARGET.replace("nn.CrossEntropyLoss()", "lambda outputs, targets: (outputs * 0).sum() + 1.4")
    assert said(probe(train(mlp(depth=8, act=nn.Sigmoid), sgd(0.05), steps=100), deaf)) == {}


def test_the_weights_of_the_person_are_not_touched_and_their_failure_is_one_sentence(train):
    torch.manual_seed(0)
    found = probe(train(mlp(), sgd(0.05), steps=100), TARGET.replace("nn.Linear(16, 32)", "nn.Linear(15, 32)"))
    assert found.status == "could-not-check"
    assert "forward pass failed" in found.needs
