"""The child process: reads requests from stdin, runs probes, answers in JSON lines. It may die; its parent says so.

What a person's code prints goes to stderr: the real stdout is kept for the protocol alone.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from .artifacts import Artifacts
from .describe import describe
from .discover import discover
from .errors import Unreadable
from .finding import Finding
from .protocol import Message, decode, encode
from .registry import load
from .renaming import rename
from .saved import statistics

PROGRESS_EVERY = 0.05
"""Seconds between progress messages at least."""

SWITCH = 5e-4
"""Seconds after which a thread hands the interpreter over: what NumPy computes in another is done within Python's 5 ms.
"""


def main(argv: Sequence[str]) -> None:
    """Serves requests until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory-mb", type=int, default=0)
    limit_memory(parser.parse_args(argv).memory_mb)
    gc.set_threshold(200_000, 20, 100)  # files hold millions of small objects that stay: looking for garbage is in vain
    sys.setswitchinterval(SWITCH)
    requests, replies = _take_streams()
    server = Server(replies)
    for line in requests:
        server.answer(decode(line))


def limit_memory(megabytes: int) -> None:
    """Lets allocations fail above a limit (0: none) where the system can: better an error than a swapping machine."""
    try:
        import resource
    except ImportError:
        return
    if megabytes > 0:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = megabytes << 20
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows the name and refuses
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _take_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Keeps stdin and stdout for the protocol and gives everyone else an empty stdin and stderr."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, replies


class Server:
    """Holds what was opened; answers one request at a time."""

    def __init__(self, replies: IO[bytes]) -> None:
        self._replies, self._artifacts, self._last = replies, Artifacts(), 0.0

    def answer(self, request: Message) -> None:
        """Does what a request asks and sends one `result` or `error`, after any number of `progress`."""
        number, self._last = request.get("id"), 0.0
        try:
            self._send({"id": number, "result": self._do(request)})
        except Unreadable as error:
            self._send({"id": number, "error": {"what": error.what, "where": error.where, "do": error.do}})
        except MemoryError:
            self._send({"id": number, "error": _problem("it needs more memory than the limit allows", request)})
        except Exception as error:
            self._send({"id": number, "error": _problem(_in_words(error), request)})

    def _do(self, request: Message) -> Any:
        if request["do"] == "open":
            target = Path(request["target"]) if request.get("target") else None
            statistics.forget()
            trust = bool(request.get("trust"))
            found = discover([Path(p) for p in request["paths"]], target, self._progress, trust)
            self._artifacts = replace(found, logs=rename(found.logs, request.get("names") or {}))
            for folder in _code_folders(self._artifacts):
                if folder not in sys.path:
                    sys.path.insert(0, folder)
            return describe(self._artifacts, self._progress)
        if request["do"] == "describe":
            return describe(self._artifacts, self._progress)
        if request["do"] == "run":
            return self._run(request["probe"]).to_json()
        raise Unreadable(f"unknown request {request['do']!r}", "worker", "use open, describe or run")

    def _run(self, probe: str) -> Finding:
        """A probe that raises, or calls exit, becomes a Finding that says so."""
        run = load(probe)
        start = time.monotonic()
        try:
            finding: Finding = run(self._artifacts, self._progress)
        except MemoryError:
            finding = Finding(probe, "it ran out of memory", "crashed", needs="a higher memory limit")
        except Unreadable as error:
            finding = Finding(probe, f"could not read {error.where}: {error.what}", "could-not-check", needs=error.do)
        except BaseException as error:
            traceback.print_exc()
            finding = Finding(probe, f"it stopped with {_in_words(error)}", "crashed")
        return _timed(finding, time.monotonic() - start)

    def _progress(self, fraction: float, text: str = "") -> None:
        now = time.monotonic()
        if now - self._last >= PROGRESS_EVERY:
            self._last = now
            self._send({"progress": min(1.0, max(0.0, float(fraction))), "text": text[:200]})

    def _send(self, message: Message) -> None:
        view = memoryview(encode(message))
        while view:
            view = view[self._replies.write(view) :]


def _timed(finding: Finding, seconds: float) -> Finding:
    return replace(finding, seconds=round(seconds, 3))


def _code_folders(artifacts: Artifacts) -> list[str]:
    """Where the person's imports resolve from: only when they asked for their code to be run."""
    return [str(artifacts.target.resolve().parent)] if artifacts.target else []


def _problem(what: str, request: Message) -> dict[str, str]:
    where = ", ".join(request.get("paths") or [str(request.get("probe", request.get("do")))])
    return {"what": what, "where": where[:500], "do": "please report this with the file if you can"}


def _in_words(error: BaseException) -> str:
    """Type, message and place of an error, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}{': ' + text if text else ''}{place}"
