"""Tables printed anew after every epoch, with the splits side by side (AllenNLP) or one below the other (Ludwig).

accuracy | 0.81 | 0.78          | label      | loss | accuracy |
loss     | 0.41 | 0.52          | train      | 0.41 | 0.81     |
under  Training | Validation    | validation | 0.52 | 0.78     |
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ....artifacts import Series
from ....names import SPLIT_WORDS, TELLING, split_of, words
from ..json_lines import Record, record_columns
from ..table import is_training_log, number, series_of

_RULE = re.compile(r"^[\s─-╿+=-]*$")
_EPOCH = re.compile(r"\bepoch\W{0,3}(\d+)\b", re.I)
_SPLITS_BELOW = frozenset(["", "label", "split", "set", "phase", "mode", "stage", "subset", "dataset", "data"])
"""Titles of the first column where the splits stand below one another."""


def printed_splits(lines: Iterable[str]) -> list[Series]:
    """The curves of such tables; empty without any. Where no epoch is named, the tables are counted."""
    records: list[Record] = []
    header: list[str] = []
    epoch: int | None = None
    for line in lines:
        if found := _EPOCH.search(line):
            epoch = int(found[1])
        cells = [c.strip() for c in line.rsplit(" - ", 1)[-1].strip().strip("|").split("|")]
        if len(cells) < 2:
            if not _RULE.match(line):
                header = []
        elif _is_header(cells):
            header = cells
            if not _open(records, cells, epoch):
                records.append({"epoch": len(records) + 1 if epoch is None else epoch})
        elif header and records:
            records[-1] |= _row(header, cells)
    columns = record_columns(records, None) if len(records) > 1 else []
    return series_of(columns) if is_training_log(columns) else []


def _open(records: list[Record], header: list[str], epoch: int | None) -> bool:
    """Whether another table of the same epoch goes on with its record (Ludwig prints one for every output)."""
    return bool(records) and epoch is not None and records[-1]["epoch"] == epoch


def _is_header(cells: list[str]) -> bool:
    if all(c and set(words(c)) <= SPLIT_WORDS for c in cells):
        return len({split_of(c) for c in cells}) == len(cells)
    named = all(number(c) is None for c in cells) and not any(split_of(c) for c in cells)
    return named and cells[0].lower() in _SPLITS_BELOW and any(_telling(c) for c in cells[1:])


def _row(header: list[str], cells: list[str]) -> Record:
    """The values of one row, by split and metric; none for a row of something else."""
    if all(set(words(c)) <= SPLIT_WORDS for c in header):
        if len(cells) != len(header) + 1 or number(cells[0]) is not None:
            return {}
        return {f"{split}/{cells[0]}": number(c) for split, c in zip(header, cells[1:], strict=True)}
    if len(cells) != len(header) or split_of(cells[0]) is None:
        return {}
    return {f"{cells[0]}/{metric}": number(c) for metric, c in zip(header[1:], cells[1:], strict=True)}


def _telling(cell: str) -> bool:
    return bool(set(words(cell)) & TELLING)
