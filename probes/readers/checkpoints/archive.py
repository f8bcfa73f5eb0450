"""Zip archives as torch writes them: members are stretches of the file, checked before anything is believed."""

from __future__ import annotations

import struct
import zipfile
import zlib

from ...errors import Unreadable
from .span import Span

LARGEST_DIRECTORY = 24 << 20
"""Bytes of the table of members: a checkpoint of 300,000 tensors needs as many, and it is read in seconds."""
MOST_INFLATED = 64 << 20
MOST_IN_ALL = 400 << 20
"""Bytes that all compressed members together may inflate to: they are held in memory."""
HIGHEST_RATIO = 200
"""Plain text deflates to a tenth at best; zeros reach a thousandth, which no honest member of this size needs."""


class Archive:
    """The members of a zip archive that lies in a span."""

    def __init__(self, span: Span) -> None:
        """Raises Unreadable for an archive that is cut short, hostile or no archive."""
        self.span = span
        try:
            with span.open() as file:
                _count_members(span.read(max(0, span.length - 66_000)), str(span.path))
                with zipfile.ZipFile(file) as archive:
                    infos = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError, UnicodeError) as error:
            why = f"the archive has no usable directory ({str(error)[:80]}): the file was probably cut short"
            raise Unreadable(why, str(span.path), "copy or save it again") from error
        self._inflated = 0
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if info.filename in self._infos:
                raise Unreadable(
                    f"two members of the archive are called {info.filename[:80]!r}",
                    str(span.path),
                    "do not trust this file; save it again",
                )
            self._infos[info.filename] = info

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._infos)

    def stored(self, name: str) -> bool:
        return self._infos[name].compress_type == zipfile.ZIP_STORED

    def size(self, name: str) -> int:
        """Bytes of the member once inflated, as the directory says."""
        return self._infos[name].file_size

    def member(self, name: str, most: int = MOST_INFLATED) -> Span:
        """The bytes of a member: in place if it is stored, inflated in memory (at most `most` bytes) if not.

        Raises:
            Unreadable: no such member, encrypted, out of bounds, or too large once inflated.
        """
        info = self._infos.get(name)
        where = f"{self.span.path}, {name[:80]}"
        if info is None:
            raise Unreadable("the archive has no such member", where, "save it again")
        if info.flag_bits & 1:
            raise Unreadable("the member is encrypted", where, "save it without a password")
        header = self.span.read(info.header_offset, 30)
        if header[:4] != b"PK\x03\x04":
            raise Unreadable("the archive's directory points at no member", where, "copy or save it again")
        name_length, extra_length = struct.unpack("<HH", header[26:30])
        inner = self.span.part(info.header_offset + 30 + name_length + extra_length, info.compress_size)
        if info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size:
            return inner
        if info.compress_type != zipfile.ZIP_DEFLATED:
            raise Unreadable("the member is compressed in a way that is not supported", where, "save it uncompressed")
        whole, packed = info.file_size, info.compress_size
        if whole > most or whole > HIGHEST_RATIO * max(1, packed) + 65_536 or packed > whole + 65_536:
            raise Unreadable(f"the member would inflate to {whole} bytes", where, "save it uncompressed")
        self._inflated += whole
        if self._inflated > MOST_IN_ALL:
            why = f"its compressed members inflate to more than {MOST_IN_ALL >> 20} MB"
            raise Unreadable(why, where, "save it uncompressed")
        return Span(self.span.path, 0, info.file_size, _inflate(inner.read(), info.file_size, where))


def _inflate(data: bytes, size: int, where: str) -> bytes:
    engine = zlib.decompressobj(-15)
    try:
        out = engine.decompress(data, size + 1)
    except zlib.error as error:
        raise Unreadable("the compressed member is damaged", where, "copy or save it again") from error
    if len(out) != size:
        raise Unreadable("the member does not inflate to its declared size", where, "copy or save it again")
    return out


def _count_members(tail: bytes, where: str) -> None:
    """Refuses a directory of too many members before it is parsed."""
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(tail):
        raise ValueError("no end record")
    size = struct.unpack("<I", tail[at + 12 : at + 16])[0]
    at64 = tail.rfind(b"PK\x06\x06")
    if size == 0xFFFFFFFF and at64 >= 0 and at64 + 48 <= len(tail):
        size = struct.unpack("<Q", tail[at64 + 40 : at64 + 48])[0]
    if size > LARGEST_DIRECTORY:
        why = f"the archive's table of members is {size >> 20} MB long"
        raise Unreadable(why, where, "save it as fewer, larger tensors")
