"""What a checkpoint has counted: optimizer steps, batches of batch norm, the file's own step; and which fell back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from ..artifacts import Checkpoint
from . import pairs, statistics
from .layers import depth
from .schedules import schedules

COUNTER = ".num_batches_tracked"
GOES_ON = 0.5
"""The cosine above which weights went on from earlier ones: independent runs have about 0."""
PLANNED = ("epochs", "max_epochs", "num_epochs", "n_epochs", "num_train_epochs", "total_epochs")
NUMBERED = re.compile(
    r"(?:^|[^a-z])(?:epoch|epochs|ep|step|steps|iter|iteration|it|checkpoint|ckpt)[-_=]?(\d{1,12})", re.I
)


def steps(checkpoint: Checkpoint) -> int | None:
    """Steps by the optimizer's own count, else by the file's."""
    return (checkpoint.optimizer.step if checkpoint.optimizer else None) or checkpoint.step


def own(checkpoint: Checkpoint) -> int | None:
    """The step that the file itself names; None where it is the optimizer's or may be."""
    counted = checkpoint.optimizer.step if checkpoint.optimizer else None
    return checkpoint.step if checkpoint.step != counted else None


def counters(checkpoint: Checkpoint) -> dict[str, int]:
    """The batches that each batch normalisation has counted, by its name."""
    held = statistics.of(checkpoint).held
    found = {n.removesuffix(COUNTER): t for n, t in checkpoint.tensors.items() if n.endswith(COUNTER) and t.numel == 1}
    return {name: int(np.asarray(held(tensor).array()).ravel()[0]) for name, tensor in found.items()}


def batches(checkpoint: Checkpoint) -> int | None:
    """The count on which most of the batch normalisations agree; None if they do not, or keep none."""
    counts = list(counters(checkpoint).values())
    common = max(set(counts), key=counts.count, default=None)
    return common if common is not None and 2 * counts.count(common) > len(counts) else None


def counted(checkpoint: Checkpoint) -> int | None:
    """Steps by the optimizer's own count."""
    return checkpoint.optimizer.step if checkpoint.optimizer else None


def ticks(checkpoint: Checkpoint) -> int | None:
    """How often the first scheduler was stepped."""
    return next((s.count for s in schedules(checkpoint)), None)


def planned(hyper: Any, depth: int = 0) -> set[int]:
    """Numbers of epochs that the settings name."""
    if not isinstance(hyper, dict) or depth > 4:
        return set()
    found = {int(v) for k, v in hyper.items() if k in PLANNED and isinstance(v, int | float) and 0 < v < 2**31}
    return found.union(*(planned(v, depth + 1) for v in hyper.values()))


def numbered(checkpoint: Checkpoint) -> int | None:
    """The epoch or step in the file's name, or in its folder's: "epoch_07.pt", "checkpoint-500/model.safetensors"."""
    found = NUMBERED.findall(checkpoint.path.stem) or NUMBERED.findall(checkpoint.path.parent.name)
    return int(found[0]) if found else None


PROGRESS: tuple[tuple[str, Callable[[Checkpoint], int | None]], ...] = (
    ("epoch", lambda c: c.epoch),
    ("step", lambda c: c.step),
    ("batches that batch norm counted", batches),
    ("steps of the scheduler", ticks),
    ("the number in the name", numbered),
)
"""What tells how far a run was, the surest first. A step that is the optimizer's own can never differ from it."""


def restarted(
    checkpoints: tuple[Checkpoint, ...], count: Callable[[Checkpoint], int | None]
) -> tuple[Checkpoint, Checkpoint, str] | None:
    """Two checkpoints of one run between which a count did not grow although the run went on, and what tells that."""
    found = fallen(checkpoints, count)
    return next(((a, b, name) for a, b, name in found if GOES_ON < alike(a, b) < 1), None)


def fallen(
    checkpoints: tuple[Checkpoint, ...], count: Callable[[Checkpoint], int | None]
) -> Iterator[tuple[Checkpoint, Checkpoint, str]]:
    """Neighbours between which a count did not grow although something else did, and what: of one run, if their weights
    are alike."""
    known = [c for c in checkpoints if count(c)]
    for name, far in PROGRESS:
        if len(known) < 2 or any(far(c) is None for c in known) or (name == "step" and not any(map(own, known))):
            continue
        ordered = sorted(known, key=lambda c: far(c) or 0)
        for before, after in pairwise(ordered):
            grew = (far(after) or 0) > (far(before) or 0)
            if grew and (count(after) or 0) <= (count(before) or 0):
                yield before, after, name


def told(checkpoint: Checkpoint, name: str) -> int | None:
    """How far a checkpoint is, by the measure of that name in `PROGRESS`."""
    return dict(PROGRESS)[name](checkpoint)


def alike(before: Checkpoint, after: Checkpoint) -> float:
    """The median cosine of the weight matrices of two checkpoints; 1 if nothing moved, 0 without common matrices."""
    cosines = []
    for layer in depth(after):
        start = before.tensors.get(layer.weight.name)
        if start is None or start.shape != layer.weight.shape:
            return 0.0
        a, b = statistics.of(before).norm(start), statistics.of(after).norm(layer.weight)
        if a > 0 and b > 0 and math.isfinite(a * b):
            cosines.append((a * a + b * b - pairs.gap(before, after, layer.weight.name).square) / (2 * a * b))
    return float(np.median(cosines)) if cosines else 0.0
