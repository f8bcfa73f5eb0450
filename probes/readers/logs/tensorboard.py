"""TensorBoard's curves: the event files of one run, also where parts of it lie in folders named by their split."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ...artifacts import Log, Progress, Series
from ...errors import Unreadable
from ...names import SPLIT_WORDS, TELLING, canonical, split_of, words
from .event_records import Scalars, read_scalars


def is_events(head: bytes) -> bool:
    """Whether a file begins with an event file's version record."""
    return len(head) >= 12 and b"brain.Event:" in head[12:64]


def runs_of(folders: Iterable[Path]) -> dict[Path, list[Path]]:
    """The folders with event files by the folder of their run.

    Keras writes a run's splits to `train` and `validation`; `add_scalars` writes every curve to a folder of its own
    beside the run's event file.
    """
    known = set(folders)
    runs: dict[Path, list[Path]] = {}
    for folder in sorted(known):
        alone = all(word in SPLIT_WORDS for word in words(folder.name))
        run = folder.parent if _split(folder) and (alone or folder.parent in known) else folder
        runs.setdefault(run, []).append(folder)
    return runs


def _split(folder: Path) -> str | None:
    """The split of a folder that is named for one, as `validation` and `loss_train` are and `lr_test_3` is not."""
    rest = {word for word in words(folder.name) if word not in SPLIT_WORDS}
    return split_of(folder.name) if rest <= TELLING - {"lr", "rate"} else None


def read_tensorboard(paths: Sequence[Path], progress: Progress | None = None) -> Log:
    """All scalars of a run's event files, joined in time order. Raises Unreadable if there are none."""
    ordered = sorted(paths, key=lambda path: (_began(path), path.name))
    files = [(path, read_scalars(path, progress)) for path in ordered]
    curves = dict.fromkeys((path.parent, tag) for path, found in files for tag in found.tags())
    if not curves:
        raise Unreadable("an event file without any scalar", str(paths[0]), "give the run's other event files")
    series = [
        _series(folder, tag, [found for path, found in files if path.parent == folder and tag in found.points])
        for folder, tag in curves
    ]
    return Log(ordered[0], "tensorboard", tuple(series), tuple(_warnings(files)))


def _began(path: Path) -> float:
    """The time of a file's first event; it is the message's first field."""
    with path.open("rb") as file:
        head = file.read(21)
    return float(struct.unpack("<d", head[13:21])[0]) if head[12:13] == b"\x09" and len(head) == 21 else 0.0


def _series(folder: Path, tag: str, files: list[Scalars]) -> Series:
    parts = [found.curve(tag) for found in files]
    x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    name = "sys/hp_metric" if tag == "hp_metric" else canonical(tag, _split(folder))
    return Series(name, tag, x, y, "epoch" if words(tag)[:1] == ("epoch",) else "step")


def _warnings(files: list[tuple[Path, Scalars]]) -> list[str]:
    warnings = [f"{len(files)} event files were joined."] if len(files) > 1 else []
    for path, found in files:
        if found.damaged:
            warnings.append(f"{found.damaged} records of {path.name} are damaged (wrong checksum) and were left out.")
        if found.broken is not None:
            warnings.append(f"{path.name} is damaged at byte {found.broken}; what follows could not be read.")
    return warnings
