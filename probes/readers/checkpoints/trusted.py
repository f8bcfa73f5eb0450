"""Torch files loaded whole, code and all: only for files that the person says to trust.

The file is unpickled once by torch, what is in it is put down as plain dicts and tensors in a temporary file, and that
file is read like any other: nothing after this step knows that a file was trusted.
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ...artifacts import Checkpoint
from ...errors import Unreadable
from .checkpoint import read_checkpoint

DEEPEST = 64


def read_trusted(path: Path) -> Checkpoint:
    """Unpickle a torch file, running whatever it names. Raises Unreadable."""
    import torch

    with _importable(path.parent):
        try:
            tree = torch.load(path, map_location="cpu", weights_only=False)
        except Exception as error:  # a person's classes raise what they like
            why = f"loading it whole failed ({type(error).__name__}: {str(error)[:120]})"
            raise Unreadable(why, str(path), "load it in its own project, and save model.state_dict()") from error
    copy = _folder() / f"{abs(hash(str(path.resolve())))}.pt"
    torch.save(plain(tree), copy)
    found = read_checkpoint(copy)
    warning = "loaded whole, as --trust asks: the code that it names was run."
    return replace(found, path=path, format=f"{found.format}-trusted", warnings=(*found.warnings, warning))


def plain(value: Any, depth: int = 0) -> Any:
    """The same as dicts, lists, tensors and plain values: what has a state dict as that, the rest as text."""
    import torch

    if depth > DEEPEST:
        return None
    if isinstance(value, torch.Tensor | int | float | bool | str | type(None)):
        return value.detach() if isinstance(value, torch.Tensor) else value
    if isinstance(value, dict):
        return {k if isinstance(k, int) else str(k): plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(v, depth + 1) for v in value]
    if callable(getattr(value, "state_dict", None)):
        return plain(value.state_dict(), depth + 1)
    if hasattr(value, "__dict__") and not callable(value):
        return plain(vars(value), depth + 1)
    return str(value)[:200]


@contextlib.contextmanager
def _importable(folder: Path) -> Any:
    """The file's own folder on the path while its classes are looked for."""
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder.resolve()))


@cache
def _folder() -> Path:
    """A folder of this process, gone with it."""
    folder = Path(tempfile.mkdtemp(prefix="nn-doctor-trusted-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
