"""Rows of numbers that come piece by piece, kept in bounded memory: a very long log is thinned evenly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....artifacts import Floats
from ..table import is_blank
from .numerals import Places

MOST_ROWS = 2_000_000
"""Rows that are kept; 16 MB a column."""
LEAST_ROOM = 1 << 16
"""Rows that there is room for from the start."""
SURE = 0.25
"""Of the most rows, so many tell how many there will be."""
_MOST_BAD = 0.1


class Growing:
    """A table of `width` columns. `every`: of how many rows one is kept; `most` (MOST_ROWS): rows that are."""

    def __init__(self, width: int, most: int | None = None) -> None:
        self.width, self.every, self._count = width, 1, 0
        self._most = MOST_ROWS if most is None else most
        self._columns = [np.empty(0) for _ in range(width + 1)]

    def add(self, rows: Floats, columns: Sequence[Floats], share: float = 1, every: int = 1) -> None:
        """Appends rows: their numbers in the file, and the cells of each column with BLANK for none.

        Args:
            share: how much of the file has been read with them, so that there will be room for the rest.
            every: of how many rows one has been kept already, a power of two as that of the table is.
        """
        part = [rows, *columns]
        if self.every > every:
            kept = worth_keeping(columns, self.every // every)
            part = [cells[kept] for cells in part]
        self._append(part, share)
        while self._count > self._most or (self._count > SURE * self._most and self._count > share * self._most):
            before = self._count
            kept = worth_keeping([column[:before] for column in self._columns[1:]], 2)
            self._count, self.every = len(kept), self.every * 2
            for column in self._columns:  # in its place: memory that was never touched costs more than the numbers
                column[: self._count] = column[kept]
            if self._count > 0.9 * before:
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

    def _append(self, part: list[Floats], share: float) -> None:
        """The columns lie apart from what is computed on the way and have room to spare: small arrays that are kept
        among large ones that are not leave the C library with holes, and it then asks the system for more and more."""
        end = self._count + len(part[0])
        room = min(self._most + len(part[0]), max(LEAST_ROOM, 2 * end, int(1.02 * end / max(share, 1e-9))))
        for place, cells in enumerate(part):
            if end > len(self._columns[place]):
                more = np.empty(max(room, end))
                more[: self._count] = self._columns[place][: self._count]
                self._columns[place] = more
            self._columns[place][self._count : end] = cells
        self._count = end


def worth_keeping(columns: Sequence[Floats], every: int) -> Places:
    """The places of every so-manieth row, and of those with the first, last, smallest, largest and non-finite values of
    a column."""
    kept = np.zeros(len(columns[0]), dtype=bool)
    kept[::every] = True
    kept[-1:] = True
    for cells in columns:
        if len(cells) and np.isfinite(cells.min()) and np.isfinite(cells.max()):
            kept[[cells.argmin(), cells.argmax()]] = True
            continue
        good = np.isfinite(cells)
        bad = ~good & ~is_blank(cells)
        if bad.sum() > _MOST_BAD * len(bad):
            bad[1:] &= ~bad[:-1]
        kept |= bad
        if good.any():
            kept[np.argmin(np.where(good, cells, np.inf))] = True
            kept[np.argmax(np.where(good, cells, -np.inf))] = True
    return np.flatnonzero(kept)


def thinning(every: int) -> tuple[str, ...]:
    """The sentence about rows that were left out."""
    if every == 1:
        return ()
    return (
        f"so long that only one row in {every} was kept, and beside them the first, last, smallest, largest and "
        "non-finite values.",
    )
