"""The training, validation and test parts of a data set, found in data files by the names of files and arrays."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import Unreadable
from ..readers.arrays import arrays
from ..readers.checkpoints.lazy import LazyTensor

SPLITS = {
    "train": ("tr", "train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev", "eval"),
    "test": ("te", "test", "testing", "tst"),
}
ROLES = {
    "inputs": ("x", "xs", "input", "inputs", "feature", "features", "data", "image", "images", "img", "imgs"),
    "targets": ("y", "ys", "target", "targets", "label", "labels", "class", "classes"),
}
INPUTS_TOO = ("sample", "samples", "tokens", "ids", "sequences")
_WORDS = {w: s for s, words in SPLITS.items() for w in words}
_ROLES = {w: r for r, words in ROLES.items() for w in words} | dict.fromkeys(INPUTS_TOO, "inputs")
FEWEST = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One split of a data set as it is saved; nothing is read yet.

    Args:
        split: "train", "val" or "test".
        inputs: (N, ...). targets: (N, ...); None where there are none.
        path: the file of the inputs.
    """

    split: str
    inputs: LazyTensor
    targets: LazyTensor | None
    path: Path


@dataclass(frozen=True, slots=True)
class DataSet:
    """The parts of one data set: those in one file, or in files of one kind in one folder."""

    parts: tuple[Part, ...]

    def get(self, *splits: str) -> Part | None:
        """The first part of these splits, in this order."""
        return next((p for s in splits for p in self.parts if p.split == s), None)

    @property
    def held_out(self) -> Part | None:
        """The validation part, else the test part."""
        return self.get("val", "test")


def data_sets(paths: Sequence[Path]) -> list[DataSet]:
    """Every data set of which a part is recognised. Files that cannot be read are left out."""
    found: dict[tuple[Path, str], dict[str, dict[str, tuple[LazyTensor, Path]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for path in paths:
        named = list(_named(path))
        several = len({split for split, _, _ in named}) > 1
        for split, role, array in named:
            found[_home(path, several)][split].setdefault(role, (array, path))
    sets = (DataSet(tuple(_parts(splits))) for splits in found.values())
    return [each for each in sets if each.parts]


def _home(path: Path, several: bool) -> tuple[Path, str]:
    """What the parts of one data set have in common: the file, else the folder (of train/ and val/) and the format."""
    if several:
        return path, ""
    by_folder = _of(_words(path.stem), _WORDS) is None and path.parent.name.lower() in _WORDS
    return path.parent.parent if by_folder else path.parent, path.suffix


def _named(path: Path) -> Iterator[tuple[str, str, LazyTensor]]:
    """(split, role, array) of a file's arrays; pairs without names are inputs and targets in this order."""
    try:
        leaves = [(name, a) for name, a in arrays(path) if a.shape and a.fault is None]
    except Unreadable:
        return
    outer, pairs = _words(path.stem), Counter(name.rpartition(".")[0] for name, _ in leaves)
    for name, array in leaves:
        words = _words(name)
        split = _of(words, _WORDS) or _of(outer, _WORDS) or _WORDS.get(path.parent.name.lower())
        role = _of(words, _ROLES) or (_of(outer, _ROLES) if len(leaves) == 1 else None)
        if role is None and pairs[name.rpartition(".")[0]] <= 2:
            last = name.rpartition(".")[2]
            role = {"": "inputs", "0": "inputs", "1": "targets"}.get(last, "inputs" if last in SPLITS else None)
        if split and role:
            yield split, role, array


def _words(name: str) -> list[str]:
    """The words of a name; "Xtrain" and "y_val" are two."""
    spread = re.sub(r"(?i)^([xy])(train|val|valid|test)", r"\1_\2", re.sub(r"([a-z])([A-Z])", r"\1_\2", name))
    spread = re.sub(r"(?i)(train|val|valid|test)([xy])$", r"\1_\2", spread)
    return [w for w in re.split(r"[^a-z0-9]+", spread.lower()) if w]


def _of(words: list[str], known: dict[str, str]) -> str | None:
    return next((known[w] for w in reversed(words) if w in known), None)


def _parts(splits: dict[str, dict[str, tuple[LazyTensor, Path]]]) -> Iterator[Part]:
    for split, roles in splits.items():
        if "inputs" not in roles or roles["inputs"][0].shape[0] < FEWEST:
            continue
        inputs, path = roles["inputs"]
        targets = roles["targets"][0] if "targets" in roles else None
        fits = targets is not None and targets.shape[0] == inputs.shape[0]
        yield Part(split, inputs, targets if fits else None, path)
