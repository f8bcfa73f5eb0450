"""Drafts -> files of a folder: ids, YAML, and what becomes of the files that are there already.

Each file begins with comments: which document and lines it came from, a hash of what was read there and a hash of the
YAML below. The second tells whether a person has edited the draft, the first whether the document has changed since.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from ..nodes import MAX_BYTES
from .gather import Draft
from .repair import Document

PRIOR = 0.001
"""Share of troubled runs for a drafted diagnosis with symptoms, until a person writes a better one: it can be
considered in a conversation, and never wins without evidence."""

Status = Literal["new", "same", "updated", "edited", "conflict"]
_NOTE = "# Draft of `nn-doctor kb import`. Edit it freely: an edited draft is not overwritten without a question."
_FROM = re.compile(r"^# from: (\".*\") lines", re.MULTILINE)
_HASHES = re.compile(r"^# document: (\w+), draft: (\w+)$", re.MULTILINE)
_RESERVED = {"symptoms", "con", "nul", "aux", "prn"}


@dataclass(frozen=True, slots=True)
class Change:
    """A draft and the file that it is for.

    Args:
        status: `new`; `same`: nothing to do; `updated`: the document changed, nobody edited the file;
            `edited`: a person edited it, the document is as it was; `conflict`: both changed, or its origin is unknown.
    """

    draft: Draft
    path: Path
    text: str
    status: Status


def named(drafts: Iterable[Draft], document: Document, taken: Collection[str], folder: Path) -> Iterator[Draft]:
    """Give each draft its id: the slug of its title, the document's before it where that is taken."""
    used = set(taken) | _RESERVED
    for draft in drafts:
        draft.id = next(
            i for i in candidates(draft, document) if i not in used and not foreign(folder / f"{i}.yaml", document)
        )
        used.add(draft.id)
        yield draft


def candidates(draft: Draft, document: Document) -> Iterator[str]:
    """Ids for a draft, best first, without end."""
    base, of = slug(draft.title), slug(document.stem)
    above = slug(draft.path[-1]) if draft.path else of
    yield base
    yield cut(f"{of}-{base}")
    yield cut(f"{of}-{above}-{base}")
    n = 2
    while True:
        yield f"{cut(f'{of}-{base}', 54)}-{n}"
        n += 1


def slug(text: str) -> str:
    """Lower-case words joined by hyphens; a short hash where a title has no Latin letters."""
    latin = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().replace("'", "")
    words = re.findall(r"[a-z0-9]+", latin)
    return cut("-".join(words)) if words else f"section-{hashed(text)[:6]}"


def cut(text: str, limit: int = 60) -> str:
    """At most `limit` characters, cut at a hyphen."""
    return text if len(text) <= limit else (text[: limit + 1].rpartition("-")[0] or text[:limit])


def foreign(path: Path, document: Document) -> bool:
    """Whether a file on disk is the draft of another document."""
    owner = origin(path)
    return owner is not None and owner != document.name


def origin(path: Path) -> str | None:
    """The name of the document that a file was drafted from, None if it does not say."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(2000)
    except OSError:
        return None
    match = _FROM.search(head)
    return str(json.loads(match.group(1))) if match else None


def entry(draft: Draft) -> dict[str, Any]:
    """A draft as the entry that the schema wants; empty fields are left out."""
    fields = {
        "id": draft.id,
        "kind": draft.kind,
        "title": draft.title,
        "summary": draft.summary,
        "prior": PRIOR if draft.symptoms else 0,
        "symptoms": dict(draft.symptoms),
        "causes": draft.causes,
        "fixes": [{k: v for k in ("title", "why", "how", "code") if (v := getattr(f, k))} for f in draft.fixes],
        "qa": [{"question": q.question, "answer": q.answer} for q in draft.qa],
        "sources": [{"title": s.title, "place": s.place} for s in draft.sources],
        "body": "\n\n".join(draft.body),
    }
    return {name: value for name, value in fields.items() if value}


def rendered(draft: Draft, document: Document) -> str:
    """The file of a draft."""
    fields = entry(draft)
    text = dumped(fields)
    read = hashed(dumped({k: v for k, v in fields.items() if k not in ("id", "sources")}))
    head = [_NOTE, f"# from: {json.dumps(document.name)} lines {draft.start}-{draft.end}"]
    head += [f"# document: {read[:16]}, draft: {hashed(text)[:16]}"]
    head += ["# front matter:"] + [f"#   {safe(line)}" for line in document.front] if document.front else []
    return "\n".join(head) + "\n" + text


def planned(draft: Draft, document: Document, folder: Path) -> Change:
    """What writing a draft would do to its file."""
    path, text = folder / f"{draft.id}.yaml", rendered(draft, document)
    try:
        there = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return Change(draft, path, text, "new")
    status = compared(there, text)
    if status == "conflict" and any(same_reading(other, text) for other in siblings(path)):
        status = "edited"
    return Change(draft, path, text, status)


def siblings(path: Path) -> list[Path]:
    """Drafts that were written beside an edited one."""
    base = cut(path.stem, 54)
    return [p for p in sorted(path.parent.glob(f"{base}-*.yaml")) if re.fullmatch(r"-\d+", p.stem[len(base) :])]


def same_reading(path: Path, text: str) -> bool:
    """Whether a file was drafted from the same text of a document."""
    there, now = _HASHES.search(path.read_text(encoding="utf-8", errors="replace")), _HASHES.search(text)
    return there is not None and now is not None and there.group(1) == now.group(1)


def compared(there: str, text: str) -> Status:
    """What a file on disk is to the draft that would replace it."""
    if there == text:
        return "same"
    was, now = _HASHES.search(there), _HASHES.search(text)
    body = there[there.index("\n", was.end()) + 1 :] if was else ""
    while body.startswith("#"):
        body = body.partition("\n")[2]
    if was is None or now is None:
        return "conflict"
    if hashed(body)[:16] == was.group(2):
        return "updated"
    return "edited" if was.group(1) == now.group(1) else "conflict"


def too_large(text: str) -> bool:
    """Whether a file would be larger than the knowledge base reads."""
    return len(text.encode()) > MAX_BYTES


def write(change: Change, path: Path | None = None) -> None:
    """Write a draft to its file, or to another one. Raises OSError."""
    path = path or change.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(change.text, encoding="utf-8", newline="\n")


def beside(change: Change, document: Document) -> Path:
    """Write a draft under a free id next to the edited one."""
    n = 2
    while (path := change.path.with_name(f"{cut(change.draft.id, 54)}-{n}.yaml")).exists():
        n += 1
    change.draft.id = path.stem
    path.write_text(rendered(change.draft, document), encoding="utf-8", newline="\n")
    return path


def left_over(folder: Path, document: Document, made: Collection[str]) -> list[Path]:
    """Drafts of this document on disk that it has no more."""
    known = set(made) | {p.stem for id_ in made for p in siblings(folder / f"{id_}.yaml")}
    return [p for p in sorted(folder.glob("*.yaml")) if p.stem not in known and origin(p) == document.name]


def hashed(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def safe(line: str) -> str:
    """A line of a comment: what YAML may take for a line break or refuses is spelled out."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


class _Dumper(yaml.SafeDumper):
    """The safe dumper, with texts of several lines as blocks that people can edit."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def dumped(fields: dict[str, Any]) -> str:
    """YAML of an entry."""
    return str(yaml.dump(fields, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110))
