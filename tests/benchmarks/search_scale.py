"""How search scales: loading, indexing and querying the built-in base beside N made-up overlay entries.

usage: python tests/benchmarks/search_scale.py [N ...]      (default: 0 1000 10000)

The entries are made of sentences of the built-in ones, shuffled by a fixed seed, so that their words are as common as
they would be in a team's own entries on the same subject: the worst case for an index.
"""

from __future__ import annotations

import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import yaml

from knowledge.load import load
from knowledge.schema import Entry
from knowledge.search import Index
from knowledge.understand import understand

QUERIES = (
    "loss is nan",
    "overfiting",
    "validation loss rises while the training loss keeps falling",
    "my network trains but the validation accuracy is stuck and the loss oscillates",
    "cuda out of memory after a few hundred steps although the batch is small",
    "how do I tune the learning rate of adam",
    "accuracy stuck at 10% on mnist, loss at 2.303 from the first epoch " * 4,
)


def sentences(entries: list[Entry]) -> list[str]:
    """All sentences of the built-in entries."""
    texts = [t for e in entries for t in (e.summary, *e.causes, *(q.answer for q in e.qa), *(f.how for f in e.fixes))]
    return [s for t in texts for s in re.split(r"(?<=[.;])\s+", t) if len(s) > 20]


def write_entries(folder: Path, n: int) -> None:
    """Write n overlay entries of some ten sentences each."""
    rng = random.Random(7)
    base = load()
    pool, symptoms = sentences(list(base.entries.values())), sorted(base.symptoms)
    for i in range(n):
        said = rng.sample(pool, 10)
        entry = {
            "id": f"own-{i}",
            "kind": rng.choice(("diagnosis", "guide")),
            "title": " ".join(said[0].split()[:6]).strip(",.:;"),
            "summary": said[1],
            "symptoms": dict.fromkeys(rng.sample(symptoms, 3), "often"),
            "causes": said[2:4],
            "qa": [{"question": q, "answer": a} for q, a in (said[4:6], said[6:8])],
            "body": " ".join(said[8:]),
        }
        (folder / f"own-{i}.yaml").write_text(yaml.safe_dump(entry, sort_keys=False), encoding="utf-8")


def timed(calls: int, run: object, *args: object) -> float:
    """Median seconds of some calls."""
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        run(*args)  # type: ignore[operator]
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main(sizes: list[int]) -> None:
    """Print a line a size; ratios are to the first size."""
    first = 0.0
    print(
        f"{'entries':>8} {'load s':>8} {'index s':>8} {'query ms':>9} {'worst ms':>9} {'understand':>11} {'ratio':>6}"
    )
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_entries(Path(folder), n)
            began = time.perf_counter()
            base = load([Path(folder)])
            loaded = time.perf_counter()
            index = Index(base)
            built = time.perf_counter()
        for query in QUERIES:
            index.search(query)
        times = [1000 * timed(5, index.search, query, 10) for query in QUERIES]
        talk = statistics.median(1000 * timed(5, understand, query, index) for query in QUERIES)
        median = statistics.median(times)
        first = first or median
        print(
            f"{len(base.entries):8} {loaded - began:8.2f} {built - loaded:8.2f} {median:9.2f} {max(times):9.2f}"
            f" {talk:11.2f} {median / first:6.1f}"
        )


if __name__ == "__main__":
    main([int(a) for a in sys.argv[1:]] or [0, 1000, 10000])
