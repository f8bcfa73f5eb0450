"""ONNX models: what each weight is says the onnx package, which is an extra; its bytes are read where they lie.

Weights in other files (all that a model of more than 2 GB has) are read in pieces from files of the model's own folder;
a location that leads elsewhere, or a link, is never opened.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from ...artifacts import Array, Checkpoint, Tensor
from ...errors import Unreadable
from ..protobuf import spans
from .lazy import NUMPY, LazyTensor, Storage, dense, tensor
from .library_tensor import LibraryTensor
from .span import Span

GRAPH = re.compile(rb"\x08[\x03-\x1f]\x3a[\x80-\xff]{0,4}[\x00-\x7f]\x0a")
"""ir_version, then field 7 (the graph) of some length, which begins with its first node."""
GRAPH_FIELD, INITIALIZER, RAW_DATA = (7, 2), (5, 2), (9, 2)
"""Field and wire type of a model's graph, of a graph's weights, of a weight's bytes."""
LARGE, MOST_HELD = 1 << 12, 256 << 20
"""Bytes from which on a weight is not held in memory, and at most where it must be."""
MOST_FIELDS, FEW_FIELDS = 1_000_000, 64
"""Parts of a graph, and of a weight that come before its bytes."""
WORDS = (b"pytorch", b"onnx", b"tf2onnx", b"keras2onnx", b"skl2onnx", b"ONNX")


def looks_like_onnx(head: bytes) -> bool:
    """Whether the first bytes can be a ModelProto: ir_version first, then the graph or soon the name of an exporter."""
    return head[:1] == b"\x08" and (bool(GRAPH.match(head)) or any(word in head[:400] for word in WORDS))


def read_onnx(path: Path) -> Checkpoint:
    """The initializers, which hold the weights. Raises Unreadable, also when onnx is not installed."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        do = "install it with pip install onnx (into the interpreter of --python, if you use one)"
        raise Unreadable("ONNX files need the onnx package, which is not installed", str(path), do) from None
    try:
        tensors: dict[str, Tensor] = {}
        outside = 0
        parse = onnx.TensorProto.FromString
        for item, raw, whole in _initializers(path, parse):
            dtype, shape = onnx.helper.tensor_dtype_to_np_dtype(item.data_type).name, tuple(item.dims)
            if item.data_location == onnx.TensorProto.EXTERNAL:
                where = {entry.key: entry.value for entry in item.external_data}
                beside = _beside(path, item.name, shape, dtype, where)
                tensors |= {} if beside is None else {item.name: beside}
                outside += beside is None
            elif raw is not None and dtype in NUMPY:
                lazy = tensor(Storage(item.name, raw, dtype), shape, dense(shape), 0, dtype)
                tensors[item.name] = lazy.named(item.name)
            else:  # small, or of a type that packs several numbers into a byte
                load = partial(_by_library, whole, parse, numpy_helper.to_array)
                tensors[item.name] = LibraryTensor(item.name, shape, dtype, load)
    except Unreadable:
        raise
    except Exception as error:  # protobuf and onnx raise types of their own, without a common base
        raise Unreadable(f"no valid ONNX model ({str(error)[:80]})", str(path), "export it again") from error
    warnings = []
    if outside:
        warnings.append(f"{outside} weights are said to lie in other files, where none that may be opened holds them.")
    if not tensors:
        warnings.append("the weights are constants inside the graph; none is an initializer.")
    return Checkpoint(path, "onnx", tensors, warnings=tuple(warnings))


def _by_library(whole: Span, parse: Callable[[bytes], Any], to_array: Callable[[Any], Array]) -> Array:
    return to_array(parse(whole.read()))


def _initializers(path: Path, parse: Callable[[bytes], Any]) -> Iterator[tuple[Any, Span | None, Span]]:
    """Every weight: a TensorProto, without the bytes of all but small ones; where these are; where all of it is."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        whole, graphs, count = Span(path, 0, len(data)), 0, 0
        for number, wire, begin, stop in islice(spans(data, 0, len(data)), MOST_FIELDS):
            if (number, wire) != GRAPH_FIELD:
                continue
            graphs += 1
            for field, kind, start, end in spans(data, begin, stop):
                if (count := count + 1) > MOST_FIELDS:
                    raise Unreadable("the graph has millions of parts, as no model has", str(path), "export it again")
                if (field, kind) == INITIALIZER:
                    yield *_initializer(data, start, end, whole, parse), whole.part(start, end - start)
        if not graphs:
            raise Unreadable("no valid ONNX model (it has no graph)", str(path), "export it again")


def _initializer(
    data: mmap.mmap, begin: int, stop: int, whole: Span, parse: Callable[[bytes], Any]
) -> tuple[Any, Span | None]:
    raw = next((s for s in islice(spans(data, begin, stop), FEW_FIELDS) if s[:2] == RAW_DATA), None)
    if raw is not None and raw[3] - raw[2] >= LARGE:
        _, _, first, last = raw
        key = first - 1 - -(-(last - first).bit_length() // 7)  # before it stands its length, seven bits a byte
        return parse(data[begin:key] + data[last:stop]), whole.part(first, last - first)
    if stop - begin > MOST_HELD:
        why = f"a weight of {(stop - begin) >> 20} MB is written number by number, which cannot be read in pieces"
        raise Unreadable(why, str(whole.path), "export the model again, with raw data")
    return parse(data[begin:stop]), None


def _beside(path: Path, name: str, shape: tuple[int, ...], dtype: str, where: dict[str, str]) -> LazyTensor | None:
    """A tensor in a file of the same folder; None where there is no such file, or not all of the tensor in it."""
    place = where.get("location", "").removeprefix("./")
    file = path.parent / place
    if not place or Path(place).name != place or file.is_symlink() or not file.is_file() or dtype not in NUMPY:
        return None
    whole = Span(file, 0, file.stat().st_size)
    try:
        start = int(where.get("offset", "0"))
        span = whole.part(start, int(where.get("length", whole.length - start)))
    except (ValueError, Unreadable):
        return None
    found = tensor(Storage(name, span, dtype), shape, dense(shape), 0, dtype).named(name)
    return None if found.fault else found
