"""Whole screens at two sizes. After a wanted change: pytest tests/assistant/test_snapshots.py --snapshot-update"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_run
from screens import app, settled
from textual.pilot import Pilot
from textual.widgets import Input

import assistant.store

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["small", "wide"])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_DOCTOR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(assistant.store, "new_name", lambda: "a-session")


async def still(pilot: Pilot[None]) -> None:
    """Nothing running, no cursor blinking."""
    await settled(pilot)
    for line in pilot.app.screen.query(Input):
        line.cursor_blink = False
    await pilot.pause()


@SIZES
def test_the_first_question(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(app(), terminal_size=size, run_before=still)


@SIZES
def test_a_confirmed_diagnosis(snap_compare: Any, size: tuple[int, int], tmp_path: Path) -> None:
    run = tiny_run.overfitting(tmp_path / "run")
    assert snap_compare(app(run), terminal_size=size, run_before=still)


@SIZES
def test_the_evidence(snap_compare: Any, size: tuple[int, int], tmp_path: Path) -> None:
    async def evidence(pilot: Pilot[None]) -> None:
        await still(pilot)
        await pilot.press("f3")
        await pilot.pause()

    run = tiny_run.overfitting(tmp_path / "run")
    assert snap_compare(app(run), terminal_size=size, run_before=evidence)
