"""torch.save of 2016 and 2017 (torch 0.1): a tar of four members, `sys_info`, `storages`, `tensors` and `pickle`.

`storages`: a count, then for each a pickled (key, location, class), its number of elements (int64) and raw bytes;
last a list of views (key, root key, offset, elements). `tensors`: a count, then for each a pickled (key, storage key,
class), the number of dimensions (8 bytes), sizes, strides and offset (int64). `pickle` refers to both by key.
"""

from __future__ import annotations

import struct
import tarfile
from typing import IO, Any

from ...errors import Unreadable
from .lazy import LazyTensor, Storage, itemsize, tensor
from .pickle_stream import read_pickle
from .span import Span
from .torch_values import BUILDERS, storage_dtype

PARTS = {"storages", "tensors", "pickle"}
MOST_MEMBERS = 16


def looks_like_tar(head: bytes) -> bool:
    """Whether a file that begins with `head` is a tar archive."""
    return head[257:262] == b"ustar"


def read_torch_tar(span: Span) -> tuple[Any, list[str]]:
    """The object tree and the names refused. Raises Unreadable."""
    members, where = _members(span), str(span.path)
    if not set(members) >= PARTS:
        raise Unreadable("a tar file that is no checkpoint of torch", where, "unpack it first")
    try:
        storages = _storages(members["storages"], where)
        known: dict[str, Any] = {**storages, **_tensors(members["tensors"], storages, where)}
    except struct.error as error:
        raise Unreadable("one of its tables is cut short", where, "copy it again") from error

    def find(pid: Any) -> Any:
        if isinstance(pid, tuple) and pid:
            return pid[0]  # a class whose source code was saved with it
        if str(pid) not in known:
            raise ValueError("a tensor that is not in its table")
        return known[str(pid)]

    with members["pickle"].open() as file:
        return read_pickle(file, where, BUILDERS, find)


def _members(span: Span) -> dict[str, Span]:
    """The plain files among the first members: where each lies."""
    found: dict[str, Span] = {}
    try:
        with span.open() as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for _ in range(MOST_MEMBERS):
                member = archive.next()
                if member is None:
                    break
                if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.name not in found:
                    found[member.name.removeprefix("./")] = span.part(member.offset_data, member.size)
    except (tarfile.TarError, OSError) as error:
        raise Unreadable("a tar file that is damaged", str(span.path), "copy it again") from error
    return found


def _storages(span: Span, where: str) -> dict[str, Storage]:
    found: dict[str, Storage] = {}
    with span.open() as file:
        for _ in range(_count(file, where)):
            key, _, kind = _triple(file, where)
            dtype = storage_dtype(kind)
            (numel,) = struct.unpack("<q", file.read(8))
            inside = span.part(file.tell(), numel * itemsize(dtype))
            found[str(key)] = Storage(str(key), inside, dtype)
            file.seek(inside.length, 1)
        views, _ = read_pickle(file, where, BUILDERS, lambda pid: None)
    for view in views if isinstance(views, list) else []:
        key, root, offset, numel = view
        whole = found[str(root)]
        size = itemsize(whole.dtype)
        found[str(key)] = Storage(str(key), whole.span.part(offset * size, numel * size), whole.dtype)
    return found


def _tensors(span: Span, storages: dict[str, Storage], where: str) -> dict[str, LazyTensor]:
    found: dict[str, LazyTensor] = {}
    with span.open() as file:
        for _ in range(_count(file, where)):
            key, storage, _ = _triple(file, where)
            (dimensions,) = struct.unpack("<q", file.read(8))
            if not 0 <= dimensions <= 64:
                raise ValueError("a tensor whose shape makes no sense")
            shape, strides = (struct.unpack(f"<{dimensions}q", file.read(8 * dimensions)) for _ in range(2))
            (offset,) = struct.unpack("<q", file.read(8))
            found[str(key)] = tensor(storages[str(storage)], shape, strides, offset)
    return found


def _count(file: IO[bytes], where: str) -> int:
    number, _ = read_pickle(file, where, {}, lambda pid: None)
    if type(number) is not int or number < 0:
        raise ValueError("a table without a count")
    return number


def _triple(file: IO[bytes], where: str) -> tuple[Any, Any, Any]:
    row, _ = read_pickle(file, where, BUILDERS, lambda pid: None)
    if not isinstance(row, tuple) or len(row) != 3:
        raise ValueError("a table whose rows are not understood")
    return row
