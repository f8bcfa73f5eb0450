"""A large log in pieces of whole lines, turned into arrays by processes beside this one and handed on in order.

Threads would be simpler, but NumPy hands the interpreter from one to the other at every step: two take as long as one.
What goes to and fro is a line of JSON and the bytes of arrays.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ....artifacts import Progress
from ....memory import settle

PIECE = 8 << 20
"""Bytes of a piece."""
LONGEST = 16 << 20
"""Bytes of a line; a longer one is cut."""
LARGE = 4 << 20
"""From this size on logs are read in pieces."""
WORTH = 48 << 20
"""Bytes of a file from which on it is worth it to start processes, which takes about as long as reading that much."""
FIRST = 2
"""Pieces that are read here meanwhile: most of what there is to learn about a log stands in its first lines."""
MOST_READERS = 4
BOOT = Path(__file__).parents[3] / "boot.py"

Given = dict[str, Any]
Made = tuple[Given, Sequence[npt.NDArray[Any]]]
Work = Callable[[bytes, Given], Made]


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a file."""

    file: IO[bytes]
    start: int
    size: int

    @property
    def stop(self) -> int:
        return self.start + self.size

    def read(self, begin: int = 0, stop: int | None = None) -> bytes:
        """The bytes between two places of the piece; all of it unless told."""
        self.file.seek(self.start + begin)
        return self.file.read((self.size if stop is None else stop) - begin)


def pieces(file: IO[bytes], progress: Progress | None, path: Path, start: int = 0) -> Iterator[Piece]:
    """The file in pieces from `start` on, as far as it goes now."""
    size = path.stat().st_size
    while start < size:
        stop = _line_end(file, start, size)
        if progress is not None:
            progress(stop / size, f"reading {path.name}")
        yield Piece(file, start, stop - start)
        start = stop


def _line_end(file: IO[bytes], start: int, size: int) -> int:
    """Behind the last line that ends within PIECE bytes, else behind the first one after them."""
    stop = start + PIECE
    if stop >= size:
        return size
    for back in (min(4096, PIECE), PIECE):
        file.seek(stop - back)
        if (found := file.read(back).rfind(b"\n")) >= 0:
            return stop - back + found + 1
    while stop < min(size, start + LONGEST):
        if (found := file.read(PIECE).find(b"\n")) >= 0:
            return stop + found + 1
        stop += PIECE
    return min(stop, size)


def made_of(work: Work, given: Callable[[], Given], parts: Iterator[Piece], size: int) -> Iterator[tuple[Piece, Made]]:
    """What `work` makes of each piece and of what is `given` by then, in their order.

    Args:
        work: a function of a module of this folder.
        size: bytes of the file.
    """
    readers = [Reader(work) for _ in range(_useful())] if size >= WORTH else []
    settle()
    try:
        for piece in islice(parts, FIRST) if readers else parts:
            yield piece, work(whole_lines(piece.read()), given())
        waiting = deque(_handed_out(readers, given, parts))
        while waiting:
            reader, piece, told = waiting.popleft()
            made = reader.made()
            waiting.extend(_handed_out([reader], given, parts))
            yield piece, work(whole_lines(piece.read()), told) if made is None else made
    finally:
        for reader in readers:
            reader.close()


def whole_lines(data: bytes) -> bytes:
    """With an end of the last line, which a file may lack."""
    return data if data.endswith(b"\n") else data + b"\n"


def identity(file: IO[bytes]) -> list[int]:
    """Of the file itself, which stays when a log is rotated and its name is given to another one."""
    status = os.fstat(file.fileno())
    return [status.st_dev, status.st_ino]


def _useful() -> int:
    """How many readers there is a processor for, beside this process, which has little to do; none where there is one
    processor only."""
    free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_READERS, free) if free > 1 else 0


def _handed_out(
    readers: Sequence[Reader], given: Callable[[], Given], parts: Iterator[Piece]
) -> Iterator[tuple[Reader, Piece, Given]]:
    for reader, piece in zip(readers, islice(parts, len(readers)), strict=False):
        told = given()
        reader.take(piece, told)
        yield reader, piece, told


class Reader:
    """A process that does one piece at a time."""

    def __init__(self, work: Work) -> None:
        self._work = [work.__module__.rpartition(".")[2], work.__name__]
        self._process = subprocess.Popen(
            [sys.executable, str(BOOT), "--pieces"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def take(self, piece: Piece, given: Given) -> None:
        """Begins with a piece."""
        assert self._process.stdin is not None
        place = {"file": piece.file.name, "is": identity(piece.file), "start": piece.start, "size": piece.size}
        request = {"work": self._work} | place
        with contextlib.suppress(OSError):  # a dead process is noticed by its silence
            send(self._process.stdin, request | {"given": given})

    def made(self) -> Made | None:
        """What it made of the piece; None if it could not, or has ended."""
        assert isinstance(self._process.stdout, BufferedReader)
        found = receive(self._process.stdout)
        return None if found is None or "failed" in found[0] else found

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        """Ends it, whatever it is doing."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def send(stream: IO[bytes], said: Given, arrays: Sequence[npt.NDArray[Any]] = ()) -> None:
    """Writes a message."""
    stream.write(json.dumps([said, [[a.dtype.str, len(a)] for a in arrays]]).encode() + b"\n")
    for array in arrays:
        stream.write(np.ascontiguousarray(array).data.cast("B") if len(array) else b"")
    stream.flush()


def receive(stream: BufferedReader) -> Made | None:
    """Reads a message; None where none (or half of one) came before the stream ended, or something else did."""
    try:
        said, forms = json.loads(stream.readline())
        arrays = [np.empty(length, form) for form, length in forms]
    except (ValueError, TypeError):
        return None
    for array in arrays:
        if len(array) and stream.readinto(array.data.cast("B")) < array.nbytes:
            return None
    return said, arrays


def serve() -> None:
    """What such a process does, until there is nothing more to come."""
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    assert isinstance(requests, BufferedReader)
    settle()
    while (request := receive(requests)) is not None:
        asked = request[0]
        module, name = asked["work"]
        try:
            with Path(asked["file"]).open("rb") as file:
                if identity(file) != asked["is"]:
                    raise FileNotFoundError("another file stands in its place by now")
                data = Piece(file, asked["start"], asked["size"]).read()
            work: Work = getattr(importlib.import_module(f".{module}", __package__), name)
            send(replies, *work(whole_lines(data), asked["given"]))
        except Exception as error:  # the one that asked does it again, and is told what is wrong
            send(replies, {"failed": repr(error)[:200]})
