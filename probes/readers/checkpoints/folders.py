"""Checkpoints that were saved as several files of one folder, put together: Trainer's, accelerate's, skorch's.

A folder with one model and one optimizer is one checkpoint; a scheduler's and a gradient scaler's file and Trainer's
`trainer_state.json` tell more about it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...artifacts import Checkpoint
from .optimizer_state import attach

MOST_JSON = 32 << 20
_NUMBER = re.compile(r"_(\d+)$")
"""accelerate's way to tell several models and optimizers of one folder apart; the first has none."""


def is_side_file(checkpoint: Checkpoint) -> bool:
    """Whether a file holds no model and no optimizer, but something that is saved beside them."""
    alone = not checkpoint.tensors and checkpoint.optimizer is None
    return alone and bool(said(checkpoint))


def said(side: Checkpoint) -> str:
    """What a side file holds, in words; "" if nothing of this kind."""
    held = (
        (side.schedulers, "the state of a learning-rate scheduler"),
        (side.scaler, "the state of a gradient scaler"),
        ("training_args" in side.hyper, "the arguments of the training"),
        ("random" in side.hyper, "the states of the random number generators"),
    )
    return " and ".join(words for found, words in held if found)


def join_folders(checkpoints: Iterable[Checkpoint], sides: Iterable[Checkpoint]) -> list[Checkpoint]:
    """The checkpoints with each folder's model and optimizer as one, which also has what the side files say."""
    folders: dict[Path, list[Checkpoint]] = defaultdict(list)
    for checkpoint in checkpoints:
        folders[checkpoint.path.parent].append(checkpoint)
    beside: dict[Path, list[Checkpoint]] = defaultdict(list)
    for side in sides:
        beside[side.path.parent].append(side)
    kept: list[Checkpoint] = []
    for folder, inside in folders.items():
        joined = _join_optimizer(inside)
        kept.extend([_told(joined[0], folder, beside[folder])] if len(joined) == 1 else joined)
    return kept


def _join_optimizer(inside: list[Checkpoint]) -> list[Checkpoint]:
    """The folder's checkpoints with each optimizer put to its model: the only two, or those of one number."""
    numbered: dict[str, list[Checkpoint]] = defaultdict(list)
    for checkpoint in inside:
        found = _NUMBER.search(checkpoint.path.stem)
        numbered[found[1] if found else ""].append(checkpoint)
    pairs = [_join_pair(part) for part in numbered.values()]
    if len(pairs) > 1 and all(len(part) == 1 for part in pairs) and any(c.optimizer for c in inside):
        return [checkpoint for part in pairs for checkpoint in part]
    return _join_pair(inside)


def _join_pair(inside: list[Checkpoint]) -> list[Checkpoint]:
    models = [c for c in inside if c.tensors and c.optimizer is None]
    alone = [c for c in inside if not c.tensors and c.optimizer is not None]
    if len(models) != 1 or len(alone) != 1 or alone[0].optimizer is None:
        return inside
    model, other = models[0], alone[0]
    joined = replace(
        model,
        optimizer=attach(alone[0].optimizer, model.tensors, not model.format.startswith("safetensors")),
        step=model.step if model.step is not None else other.step,
        epoch=model.epoch if model.epoch is not None else other.epoch,
        hyper={**other.hyper, **model.hyper},
        schedulers=model.schedulers or other.schedulers,
        scaler=model.scaler or other.scaler,
        refused=(*model.refused, *other.refused),
        warnings=(*model.warnings, *other.warnings, f"its optimizer state was read from {other.path.name} beside it."),
    )
    return [joined if c is model else c for c in inside if c is not other]


def _told(checkpoint: Checkpoint, folder: Path, sides: list[Checkpoint]) -> Checkpoint:
    """The checkpoint with what the folder's other files say about it; what it says itself stands."""
    state = _trainer_state(folder / "trainer_state.json")
    step: Any = state.get("global_step")
    optimizers = checkpoint.optimizer.step if checkpoint.optimizer else None
    unsaid = checkpoint.step is None or checkpoint.step == optimizers  # where no file says it, it is the optimizer's
    epoch: Any = state.get("epoch")
    schedulers = tuple(s for side in sides for s in side.schedulers)
    scaler = next((side.scaler for side in sides if side.scaler), None)
    arguments = next((side.hyper["training_args"] for side in sides if "training_args" in side.hyper), None)
    more = tuple(
        f"{what} was read from {side.path.name} beside it."
        for side in sides
        if "random" not in side.hyper and (what := said(side))
    )
    return replace(
        checkpoint,
        step=int(step) if unsaid and _is_count(step) else checkpoint.step,
        epoch=int(epoch) if checkpoint.epoch is None and _is_count(epoch) else checkpoint.epoch,
        hyper={**({"training_args": arguments} if arguments else {}), **checkpoint.hyper},
        schedulers=checkpoint.schedulers or schedulers,
        scaler=checkpoint.scaler or scaler,
        warnings=(*checkpoint.warnings, *more),
    )


def _is_count(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 2**53


def _trainer_state(path: Path) -> dict[str, Any]:
    """Trainer's own record of where it was; empty if there is none."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_JSON:
            return {}
        state = json.loads(path.read_bytes(), parse_constant=lambda text: None)
    except (OSError, ValueError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}
