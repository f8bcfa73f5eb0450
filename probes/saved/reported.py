"""The scores that a checkpoint carries in it or in its name: `best_acc`, `val_loss`, "epoch=05-val_loss=0.27.ckpt"."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..artifacts import Checkpoint
from ..names import canonical, split_of

IN_NAME = re.compile(r"([A-Za-z][A-Za-z_/ ]*?)[=_:-]?(\d+\.\d+(?:[eE][-+]?\d+)?)")
SETTINGS = frozenset(["args", "config", "cfg", "hyper_parameters", "hparams", "train_args", "opt", "model_args"])
BEST = re.compile(r"(^|[^a-z])best([^a-z]|$)", re.I)


@dataclass(frozen=True, slots=True)
class Score:
    """One score.

    Args:
        raw: its key, as written. metric: "loss", "accuracy" or another name without its split.
        split: "val", "test", "train", or None where the key does not say.
        unit: the last digit that was written; 0 where the whole number is kept.
        best: it is the best so far, not the one of this moment.
    """

    raw: str
    metric: str
    split: str | None
    value: float
    unit: float
    best: bool


def scores(checkpoint: Checkpoint) -> list[Score]:
    """Every score in the file and in its name; settings are left out."""
    return [*_in_name(checkpoint.path.stem), *_inside(checkpoint.hyper, 0)]


def _score(raw: str, value: float, unit: float = 0.0, best: bool = False) -> Score | None:
    best, bare = best or bool(BEST.search(raw)), BEST.sub(r"\1", raw).strip("_-/ ")
    name = canonical(bare) if bare else ""
    metric = name.rpartition("/")[2]
    if metric not in {"loss", "accuracy", "top5_accuracy", "map50", "map50_95"} or not math.isfinite(value):
        return None
    return Score(raw, metric, split_of(bare), value, unit, best)


def _in_name(stem: str) -> Iterator[Score]:
    for raw, text in IN_NAME.findall(stem):
        mantissa, _, exponent = text.lower().partition("e")
        unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])) if len(exponent) < 4 else 0.0
        words = re.split(r"[_/ -]+", raw.strip("_-/ "))
        tails = ("_".join(words[i:]) for i in range(len(words)))  # "net_val_acc": the longest tail that is a score
        found = next((s for tail in tails if (s := _score(tail, float(text), unit)) is not None), None)
        if found is not None:
            yield found


def _inside(node: Any, depth: int) -> Iterator[Score]:
    if not isinstance(node, dict) or depth > 3:
        return
    monitor = node.get("monitor")
    for key, value in node.items():
        if isinstance(value, dict) and key not in SETTINGS:
            yield from _inside(value, depth + 1)
        if type(value) not in (int, float):
            continue
        if key in {"best_model_score", "current_score"} and isinstance(monitor, str):
            found = _score(monitor, value, best=key == "best_model_score")
        else:
            found = _score(key, value)
        if found is not None:
            yield found
