"""Small runs that really train in seconds, broken on purpose (one is not): to try the program on, and to test it.

A demo is a folder with `model.py` (a target file), `train.py` (as a person would have written it) and
`complaint.txt` (what that person says). Standard library only; torch is needed by the script alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import Unreadable

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo: its name, what the person says, and where its files are."""

    name: str
    complaint: str
    folder: Path


def demos() -> dict[str, Demo]:
    """All demos by name, in alphabetical order."""
    found = {}
    for folder in sorted(p for p in HERE.iterdir() if (p / "complaint.txt").is_file()):
        complaint = " ".join((folder / "complaint.txt").read_text(encoding="utf-8").split())
        found[folder.name] = Demo(folder.name, complaint, folder)
    return found


def make(name: str, into: Path, python: str | None = None, on_line: Callable[[str], None] | None = None) -> Path:
    """Copy a demo into the folder `into` and train it there; returns that folder.

    `python` is the interpreter with torch (this one by default); `on_line` gets each line that the script prints.
    Raises Unreadable if there is no such demo, the folder is taken, or the training fails.
    """
    demo = demos().get(name)
    if demo is None:
        raise Unreadable("there is no demo of that name", name, f"choose one of {', '.join(demos())}")
    if into.exists() and any(into.iterdir()):
        raise Unreadable("this folder is not empty", str(into), "choose another folder with -o")
    try:
        shutil.copytree(
            demo.folder, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "complaint.txt")
        )
    except OSError as error:
        raise Unreadable(f"cannot write here ({error.strerror})", str(into), "choose another folder with -o") from error
    _train(into, python or sys.executable, on_line)
    return into


def _train(run: Path, python: str, on_line: Callable[[str], None] | None) -> None:
    """Run `train.py` in its folder. Raises Unreadable with the last line that it printed."""
    last: deque[str] = deque(maxlen=1)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        with subprocess.Popen(
            [python, "train.py"],
            cwd=run,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                last.append(line.rstrip())
                if on_line is not None:
                    on_line(line.rstrip())
    except OSError as error:
        raise Unreadable(f"cannot start this interpreter ({error.strerror})", python, "give another one") from error
    if process.returncode:
        why = last[0] if last else f"exit code {process.returncode}"
        raise Unreadable(f"the training script failed ({why})", str(run / "train.py"), "is torch installed for it?")
