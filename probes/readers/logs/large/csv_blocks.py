"""Large CSV files: read in pieces, the numbers of a whole column of a piece at once. Says the same as `csv_log`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....artifacts import Floats, Log, Progress
from ..csv_log import TEXT_SHARE, columns_of, decimal_commas, form_of, header_line, restarts, tables
from ..json_lines import KIND_KEYS
from ..long_form import by_name, says_run
from ..table import BLANK, MISSING, Column, is_training_log, number, series_of
from .aligned import Reading, Span, aligned
from .growing import Growing, thinning, worth_keeping
from .numerals import Block, Flags, Places, block_of, read_numbers
from .pieces import made_of, pieces

HEAD = 256 << 10
_CELL = r" *([-+]?(?:\d+{0}?\d*|{0}\d+)(?:[eE][-+]?\d+)?) *%? *"
_SPECIALS = (
    (b"nan", np.nan),
    (b"-nan", np.nan),
    (b"inf", np.inf),
    (b"-inf", -np.inf),
    (b"none", BLANK),
    (b"null", BLANK),
    (b"na", BLANK),
)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How rows are written, as the first ones say.

    Args:
        used: places of the columns that hold numbers.
        texts: cells of each used column that are words, so far.
    """

    header: list[str]
    delimiter: str
    point: str
    used: list[int]
    texts: dict[int, int] = field(default_factory=dict)


def read_large_csv(path: Path, progress: Progress | None = None) -> Log | None:
    """The log in a large table, or None if it is none or not regular enough to be read in pieces."""
    with path.open("rb") as file:
        if (read := _layout(file.read(HEAD))) is None:
            return None
        layout, begin, words = read
        table, rows, texts = Growing(len(layout.used)), 0, dict.fromkeys(layout.used, 0)
        form = {"header": layout.header, "delimiter": layout.delimiter, "point": layout.point, "used": layout.used}
        parts, size = pieces(file, progress, path, begin), path.stat().st_size
        for piece, (said, found) in made_of(read_rows, lambda: {"layout": form, "every": table.every}, parts, size):
            if "broken" in said:
                return None
            table.add(found[0].astype(float) + rows, found[1:], piece.stop / size, said["every"])
            rows += said["rows"]
            for place, count in said["texts"]:
                texts[place] += count
    numbers, cells = table.take()
    columns = []
    for place, column in zip(layout.used, cells, strict=True):
        one = Column(layout.header[place], column, None, numbers if table.every > 1 else None)
        if texts[place] * (1 - TEXT_SHARE) <= TEXT_SHARE * len(one.values) * table.every:
            columns.append(one)
    if not is_training_log(columns, words):
        return None
    notes = (*restarts(columns), *thinning(table.every))
    return Log(path, form_of(layout.header), tuple(series_of(columns)), notes)


def _layout(head: bytes) -> tuple[_Layout, int, list[str]] | None:
    """The layout of a table of training curves, where its first row begins, in bytes, and its columns of words; None
    for anything else, and for what needs the whole text."""
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
        joined = any(name not in texts[start] for name in rows[0])  # from two rows
        if joined or delimiter == " " or long or says_run(rows[0]) or any(w.lower() in KIND_KEYS for w in words):
            return None
        if is_training_log(columns, words):
            used = [i for i, name in enumerate(rows[0]) if name not in words]
            point = "," if delimiter != "," and decimal_commas(_raw(texts[start:], delimiter)) else "."
            return _Layout(rows[0], delimiter, point, used), begin, words
    return None


def _raw(lines: list[str], delimiter: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split(delimiter)] for line in lines[:200]]


def read_rows(data: bytes, given: dict[str, Any]) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The places of rows and their used columns, in the layout that is `given`; "broken" where a quoted cell holds a
    line break. Said are the number of all rows, of how many one is kept, and how many cells of a column are words."""
    layout, every = _Layout(**given["layout"]), int(given["every"])
    columns = _slowly(data, layout) if b'"' in data else _quickly(data, layout)
    if columns is None:
        return {"broken": True}, []
    count = len(columns[0])
    kept = worth_keeping(columns, every) if every > 1 else np.arange(count)
    said = {"texts": list(layout.texts.items()), "rows": count, "every": every}
    return said, [kept.astype(np.int32), *(columns if every == 1 else [column[kept] for column in columns])]


def _quickly(data: bytes, layout: _Layout) -> list[Floats]:
    """A piece without quotes: all rows that are regular at once, the others by themselves."""
    block = block_of(data)
    begins, stops = block.lines()
    columns = [np.full(len(begins), BLANK) for _ in layout.used]
    keep = np.zeros(len(begins), dtype=bool)
    for _, rows, found in aligned(block, begins, stops, lambda line: _reading(line, layout)):
        keep[rows] = True
        for column, values in zip(columns, found, strict=True):
            column[rows if len(rows) < len(begins) else slice(None)] = values
    if not keep.all():
        keep |= _regular(block, layout, begins, stops, np.flatnonzero(~keep), columns)
    for row in np.flatnonzero(~keep).tolist():
        keep[row] = _ragged(block.data[begins[row] : stops[row] - 1], layout, row, columns)
    return columns if keep.all() else [column[keep] for column in columns]


def _reading(line: bytes, layout: _Layout) -> Reading[None] | None:
    """Where the numbers of a row are that has nothing but numbers and blanks in its used columns."""
    cells, spans, at = list[Span | float](), list[Span](), 0
    form = _CELL.format(re.escape(layout.point)).encode()
    for place, cell in enumerate(line.rstrip(b"\r\n").split(layout.delimiter.encode())):
        if place in layout.used:
            number = re.fullmatch(form, cell)
            if number is None and cell.strip():
                return None
            cells.append(float(BLANK) if number is None else (at + number.start(1), at + number.end(1)))
        spans.append((at, at + len(cell)))
        at += len(cell) + 1
    regular = len(spans) == len(layout.header) and not line.startswith(b"#")
    return Reading(None, spans, cells) if regular else None


def _regular(block: Block, layout: _Layout, begins: Places, stops: Places, rows: Places, found: list[Floats]) -> Flags:
    """Fills those of the `rows` that are nothing but numbers and blanks, and words in columns of words. Which these
    are."""
    ends = stops - 1 - (block.bytes[stops - 2] == 13)
    rows = rows[(begins < ends)[rows] & (block.bytes[begins] != ord("#"))[rows]]
    at, ends, runs = begins[rows], ends[rows], block.first_runs(begins, stops)[rows]
    separators = np.flatnonzero(block.bytes == ord(layout.delimiter)) if len(layout.used) < len(layout.header) else None
    for place in range(len(layout.header)):
        stop = ord(layout.delimiter) if place < len(layout.header) - 1 else 10
        if place in layout.used:
            values, behind, runs = _column(block, at, runs, ends, layout, stop)
        else:
            values, behind = None, _next(separators, at, ends)
            runs = np.searchsorted(block.runs, behind)
        after = block.bytes[behind]
        good = (after == stop) | (behind == ends) | (after == ord(layout.delimiter))
        if not good.all():
            rows, behind, runs, ends = rows[good], behind[good], runs[good], ends[good]
            values = values if values is None else values[good]
        if values is not None:
            found[layout.used.index(place)][rows if len(rows) < len(begins) else slice(None)] = values
        at = np.minimum(behind + 1, ends)
    whole = np.zeros(len(begins), dtype=bool)
    whole[rows[at == ends]] = True
    return whole


def _column(
    block: Block, at: Places, runs: Places, ends: Places, layout: _Layout, stop: int
) -> tuple[Floats, Places, Places]:
    """The cells that begin at each place, before the byte `stop`: their values, BLANK for none, the places behind them
    and the next runs."""
    if (blank := block.bytes[at] == 32).any():
        at = at + (blank & (at < ends))
    values, behind, runs, fine = read_numbers(block, at, runs, layout.point, stop=stop)
    if not fine.all():
        behind, values = np.where(fine, behind, at), np.where(fine, values, BLANK)
        _specials(block, np.flatnonzero(~fine & (at < ends)), values, behind)
    after = block.bytes[behind]
    if (more := (after == 32) | (after == ord("%"))).any():
        behind = behind + (more & (behind < ends))
    return values, behind, runs


def _specials(block: Block, cells: Places, values: Floats, behind: Places) -> None:
    """Reads "nan", "-inf", "None" and the like, however many there are."""
    word = block.around(behind[cells], 8)[:, 0] | np.uint64(0x2020202020202020)
    for text, value in _SPECIALS:
        same = word & np.uint64((1 << 8 * len(text)) - 1) == np.uint64(int.from_bytes(text, "little"))
        values[cells[same]] = value
        behind[cells[same]] += len(text)
        cells, word = cells[~same], word[~same]


def _next(separators: Places | None, at: Places, ends: Places) -> Places:
    """The next separator at or after each place, within its row."""
    if separators is None or len(separators) == 0:
        return ends
    place = np.searchsorted(separators, at)
    return np.where(place < len(separators), np.minimum(separators[np.minimum(place, len(separators) - 1)], ends), ends)


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
    """A piece with quotes, row by row; None where a cell holds a line break."""
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
