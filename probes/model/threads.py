"""How many threads a person's model is run on where it is run many times over."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .target import Target, forward

QUICK = 0.05
"""Seconds of a forward pass over one batch below which one thread is enough."""


@contextmanager
def no_more_than_help(target: Target, model: Any, inputs: Any) -> Iterator[None]:
    """One thread for a model that is quick with it, else as many as torch uses anyhow.

    Threads of a small model spend their time on waiting for each other, and beside a training that keeps all processors
    busy they wait for the system: passes of 20 ms on one thread were seen to take 10 s on two. The model stays as it
    is. Raises Unreadable if the person's code fails.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        tried = copy.deepcopy(model).eval()
        if min(_seconds(target, tried, inputs) for _ in range(2)) > QUICK:  # the first pass prepares much
            torch.set_num_threads(before)
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(target: Target, model: Any, inputs: Any) -> float:
    """Of this thread, so that what else the machine does counts little."""
    import torch

    began = time.thread_time()
    with torch.no_grad():
        forward(target, model, inputs)
    return time.thread_time() - began
