"""Following a run while it is being written: what changed in the verdicts from one look to the next.

Every look reads the files anew, so that a log that was truncated, rotated or replaced is simply another log. A file
that is still being written may be unreadable for a moment: then the last verdicts stand.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Heard = Literal["confirmed", "suspected", "nothing"]
RANK: dict[Heard, int] = {"nothing": 0, "suspected": 1, "confirmed": 2}
MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Said:
    """One diagnosis at one look: confirmed or suspected, and why."""

    status: Heard
    because: str


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that is not what it was. `because` is empty where nothing speaks for it any more."""

    diagnosis: str
    was: Heard
    now: Heard
    because: str


@dataclass(slots=True)
class Watch:
    """What has been said so far.

    A verdict that gets worse is told at once; one that gets better only when two looks in a row agree, so that a value
    near a threshold does not make it come and go.
    """

    told: dict[str, Heard] = field(default_factory=dict)
    _better: dict[str, Heard] = field(default_factory=dict)

    def changes(self, seen: Mapping[str, Said]) -> list[Change]:
        """What is to be told after a look, the worst first; remembers it as told."""
        found = []
        for diagnosis in {*self.told, *seen}:
            was, said = self.told.get(diagnosis, "nothing"), seen.get(diagnosis, Said("nothing", ""))
            if RANK[said.status] < RANK[was] and self._better.get(diagnosis) != said.status:
                self._better[diagnosis] = said.status
                continue
            self._better.pop(diagnosis, None)
            if said.status != was:
                self.told[diagnosis] = said.status
                found.append(Change(diagnosis, was, said.status, said.because))
        return sorted(found, key=lambda c: (-RANK[c.now], c.diagnosis))

    @property
    def confirmed(self) -> list[str]:
        """Diagnoses that stand confirmed."""
        return sorted(d for d, status in self.told.items() if status == "confirmed")

    @property
    def undecided(self) -> bool:
        """Whether another look at the same files may still tell something: an improvement was seen once."""
        return bool(self._better)


State = dict[Path, tuple[int, int, int]]


def state(paths: Sequence[str]) -> State:
    """(size, time, file number) of every file there is now; what vanishes in between is left out."""
    found: State = {}
    for file in _files(paths):
        try:
            status = file.stat()
        except OSError:
            continue
        found[file] = (status.st_size, status.st_mtime_ns, status.st_ino)
        if len(found) >= MOST_FILES:
            break
    return found


def _files(paths: Sequence[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = [f for f in folders if not f.startswith(".")]
            yield from (Path(folder, name) for name in names)
