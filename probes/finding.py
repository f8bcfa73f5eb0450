"""What a probe returns: measures, tables, plots, and a verdict for each diagnosis that it speaks to.

Standard library only, and plain data throughout: a Finding crosses a process boundary as one JSON object.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Judgement = Literal["confirmed", "suspected", "ruled_out", "inconclusive"]
Kind = Literal["proved", "measured", "inferred", "told"]
Status = Literal["done", "could-not-check", "crashed"]
Cell = str | int | float | None
Mark = Literal["", "!", "!!"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number (or word) that was measured.

    Args:
        name: what it is, for a reader: "dead units in fc2".
        value: the number itself, never formatted.
        unit: "" for counts and ratios, else "%", "steps", "epoch", "s", "dex" ...
        threshold: what it is held against, with the direction: "> 0.5 of a layer". None if it is only told.
        where: the file, and the tensor or step in it.
    """

    name: str
    value: Cell
    unit: str = ""
    threshold: str | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to show, one per layer as a rule. Cells are raw values; a face formats them.

    Args:
        marks: of the shape of `rows` (or empty): "!" for a cell worth a look, "!!" for one far outside, "" else.
        bar: the column that is drawn as well, as a bar on a log scale over all rows.
        note: a sentence beneath, that says what columns and marks mean.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marks: tuple[tuple[Mark, ...], ...] = ()
    bar: int | None = None
    note: str = ""

    def mark(self, row: int, column: int | None = None) -> Mark:
        """The mark of one cell; without a column the worst of the row."""
        if row >= len(self.marks):
            return ""
        marks = self.marks[row]
        return max(marks, default="") if column is None else marks[column]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line (or row of bars) of a plot; x and y have the same length; y may hold NaN and infinities."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """A small picture of numbers: rows of equal length, top first. A face scales each picture by itself."""

    label: str
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Something worth drawing.

    `kind` is "lines" (curves over x), "bars" (one value per name in `names`, as for layers: then each curve's y
    has one value per name), or "images" (small pictures, the ones worth most first; no curves). `marks` are x
    positions worth a vertical line, with a label each.
    """

    title: str
    kind: Literal["lines", "bars", "images"]
    curves: tuple[Curve, ...] = ()
    x_label: str = ""
    y_label: str = ""
    log_y: bool = False
    names: tuple[str, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the measures say of one diagnosis.

    Args:
        diagnosis: an id of the knowledge base.
        verdict: how it was decided; "inconclusive" when the probe cannot tell.
        kind: the strongest evidence behind it: proved (a bound, an exact count), measured (an identity, a direct
            observation), inferred (a threshold on a proxy), told.
        because: one sentence from the number to the verdict, in the reader's terms, with the numbers in it.
        source: what was looked at: "weights", "optimizer-state", "batch", "curves", "drift" ... Verdicts of one
            source about one diagnosis count once in the engine, by the strongest.
    """

    diagnosis: str
    verdict: Judgement
    kind: Kind
    because: str
    source: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one probe on one set of artifacts.

    Args:
        probe: the probe's id ("dead-units").
        title: a noun phrase with place and size, lower case: "dead units in fc2: 497 of 512".
        status: "could-not-check" and "crashed" never count as healthy; `needs` then says what would help.
        facts: values that make a fix specific, by the names that entries use in `measured:` templates,
            e.g. {"layers": "fc2, fc3", "worst_layer": "fc2", "dead_share": "97 %", "lr": "0.05"}.
        needs: what file or option would let the probe tell (more); "" if nothing.
        applies: whether the files hold anything of the kind that it looks at: False for batch norm in a net without.
        seconds: how long it took.
    """

    probe: str
    title: str
    status: Status = "done"
    verdicts: tuple[Verdict, ...] = ()
    measures: tuple[Measure, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    needs: str = ""
    seconds: float = 0.0
    applies: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; NaN and infinities are the strings "nan", "inf", "-inf"."""
        data: dict[str, Any] = plain(asdict(self))
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Finding:
        """The inverse of `to_json`. Raises KeyError or TypeError on data that `to_json` did not make."""
        return cls(
            probe=data["probe"],
            title=data["title"],
            status=data["status"],
            verdicts=tuple(Verdict(**v) for v in data["verdicts"]),
            measures=tuple(Measure(**{**m, "value": number(m["value"])}) for m in data["measures"]),
            tables=tuple(
                Table(
                    t["title"],
                    tuple(t["columns"]),
                    tuple(tuple(number(c) for c in row) for row in t["rows"]),
                    tuple(tuple(row) for row in t.get("marks", ())),
                    t.get("bar"),
                    t.get("note", ""),
                )
                for t in data["tables"]
            ),
            plots=tuple(
                Plot(
                    title=p["title"],
                    kind=p["kind"],
                    curves=tuple(
                        Curve(c["label"], tuple(map(as_float, c["x"])), tuple(map(as_float, c["y"])))
                        for c in p["curves"]
                    ),
                    x_label=p["x_label"],
                    y_label=p["y_label"],
                    log_y=p["log_y"],
                    names=tuple(p["names"]),
                    marks=tuple((as_float(x), label) for x, label in p["marks"]),
                    images=tuple(
                        Image(i["label"], tuple(tuple(map(as_float, row)) for row in i["rows"]))
                        for i in p.get("images", ())
                    ),
                )
                for p in data["plots"]
            ),
            facts=dict(data["facts"]),
            needs=data["needs"],
            seconds=as_float(data["seconds"]),
            applies=data.get("applies", True),
        )


def plain(value: Any) -> Any:
    """The same data with tuples as lists, NumPy scalars as Python's, and non-finite floats as strings."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "item") and not isinstance(value, str | int | float):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def number(value: Cell) -> Cell:
    """Undo `plain` for one cell: "nan", "inf" and "-inf" become floats again."""
    return float(value) if value in ("nan", "inf", "-inf") else value


def as_float(value: Any) -> float:
    """A float from plain JSON data."""
    return float(value)
