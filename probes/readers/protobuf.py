"""The wire format of protocol buffers, as far as logs and models need it: fields of a message, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

Field = tuple[int, int, int, bytes]


def fields(data: bytes) -> Iterator[Field]:
    """(field number, wire type, integer, bytes) of a message; stops where it makes no sense."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        wire, number = key & 7, key >> 3
        if wire == 0:
            value, at = varint(data, at)
            yield number, wire, value, b""
        elif wire in (1, 2, 5):
            size = 8 if wire == 1 else 4
            if wire == 2:
                size, at = varint(data, at)
            if at + size > len(data):
                return
            yield number, wire, 0, data[at : at + size]
            at += size
        else:
            return


def varint(data: bytes | mmap, at: int) -> tuple[int, int]:
    """(integer, the place behind it)."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            return value, at
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return value, at


Span = tuple[int, int]


def spans(data: bytes | mmap, at: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """(field number, wire type, start, end) of the values of the message between two places, groups left out."""
    while at < stop:
        key, at = varint(data, at)
        wire, begin = key & 7, at
        if wire == 0:
            _, at = varint(data, at)
        elif wire == 2:
            size, begin = varint(data, at)
            at = begin + size
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            return
        if at > stop:
            return
        yield key >> 3, wire, begin, at
