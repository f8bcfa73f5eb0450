"""torch.save's zip files (torch >= 1.6), Lightning and TorchScript too: the pickle walked, the numbers left on disk.

Layout: ROOT/data.pkl, ROOT/data/KEY one storage each (stored, not deflated), ROOT/byteorder.
"""

from __future__ import annotations

import io
from typing import Any

from ...errors import Unreadable
from .archive import Archive
from .lazy import Storage, itemsize
from .pickle_stream import Name, read_pickle
from .span import Span
from .torch_values import BUILDERS, storage_dtype

MOST_PICKLE = 256 << 20


def is_torch(archive: Archive) -> bool:
    """Whether an archive is one that torch.save or torch.jit.save wrote."""
    return any(name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1) for name in archive.names)


def read_torch_zip(archive: Archive) -> tuple[Any, list[str], str]:
    """The object tree, the names refused, and the format ("torch-zip" or "torchscript"). Raises Unreadable."""
    pickles = [n for n in archive.names if n.rpartition("/")[2] == "data.pkl" and n.count("/") <= 1]
    if len(pickles) != 1:
        raise Unreadable("the archive holds several data.pkl", str(archive.span.path), "do not trust this file")
    root = pickles[0].removesuffix("data.pkl")
    order = root + "byteorder"
    swap = order in archive and archive.member(order, 64).read()[:16].strip() == b"big"
    storages: dict[str, Storage] = {}

    def persistent(pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[2], str):
            raise ValueError("an unknown kind of persistent id")
        key, numel = pid[2], pid[4]
        if key not in storages:
            storages[key] = _storage(archive, root, key, pid[1], numel, swap)
        return storages[key]

    script = any(n.startswith(root + "code/") for n in archive.names) or root + "constants.pkl" in archive
    span = archive.member(pickles[0], MOST_PICKLE)
    if span.length > MOST_PICKLE:
        raise Unreadable("its data.pkl is larger than 256 MB", str(span.path), "save tensors, not Python objects")
    tree, refused = read_pickle(io.BytesIO(span.read()), str(archive.span.path), BUILDERS, persistent)
    return tree, refused, "torchscript" if script else "torch-zip"


def _storage(archive: Archive, root: str, key: str, kind: Any, numel: Any, swap: bool) -> Storage:
    dtype = storage_dtype(kind) if isinstance(kind, Name | str) else "uint8"
    name = f"{root}data/{key}"
    nothing = Span(archive.span.path, 0, 0, b"")
    if name not in archive:
        return Storage(key, nothing, dtype, swap, "its numbers are not in the file")
    try:
        span = archive.member(name)
    except Unreadable as error:
        return Storage(key, nothing, dtype, swap, error.what)
    if type(numel) is not int or numel < 0 or numel * itemsize(dtype) > span.length:
        return Storage(key, span, dtype, swap, f"its storage holds {span.length} bytes and should hold {numel} numbers")
    return Storage(key, span, dtype, swap)
