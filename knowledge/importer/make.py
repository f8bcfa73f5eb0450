"""One document, from file to planned changes: what `kb import` calls."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..search import Index
from ..understand import understand
from .blocks import blocks
from .drafts import Change, left_over, named, planned, too_large
from .gather import Draft, Unplaced, drafts
from .repair import Document, read
from .sections import tree


@dataclass(frozen=True, slots=True)
class Import:
    """What a document gives.

    Args:
        changes: the drafts with the files that they are for.
        unplaced: what is in no draft.
        gone: drafts on disk of headings that the document has no more.
    """

    document: Document
    changes: tuple[Change, ...]
    unplaced: tuple[Unplaced, ...]
    gone: tuple[Path, ...]


def made(document: Document, index: Index) -> tuple[list[Draft], list[Unplaced]]:
    """The drafts of a document, without ids yet, and what is in none of them."""

    def symptoms(text: str) -> list[str]:
        found = understand(text, index)
        return [m.symptom for m in found.mentions if m.present and not m.negated and found.symptoms.get(m.symptom)]

    title = document.title or document.stem.replace("-", " ").replace("_", " ")
    return drafts(tree(blocks(document.lines), title), symptoms)


def plan(path: Path, folder: Path, index: Index, taken: Collection[str]) -> Import:
    """Read a document and plan its drafts; nothing is written. Ids in `taken` are not used. Raises KnowledgeError."""
    document = read(path)
    found, unplaced = made(document, index)
    inside = folder / "entries"
    target = inside if inside.is_dir() else folder
    changes: list[Change] = []
    for draft in named(found, document, taken, target):
        change = planned(draft, document, target)
        if too_large(change.text):
            unplaced.append(Unplaced("too large for one entry; split it", change.text, draft.start, draft.end))
        else:
            changes.append(change)
    gone = left_over(target, document, {c.draft.id for c in changes})
    return Import(document, tuple(changes), tuple(unplaced), tuple(gone))
