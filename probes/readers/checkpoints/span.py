"""Stretches of files: a file is opened once, when it is first read, and read from several threads without a seek."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import Unreadable

MOST_OPEN = 100
"""Files that are kept open at a time; systems allow 256 and more. Those beyond are opened for each read."""


class Opened:
    """A file, opened when it is first read and closed when nobody holds it any more."""

    _count = 0

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        self._file: io.FileIO | None = None

    def fill(self, start: int, into: memoryview) -> None:
        """Reads exactly as many bytes as `into` has room for. Raises Unreadable where the file ends too early."""
        file = None
        try:
            file = self._file or self._open()
            done = 0
            while done < len(into):  # the system hands over at most 2 GB at a time
                got = self._some(file, start + done, into[done:])
                if not got:
                    why, do = "the file ended while it was being read", "wait until it is written"
                    raise Unreadable(why, str(self.path), do)
                done += got
        except OSError as error:
            raise Unreadable(f"reading failed ({error.strerror})", str(self.path), "check the file") from error
        finally:
            if file is not None and file is not self._file:
                file.close()

    def _open(self) -> io.FileIO:
        with self._lock:
            if self._file is not None:
                return self._file
            file = io.FileIO(self.path, "r")
            if Opened._count < MOST_OPEN:
                Opened._count, self._file = Opened._count + 1, file
            return file

    def _some(self, file: io.FileIO, start: int, into: memoryview) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(file.fileno(), [into], start)
        with self._lock:
            file.seek(start)
            return file.readinto(into) or 0

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()
            type(self)._count -= 1


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes of a file from `start` on, or bytes that were inflated from it."""

    path: Path
    start: int
    length: int
    data: bytes | memoryview | None = None
    file: Opened | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.data is None and self.file is None:
            object.__setattr__(self, "file", Opened(self.path))

    def part(self, start: int, length: int) -> Span:
        """A stretch inside this one. Raises Unreadable if it does not lie inside."""
        self._check(start, length)
        if self.data is not None:
            return Span(self.path, 0, length, self.data[start : start + length])
        return Span(self.path, self.start + start, length, file=self.file)

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """Bytes from `start` on. Raises Unreadable where the file ends too early."""
        length = self.length - start if length is None else length
        self._check(start, length)  # before anything is allocated
        if self.data is not None:
            return bytes(self.data[start : start + length])
        numbers = bytearray(length)
        self.fill(start, memoryview(numbers))
        return bytes(numbers)

    def fill(self, start: int, into: memoryview) -> None:
        """Puts the bytes from `start` on into a buffer. Raises Unreadable where they are not all there."""
        self._check(start, len(into))
        if self.data is not None:
            into[:] = self.data[start : start + len(into)]
        elif self.file is not None:
            self.file.fill(self.start + start, into)

    def _check(self, start: int, length: int) -> None:
        if start < 0 or length < 0 or start + length > self.length:
            raise Unreadable("the file is shorter than its own directory says", str(self.path), "copy or save it again")

    def open(self) -> io.BufferedReader:
        """This stretch as a file of its own."""
        return io.BufferedReader(_SpanFile(self))


class _SpanFile(io.RawIOBase):
    """A read-only file over a Span."""

    def __init__(self, span: Span) -> None:
        self._span, self._at = span, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + {0: 0, 1: self._at, 2: self._span.length}[whence])
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = max(0, min(len(buffer), self._span.length - self._at))
        self._span.fill(min(self._at, self._span.length), memoryview(buffer)[:count])
        self._at += count
        return count
