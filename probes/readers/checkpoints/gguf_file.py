"""GGUF models (llama.cpp) through the gguf package, which is an extra. Quantised blocks are decoded when read."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...artifacts import Array, Checkpoint, Tensor
from ...errors import Unreadable
from .library_tensor import LibraryTensor
from .span import Span

MAGIC = b"GGUF"
_DTYPES = {"f16": "float16", "f32": "float32", "f64": "float64", "bf16": "bfloat16", "i8": "int8", "i16": "int16",
           "i32": "int32", "i64": "int64"}  # fmt: skip
"""Plain types by their usual names; all others are blocks of quantised numbers, "q4_k"."""
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
            decode = partial(_rows, gguf.quants.dequantize, item, str(path))
            rows = decode if len(item.data) == shape[0] > 1 else None
            kind = item.tensor_type.name.lower()
            found[item.name] = LibraryTensor(item.name, shape, _DTYPES.get(kind, kind), decode, rows)
    except Exception as error:  # the library raises whatever its parsing runs into
        raise Unreadable(f"no valid GGUF file ({str(error)[:80]})", str(path), "copy or convert it again") from error
    return Checkpoint(path, "gguf", found, hyper={"gguf_version": version}, warnings=_told(found))


def _told(found: dict[str, Tensor]) -> tuple[str, ...]:
    kinds = Counter(t.dtype for t in found.values() if t.dtype not in _DTYPES.values())
    if not kinds:
        return ()
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    return (f"{kinds.total()} of {len(found)} tensors are quantised ({named}): what is said of them is of the decoded "
            "numbers, which are near those that were trained.",)  # fmt: skip


def _rows(decode: Callable[..., Array], item: Any, path: str, first: int = 0, last: int | None = None) -> Array:
    """Rows of a tensor, decoded: the file is mapped, and a row is a whole number of blocks. Raises Unreadable."""
    try:
        with np.errstate(all="ignore"):  # blocks of NaN are for the probes to tell
            return decode(item.data[first:last], item.tensor_type)
    except (NotImplementedError, ValueError) as error:
        why = f"{item.tensor_type.name} is not decoded by the gguf package ({str(error)[:60]})"
        raise Unreadable(why, path, "convert it to another type") from error
