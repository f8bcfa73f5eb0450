"""torch.save before torch 1.6: pickles in a row, then each storage's numbers.

Order: magic number, protocol 1001, system info, the object, the list of storage keys; then for every key its number
of elements (int64) and its raw bytes. Element types are only in the object's persistent ids, so the object is walked
twice: once to learn them, once to build it on storages whose place is known.
"""

from __future__ import annotations

import struct
from typing import IO, Any

from ...errors import Unreadable
from .lazy import Storage, itemsize
from .pickle_stream import Name, read_pickle
from .span import Span
from .torch_values import BUILDERS, storage_dtype

MAGIC = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"


def read_torch_legacy(span: Span) -> tuple[Any, list[str]]:
    """The object tree and the names refused. Raises Unreadable."""
    where = str(span.path)
    sizes: dict[str, tuple[str, int]] = {}

    def learn(pid: Any) -> Any:
        if _is_class(pid):
            return pid[1]
        key, dtype, numel, _ = _storage_id(pid)
        sizes[key] = (dtype, numel)
        return None

    with span.open() as file:
        (_, one), (_, two) = (read_pickle(file, where, {}, learn) for _ in range(2))
        info, three = read_pickle(file, where, {}, learn)
        swap = isinstance(info, dict) and info.get("little_endian") is False
        start = file.tell()
        read_pickle(file, where, {}, learn)
        keys, four = read_pickle(file, where, {}, learn)
        storages = _place(span, file, keys, sizes, swap)

        def place(pid: Any) -> Any:
            if _is_class(pid):
                return pid[1]
            key, dtype, _, shift = _storage_id(pid)
            storage = storages.get(key)
            if storage is None:
                return Storage(key, Span(span.path, 0, 0, b""), dtype, swap, "its numbers are not in the file")
            if not shift:
                return storage
            skip = shift * itemsize(dtype)
            return Storage(f"{key}+{shift}", storage.span.part(skip, storage.span.length - skip), dtype, swap)

        file.seek(start)
        tree, names = read_pickle(file, where, BUILDERS, place)
        return tree, [*names, *one, *two, *three, *four]


def _is_class(pid: Any) -> bool:
    """Whether it is a module's class, which is saved with the text of its source."""
    return isinstance(pid, tuple) and len(pid) == 4 and pid[0] == "module" and isinstance(pid[1], Name)


def _storage_id(pid: Any) -> tuple[str, str, int, int]:
    """(key, dtype, elements, elements skipped by a view) of a persistent id."""
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[2], str):
        raise ValueError("an unknown kind of persistent id")
    view = pid[5] if len(pid) > 5 else None
    shift = view[1] if isinstance(view, tuple) and len(view) == 3 else 0
    if type(pid[4]) is not int or type(shift) is not int or pid[4] < 0 or shift < 0:
        raise ValueError("a storage whose size makes no sense")
    return pid[2], storage_dtype(pid[1]), pid[4], shift


def _place(span: Span, file: IO[bytes], keys: Any, sizes: dict[str, tuple[str, int]], swap: bool) -> dict[str, Storage]:
    """Where each storage lies: its count of elements, then its bytes, in the order of `keys`."""
    if not isinstance(keys, list):
        raise Unreadable("the list of storages is missing", str(span.path), "save it again")
    storages: dict[str, Storage] = {}
    at = file.tell()
    for key in keys:
        dtype, numel = sizes.get(str(key), ("uint8", 0))
        (count,) = struct.unpack(">q" if swap else "<q", span.read(at, 8))
        if str(key) not in sizes or count != numel:
            raise Unreadable(
                f"storage {str(key)[:40]} has {count} elements and should have {numel}", str(span.path), "save it again"
            )
        length = count * itemsize(dtype)
        storages[str(key)] = Storage(str(key), span.part(at + 8, length), dtype, swap)
        at += 8 + length
    return storages
