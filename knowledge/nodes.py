"""Reads YAML nodes into values by small composable readers; each problem keeps its file, line and field.

A reader takes a node and its place and returns a value, or None after it reported why not. Nothing is constructed
by YAML itself, so no tag, date or alias in a file can do more than be the wrong type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from .errors import Problem

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_BYTES = 1_000_000

Read = Callable[[Node, "Place"], Any]


class Link(NamedTuple):
    """A mention of another entry or symptom, kept until all are known."""

    to: str
    kind: str
    file: str
    line: int
    field: str


@dataclass(slots=True)
class Sink:
    """What reading has collected so far."""

    problems: list[Problem] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file a node stands."""

    sink: Sink
    file: str
    field: str = ""

    def into(self, name: str) -> Place:
        return Place(self.sink, self.file, f"{self.field}.{name}" if self.field else name)

    def bad(self, node: Node, what: str) -> Any:
        """Report a problem. Returns None, so that a reader can return it."""
        self.sink.problems.append(Problem(self.file, line_of(node), self.field or "(file)", what))

    def link(self, node: Node, kind: str, to: str) -> None:
        self.sink.links.append(Link(to, kind, self.file, line_of(node), self.field))


def line_of(node: Node) -> int:
    """The line of a node, counted from 1."""
    return int(node.start_mark.line) + 1


def compose(raw: bytes, file: str, sink: Sink) -> Any:
    """The root node of a YAML document, or None after reporting why there is none."""

    def bad(what: str, line: int = 1) -> Any:
        sink.problems.append(Problem(file, line, "(file)", what))

    if len(raw) > MAX_BYTES:
        return bad(f"is larger than {MAX_BYTES} bytes; split it")
    try:
        root: Node | None = yaml.compose(raw.decode("utf-8"), Loader=_LOADER)
    except UnicodeDecodeError as error:
        return bad(f"is not UTF-8 text (byte {error.start})", raw[: error.start].count(b"\n") + 1)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return bad(f"is not valid YAML: {error.problem or error.context}", mark.line + 1 if mark else 1)
    except yaml.YAMLError as error:
        return bad(f"is not valid YAML: {' '.join(str(error).split())[:200]}")
    except RecursionError:
        return bad("is nested too deeply")
    return root if root is not None else bad("is empty")


def text(node: Node, at: Place) -> Any:
    """Text that is not blank."""
    if not isinstance(node, ScalarNode) or node.tag != _TAG + "str":
        return at.bad(node, f"must be text (got {shown(node)}; quote it if it is text)")
    value = str(node.value).strip()
    return value or at.bad(node, "must not be empty")


def number(low: float, high: float) -> Read:
    """A number between two bounds, both included."""

    def read(node: Node, at: Place) -> Any:
        if isinstance(node, ScalarNode) and node.tag in (_TAG + "int", _TAG + "float"):
            try:
                value = float(node.value)
            except ValueError:
                value = float("nan")
            if low <= value <= high:
                return value
        return at.bad(node, f"must be a number from {low:g} to {high:g} (got {shown(node)})")

    return read


def truth(node: Node, at: Place) -> Any:
    """yes or no, in YAML's spellings."""
    if isinstance(node, ScalarNode) and node.tag == _TAG + "bool":
        return node.value.lower() in ("yes", "true", "on")
    return at.bad(node, f"must be yes or no (got {shown(node)})")


def one_of(*words: str) -> Read:
    """One word out of a few."""

    def read(node: Node, at: Place) -> Any:
        value = node.value if isinstance(node, ScalarNode) else None
        return value if value in words else at.bad(node, f"must be one of {', '.join(words)} (got {shown(node)})")

    return read


def identifier(node: Node, at: Place) -> Any:
    """An id: lower-case words joined by single hyphens."""
    value = text(node, at)
    if value is None or (_ID.fullmatch(value) and len(value) <= 60):
        return value
    return at.bad(node, f"must be lower-case words joined by hyphens (got {shown(node)})")


def link(kind: str) -> Read:
    """The id of an entry or a symptom that must exist."""

    def read(node: Node, at: Place) -> Any:
        value = identifier(node, at)
        if value is not None:
            at.link(node, kind, value)
        return value

    return read


def many(item: Read) -> Read:
    """A list, read as a tuple."""

    def read(node: Node, at: Place) -> Any:
        if not isinstance(node, SequenceNode):
            return at.bad(node, f"must be a list (got {shown(node)})")
        values = (item(child, at.into(str(i))) for i, child in enumerate(node.value, 1))
        return tuple(value for value in values if value is not None)

    return read


def mapping(key: Read, value: Read) -> Read:
    """A mapping whose keys and values are each read in the same way."""

    def read(node: Node, at: Place) -> Any:
        pairs = _pairs(node, at)
        if pairs is None:
            return None
        found = {key(k, at): value(v, at.into(name)) for name, (k, v) in pairs.items()}
        return {k: v for k, v in found.items() if k is not None and v is not None}

    return read


def record(make: Callable[..., Any], required: Mapping[str, Read], optional: Mapping[str, Read]) -> Read:
    """A mapping with known keys; `make` gets them as keyword arguments."""
    readers = {**required, **optional}

    def read(node: Node, at: Place) -> Any:
        pairs = _pairs(node, at)
        if pairs is None:
            return None
        values: dict[str, Any] = {}
        for name, (key_node, value_node) in pairs.items():
            if name in readers:
                values[name] = readers[name](value_node, at.into(name))
            else:
                at.into(name).bad(key_node, f"unknown key; the keys here are {', '.join(readers)}")
        for name in required:
            if name not in pairs:
                at.into(name).bad(node, "is missing")
        good = {name: value for name, value in values.items() if value is not None}
        return make(**good) if all(name in good for name in required) else None

    return read


def _pairs(node: Node, at: Place) -> Any:
    """Key -> (key node, value node), reporting keys that are no text or come twice."""
    if not isinstance(node, MappingNode):
        return at.bad(node, f"must be a mapping of keys to values (got {shown(node)})")
    pairs: dict[str, tuple[Node, Node]] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode) or key.tag != _TAG + "str":
            at.bad(key, f"a key must be text (got {shown(key)})")
        elif key.value in pairs:
            at.into(key.value).bad(key, "this key comes twice")
        else:
            pairs[key.value] = (key, value)
    return pairs


def shown(node: Node) -> str:
    """A node in a few words, for a message."""
    if isinstance(node, SequenceNode):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    kind = str(node.tag).removeprefix(_TAG)
    value = str(node.value)
    return "nothing" if kind == "null" else f"{kind} {value[:40]!r}{'...' if len(value) > 40 else ''}"
