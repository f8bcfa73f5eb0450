"""Text as this house compares it: tokens with spans, stems, one spelling, one word for each idea, and numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORD = re.compile(r"[a-z0-9]+(?:['’._][a-z0-9]+)*", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w]|\.\d)\s?(%|percent)?", re.IGNORECASE)
_BREAK = re.compile(r"[.;:!?\n,()]+(?=\s|$)|\n")
_CONTRACTED = (
    {
        f"{verb}{end}": "can" if verb == "ca" else verb
        for verb in (
            "do",
            "does",
            "did",
            "is",
            "are",
            "was",
            "were",
            "has",
            "have",
            "had",
            "would",
            "could",
            "should",
            "ca",
        )
        for end in ("n't", "n’t", "nt")
    }
    | {"won't": "will", "won’t": "will", "wont": "will"}
    | dict.fromkeys(("dosnt", "dosn't", "dosent", "doesent", "dosen't"), "does")
)
MAX_CHARS = 20_000


class Token(NamedTuple):
    """A word as one canonical word, and where it stands in the text."""

    word: str
    start: int
    end: int


class Number(NamedTuple):
    """A number in the text; `digits` is how many decimals were written (of a percentage: of its fraction)."""

    value: float
    digits: int
    percent: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What vocabulary.yaml says, with every form already stemmed."""

    forms: dict[tuple[str, ...], str]
    longest: dict[str, int]
    negations: frozenset[str]
    fillers: tuple[tuple[str, ...], ...]
    breaks: frozenset[str]
    weak_breaks: frozenset[str]
    elsewhere: tuple[tuple[str, ...], ...]
    stop: frozenset[str]
    subjects: frozenset[str]
    glue: frozenset[str]
    topic: frozenset[str]
    written: frozenset[str]


@cache
def vocabulary() -> Vocabulary:
    """The built-in vocabulary."""
    data = yaml.load((Path(__file__).parent / "vocabulary.yaml").read_bytes(), Loader=_LOADER)
    forms = {_stems(form): word for word, ways in data["same"].items() for form in (word.replace("-", " "), *ways)}
    return Vocabulary(
        forms=forms,
        longest=_longest(forms),
        negations=frozenset(data["negations"]),
        fillers=tuple(_stems(f) for f in data["fillers"]),
        breaks=frozenset(data["breaks"]),
        weak_breaks=frozenset(data["weak_breaks"]),
        elsewhere=tuple(_stems(e) for e in data["elsewhere"]),
        stop=frozenset(stem(w) for w in data["stop"]),
        subjects=frozenset(data["subjects"]),
        glue=frozenset(stem(w) for w in data["glue"]),
        topic=frozenset(data["topic"]),
        written=frozenset(written(str(data))),
    )


def _longest(forms: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """First word -> length of the longest form that begins with it."""
    longest: dict[str, int] = {}
    for form in forms:
        longest[form[0]] = max(longest.get(form[0], 0), len(form))
    return longest


def tokens(text: str, correct: Callable[[str], str] | None = None) -> list[Token]:
    """The words of a text (its first 20,000 characters), phrases and synonyms replaced by their one word.

    `correct` maps a stem to the stem that was meant, for text that people type.
    """
    plain = list(raw_tokens(text[:MAX_CHARS]))
    if correct is not None:
        plain = [t._replace(word=correct(t.word)) for t in plain]
    vocab, found, i = vocabulary(), [], 0
    while i < len(plain):
        longest = vocab.longest.get(plain[i].word, 0)
        for n in range(min(longest, len(plain) - i), 0, -1):
            word = vocab.forms.get(tuple(t.word for t in plain[i : i + n]))
            if word is not None:
                found.append(Token(word, plain[i].start, plain[i + n - 1].end))
                i += n
                break
        else:
            found.append(plain[i])
            i += 1
    return found


def words(text: str, correct: Callable[[str], str] | None = None) -> list[str]:
    """The canonical words of a text that carry meaning: no stop words."""
    stop = vocabulary().stop
    return [t.word for t in tokens(text, correct) if t.word not in stop]


def raw_tokens(text: str) -> Iterator[Token]:
    """Stemmed words as written; contractions in two ("doesn't" is "does", "not")."""
    for match in _WORD.finditer(text):
        word, start, end = match.group().lower(), match.start(), match.end()
        if word in _CONTRACTED:
            yield Token(stem(_CONTRACTED[word]), start, end)
            yield Token("not", start, end)
        elif word == "cannot":
            yield Token("not", start, end)
        elif "_" in word or "." in word:
            yield from _split(text, match)
        else:
            yield Token(stem(word), start, end)


def written(text: str) -> set[str]:
    """The words of a text as they are written, in lower case."""
    return set(re.findall(r"[a-z]+", text.lower()))


def _split(text: str, match: re.Match[str]) -> Iterator[Token]:
    """ "clip_grad_norm" and "model.eval" as their words; numbers such as 0.693 stay whole."""
    word = match.group().lower()
    if re.fullmatch(r"[\d.]+", word):
        yield Token(word, match.start(), match.end())
        return
    for part in re.finditer(r"[a-z0-9]+", word):
        yield Token(stem(part.group()), match.start() + part.start(), match.start() + part.end())


@cache
def stem(word: str) -> str:
    """A word without its ending and in American spelling: "normalising", "normalization" -> "normaliz"."""
    if len(word) <= 3 or not word.isalpha():
        return word
    word = re.sub(r"(?<=[a-z]{3})is(?=(e|ed|es|er|ing|ation|ations)$)", "iz", word)
    word = re.sub(r"(?<=[a-z]{2})our(?=s?$)", "or", word)
    word = re.sub(r"ies$", "y", word) if len(word) > 4 else word
    word = re.sub(r"(?<=[a-z]{2}(?:sh|ch|ss|zz))es$|(?<=x)es$", "", word) if len(word) > 4 else word
    word = re.sub(r"(?<![siu'])s$", "", word)
    word = re.sub(r"izations?$", "iz", word)
    for ending in ("ing", "ed", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = re.sub(r"([bdgklmnprt])\1$", r"\1", word.removesuffix(ending))
            break
    return word.removesuffix("e") if len(word) > 3 else word


def _stems(text: str) -> tuple[str, ...]:
    return tuple(t.word for t in raw_tokens(text))


def numbers(text: str) -> list[Number]:
    """The numbers of a text; percentages as shares."""
    found = []
    for match in _NUMBER.finditer(text[:MAX_CHARS]):
        percent = match.group(1) is not None
        plain = match.group().removesuffix(match.group(1) or "").strip()
        decimals = len(plain.partition("e")[0].partition(".")[2]) + (2 if percent else 0)
        found.append(Number(float(plain) / (100 if percent else 1), decimals, percent, match.start(), match.end()))
    return found


def sentence_breaks(text: str) -> list[int]:
    """Positions where a clause ends by punctuation."""
    return [m.start() for m in _BREAK.finditer(text[:MAX_CHARS])]


def contains(sequence: list[str], part: tuple[str, ...]) -> int:
    """The index at which `part` stands in `sequence`, or -1."""
    n = len(part)
    return next((i for i in range(len(sequence) - n + 1) if tuple(sequence[i : i + n]) == part), -1)
