"""Tensors that are promises: where in a file the numbers lie, read slice by slice with NumPy alone."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from ..artifacts import Array
from ..errors import Unreadable

NUMPY: dict[str, str] = {
    "float64": "f8",
    "float32": "f4",
    "float16": "f2",
    "bfloat16": "u2",
    "int64": "i8",
    "int32": "i4",
    "int16": "i2",
    "int8": "i1",
    "uint64": "u8",
    "uint32": "u4",
    "uint16": "u2",
    "uint8": "u1",
    "bool": "u1",
    "complex64": "c8",
    "complex128": "c16",
    "float8_e4m3fn": "u1",
    "float8_e5m2": "u1",
    "float8_e4m3fnuz": "u1",
    "float8_e5m2fnuz": "u1",
    "float8_e8m0fnu": "u1",
    "quint8": "u1",
    "qint8": "i1",
    "qint32": "i4",
}
"""Our name of a dtype -> the NumPy type of its bytes."""

MOST_VIEWED = 16 << 20
"""Elements that a view may claim beyond its storage (expanded tensors): more is an attack or a mistake."""


def shown(name: str, limit: int = 80) -> str:
    """A name from a file as part of a sentence: short, and without control characters."""
    short = name if len(name) <= limit else f"{name[: limit - 20]}...{name[-17:]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)


def itemsize(dtype: str) -> int:
    """Bytes of one stored number; 1 for types that are not known."""
    return np.dtype(NUMPY.get(dtype, "u1")).itemsize


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes of a file from `start` on, or bytes that were inflated from it."""

    path: Path
    start: int
    length: int
    data: bytes | None = None

    def part(self, start: int, length: int) -> Span:
        """A stretch inside this one. Raises Unreadable if it does not lie inside."""
        if start < 0 or length < 0 or start + length > self.length:
            raise Unreadable("the file is shorter than its own directory says", str(self.path), "copy or save it again")
        if self.data is not None:
            return Span(self.path, 0, length, self.data[start : start + length])
        return Span(self.path, self.start + start, length)

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """Bytes from `start` on. Raises Unreadable where the file ends too early."""
        length = self.length - start if length is None else length
        inner = self.part(start, length)
        if inner.data is not None:
            return inner.data
        return self._numbers(np.dtype("u1"), start, length).tobytes()

    def _numbers(self, dtype: np.dtype[np.generic], start: int, count: int) -> Array:
        inner = self.part(start, count * dtype.itemsize)
        if inner.data is not None:
            return np.frombuffer(inner.data, dtype).copy()
        numbers: Array = np.empty(count, dtype)
        into, done = numbers.view(np.uint8).data, 0
        try:
            with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123 (20,000 small tensors: twice as fast)
                file.seek(inner.start)
                while done < inner.length:
                    got = file.readinto(into[done:])  # the system hands over at most 2 GB at a time
                    if not got:
                        raise Unreadable(
                            "the file ended while it was being read", str(self.path), "wait until it is written"
                        )
                    done += got
        except OSError as error:
            raise Unreadable(f"reading failed ({error.strerror})", str(self.path), "check the file") from error
        return numbers

    def open(self) -> io.BufferedReader:
        """This stretch as a file of its own."""
        return io.BufferedReader(_SpanFile(self))


class _SpanFile(io.RawIOBase):
    """A read-only file over a Span."""

    def __init__(self, span: Span) -> None:
        self._span, self._at = span, 0
        self._file = None if span.data is not None else span.path.open("rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + {0: 0, 1: self._at, 2: self._span.length}[whence])
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = max(0, min(len(buffer), self._span.length - self._at))
        if self._file is None:
            assert self._span.data is not None
            piece = self._span.data[self._at : self._at + count]
        else:
            self._file.seek(self._span.start + self._at)
            piece = self._file.read(count)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers that tensors are views of.

    Args:
        key: unique in its file.
        fault: why it cannot be read; None if it can.
    """

    key: str
    span: Span
    dtype: str
    swap: bool = False
    fault: str | None = None


@dataclass(slots=True, eq=False)
class LazyTensor:
    """A view of a storage: `offset` and `strides` count elements, not bytes. Implements `artifacts.Tensor`."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    storage: Storage
    offset: int
    strides: tuple[int, ...]
    fault: str | None = None

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        return itemsize(self.dtype)

    @property
    def view(self) -> tuple[str, str, int, tuple[int, ...], tuple[int, ...]]:
        """The same for two tensors that are the same numbers (tied weights)."""
        return str(self.storage.span.path), self.storage.key, self.offset, self.shape, self.strides

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie in the file in order and without gaps."""
        return all(
            size == 1 or stride == want
            for size, stride, want in zip(self.shape, self.strides, dense(self.shape), strict=True)
        )

    def named(self, name: str) -> LazyTensor:
        """The same numbers under another name."""
        return replace(self, name=name)

    def array(self) -> Array:
        """The whole tensor; see `artifacts.Tensor`. Raises Unreadable."""
        if self.numel == 0:
            return decode(np.empty(0, NUMPY[self.dtype]), self.dtype).reshape(self.shape)
        if self.contiguous:
            return self._read(self.offset, self.numel).reshape(self.shape)
        reach = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        flat = self._read(self.offset, reach + 1)
        steps = tuple(stride * flat.itemsize for stride in self.strides)
        strided: Array = np.lib.stride_tricks.as_strided(flat, self.shape, steps)
        return strided.copy()

    def chunks(self, limit: int = 8 << 20) -> Iterator[tuple[int, Array]]:
        """Rows in order; see `artifacts.Tensor`. Raises Unreadable."""
        if self.numel == 0:
            return
        rows = self.shape[0] if self.shape else 1
        width = self.numel // rows
        step = max(1, limit // max(1, width * self.itemsize))
        whole = None if self.contiguous else self.array().reshape(rows, width)
        for row in range(0, rows, step):
            count = min(step, rows - row)
            if whole is not None:
                yield row, whole[row : row + count]
            else:
                yield row, self._read(self.offset + row * width, count * width).reshape(count, width)

    def _read(self, first: int, count: int) -> Array:
        if self.fault:
            raise Unreadable(self.fault, f"{self.storage.span.path}, {shown(self.name)}", "save the checkpoint again")
        dtype = np.dtype(NUMPY[self.dtype]).newbyteorder(">" if self.storage.swap else "<")
        numbers = self.storage.span._numbers(dtype, first * dtype.itemsize, count)
        return decode(numbers.astype(dtype.newbyteorder("="), copy=False), self.dtype)


def tensor(
    storage: Storage, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, dtype: str | None = None
) -> LazyTensor:
    """A view of `storage`; what is wrong with it, if anything, is in its `fault`."""
    dtype = dtype or storage.dtype
    fault = storage.fault or _fault(storage, shape, strides, offset, dtype)
    if dtype not in NUMPY:
        dtype = "uint8"
    return LazyTensor("", shape, dtype, storage, offset, strides, fault)


def _fault(storage: Storage, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, dtype: str) -> str | None:
    if dtype not in NUMPY:
        return f"numbers of type {dtype[:40]} are not supported"
    if len(shape) != len(strides) or min((*shape, *strides, offset), default=0) < 0:
        return "its shape and strides make no sense"
    have = storage.span.length // itemsize(dtype)
    need = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1
    if math.prod(shape) and need > have:
        return f"it needs {need} stored numbers and the file holds {have}"
    if math.prod(shape) > have + MOST_VIEWED:
        return f"it claims {math.prod(shape):.3g} elements over {have} stored numbers"
    return None


def overlapping(pieces: Iterable[LazyTensor]) -> bool:
    """Whether pieces of one tensor claim more bytes than they have in files together: an attack, or a mistake."""
    claimed, held = 0, dict[tuple[Path, int], int]()
    for piece in pieces:
        claimed += piece.numel * piece.itemsize
        span = piece.storage.span
        held[span.path, span.start if span.data is None else id(span.data)] = span.length
    return claimed > sum(held.values())


def dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of a contiguous tensor."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(1, size)
    return tuple(reversed(strides))


def decode(numbers: Array, dtype: str) -> Array:
    """Stored bytes as numbers NumPy can compute with: half and quarter types become float32, bool becomes bool."""
    plain: Array = numbers
    if dtype == "bfloat16":
        plain = (numbers.astype(np.uint32) << np.uint32(16)).view(np.float32)
    elif dtype == "float16":
        plain = numbers.astype(np.float32)
    elif dtype == "bool":
        plain = numbers != 0
    elif dtype.startswith("float8"):
        plain = _float8(dtype)[numbers]
    return plain


@cache
def _float8(dtype: str) -> Array:
    """All 256 values of an 8-bit float type (OCP 8-bit floating point; the "fnuz" kind has one NaN and no infinity)."""
    return np.array([_float8_value(code, dtype) for code in range(256)], np.float32)


def _float8_value(code: int, dtype: str) -> float:
    if dtype == "float8_e8m0fnu":
        return math.nan if code == 255 else 2.0 ** (code - 127)
    bits = 3 if "e4m3" in dtype else 2
    unsigned, own_zero = dtype.endswith("uz"), code == 0x80
    bias = (7 if bits == 3 else 15) + unsigned
    sign, exponent, fraction = -1.0 if code & 0x80 else 1.0, (code & 0x7F) >> bits, code & ((1 << bits) - 1)
    if unsigned:
        if own_zero:
            return math.nan
    elif bits == 3 and code & 0x7F == 0x7F:
        return math.nan
    elif bits == 2 and exponent == 31:
        return sign * math.inf if fraction == 0 else math.nan
    if exponent == 0:
        return sign * math.ldexp(fraction, 1 - bias - bits)
    return sign * math.ldexp((1 << bits) + fraction, exponent - bias - bits)
