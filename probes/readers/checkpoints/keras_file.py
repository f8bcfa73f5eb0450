"""Keras weights: HDF5 files (.h5, .hdf5) and Keras 3 archives (.keras), through h5py, which is an extra.

Data sets are read, nothing else: no model is built, no configuration is run.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...artifacts import Array, Checkpoint, OptimizerState, ParameterState
from ...errors import Unreadable
from . import keras_slots
from .archive import Archive

MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_INFLATED = 2 << 30
OPTIMIZER_ROOTS = ("optimizer_weights", "optimizer")


@dataclass(slots=True, eq=False)
class H5Tensor:
    """One data set. Implements `artifacts.Tensor`. The file stays open as long as a tensor of it is held.

    A kernel, which Keras saves as (*window, inputs, outputs), is `turned`: (outputs, inputs, *window) as in PyTorch, so
    that a row is a unit everywhere.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    source: Any
    turned: bool = False

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def stored(self) -> tuple[int, ...]:
        """Its shape in the file."""
        return tuple(self.source.shape)

    def like(self, other: keras_slots.Stored) -> H5Tensor:
        """The same, turned as another is."""
        return _tensor(self.name, self.source, isinstance(other, H5Tensor) and other.turned)

    def array(self) -> Array:
        """The whole data set; half precision comes as float32."""
        values: Array = np.asarray(self.source[()])
        values = values.astype(np.float32) if self.dtype == "float16" else values
        return np.moveaxis(values, (-1, -2), (0, 1)) if self.turned else values

    def chunks(self, limit: int = 8 << 20) -> Iterator[tuple[int, Array]]:
        """Rows in order; see `artifacts.Tensor`."""
        if not self.numel:
            return
        if not self.shape:
            yield 0, self.array().reshape(1, 1)
            return
        if self.turned:
            yield from self._turned_chunks(limit)
            return
        rows, width = self.shape[0], self.numel // self.shape[0]
        step = max(1, limit // max(1, width * self.source.dtype.itemsize))
        for row in range(0, rows, step):
            part: Array = np.asarray(self.source[row : row + step])
            yield row, part.reshape(len(part), -1).astype(np.float32 if self.dtype == "float16" else part.dtype)

    def _turned_chunks(self, limit: int) -> Iterator[tuple[int, Array]]:
        """Outputs are the data set's last axis."""
        step = max(1, limit // max(1, self.numel // self.shape[0] * self.source.dtype.itemsize))
        for row in range(0, self.shape[0], step):
            part = np.moveaxis(np.asarray(self.source[..., row : row + step]), (-1, -2), (0, 1))
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
    settings = _settings(file, archive)
    sets = _in_order(file, dict(_data_sets(file)), _layers(archive))
    optimizer = {k: v for k, v in sets.items() if k.split("/")[0] in OPTIMIZER_ROOTS}
    weights = {k: v for k, v in sets.items() if k not in optimizer and not k.startswith(("seed", "_vars"))}
    tensors = {_short(k): _tensor(_short(k), v, _is_kernel(k, v)) for k, v in weights.items() if v.dtype.kind in "fiub"}
    state = _optimizer(optimizer, settings, tensors)
    form = "keras-h5" if archive is None else "keras-v3"
    return Checkpoint(path, form, {**tensors}, state, step=_step(optimizer), hyper=settings)


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


def _tensor(name: str, source: Any, turned: bool = False) -> H5Tensor:
    shape = tuple(source.shape)
    shape = (shape[-1], shape[-2], *shape[:-2]) if turned else shape
    return H5Tensor(name, shape, str(source.dtype), source, turned)


def _is_kernel(path: str, source: Any) -> bool:
    name = path.removesuffix(":0")
    return len(source.shape) > 1 and name.endswith("kernel") and not name.endswith("depthwise_kernel")


def _in_order(file: Any, sets: dict[str, Any], layers: list[str]) -> dict[str, Any]:
    """The data sets in the order of the model's layers, as the file (Keras 2) or the configuration (Keras 3) has it.

    What neither tells comes in the order of the numbers in the names.
    """
    root = file.get("model_weights", file)
    prefix = "model_weights/" if "model_weights" in file else ""
    told = [f"{prefix}{_text(name)}/" for name in root.attrs.get("layer_names", ())] or [f"layers/{n}/" for n in layers]
    slots = [f"optimizer_weights/{_text(n)}" for n in _attribute(file, "optimizer_weights", "weight_names")]
    places = {path: place for place, path in enumerate(slots)}

    def key(path: str) -> tuple[int, int, list[Any]]:
        place = next((i for i, name in enumerate(told) if path.startswith(name)), len(told))
        within = [_PLACE.get(path.rsplit("/", 1)[-1].removesuffix(":0"), 0)]
        numbers = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]
        return place, places.get(path, len(places)), [*_natural(within), *_natural(numbers)]

    return dict(sorted(sets.items(), key=lambda item: key(item[0])))


_PLACE = {"kernel": 0, "gamma": 0, "recurrent_kernel": 1, "beta": 1, "bias": 2, "moving_mean": 3, "moving_variance": 4}
"""The order in which a layer makes its weights."""


def _natural(parts: list[Any]) -> list[tuple[int, Any]]:
    return [(0, p) if isinstance(p, int) else (1, p) for p in parts]


def _attribute(file: Any, group: str, name: str) -> list[Any]:
    return list(file[group].attrs.get(name, ())) if group in file else []


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _layers(archive: Archive | None) -> list[str]:
    """The groups of a Keras 3 archive in the order of the layers: the class in snake case, counted."""
    if archive is None:
        return []
    try:
        layers = json.loads(archive.member("config.json", 64 << 20).read())["config"]["layers"]
        classes = [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", one["class_name"]).lower() for one in layers]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    counted = [f"{name}_{classes[:i].count(name)}" if name in classes[:i] else name for i, name in enumerate(classes)]
    return [name for name in counted if not name.startswith("input_layer")]


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
    name = node.get("class_name")
    return (name.lower() if isinstance(name, str) else None), keras_slots.options(plain)


def _optimizer(sets: dict[str, Any], settings: dict[str, Any], weights: dict[str, H5Tensor]) -> OptimizerState | None:
    """The slots with the weights that they belong to, where order and shapes tell."""
    name, options = _optimizer_name(settings)
    kind = name or next((n for n in ("adam", "sgd", "rmsprop") if any(n in k.lower() for k in sets)), None)
    slots = [_tensor(k, v) for k, v in sets.items() if v.shape]
    if not slots and name is None:
        return None
    parameters = keras_slots.mapped(kind, {**weights}, slots, _step(sets))
    if parameters:
        return OptimizerState(kind, "class" if name else "keys", (options,), parameters, "order", "", "optimizer")
    alone = tuple(ParameterState(i, 0, None, {"slot": s}, None, s.shape) for i, s in enumerate(slots))
    note = "Keras stores its optimizer's slots in creation order; which weight each belongs to is not told"
    return OptimizerState(kind, "class" if name else "keys", (options,), alone, "ambiguous", note, "optimizer")


def _step(sets: dict[str, Any]) -> int | None:
    """The optimizer's count of updates: a single number called iterations, or the only whole one."""
    single = {k: v for k, v in sets.items() if not v.shape}
    found = [v for k, v in single.items() if "iteration" in k] or [v for v in single.values() if v.dtype.kind in "iu"]
    return int(found[0][()]) if found else None
