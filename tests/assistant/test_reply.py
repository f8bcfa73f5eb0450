from __future__ import annotations

from pathlib import Path

import pytest
from small_world import spec

from assistant.engine.reply import YES_NO, Choice, Reply, read
from assistant.engine.steps import COMPLAINT, FILES, Ask, Measure, Request

QUESTION = Ask("stuck")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("1", Reply(answer="yes")),
        ("Yes.", Reply(answer="yes")),
        ("nope", Reply(answer="no")),
        ("3", Reply(answer="unsure")),
        ("don't know", Reply(answer="unsure")),
        ("4", Reply(answer="4")),
        ("why do you ask?", Reply(command="why")),
        ("/back", Reply(command="back")),
        ("s", Reply(command="skip")),
        ("it went up after epoch 3", Reply(text="it went up after epoch 3")),
    ],
)
def test_a_question_takes_numbers_words_commands_and_sentences(typed: str, meant: Reply) -> None:
    assert read(typed, QUESTION, (*YES_NO, Choice(4, "only at the start", "4"))) == meant


def test_yes_is_no_answer_to_what_is_going_wrong() -> None:
    assert read("yes", Ask(COMPLAINT), ()) == Reply(text="yes")


def test_a_path_is_seen_anywhere(tmp_path: Path) -> None:
    assert read(str(tmp_path), QUESTION, YES_NO) == Reply(path=str(tmp_path))
    assert read(f"'{tmp_path}'", QUESTION, YES_NO) == Reply(path=str(tmp_path))


def test_where_files_are_asked_for_a_word_is_a_path() -> None:
    assert read("runs/nowhere", Request(FILES), ()) == Reply(path="runs/nowhere")
    assert read("I lost them all", Request(FILES), ()) == Reply(text="I lost them all")


def test_an_empty_line_goes_on() -> None:
    assert read("  ", Measure(spec("p", (), ())), ()) == Reply()
