"""Reading leaves off the search for cycles, and only while it lasts."""

import gc

import pytest

from probes.memory import uncollected


def test_the_search_for_cycles_goes_on_after_a_reading_even_one_that_failed():
    assert gc.isenabled()
    with pytest.raises(ValueError, match="broken"), uncollected():
        assert not gc.isenabled()
        raise ValueError("broken")
    assert gc.isenabled()


def test_what_was_off_stays_off():
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
