"""A small model is run on one thread, a large one on as many as there were."""

from pathlib import Path

import pytest
import torch
from torch import nn

from probes.errors import Unreadable
from probes.model import threads
from probes.model.target import Target


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def used(model: nn.Module, inputs: torch.Tensor) -> int:
    with threads.no_more_than_help(Target(Path("model.py"), {}), model, inputs):
        return torch.get_num_threads()


def test_a_quick_model_gets_one_thread_and_torch_keeps_its_own_afterwards():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    assert used(model, torch.randn(8, 4)) == 1
    assert torch.get_num_threads() == 2
    assert model.training and model[1].num_batches_tracked == 0


def test_a_slow_model_keeps_all_threads(monkeypatch):
    monkeypatch.setattr(threads, "QUICK", 0.0)
    assert used(nn.Linear(4, 4), torch.randn(8, 4)) == 2


def test_a_model_that_fails_says_so_and_leaves_the_threads_alone():
    with pytest.raises(Unreadable, match="forward pass failed"):
        used(nn.Linear(4, 4), torch.randn(8, 5))
    assert torch.get_num_threads() == 2
