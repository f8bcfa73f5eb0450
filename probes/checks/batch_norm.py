"""Batch norm: whether its counters and running statistics agree with the training that they come from

What it measures
    For every batch normalisation: how many training batches it has counted against the steps that the optimizer has
    counted, in each checkpoint and between checkpoints; whether its running statistics were ever gathered, and whether
    they are possible at all.

Formula
    r = num_batches_tracked / the optimizer's own step, or the same of the differences between two checkpoints. Every
    forward pass in training mode counts one batch. Statistics that are exactly mean 0 and variance 1 were never
    gathered. A variance is never negative.

Thresholds and sources
    r = 1 is normal (39 of 39 runs); a whole number k is k-fold gradient accumulation or k passes a step (6 of 6), and
    no fault; between two checkpoints, r above 1.05 and 5 % away from a whole number means passes in training mode that
    were followed by no step, as when validation runs in training mode (3 of 3 runs, at 1.23): confirmed if it is the
    same (within 5 %) between every two checkpoints, else suspected. Loss scaling that skips steps stays below 1.05. r =
    0 with statistics that were never gathered: trained in evaluation mode (3 of 3), suspected, since they may be frozen
    on purpose. r = 0 between two checkpoints after some batches: suspected as well, unless it is fine-tuning by one of
    two signs: scale and shift of every layer stand still too, or it had counted more batches than its optimizer steps
    at the first checkpoint already, before this training. Statistics of all of two or more layers within 1 % of mean 0
    and variance 1 after 100 batches: hardly gathered, as with a momentum near 0: batch-norm-trouble suspected. Counters
    of averaged copies of a model stay 0 while the statistics move: nothing is said.

Evidence
    proved: a variance below 0. measured: counts, and statistics that are still at their start. Why they are so (frozen
    on purpose, a mode left on) is the reader's: hence suspected. inferred: that statistics which are near their start
    take nothing in.

Reads
    The counters and statistics of all checkpoints, and the steps of their optimizers.

Cannot tell
    SGD counts no steps (the file's own step is used then, if there is one). A network that was pretrained has counted
    before: from one file alone r is not judged above 1. Which of two reasons makes r a whole number.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Progress
from ..finding import Finding, Judgement, Measure, Table, Verdict
from ..saved import counts, statistics
from ..saved.counts import batches, steps
from ..saved.layers import called

NEEDS = ("checkpoint",)
SPEAKS_TO = ("train-eval-mode", "batch-norm-trouble")
COST = "file"
SKIPPED, WHOLE, SAME = 1.05, 0.05, 0.05
FEW_STEPS = 10
MANY_BATCHES, START = 100, 0.01
MEAN, VARIANCE = ".running_mean", ".running_var"


@dataclass(frozen=True, slots=True)
class Norm:
    """One batch normalisation: batches counted (None in old files), and what its running statistics look like."""

    name: str
    count: int | None
    untouched: bool
    low: float
    high: float
    affine_moved: bool
    at_start: bool


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Compare counters with steps, in the latest checkpoint and between all of them."""
    last = artifacts.last
    norms = gather(last) if last is not None else []
    if last is None or not norms:
        needs = "a checkpoint of a network with batch normalisation"
        return Finding("batch-norm", "batch norm: there is none", "could-not-check", needs=needs, applies=False)
    rates = between(artifacts.checkpoints)
    ratio = share(last)
    verdicts = [v for v in (_mode(norms, rates, ratio, artifacts.checkpoints), _statistics(norms)) if v]
    return Finding(
        "batch-norm",
        f"{len(norms)} batch norms" + (f": {ratio:.3g} batches counted a step" if ratio is not None else ""),
        verdicts=tuple(verdicts),
        measures=_measures(norms, rates, ratio, last),
        tables=(_table(norms),),
        facts={"worst_layer": called(max(norms, key=lambda n: n.high).name)} if verdicts else {},
        needs="" if ratio is not None else "a checkpoint with the state of an optimizer that counts steps (Adam)",
    )


def gather(checkpoint: Checkpoint) -> list[Norm]:
    """Every batch normalisation in file order."""
    found, tensors, numbers = [], checkpoint.tensors, statistics.of(checkpoint)
    counted = counts.counters(checkpoint)
    for name in tensors:
        if not name.endswith(MEAN):
            continue
        base = name.removesuffix(MEAN)
        mean, variance = numbers.values(tensors[name]), tensors.get(base + VARIANCE)
        if variance is None or not variance.numel:
            continue
        spread, bias = numbers.values(variance), tensors.get(base + ".bias")
        untouched = mean.constant and mean.high == 0 and spread.constant and spread.high == 1
        moved = bias is not None and numbers.values(bias).largest > 0
        start = mean.largest < START and 1 - START < spread.low <= spread.high < 1 + START
        found.append(Norm(base, counted.get(base), untouched, spread.low, spread.high, moved, start))
    return found


def share(checkpoint: Checkpoint) -> float | None:
    """Batches counted a step in one checkpoint."""
    count, step = batches(checkpoint), steps(checkpoint)
    return count / step if count is not None and step is not None and step >= FEW_STEPS else None


def between(checkpoints: tuple[Checkpoint, ...]) -> list[float]:
    """Batches counted a step, between every two checkpoints that follow each other."""
    known = [(b, s) for c in checkpoints if (b := batches(c)) is not None and (s := steps(c)) is not None]
    return [(b - a) / (t - s) for (a, s), (b, t) in pairwise(known) if t - s >= FEW_STEPS and b >= a]


def _mode(
    norms: list[Norm], rates: list[float], ratio: float | None, checkpoints: tuple[Checkpoint, ...]
) -> Verdict | None:
    """Training, or validation, in the wrong mode."""
    if ratio == 0 and all(n.untouched for n in norms):
        because = f"none of {len(norms)} batch norms saw a batch in training mode in {steps(checkpoints[-1])} steps"
        because += ": trained in evaluation mode, or frozen on purpose"
        return Verdict("train-eval-mode", "suspected", "measured", because, "counters")
    if not rates:
        return None
    rate = float(np.median(rates))
    told = f"between the checkpoints batch norm counted {rate:.3g} batches for every step of the optimizer"
    if all(abs(r - 1) <= 0.02 for r in rates):
        return Verdict("train-eval-mode", "ruled_out", "measured", told, "counters")
    if rate > SKIPPED and abs(rate - round(rate)) > WHOLE * rate:
        level: Judgement = "confirmed" if all(abs(r / rate - 1) < SAME for r in rates) else "suspected"
        because = f"{told}: passes in training mode without a step, as when validation runs in training mode"
        return Verdict("train-eval-mode", level, "measured", because, "counters")
    if ratio and any(r == 0 for r in rates):
        because = "batch norm stopped counting batches while the optimizer went on: "
        if why := _fine_tuned(norms, checkpoints):
            return Verdict("train-eval-mode", "inconclusive", "measured", f"{because}{why}", "counters")
        because += "in evaluation mode since then, or frozen on purpose"
        return Verdict("train-eval-mode", "suspected", "measured", because, "counters")
    if rate > SKIPPED:
        told += ": gradients are accumulated, or there are more passes than one a step"
    return Verdict("train-eval-mode", "inconclusive", "measured", told, "counters")


def _fine_tuned(norms: list[Norm], checkpoints: tuple[Checkpoint, ...]) -> str:
    """What speaks for batch norms that are kept as they were on purpose; "" if nothing does."""
    first, last = checkpoints[0], checkpoints[-1]
    own = [n.name + end for n in norms for end in (".weight", ".bias") if n.name + end in last.tensors]
    if own and all(_extent(first, name) == _extent(last, name) for name in own):
        return "their scale and shift stand still as well, so they are frozen as a whole, as in fine-tuning"
    if (earlier := share(first)) is not None and earlier > SKIPPED:
        return f"but it had counted {batches(first)} in {steps(first)} steps before, as a pretrained network has"
    return ""


def _extent(checkpoint: Checkpoint, name: str) -> tuple[float, float, float] | None:
    tensor = checkpoint.tensors.get(name)
    values = statistics.of(checkpoint).values(tensor) if tensor is not None else None
    return (values.low, values.high, values.rms) if values is not None else None


def _statistics(norms: list[Norm]) -> Verdict | None:
    """Running statistics that cannot be, or that were never gathered although the layer was trained."""
    negative = [n for n in norms if n.low < 0]
    if negative:
        because = f"the running variance of {called(negative[0].name)} is negative ({negative[0].low:.3g})"
        return Verdict("batch-norm-trouble", "confirmed", "proved", because, "weights")
    bare = [n for n in norms if n.untouched and n.affine_moved]
    if bare:
        because = (
            f"{len(bare)} of {len(norms)} batch norms were trained, but their running statistics are still mean 0 "
        )
        because += f"and variance 1, first {called(bare[0].name)}: evaluation mode uses statistics of no data"
        return Verdict("batch-norm-trouble", "suspected", "measured", because, "weights")
    if len(norms) > 1 and all(n.at_start and (n.count or 0) >= MANY_BATCHES for n in norms) and not bare:
        because = (
            f"after {norms[0].count} batches the running statistics of all {len(norms)} batch norms are within 1 % of"
        )
        because += " mean 0 and variance 1, where they began: they hardly take anything in (momentum?)"
        return Verdict("batch-norm-trouble", "suspected", "inferred", because, "weights")
    return None


def _measures(norms: list[Norm], rates: list[float], ratio: float | None, last: Checkpoint) -> tuple[Measure, ...]:
    where, found = str(last.path), []
    if rates:
        value = float(np.median(rates))
        found.append(Measure("batches counted a step, between checkpoints", value, threshold="not whole, > 1.05"))
    elif ratio is not None:
        found.append(Measure("batches counted a step", ratio, where=where))
    found.append(Measure("largest running variance", max(n.high for n in norms), where=where))
    found.append(Measure("batch norms without gathered statistics", sum(n.untouched for n in norms), where=where))
    return tuple(found)


def _table(norms: list[Norm]) -> Table:
    rows = tuple((n.name, n.count, n.low, n.high, "no" if n.untouched else "yes") for n in norms)
    columns = ("layer", "batches counted", "smallest variance", "largest variance", "statistics gathered")
    return Table("batch normalisations", columns, rows)
