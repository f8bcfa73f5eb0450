"""Bytes of a log -> text, whatever wrote it."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from ...errors import Unreadable

MOST_BYTES = 256 << 20
SAMPLE = 65_536
CONTROL_SHARE = 0.02
"""More control characters than this, and it is no text."""
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_CONTROL = re.compile(rb"[\x01-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_HIGH = re.compile(rb"[\x80-\xff]+")


def read_text(path: Path) -> str:
    """The file's text without terminal colours. Raises Unreadable for binary or huge files."""
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable("larger than 256 MB", str(path), "give the part of the log that matters")
    return decode(path.read_bytes(), str(path))


def decode(data: bytes, where: str) -> str:
    """UTF-8 or UTF-16 with or without a mark, those of East Asia, Russian, Latin-1: the first that is plausible.

    A character that is cut off at the end is left out. Raises Unreadable for binary data.
    """
    return _ESCAPES.sub("", _decoded(data, where))


def _decoded(data: bytes, where: str) -> str:
    if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return data.decode("utf-32", "ignore")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "ignore")
    if b"\0" in data[:SAMPLE]:
        if wide := _utf16(data[:SAMPLE]):
            return data.decode(wide, "ignore")
        data = data.replace(b"\0", b"")  # a log that was cut while it was written to begins with zeros
    sample = data[:SAMPLE]
    if not data or len(_CONTROL.findall(sample)) > CONTROL_SHARE * len(sample):
        raise Unreadable("binary data, not text", where, "give a text log")
    text = _whole(data, "utf-8-sig")
    return text if text is not None else _eight_bits(data)


def _utf16(sample: bytes) -> str | None:
    """The byte order of UTF-16 without a mark, where digits and letters leave every second byte zero."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = max(1, len(sample) // 2)
    if odd > 0.3 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.3 * half and odd < 0.05 * half else None


def _whole(data: bytes, encoding: str) -> str | None:
    """The text if all of it decodes, but for a character cut off at the end."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        return None


def _eight_bits(data: bytes) -> str:
    """Text that is not UTF-8 throughout: with a few broken bytes, East Asian, Russian or Western."""
    runs = [len(run) for run in _HIGH.findall(data[: 4 * SAMPLE])]
    replaced = data.decode("utf-8", "replace")
    broken = replaced.count("\ufffd")
    if broken < 0.1 * sum(not c.isascii() for c in replaced):
        return replaced
    alone = sum(n == 1 for n in runs) > 0.5 * len(runs)  # accents stand among plain letters, Chinese never alone
    for encoding, plausible in _ALONE if alone else (*_IN_PAIRS, *_ALONE):
        if (text := _whole(data, encoding)) is not None and plausible(_odd(text)):
            return text
    return data.decode("cp1252", "replace") if _whole(data, "cp1252") is not None else data.decode("latin-1")


def _odd(text: str) -> str:
    return "".join(c for c in text[:SAMPLE] if not c.isascii())


def _hangul(odd: str) -> bool:
    """Whether nearly all is Hangul: read as Korean, Chinese gives ideographs as well."""
    return sum("가" <= c <= "힣" for c in odd) >= 0.97 * len(odd)


def _common(odd: str) -> bool:
    """Whether the characters are those of GB2312, which everyday text has, and not the rare rest."""
    return sum(bool(c.encode("gb2312", "ignore")) for c in odd) >= 0.9 * len(odd)


def _cyrillic(odd: str) -> bool:
    return sum("а" <= c.lower() <= "я" or c in "ёЁ" for c in odd) >= 0.8 * len(odd)


def _kana(odd: str) -> bool:
    """Whether there is Japanese script, and hardly the narrow one that other encodings become."""
    wide, narrow = (sum(a <= c <= b for c in odd) for a, b in ("ぁヺ", "｡ﾟ"))
    return wide >= 0.1 * len(odd) and narrow <= 0.05 * len(odd)


def _frequent(odd: str) -> bool:
    """Whether the characters are those that stand first in Big5, the frequent ones."""
    return sum(b"\xa1" <= c.encode("cp950", "ignore") < b"\xc6\xa1" for c in odd) >= 0.9 * len(odd)


_IN_PAIRS = (("cp949", _hangul), ("gb18030", _common), ("cp1251", _cyrillic))
_ALONE = (("cp932", _kana), ("cp950", _frequent))
"""Encodings whose second byte may be that of a plain letter."""
