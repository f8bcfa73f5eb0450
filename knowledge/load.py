"""Folders of YAML files -> one KnowledgeBase, or one error that names every problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .check import BUILT_IN, Read, check_links, read_folder
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
    for folder in (BUILT_IN, *extra):
        read_folder(folder, read)
    check_links(read)
    if read.sink.problems:
        raise KnowledgeError(read.sink.problems)
    return KnowledgeBase(read.entries, read.symptoms)
