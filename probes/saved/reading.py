"""The one pass over the files: all numbers of all checkpoints, on two threads, with progress by bytes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from ..artifacts import Checkpoint, Progress, Tensor
from ..errors import Unreadable
from ..memory import settle, uncollected
from . import pairs, statistics
from .pairs import Pair
from .statistics import Job

THREADS = 2
"""NumPy lets go of the interpreter while it computes; more threads than two wait for memory."""
REPORT_EVERY = 0.1
"""Seconds."""
WORTH_THREADS = 1 << 19
"""Bytes of the average tensor below which two threads mostly wait for each other."""


@uncollected()
def gather(
    checkpoints: Sequence[Checkpoint],
    progress: Progress | None = None,
    whole: Iterable[Tensor] = (),
    compared: Iterable[Pair] = (),
) -> None:
    """Fills the statistics of all weights, and of the last checkpoint's optimizer state.

    What cannot be read is left out; it raises Unreadable where it is asked for.

    Args:
        whole: tensors of the last checkpoint that stay in memory.
        compared: checkpoints whose weights are read side by side, for `pairs.gap`.
    """
    kept = [statistics.of(c) for c in checkpoints]
    kept[-1].keep(whole)
    groups = pairs.groups(compared)
    taken = {place for group in groups for place in group.members}
    jobs: list[Job] = [(group.size, group.read) for group in groups]
    jobs += [job for one in kept for job in one.jobs(one.checkpoint is checkpoints[-1], taken)]
    total = sum(size for size, _ in jobs)
    start = sum(one.seen for one in kept)

    def report() -> None:
        if progress is not None:
            done = sum(one.seen for one in kept) - start
            progress(min(1.0, done / max(1, total)), f"{done / 1e9:.1f} of {total / 1e9:.1f} GB looked at")

    settle()
    alone = os.environ.get("OPENBLAS_NUM_THREADS") == "1"  # else its threads and ours wait for each other
    threads = min(THREADS, os.cpu_count() or 1) if alone else 1
    if total < WORTH_THREADS * len(jobs) or threads < 2:
        for _, job in jobs:
            _do(job)
            report()
        return
    _share(iter([job for _, job in jobs]), threads, report)


def _do(job: Callable[[], object]) -> None:
    try:
        job()
    except Unreadable:
        return


def _share(jobs: Iterator[Callable[[], object]], threads: int, report: Callable[[], None]) -> None:
    """Does the jobs in their order, which is the file's, each by whichever thread is free."""
    lock, stop = threading.Lock(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            with lock:
                job = next(jobs, None)
            if job is None:
                return
            _do(job)

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work) for _ in range(threads)]
        try:
            while wait(futures, REPORT_EVERY).not_done:
                report()
        finally:
            stop.set()
        for future in futures:
            future.result()
    report()
