"""Keras weights: HDF5 files (.h5, .hdf5) and Keras 3 archives (.keras), through h5py, which is an extra.

Data sets are read, nothing else: no model is built, no configuration is run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts import Array, Checkpoint, OptimizerState, ParameterState, Tensor
from ..errors import Unreadable
from .archive import Archive

MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_INFLATED = 2 << 30
OPTIMIZER_ROOTS = ("optimizer_weights", "optimizer")


@dataclass(slots=True, eq=False)
class H5Tensor:
    """One data set. Implements `artifacts.Tensor`. The file stays open as long as a tensor of it is held."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    source: Any

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    def array(self) -> Array:
        """The whole data set; half precision comes as float32."""
        values: Array = np.asarray(self.source[()])
        return values.astype(np.float32) if self.dtype == "float16" else values

    def chunks(self, limit: int = 8 << 20) -> Iterator[tuple[int, Array]]:
        """Rows in order; see `artifacts.Tensor`."""
        if not self.numel:
            return
        if not self.shape:
            yield 0, self.array().reshape(1, 1)
            return
        rows, width = self.shape[0], self.numel // self.shape[0]
        step = max(1, limit // max(1, width * self.source.dtype.itemsize))
        for row in range(0, rows, step):
            part: Array = np.asarray(self.source[row : row + step])
            yield row, part.reshape(len(part), -1).astype(np.float32 if self.dtype == "float16" else part.dtype)


def is_keras_archive(archive: Archive) -> bool:
    """Whether a zip is a Keras 3 model."""
    return "model.weights.h5" in archive.names and "config.json" in archive.names


def read_keras(path: Path, archive: Archive | None = None) -> Checkpoint:
    """A Checkpoint of a Keras file. Raises Unreadable, also when h5py is not installed."""
    try:
        import h5py
    except ImportError:
        do = "install it with pip install h5py (into the interpreter of --python, if you use one)"
        raise Unreadable("Keras files need h5py, which is not installed", str(path), do) from None
    try:
        if archive is None:
            file = h5py.File(path, "r")
        else:
            file = h5py.File(archive.member("model.weights.h5", MOST_INFLATED).open(), "r")
        return _checkpoint(path, file, archive)
    except (OSError, RuntimeError, ValueError, KeyError, RecursionError) as error:
        raise Unreadable(
            f"the HDF5 content is damaged ({str(error)[:80]})", str(path), "copy or save it again"
        ) from error


def _checkpoint(path: Path, file: Any, archive: Archive | None) -> Checkpoint:
    sets = dict(_data_sets(file))
    optimizer = {k: v for k, v in sets.items() if k.split("/")[0] in OPTIMIZER_ROOTS}
    weights = {k: v for k, v in sets.items() if k not in optimizer and not k.startswith(("seed", "_vars"))}
    tensors: dict[str, Tensor] = {
        _short(k): _tensor(_short(k), v) for k, v in weights.items() if v.dtype.kind in "fiub"
    }
    settings = _settings(file, archive)
    state = _optimizer(optimizer, settings)
    form = "keras-h5" if archive is None else "keras-v3"
    return Checkpoint(path, form, tensors, state, step=_step(optimizer), hyper=settings)


def _data_sets(group: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(path, data set) in the file's order; links out of the file are not followed."""
    if depth > 64:
        raise ValueError("groups nest too deep")
    for key in group:
        if type(group.get(key, getlink=True)).__name__ == "ExternalLink":
            continue
        item, path = group[key], f"{prefix}{key}"
        if hasattr(item, "keys"):
            yield from _data_sets(item, f"{path}/", depth + 1)
        else:
            yield path, item


def _short(path: str) -> str:
    """model_weights/dense/dense/kernel:0 -> dense/kernel; layers/dense/vars/0 keeps its number."""
    parts = path.removeprefix("model_weights/").removesuffix(":0").split("/")
    kept = [p for i, p in enumerate(parts) if i == 0 or p != parts[i - 1]]
    return "/".join(kept)


def _tensor(name: str, source: Any) -> H5Tensor:
    return H5Tensor(name, tuple(source.shape), str(source.dtype), source)


def _settings(file: Any, archive: Archive | None) -> dict[str, Any]:
    """What the training configuration says (optimizer class, learning rate, loss): plain values."""
    try:
        if archive is not None:
            text: Any = archive.member("config.json", 64 << 20).read()
            found = json.loads(text).get("compile_config")
        else:
            text = file.attrs.get("training_config", "{}")
            found = json.loads(text)
    except (ValueError, AttributeError, RecursionError):
        return {}
    return {"training_config": found} if isinstance(found, dict) else {}


def _optimizer_name(settings: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    config = settings.get("training_config", {})
    node = config.get("optimizer") or config.get("optimizer_config") or {}
    if not isinstance(node, dict):
        return None, {}
    options = node.get("config", {})
    plain = (
        {k: v for k, v in options.items() if isinstance(v, int | float | bool | str)}
        if isinstance(options, dict)
        else {}
    )
    if "learning_rate" in plain or "lr" in plain:
        plain["lr"] = plain["learning_rate"] if "learning_rate" in plain else plain["lr"]
    name = node.get("class_name")
    return (name.lower() if isinstance(name, str) else None), plain


def _optimizer(sets: dict[str, Any], settings: dict[str, Any]) -> OptimizerState | None:
    """The slots as far as their names tell which parameter they belong to; unnamed ones only make the state known."""
    name, options = _optimizer_name(settings)
    slots = [_tensor(k, v) for k, v in sets.items() if v.shape]
    if not slots and name is None:
        return None
    half = len(slots) // 2
    paired = [a.shape for a in slots[:half]] == [b.shape for b in slots[half:]]
    held = (
        [{"m": m, "v": v} for m, v in zip(slots, slots[half:], strict=False)]
        if paired
        else [{"slot": s} for s in slots]
    )
    parameters = [
        ParameterState(i, 0, None, {**one}, None, next(iter(one.values())).shape) for i, one in enumerate(held)
    ]
    kind = name or next((n for n in ("adam", "sgd", "rmsprop") if any(n in k.lower() for k in sets)), None)
    note = "Keras stores its optimizer's slots in creation order; which parameter each belongs to is not told"
    return OptimizerState(
        kind, "class" if name else "keys", (options,), tuple(parameters), "ambiguous", note, "optimizer"
    )


def _step(sets: dict[str, Any]) -> int | None:
    """The optimizer's count of updates: a single number called iterations, or the only whole one."""
    single = {k: v for k, v in sets.items() if not v.shape}
    found = [v for k, v in single.items() if "iteration" in k] or [v for v in single.values() if v.dtype.kind in "iu"]
    return int(found[0][()]) if found else None
