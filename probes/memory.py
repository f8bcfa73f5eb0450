"""How the C library hands out memory, as far as a program in Python can say."""

from __future__ import annotations

import numpy as np


def settle() -> None:
    """Asks for much memory and gives it back: from then on the C library keeps freed blocks of a few MB at hand
    instead of returning each to the system, which costs more than what is computed on them."""
    np.empty(31 << 20, np.uint8)
