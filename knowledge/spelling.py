"""Corrects single words that people mistype, towards the words that the knowledge base knows."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import OSA

from .text import stem


class Speller:
    """Maps a stem to the nearest known stem, or to itself if none is near.

    Built from words as written: a slip is often in the ending, which a stem no longer has.
    """

    def __init__(self, written: Iterable[str], common: Iterable[str] = ()) -> None:
        """`written` are words that are spelled right; `common` those that half of the subject is told with."""
        self._common = sorted({word for word in common if word.isalpha() and 3 <= len(word) <= 6})
        self._stems = {word: stem(word) for word in written}
        self._known = frozenset(self._stems.values())
        self._near: dict[tuple[int, str], list[str]] = {}
        for word in sorted({*self._stems, *self._known}):
            if word.isalpha() and len(word) >= 4:
                for length in range(len(word) - 2, len(word) + 3):
                    self._near.setdefault((length, word[0]), []).append(word)
        self._seen: dict[str, str] = {}

    def __call__(self, word: str) -> str:
        if word in self._known or not 3 <= len(word) <= 30 or not word.isalpha():
            return word
        if word not in self._seen:
            self._seen[word] = self._nearest(word) if len(word) >= 5 else self._nearest_short(word)
        return self._seen[word]

    def _nearest_short(self, word: str) -> str:
        """In three or four letters only a missing letter or two that changed places, and only towards common words."""
        for known in self._common:
            missing = len(known) == len(word) + 1
            moved = sorted(known) == sorted(word)
            if known[0] == word[0] and (missing or moved) and OSA.distance(word, known) == 1:
                return self._stems.get(known, known)
        return word

    def _nearest(self, word: str) -> str:
        """One edit is forgiven in words below nine letters, two in longer ones; the first letter must agree."""
        allowed = 1 if len(word) < 9 else 2
        choices = self._near.get((len(word), word[0]), ())
        found = process.extractOne(word, choices, scorer=OSA.distance, score_cutoff=allowed)
        return self._stems.get(found[0], found[0]) if found else word
