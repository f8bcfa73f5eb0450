"""Small logs on disk, as people write them, and a checkpoint whose head says how many classes there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from probes.artifacts import Artifacts, Progress
from probes.discover import discover
from probes.finding import Finding

Probe = Callable[[Artifacts, Progress], Finding]


def csv(folder: Path, name: str = "log.csv", **columns: Sequence[object]) -> Path:
    """A CSV log with these columns; cells as Python prints them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    (folder / name).write_text("\n".join([",".join(columns), *rows]) + "\n")
    return folder / name


def head(folder: Path, classes: int) -> None:
    """A checkpoint of a classifier."""
    torch.save(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, classes)).state_dict(), folder / "model.pt")


def look(run: Probe, *paths: Path) -> Finding:
    """What a probe finds in these files and folders."""
    return run(discover(list(paths)), lambda fraction, text="": None)


def said(found: Finding) -> list[tuple[str, str]]:
    """Its verdicts, without the reasons."""
    return [(v.diagnosis, v.verdict) for v in found.verdicts]
