"""NumPy archives (.npz) that hold a model's weights. Object arrays are pickles and are never read.

An archive is taken for weights if its names look like those of layers; otherwise it is data (see `is_weights`).
"""

from __future__ import annotations

import ast
import struct

import numpy as np

from ...errors import Unreadable
from .archive import Archive
from .layer_names import LAYER
from .lazy import NUMPY, LazyTensor, Storage, dense, tensor
from .span import Span

LONGEST_HEADER = 64 << 10
MOST_INFLATED = 1 << 30
CODES = {np.dtype(code).str[1:]: name for name, code in NUMPY.items() if name not in ("bfloat16", "float16")}
CODES |= {"f2": "float16", "b1": "bool", "u1": "uint8", "u2": "uint16", "i1": "int8"}


def is_weights(archive: Archive) -> bool:
    """Whether most of the archive's arrays have the names of a layer's weights, or several do that are paths."""
    names = [n.removesuffix(".npy") for n in archive.names if n.endswith(".npy")]
    layers = [n for n in names if LAYER.search(n)]
    return len(layers) > len(names) / 2 or sum("." in n or "/" in n for n in layers) > 1


def read_npz(archive: Archive) -> tuple[dict[str, LazyTensor], list[str]]:
    """The arrays in file order, and the names of those that are no numbers. Raises Unreadable."""
    found: dict[str, LazyTensor] = {}
    unread: list[str] = []
    for member in archive.names:
        name = member.removesuffix(".npy")
        read = _array(archive.member(member, MOST_INFLATED), f"{archive.span.path}, {name[:80]}")
        if read is None:
            unread.append(name)
        else:
            found[name] = read.named(name)
    return found, unread


def read_npy(span: Span) -> LazyTensor | None:
    """The array of one .npy file; None if it holds no numbers. Raises Unreadable."""
    return _array(span, str(span.path))


def _array(span: Span, where: str) -> LazyTensor | None:
    head = span.read(0, min(span.length, 12))
    if head[:6] != b"\x93NUMPY":
        return None
    wide = head[6] >= 2
    length = struct.unpack("<I", head[8:12])[0] if wide else struct.unpack("<H", head[8:10])[0]
    start = 12 if wide else 10
    if length > LONGEST_HEADER:
        raise Unreadable("an array's header is too long", where, "save it again")
    try:
        header = ast.literal_eval(span.read(start, length).decode("latin-1"))
        code, fortran, shape = str(header["descr"]), bool(header["fortran_order"]), tuple(map(int, header["shape"]))
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise Unreadable("an array's header is damaged", where, "save it again") from error
    dtype = CODES.get(code[1:])
    if dtype is None:
        return None
    numbers = span.part(start + length, span.length - start - length)
    strides = tuple(reversed(dense(tuple(reversed(shape))))) if fortran else dense(shape)
    return tensor(Storage(where, numbers, dtype, swap=code[0] == ">"), shape, strides, 0)
