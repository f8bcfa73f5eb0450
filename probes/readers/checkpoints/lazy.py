"""Tensors that are promises: where in a file the numbers lie, read slice by slice with NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from ...artifacts import Array
from ...errors import Unreadable
from .span import Span

Shape = tuple[int, ...]
Room = tuple[Array, Array]
"""Arrays to read into: the stored type, and float32 for types that are widened."""

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
_SIZES = {name: np.dtype(kind).itemsize for name, kind in NUMPY.items()}

WIDENED = (
    "bfloat16",
    "float16",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
)
"""Types that are handed out as float32."""

_SHIFTS = {
    "float16": (13, 0x8FFFE000, 2.0**112, 65536.0),
    "float8_e5m2": (21, 0x8FE00000, 2.0**112, 65536.0),
    "float8_e4m3fn": (20, 0x87F00000, 2.0**120, 480.0),
}
"""Of a type that is a piece of float32: bits to the left, sign and fraction that are kept, 2 to the difference of the
exponents' zero points, and the value from which on its codes mean NaN or infinity."""

FEW_SHAPES = 1 << 10
"""Shapes and strides whose extent is kept: files have many tensors of few shapes."""
MOST_VIEWED = 16 << 20
"""Elements that a view may claim beyond its storage (expanded tensors): more is an attack or a mistake."""


def shown(name: str, limit: int = 80) -> str:
    """A name from a file as part of a sentence: short, and without control characters."""
    short = name if len(name) <= limit else f"{name[: limit - 20]}...{name[-17:]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)


def itemsize(dtype: str) -> int:
    """Bytes of one stored number; 1 for types that are not known."""
    return _SIZES.get(dtype, 1)


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
        return _in_order(self.shape, self.strides)

    @property
    def layout(self) -> Hashable:
        """The same for tensors whose `blocks` lie in the same places."""
        return self.shape, self.strides

    def named(self, name: str) -> LazyTensor:
        """The same numbers under another name."""
        if type(self) is not LazyTensor:
            return replace(self, name=name)
        return LazyTensor(name, self.shape, self.dtype, self.storage, self.offset, self.strides, self.fault)

    @property
    def codes(self) -> LazyTensor:
        """The same bits as unsigned integers."""
        return replace(self, dtype=f"uint{8 * self.itemsize}")

    def loaded(self) -> LazyTensor:
        """The same tensor with its stored numbers in memory. Raises Unreadable."""
        self._check()
        count = _reach(self.shape, self.strides) if self.numel else 0
        numbers = np.empty(count * self.itemsize, np.uint8)
        self.storage.span.fill(self.offset * self.itemsize, numbers.data)
        span = Span(self.storage.span.path, 0, len(numbers), numbers.data.toreadonly())
        old = self.storage
        storage = Storage(old.key, span, old.dtype, old.swap, old.fault)
        return LazyTensor(self.name, self.shape, self.dtype, storage, 0, self.strides, self.fault)

    def array(self) -> Array:
        """The whole tensor; see `artifacts.Tensor`. Raises Unreadable."""
        if self.numel == 0:
            return decode(np.empty(0, NUMPY[self.dtype]), self.dtype).reshape(self.shape)
        flat = self._read(self.offset, _reach(self.shape, self.strides))
        if self.contiguous:
            return flat.reshape(self.shape)
        return _strided(flat, self.shape, self.strides).copy()

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

    def blocks(self, most: int) -> Iterator[tuple[int, int, Array]]:
        """All numbers once, in the order of the file, at most `most` at a time.

        Yields:
            (first row, first column, numbers): rows x columns x everything else; the columns are the second dimension.
            The array is used again for the next block.

        Raises:
            Unreadable
        """
        if self.numel == 0:
            return
        contiguous = self.contiguous
        if contiguous and self.numel <= most:
            yield 0, 0, self.block()
            return
        room = self._room(most)
        for start, shape in _cut(self.shape, self.strides, most):
            first = self.offset + sum(at * stride for at, stride in zip(start, self.strides, strict=True))
            flat = self._read(first, _reach(shape, self.strides), room)
            numbers = flat.reshape(shape) if contiguous else _strided(flat, shape, self.strides)
            row, column, *_ = *start, 0, 0
            rows, columns, *_ = *shape, 1, 1
            yield row, column, numbers.reshape(rows, columns, -1)

    def block(self) -> Array:
        """All numbers of a contiguous tensor that is not empty, as one of its `blocks`. Raises Unreadable."""
        return self._read(self.offset, self.numel).reshape(*(*self.shape, 1, 1)[:2], -1)

    def _room(self, most: int) -> Room:
        count = min(most, _reach(self.shape, self.strides))
        wide = np.empty(count if self.dtype in WIDENED else 0, np.float32)
        return np.empty(count, NUMPY[self.dtype]), wide

    def _read(self, first: int, count: int, room: Room | None = None) -> Array:
        """Numbers of the storage as they count; in the arrays of `room` if it is given, or where they lie in memory."""
        self._check()
        memory = self.storage.span.data
        if isinstance(memory, memoryview) and not self.storage.swap:
            return decode(np.frombuffer(memory, NUMPY[self.dtype], count, first * self.itemsize), self.dtype)
        raw, wide = room if room is not None else (np.empty(count, NUMPY[self.dtype]), None)
        numbers = raw[:count]
        self.storage.span.fill(first * numbers.itemsize, numbers.view(np.uint8).data)
        if self.storage.swap:
            numbers.byteswap(inplace=True)
        return decode(numbers, self.dtype, None if wide is None else wide[:count])

    def _check(self) -> None:
        if self.fault:
            raise Unreadable(self.fault, f"{self.storage.span.path}, {shown(self.name)}", "save the checkpoint again")


@lru_cache(maxsize=FEW_SHAPES)
def _in_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    wanted = dense(shape)
    return all(size == 1 or stride == want for size, stride, want in zip(shape, strides, wanted, strict=True))


@lru_cache(maxsize=FEW_SHAPES)
def _reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Numbers of the storage from the first to the last element."""
    return sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1


def _strided(flat: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    seen: Array = np.lib.stride_tricks.as_strided(flat, shape, tuple(stride * flat.itemsize for stride in strides))
    return seen


def _cut(
    shape: tuple[int, ...], strides: tuple[int, ...], most: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(start, shape) of parts that each lie within `most` numbers of the storage, in its order: cut along the
    dimension whose steps are longest."""
    left = [((0,) * len(shape), shape)]
    while left:
        start, part = left.pop()
        if max(math.prod(part), _reach(part, strides)) <= most:
            yield start, part
            continue
        k = max((k for k, size in enumerate(part) if size > 1), key=lambda k: strides[k])
        one = (*part[:k], 1, *part[k + 1 :])
        alone = max(math.prod(one), _reach(one, strides))
        step = max(1, min((most - alone) // max(strides[k], 1) + 1, most // math.prod(one)))
        left.extend(
            ((*start[:k], start[k] + at, *start[k + 1 :]), (*part[:k], min(step, part[k] - at), *part[k + 1 :]))
            for at in reversed(range(0, part[k], step))
        )


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
    if len(shape) != len(strides) or min((*shape, *strides, offset)) < 0:
        return "its shape and strides make no sense"
    have, count = storage.span.length // itemsize(dtype), math.prod(shape)
    if count and (need := offset + _reach(shape, strides)) > have:
        return f"it needs {need} stored numbers and the file holds {have}"
    if count > have + MOST_VIEWED:
        return f"it claims {count:.3g} elements over {have} stored numbers"
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


def decode(numbers: Array, dtype: str, out: Array | None = None) -> Array:
    """Stored bytes as numbers NumPy can compute with: half and quarter types become float32, bool becomes bool.

    Args:
        out: float32, as long as `numbers`: where the widened types go; a new array by default.
    """
    if dtype == "bool":
        return np.not_equal(numbers, 0)
    if dtype not in WIDENED:
        return numbers
    wide: Array = np.empty(len(numbers), np.float32) if out is None else out
    if dtype == "bfloat16":
        np.left_shift(numbers, np.uint32(16), out=wide.view(np.uint32), dtype=np.uint32, casting="unsafe")
    elif dtype not in _SHIFTS or not _shift(numbers, wide, *_SHIFTS[dtype]):
        np.take(_table(dtype), numbers.view(f"u{numbers.itemsize}"), out=wide, mode="clip")
    return wide


def _shift(numbers: Array, wide: Array, bits: int, mask: int, scale: float, limit: float) -> bool:
    """Widens a small float type by moving its bits into place and correcting the exponent, which is four times as
    fast as NumPy's own conversion; False if there may be a NaN or an infinity, for which this does not hold."""
    places = wide.view(np.int32)
    np.copyto(places, numbers.view(f"i{numbers.itemsize}"))  # extends the sign
    np.left_shift(places, np.int32(bits), out=places)
    np.bitwise_and(places, np.int32(mask - (1 << 32)), out=places)
    np.multiply(wide, np.float32(scale), out=wide)
    return not len(wide) or bool(wide.max() < limit and wide.min() > -limit)


@cache
def _table(dtype: str) -> Array:
    if dtype == "float16":
        return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    return _float8(dtype)


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
