"""torch.distributed.checkpoint folders: `.metadata` (a pickle, walked and never run) and `__R_N.distcp` files.

`.metadata` says for each name its size and chunks, and for each chunk in which file, at which offset and length it
lies; there stands a small torch file with one tensor (or, for what is no tensor, a pickled value).
"""

from __future__ import annotations

import io
import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...artifacts import Array
from ...errors import Unreadable
from .archive import Archive
from .lazy import LazyTensor, Storage, dense, itemsize, overlapping
from .pickle_stream import Inert, Name, read_pickle
from .span import Span
from .torch_values import BUILDERS
from .torch_zip import is_torch, read_torch_zip

MOST_METADATA = 256 << 20
DEEPEST = 64
PLACES = "torch.distributed.checkpoint"


@dataclass(slots=True, eq=False)
class ShardedTensor(LazyTensor):
    """A tensor put together from chunks: (offsets, lazy tensor) each. Its storage only stands for their bytes."""

    pieces: list[tuple[tuple[int, ...], LazyTensor]] = field(default_factory=list)

    def array(self) -> Array:
        """The whole tensor. Raises Unreadable."""
        first = self.pieces[0][1].array()
        if len(self.pieces) == 1 and first.shape == self.shape:
            return first
        whole = np.zeros(self.shape, first.dtype)
        for offsets, piece in self.pieces:
            whole[tuple(slice(o, o + n) for o, n in zip(offsets, piece.shape, strict=True))] = piece.array()
        return whole

    def chunks(self, limit: int = 8 << 20) -> Iterator[tuple[int, Array]]:
        """Rows in order; see `artifacts.Tensor`. Chunks that are cut by rows are read one after the other."""
        by_rows = sorted(self.pieces, key=lambda p: p[0])
        if not self.fault and self.shape and all(piece.shape[1:] == self.shape[1:] for _, piece in by_rows):
            for offsets, piece in by_rows:
                for row, part in piece.chunks(limit):
                    yield offsets[0] + row, part
            return
        if self.numel:
            rows = self.shape[0] if self.shape else 1
            yield 0, self.array().reshape(rows, -1)

    @property
    def layout(self) -> Hashable:
        """The same for tensors that are cut alike."""
        return self.shape, tuple((offsets, piece.layout) for offsets, piece in self.pieces)

    def blocks(self, most: int) -> Iterator[tuple[int, int, Array]]:
        """See `LazyTensor.blocks`: chunk by chunk of the folder, wherever they lie."""
        self._check()
        for offsets, piece in self.pieces:
            row, column, *_ = *offsets, 0, 0
            for inner_row, inner_column, numbers in piece.blocks(most):
                yield row + inner_row, column + inner_column, numbers


def is_distributed(metadata: Path) -> bool:
    """Whether a file is the `.metadata` of such a folder."""
    if metadata.name != ".metadata" or not 0 < metadata.stat().st_size <= MOST_METADATA:
        return False
    with metadata.open("rb") as file:
        return PLACES.encode() in file.read(4096)


def read_distributed(metadata: Path) -> tuple[Any, list[str]]:
    """The tree that was saved (its tensors lazy), and the names refused. Raises Unreadable."""
    where = str(metadata)
    tree, refused = read_pickle(io.BytesIO(metadata.read_bytes()), where, BUILDERS, lambda pid: None)
    state = _attributes(tree)
    listed, stored = state.get("state_dict_metadata"), state.get("storage_data")
    if not isinstance(listed, dict) or not isinstance(stored, dict):
        raise Unreadable("its table is not understood", where, "save it with a current torch")
    places = dict(_place(key, value) for key, value in stored.items())
    found: dict[str, Any] = {}
    for name, entry in listed.items():
        about = _attributes(entry)
        if "size" not in about:
            found[str(name)] = _value(metadata.parent, places, str(name))
            continue
        shape = _ints(about["size"])
        pieces = [
            (offsets, _piece(metadata.parent, places, str(name), offsets))
            for offsets in (_ints(_attributes(c).get("offsets")) for c in about.get("chunks", []))
        ]
        if not pieces:
            raise Unreadable("a tensor has no chunk", f"{where}, {str(name)[:80]}", "save it again")
        found[str(name)] = _whole(str(name), shape, pieces)
    known = ("torch.", "pathlib.", "collections.")
    planned = state.get("planner_data")
    paths = {str(k): v for k, v in planned.items() if isinstance(v, tuple)} if isinstance(planned, dict) else {}
    return nested(found, paths), [r for r in refused if not r.startswith(known)]


def _whole(name: str, shape: tuple[int, ...], pieces: list[tuple[tuple[int, ...], LazyTensor]]) -> LazyTensor:
    first = pieces[0][1]
    if len(pieces) == 1 and first.shape == shape:
        return first.named(name)
    held = sum(piece.numel for _, piece in pieces)
    fault = None if held == math.prod(shape) else f"its chunks hold {held} of {math.prod(shape)} numbers"
    for offsets, piece in pieces:
        inside = len(offsets) == len(piece.shape) == len(shape) and all(
            o >= 0 and o + n <= whole for o, n, whole in zip(offsets, piece.shape, shape, strict=True)
        )
        if not inside or piece.fault or not piece.contiguous:
            fault = piece.fault or "one of its chunks lies outside of it"
    if not fault and overlapping(piece for _, piece in pieces):
        fault = "its chunks share their numbers"
    size = held * itemsize(first.dtype)
    storage = Storage(name, Span(first.storage.span.path, 0, size), first.dtype)
    return ShardedTensor(name, shape, first.dtype, storage, 0, dense(shape), fault, pieces)


def nested(flat: dict[str, Any], paths: dict[str, tuple[Any, ...]]) -> Any:
    """The tree that was saved: `paths` says for each flat name by which keys and list places it was reached."""
    tree: dict[Any, Any] = {}
    for name, value in flat.items():
        keys = paths.get(name) or (name,)
        if len(keys) > DEEPEST or not all(isinstance(key, str | int) for key in keys):
            keys = (name,)
        node = tree
        for key in keys[:-1]:
            below = node.setdefault(key, {})
            node = below if isinstance(below, dict) else {}
        node[keys[-1]] = value
    return _with_lists(tree)


def _with_lists(node: Any) -> Any:
    """Dicts whose keys are 0, 1, 2 ... were lists before they were flattened."""
    if not isinstance(node, dict):
        return node
    below = {key: _with_lists(value) for key, value in node.items()}
    if below and all(type(k) is int for k in below) and sorted(below) == list(range(len(below))):
        return [below[i] for i in range(len(below))]
    return below


def _attributes(node: Any) -> dict[str, Any]:
    """What was put into an object of a foreign class."""
    if isinstance(node, Inert):
        state = node.state
        if isinstance(state, tuple):
            merged: dict[str, Any] = {}
            for part in state:
                merged |= part if isinstance(part, dict) else {}
            return merged
        return state if isinstance(state, dict) else dict(node.items)
    return {}


def _ints(value: Any) -> tuple[int, ...]:
    if isinstance(value, Inert):
        value = value.args[0] if value.args else value.values
    return tuple(int(v) for v in value) if isinstance(value, list | tuple) else ()


def _place(key: Any, value: Any) -> tuple[tuple[str, tuple[int, ...]], tuple[str, int, int]]:
    index, info = _attributes(key), _attributes(value)
    name = str(index.get("fqn", ""))
    where = str(info.get("relative_path", ""))
    return (name, _ints(index.get("offset"))), (where, int(info.get("offset", 0)), int(info.get("length", 0)))


def _span(folder: Path, places: dict[Any, tuple[str, int, int]], name: str, offsets: tuple[int, ...]) -> Span:
    place = places.get((name, offsets)) or places.get((name, ()))
    if place is None:
        raise Unreadable("the table does not say where a chunk lies", f"{folder}, {name[:80]}", "save it again")
    file, start, length = place
    path = folder / file
    if "/" in file or "\\" in file or file in ("", "..") or path.is_symlink() or not path.is_file():
        raise Unreadable(f"its part {file[:80]!r} is not there", str(folder), "copy the whole folder")
    return Span(path, 0, path.stat().st_size).part(start, length)


def _piece(folder: Path, places: dict[Any, Any], name: str, offsets: tuple[int, ...]) -> LazyTensor:
    tree = _inner(_span(folder, places, name, offsets))
    if not isinstance(tree, LazyTensor):
        raise Unreadable("a chunk holds no tensor", f"{folder}, {name[:80]}", "save it again")
    return tree


def _value(folder: Path, places: dict[Any, Any], name: str) -> Any:
    tree = _inner(_span(folder, places, name, ()))
    return None if isinstance(tree, Inert | Name) else tree


def _inner(span: Span) -> Any:
    archive = Archive(span)
    if not is_torch(archive):
        raise Unreadable("a part is no torch file", str(span.path), "save it again")
    return read_torch_zip(archive)[0]
