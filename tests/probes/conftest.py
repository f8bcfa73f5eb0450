"""One fixture for the tests that need a run which was really trained."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., object]:
    """train(model, make_optimizer, steps=, before_step=, data=) in this test's folder; see `trained.training`."""
    from trained import training

    return functools.partial(training, tmp_path)
