"""Exported programs (`torch.export.save`, .pt2): weights by their table, without the graph; nothing is run.

Layout: ROOT/archive_format says "pt2"; ROOT/data/weights/*_weights_config.json names each weight's member, type, sizes
and strides; the members hold raw little-endian numbers, or a torch file each where `use_pickle` is true.
"""

from __future__ import annotations

import json
import math
from typing import Any

from ...errors import Unreadable
from .archive import Archive
from .lazy import LazyTensor, Storage, dense, tensor
from .torch_zip import read_torch_zip

MOST_TABLE = 64 << 20
DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
}
"""The numbers of torch's export schema (torch/_export/serde/schema.py, ScalarType)."""


def is_exported(archive: Archive) -> bool:
    """Whether an archive is an exported program."""
    return any(n == "archive_format" or n.endswith("/archive_format") for n in archive.names) and bool(_tables(archive))


def read_exported(archive: Archive) -> dict[str, LazyTensor]:
    """Parameters and persistent buffers in the table's order. Raises Unreadable."""
    found: dict[str, LazyTensor] = {}
    for name in _tables(archive):
        root = name.rpartition("/")[0]
        for key, entry in _table(archive, name).items():
            found[key] = _weight(archive, root, key, entry).named(key)
    return found


def _tables(archive: Archive) -> list[str]:
    return [n for n in archive.names if n.endswith("_weights_config.json")]


def _table(archive: Archive, name: str) -> dict[str, Any]:
    try:
        table = json.loads(archive.member(name, MOST_TABLE).read())["config"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(
            "the table of weights is damaged", f"{archive.span.path}, {name}", "export it again"
        ) from error
    if not isinstance(table, dict):
        raise Unreadable("the table of weights is damaged", f"{archive.span.path}, {name}", "export it again")
    return table


def _weight(archive: Archive, root: str, key: str, entry: Any) -> LazyTensor:
    where = f"{archive.span.path}, {key[:80]}"
    try:
        member = f"{root}/{entry['path_name']}"
        meta = entry["tensor_meta"]
        shape = tuple(int(s["as_int"]) for s in meta["sizes"])
        strides = tuple(int(s["as_int"]) for s in meta["strides"]) or dense(shape)
        offset = int(meta["storage_offset"]["as_int"])
        dtype = DTYPES.get(meta["dtype"], f"number {meta['dtype']}")
        pickled = bool(entry.get("use_pickle"))
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable("a weight is described in a way that is not understood", where, "export it again") from error
    span = archive.member(member)
    if pickled:
        tree, _, _ = read_torch_zip(Archive(span))
        if isinstance(tree, LazyTensor) and math.prod(tree.shape) == math.prod(shape):
            return tree
        raise Unreadable("a weight's own file holds no tensor of its shape", where, "export it again")
    return tensor(Storage(member, span, dtype), shape, strides, offset)
