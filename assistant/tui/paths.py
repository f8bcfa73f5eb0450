"""Completion of paths as one types."""

from __future__ import annotations

from pathlib import Path

from textual.suggester import Suggester

MOST = 200
"""Entries of a folder that are looked at."""


def matches(typed: str) -> list[str]:
    """What the typed beginning of a path can become, folders first, with a slash. Hidden ones only if asked."""
    if not typed or "\n" in typed:
        return []
    head, slash, tail = typed.rpartition("/")
    folder = Path(head + slash if slash else ".").expanduser()
    try:
        found = sorted(entry for entry in folder.iterdir() if entry.name.startswith(tail))[:MOST]
        kept = [(not e.is_dir(), e.name) for e in found if tail.startswith(".") or not e.name.startswith(".")]
    except (OSError, ValueError, RuntimeError):
        return []
    return [f"{head}{slash}{name}{'' if is_file else '/'}" for is_file, name in sorted(kept)]


def completed(typed: str) -> str:
    """As much as is certain: the longest beginning that all matches share; what was typed if there is none."""
    found = matches(typed)
    if not found:
        return typed
    first, last = min(found), max(found)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same] if same > len(typed) else typed


class PathSuggester(Suggester):
    """The first match, greyed behind the cursor; the right arrow takes it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first path that begins so. Only where a path is meant: words are left alone."""
        if not value or " " in value or not (value[0] in "/~." or "/" in value):
            return None
        return next((m for m in matches(value) if m.startswith(value)), None)
