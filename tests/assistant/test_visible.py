from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.visible import figure, visible, visible_lines


@given(st.text())
def test_nothing_unprintable_gets_through(text: str) -> None:
    assert visible(text).isprintable()
    assert all(line.isprintable() for line in visible_lines(text).split("\n"))
    assert len(visible(text)) <= 200


def test_escapes_are_spelled_out() -> None:
    assert visible("a\x1b[31mb\u202ec\n") == "a\\x1b[31mb\\u202ec\\x0a"


def test_long_names_keep_both_ends() -> None:
    assert visible("model." + "x" * 300 + ".weight", 20) == "model.xxxx…xx.weight"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.05, "0.05"),
        (1234567, "1,234,567"),
        (0.123456, "0.123"),
        (12.0, "12"),
        (1e-7, "1.00e-07"),
        (float("nan"), "NaN"),
        (None, "-"),
        (99.96, "100"),
        (1234.5, "1,234"),
    ],
)
def test_figures_have_three_digits(value: float | None, shown: str) -> None:
    assert figure(value) == shown
