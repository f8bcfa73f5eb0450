"""Sessions on disk: one JSON line per event, flushed to the disk before anything else happens.

A session that was killed is whole up to its last event; a half-written last line is dropped. Undo is a line too
({"event": "undone", "keep": N}), so a file only ever grows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .engine.events import Closed, Event, from_json, to_json
from .engine.session import Session
from .places import data_folder


@dataclass(frozen=True, slots=True)
class Saved:
    """A session file and what is in it."""

    name: str
    session: Session
    when: datetime

    @property
    def unfinished(self) -> bool:
        """Whether it stopped before its summary."""
        return bool(self.session.events) and not any(isinstance(e, Closed) for e in self.session.events)


class SessionFile:
    """Appends events to one file. The file appears with the first event."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self.name = name
        self.path = (folder or sessions_folder()) / f"{name}.jsonl"

    def append(self, events: Iterable[Event]) -> None:
        """Write events and wait until they are on the disk. Raises OSError when the disk refuses."""
        self._write([to_json(e) for e in events])

    def undone(self, keep: int) -> None:
        """Write that only the first `keep` events hold."""
        self._write([{"event": "undone", "keep": keep}])

    def _write(self, records: list[dict[str, Any]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = not self.path.exists() or self.path.read_bytes().endswith(b"\n") or not self.path.stat().st_size
        with self.path.open("a", encoding="utf-8") as file:
            file.write("" if whole else "\n")
            file.writelines(json.dumps(r, ensure_ascii=True) + "\n" for r in records)
            file.flush()
            os.fsync(file.fileno())


def sessions_folder() -> Path:
    """The folder of the session files."""
    return data_folder() / "sessions"


def new_name(now: datetime | None = None) -> str:
    """A name that sorts by time and says when the session began."""
    return (now or datetime.now()).strftime("%Y%m%d-%H%M%S-%f")[:-3]


def load(path: Path) -> Session:
    """Replay a session file. Lines that are no events (cut off, damaged) are passed over. Raises OSError."""
    session = Session()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            if record["event"] == "undone":
                session = Session(session.events[: int(record["keep"])])
            else:
                session = session.add(from_json(record))
        except (ValueError, KeyError, TypeError):
            continue
    return session


def recent(n: int = 3, folder: Path | None = None) -> list[Saved]:
    """The latest sessions, newest first. Files that cannot be read are left out."""
    found: list[Saved] = []
    paths = sorted((folder or sessions_folder()).glob("*.jsonl"), key=lambda p: p.name, reverse=True)
    for path in paths:
        if len(found) == n:
            break
        try:
            found.append(Saved(path.stem, load(path), datetime.fromtimestamp(path.stat().st_mtime)))
        except OSError:
            continue
    return found


def find(name: str, folder: Path | None = None) -> Saved | None:
    """The session of that name (or the only one that begins so); the latest unfinished one for ""."""
    place = folder or sessions_folder()
    if not name:
        return next((s for s in recent(20, place) if s.unfinished), None)
    paths = [p for p in place.glob("*.jsonl") if p.stem == name] or [
        p for p in place.glob("*.jsonl") if p.stem.startswith(name)
    ]
    if len(paths) != 1:
        return None
    return Saved(paths[0].stem, load(paths[0]), datetime.fromtimestamp(paths[0].stat().st_mtime))
