"""Lines whose digits stand in the same places are read all at once, and say what Python reads in them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.readers.logs.large import aligned
from probes.readers.logs.large.aligned import Reading
from probes.readers.logs.large.line_templates import sort_lines
from probes.readers.logs.large.numerals import AHEAD, block_of

NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aligned, "FEWEST", 2)


def groups(lines: list[str]) -> dict[int, list[float]]:
    """The lines that were read, by their place, with their numbers."""

    def read(line: bytes) -> Reading[None]:
        spans = [match.span() for match in NUMBER.finditer(line)]
        return Reading(None, spans, spans)

    block = block_of("".join(line + "\n" for line in lines).encode())
    begins, stops = block.lines()
    found = {}
    for _, rows, columns in aligned.aligned(block, begins, stops, read):
        found |= {row: [float(c[i]) for c in columns] for i, row in enumerate(rows.tolist())}
    return found


FORMS = ["{:.6f}", "{:.3e}", "{:.16e}", "{:.19f}", "{:+.2f}", "{:08.3f}", "{:.0f}.", "{!r}"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=8, max_size=30), st.sampled_from(FORMS))
def test_every_number_is_what_python_reads(values: list[float], form: str) -> None:
    lines = [f"step {1000 + i}: loss {form.format(v)}, lr {1e-5 / (i + 1):.17e}" for i, v in enumerate(values)]
    for row, numbers in groups(lines).items():
        texts = NUMBER.findall(lines[row].encode())
        assert numbers == [float(text) for text in texts]
        assert np.signbit(numbers[1]) == np.signbit(float(texts[1]))


EXTREME = ["9007199254740993", "18446744073709551615", "0.00000000000000000017", "123456789012345678901234", "1e-320"]
EXTREME += ["1.7976931348623157e308", "9.999999999999999999e22", "4.35e250", "8.98846567431158e-251", "00012", "5."]


@pytest.mark.parametrize("text", EXTREME)
def test_numbers_that_are_hard_to_round(text: str) -> None:
    assert groups([f"loss {text}"] * 3) == {row: [float(text)] for row in range(3)}


def test_a_line_with_another_byte_is_not_read_with_the_rest() -> None:
    line = "Epoch 12 loss: 0.2500 acc: 71.5"
    for at in range(len(line)):
        for other in "x/:7 .-\x00\x7f\xff":
            changed = line[:at] + other + line[at + 1 :]
            found = groups([line, line, line, changed, line])
            alike = re.sub(r"\d", "9", changed) == re.sub(r"\d", "9", line)
            assert (3 in found) == alike, (changed, found)
            assert found[0] == found[4] == [12, 0.25, 71.5]


def test_digits_of_a_name_are_no_numbers() -> None:
    """Lines of another name have the same length and digits in the same places, and are other lines."""
    lines = [f"loss_{name}: {i / 10:.2f}\n" for i in range(10) for name in (1, 2)]
    given_shapes = {"shapes": [(["loss_1: ", "\n"], [], 1), (["loss_2: ", "\n"], [], 1)]}
    said, (_, others, *arrays) = sort_lines("".join(lines).encode(), given_shapes)
    assert said["found"] == [(0, 1, 1), (1, 1, 1)] and len(others) == 0
    assert arrays[0].tolist() == list(range(0, 20, 2)) and arrays[1].tolist() == [i / 10 for i in range(10)]


def test_lines_of_several_lengths_come_in_their_order() -> None:
    lines = [f"step {i} loss {1 / (i + 1):.4f}\n" for i in range(1200)]
    said, (stops, others, rows, steps, _) = sort_lines(
        "".join(lines).encode(), {"shapes": [(["step ", " loss ", "\n"], [], 1)]}
    )
    assert said["found"] == [(0, 2, 1)] and len(others) == 0
    assert rows.tolist() == steps.tolist() == list(range(1200)) and stops[-1] == sum(map(len, lines))


def test_a_line_that_nothing_is_known_of_holds_nobody_up() -> None:
    lines = ["nothing here\n"] * 50 + [f"loss {i:07.1f}\n" for i in range(50)]
    _, (_, others, rows, values) = sort_lines("".join(lines).encode(), {"shapes": [(["loss ", "\n"], [], 1)]})
    assert others.tolist() == list(range(50)) and rows.tolist() == list(range(50, 100))
    assert values.tolist() == list(range(50))


def test_places_count_from_the_block() -> None:
    begins, stops = block_of(b"a\n\nbc\n").lines()
    assert (begins - AHEAD).tolist() == [0, 2, 3] and (stops - AHEAD).tolist() == [2, 3, 6]
