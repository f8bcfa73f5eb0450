"""How many training samples there were, as far as saved settings, data files or counters tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..artifacts import Artifacts, Checkpoint
from ..errors import Unreadable
from ..readers.arrays import arrays

TRAIN = re.compile(r"(^|[^a-z])(tr|train|training)([^a-z]|$)")
COUNT = re.compile(r"^(n|num|number_of|count)_?(train|training)(_?(samples|examples|rows|images|data|set))?$")
NAMED = re.compile(r"^(train|training)_?(set_?|data_?|dataset_?)?(size|samples|examples|len|length|count)$")
BATCH = re.compile(r"^(train_|per_device_train_|per_gpu_train_)?batch(_?size)?$")
FEWEST, DEEPEST = 8, 4


@dataclass(frozen=True, slots=True)
class Samples:
    """A number of training samples and where it comes from; `about` if it is only known roughly."""

    count: int
    source: str
    about: bool = False


def training_samples(artifacts: Artifacts) -> Samples | None:
    """From saved settings, else from data files named as training data, else from steps, epochs and batch size."""
    last = artifacts.last
    if last is not None:
        for name, value in _settings(last.hyper):
            if (COUNT.match(name) or NAMED.match(name)) and value >= FEWEST:
                return Samples(value, f"{name} in {last.path.name}")
    for path in artifacts.data:
        rows = _rows(path)
        if rows and rows >= FEWEST:
            return Samples(rows, path.name)
    return _by_counters(last) if last is not None else None


def _by_counters(checkpoint: Checkpoint) -> Samples | None:
    """Steps an epoch times the batch size. Epochs in files are sure to one only: not below ten of them."""
    batch = next((v for name, v in _settings(checkpoint.hyper) if BATCH.match(name) and v > 0), None)
    if batch is None or not checkpoint.step or not checkpoint.epoch or checkpoint.epoch < 10:
        return None
    steps = max(1, round(checkpoint.step / checkpoint.epoch))
    return Samples(steps * batch, f"some {steps} steps an epoch of batches of {batch}", about=True)


def _settings(value: Any, depth: int = 0) -> Iterator[tuple[str, int]]:
    """All whole numbers in nested settings, by their lower-case key."""
    if not isinstance(value, dict) or depth > DEEPEST:
        return
    for key, inner in value.items():
        if type(inner) is int:
            yield str(key).lower().replace("-", "_"), inner
        else:
            yield from _settings(inner, depth + 1)


def _rows(path: Path) -> int | None:
    """Rows of the training arrays in a data file: the first dimension that most of them share."""
    try:
        found = arrays(path)
    except Unreadable:
        return None
    if not TRAIN.search(path.stem.lower()):
        found = [(name, tensor) for name, tensor in found if TRAIN.search(name.lower())]
    rows = Counter(tensor.shape[0] for _, tensor in found if tensor.shape)
    return rows.most_common(1)[0][0] if rows else None
