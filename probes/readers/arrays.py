"""The arrays of a data file: .npz, .npy, and tensors in dicts and tuples as torch.save writes them. Never unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import Unreadable
from .checkpoints.archive import Archive
from .checkpoints.lazy import LazyTensor
from .checkpoints.numpy_archive import read_npy, read_npz
from .checkpoints.span import Span
from .checkpoints.torch_legacy import MAGIC, read_torch_legacy
from .checkpoints.torch_zip import is_torch, read_torch_zip

DEEPEST = 4
_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def arrays(path: Path) -> list[tuple[str, LazyTensor]]:
    """(name, array) in file order; a name is the path of keys, "" for a single array. Raises Unreadable."""
    try:
        return list(_arrays(Span(path, 0, path.stat().st_size)))
    except (OSError, *_MALFORMED) as error:
        why = f"its content makes no sense ({type(error).__name__})"
        raise Unreadable(why, str(path), "save the data again") from error


def _arrays(span: Span) -> Iterator[tuple[str, LazyTensor]]:
    head = span.read(0, min(20, span.length))
    if head[:6] == b"\x93NUMPY":
        array = read_npy(span)
        yield from [] if array is None else [("", array)]
    elif MAGIC in head:
        yield from _leaves("", read_torch_legacy(span)[0])
    elif head[:4] == b"PK\x03\x04":
        archive = Archive(span)
        if is_torch(archive):
            yield from _leaves("", read_torch_zip(archive)[0])
        else:
            yield from read_npz(archive)[0].items()


def _leaves(name: str, node: Any, depth: int = 0) -> Iterator[tuple[str, LazyTensor]]:
    if isinstance(node, LazyTensor):
        yield name, node
    elif depth < DEEPEST and isinstance(node, dict | list | tuple):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _leaves(f"{name}.{key}".lstrip("."), inner, depth + 1)
