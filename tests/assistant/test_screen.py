"""The screen, driven by keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import tiny_run
from screens import app, settled
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static

from assistant.tui.app import DoctorApp
from assistant.tui.causes import Causes
from assistant.tui.evidence_screen import EvidenceScreen
from assistant.tui.help_screen import HelpScreen
from assistant.tui.paths import completed, matches
from assistant.tui.search_screen import SearchScreen


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_DOCTOR_HOME", str(tmp_path / "home"))


def shown(doctor: DoctorApp, where: str = "#talk Static") -> str:
    return "\n".join(
        str(w.visual) if not isinstance(w.content, Content) else w.content.plain
        for w in doctor.query(where).results(Static)
    )


async def type_line(pilot: Pilot[None], text: str) -> None:
    pilot.app.screen.query_one("#answer", Input).value = text
    await pilot.press("enter")


async def test_from_a_complaint_to_a_confirmed_diagnosis_by_keys(tmp_path: Path) -> None:
    doctor = app()
    async with doctor.run_test(size=(110, 34)) as pilot:
        await settled(pilot)
        await type_line(pilot, "the validation loss goes up while the training loss falls")
        await settled(pilot)
        assert "Understood" in shown(doctor)
        await type_line(pilot, str(tiny_run.overfitting(tmp_path / "run")))
        await settled(pilot)
        assert "Overfitting: confirmed" in shown(doctor)
        causes = doctor.query_one(Causes).query_one("#causes", OptionList)
        assert "Overfitting" in str(causes.get_option_at_index(0).prompt)
        await pilot.press("f3")
        assert isinstance(doctor.screen, EvidenceScreen)
        await pilot.press("escape")
        assert not isinstance(doctor.screen, EvidenceScreen)


async def test_a_digit_answers_at_once_and_back_takes_it_back() -> None:
    doctor = app()
    async with doctor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await type_line(pilot, "something is off")
        await settled(pilot)
        await pilot.press("2")  # no files
        await settled(pilot)
        assert doctor.consult is not None
        asked = doctor.consult.step.id
        await pilot.press("1")
        await settled(pilot)
        assert doctor.consult.session.answers[asked] == "yes"
        await pilot.press("f8")
        await settled(pilot)
        assert asked not in doctor.consult.session.answers
        assert doctor.consult.step.id == asked


async def test_what_was_understood_can_be_taken_back_with_enter() -> None:
    doctor = app()
    async with doctor.run_test(size=(110, 34)) as pilot:
        await settled(pilot)
        await type_line(pilot, "the loss is nan")
        await settled(pilot)
        assert doctor.consult is not None
        assert doctor.consult.session.answers["loss-is-nan"] == "yes"
        told = doctor.query_one("#told", OptionList)
        told.focus()
        told.highlighted = 0
        await pilot.press("enter")
        await settled(pilot)
        assert "loss-is-nan" not in doctor.consult.session.answers


async def test_search_is_live_and_help_does_what_it_lists() -> None:
    doctor = app()
    async with doctor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        assert isinstance(doctor.screen, HelpScreen)
        listed = doctor.screen.query_one("#help", OptionList)
        listed.highlighted = next(
            i for i in range(listed.option_count) if "search the FAQ" in str(listed.get_option_at_index(i).prompt)
        )
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(doctor.screen, SearchScreen)
        await pilot.press(*"dead relu")
        await pilot.pause()
        hits = doctor.screen.query_one("#hits", OptionList)
        assert hits.get_option_at_index(0).id == "dead-relu"
        await pilot.press("escape")
        assert not isinstance(doctor.screen, SearchScreen)


async def test_hostile_names_are_shown_not_obeyed(tmp_path: Path) -> None:
    folder = tiny_run.overfitting(tmp_path / "[red]run[@click=app.quit]x[nope")
    doctor = app(folder)
    async with doctor.run_test(size=(110, 34)) as pilot:
        await settled(pilot)
        assert "[red]run" in shown(doctor, "#top")
        await type_line(pilot, "\x1b[31m[/b] nothing works")
        await settled(pilot)
        assert "\x1b" not in shown(doctor)


async def test_the_table_of_a_finding_has_a_row_a_layer(tmp_path: Path) -> None:
    folder = tiny_run.healthy(tmp_path / "run")
    doctor = app(folder, target=str(folder / "model.py"))
    async with doctor.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("f3")
        findings = doctor.screen.query_one("#findings", OptionList)
        findings.highlighted = next(
            i for i in range(findings.option_count) if findings.get_option_at_index(i).id == "gradient-norms"
        )
        await pilot.pause()
        table = doctor.screen.query(DataTable).first(DataTable)
        assert {str(table.get_row_at(i)[0]) for i in range(table.row_count)} >= {"fc1", "head"}


async def test_a_folder_without_anything_gets_a_sentence_and_the_question_again(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    doctor = app()
    async with doctor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await type_line(pilot, "something is off")
        await settled(pilot)
        await type_line(pilot, str(tmp_path / "empty"))
        await settled(pilot)
        assert doctor.query(".error") or "empty" in shown(doctor)
        assert doctor.consult is not None
        assert doctor.consult.step.id == "files"


async def test_chrome_leaves_room_on_a_small_terminal() -> None:
    doctor = app()
    async with doctor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await type_line(pilot, "something is off")
        await settled(pilot)
        assert doctor.query_one("#talk").size.height >= 12
        footer = doctor.query_one("Footer")
        assert footer.region.bottom == 24
    await asyncio.sleep(0)


def test_paths_complete_as_far_as_they_are_certain(tmp_path: Path) -> None:
    for name in ("run1", "run2", "other"):
        (tmp_path / name).mkdir()
    assert completed(f"{tmp_path}/r") == f"{tmp_path}/run"
    assert completed(f"{tmp_path}/o") == f"{tmp_path}/other/"
    assert matches(f"{tmp_path}/zzz") == []
