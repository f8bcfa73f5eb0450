"""Large CSV files: read in blocks, the numbers of a whole column of a block at once. Says the same as `csv_log`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...artifacts import Floats, Log, Progress
from .csv_log import TEXT_SHARE, columns_of, decimal_commas, form_of, header_line, restarts, tables
from .growing import Growing, number_blocks, thinning
from .json_lines import KIND_KEYS
from .long_form import by_name, says_run
from .numerals import AHEAD, BEHIND, Block, Places, read_numbers
from .table import BLANK, MISSING, Column, is_training_log, number, series_of

HEAD = 256 << 10


@dataclass(slots=True)
class _Layout:
    """What the first rows say about the others.

    Args:
        begin: where the first row begins, in bytes.
        used: places of the columns that hold numbers.
        texts: cells of each used column that are words, so far.
    """

    header: list[str]
    delimiter: str
    point: str
    begin: int
    used: list[int]
    words: list[str]
    texts: dict[int, int] = field(default_factory=dict)


def read_large_csv(path: Path, progress: Progress | None = None) -> Log | None:
    """The log in a large table, or None if it is none or not regular enough to be read in blocks."""
    with path.open("rb") as file:
        layout = _layout(file.read(HEAD))
        if layout is None:
            return None
        table = Growing(len(layout.used))
        file.seek(layout.begin)
        rows = 0
        for block in number_blocks(file, progress, path):
            if (found := _cells(block, layout)) is None:
                return None
            table.add(np.arange(rows, rows + len(found[0]), dtype=float), found)
            rows += len(found[0])
    numbers, cells = table.take()
    columns = []
    for place, column in zip(layout.used, cells, strict=True):
        one = Column(layout.header[place], column, None, numbers if table.every > 1 else None)
        if layout.texts.get(place, 0) * (1 - TEXT_SHARE) <= TEXT_SHARE * len(one.values) * table.every:
            columns.append(one)
    if not is_training_log(columns, layout.words):
        return None
    notes = (*restarts(columns), *thinning(table.every))
    return Log(path, form_of(layout.header), tuple(series_of(columns)), notes)


def _layout(head: bytes) -> _Layout | None:
    """The layout of a table of training curves; None for anything else, and for what needs the whole text."""
    mark = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    if b"\0" in head or head.replace(b"\r\n", b"\n").count(b"\r") or b"\n" not in head:
        return None
    lines = head[mark : head.rfind(b"\n") + 1].split(b"\n")
    texts = [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
    start = header_line(texts)
    if start is None:
        return None
    begin = mark + sum(len(line) + 1 for line in lines[: start + 1])
    for delimiter, rows in tables("\n".join(texts)):
        columns, words = columns_of(rows[0], rows[1:])
        long = by_name(Path("log"), rows[0], rows[1:]) is not None
        if delimiter == " " or long or says_run(rows[0]) or any(w.lower() in KIND_KEYS for w in words):
            return None
        if is_training_log(columns, words):
            used = [i for i, name in enumerate(rows[0]) if name not in words]
            point = "," if delimiter != "," and decimal_commas(_raw(texts[start:], delimiter)) else "."
            return _Layout(rows[0], delimiter, point, begin, used, words)
    return None


def _raw(lines: list[str], delimiter: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split(delimiter)] for line in lines[:200]]


def _cells(block: Block, layout: _Layout) -> list[Floats] | None:
    """The used columns of a block of lines; None where a quoted cell holds a line break."""
    if b'"' in block.data:
        return _slowly(block.data[AHEAD:-BEHIND], layout)
    width = len(layout.header)
    cuts = np.flatnonzero((block.kinds == ord(layout.delimiter)) | (block.kinds == 10))
    ends = np.flatnonzero(block.kinds[cuts] == 10)
    begins = np.concatenate([[-1], ends[:-1]])
    regular = ends - begins == width
    found = [np.full(len(ends), BLANK) for _ in layout.used]
    first = begins[regular] + 1
    before, begin = cuts[np.maximum(first - 1, 0)] + 1, block.marks[cuts[np.maximum(first - 1, 0)]] + 1
    if len(first) and first[0] == 0:
        before[0], begin[0] = AHEAD, AHEAD
    comment = block.words[begin] & np.uint64(0xFF) == ord("#")
    for column, place in zip(found, layout.used, strict=True):
        last = cuts[first + place]
        if place:
            before, begin = cuts[first + place - 1] + 1, block.marks[cuts[first + place - 1]] + 1
        values = _column(block, begin, before, last, layout, place)
        column[regular] = np.where(comment, BLANK, values) if comment.any() else values
    keep = np.ones(len(ends), dtype=bool)
    for row in np.flatnonzero(~regular).tolist():
        stop = block.marks[cuts[ends[row]]]
        start = block.marks[cuts[begins[row]]] + 1 if begins[row] >= 0 else AHEAD
        keep[row] = _ragged(block.data[start:stop], layout, row, found)
    return found if keep.all() else [column[keep] for column in found]


def _column(block: Block, begin: Places, before: Places, last: Places, layout: _Layout, place: int) -> Floats:
    """The numbers between `begin` and the marks `last`, with Python's help for every cell that is no plain number."""
    values, mark, fine = read_numbers(block, begin, before, layout.point)
    stop = block.marks[last]
    behind = (mark == last) | ((mark == last - 1) & (block.kinds[mark] == 13))
    for i in np.flatnonzero(~(fine & behind)).tolist():
        values[i] = _cell(block.data[begin[i] : stop[i]].decode("utf-8", "replace"), layout, place)
    return values


def _cell(text: str, layout: _Layout, place: int) -> float:
    text = text.strip()
    value = number(text.replace(",", ".") if layout.point == "," else text)
    if value is not None:
        return value
    layout.texts[place] = layout.texts.get(place, 0) + (text.lower() not in MISSING)
    return float(BLANK)


def _ragged(line: bytes, layout: _Layout, row: int, found: list[Floats]) -> bool:
    """Fills a row of another width: short ones as if blanks followed. Whether it is a row at all."""
    for cells in csv.reader([line.decode("utf-8", "replace").rstrip("\r")], delimiter=layout.delimiter):
        return _fill(cells, layout, row, found)
    return False


def _fill(cells: list[str], layout: _Layout, row: int, found: list[Floats]) -> bool:
    cells = [cell.strip() for cell in cells]
    width = len(layout.header)
    if not any(cells) or any(cells[width:]) or cells[:width] == layout.header or cells[0].startswith("#"):
        return False
    for column, place in zip(found, layout.used, strict=True):
        if place < len(cells):
            column[row] = _cell(cells[place], layout, place)
    return True


def _slowly(data: bytes, layout: _Layout) -> list[Floats] | None:
    """A block with quotes, row by row."""
    lines = data.split(b"\n")[:-1]
    if any(line.count(b'"') % 2 for line in lines):
        return None
    found = [np.full(len(lines), BLANK) for _ in layout.used]
    rows = _rows(lines, layout.delimiter)
    keep = np.array([_fill(cells, layout, row, found) for row, cells in enumerate(rows)], dtype=bool)
    return [column[keep] for column in found]


def _rows(lines: list[bytes], delimiter: str) -> Iterator[list[str]]:
    for line in lines:
        yield next(csv.reader([line.decode("utf-8", "replace").rstrip("\r")], delimiter=delimiter), [""]) or [""]
