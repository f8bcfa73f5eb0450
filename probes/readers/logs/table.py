"""Rows of named cells -> series. CSV, JSON lines and dumped histories all end here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...artifacts import Floats, Series
from ...names import TELLING, axis, canonical, split_of, words
from .headers import RANGE, plain_names

Cell = float | None
BLANK = np.array(0x7FF8_0000_0B1A_0000, np.uint64).view(np.float64)[()]
"""A NaN that stands for "not logged" in an array of cells, told from a NaN that the log says by its bits."""
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?$")
_SPECIAL = {
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "+inf": math.inf,
    "infinity": math.inf,
    "-infinity": -math.inf,
    "-nan": math.nan,
}
MISSING = frozenset({"", "na", "n/a", "none", "null", "-", "#na#", "--"})


def number(text: str) -> float | None:
    """A number as logs write it ("0.5", "1e-3", "98.1%", "nan", "tensor(0.5)"); None for anything else."""
    text = text.strip()
    if text[:7] == "tensor(":
        text = text[7:].partition(",")[0].rstrip(")")
    if text.lower() in _SPECIAL:
        return _SPECIAL[text.lower()]
    return float(text.rstrip("%")) if len(text) < 400 and _NUMBER.match(text) else None


def value_of(value: Any) -> Cell:
    """A value of a JSON record; None if it is no number."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return number(value) if isinstance(value, str) else None


_OF_SAMPLES = """
id idx pred prediction predictions predicted label labels target targets true trial params param config class final
"""
_NO_CURVE = frozenset(_OF_SAMPLES.split())
"""Words of columns that lists of samples, classes or trials have; without an axis they are no curves."""


class Column:
    """One column: its raw name and its cells, None (in an array: BLANK) where blank.

    Args:
        rows: the number of every row in the file, where it is not its place in `cells`.
    """

    def __init__(
        self, name: str, cells: Sequence[Cell] | Floats, split: str | None = None, rows: Floats | None = None
    ) -> None:
        self.name, self.split, self.rows = name, split, rows
        self.cells = cells if isinstance(cells, np.ndarray) else cells_of(cells)
        blank = is_blank(self.cells)
        self.places = np.flatnonzero(~blank) if blank.any() else None
        self.values = self.at(self.places)

    def at(self, places: npt.NDArray[np.intp] | None) -> Floats:
        """The cells at some rows; for None, which means all, the column itself and not a copy."""
        return self.cells if places is None else self.cells[places]

    @property
    def numbers(self) -> Floats:
        """The row number of every value."""
        every = np.arange(len(self.cells), dtype=float) if self.rows is None else self.rows
        return every if self.places is None else every[self.places]


def cells_of(cells: Sequence[Cell]) -> Floats:
    """Cells as an array, with BLANK for None."""
    return np.array([BLANK if c is None else c for c in cells], float)


def is_blank(cells: Floats) -> npt.NDArray[np.bool_]:
    """Which cells are BLANK."""
    blank: npt.NDArray[np.bool_] = cells.view(np.uint64) == BLANK.view(np.uint64)
    return blank


def series_of(columns: Iterable[Column]) -> list[Series]:
    """The curves of a table: every column that is no axis, over the axis that fits it best."""
    columns = _with_splits([c for c in columns if len(c.values) and not c.name.endswith(RANGE)])
    names = plain_names([c.name for c in columns])
    axes = [(axis(c.name), c) for c in columns]
    epochs = [c for kind, c in axes if kind == "epoch"]
    steps = sorted((c for kind, c in axes if kind in ("step", "episode")), key=lambda c: axis(c.name) == "episode")
    found = []
    for column, name in zip(columns, names, strict=True):
        if axis(column.name) is None and not is_index(column):
            x, x_name = _x(column, epochs, steps)
            beside = _beside(column, epochs) if x_name == "step" else None
            found.append(Series(canonical(name, column.split), column.name, x, column.values, x_name, beside))
    return found


def _with_splits(columns: list[Column]) -> list[Column]:
    """Bare columns after a validation loss are the validation's where the training loss is named as such.

    `epoch, train_loss, valid_loss, accuracy`: a training accuracy would have been named like its loss.
    """
    splits = [split_of(c.name) for c in columns]
    losses = {split for c, split in zip(columns, splits, strict=True) if "loss" in words(c.name)}
    if not {"train", "val"} <= losses or "train" in splits[max(i for i, s in enumerate(splits) if s == "val") :]:
        return columns
    first = splits.index("val")
    bare = [i for i in range(first, len(columns)) if canonical(columns[i].name) == "train/accuracy" and not splits[i]]
    return [Column(c.name, c.cells, "val", c.rows) if i in bare else c for i, c in enumerate(columns)]


def is_index(column: Column) -> bool:
    """Whether a nameless first column only counts rows, as pandas writes it."""
    plain = column.name.strip().lower() in ("", "unnamed: 0", "index")
    return plain and len(column.values) > 1 and bool(np.all(np.diff(column.values) == 1))


def _x(column: Column, epochs: list[Column], steps: list[Column]) -> tuple[Floats, str]:
    """Epochs if they rise with every point, else steps, else whatever axis there is, else the row number."""
    options = [("epoch", c) for c in epochs] + [("step", c) for c in steps]
    fitting = [(name, values) for name, c in options if (values := _at(c, column.places)) is not None]
    for name, values in fitting:
        if np.all(values[1:] > values[:-1]):
            return values, name
    for name, values in sorted(fitting, key=lambda f: f[0] == "epoch"):
        if name == "step":
            values = next((_through(values, epoch) for kind, epoch in fitting if kind == "epoch"), values)
        if len(values) > 1 and values[-1] != values[0]:
            return values, name
    return column.numbers, "row"


def _through(step: Floats, epoch: Floats) -> Floats:
    """Steps that begin anew in every epoch, counted through: an epoch is as long as the largest of them says."""
    back, on = np.diff(step) < 0, np.diff(epoch)
    if not back.any() or np.any(on < 0) or not np.all(on[back] > 0) or back.sum() < 0.5 * np.count_nonzero(on):
        return step
    length = step.max() + (np.median(np.diff(step)[~back]) if step.min() == 0 and not back.all() else 0)
    return np.asarray(step + (epoch - epoch[0]) * length)


def _beside(column: Column, epochs: list[Column]) -> Floats | None:
    """The epoch of every point, where the log says it."""
    return next((values for c in epochs if (values := _at(c, column.places)) is not None), None)


def _at(column: Column, places: npt.NDArray[np.intp] | None) -> Floats | None:
    cells = column.at(places)
    return None if is_blank(cells).any() else cells


def is_training_log(columns: Sequence[Column], texts: Sequence[str] = ()) -> bool:
    """Whether a table is a curve and not a table of results.

    Args:
        texts: names of the columns that hold words: a table of runs, classes or settings has them.

    Wants an axis that goes up and a column with a telling name; without an axis, a loss and no column of words.
    """
    telling = [c for c in columns if axis(c.name) is None and TELLING & set(words(c.name)) and len(c.values)]
    if not telling:
        return False
    if any(axis(c.name) and _rises(c.values) for c in columns):
        return True
    losses = [c for c in telling if "loss" in words(c.name)]
    if any(_NO_CURVE & set(words(c.name)) or _tried(c) for c in columns):
        return False
    return any(len(c.values) >= 3 for c in losses) and not texts and not any(axis(c.name) for c in columns)


def _tried(column: Column) -> bool:
    """Whether it is a setting that differs between the rows, which are trials then."""
    setting = {"size", "dropout", "hidden", "seed", "layers", "momentum", "decay"} & set(words(column.name))
    return bool(setting) and len(np.unique(column.values)) > 1


def _rises(values: Floats) -> bool:
    """Whether an axis goes up: repeats, a few resumes and new starts are fine, shuffled or constant values are not."""
    steps = np.diff(values)
    ups, downs = int(np.sum(steps > 0)), int(np.sum(steps < 0))
    anew = downs == 1 and bool(values[1:][steps < 0][0] <= values.min() + 1)
    return len(values) >= 2 and ups > 0 and (downs <= ups // 4 or anew)
