"""safetensors: a length, a JSON header, then the numbers; parsed with the format's own rules (no gap, no overlap)."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

from ...errors import Unreadable
from .lazy import LazyTensor, Storage, dense, itemsize, tensor
from .span import Span

LONGEST_HEADER = 100_000_000
MOST_TENSORS = 200_000
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
}


def looks_like_safetensors(head: bytes, size: int) -> bool:
    """Whether a file that begins with `head` can be one."""
    return len(head) >= 9 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= size - 8


def read_safetensors(span: Span) -> tuple[dict[str, LazyTensor], dict[str, str]]:
    """The tensors in file order, and the free-text metadata. Raises Unreadable."""
    where = str(span.path)
    length = struct.unpack("<Q", span.read(0, 8))[0]
    if length > min(LONGEST_HEADER, span.length - 8):
        raise Unreadable(f"the header claims {length} bytes", where, "copy or save it again")
    text = span.read(8, length)
    if sum(map(text.count, (b'"', b",", b"[", b"{"))) > 20 * MOST_TENSORS:  # each tensor has 18 or 19 of them
        raise Unreadable(
            f"the header lists more than {MOST_TENSORS} tensors or values", where, "do not trust this file"
        )
    try:
        header = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the header is no valid JSON ({str(error)[:80]})", where, "save it again") from error
    if not isinstance(header, dict) or len(header) > MOST_TENSORS:
        raise Unreadable("the header is no table of tensors", where, "save it again")
    metadata = header.pop("__metadata__", {})
    data = span.part(8 + length, span.length - 8 - length)
    tensors = {name: _tensor(name, entry, data, where) for name, entry in header.items()}
    _check_layout([e["data_offsets"] for e in header.values()], data.length, where)
    texts = metadata if isinstance(metadata, dict) else {}
    return tensors, {str(k): str(v) for k, v in texts.items()}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def _tensor(name: str, entry: Any, data: Span, where: str) -> LazyTensor:
    try:
        kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable("an entry lacks type, shape or place", f"{where}, {name[:80]}", "save it again") from error
    dtype = DTYPES.get(kind if isinstance(kind, str) else "")
    numbers = [*shape, begin, end] if isinstance(shape, list) else [None]
    if any(type(n) is not int or n < 0 for n in numbers) or dtype is None or len(shape) > 64:
        raise Unreadable(
            f"type {str(kind)[:20]} or its shape is not supported", f"{where}, {name[:80]}", "save it again"
        )
    if end - begin != math.prod(shape) * itemsize(dtype):
        raise Unreadable("its bytes do not match its shape", f"{where}, {name[:80]}", "save it again")
    storage = Storage(name, data.part(begin, end - begin), dtype)
    return tensor(storage, tuple(shape), dense(tuple(shape)), 0).named(name)


def _check_layout(places: list[list[int]], length: int, where: str) -> None:
    at = 0
    for begin, end in sorted(places):
        if begin != at:
            raise Unreadable("its tensors overlap or leave gaps", where, "do not trust this file; save it again")
        at = end
    if at != length:
        raise Unreadable(f"{length - at} bytes follow the last tensor", where, "save it again")
