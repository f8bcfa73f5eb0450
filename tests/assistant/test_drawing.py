"""Plots in characters, Markdown, HTML and SVG: what is drawn is what was measured, and nothing leaves its place."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from assistant.faces import html, markdown
from assistant.faces.bars import bar_lines
from assistant.faces.curves import curve_lines
from assistant.faces.plain import render, table_lines
from assistant.faces.svg import svg
from assistant.words import Figure, Text
from probes.finding import Curve, Plot, Table

HOSTILE = "a\x1b[31m[/b]`|<script>alert(1)</script>"


def lines(*values: float) -> Plot:
    return Plot("loss", "lines", (Curve("train", tuple(map(float, range(len(values)))), values),), "epoch")


def test_a_falling_curve_begins_high_and_ends_low() -> None:
    drawn = [line for line in curve_lines(lines(*range(40, 0, -1)), 60) if "|" in line]
    assert drawn[0].index("o") < drawn[-1].index("o")


def test_a_spike_of_one_step_is_seen_among_thousands() -> None:
    values = [1.0] * 5000
    values[2500] = 100.0
    top = curve_lines(lines(*values), 60)[1]
    assert "o" in top
    assert "100" in top


def test_nan_is_marked_not_drawn() -> None:
    drawn = curve_lines(lines(1.0, 2.0, math.nan, 3.0), 60)
    assert any("!" in line for line in drawn)


@given(st.lists(st.floats(), min_size=1, max_size=50), st.booleans(), st.booleans())
def test_any_numbers_can_be_drawn(values: list[float], fine: bool, log: bool) -> None:
    curve = Curve("c", tuple(map(float, range(len(values)))), tuple(values))
    line = Plot("t", "lines", (curve,), log_y=log)
    bars = Plot("t", "bars", (curve,), log_y=log, names=tuple(f"n{i}" for i in range(len(values))))
    assert all(len(text) <= 70 for text in curve_lines(line, 70, fine=fine)[1:])
    assert bar_lines(bars, 70, fine)
    ElementTree.fromstring(svg(line))
    ElementTree.fromstring(svg(bars))


def test_bars_are_in_proportion() -> None:
    plot = Plot("dead", "bars", (Curve("share", (0.0, 1.0), (0.5, 1.0)),), names=("fc1", "fc2"))
    half, whole = bar_lines(plot, 60)[1:]
    assert abs(half.count("#") * 2 - whole.count("#")) <= 1


def test_a_wide_table_is_cut_not_wrapped() -> None:
    table = Table("t", ("layer", "value"), (("x" * 200, 0.5), ("fc2", 0.25)))
    assert all(len(line) <= 60 for line in table_lines(table, 60))


def test_nothing_hostile_survives_in_any_form() -> None:
    blocks = [Text(HOSTILE, "title"), Text(HOSTILE, "code"), Figure(Table(HOSTILE, (HOSTILE,), ((HOSTILE,),)))]
    for made in (render(blocks), markdown.render(blocks), html.page(blocks)):
        assert "\x1b" not in made
    assert "<script>" not in html.page(blocks)
    assert "\\<script\\>" in markdown.render(blocks[:1])


def marked_table() -> Table:
    rows = (("fc1", 0.001, 0.0), ("fc2", 0.1, 0.9))
    return Table("x-ray", ("layer", "gradient", "dead"), rows, (("", "!", ""), ("", "", "!!")), 1, "what marks mean")


def test_a_marked_row_is_seen_in_the_margin_and_its_cell_carries_the_mark() -> None:
    _, _, first, second, note = table_lines(marked_table(), 80)
    assert first.startswith("!  fc1")
    assert second.startswith("!! fc2")
    assert "0.001! " in first
    assert second.endswith("0.9!!")
    assert first.count("#") < second.count("#")
    assert "what marks mean" in note


def test_marks_are_colours_in_html_and_bold_in_markdown_and_bars_need_room() -> None:
    page = html.page([Figure(marked_table())])
    assert '<td class="far">0.9 !!</td>' in page
    assert page.count("<i style=") == 2
    assert "**0.9 \\!\\!**" in markdown.render([Figure(marked_table())])
    assert all("#" not in line for line in table_lines(marked_table(), 30))
