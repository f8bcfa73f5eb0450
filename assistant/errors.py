"""An error that a person can mend: one whole sentence for them."""

from __future__ import annotations


class Refused(Exception):
    """What cannot be done, why, and what to do instead. `str` is the sentence."""
