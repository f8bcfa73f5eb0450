"""Duplicate units: units of a layer that compute the same thing

What it measures
    For every hidden layer: how many distinct units it has, where units whose incoming weights and bias are the same,
    or point the same way up to a factor, count as one. Copies see the same gradient, so they stay copies: a layer that
    started with all rows equal is one unit wide whatever its size.

Formula
    Rows (w, b), or w where a normalisation follows, are projected on 64 fixed random directions. Two rows are copies
    where their projections differ by less than 1e-9 of their length, and nearly parallel where 1 - cosine < 1e-4 (by
    the projection, within about a fifth). Rows of zeros are left out. Effective width = groups of copies.

Thresholds and sources
    Two random rows of 8 numbers have a cosine above 0.9999 in about one of 1e12 cases, so layers with fewer than 8
    numbers a unit are not judged by direction. bad-initialization: more than half of a hidden layer's units are copies
    of others: confirmed in a run that has not learned, else suspected. Nearly parallel units alone are told: features
    that agree are common in wide nets (model-clinic warns of any pair above 0.9999).

Evidence
    measured: equal rows are found by their projections and are equal; harm is judged by whether the run learned.

Reads
    The sums of the shared pass: rows that are copies have the same sum and the same sum of squares. Layers of up to 4
    million weights (16 million in all) are kept whole; larger ones in which some rows may be copies are read again.

Cannot tell
    Near twins in larger layers. Whether copies are meant: channels repeated on purpose, experts copied from each other,
    a widened net. Units that differ in weights and yet agree on all data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Floats, Progress, Tensor
from ..finding import Curve, Finding, Judgement, Measure, Plot, Table, Verdict
from ..saved import statistics
from ..saved.layers import Layer, called, depth
from ..saved.statistics import Statistics
from ..saved.sums import Values
from ..series.outcome import outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("bad-initialization",)
COST = "file"
DIRECTIONS = 64
SAME, PARALLEL = 1e-9, 1e-4
SUMS = 1e-5
"""How far the shared pass's sums of two equal rows may lie apart: they are of float32 squares."""
FEW_INPUTS, FEW_UNITS = 8, 4
LARGE, BUDGET = 1 << 22, 1 << 24
"""Weights of one layer, and of all layers together, that are looked through for near twins."""
LONG = 1 << 18
"""Weights of one unit beyond which the directions would fill the memory."""
FEW = 1 << 12
"""Weights of one unit up to which the directions are kept: files have many layers of few widths."""
MOST = 0.5
BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Copies:
    """One layer. `distinct`: groups of units that are not copies; `parallel`: units with a near twin (None: too few
    inputs, or too many units, to judge); `zero`: units without any weight, which are left out."""

    layer: Layer
    distinct: int
    copies: int
    parallel: int | None
    zero: int


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Count the distinct units of every hidden layer."""
    last = artifacts.last
    found = gather(last, progress) if last is not None else []
    if last is None or not found:
        needs = "a checkpoint with a hidden dense or convolutional layer"
        return Finding(
            "duplicate-units", "duplicate units: no hidden layer", "could-not-check", needs=needs, applies=False
        )
    worst = max(found, key=lambda c: c.copies / c.layer.units)
    title = "no duplicate units"
    if worst.copies:
        title = f"duplicate units in {called(worst.layer.name)}: {worst.copies} of {worst.layer.units} are copies"
    verdicts = _judge(found, outcome(artifacts).learned)
    return Finding(
        "duplicate-units",
        title,
        verdicts=verdicts,
        measures=_measures(found, worst, last),
        tables=(_table(found),),
        plots=_plots(found) if worst.copies else (),
        facts={"worst_layer": called(worst.layer.name)} if verdicts else {},
    )


def whole(artifacts: Artifacts) -> list[Tensor]:
    """The layers that are looked through for near twins."""
    layers = hidden(artifacts.last) if artifacts.last is not None else []
    close = [x for x, small in zip(layers, _small(layers), strict=True) if small]
    return [t for x in close for t in (x.weight, x.bias) if t is not None]


def hidden(checkpoint: Checkpoint) -> list[Layer]:
    """The hidden dense and convolutional layers with units enough, in forward order."""
    return [x for x in depth(checkpoint)[:-1] if x.kind in {"dense", "conv"} and x.units >= FEW_UNITS]


def _small(layers: list[Layer]) -> list[bool]:
    """Which of them are looked through, within the budget."""
    found, left = [], BUDGET
    for layer in layers:
        found.append(layer.weight.numel <= min(LARGE, left, LONG * layer.units))
        left -= layer.weight.numel if found[-1] else 0
    return found


def gather(checkpoint: Checkpoint, progress: Progress) -> list[Copies]:
    """Every hidden dense or convolutional layer with finite weights, in forward order."""
    layers, found = hidden(checkpoint), []
    sizes, numbers = _small(layers), statistics.of(checkpoint)
    for done, (layer, small) in enumerate(zip(layers, sizes, strict=True)):
        progress(done / len(layers), layer.name)
        values = numbers.values(layer.weight)
        if values.bad or layer.weight.numel > LONG * layer.units or len(values.rows) != layer.units:
            continue
        if small or _may_have_copies(values):
            found.append(_compare(layer, small, numbers))
        else:
            zero = int((values.rows == 0).sum())
            found.append(Copies(layer, layer.units - zero, 0, None, zero))
    return found


def _may_have_copies(values: Values) -> bool:
    """Whether two rows that are not zero have the same sum and the same sum of squares."""
    alive = values.rows > 0
    squares, totals = values.rows[alive], values.totals[alive] / np.sqrt(values.rows[alive])
    order = np.lexsort((squares, totals))
    alike = np.abs(np.diff(totals[order])) <= SUMS * np.sqrt(values.numel / len(values.rows))
    return bool((alike & (np.abs(np.diff(squares[order])) <= SUMS * squares[order][1:])).any())


def _compare(layer: Layer, small: bool, numbers: Statistics) -> Copies:
    rows, inputs = project(layer, numbers)
    lengths = np.linalg.norm(rows, axis=1)
    alive = lengths > 0
    rows, lengths = rows[alive], lengths[alive]
    copies = len(rows) - _distinct(rows, lengths)
    parallel = _twins(rows / lengths[:, None]) if small and inputs >= FEW_INPUTS else None
    return Copies(layer, len(rows) - copies, copies, parallel, int((~alive).sum()))


def project(layer: Layer, numbers: Statistics) -> tuple[Floats, int]:
    """Each unit's weights (and bias, unless a normalisation makes it void) on fixed directions: (units, 64).

    A row of zeros gives exactly zero. The second value is the number of weights of one unit.
    """
    found, directions, along_bias, inputs = np.zeros((layer.units, DIRECTIONS)), None, np.zeros(DIRECTIONS), 0
    for first, part in numbers.held(layer.weight).chunks():
        w = np.asarray(part, dtype=np.float64)
        if directions is None:
            inputs = w.shape[1]
            directions, along_bias = (_few if inputs <= FEW else _directions)(inputs)
        found[first : first + len(w)] += w @ directions
    if layer.bias is not None and layer.norm is None and np.linalg.norm(found) > 0:
        bias = np.asarray(numbers.held(layer.bias).array(), dtype=np.float64)
        found += bias[:, None] * along_bias
    return found, inputs


def _directions(inputs: int) -> tuple[Floats, Floats]:
    """The same ones each time: (inputs, 64) for the weights and (64,) for the bias."""
    random = np.random.default_rng(0)
    both = random.standard_normal((inputs + 1, DIRECTIONS)) / np.sqrt(DIRECTIONS)
    return both[:-1], both[-1]


_few = lru_cache(maxsize=16)(_directions)


def _distinct(rows: Floats, lengths: Floats) -> int:
    """How many of the rows are not copies: neighbours in the order of the projections are compared."""
    if not len(rows):
        return 0
    order = np.lexsort(rows.T[1::-1])
    away = np.abs(np.diff(rows[order], axis=0)).max(1, initial=0.0)
    return 1 + int((away > SAME * np.maximum(lengths[order][1:], lengths[order][:-1])).sum())


def _twins(units: Floats) -> int:
    """Rows of length 1 that have another one nearly in parallel."""
    twins = 0
    for start in range(0, len(units), BLOCK):
        cosine = units[start : start + BLOCK] @ units.T
        np.fill_diagonal(cosine[:, start:], -1.0)
        twins += int((cosine.max(1, initial=-1.0) > 1 - PARALLEL).sum())
    return twins


def _judge(found: list[Copies], learned: bool | None) -> tuple[Verdict, ...]:
    odd = [c for c in found if c.copies > MOST * c.layer.units]
    if not odd:
        return ()
    first = odd[0]
    because = (
        f"{called(first.layer.name)} has {first.layer.units} units and only {first.distinct} different "
        f"{'one' if first.distinct == 1 else 'ones'} ({len(odd)} of {len(found)} hidden layers): copies see the same "
        "gradient and stay copies"
    )
    level: Judgement = "confirmed" if learned is False else "suspected"
    return (Verdict("bad-initialization", level, "measured", because, "weights"),)


def _measures(found: list[Copies], worst: Copies, last: Checkpoint) -> tuple[Measure, ...]:
    share = worst.copies / worst.layer.units
    twins = sum(c.parallel or 0 for c in found)
    return (
        Measure(f"units of {called(worst.layer.name)} that are copies", share, "", f"> {MOST:g}", str(last.path)),
        Measure("units nearly parallel to another, all layers", twins, where=str(last.path)),
    )


def _table(found: list[Copies]) -> Table:
    columns = ("layer", "units", "distinct", "copies", "nearly parallel", "all zero")
    rows = tuple((c.layer.name, c.layer.units, c.distinct, c.copies, c.parallel, c.zero) for c in found)
    return Table("units that compute the same", columns, rows)


def _plots(found: list[Copies]) -> tuple[Plot, ...]:
    share = tuple(c.copies / c.layer.units for c in found)
    curve = Curve("share of copies", tuple(float(i) for i in range(len(found))), share)
    return (Plot("copies by layer", "bars", (curve,), names=tuple(c.layer.name for c in found)),)
