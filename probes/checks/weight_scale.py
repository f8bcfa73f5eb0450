"""Weight scale: how large the weights are against a fresh network, and whether they ever left their start

What it measures
    For every weight matrix: the RMS of its entries against PyTorch's default, He's and Xavier's law for its number of
    inputs; whether all entries are the same; whether it still is what a usual uniform initialisation draws.

Formula
    Default: U(-b, b) with b = 1/sqrt(fan in), so an RMS of 1/sqrt(3 fan in). He: sqrt(2/fan in). Xavier:
    sqrt(2/(fan in + fan out)). What the weights were at the start follows from the first checkpoint and how far Adam
    can have moved them: by at most 7.3 times its learning rate a step (exact at its default betas), and by less than 3
    in a whole run (641 runs, largest 2.97), so the RMS at the start was at least the RMS now less that much.

Thresholds and sources
    Trained nets that learned lay between 0.35 and 5 times the default law (our own small nets), medians of 40 public
    files between 0.27 and 8.3; embeddings, very narrow nets and large steps go beyond, so a scale alone is never a
    verdict: a median above 10 or below 0.1 whose start is not known is told as inconclusive. bad-initialization: a
    start of more than 6 (He's law in narrow layers: 2.5) or less than 0.2 times the default law (median of the
    matrices): suspected in a run that has not learned, or whose loss ends above 3 ln(outputs) without an accuracy
    that speaks for it; else told. Confirmed above 6 by the exact bound where the loss also started above 3 times
    chance and the run has not learned.
    frozen-parameters: some matrices untouched, others not: suspected, as new layers on a trained body look like that.
    Where an optimizer's state tells each matrix's history, `frozen-parameters` judges them and nothing is said here.

Evidence
    measured: the scales, and a start by the exact bound. inferred: a start by the usual reach, and that a matrix whose
    numbers look untouched was meant to be trained.

Reads
    The weights of the first and of the latest checkpoint, in the shared pass; options and steps of the optimizer; the
    logs.

Cannot tell
    Which initialisation was meant. A start behind many steps, or behind SGD, which has no bound. A single layer out of
    scale: public nets that work have layers at 39 times the law. Normal laws have no edge that a small step crosses, so
    untouched layers of theirs are not seen. All-zero matrices may be wanted (pruned, or the last of a residual block).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Progress
from ..finding import Curve, Finding, Judgement, Measure, Plot, Table, Verdict
from ..saved import moments, statistics
from ..saved.drift import untrained
from ..saved.histories import histories
from ..saved.layers import Layer, called, copies, depth, fan_in
from ..saved.sums import Values
from ..series import curves
from ..series.outcome import Outcome, finite, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("bad-initialization", "frozen-parameters")
COST = "file"
LARGE, SMALL = 6.0, 0.2
JUMPED = 3.0
"""A first loss above so many times chance comes from weights (or inputs) that are too large."""
FARTHEST, USUAL = 7.3, 3.0
"""Adam's largest move of one entry in one step, in learning rates, at betas .9/.999 (Cauchy-Schwarz; attained); and the
largest mean of one over a whole run (2.97 in 641 runs)."""
GROWN, SHRUNK = 10.0, 0.1
"""Medians beyond those of any public file of a net that works."""
EDGE = 4.5
"""Times the default law's RMS above which no entry of a uniform law lies (He's sqrt(6 / fan in) is at 4.24)."""
ENOUGH = 500
"""Entries below which a matrix that has moved a little still looks untouched, where no optimizer state says more."""


@dataclass(frozen=True, slots=True)
class Scale:
    """One matrix: its RMS, what the default law gives it, and what stands out (same entries, same rows, fresh)."""

    layer: Layer
    rms: float
    default: float
    oddity: str
    fresh: bool | None

    @property
    def ratio(self) -> float:
        return self.rms / self.default


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Measure the latest checkpoint's weights, and bound what they started from by the first one's."""
    last = artifacts.last
    scales = gather(last) if last is not None else []
    if last is None or not scales:
        needs = "a checkpoint with weight matrices"
        return Finding("weight-scale", "weight scale: no weight matrix", "could-not-check", needs=needs)
    known, first = outcome(artifacts), artifacts.checkpoints[0]
    start = started(first, USUAL)
    median = float(np.median([s.ratio for s in scales]))
    verdicts = [v for v in (_start(first, scales, known) or _now(median, known), _untouched(scales, known, last)) if v]
    return Finding(
        "weight-scale",
        f"weight scale: {median:.2g} times a fresh net (median of {len(scales)} matrices)",
        verdicts=tuple(verdicts),
        measures=_measures(scales, start, median, last),
        tables=(_table(scales),),
        plots=_plots(scales),
        facts=_facts(scales, verdicts),
    )


def gather(checkpoint: Checkpoint) -> list[Scale]:
    """The scale of every finite weight matrix, in forward order."""
    found = []
    for layer, values, default in _sizes(checkpoint):
        fresh = _fresh(checkpoint, layer) if values.largest < EDGE * default else False
        found.append(Scale(layer, values.rms, default, _oddity(values), fresh))
    return found


def _sizes(checkpoint: Checkpoint) -> list[tuple[Layer, Values, float]]:
    """Every finite weight matrix in forward order, and the RMS that the default law gives it."""
    found = [(layer, statistics.of(checkpoint).values(layer.weight)) for layer in depth(checkpoint)]
    return [(layer, values, 1 / math.sqrt(3 * fan_in(layer))) for layer, values in found if not values.bad]


def _fresh(checkpoint: Checkpoint, layer: Layer) -> bool | None:
    """Whether it never left its start: by its numbers, unless the optimizer's state knows of updates."""
    sums = statistics.of(checkpoint).of(layer.weight)
    if sums is not None and float(sums.square.sum()) > 0:
        return False
    return None if layer.weight.numel < ENOUGH else untrained(checkpoint, layer.weight)


def _oddity(values: Values) -> str:
    """ "all zero", "all the same", or nothing."""
    return "" if not values.constant else "all zero" if values.high == 0 else "all the same"


def started(first: Checkpoint, reach: float) -> tuple[float, float] | None:
    """Bounds of the scale at the start, as times of the default law: median of the matrices; None if unbounded.
    `reach`: how far a step takes an entry, in learning rates."""
    state = first.optimizer
    if state is None or not state.groups or moments.family(state) != "adam" or not state.step:
        return None
    rate = max(moments.option(g, "initial_lr", moments.option(g, "lr", 0.0)) for g in state.groups)
    moved, sizes = reach * rate * state.step, _sizes(first)
    if not sizes:
        return None
    low = [max(0.0, values.rms - moved) / default for _, values, default in sizes]
    high = [(values.rms + moved) / default for _, values, default in sizes]
    return float(np.median(low)), float(np.median(high))


def _start(first: Checkpoint, scales: list[Scale], known: Outcome) -> Verdict | None:
    """A start far from every usual law: an accusation only of a run that has not learned."""
    usual, bound = started(first, USUAL), started(first, FARTHEST)
    if usual is None or bound is None or (usual[1] >= SMALL and usual[0] <= LARGE):
        return None
    y, large = finite(known.main), usual[0] > LARGE
    jumped = bool(known.chance and len(y) and curves.ends(y)[0] > JUMPED * known.chance)
    sure = bound[0] > LARGE or bound[1] < SMALL
    size = f"{usual[0]:.2g} times the usual scale or more" if large else f"{usual[1]:.2g} times the usual scale or less"
    because = f"the weights started at {size} ({first.path.name})"
    because += f", and the loss at {y[0]:.3g} ({y[0] / (known.chance or 1):.2g} times chance)" if jumped else ""
    high = None if known.learned is False else _ends_high(scales, known)
    if high is not None:
        because += (
            f", and the loss still ends at {high:.3g}: {high / math.log(scales[-1].layer.units):.2g} times chance"
        )
        because += f" if it is a cross-entropy over {scales[-1].layer.units} classes"
    elif known.learned is not False:
        because += ", yet the run learns" if known.learned else "; whether the run learned is not known"
    level: Judgement = "suspected" if known.learned is False or high is not None else "inconclusive"
    level = "confirmed" if large and sure and jumped and known.learned is False else level
    return Verdict("bad-initialization", level, "measured" if sure else "inferred", because, "weights")


def _ends_high(scales: list[Scale], known: Outcome) -> float | None:
    """The loss at the end where it lies far above what a classifier of that many outputs begins with, and no accuracy
    speaks for the run."""
    y, outputs = finite(known.main), scales[-1].layer.units
    skills = [s for s in (known.skill(known.train_accuracy), known.skill(known.val_accuracy)) if s is not None]
    if len(y) < 4 or outputs < 2 or known.games or max(skills, default=0.0) > 0.5:
        return None
    end = curves.ends(y)[1]
    return end if end > JUMPED * math.log(outputs) else None


def _now(median: float, known: Outcome) -> Verdict | None:
    """Weights out of scale whose start is not known: they may have grown or shrunk to that."""
    if SHRUNK <= median <= GROWN:
        return None
    way = "started so, or grew to it" if median > GROWN else "started so, or decay took them there"
    because = f"the weights are at {median:.2g} times the usual scale (median of the matrices): they {way}"
    because += ", yet the run learns" if known.learned else ""
    return Verdict("bad-initialization", "inconclusive", "measured", because, "weights")


def _untouched(scales: list[Scale], known: Outcome, last: Checkpoint) -> Verdict | None:
    """Random matrices beside trained ones, in a file whose optimizer does not tell of each matrix."""
    fresh = [s for s in scales if s.fresh]
    if not fresh or histories(last)[0]:
        return None
    because = (
        f"{len(fresh)} of {len(scales)} weight matrices still hold what a usual initialisation draws, first "
        f"{called(fresh[0].layer.name)}"
    )
    body = [s for s in fresh if s is not scales[-1]]
    others = any(s.fresh is False for s in scales)
    target = copies([s.layer for s in scales], {s.layer.name for s in fresh})
    judged = body and others and not known.learned and not target
    if not others:
        because += ": this file was saved before any training"
    because += "; a network of the same shapes beside it was trained, so it may be its target" if target else ""
    level: Judgement = "suspected" if judged else "inconclusive"
    return Verdict("frozen-parameters", level, "inferred", because, "weights")


def _measures(
    scales: list[Scale], start: tuple[float, float] | None, median: float, last: Checkpoint
) -> tuple[Measure, ...]:
    where = str(last.path)
    largest = max(scales, key=lambda s: s.ratio)
    found = [
        Measure("weights against the default law (median of matrices)", median, "times", where=where),
        Measure(f"largest: {called(largest.layer.name)}", largest.ratio, "times", where=where),
    ]
    if start is not None:
        found.append(Measure("scale at the start, at least", start[0], "times", f"> {LARGE:g}"))
        found.append(Measure("scale at the start, at most", start[1], "times", f"< {SMALL:g}"))
    return tuple(found)


def _table(scales: list[Scale]) -> Table:
    rows = []
    for s in scales:
        fan, out = fan_in(s.layer), s.layer.units * math.prod(s.layer.weight.shape[2:])
        he, xavier = math.sqrt(2 / fan), math.sqrt(2 / (fan + out))
        rows.append((s.layer.name, s.rms, s.ratio, s.rms / he, s.rms / xavier, "yes" if s.fresh else "", s.oddity))
    columns = ("layer", "RMS", "/ default law", "/ He", "/ Xavier", "as initialised", "stands out")
    return Table("scale of the weights", columns, tuple(rows))


def _plots(scales: list[Scale]) -> tuple[Plot, ...]:
    if not any(s.ratio > 0 for s in scales):
        return ()
    curve = Curve("RMS / default law", tuple(float(i) for i in range(len(scales))), tuple(s.ratio for s in scales))
    names = tuple(s.layer.name for s in scales)
    return (Plot("weights against a fresh net", "bars", (curve,), log_y=True, names=names),)


def _facts(scales: list[Scale], verdicts: list[Verdict]) -> dict[str, str]:
    if not any(v.verdict in {"confirmed", "suspected"} for v in verdicts):
        return {}
    worst = max(scales, key=lambda s: abs(math.log(s.ratio)) if s.ratio > 0 else math.inf)
    fresh = ", ".join(called(s.layer.name) for s in scales if s.fresh)
    return {"worst_layer": called(worst.layer.name), **({"layers": fresh} if fresh else {})}
