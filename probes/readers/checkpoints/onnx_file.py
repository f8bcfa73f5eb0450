"""ONNX models through the onnx package, which is an extra.

Weights in other files (all that a model of more than 2 GB has) are read in pieces from files of the model's own folder;
a location that leads elsewhere, or a link, is never opened.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from ...artifacts import Checkpoint, Tensor
from ...errors import Unreadable
from .lazy import NUMPY, LazyTensor, Storage, dense, tensor
from .library_tensor import LibraryTensor
from .span import Span

GRAPH = re.compile(rb"\x08[\x03-\x1f]\x3a[\x80-\xff]{0,4}[\x00-\x7f]\x0a")
"""ir_version, then field 7 (the graph) of some length, which begins with its first node."""
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
        model = onnx.load(str(path), load_external_data=False)
        tensors: dict[str, Tensor] = {}
        outside = 0
        for item in model.graph.initializer:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(item.data_type).name
            if item.data_location == onnx.TensorProto.EXTERNAL:
                where = {entry.key: entry.value for entry in item.external_data}
                beside = _beside(path, item.name, tuple(item.dims), dtype, where)
                tensors |= {} if beside is None else {item.name: beside}
                outside += beside is None
                continue
            load = partial(numpy_helper.to_array, item)
            tensors[item.name] = LibraryTensor(item.name, tuple(item.dims), dtype, load)
    except Exception as error:  # protobuf and onnx raise types of their own, without a common base
        raise Unreadable(f"no valid ONNX model ({str(error)[:80]})", str(path), "export it again") from error
    warnings = []
    if outside:
        warnings.append(f"{outside} weights are said to lie in other files, where none that may be opened holds them.")
    if not tensors:
        warnings.append("the weights are constants inside the graph; none is an initializer.")
    return Checkpoint(path, "onnx", tensors, warnings=tuple(warnings))


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
