"""Data quality: missing values, scales, training against validation, class shares, columns that know the answer

What it measures
    NaN and infinities in inputs and targets; mean and spread of every column, in training and in validation; the share
    of each class; how far a single column settles the target.

Formula
    shift = |mean of validation - mean of training| / spread of training, and the ratio of the spreads, by column;
    eta^2 = 1 - variance within classes / variance of a column; for regressions the squared correlation.

Thresholds and sources
    missing-values: any in inputs or targets (an exact count): confirmed if the log's loss is not finite at its end or
    there is no log, inconclusive if it stays finite (something removes them). None: ruled out, proved.
    preprocessing-mismatch: confirmed if, of 4 columns or more, half have a spread that differs by 8 times or more, or
    if training is standardised (|mean| < 0.05, spread within 5 % of 1 in nine tenths of the columns) and validation
    is twice as wide and off by 3 spreads in half of them; suspected at a median shift above 1 (data of a later time
    may differ so much). Ruled out below 0.2 and a ratio of 0.8 to 1.25.
    unscaled-inputs: suspected if a column's RMS is above 30, or 20 times the median and above 1, and the run has not
    learned (the limits of `input-scale`, from 235 runs).
    class-imbalance: confirmed if one class has 90 % or more and the last 3 validation accuracies are the share of one
    class to within one sample; suspected if the last is. Ruled out if the largest class has less than twice the
    smallest.
    data-leakage: suspected if one column has eta^2 of 0.9 or more (two classes 6 standard deviations apart), or a
    squared correlation of 0.999, while the median of the others is below 0.25. The other thresholds are our own.

Evidence
    proved: counts of values that are not finite. measured: means, spreads and class shares against each other and
    against the log. inferred: scales and single columns that look too large, or too good.

Reads
    Data files (.npy, .npz, tensors saved by torch) with named parts; tensors rather than raw arrays where both are
    there. The log's losses and validation accuracy.

Cannot tell
    What is done to the data between file and model. Shifts within columns that keep mean and spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Array, Artifacts, Floats, Progress
from ..data.columns import Columns, columns, nearest_to_the_model
from ..data.splits import DataSet, Part, data_sets
from ..finding import Finding, Judgement, Measure, Verdict
from ..series import curves
from ..series.outcome import Outcome, finite, outcome

NEEDS = ("data",)
SPEAKS_TO = ("missing-values", "preprocessing-mismatch", "unscaled-inputs", "class-imbalance", "data-leakage")
COST = "file"
RATIO, STANDARD, FAR, SHIFTED = 8.0, 0.05, 3.0, 1.0
CLOSE, ALIKE = 0.2, (0.8, 1.25)
LARGE, UNEVEN = 30.0, 20.0
MAJORITY = 0.9
MOST_CLASSES = 1000
SETTLED, LINEAR, ORDINARY = 0.9, 0.999, 0.25
MOST = 1 << 26
FEWEST_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Data:
    """What was read of one data set. `shares` are those of the classes in the part that the log validates on."""

    train: Part
    held_out: Part | None
    inputs: Columns
    others: Columns | None
    missing: int
    shares: Floats
    settled: Floats


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Read the columns of the parts and hold them against one another."""
    chosen = nearest_to_the_model(data_sets(artifacts.data))
    if chosen is None:
        needs = "a training part in a data file (.npz, .npy or tensors), named so: train.pt, x_train"
        return Finding("data-quality", "data quality: no training data", "could-not-check", needs=needs)
    progress(0.1, chosen.parts[0].path.name)
    data, known = read(chosen), outcome(artifacts)
    verdicts = [*judge_missing(data, known), *judge_shift(data), *judge_scale(data, known)]
    verdicts += [*judge_classes(data, known), *judge_leak(data)]
    rows, width = data.inputs.rows, len(data.inputs.mean)
    return Finding(
        "data-quality",
        f"data: {rows} training samples of {width} numbers in {data.train.path.name}",
        verdicts=tuple(verdicts),
        measures=tuple(_measures(data)),
    )


def read(chosen: DataSet) -> Data:
    """One pass over each part. Raises Unreadable."""
    train, held_out = chosen.get("train"), chosen.held_out
    assert train is not None
    same = held_out is not None and held_out.inputs.shape[1:] == train.inputs.shape[1:]
    others = columns(held_out.inputs) if held_out is not None and same else None
    targets = [columns(p.targets).missing for p in (train, held_out) if p is not None and p.targets is not None]
    inputs = columns(train.inputs)
    missing = inputs.missing + (others.missing if others else 0) + sum(targets)
    return Data(train, held_out, inputs, others, missing, _shares(held_out or train), _settled(train, inputs))


def _labels(part: Part) -> Array | None:
    """Targets that are classes: whole numbers, one a sample, of not too many kinds."""
    if part.targets is None or part.targets.numel != part.targets.shape[0]:
        return None
    labels = part.targets.array().reshape(-1).astype(np.float64)
    if not np.isfinite(labels).all() or (labels != np.round(labels)).any():
        return None
    return labels if 2 <= len(np.unique(labels)) <= min(MOST_CLASSES, len(labels) // 4) else None


def _shares(part: Part) -> Floats:
    """Shares of the classes, the largest first; empty without classes."""
    labels = _labels(part)
    if labels is None:
        return np.empty(0)
    return np.sort(np.unique(labels, return_counts=True)[1] / len(labels))[::-1]


def _settled(part: Part, inputs: Columns) -> Floats:
    """How far each column settles the target; empty where that is no question."""
    width = len(inputs.mean)
    if part.targets is None or part.targets.numel != inputs.rows or width < FEWEST_COLUMNS or part.inputs.numel > MOST:
        return np.empty(0)
    table = part.inputs.array().reshape(inputs.rows, -1).astype(np.float64)
    targets, labels = part.targets.array().reshape(-1).astype(np.float64), _labels(part)
    if not np.isfinite(table).all() or not np.isfinite(targets).all() or not targets.std():
        return np.empty(0)
    table, spread = table - inputs.mean, np.where(inputs.spread > 0, inputs.spread, np.inf)
    if labels is None:
        centred = (targets - targets.mean()) / targets.std()
        explained: Floats = np.square(centred @ table / len(table) / spread)
        return explained
    _, back, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), width))
    np.add.at(means, back, table)
    between = (np.square(means / counts[:, None]) * counts[:, None]).sum(0) / len(table)
    settled: Floats = np.minimum(between / np.square(spread), 1.0)
    return settled


def judge_missing(data: Data, known: Outcome) -> list[Verdict]:
    """NaN and infinities are a fact; whether they reach the model, the log says."""
    where = " and ".join(dict.fromkeys(p.path.name for p in (data.train, data.held_out) if p is not None))
    if not data.missing:
        because = f"no NaN and no infinity in inputs and targets of {where}"
        return [Verdict("missing-values", "ruled_out", "proved", because, "data")]
    because = f"{data.missing} values in {where} are NaN or infinite, in {data.inputs.bad_rows} training samples"
    survives = known.main is not None and len(known.main.y) > 1 and math.isfinite(float(known.main.y[-1]))
    level: Judgement = "inconclusive" if survives else "confirmed"
    because += "; the loss stays finite, so something removes them" if survives else ""
    return [Verdict("missing-values", level, "proved", because, "data")]


def judge_shift(data: Data) -> list[Verdict]:
    """Validation inputs against training inputs, column by column."""
    if data.others is None or data.train.inputs.dtype.startswith("int"):
        return []
    mine, others = data.inputs, data.others
    live = (mine.spread > 0) & np.isfinite(mine.spread) & (others.spread > 0)
    if not live.any() or min(mine.rows, others.rows) < 30:
        return []
    shift = np.abs(others.mean - mine.mean)[live] / mine.spread[live]
    ratio = float(np.median(others.spread[live] / mine.spread[live]))
    middle = float(np.median(shift))
    because = f"the columns of the held-out inputs are off by {middle:.2g} spreads (median) from training's"
    because += f" and spread {ratio:.3g} times as wide"
    standard = np.mean((np.abs(mine.mean[live]) < STANDARD) & (np.abs(mine.spread[live] - 1) < STANDARD)) >= 0.9
    level: Judgement = "inconclusive"
    rescaled = not 1 / RATIO < ratio < RATIO or (standard and middle >= FAR and ratio > 2)
    if rescaled and live.sum() >= FEWEST_COLUMNS:
        level = "confirmed"
        because += "; training is standardised, they are not" if standard else "; they were scaled in another way"
    elif rescaled or middle > SHIFTED:
        level = "suspected"
    elif middle < CLOSE and ALIKE[0] < ratio < ALIKE[1]:
        level = "ruled_out"
    return [Verdict("preprocessing-mismatch", level, "measured", because, "data")]


def judge_scale(data: Data, known: Outcome) -> list[Verdict]:
    """Large or uneven columns in a run that does not learn."""
    rms = data.inputs.rms[data.inputs.rms > 0]
    if data.train.inputs.dtype.startswith(("int", "uint", "bool")) or not len(rms) or known.learned is not False:
        return []
    largest, median = float(rms.max()), float(np.median(rms))
    if largest <= LARGE and (largest <= UNEVEN * median or largest <= 1):
        return []
    because = f"the columns of {data.train.path.name} have an RMS of {largest:.3g} (largest) and {median:.3g} (median)"
    because += ", and the run has not learned"
    return [Verdict("unscaled-inputs", "suspected", "inferred", because, "data")]


def judge_classes(data: Data, known: Outcome) -> list[Verdict]:
    """A class that is nearly all there is, and a model that gets exactly that class right."""
    if not len(data.shares):
        return []
    part, largest = data.held_out or data.train, float(data.shares[0])
    because = f"the classes of {part.path.name} have shares from {data.shares[-1]:.1%} to {largest:.1%}"
    if data.shares[0] < 2 * data.shares[-1]:
        return [Verdict("class-imbalance", "ruled_out", "measured", because, "data")]
    accuracies = finite(known.val_accuracy)
    if largest < MAJORITY or not len(accuracies):
        return [Verdict("class-imbalance", "inconclusive", "measured", because, "data")]
    hits = np.abs(curves.fraction(accuracies) - largest) <= 1 / part.inputs.shape[0] + 5e-5
    if not hits[-1]:
        return [Verdict("class-imbalance", "inconclusive", "measured", because, "data")]
    because += f", and the accuracy of validation ends at {accuracies[-1]:.4g}: that of always saying the largest"
    level: Judgement = "confirmed" if len(hits) >= 3 and hits[-3:].all() else "suspected"
    return [Verdict("class-imbalance", level, "measured", because, "data")]


def judge_leak(data: Data) -> list[Verdict]:
    """One column that settles the target where the others do not."""
    if len(data.settled) < FEWEST_COLUMNS:
        return []
    best, classes = int(data.settled.argmax()), len(data.shares) > 0
    rest = float(np.median(np.delete(data.settled, best)))
    top = float(data.settled[best])
    if top < (SETTLED if classes else LINEAR) or rest > ORDINARY:
        return []
    because = f"column {best} (from 0) explains {top:.1%} of the target by itself, the median column {rest:.1%}"
    because += ": check that it is known before the target is"
    return [Verdict("data-leakage", "suspected", "inferred", because, "data")]


def _measures(data: Data) -> list[Measure]:
    where, constant = data.train.path.name, int((data.inputs.spread == 0).sum())
    measures = [
        Measure("values that are NaN or infinite", data.missing, "", "> 0", where),
        Measure("largest RMS of a column", float(data.inputs.rms.max()), "", f"> {LARGE:g}", where),
        Measure("columns that never change", constant, where=where),
    ]
    if len(data.shares):
        measures.append(Measure("share of the largest class", float(data.shares[0]) * 100, "%", f">= {MAJORITY:.0%}"))
    if len(data.settled):
        measures.append(Measure("target explained by one column", float(data.settled.max()) * 100, "%"))
    return measures
