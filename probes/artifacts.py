"""What a person has, normalised: checkpoints, logs, a target file, data, a script.

Readers make these, `discover` collects them, probes take them. Numbers stay on disk until someone asks: a Tensor is a
promise to read, and `chunks` reads it in bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


class Progress(Protocol):
    """Called by long work: `fraction` in [0, 1], `text` says what is being done."""

    def __call__(self, fraction: float, text: str = "") -> None: ...


class Tensor(Protocol):
    """One named tensor in a file. Nothing is read before `array` or `chunks` is called."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As in the file: "float32", "bfloat16", "int64" ..."""

    @property
    def numel(self) -> int: ...

    def array(self) -> Array:
        """The whole tensor. bfloat16, float16 and float8 come as float32; the others as they are."""

    def chunks(self, limit: int = 8 << 20) -> Iterator[tuple[int, Array]]:
        """(first row, rows as a 2-D array) in order, each at most about `limit` bytes; a row is an index of the first
        dimension (a 0-d or 1-d tensor has rows of one element)."""


@dataclass(frozen=True, slots=True)
class ParameterState:
    """The optimizer's state of one parameter.

    Args:
        index: its place in the optimizer's groups, flattened.
        group: which group it is in.
        name: the model's name for it; None where the mapping is not certain.
        slots: tensors by their key ("exp_avg", "exp_avg_sq", "momentum_buffer" ...); empty if it has no state.
        step: its own step count, None where the optimizer keeps none.
        shape: of its slots, None without state.
    """

    index: int
    group: int
    name: str | None
    slots: dict[str, Tensor]
    step: float | None
    shape: tuple[int, ...] | None

    @property
    def coarse(self) -> bool:
        """Whether its moments are kept in 8 bits, so that small ones read as exactly 0."""
        return "state1" in self.slots and self.slots["state1"].dtype == "uint8"


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """One optimizer as saved.

    Args:
        kind: "adam", "adamw", "sgd", "rmsprop" ... lower case; None if it could not be told.
        kind_from: "flag" (decoupled_weight_decay), "class", "keys", "weight-decay".
        groups: the options of each group (lr, betas, eps, weight_decay ...): plain Python values.
        parameters: in group order.
        mapping: "param_names", "names", "order", "shapes", or "ambiguous".
        mapping_note: one sentence where the mapping is ambiguous or partial, and what would settle it; else "".
        key: where in the file it was found.
    """

    kind: str | None
    kind_from: str
    groups: tuple[dict[str, Any], ...]
    parameters: tuple[ParameterState, ...]
    mapping: str
    mapping_note: str
    key: str
    step: int | None = field(init=False)
    """The largest step count of any parameter."""
    decoupled: bool | None = field(init=False)
    """Whether weight decay is decoupled from the gradient (AdamW). None if it cannot be told: an AdamW that is one only
    by its value of weight decay is a guess, and no answer."""
    _by_name: dict[str, ParameterState] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        steps = [p.step for p in self.parameters if p.step is not None]
        object.__setattr__(self, "step", int(max(steps)) if steps else None)
        object.__setattr__(self, "decoupled", self._decoupled())
        named = {p.name: p for p in reversed(self.parameters) if p.name is not None}
        object.__setattr__(self, "_by_name", named)

    def of(self, name: str) -> ParameterState | None:
        """The state of the parameter of that name, if the mapping knows it."""
        return self._by_name.get(name)

    def _decoupled(self) -> bool | None:
        if self.kind == "adamw" and self.kind_from != "weight-decay":
            return True
        flags = {g.get("decoupled_weight_decay") for g in self.groups}
        if flags & {True, False}:
            return True in flags
        return False if self.kind in {"sgd", "rmsprop"} else None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One saved model, as far as it was understood.

    Args:
        format: "torch-zip", "torch-legacy", "safetensors", "lightning", "torchscript" ...
        tensors: the model's parameters and persistent buffers, in file order. Names are as in the file.
        optimizer: the first optimizer with state, None if there is none.
        other_optimizers: how many more the file holds (GANs, actor and critic).
        step, epoch: as the file says (epoch is never sure to better than one); step falls back on the optimizer's.
        hyper: hyper-parameters and other plain values found (nested dicts of plain Python values).
        schedulers: the states of learning-rate schedulers as plain values, the outermost of nested ones.
        scaler: the state of the gradient scaler under torch's names (`scale`, `_growth_tracker` ...), whoever saved it.
        unread: keys that were not understood, as paths inside the file.
        refused: names of classes and functions that the file asks for and that were not built.
        warnings: sentences for a person.
    """

    path: Path
    format: str
    tensors: dict[str, Tensor]
    optimizer: OptimizerState | None = None
    step: int | None = None
    epoch: int | None = None
    hyper: dict[str, Any] = field(default_factory=dict)
    schedulers: tuple[dict[str, Any], ...] = ()
    scaler: dict[str, Any] | None = None
    other_optimizers: int = 0
    unread: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Args:
        name: canonical: "train/loss", "val/loss", "val/accuracy", "lr", "grad_norm" ...
        column: the raw column, key, tag or label.
        x: the same length as y, as written; row numbers where the log has no axis.
        y: as written (percent stays percent); NaN and infinities that the log says are kept, no blank cells.
        x_name: "epoch", "step" or "row".
        epoch: of every point, where the log says it beside a step; None otherwise.
    """

    name: str
    column: str
    x: Floats
    y: Floats
    x_name: str
    epoch: Floats | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """One metric log. `format` is "csv", "jsonl", "stdout", "trainer-state", "tensorboard" ..."""

    path: Path
    format: str
    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()

    def get(self, name: str) -> Series | None:
        """The first series of that canonical name."""
        return next((s for s in self.series if s.name == name), None)


@dataclass(frozen=True, slots=True)
class Script:
    """A training script, as text: never run."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A file that was looked at and not understood, and why."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Everything that was found.

    `checkpoints` are in training order (by step, then epoch, then numbers in the name). `target` is set only when the
    person asked for their code to be run (`model.target` loads it); `target_candidate` is a file that looks like one.
    """

    checkpoints: tuple[Checkpoint, ...] = ()
    logs: tuple[Log, ...] = ()
    target: Path | None = None
    target_candidate: Path | None = None
    data: tuple[Path, ...] = ()
    script: Script | None = None
    unknown: tuple[Unknown, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def last(self) -> Checkpoint | None:
        """The latest checkpoint."""
        return self.checkpoints[-1] if self.checkpoints else None

    @property
    def code(self) -> str:
        """The text of the script and of a file that is, or looks like, a target: for words in it, never run."""
        texts = [self.script.text] if self.script else []
        for path in {self.target, self.target_candidate} - {None}:
            if path is not None and path.is_file():
                texts.append(path.read_text(encoding="utf-8", errors="replace")[:200_000])
        return "\n".join(texts)

    def series(self, name: str) -> Series | None:
        """The longest series of that canonical name in any log."""
        found = [s for log in self.logs for s in log.series if s.name == name]
        return max(found, key=lambda s: len(s.y), default=None)


Run = Callable[[Artifacts, Progress], Any]
"""The signature of a probe's `run`; it returns a `finding.Finding`."""
