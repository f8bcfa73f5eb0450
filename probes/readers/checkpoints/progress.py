"""How far training was: the step and the epoch that a file says, at its top or in the part that keeps the progress."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .lazy import LazyTensor
from .pickle_stream import Inert
from .torch_values import scalar

STEPS = (
    "global_step", "global_steps", "iter_num", "global_iter", "iteration", "iterations", "iter", "iters", "it",
    "n_iter", "num_iter", "step", "steps", "steps_done", "num_timesteps", "timesteps", "total_steps", "total_it",
    "cur_iter", "current_iter", "cur_step", "current_step", "n_step", "num_steps", "num_updates", "n_updates",
    "train_step", "train_steps", "train_iter", "training_step", "update", "updates_done", "iter_count",
    "step_count", "trained_steps", "global_timestep",
)  # fmt: skip
EPOCHS = (
    "epoch", "cur_epoch", "current_epoch", "epoch_num", "epoch_idx", "epoch_id", "epoch_no", "n_epoch", "num_epoch",
    "i_epoch", "ep", "epochs_run", "epochs_trained", "epochs_done", "epochs_completed", "completed_epochs",
    "trained_epochs", "epoch_count", "last_epoch", "train_epoch", "global_epoch", "start_epoch", "epochs",
)  # fmt: skip
"""Names in lower case with underscores, the plainest first."""
PLANNED = frozenset(
    ["epochs", "n_epoch", "num_epoch", "ep", "start_epoch", "last_epoch", "steps", "n_step", "num_steps", "total_steps",
     "total_it", "timesteps", "iterations", "iters", "n_iter", "num_iter", "train_steps", "train_iter"]
)  # fmt: skip
"""Names that within a part are as often settings: how long training was to be, where it began."""
BATCHES = ("batch",)
"""What a step is called beside an epoch in a record of the time."""
DEEPEST = 3
MOST_PARTS = 1000
_NOT_PROGRESS = re.compile(
    r"optim|^opt(_|$)|sched|hyper|hparam|config|^cfg|arg|option|setting|callback|loop|best|history|metric|log|stat(s|istics)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def progress(tree: dict[Any, Any]) -> tuple[int | None, int | None]:
    """(step, epoch) of the part nearest to the top that says each; None where nothing does."""
    step = epoch = None
    for depth, part in _parts(tree):
        named = {_snake(key): value for key, value in reversed(part.items()) if isinstance(key, str)}
        skip = PLANNED if depth or "_step_count" in part else frozenset[str]()
        if step is None:
            step = _count(named, [name for name in STEPS if name not in skip])
            if step is None and "epoch" in named:
                step = _count(named, BATCHES) if depth else None
        if epoch is None:
            epoch = _count(named, [name for name in EPOCHS if name not in skip])
        if step is not None and epoch is not None:
            break
    return step, epoch


def _parts(tree: dict[Any, Any]) -> Iterator[tuple[int, dict[Any, Any]]]:
    """The dicts that may keep the progress, the nearest first: none of settings, of optimizers or of weights."""
    queue: list[tuple[int, dict[Any, Any]]] = [(0, tree)]
    for depth, part in queue:
        yield depth, part
        if depth == DEEPEST or len(queue) > MOST_PARTS:
            continue
        for key, value in list(part.items())[:MOST_PARTS]:
            below = _inside(value)
            if isinstance(key, str) and below and not _NOT_PROGRESS.search(_snake(key)) and not _is_weights(below):
                queue.append((depth + 1, below))


def _inside(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, Inert):
        value = value.items or value.state
    return value if isinstance(value, dict) else None


def _is_weights(node: dict[Any, Any]) -> bool:
    tensors = sum(isinstance(value, LazyTensor) and value.numel > 1 for value in node.values())
    return tensors > 0 or "_modules" in node or "param_groups" in node or "_step_count" in node


def _snake(key: str) -> str:
    return _CAMEL.sub("_", key[:80]).lower().replace("-", "_").replace(" ", "_")


def _count(named: dict[str, Any], names: list[str] | tuple[str, ...]) -> int | None:
    for name in names:
        value = named.get(name)
        if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 16:
            value = int(value)
        number = scalar(value)
        if number is not None and number == number and abs(number) < 2**53:
            return int(number)
    return None
