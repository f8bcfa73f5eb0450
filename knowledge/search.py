"""Search as people type: typos, synonyms, rambling messages, numbers; best entry first, nothing if nothing fits.

An entry scores by the words that it shares with the query (weighted by field and rarity, with saturation as in BM25),
by the title, alias or question that is nearest to the query as a whole, and by the symptoms that the query mentions.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from .likelihood import probability
from .load import KnowledgeBase
from .meanings import Meaning, meanings
from .mentions import Matcher, Mention
from .schema import Entry
from .spelling import Speller
from .text import contains, raw_tokens, vocabulary, words, written

_SATURATION = 1.2
_PHRASE = 1.0
_SYMPTOM = 1.5
_EXACT = 5.0
_UNKNOWN = 2.5
_MOSTLY = 0.65
_FLOORS = (5.0, 4.2, 1.5)
_FLOORS_COVERED = (4.0, 3.0, 1.0)
_COVERED = 0.30
_OUTWEIGHS = (14.0, 12.0, 6.0)


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that fits a query; scores compare within one query only."""

    id: str
    title: str
    score: float
    snippet: str


@dataclass(frozen=True, slots=True)
class Query:
    """What was understood of a query: its words, those that it does not deny, symptoms, and signs of other subjects."""

    words: dict[str, float]
    affirmed: dict[str, float]
    mentions: tuple[Mention, ...]
    meanings: tuple[Meaning, ...]
    elsewhere: int

    @property
    def topics(self) -> int:
        """How many different words tell that it is about training."""
        return len(vocabulary().topic & self.words.keys())

    @property
    def symptoms(self) -> dict[str, bool]:
        """Symptom -> present, from words and from numbers."""
        numbers = {m.symptom: m.present for m in self.meanings if m.symptom}
        return numbers | {m.symptom: m.present for m in self.mentions}


@dataclass(frozen=True, slots=True)
class _Phrase:
    """A title, alias or question as a set of words, their rarities together, and what to show if it matches best."""

    words: frozenset[str]
    weight: float
    whole: float
    shown: str


class Index:
    """The search index of a knowledge base, inverted: a query costs what its words occur, not what entries there are.

    Building it takes some hundredths of a second for the built-in base.
    """

    def __init__(self, kb: KnowledgeBase) -> None:
        self.kb = kb
        self._matcher = Matcher(kb.symptoms.values())
        fields = {entry.id: _fields(entry) for entry in kb.entries.values()}
        self._speller = Speller(_written(fields, kb), _common(fields))
        counts = {id_: _weighted(parts) for id_, parts in fields.items()}
        self._rarity = _rarity(counts)
        self._gains = _gains(counts, self._rarity)
        self._phrases = {entry.id: _phrases(entry, self._rarity) for entry in kb.entries.values()}
        self._named = [(id_, phrase) for id_, of in self._phrases.items() for phrase in of]
        self._naming = _naming(self._named)
        self._ratios = _ratios(kb)

    def search(self, query: str, n: int = 5) -> list[Hit]:
        """The best `n` entries; [] means that nothing here fits the query."""
        read = self.read(query)
        scores = self.text_scores(read)
        for symptom, present in read.symptoms.items():
            for id_, ratio in self._ratios.get((symptom, present), ()):
                scores[id_] = scores.get(id_, 0.0) + _SYMPTOM * ratio
        ranked = nsmallest(n, scores, key=lambda id_: (-scores[id_], id_))
        if not ranked or not self._fits(read, scores[ranked[0]]):
            return []
        return [self._hit(id_, scores[id_], read) for id_ in ranked if scores[id_] >= 0.25 * scores[ranked[0]]]

    def read(self, text: str) -> Query:
        """What a text says: weighted words, symptoms, numbers with a meaning."""
        plain = [t.word for t in raw_tokens(text)]
        mentions = self._matcher.find(text, self._speller)
        denied = any(mention.negated for mention in mentions)
        said = self._count(text)
        return Query(
            words=said,
            affirmed=self._count(_without_denied(text, mentions)) if denied else said,
            mentions=mentions,
            meanings=meanings(text, self._speller),
            elsewhere=sum(e[0] in plain and contains(plain, e) >= 0 for e in vocabulary().elsewhere),
        )

    def _count(self, text: str) -> dict[str, float]:
        counted = Counter(words(text, self._speller))
        return {w: 1 + math.log(n) for w, n in counted.items() if not w.isdigit()}

    def text_scores(self, query: Query) -> dict[str, float]:
        """How much the words and phrases of entries resemble the query's, without symptoms; none: left out."""
        shared: dict[str, float] = {}
        for word, weight in query.words.items():
            for id_, gain in self._gains.get(word, ()):
                shared[id_] = shared.get(id_, 0.0) + weight * gain
        length, best = self._length(query), self._best_phrases(query)
        return {
            id_: shared.get(id_, 0.0) / length + _PHRASE * best.get(id_, 0.0) for id_ in shared.keys() | best.keys()
        }

    def _length(self, query: Query) -> float:
        """Long messages repeat themselves: their sum of words counts less."""
        return max(1.0, math.sqrt(len(query.words) / 6))

    def _best_phrases(self, query: Query) -> dict[str, float]:
        """The score of the best phrase of each entry that has one with a word of the query."""
        common: dict[int, float] = {}
        for word in query.words:
            rarity = self._rarity.get(word, 0.0)
            for number in self._naming.get(word, ()):
                common[number] = common.get(number, 0.0) + rarity
        best: dict[str, float] = {}
        for number, shared in common.items():
            id_, phrase = self._named[number]
            best[id_] = max(best.get(id_, 0.0), self._phrase_score(phrase, shared, query))
        return best

    def _phrase_score(self, phrase: _Phrase, shared: float, query: Query) -> float:
        score = phrase.weight * shared * (shared / phrase.whole) ** 2
        return score + (_EXACT if phrase.words == query.words.keys() else 0.0)

    def _best_phrase(self, id_: str, query: Query) -> str:
        """What the best phrase of an entry says of it; "" if none has a word of the query."""
        best, shown = 0.0, ""
        for phrase in self._phrases[id_]:
            common = phrase.words & query.words.keys()
            if common:
                score = self._phrase_score(phrase, sum(self._rarity[w] for w in common), query)
                best, shown = max((best, shown), (score, phrase.shown))
        return shown

    def _fits(self, query: Query, best: float) -> bool:
        """Whether the best score is more than chance words in common."""
        known = sum(self._rarity[w] for w in query.words if w in self._rarity)
        unknown = _UNKNOWN * sum(w not in self._rarity for w in query.words)
        covered = known / max(known + unknown, 1e-9)
        topical = min(query.topics, 2)
        floor = (_FLOORS_COVERED if covered >= _MOSTLY else _FLOORS)[topical]
        return covered >= _COVERED and best >= floor and best > _OUTWEIGHS[topical] * query.elsewhere

    def _hit(self, id_: str, score: float, query: Query) -> Hit:
        entry = self.kb.entries[id_]
        shown = self._best_phrase(id_, query) or entry.summary
        return Hit(id_, entry.title, round(score, 3), _short(shown))


def _without_denied(text: str, mentions: Iterable[Mention]) -> str:
    """The text without what it says is not so."""
    for mention in mentions:
        if mention.negated:
            start, end = mention.span
            text = text[:start] + " " * (end - start) + text[end:]
    return text


def _fields(entry: Entry) -> list[tuple[float, str]]:
    """(weight, text) of every part of an entry."""
    fixes = " ".join(f"{f.title}. {f.how}" for f in entry.fixes)
    detail = " ".join([*(q.answer for q in entry.qa), *entry.caveats, *(f.why for f in entry.fixes), entry.body])
    return [
        (4.0, entry.title),
        (2.0, " . ".join(entry.aliases)),
        (1.5, " . ".join(q.question for q in entry.qa)),
        (1.0, entry.summary),
        (0.6, " . ".join(entry.causes)),
        (0.4, fixes),
        (0.25, detail),
    ]


def _weighted(parts: Iterable[tuple[float, str]]) -> dict[str, float]:
    """Word -> weighted count; a field counts a word at most three times."""
    total: dict[str, float] = {}
    for weight, text in parts:
        for word, count in Counter(words(text)).items():
            total[word] = total.get(word, 0.0) + weight * min(count, 3)
    return total


def _phrases(entry: Entry, rarity: Mapping[str, float]) -> list[_Phrase]:
    """The phrases of an entry. A word by itself may have become part of another where fields were read as a whole."""
    named = [(1.0, text, entry.summary) for text in (entry.title, *entry.aliases)]
    named += [(0.9, q.question, q.answer) for q in entry.qa]
    read = ((weight, frozenset(words(text)) & rarity.keys(), shown) for weight, text, shown in named)
    return [_Phrase(said, weight, sum(rarity[w] for w in said), shown) for weight, said, shown in read if said]


def _rarity(counts: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Word -> inverse document frequency; a word that is only in passing texts counts as a share of a document."""
    share: Counter[str] = Counter()
    for words_of in counts.values():
        for word, weight in words_of.items():
            share[word] += min(1.0, weight)  # type: ignore[assignment]
    n = len(counts)
    return {word: math.log(1 + (n - df + 0.5) / (df + 0.5)) for word, df in share.items()}


def _gains(
    counts: Mapping[str, Mapping[str, float]], rarity: Mapping[str, float]
) -> dict[str, list[tuple[str, float]]]:
    """Word -> what it adds to the score of each entry that has it."""
    gains: dict[str, list[tuple[str, float]]] = {}
    for id_, words_of in counts.items():
        for word, count in words_of.items():
            gains.setdefault(word, []).append((id_, rarity[word] * count / (count + _SATURATION)))
    return gains


def _naming(named: Iterable[tuple[str, _Phrase]]) -> dict[str, list[int]]:
    """Word -> the numbers of the phrases that have it."""
    naming: dict[str, list[int]] = {}
    for number, (_, phrase) in enumerate(named):
        for word in phrase.words:
            naming.setdefault(word, []).append(number)
    return naming


def _ratios(kb: KnowledgeBase) -> dict[tuple[str, bool], list[tuple[str, float]]]:
    """(symptom, present) -> the bounded log likelihood ratio for each entry that links to the symptom."""
    ratios: dict[tuple[str, bool], list[tuple[str, float]]] = {}
    for entry in kb.entries.values():
        for symptom, word in entry.symptoms.items():
            likely, base = probability(word), kb.symptoms[symptom].base_rate
            for present, ratio in ((True, likely / base), (False, (1 - likely) / (1 - base))):
                ratios.setdefault((symptom, present), []).append((entry.id, max(-2.0, min(2.0, math.log(ratio)))))
    return ratios


def _written(fields: Mapping[str, list[tuple[float, str]]], kb: KnowledgeBase) -> set[str]:
    """Every word that is spelled right by definition: of entries, symptoms and the vocabulary."""
    texts = [text for parts in fields.values() for _, text in parts]
    texts += [p for s in kb.symptoms.values() for p in (*s.phrasings, *s.denials, s.question)]
    return written(" ".join(texts)) | vocabulary().written


def _common(fields: Mapping[str, list[tuple[float, str]]]) -> set[str]:
    """Words, as written, that at least one entry in six uses: those that everything here is told with."""
    counts = Counter(word for parts in fields.values() for word in written(" ".join(text for _, text in parts)))
    return {word for word, n in counts.items() if n >= len(fields) / 6}


def _short(text: str, limit: int = 220) -> str:
    """The beginning of a text, cut at a word."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: flat.rfind(" ", 0, limit)] + " …"
