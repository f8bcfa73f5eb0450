"""Data overlap: validation rows that are in the training data as well

What it measures
    How many validation (else test) rows occur in the training split, byte for byte and after rounding to 6 digits; how
    often training repeats its own rows; copies that carry another label.

Formula
    overlap = validation rows found in training / validation rows, over inputs (and targets, for copies).
    By chance: 1 - n1 / N, n1 = training rows that occur once, of N (Good and Turing: the chance that the next row of
    the same source is one that was seen).
    Copies or coincidences: the pairs of rows across the split that agree when one column is left out, over those that
    agree in all columns, for the 8 columns with most values. Coincidences come with near misses; copies do not.

Thresholds and sources
    data-leakage: confirmed if at least 5 % and 5 different rows are in both and carry the same target, and training
    repeats itself less than half as much, or the rows are copies (at most 1.05 times as many pairs):
    copied rows can make the score of validation too good by their share. Suspected from 1 % and 3 rows. Coincidences:
    inconclusive. None: ruled out, as far as copies go. Good (1953) for the chance; Barz and Denzler (2020) found 3 %
    and 10 % of near copies in public test sets. The other thresholds are our own.
    duplicate-data: suspected if at least 5 % of the validation rows are copies of training rows because rows were
    copied before the split; repeats within training alone may be oversampling, and are told only.
    bad-labels: suspected if at least 1 % of the training rows, and 5, have a copy with another target.

Evidence
    measured: rows that are equal, counted. inferred: that nothing leaks where no rows are equal.

Reads
    Data files (.npy, .npz, tensors saved by torch) with two named parts: x_train and x_val, train.pt and val.pt.

Cannot tell
    Near copies (crops, other encodings), rows of one person or source on both sides, preparation fitted on all data,
    features that know the answer (`data-quality` looks for single ones).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Progress
from ..data.rows import Prints, busiest, fingerprints, joined
from ..data.splits import DataSet, Part, data_sets
from ..finding import Finding, Judgement, Measure, Verdict

NEEDS = ("data",)
SPEAKS_TO = ("data-leakage", "duplicate-data", "bad-labels")
COST = "file"
CONFIRMED, SUSPECTED = (0.05, 5), (0.01, 3)
"""Share of the validation rows, and number of different rows, that are in both."""
CONFLICTS = (0.01, 5)
MEMORISED = 256
"""Rows: so few that serve as both parts may do so on purpose."""
COPIES, COLUMNS = 1.05, 8
MOST = 1 << 28
"""Numbers in one split beyond which the files are not hashed."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two parts of one data set.

    Args:
        rows: of the held-out part. shared: those of them in training; distinct: different ones among them.
        rounded: shared after rounding. same: share of the shared rows that carry the same target (1 without targets).
        repeats: share of the training rows that occur in training more than once.
        near: equal pairs across the split with one column left out, over those with all; None where it was not needed.
        conflicts: training rows that have a copy with another target.
    """

    train: Part
    held_out: Part
    rows: int
    shared: int
    distinct: int
    rounded: int
    same: float
    repeats: float
    near: float | None
    conflicts: int

    @property
    def share(self) -> float:
        """Of the held-out rows, exact or rounded."""
        return max(self.shared, self.rounded) / self.rows

    @property
    def copied(self) -> bool:
        """Whether the shared rows are more than coincidences."""
        return self.repeats < self.share / 2 or (self.near is not None and self.near <= COPIES)


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Hash the rows of all splits and compare them."""
    pairs = [pair for d in data_sets(artifacts.data) if (pair := _pair(d)) is not None]
    if not pairs:
        needs = "a training and a validation part in data files (.npz, .npy or tensors), named so: train.pt and val.pt"
        return Finding("data-overlap", "data overlap: no two parts of one data set", "could-not-check", needs=needs)
    found: list[Overlap] = []
    for done, (train, held_out) in enumerate(pairs):
        progress(done / len(pairs), train.path.name)
        if max(train.inputs.numel, held_out.inputs.numel) <= MOST:
            found.append(overlap(train, held_out))
    if not found:
        needs = f"data of at most {MOST >> 20} million numbers a part"
        return Finding("data-overlap", "data overlap: too large to compare", "could-not-check", needs=needs)
    worst = max(found, key=lambda o: o.share)
    return Finding(
        "data-overlap",
        f"{worst.held_out.split} rows that are in training: {max(worst.shared, worst.rounded)} of {worst.rows}",
        verdicts=tuple(judge(worst)),
        measures=tuple(_measures(worst)),
    )


def _pair(data: DataSet) -> tuple[Part, Part] | None:
    train, held_out = data.get("train"), data.held_out
    if train is None or held_out is None or train.inputs.shape[1:] != held_out.inputs.shape[1:]:
        return None
    return train, held_out


def overlap(train: Part, held_out: Part) -> Overlap:
    """Compare two parts. Raises Unreadable if a file cannot be read."""
    mine, others = fingerprints(train.inputs), fingerprints(held_out.inputs)
    shared = np.isin(others, mine)
    rounded = np.isin(fingerprints(held_out.inputs, rounded=True), fingerprints(train.inputs, rounded=True))
    _, back, counts = np.unique(mine, return_inverse=True, return_counts=True)
    repeated = counts[back] > 1
    several = shared.any() and repeated.any()
    return Overlap(
        train=train,
        held_out=held_out,
        rows=len(others),
        shared=int(shared.sum()),
        distinct=len(np.unique(others[shared])) if shared.any() else int(rounded.sum()),
        rounded=int(rounded.sum()),
        same=_same(train, held_out, mine, others, shared),
        repeats=float(repeated.mean()),
        near=_near(train, held_out, _pairs(mine, others)) if several else None,
        conflicts=_conflicts(train, mine, repeated),
    )


def _same(train: Part, held_out: Part, mine: Prints, others: Prints, shared: np.ndarray) -> float:
    """Share of the shared rows whose target is that of a copy in training."""
    if train.targets is None or held_out.targets is None or not shared.any():
        return 1.0
    ours, theirs = joined(mine, fingerprints(train.targets)), joined(others, fingerprints(held_out.targets))
    return float(np.isin(theirs[shared], ours).mean())


def _near(train: Part, held_out: Part, pairs: int) -> float:
    """The largest number of equal pairs with one column left out, over those with all."""
    if train.inputs.numel == len(fingerprints(train.inputs)):
        return np.inf  # a single column: nothing is left
    found = []
    for column in busiest(train.inputs, COLUMNS):
        mine, others = (fingerprints(part.inputs, without=(column,)) for part in (train, held_out))
        found.append(_pairs(mine, others))
    return max(found) / pairs


def _pairs(mine: Prints, others: Prints) -> int:
    """Pairs of a training row and a held-out row that are equal."""
    rows, counts = np.unique(mine, return_counts=True)
    at = np.searchsorted(rows, others).clip(max=len(rows) - 1)
    return int(counts[at][rows[at] == others].sum())


def _conflicts(train: Part, mine: Prints, repeated: np.ndarray) -> int:
    """Training rows that have a copy with another target."""
    if train.targets is None or not repeated.any():
        return 0
    both = joined(mine, fingerprints(train.targets))[repeated]
    rows, back, counts = np.unique(mine[repeated], return_inverse=True, return_counts=True)
    _, first = np.unique(both, return_index=True)
    kinds = np.bincount(back[first], minlength=len(rows))
    return int(counts[kinds > 1].sum())


def judge(found: Overlap) -> list[Verdict]:
    """Copies across the split, coincidences, or none."""
    names = f"{found.held_out.split} rows of {found.held_out.path.name}"
    count = max(found.shared, found.rounded)
    if not count:
        because = f"none of the {found.rows} {names} is in the training data, exactly or to 6 digits;"
        because += " copies are one way of leaking among several"
        return [Verdict("data-leakage", "ruled_out", "inferred", because, "data"), *_labels(found)]
    because = f"{count} of the {found.rows} {names} ({found.share:.1%}) are in the training data"
    because += f", {found.same:.0%} of them with the same target" if found.same < 1 else ""
    because += f"; {found.repeats:.1%} of the training rows repeat one another"
    if found.near is not None:
        more = "no more" if found.near <= COPIES else f"{found.near:.3g} times as many"
        because += f", and {more} pairs agree if a column is left out"
    level: Judgement = "inconclusive"
    if found.copied and found.same >= 0.5:
        reached = [name for name, (share, rows) in _LEVELS if found.share >= share and found.distinct >= rows]
        level = reached[0] if reached else "inconclusive"
        if reached and found.rows <= MEMORISED and found.rows == found.train.inputs.shape[0] == found.shared:
            level, because = "suspected", because + "; all of them, as when a few samples are to be memorised,"
        because += ": they are copies" if reached else ": too few to move a score"
    else:
        because += ": coincidences of values that repeat by nature" if found.same >= 0.5 else ": not the same samples"
    verdicts = [Verdict("data-leakage", level, "measured", because, "data")]
    if level == "confirmed" and found.repeats >= CONFIRMED[0]:
        more = because.partition(";")[0] + f", and {found.repeats:.1%} of the training rows repeat one another"
        verdicts.append(Verdict("duplicate-data", "suspected", "measured", more, "data"))
    return [*verdicts, *_labels(found)]


_LEVELS: tuple[tuple[Judgement, tuple[float, int]], ...] = (("confirmed", CONFIRMED), ("suspected", SUSPECTED))


def _labels(found: Overlap) -> list[Verdict]:
    rows = found.train.inputs.shape[0]
    if found.conflicts < CONFLICTS[1] or found.conflicts < CONFLICTS[0] * rows:
        return []
    because = f"{found.conflicts} of {rows} training rows have a copy with another target"
    copies = found.near is not None and found.near <= COPIES
    level: Judgement = "suspected" if copies else "inconclusive"
    because += "" if copies else "; where values repeat by nature, the same row may truly have several outcomes"
    return [Verdict("bad-labels", level, "measured", because, "data")]


def _measures(found: Overlap) -> list[Measure]:
    where = ", ".join(dict.fromkeys((found.train.path.name, found.held_out.path.name)))
    measures = [
        Measure("held-out rows in training", found.shared, "", f"> {CONFIRMED[0]:.0%} of {found.rows}", where),
        Measure("the same after rounding to 6 digits", found.rounded, where=where),
        Measure("of them with the same target", found.same * 100, "%", where=where),
        Measure("training rows that repeat", found.repeats * 100, "%", where=found.train.path.name),
        Measure("training rows with a copy of another target", found.conflicts, where=found.train.path.name),
    ]
    if found.near is None:
        return measures
    return [
        *measures,
        Measure("pairs that agree with a column left out", found.near, "times", f"<= {COPIES:g} for copies", where),
    ]
