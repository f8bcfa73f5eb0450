"""Folders of YAML files -> one KnowledgeBase, or one error that names every problem.

An overlay folder adds entries and symptoms of its own. An entry with the id of one that an earlier folder has extends
it: aliases, symptoms, look-alikes, causes, fixes, questions, caveats, links, sources and body are added behind what is
there; id, kind, title, summary, prior and the likelihood of symptoms that are linked already stay. So an overlay can
say more of a fault, and never take away or change what the built-in base says of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .check import BUILT_IN, Read, check_links, read_folders
from .errors import KnowledgeError
from .schema import Entry, Symptom


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """All entries and symptoms, by id."""

    entries: dict[str, Entry]
    symptoms: dict[str, Symptom]


def load(extra: Sequence[Path] = ()) -> KnowledgeBase:
    """The built-in base together with overlay folders. Raises KnowledgeError with all problems of all files."""
    read = Read()
    read_folders((BUILT_IN, *extra), read)
    check_links(read)
    if read.sink.problems:
        raise KnowledgeError(read.sink.problems)
    return KnowledgeBase(read.entries, read.symptoms)
