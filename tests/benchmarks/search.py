"""How well the search answers real questions: python tests/benchmarks/search.py QUESTIONS.jsonl

Each line of the file is {"query": str, "gold": [entry ids that answer it], "kind": str}; an empty gold means that
nothing here does. Prints, by kind of question: the share of questions whose first (of whose first three) results
hold a right entry, the mean reciprocal rank of the first right one among ten, how many real questions were refused,
how many of other subjects were recognised as such ('none known'), and the time of a query. Beside it the same for
rapidfuzz's WRatio and token_set_ratio over titles and aliases, and for BM25 over whole entries (pip install
'nn-doctor[bench]'); these three never refuse, so their 'none known' is 0 by construction.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rapidfuzz import fuzz, process, utils  # noqa: E402

from knowledge.load import KnowledgeBase, load  # noqa: E402
from knowledge.schema import Entry  # noqa: E402
from knowledge.search import Index  # noqa: E402

DEEP = 10
Ranker = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class Question:
    """A labelled question; `gold` is empty if no entry answers it."""

    query: str
    gold: frozenset[str]
    kind: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a ranker said to a question, and how long it took."""

    question: Question
    ids: list[str]
    seconds: float

    @property
    def rank(self) -> int | None:
        """Place of the first right entry, from 1; None if there is none."""
        return next((i for i, id_ in enumerate(self.ids, 1) if id_ in self.question.gold), None)


def read(path: Path) -> list[Question]:
    """The questions of a JSON-lines file. Raises SystemExit with one sentence if it is not such a file."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [Question(row["query"], frozenset(row["gold"]), row.get("kind", "all")) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(f"{path}: is not a file of questions as JSON lines ({error!r})") from error


def rankers(kb: KnowledgeBase) -> dict[str, Ranker]:
    """Name -> function from a query to entry ids, best first."""
    index = Index(kb)
    found: dict[str, Ranker] = {
        "nn-doctor": lambda query: [hit.id for hit in index.search(query, DEEP)],
        "WRatio": by_names(kb, fuzz.WRatio),
        "token_set_ratio": by_names(kb, fuzz.token_set_ratio),
    }
    return found | ({"BM25": by_bm25(kb)} if find_spec("bm25s") else {})


def by_names(kb: KnowledgeBase, scorer: Callable[..., float]) -> Ranker:
    """Entries by their title or alias that is most like the query."""
    names = [(name, entry.id) for entry in kb.entries.values() for name in (entry.title, *entry.aliases)]
    texts = [utils.default_process(name) for name, _ in names]

    def rank(query: str) -> list[str]:
        best = process.extract(utils.default_process(query), texts, scorer=scorer, limit=None)
        return list(dict.fromkeys(names[place][1] for _, _, place in best))[:DEEP]

    return rank


def by_bm25(kb: KnowledgeBase) -> Ranker:
    """Entries by BM25 over all their text."""
    import bm25s

    ids = list(kb.entries)
    tokens = bm25s.tokenize([whole(entry) for entry in kb.entries.values()], show_progress=False)
    retriever = bm25s.BM25()
    retriever.index(tokens, show_progress=False)

    def rank(query: str) -> list[str]:
        said = bm25s.tokenize([query], show_progress=False)
        found, _ = retriever.retrieve(said, k=DEEP, show_progress=False)
        return [ids[place] for place in found[0]]

    return rank


def whole(entry: Entry) -> str:
    """All text of an entry that a person reads."""
    fixes = [part for f in entry.fixes for part in (f.title, f.why, f.how, f.unless, f.check)]
    answers = [part for q in entry.qa for part in (q.question, q.answer)]
    differences = [look.difference for look in entry.look_alikes]
    parts = [entry.title, entry.summary, *entry.aliases, *entry.causes, *fixes, *answers, *entry.caveats, *differences]
    return "\n".join([*parts, entry.body])


def ask(rank: Ranker, questions: Sequence[Question]) -> list[Answered]:
    """Every question to one ranker; the first is asked once before, so that nothing is built while the clock runs."""
    rank(questions[0].query)
    answered = []
    for question in questions:
        began = time.perf_counter()
        ids = rank(question.query)
        answered.append(Answered(question, ids, time.perf_counter() - began))
    return answered


def share(answered: Sequence[Answered], good: Callable[[Answered], bool]) -> float:
    """Share of the questions of which something is true; NaN if there are none."""
    return sum(map(good, answered)) / len(answered) if answered else float("nan")


def quality(answered: Sequence[Answered]) -> dict[str, float]:
    """top-1, top-3, mean reciprocal rank and refusals over questions that have an answer."""
    return {
        "top-1": share(answered, lambda a: a.rank == 1),
        "top-3": share(answered, lambda a: a.rank is not None and a.rank <= 3),
        "MRR": sum(1 / a.rank for a in answered if a.rank) / len(answered) if answered else float("nan"),
        "refused": share(answered, lambda a: not a.ids),
    }


def percentile(seconds: Sequence[float], percent: int) -> float:
    """Milliseconds within which that percentage of the queries was answered."""
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def report(name: str, answered: Sequence[Answered]) -> list[str]:
    """The rows of one ranker: one a kind, one over all."""
    real = [a for a in answered if a.question.gold]
    others = [a for a in answered if not a.question.gold]
    kinds = sorted({a.question.kind for a in real})
    groups = [(kind, [a for a in real if a.question.kind == kind]) for kind in kinds] + [("all real", real)]
    lines = []
    for kind, group in groups:
        figures = "".join(f"{value:9.3f}" for value in quality(group).values())
        lines.append(f"{name:16} {kind:10} {len(group):4}{figures}")
    times = [a.seconds for a in answered]
    known = share(others, lambda a: not a.ids)
    lines[-1] += f"{known:12.3f}{percentile(times, 50):9.2f}{percentile(times, 95):9.2f}"
    return lines


def main(arguments: Sequence[str]) -> int:
    """Print the table. Returns the exit code."""
    if len(arguments) != 1:
        print("usage: python tests/benchmarks/search.py QUESTIONS.jsonl", file=sys.stderr)
        return 2
    questions = read(Path(arguments[0]))
    if not questions:
        print(f"{arguments[0]}: holds no question", file=sys.stderr)
        return 2
    columns = "".join(f"{title:>9}" for title in ("top-1", "top-3", "MRR", "refused"))
    print(f"{'search':16} {'kind':10} {'n':>4}{columns}{'none known':>12}{'p50 ms':>9}{'p95 ms':>9}")
    for name, rank in rankers(load()).items():
        print("\n".join(report(name, ask(rank, questions))))
    if not find_spec("bm25s"):
        print("BM25 is not measured: bm25s is not installed (pip install 'nn-doctor[bench]')")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
