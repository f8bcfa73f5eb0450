"""Starting the screen in a test, and waiting for it."""

from __future__ import annotations

import argparse
from pathlib import Path

from textual.pilot import Pilot

from assistant.tui.app import DoctorApp


def app(*paths: Path, **options: str) -> DoctorApp:
    """The screen on these paths, as the command line would start it."""
    values = {"target": None, "python": None, "kb": [], "trust": False, "resume": None, "say": None, **options}
    made = DoctorApp(argparse.Namespace(paths=[str(p) for p in paths], **values))
    made.animation_level = "none"
    return made


async def settled(pilot: Pilot[None]) -> DoctorApp:
    """Wait until nothing is being measured or loaded."""
    doctor = pilot.app
    assert isinstance(doctor, DoctorApp)
    for _ in range(600):
        await pilot.pause(0.05)
        if doctor.consult is not None and not doctor.busy:
            await pilot.pause()
            return doctor
    raise AssertionError("it never settled")
