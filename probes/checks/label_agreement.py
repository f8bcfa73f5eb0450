"""Label agreement: whether labels can be foretold as often in training as in validation

What it measures
    How often a simple classifier that learned from all other training samples foretells the label of a sample: for
    training samples (each left out in turn) and for validation (else test) samples.

Formula
    Kernel ridge regression on the classes: K = exp(-squared distance / its median), columns divided by their spread;
    the prediction for a training sample without itself is y_i - alpha_i / G_ii, G = (K + lambda I)^-1, alpha = G y;
    lambda of 0.1, 1, 3, 10: the best of training. Of the same source, both parts are foretold equally often.
    gap = share right in validation - share right in training; z = gap / sqrt(p (1 - p) (1 / n + 1 / m)).
    Samples of which there is a copy are left out, and where they are more than 5 % of a part nothing is said.

Thresholds and sources
    bad-labels: z above 3 (by chance once in 700) and a gap above 5 points, while means and spreads of the columns
    agree (median shift below 0.2, ratio of spreads 0.8 to 1.25) and class shares to 0.1 in all: suspected; above 5 and
    10 points: confirmed, for the labels differ where the inputs do not. A gap the other way is suspected at most.
    Ruled out never: labels that are equally wrong in both parts agree equally. The closed form of leaving one out is
    that of Cook and Weisberg (1982) and Rifkin and Lippert (2007); the thresholds are our own. On eight data sets
    without this fault |z| was at most 1.5, in 200 simulated ones (with up to half of the labels redrawn in both parts)
    at most 2.9.

Evidence
    inferred: a classifier of our own stands for what can be foretold at all.

Reads
    Data files (.npy, .npz, tensors saved by torch) with named parts and class labels; at most 1,500 samples a part.

Cannot tell
    Which labels are wrong, how many exactly, and wrong labels that are as frequent in validation. Data in which near
    samples have nothing in common (raw pictures at times) cannot be foretold in either part: then it says nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..artifacts import Artifacts, Floats, Progress
from ..data.columns import nearest_to_the_model
from ..data.splits import Part, data_sets
from ..finding import Finding, Judgement, Measure, Verdict

NEEDS = ("data",)
SPEAKS_TO = ("bad-labels",)
COST = "file"
RIDGES, MOST, WIDEST = (0.1, 1.0, 3.0, 10.0), 1500, 4096
FEWEST = 60
SUSPECTED, CONFIRMED = (3.0, 0.05), (5.0, 0.10)
CLOSE, ALIKE = 0.2, (0.8, 1.25)
LARGEST = 1 << 26
SAME = 1e-9
COPIES, MIXED = 0.05, 0.1
Flags = npt.NDArray[np.bool_]


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
    """Compare how well labels are foretold in two parts."""
    name, title = "label-agreement", "label agreement"
    chosen = nearest_to_the_model(data_sets(artifacts.data))
    train, held_out = (chosen.get("train"), chosen.held_out) if chosen else (None, None)
    found = agreement(train, held_out) if train is not None and held_out is not None else None
    if found is None or train is None or held_out is None:
        needs = f"training and validation data of at least {FEWEST} samples with class labels and few copies"
        return Finding(name, f"{title}: no two labelled parts", "could-not-check", needs=needs)
    return Finding(
        name,
        f"{title}: {found.train:.0%} in training, {found.held_out:.0%} in {held_out.split}",
        verdicts=(judge(found),),
        measures=(
            Measure("training labels foretold by the others", found.train * 100, "%", where=train.path.name),
            Measure("held-out labels foretold by training", found.held_out * 100, "%", where=held_out.path.name),
            Measure("difference in standard errors", found.z, threshold=f"> {SUSPECTED[0]:g}"),
        ),
    )


def agreement(train: Part, held_out: Part) -> Agreement | None:
    """How often labels are foretold; None without class labels or numbers. Raises Unreadable."""
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
    alone, apart = _alone(x), _squares(a, x).min(1) > SAME * x.shape[1]
    if min(alone.mean(), apart.mean()) < 1 - COPIES:
        return None
    x, y, a, b = x[alone], y[alone], a[apart], b[apart]
    shares = np.array([[(part == kind).mean() for kind in np.unique(y)] for part in (y, b)])
    alike = alike and float(np.abs(shares[0] - shares[1]).sum()) / 2 < MIXED
    train_right, held_out_right = _foretold(x, y, a, b)
    chance = float(np.unique(y, return_counts=True)[1].max() / len(y))
    return Agreement(train_right, held_out_right, len(y), len(b), chance, alike)


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


def _squares(one: Floats, other: Floats) -> Floats:
    """Squared distances (n, m), of which rounding leaves some 1e-12 per column."""
    squares = np.square(one).sum(1)[:, None] + np.square(other).sum(1)[None, :] - 2 * one @ other.T
    positive: Floats = np.maximum(squares, 0.0)
    return positive


def _alone(x: Floats) -> Flags:
    """Which samples have no copy, (n,)."""
    _, back, counts = np.unique(x, axis=0, return_inverse=True, return_counts=True)
    return np.equal(counts[back.reshape(-1)], 1)


def _foretold(x: Floats, y: Floats, a: Floats, b: Floats) -> tuple[float, float]:
    """Shares foretold rightly, of the training samples each without itself, and of the others."""
    kinds, codes = np.unique(y, return_inverse=True)
    wanted = np.eye(len(kinds))[codes]
    level, squares = wanted.mean(0), _squares(x, x)
    width = max(float(np.median(squares)), SAME)
    kernel, across = np.exp(-squares / width), np.exp(-_squares(a, x) / width)
    found = []
    for ridge in RIDGES:
        inverse = np.linalg.inv(kernel + ridge * np.eye(len(x)))
        alpha = inverse @ (wanted - level)
        left_out = wanted - alpha / np.diag(inverse)[:, None]
        own, others = kinds[left_out.argmax(1)] == y, kinds[(across @ alpha + level).argmax(1)] == b
        found.append((float(own.mean()), float(others.mean())))
    return max(found, key=lambda f: f[0])


def judge(found: Agreement) -> Verdict:
    """Labels that differ where the inputs do not."""
    because = f"the other training samples foretell {found.train:.1%} of {found.n} training labels"
    because += f" and {found.held_out:.1%} of {found.m} held-out ones ({abs(found.z):.1f} standard errors apart)"
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
        because += f", no more than the largest class has ({found.chance:.1%}): that says nothing here"
    else:
        because += ": labels that are equally wrong in both would look the same"
    return Verdict("bad-labels", level, "inferred", because, "data")
