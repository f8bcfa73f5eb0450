"""Plots in characters, Markdown, HTML and SVG: what is drawn is what was measured, and nothing leaves its place."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from assistant.faces import html, markdown
from assistant.faces.bars import bar_lines
from assistant.faces.curves import curve_lines
from assistant.faces.images import image_lines
from assistant.faces.plain import plot_lines, render, table_lines
from assistant.faces.svg import svg
from assistant.words import Figure, Text
from probes.finding import Curve, Finding, Image, Plot, Table

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


@given(st.lists(st.lists(st.lists(st.floats(), max_size=12), max_size=12), max_size=40), st.booleans())
def test_any_pictures_can_be_drawn(pictures: list[list[list[float]]], fine: bool) -> None:
    plot = Plot("t", "images", images=tuple(Image("i", tuple(map(tuple, rows))) for rows in pictures))
    drawn = plot_lines(plot, 70, fine)
    assert all(len(line) <= 70 for line in drawn)
    assert fine or all(line.isascii() for line in drawn)
    ElementTree.fromstring(svg(plot))


def test_a_picture_is_blank_at_its_lowest_and_full_at_its_highest() -> None:
    plot = Plot("filters", "images", images=(Image("#3", ((-1.0, 0.0), (1.0, math.nan))),))
    assert image_lines(plot, 60, fine=True)[2:] == ["  #3", "  |  ▒▒|", "  |██!!|"]
    assert image_lines(plot, 60)[3] == "  |  ++|"
    colours = [r.get("fill") for r in ElementTree.fromstring(svg(plot)).iter("{http://www.w3.org/2000/svg}rect")]
    assert colours[:3] == ["#000000", "#808080", "#ffffff"]
    assert not str(colours[3]).startswith("#ff")


def test_pictures_that_do_not_fit_are_counted() -> None:
    image = Image("#1", tuple(tuple(float(i * j) for i in range(9)) for j in range(9)))
    drawn = image_lines(Plot("filters", "images", images=(image,) * 30), 80)
    shown = sum(line.count("#1") for line in drawn)
    assert drawn[-1] == f"  ... and {30 - shown} more"
    assert len(drawn) <= 30


def test_pictures_survive_the_way_between_processes() -> None:
    plot = Plot("t", "images", images=(Image("#1", ((1.0, math.inf), (0.5, -1.0))),))
    data = json.loads(json.dumps(Finding("p", "t", plots=(plot,)).to_json()))
    assert Finding.from_json(data).plots == (plot,)
    del data["plots"][0]["images"]  # as an older version wrote it
    assert Finding.from_json(data).plots[0].images == ()
