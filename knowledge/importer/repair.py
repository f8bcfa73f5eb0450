"""A Markdown file -> its lines as they were meant: decoded, mojibake undone, front matter set apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import ftfy

from ..errors import KnowledgeError, Problem

LONGEST_LINE = 20_000
"""Characters of one line; no prose has so many, and some patterns of them take Markdown minutes to parse."""
MAX_BYTES = 2_000_000
_CONFIG = ftfy.TextFixerConfig(
    unescape_html=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    normalization=None,
)
_FRONT = re.compile(r"\s|#|- |-$|[\w.-]+\s*[:=]|\[[\w.-]+\]$|$")
_TITLE = re.compile(r"""title\s*[:=]\s*(['"]?)(.+?)\1\s*$""")


@dataclass(frozen=True, slots=True)
class Document:
    """A repaired document.

    Args:
        name: folder and file name: the same from wherever the import is started.
        lines: all lines; those of the front matter are blank, so that line numbers are those of the repaired file.
        front: the lines of the front matter, without its fences.
    """

    name: str
    lines: tuple[str, ...]
    front: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """A name for the document; the folder's where the file is called README or index."""
        folder, _, file = self.name.rpartition("/")
        stem = file.rpartition(".")[0] or file
        return folder if folder and stem.lower() in ("readme", "index", "faq", "_index") else stem

    @property
    def title(self) -> str:
        """The title that the front matter gives, or ""."""
        return next((m.group(2) for line in self.front if (m := _TITLE.match(line))), "")


def read(path: Path) -> Document:
    """Read and repair a file. Raises KnowledgeError with one sentence where it is no text that can be used."""
    if path.is_dir():
        raise refused(path, "is a folder; name the Markdown files in it")
    if not path.exists():
        raise refused(path, "is not there")
    if not path.is_file():
        raise refused(path, "is no ordinary file")
    if path.stat().st_size > MAX_BYTES:
        raise refused(path, f"is larger than {MAX_BYTES // 1_000_000} MB; split it, or import its parts")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror or error}") from None
    document = repaired(decoded(raw, path), "/".join(path.resolve().parts[-2:]).lstrip("/"))
    if not any(line.strip() for line in document.lines):
        raise refused(path, "is empty: there is nothing to import")
    longest = max(range(len(document.lines)), key=lambda i: len(document.lines[i]))
    if len(document.lines[longest]) > LONGEST_LINE:
        raise refused(path, f"line {longest + 1} is longer than {LONGEST_LINE:,} characters; break it into lines")
    return document


def refused(path: Path, why: str) -> KnowledgeError:
    """The error that says why a file is not imported."""
    return KnowledgeError([Problem(str(path), 1, "(file)", why)])


def decoded(raw: bytes, path: Path) -> str:
    """Bytes as text: by their byte order mark, as UTF-8, or as Windows-1252, which old wikis export."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    if b"\x00" in raw:
        raise refused(path, "is not text; give a Markdown file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in raw)
    if controls > len(raw) / 100:
        raise refused(path, "is not text; give a Markdown file")
    return raw.decode("cp1252", errors="replace")


def repaired(text: str, name: str) -> Document:
    """Undo wrong decoding and set front matter apart. Quotes, ligatures and HTML entities stay as they were written."""
    lines = [line.rstrip() for line in ftfy.fix_text(text, _CONFIG).split("\n")]
    end = front_matter(lines)
    return Document(name, ("",) * end + tuple(lines[end:]), tuple(lines[1 : end - 1]) if end else ())


def front_matter(lines: list[str]) -> int:
    """How many lines the front matter takes with its fences (`---` or `+++`); 0 if there is none."""
    if not lines or lines[0] not in ("---", "+++"):
        return 0
    for i, line in enumerate(lines[1:], 1):
        if line == lines[0] or (lines[0] == "---" and line == "..."):
            return i + 1 if any(re.match(r"[\w.-]+\s*[:=]", inner) for inner in lines[1:i]) else 0
        if not _FRONT.match(line):
            return 0
    return 0
