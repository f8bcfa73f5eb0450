"""The parent's side of the worker: starts it, asks it, outlives it. Standard library only; safe from several threads.

Whatever happens to the child (killed, hung, out of memory, cancelled) becomes one sentence; the next call starts a
fresh one and opens the same files again.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from .errors import Unreadable
from .finding import Finding, Status
from .protocol import LONGEST_LINE, Message, decode, encode

if TYPE_CHECKING:  # artifacts imports NumPy, which the parent does not need
    from .artifacts import Progress

BOOT = Path(__file__).resolve().parent / "boot.py"
OPEN_TIMEOUT = 600.0
POLL = 0.1


class _Died(Exception):
    """The worker did not answer; the text says why, as a phrase. `asked` if that was the caller's wish."""

    def __init__(self, why: str, do: str = "", asked: bool = False) -> None:
        super().__init__(why)
        self.why, self.do, self.asked = why, do, asked


class Worker:
    """One child process at a time; a context manager.

    Args:
        python: the interpreter to run it under (the person's environment); by default this one.
        memory_mb: its limit of memory where the system has one; 0 for none.
        probe_timeout_s: how long one probe may take.
        trust: unpickle torch files whole where the safe reader leaves something out; runs the code that they name.
        names: corrections of what columns of logs are called, canonical name -> column (`renaming.parse`).
        on_progress: told how far a call is that brings no callback of its own; 1 at its end, however that came about.
    """

    def __init__(
        self,
        python: str | None = None,
        memory_mb: int = 8192,
        probe_timeout_s: float = 120.0,
        trust: bool = False,
        names: Mapping[str, str] | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self._trust, self._names, self.on_progress = trust, dict(names or {}), on_progress
        self._python, self._memory_mb, self._timeout = python or sys.executable, memory_mb, probe_timeout_s
        self._lock = threading.RLock()
        self._child: _Child | None = None
        self._opened: Message | None = None
        self._cancelled = threading.Event()
        self._busy = False

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def last_words(self) -> tuple[str, ...]:
        """The last lines that the child (or the person's code in it) printed."""
        return tuple(self._child.stderr) if self._child else ()

    def open(
        self, paths: Sequence[str | Path], target: str | Path | None = None, on_progress: Progress | None = None
    ) -> dict[str, Any]:
        """Reads files and folders; returns what `describe` says. Raises Unreadable, also if the worker dies of it."""
        names = [str(p) for p in paths]
        request: Message = {
            "do": "open",
            "paths": names,
            "target": str(target) if target else None,
            "trust": self._trust,
            "names": self._names,
        }
        with self._lock, self._working():
            self._opened = None
            try:
                described: dict[str, Any] = self._call(request, OPEN_TIMEOUT, on_progress)
            except _Died as death:
                raise Unreadable(
                    f"reading it failed: {death.why}",
                    ", ".join(names)[:300],
                    death.do or "look at the files one by one",
                ) from None
            self._opened = request
            return described

    def run(self, probe_id: str, on_progress: Progress | None = None) -> Finding:
        """Runs one probe on what was opened. Whatever dies, a Finding comes back."""
        with self._lock, self._working():
            if self._opened is None:
                return Finding(probe_id, "nothing was opened", "could-not-check", needs="a file or run folder")
            start = time.monotonic()
            try:
                self._ensure()
                return Finding.from_json(self._call({"do": "run", "probe": probe_id}, self._timeout, on_progress))
            except _Died as death:
                status: Status = "could-not-check" if death.asked else "crashed"
                return Finding(probe_id, death.why, status, needs=death.do, seconds=time.monotonic() - start)
            except Unreadable as error:
                return Finding(probe_id, f"{error.where}: {error.what}", "could-not-check", needs=error.do)

    def cancel(self) -> None:
        """Ends the call in progress in another thread, if there is one: it returns at once as cancelled."""
        if self._busy:
            self._cancelled.set()
            if (child := self._child) is not None:
                child.kill()

    def close(self) -> None:
        """Ends the child. The Worker can be used again afterwards."""
        self.cancel()
        with self._lock:
            if self._child is not None:
                self._child.close()
            self._child = None

    def _ensure(self) -> None:
        """A living child that has opened what was opened before."""
        if self._child is not None and self._child.alive:
            return
        assert self._opened is not None
        self._call(self._opened, OPEN_TIMEOUT, None)

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """While a call lasts, `cancel` ends it; between calls it does nothing."""
        self._cancelled.clear()
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _call(self, request: Message, timeout: float, on_progress: Progress | None) -> Any:
        """The result of one request. Raises _Died, or Unreadable as the worker said."""
        tell = on_progress or self.on_progress
        try:
            return self._answer(request, timeout, tell)
        finally:
            if tell is not None:
                tell(1.0)

    def _answer(self, request: Message, timeout: float, tell: Progress | None) -> Any:
        if self._child is None or not self._child.alive:
            if self._child is not None:
                self._child.close()
            self._child = _Child(self._python, self._memory_mb)
        child = self._child
        deadline = time.monotonic() + timeout
        child.send(request)
        while True:
            if self._cancelled.is_set():
                child.close()
                raise _Died("it was cancelled", asked=True)
            if time.monotonic() > deadline:
                child.close()
                raise _Died(f"it ran past the time limit of {timeout:g} s", "a longer time limit")
            reply = child.receive(POLL)
            if reply is None:
                continue
            if "fatal" in reply:
                child.close()
                raise Unreadable(**reply["fatal"])
            if "progress" in reply:
                if request["do"] == "open":  # files may be of any size: as long as it goes on, it may
                    deadline = time.monotonic() + timeout
                if tell is not None:
                    tell(reply["progress"], reply["text"])
            elif "died" in reply:
                child.close()
                if self._cancelled.is_set():
                    raise _Died("it was cancelled", asked=True)
                raise _Died(
                    child.epitaph(),
                    "the worker's memory limit or the machine's memory may be too small" if child.starved else "",
                )
            elif "error" in reply:
                raise Unreadable(**reply["error"])
            else:
                return reply["result"]


class _Child:
    """One child process and the threads that read its two streams."""

    def __init__(self, python: str, memory_mb: int) -> None:
        command = [python, str(BOOT), "--memory-mb", str(memory_mb)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise Unreadable(
                f"cannot be started ({error.strerror})", python, "give --python a Python interpreter"
            ) from error
        self.stderr: deque[str] = deque(maxlen=40)
        self._replies: queue.Queue[Message] = queue.Queue()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._drain)]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def starved(self) -> bool:
        """Whether it ended as processes without memory do."""
        return self._process.returncode == -9 or any("MemoryError" in line for line in self.stderr)

    def send(self, request: Message) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # a dead child is noticed by its closed stdout
            self._process.stdin.write(encode(request))
            self._process.stdin.flush()

    def receive(self, timeout: float) -> Message | None:
        try:
            return self._replies.get(timeout=timeout)
        except queue.Empty:
            return None

    def kill(self) -> None:
        """Kills it and whatever it has started (data loaders)."""
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def close(self) -> None:
        """Ends it for good and frees its streams."""
        if self.alive:
            self.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(timeout=1)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def epitaph(self) -> str:
        """How it ended, as one phrase."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"its process was killed (signal {-code})"
        last = next((line.strip() for line in reversed(self.stderr) if line.strip()), "")
        return f"its process ended (exit code {code}){': ' + last[:200] if last else ''}"

    def _read(self) -> None:
        stream: IO[bytes] | None = self._process.stdout
        assert stream is not None
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(LONGEST_LINE):
                with contextlib.suppress(ValueError):  # an interpreter's start-up files may print before we do
                    self._replies.put(decode(line))
        self._replies.put({"died": True})

    def _drain(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(10_000):
                self.stderr.append(line.decode("utf-8", "replace").rstrip())
