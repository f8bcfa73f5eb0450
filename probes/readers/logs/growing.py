"""Rows of numbers that come block by block, kept in bounded memory: a very long log is thinned evenly."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

import numpy as np

from ...artifacts import Floats, Progress
from ...memory import settle
from .numerals import Block, block_of
from .table import is_blank

MOST_ROWS = 5_000_000
"""Rows that are kept; 40 MB a column."""
LEAST_ROOM = 1 << 16
"""Rows that there is room for from the start."""
BLOCK = 2 << 20
"""Bytes read at a time: with fewer, two threads spend their time on handing the interpreter to each other."""
LONGEST = 16 << 20
"""Bytes of a line."""
LARGE = 4 << 20
"""From this size on logs are read in blocks."""
THREADS = 2
"""NumPy lets go of the interpreter while it computes."""
_MOST_BAD = 0.1
T = TypeVar("T")
Clean = Callable[[bytes], bytes]


class Growing:
    """A table of `width` columns. `every`: of how many rows one is kept."""

    def __init__(self, width: int, most: int = MOST_ROWS) -> None:
        self.width, self.every, self._most, self._count = width, 1, most, 0
        self._columns = [np.empty(0) for _ in range(width + 1)]

    def add(self, rows: Floats, columns: Sequence[Floats]) -> None:
        """Appends rows: their numbers in the file, and the cells of each column with BLANK for none."""
        part = [rows, *columns]
        if self.every > 1:
            part = _thinned(part, self.every)
        self._append(part)
        while self._count > self._most:
            whole = _thinned([column[: self._count] for column in self._columns], 2)
            stuck = len(whole[0]) > 0.9 * self._count
            self._count, self.every = 0, self.every * 2
            self._append(whole)
            if stuck:
                break

    def take(self) -> tuple[Floats, list[Floats]]:
        """The row numbers and the columns; the table is empty afterwards."""
        rows, columns = self.whole()
        self._columns, self._count = [np.empty(0) for _ in self._columns], 0
        return rows, columns

    def whole(self) -> tuple[Floats, list[Floats]]:
        """The row numbers and the columns so far, which the table keeps."""
        rows, *columns = (column[: self._count] for column in self._columns)
        return rows, columns

    def _append(self, part: list[Floats]) -> None:
        """The columns lie apart from what is computed on the way and have room to spare: small arrays that are kept
        among large ones that are not leave the C library with holes, and it then asks the system for more and more."""
        end = self._count + len(part[0])
        for place, cells in enumerate(part):
            if end > len(self._columns[place]):
                more = np.empty(max(LEAST_ROOM, min(4 * end, self._most + end)))
                more[: self._count] = self._columns[place][: self._count]
                self._columns[place] = more
            self._columns[place][self._count : end] = cells
        self._count = end


def _thinned(columns: list[Floats], every: int) -> list[Floats]:
    """Every so-manieth row, and those with the first, last, smallest, largest and non-finite values of a column."""
    kept = np.zeros(len(columns[0]), dtype=bool)
    kept[::every] = True
    kept[-1:] = True
    for cells in columns[1:]:
        good = np.isfinite(cells)
        bad = ~good & ~is_blank(cells)
        if bad.sum() > _MOST_BAD * len(bad):
            bad[1:] &= ~bad[:-1]
        kept |= bad
        if good.any():
            kept[np.argmin(np.where(good, cells, np.inf))] = True
            kept[np.argmax(np.where(good, cells, -np.inf))] = True
    return [cells[kept] for cells in columns]


def thinning(every: int) -> tuple[str, ...]:
    """The sentence about rows that were left out."""
    if every == 1:
        return ()
    return (
        f"so long that only one row in {every} was kept, and beside them the first, last, smallest, largest and "
        "non-finite values.",
    )


def number_blocks(
    file: IO[bytes], progress: Progress | None, path: Path, work: Callable[[Block], T], clean: Clean = bytes
) -> Iterator[T]:
    """What `work` makes of whole lines in blocks, in their order, from where the file stands, after `clean` went over
    them. It is done in two threads, and so ahead of what is taken."""

    def done(data: bytes) -> T:
        return work(block_of(clean(data)))

    settle()
    pieces = line_blocks(file, progress, path)
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = deque(pool.submit(done, data) for data in islice(pieces, THREADS + 1))
        try:
            while waiting:
                made = waiting.popleft().result()
                waiting.extend(pool.submit(done, data) for data in islice(pieces, 1))
                yield made
        finally:
            for future in waiting:
                future.cancel()


def line_blocks(file: IO[bytes], progress: Progress | None, path: Path) -> Iterator[bytes]:
    """Whole lines, each with its end, in blocks of about BLOCK bytes; a line of more than LONGEST is cut."""
    size, rest = max(1, path.stat().st_size), list[bytes]()
    while data := file.read(BLOCK):
        if progress is not None:
            progress(min(1.0, file.tell() / size), f"reading {path.name}")
        end = data.rfind(b"\n") + 1
        if end == 0 and len(rest) * BLOCK < LONGEST:
            rest.append(data)
            continue
        yield b"".join([*rest, data[:end]]) if end else b"".join([*rest, data, b"\n"])
        rest = [data[end:]] if end else []
    if left := b"".join(rest):
        yield left if left.endswith(b"\n") else left + b"\n"
