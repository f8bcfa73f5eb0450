"""How far long work is: silence at first, then percent, then the time that is left."""

import pytest

from assistant.progress import Bar, duration


def told(*reports: tuple[float, float], quiet: float = 2.0) -> list[str]:
    """What is shown for (seconds, fraction) reports."""
    shown: list[str] = []
    clock = iter([seconds for seconds, _ in reports])
    bar = Bar(shown.append, quiet, lambda: next(clock))
    for _, fraction in reports:
        bar(fraction, "reading")
    return shown


def test_short_work_says_nothing_but_that_it_ended():
    assert told((0, 0.1), (1, 0.8), (1.2, 1)) == [""]


def test_percent_comes_first_and_the_time_left_when_it_can_be_told():
    assert told((0, 0.0), (3, 0.1), (10, 0.25)) == [" 10 %  reading", " 25 %  reading, 30 s left"]


def test_work_that_starts_over_is_timed_anew():
    assert told((0, 0.5), (10, 0.9), (11, 0.0), (12, 0.5)) == [" 90 %  reading, 2 s left"]


def test_control_characters_of_a_file_name_do_not_reach_the_terminal():
    shown: list[str] = []
    bar = Bar(shown.append, 0)
    bar(0.5, "a\x1b[2Jb")
    assert "\x1b" not in shown[0]


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (150, "2 min"), (7200, "2 h")])
def test_a_duration_is_told_as_one_says_it(seconds, text):
    assert duration(seconds) == text
