"""How memory is handed out and looked through, as far as a program in Python can say."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def settle() -> None:
    """Asks for much memory and gives it back: from then on the C library keeps freed blocks of a few MB at hand
    instead of returning each to the system, which costs more than what is computed on them."""
    np.empty(31 << 20, np.uint8)


@contextmanager
def uncollected() -> Iterator[None]:
    """Leaves off the search for cycles meanwhile: where many objects are made and stay, it goes over all of them again
    and again, which takes as long as making them."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
