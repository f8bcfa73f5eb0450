"""Corrects single words that people mistype, towards the words that the knowledge base knows."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA


class Speller:
    """Maps a stem to the nearest known stem, or to itself if none is near."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._near: dict[int, list[str]] = {}
        for word in self._known:
            if word.isalpha() and len(word) >= 4:
                for length in range(len(word) - 2, len(word) + 3):
                    self._near.setdefault(length, []).append(word)
        self._seen: dict[str, str] = {}

    def __call__(self, word: str) -> str:
        if word in self._known or len(word) < 5 or not word.isalpha() or len(word) > 30:
            return word
        if word not in self._seen:
            self._seen[word] = self._nearest(word)
        return self._seen[word]

    def _nearest(self, word: str) -> str:
        """One edit is forgiven in words below nine letters, two in longer ones; the first letter must agree."""
        allowed = 1 if len(word) < 9 else 2
        same_letter = [w for w in self._near.get(len(word), ()) if w[0] == word[0]]
        found = process.extractOne(word, same_letter, scorer=OSA.distance, score_cutoff=allowed)
        return found[0] if found else word
