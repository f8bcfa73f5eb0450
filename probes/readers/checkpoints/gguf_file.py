"""GGUF models (llama.cpp) through the gguf package, which is an extra. Quantised blocks are decoded when read."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ...artifacts import Array, Checkpoint, Tensor
from ...errors import Unreadable
from .library_tensor import LibraryTensor
from .span import Span

MAGIC = b"GGUF"
MOST = 1_000_000
"""Tensors and settings that a header may claim."""


def read_gguf(path: Path) -> Checkpoint:
    """The tensors of a GGUF file. Raises Unreadable, also when gguf is not installed."""
    span = Span(path, 0, path.stat().st_size)
    if span.length < 24:
        raise Unreadable("the header is cut short", str(path), "copy or save it again")
    _, version, tensors, settings = struct.unpack("<4sIQQ", span.read(0, 24))
    if tensors > MOST or settings > MOST:
        raise Unreadable(f"the header claims {tensors} tensors and {settings} settings", str(path), "do not trust it")
    try:
        import gguf
    except ImportError:
        do = "install it with pip install gguf (into the interpreter of --python, if you use one)"
        raise Unreadable("GGUF files need the gguf package, which is not installed", str(path), do) from None
    try:
        reader = gguf.GGUFReader(str(path))
        found: dict[str, Tensor] = {}
        for item in reader.tensors:
            shape = tuple(int(n) for n in reversed(item.shape))
            load = partial(gguf.quants.dequantize, item.data, item.tensor_type)
            rows = partial(_rows, gguf.quants.dequantize, item) if len(item.data) == shape[0] > 1 else None
            found[item.name] = LibraryTensor(item.name, shape, item.tensor_type.name.lower(), load, rows)
    except Exception as error:  # the library raises whatever its parsing runs into
        raise Unreadable(f"no valid GGUF file ({str(error)[:80]})", str(path), "copy or convert it again") from error
    return Checkpoint(path, "gguf", found, hyper={"gguf_version": version})


def _rows(decode: Callable[..., Array], item: Any, first: int, last: int) -> Array:
    """Rows of a tensor, decoded: the file is mapped, and a row is a whole number of blocks."""
    return decode(item.data[first:last], item.tensor_type)
