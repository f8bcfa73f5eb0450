"""Logs in columns: Keras, Lightning, Ultralytics, W&B exports and home-made ones, in any delimiter."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np

from ...artifacts import Log
from ...names import axis, words
from .json_lines import KIND_KEYS, records_log
from .long_form import by_name, by_run
from .table import MISSING, Cell, Column, is_training_log, number, series_of

DELIMITERS = (",", "\t", ";", "|")
MOST_COLUMNS = 5000
_FRACTION = re.compile(r"^([-+]?\d*),(\d+(?:[eE][-+]?\d+)?%?)$")
MOST_TWICE = 0.34
"""The part of a header that may be names that it has already; above, it is no header."""
TEXT_SHARE = 0.5
"""A column is one of words when fewer of its filled cells than this are numbers."""


def read_csv(path: Path, text: str) -> Log | None:
    """The log in `text`, or None if it is no table of training curves."""
    for _, rows in tables(text):
        header, body = rows[0], rows[1:]
        columns, texts = columns_of(header, body)
        for read in (by_run, by_name):
            if (long := read(path, header, body)) is not None:
                return long
        if any(w.lower() in KIND_KEYS for w in texts):  # long form: a row says which split it is of
            records = [{k.lower() if k in texts else k: v for k, v in zip(header, row, strict=True)} for row in body]
            if (found := records_log(path, "csv", records)) is not None:
                return found
        if is_training_log(columns, texts):
            return Log(path, form_of(header), tuple(series_of(columns)), restarts(columns))
    return None


def header_line(lines: list[str]) -> int | None:
    """Which line is the header: the first that is neither empty nor a comment."""
    return next(
        (i for i, line in enumerate(lines) if line.strip() and not _is_comment(line, lines[i + 1 : i + 2])), None
    )


def tables(text: str) -> list[tuple[str, list[list[str]]]]:
    """(delimiter, rows) for each delimiter that the header supports, the likeliest first; " " for a printed table."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = header_line(lines)
    if start is None:
        return []
    head = lines[start].lstrip("# ")
    body = "\n".join([head, *lines[start + 1 :]])
    found = []
    for delimiter in sorted(DELIMITERS, key=head.count, reverse=True):
        if 0 < head.count(delimiter) <= MOST_COLUMNS:
            try:
                rows = [[c.strip() for c in row] for row in csv.reader(io.StringIO(body), delimiter=delimiter)]
            except csv.Error:
                continue
            found.append((delimiter, _with_points(_tidy(_joined_header(rows)), delimiter)))
    if (table := _one_column(lines[start:])) or (table := _blank_table(lines)):
        found.append((" ", table))
    return [(delimiter, rows) for delimiter, rows in found if len(rows) > 1]


def _with_points(rows: list[list[str]], delimiter: str) -> list[list[str]]:
    """Decimal commas as points, where most fractions of the table have commas (Excel in most of Europe)."""
    if delimiter == "," or not decimal_commas(rows):
        return rows
    return [rows[0], *([_FRACTION.sub(r"\1.\2", cell) for cell in row] for row in rows[1:])]


def decimal_commas(rows: list[list[str]]) -> bool:
    """Whether the cells of a table write fractions with commas rather than points."""
    cells = [cell for row in rows[1:200] for cell in row]
    commas = sum(bool(_FRACTION.match(cell)) for cell in cells)
    return commas > sum("." in cell and number(cell) is not None for cell in cells)


def _blank_table(lines: list[str]) -> list[list[str]]:
    """A table printed with blanks between columns: a header that begins with "epoch" (fastai), or behind a `#` with any
    axis (NumPy's savetxt), and rows of its width."""
    rows: list[list[str]] = []
    for line in lines:
        commented = line.lstrip().startswith("#")
        cells = line.lstrip(" #").split()
        if not rows:
            begins = axis(cells[0]) if len(cells) > 2 else None
            if (
                begins is not None
                and (commented or begins == "epoch")
                and not any(number(c) is not None for c in cells)
            ):
                rows.append(cells)
        elif len(cells) == len(rows[0]) and number(cells[0]) is not None:
            rows.append(cells)
    return rows


def _one_column(lines: list[str]) -> list[list[str]]:
    """A loss and nothing else: its name, then a number a line."""
    filled = [line.strip() for line in lines if line.strip()]
    if len(filled) < 4 or "loss" not in words(filled[0]) or any(number(cell) is None for cell in filled[1:]):
        return []
    return [[cell] for cell in filled]


def _joined_header(rows: list[list[str]]) -> list[list[str]]:
    """A header of two rows as one: "train,train,val" over "loss,acc,loss", as pandas writes two levels."""
    if len(rows) < 3 or len(rows[0]) != len(rows[1]) or any(number(cell) is not None for cell in rows[0] + rows[1]):
        return rows
    above = [cell for cell in rows[0] if cell]
    if len(set(above)) == len(above) or not any(number(cell) is not None for cell in rows[2]):
        return rows
    return [["/".join(filter(None, pair)) for pair in zip(rows[0], rows[1], strict=True)], *rows[2:]]


def _is_comment(line: str, following: list[str]) -> bool:
    """A `#` line is the header itself when the next line has as many cells."""
    if not line.lstrip().startswith("#"):
        return False
    after = following[0] if following else ""
    return not any(line.count(d) and line.count(d) == after.count(d) for d in DELIMITERS)


def _tidy(rows: list[list[str]]) -> list[list[str]]:
    """Without empty rows, comments, repeated headers and rows of another width (up to empty cells at the end)."""
    header = rows[0]
    while header and header[-1] == "":
        header = header[:-1]
    named = [h for h in header if h]
    if len(named) - len(set(named)) > MOST_TWICE * len(header) or len(header) - len(named) > 1:
        return []
    if sum(number(h) is not None for h in header) > 0.2 * len(header):
        return []
    width, kept = len(header), [header]
    for row in rows[1:]:
        filled = row[:width] + [""] * (width - len(row))
        if any(filled) and not any(row[width:]) and row[:width] != header and not row[0].startswith("#"):
            kept.append(filled)
    return kept


def columns_of(header: list[str], body: list[list[str]]) -> tuple[list[Column], list[str]]:
    """The columns of numbers, and the names of those of words."""
    columns, texts = [], []
    for place, name in enumerate(header):
        cells = [row[place] for row in body]
        filled = [c for c in cells if c.lower() not in MISSING]
        numbers: list[Cell] = [number(c) for c in cells]
        good = sum(n is not None for n in numbers)
        if good and good >= TEXT_SHARE * len(filled):
            columns.append(Column(name, numbers))
        elif filled:
            texts.append(name)
    return columns, texts


def restarts(columns: list[Column]) -> tuple[str, ...]:
    """A warning where the first axis goes back to (nearly) its start."""
    column = next((c for c in columns if axis(c.name)), None)
    if column is None or len(column.values) < 2:
        return ()
    values = column.values
    back = int(np.sum((values[1:] < values[:-1]) & (values[1:] <= values[0] + 1)))
    note = f"the {column.name} column goes back {back} times: several runs or a resume in one file."
    return (note,) if back else ()


def form_of(header: list[str]) -> str:
    names = {h.lower() for h in header}
    if any(n.startswith(("train/box_loss", "metrics/map", "metrics/accuracy_top", "x/lr")) for n in names):
        return "ultralytics-csv"
    if {"epoch", "step"} <= names:
        return "lightning-csv"
    if {"loss", "val_loss"} <= names or (header[0] == "epoch" and header[1:] == sorted(header[1:]) and "loss" in names):
        return "keras-csv"
    return "csv"
