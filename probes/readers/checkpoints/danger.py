"""Names that no checkpoint needs: what a pickle asks for when it wants to run commands, load code or open files."""

from __future__ import annotations

from collections.abc import Iterable

MODULES = (
    "os", "posix", "nt", "subprocess", "_posixsubprocess", "sys", "runpy", "importlib", "imp", "pkgutil",
    "pickle", "_pickle", "marshal", "shelve", "socket", "shutil", "ctypes", "_ctypes", "pty", "platform",
    "webbrowser", "commands", "code", "codeop", "timeit", "pdb", "bdb", "cProfile", "profile", "urllib.request",
    "http.client", "ftplib", "smtplib", "telnetlib", "requests", "httpx", "pip", "torch.hub",
    "torch.utils.cpp_extension",
)  # fmt: skip
CALLS = (
    "builtins.exec", "builtins.eval", "builtins.execfile", "builtins.compile", "builtins.open",
    "builtins.__import__", "builtins.input", "builtins.breakpoint", "builtins.globals", "io.open", "_io.open",
    "_io.FileIO", "io.FileIO", "numpy.load", "joblib.load", "dill.loads", "cloudpickle.loads", "torch.load",
    "torch.serialization.load", "torch.jit.load", "torch.ops.load_library", "torch.classes.load_library",
)  # fmt: skip


def dangerous(names: Iterable[str]) -> list[str]:
    """Those of `names` ("module.attribute") that can run code, load code or reach files and the network."""
    return [n for n in names if n in CALLS or any(n == m or n.startswith(f"{m}.") for m in MODULES)]


def warning(names: Iterable[str]) -> list[str]:
    """At most one sentence about them."""
    found = dangerous(names)
    if not found:
        return []
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return [f"it asks for {', '.join(found[:3])}{more}, which a checkpoint never needs: do not load it with pickle."]
