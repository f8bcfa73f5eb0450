"""Finds symptoms in free text, with yes or no, clause by clause.

A phrasing matches when its words stand close together in one clause; a negation in that clause which the phrasing does
not ask for turns the mention into a no. Clauses end at punctuation and words such as "but" and "while", and where the
text turns from training to validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from .schema import Symptom
from .text import Token, contains, sentence_breaks, tokens, vocabulary

Correct = Callable[[str], str]
_YES_OR_NO = re.compile(
    r"\W*(?:(yes|yeah|yep|yup|y|correct|indeed)|(?:no(?!\s+(?:idea|clue))|nope|nah|n))\b", re.IGNORECASE
)
_GAP = 5
_REACH = 5
_SIDES = {"train", "validation"}
_MOVES = {"rise", "fall", "good", "bad", "worse", "improve", "stuck", "low", "high", "converge", "decreas", "fin"}


@dataclass(frozen=True, slots=True)
class Mention:
    """A symptom that the text speaks of.

    Args:
        present: False if the text says that it is not so.
        span: the characters that say it, start and end.
        score: how specific the words are, above 0; of two mentions that contradict, the higher counts.
        negated: the words stand under a "not".
    """

    symptom: str
    present: bool
    span: tuple[int, int]
    score: float
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrasing of a symptom, as canonical words."""

    symptom: str
    words: tuple[str, ...]
    without: frozenset[str]
    present: bool


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the text that holds one statement; `borrowed` are subjects that it takes over from before."""

    tokens: tuple[Token, ...]
    borrowed: frozenset[str] = frozenset()


class Matcher:
    """Finds mentions of symptoms; built once for a knowledge base."""

    def __init__(self, symptoms: Iterable[Symptom]) -> None:
        self._by_word: dict[str, list[Phrase]] = {}
        for symptom in symptoms:
            for text, present in [(p, True) for p in symptom.phrasings] + [(d, False) for d in symptom.denials]:
                phrase = _phrase(symptom.id, text, present)
                if phrase.words:
                    self._by_word.setdefault(max(phrase.words, key=len), []).append(phrase)

    def find(self, text: str, correct: Correct | None = None) -> tuple[Mention, ...]:
        """The mentions in a text, one for each symptom, in the order of the text."""
        parts = clauses(text, correct)
        pairs = [Clause(a.tokens + b.tokens) for a, b in pairwise(parts)]
        best: dict[str, Mention] = {}
        for clause, long_ones in [(c, False) for c in parts] + [(c, True) for c in pairs]:
            for mention in self._in_clause(clause, long_ones):
                if mention.symptom not in best or mention.score > best[mention.symptom].score:
                    best[mention.symptom] = mention
        return tuple(sorted(best.values(), key=lambda m: m.span))

    def _in_clause(self, clause: Clause, long_ones: bool) -> Iterable[Mention]:
        said = {t.word for t in clause.tokens} | clause.borrowed
        for word in said:
            for phrase in self._by_word.get(word, ()):
                if long_ones and len(phrase.words) < 4:
                    continue
                if said.issuperset(phrase.words) and not said & phrase.without:
                    mention = _match(phrase, clause)
                    if mention is not None:
                        yield mention


def clauses(text: str, correct: Correct | None = None) -> list[Clause]:
    """The clauses of a text."""
    vocab, breaks = vocabulary(), iter(sentence_breaks(text))
    found: list[list[Token]] = [[]]
    cut = next(breaks, None)
    plain = _plain(tokens(text, correct))
    for i, token in enumerate(plain):
        while cut is not None and cut <= token.start:
            found.append([])
            cut = next(breaks, None)
        ends = token.word in vocab.breaks and not _joins_sides(plain, i)
        if ends or _turns(found[-1], token.word):
            found.append([])
        found[-1].append(token)
    return _with_subjects([part for part in found if part])


def _plain(found: list[Token]) -> list[Token]:
    """Without fillers such as "not sure", and with every negation as "not"."""
    vocab, kept, i = vocabulary(), [], 0
    words = [t.word for t in found]
    while i < len(found):
        filler = next((f for f in vocab.fillers if contains(words[i : i + len(f)], f) == 0), None)
        if filler:
            i += len(filler)
            continue
        kept.append(found[i]._replace(word="not") if words[i] in vocab.negations else found[i])
        i += 1
    return kept


def _joins_sides(plain: list[Token], i: int) -> bool:
    """Whether the word only joins the two sides: "training and validation loss"."""
    return 0 < i < len(plain) - 1 and {plain[i - 1].word, plain[i + 1].word} == _SIDES


def _turns(clause: list[Token], word: str) -> bool:
    """Whether the text turns from training to validation (or back) after it said something of the first."""
    said = {t.word for t in clause}
    return word in _SIDES and bool(said & (_SIDES - {word})) and bool(said & _MOVES)


def _with_subjects(parts: list[list[Token]]) -> list[Clause]:
    subjects, last, found = vocabulary().subjects, frozenset[str](), []
    for part in parts:
        own = subjects & {t.word for t in part}
        found.append(Clause(tuple(part), frozenset() if own else last))
        last = own or last
    return found


def _match(phrase: Phrase, clause: Clause) -> Mention | None:
    places = _places(phrase.words, [t.word for t in clause.tokens], clause.borrowed)
    if not places:
        return None
    first, last = min(places), max(places)
    if last - first + 1 > len(phrase.words) + _GAP:
        return None
    negated = "not" not in phrase.words and _is_negated(sorted(places), [t.word for t in clause.tokens])
    span = (clause.tokens[first].start, clause.tokens[last].end)
    score = len(phrase.words) + 1 / (2 + last - first)
    return Mention(phrase.symptom, phrase.present is not negated, span, score, negated)


def _is_negated(places: list[int], said: list[str]) -> bool:
    """Whether a "not" reaches one of the places: shortly before it, with no weak break between."""
    for i, word in enumerate(said[: places[-1]]):
        if word == "not" and i >= places[0] - _REACH:
            reached = next(place for place in places if place > i)
            if not vocabulary().weak_breaks.intersection(said[i:reached]):
                return True
    return False


def _places(wanted: tuple[str, ...], said: list[str], borrowed: frozenset[str]) -> list[int]:
    """Where the words stand, closest together; in order if there are four or more. [] if they do not."""
    if len(wanted) >= 4:
        return _in_order(wanted, said)
    own = [w for w in wanted if w in said]
    if len(own) < len(wanted) and (not own or not borrowed.issuperset(set(wanted) - set(own))):
        return []
    rare = min(own, key=said.count)
    spots = (i for i, word in enumerate(said) if word == rare)
    around = (
        [min((j for j, w in enumerate(said) if w == word), key=lambda j: abs(j - i)) for word in own] for i in spots
    )
    return min(around, key=lambda found: max(found) - min(found))


def _in_order(wanted: tuple[str, ...], said: list[str]) -> list[int]:
    places, at = [], 0
    for word in wanted:
        try:
            at = said.index(word, at) + 1
        except ValueError:
            return []
        places.append(at - 1)
    return places


def _phrase(symptom: str, text: str, present: bool) -> Phrase:
    parts = text.split()
    glue, negations = vocabulary().glue, vocabulary().negations
    plain = " ".join(p for p in parts if not p.startswith("-"))
    words = dict.fromkeys("not" if t.word in negations else t.word for t in tokens(plain) if t.word not in glue)
    without = frozenset(t.word for p in parts if p.startswith("-") for t in tokens(p))
    listed = tuple(words) if len(words) < 4 else tuple(t for t in _repeated(plain, glue, negations))
    return Phrase(symptom, listed, without, present)


def _repeated(plain: str, glue: frozenset[str], negations: frozenset[str]) -> list[str]:
    return ["not" if t.word in negations else t.word for t in tokens(plain) if t.word not in glue]


def answer(text: str) -> bool | None:
    """Whether a text begins with a yes or a no; None if it does neither."""
    said = _YES_OR_NO.match(text)
    return None if said is None else said.group(1) is not None
