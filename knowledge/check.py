"""Checks YAML files of the knowledge base while reading them: every problem with its file, line and field.

`read_folder` reads one folder, `check_links` what can only be told once all folders are read, `check` does both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from yaml.nodes import Node, SequenceNode

from .errors import Problem
from .likelihood import LIKELIHOOD
from .nodes import Place, Sink, compose, identifier, line_of, link, many, mapping, number, one_of, record, text, truth
from .schema import QA, Answer, Entry, Fix, LookAlike, Source, Symptom

BUILT_IN = Path(__file__).parent
_share = number(0.0, 1.0)
_texts = many(text)

_fix = record(
    Fix,
    {"title": text, "why": text, "how": text},
    {"code": text, "unless": text, "check": text, "measured": _texts},
)
_entry = record(
    Entry,
    {"id": identifier, "kind": one_of("diagnosis", "guide"), "title": text, "summary": text},
    {
        "aliases": _texts,
        "prior": _share,
        "symptoms": mapping(link("symptom"), one_of(*LIKELIHOOD)),
        "look_alikes": many(record(LookAlike, {"id": link("entry"), "difference": text}, {})),
        "leads_to": many(link("entry")),
        "causes": _texts,
        "fixes": many(_fix),
        "qa": many(record(QA, {"question": text, "answer": text}, {})),
        "caveats": _texts,
        "related": many(link("entry")),
        "sources": many(record(Source, {"title": text}, {"place": text, "url": text})),
        "body": text,
    },
)
_symptom = record(
    Symptom,
    {"id": identifier, "statement": text, "question": text, "why": text, "base_rate": number(0.001, 0.999)},
    {
        "phrasings": _texts,
        "denials": _texts,
        "answers": many(record(Answer, {"text": text, "means": mapping(link("symptom"), truth)}, {})),
    },
)


@dataclass(slots=True)
class Read:
    """What has been read from one or more folders, and what was wrong with it."""

    entries: dict[str, Entry] = field(default_factory=dict)
    symptoms: dict[str, Symptom] = field(default_factory=dict)
    sink: Sink = field(default_factory=Sink)


def check(folders: Sequence[Path] = (), *, built_in: bool = True) -> list[Problem]:
    """Everything that is wrong in these folders, read together with the built-in base unless told otherwise."""
    read = Read()
    read_folders(([BUILT_IN] if built_in else []) + list(folders), read)
    check_links(read)
    return read.sink.problems


def read_folders(folders: Sequence[Path], into: Read) -> None:
    """Read folders in order, each of them once."""
    for folder in {folder.resolve(): folder for folder in reversed(folders)}.values().__reversed__():
        read_folder(folder, into)


def read_folder(folder: Path, into: Read) -> None:
    """Read `symptoms.yaml` and the entries (in `entries/`, or beside it) of a folder."""
    if not folder.is_dir():
        into.sink.problems.append(Problem(str(folder), 1, "(folder)", "is not a folder that can be read"))
        return
    shared = folder / "symptoms.yaml"
    if shared.is_file():
        _read_symptoms(shared, into)
    inside = folder / "entries"
    for path in sorted((inside if inside.is_dir() else folder).glob("*.yaml")):
        if path != shared:
            _read_entry(path, into)


def check_links(read: Read) -> None:
    """Report links to entries or symptoms that no folder has."""
    known: dict[str, Any] = {"entry": read.entries, "symptom": read.symptoms}
    for to, kind, file, line, where in read.sink.links:
        if to not in known[kind]:
            read.sink.problems.append(Problem(file, line, where, f"no {kind} has the id {to!r}"))


def _read_entry(path: Path, into: Read) -> None:
    at = Place(into.sink, str(path))
    root = _root(path, into.sink)
    entry = _entry(root, at) if root is not None else None
    if root is None or entry is None:
        return
    if entry.id != path.stem:
        at.into("id").bad(root, f"must be the file's name, {path.stem!r} (got {entry.id!r})")
    if entry.kind == "guide" and entry.prior:
        at.into("prior").bad(root, "a guide is not a fault, so its prior must be 0 or left out")
    base = into.entries.get(entry.id)
    if base is not None and base.kind != entry.kind:
        at.into("kind").bad(root, f"must be {base.kind}, as in {base.path}, which this entry extends")
        return
    into.entries[entry.id] = extended(base, entry) if base else replace(entry, path=str(path))


def extended(base: Entry, more: Entry) -> Entry:
    """An entry with what another of the same id adds; what both have stays as it is in the first."""
    lists: dict[str, Any] = {
        name: tuple(dict.fromkeys((*getattr(base, name), *getattr(more, name))))
        for name in ("aliases", "look_alikes", "causes", "fixes", "qa", "caveats", "leads_to", "related", "sources")
    }
    body = "\n\n".join(text for text in (base.body, more.body) if text)
    return replace(base, symptoms={**more.symptoms, **base.symptoms}, body=body, **lists)


def _read_symptoms(path: Path, into: Read) -> None:
    root = _root(path, into.sink)
    if root is None:
        return
    at = Place(into.sink, str(path))
    if not isinstance(root, SequenceNode):
        at.bad(root, "must be a list of symptoms")
        return
    for i, node in enumerate(root.value, 1):
        _add_symptom(node, at.into(str(i)), into)


def _add_symptom(node: Node, at: Place, into: Read) -> None:
    symptom: Symptom | None = _symptom(node, at)
    if symptom is None:
        return
    if symptom.id in into.symptoms:
        at.into("id").bad(node, f"{symptom.id!r} is there already (second one on line {line_of(node)})")
        return
    into.symptoms[symptom.id] = symptom


def _root(path: Path, sink: Sink) -> Any:
    try:
        raw = path.read_bytes()
    except OSError as error:
        sink.problems.append(Problem(str(path), 1, "(file)", f"cannot be read: {error.strerror or error}"))
        return None
    return compose(raw, str(path), sink)
