"""Label agreement: whether neighbours agree on the labels as often in training as in validation

What it measures
    How often the majority of the 15 nearest training samples has the label of a sample: for training samples (without
    themselves) and for validation (else test) samples.

Formula
    Of the same source, both are right equally often: each sample is judged by the same training samples.
    gap = share right in validation - share right in training; z = gap / sqrt(p (1 - p) (1 / n + 1 / m)).
    Distances are Euclidean after division by each column's spread; copies (distance 0) are left out.

Thresholds and sources
    bad-labels: z above 3 (by chance once in 700) and a gap above 5 points, while means and spreads of the columns
    agree (median shift below 0.2, ratio of spreads 0.8 to 1.25): suspected; above 5 and 10 points: confirmed, for the
    labels differ where the inputs do not. A gap the other way is suspected at most. Ruled out never: labels that are
    equally wrong in both parts agree equally. Nearest neighbours withstand a good deal of wrong labels (Cover and
    Hart 1967; Wilson 1972 removes labels that 3 neighbours outvote); the thresholds are our own.

Reads
    Data files (.npy, .npz, tensors saved by torch) with named parts and class labels; at most 2,000 samples a part.

Cannot tell
    Which labels are wrong, how many exactly, and wrong labels that are as frequent in validation. Data in which near
    samples have nothing in common (raw pictures at times) show no agreement in either part: then it says nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Floats, Progress
from ..columns import nearest_to_the_model
from ..finding import Finding, Judgement, Measure, Verdict
from ..splits import Part, data_sets

NEEDS = ("data",)
SPEAKS_TO = ("bad-labels",)
COST = "file"
NEIGHBOURS, MOST, WIDEST = 15, 2000, 4096
FEWEST = 60
SUSPECTED, CONFIRMED = (3.0, 0.05), (5.0, 0.10)
CLOSE, ALIKE = 0.2, (0.8, 1.25)
LARGEST = 1 << 26


@dataclass(frozen=True, slots=True)
class Agreement:
    """Samples judged and shares right in both parts; `alike`: whether the columns' means and spreads agree."""

    train: float
    held_out: float
    n: int
    m: int
    chance: float
    alike: bool

    @property
    def gap(self) -> float:
        return self.held_out - self.train

    @property
    def z(self) -> float:
        p = (self.train * self.n + self.held_out * self.m) / (self.n + self.m)
        return self.gap / math.sqrt(max(p * (1 - p), 1e-9) * (1 / self.n + 1 / self.m))


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Compare the agreement of neighbours in two parts."""
    name, title = "label-agreement", "label agreement"
    chosen = nearest_to_the_model(data_sets(artifacts.data))
    train, held_out = (chosen.get("train"), chosen.held_out) if chosen else (None, None)
    found = agreement(train, held_out) if train is not None and held_out is not None else None
    if found is None or train is None or held_out is None:
        needs = f"training and validation data of at least {FEWEST} samples with class labels, named train and val"
        return Finding(name, f"{title}: no two labelled parts", "could-not-check", needs=needs)
    return Finding(
        name,
        f"{title}: {found.train:.0%} in training, {found.held_out:.0%} in {held_out.split}",
        verdicts=(judge(found),),
        measures=(
            Measure("training samples whose neighbours agree", found.train * 100, "%", where=train.path.name),
            Measure("held-out samples whose neighbours agree", found.held_out * 100, "%", where=held_out.path.name),
            Measure("difference in standard errors", found.z, threshold=f"> {SUSPECTED[0]:g}"),
        ),
    )


def agreement(train: Part, held_out: Part) -> Agreement | None:
    """How often neighbours are right; None without class labels or numbers. Raises Unreadable."""
    mine, others = _samples(train), _samples(held_out)
    if mine is None or others is None or mine[0].shape[1] != others[0].shape[1]:
        return None
    (x, y), (a, b) = mine, others
    spread = x.std(0)
    live = spread > 0
    if not live.any() or len(np.unique(y)) < 2 or not np.isin(b, y).all():
        return None
    centre, scale = x[:, live].mean(0), spread[live]
    x, a = (x[:, live] - centre) / scale, (a[:, live] - centre) / scale
    ratio = float(np.median(a.std(0)))
    alike = float(np.median(np.abs(a.mean(0)))) < CLOSE and ALIKE[0] < ratio < ALIKE[1]
    in_train, in_held_out = _right(x, y, x, y), _right(a, b, x, y)
    if min(len(in_train), len(in_held_out)) < FEWEST:
        return None
    chance = float(np.unique(y, return_counts=True)[1].max() / len(y))
    return Agreement(in_train.mean(), in_held_out.mean(), len(in_train), len(in_held_out), chance, alike)


def _samples(part: Part) -> tuple[Floats, Floats] | None:
    """Inputs as rows, and class labels, of the same MOST random samples."""
    count, width = part.inputs.shape[0], part.inputs.numel // part.inputs.shape[0]
    if part.targets is None or part.targets.numel != count or not count >= FEWEST or width > WIDEST:
        return None
    if part.inputs.numel > LARGEST or part.inputs.dtype.startswith("int"):
        return None
    rows = np.sort(np.random.default_rng(0).permutation(count)[:MOST])
    x = part.inputs.array().reshape(count, -1)[rows].astype(np.float64)
    y = part.targets.array().reshape(-1)[rows].astype(np.float64)
    whole = np.isfinite(x).all() and np.isfinite(y).all() and bool((y == np.round(y)).all())
    return (x, y) if whole and len(np.unique(y)) <= len(y) / 20 else None


def _right(points: Floats, labels: Floats, x: Floats, y: Floats) -> Floats:
    """1 where the majority of the nearest of `x` has the point's label, else 0; points with a copy are left out,
    but for themselves."""
    own = points is x
    kinds, codes = np.unique(y, return_inverse=True)
    right = []
    for start in range(0, len(points), 256):
        block = points[start : start + 256]
        distance = np.square(block).sum(1)[:, None] + np.square(x).sum(1)[None, :] - 2 * block @ x.T
        if own:
            distance[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        alone = distance.min(1) > 1e-9 * (1 + np.square(block).sum(1))
        near = np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        votes = (codes[near][:, :, None] == np.arange(len(kinds))).sum(1)
        said = kinds[votes.argmax(1)]
        right.append((said == labels[start : start + 256])[alone])
    return np.concatenate(right).astype(np.float64)


def judge(found: Agreement) -> Verdict:
    """Labels that differ where the inputs do not."""
    because = f"the nearest training samples agree with {found.train:.1%} of {found.n} training labels"
    because += f" and with {found.held_out:.1%} of {found.m} held-out ones ({abs(found.z):.1f} standard errors apart)"
    level: Judgement = "inconclusive"
    if not found.alike:
        because += "; the inputs of the two parts differ as well"
    elif found.z > CONFIRMED[0] and found.gap > CONFIRMED[1]:
        level = "confirmed"
        because += ": the training labels are the worse ones, for the inputs are alike"
    elif abs(found.z) > SUSPECTED[0] and abs(found.gap) > SUSPECTED[1]:
        level = "suspected"
        because += f": the labels of {'training' if found.gap > 0 else 'the held-out part'} seem to be the worse ones"
    elif max(found.train, found.held_out) < found.chance + 0.05:
        because += f", no more than the largest class has ({found.chance:.1%}): neighbours say nothing here"
    else:
        because += ": labels that are equally wrong in both would look the same"
    return Verdict("bad-labels", level, "measured", because, "data")
