"""Tables in long form: several runs below one another, or one value a row with the name of its curve beside it."""

from __future__ import annotations

import re
from pathlib import Path

from ...artifacts import Log, Series
from ...names import axis
from .table import Column, is_training_log, number, series_of

MOST_RUNS = 200
_RUN = re.compile(
    r"(run|fold|seed|client|experiment|exp|worker|rank|trial|agent|replicate|cv)"
    r"([ _]?(id|idx|index|name|no|num|number))?",
    re.I,
)
_NAMES = frozenset({"metric", "name", "key", "variable", "tag", "series", "metric_name", "metricname"})
_VALUES = frozenset({"value", "val", "y", "metric_value", "metricvalue", "score"})
Rows = list[list[str]]


def says_run(header: list[str]) -> bool:
    """Whether a column has the name of one that tells runs apart."""
    return any(_RUN.fullmatch(name.strip()) for name in header)


def by_run(path: Path, header: list[str], body: Rows) -> Log | None:
    """The curves of every run for itself, where a column says the run and each run is a curve; else None."""
    place = next((i for i, name in enumerate(header) if _RUN.fullmatch(name.strip())), None)
    if place is None:
        return None
    runs: dict[str, Rows] = {}
    for row in body:
        runs.setdefault(row[place], []).append(row)
    if not 1 < len(runs) <= MOST_RUNS or len(body) < 2 * len(runs):
        return None
    rest = [i for i in range(len(header)) if i != place]
    series: list[Series] = []
    for run, rows in runs.items():
        columns = _numbers([header[i] for i in rest], [[row[i] for i in rest] for row in rows])
        if is_training_log(columns):
            series += [_of(one, f"{header[place]} {run}") for one in series_of(columns)]
    note = f"{len(runs)} runs in one file (column {header[place]}): each is a curve of its own."
    return Log(path, "csv", tuple(series), (note,)) if series else None


def by_name(path: Path, header: list[str], body: Rows) -> Log | None:
    """The curves of a table whose rows say the name of a curve and one value of it; else None."""
    names = [name.strip().lower() for name in header]
    place = next((i for i, name in enumerate(names) if name in _NAMES), None)
    value = next((i for i, name in enumerate(names) if name in _VALUES), None)
    axes = [i for i, name in enumerate(header) if axis(name)]
    if value is None or not axes or (place is None and {"wall time", "step", "value"} != set(names)):
        return None
    curves: dict[str, Rows] = {}
    for row in body:
        curves.setdefault(row[place] if place is not None else _tag(path), []).append(row)
    tables = [
        _numbers([*(header[i] for i in axes), name], [[*(row[i] for i in axes), row[value]] for row in rows])
        for name, rows in curves.items()
        if not axis(name)
    ]
    if not any(is_training_log(columns) for columns in tables):
        return None
    return Log(path, "csv", tuple(s for columns in tables for s in series_of(columns)))


def _tag(path: Path) -> str:
    """The curve's name in that of the file, as TensorBoard's download button writes it: run-NAME-tag-loss.csv."""
    return path.stem.rpartition("tag-")[2].replace("_", "/", 1)


def _numbers(header: list[str], body: Rows) -> list[Column]:
    return [
        column
        for place, name in enumerate(header)
        if len((column := Column(name, [number(row[place]) for row in body])).values)
    ]


def _of(series: Series, run: str) -> Series:
    return Series(series.name, f"{series.column} ({run})", series.x, series.y, series.x_name, series.epoch)
