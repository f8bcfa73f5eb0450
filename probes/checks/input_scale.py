"""Input scale: how large each input feature was, read off the first layer's gradients without the data

What it measures
    For a first dense layer: the RMS of every input feature over about the last 1,000 steps, as the optimizer saw it;
    features that differ by orders of magnitude, inputs that were never scaled, and features that were always 0.

Formula
    The gradient of weight (r, j) is delta_r x_j and that of bias r is delta_r, so
    s_j = sqrt(sum over r of v^[r, j] / sum over r of v^_bias[r]) estimates the RMS of feature j, v^ being the squared
    gradients that Adam or RMSprop keeps. A column of v that is exactly 0: that feature was 0 at every step.

Thresholds and sources
    unscaled-inputs confirmed: the largest s above 30, suspected: the largest above 20 times the median (235 runs:
    AUC 1.000, healthy runs at most 10.7, faulty ones at least 42; the estimate is within 1.5 times of the truth).
    Confirmed only where a run has not learned, else suspected. At more than 1,000 a normalisation that the file does
    not show may have taken the bias's gradient away, and nothing is said, unless the median feature is of ordinary
    size (0.1 to 10: then the bias's gradient is there) or the first layer's units stand still as well. Small features
    are not judged: pixels at the border of a picture are 185 times smaller than others in healthy runs.

Evidence
    inferred: an estimate within about 1.5 times, as errors of different samples are taken to be alike.

Reads
    The latest checkpoint's optimizer state of the first layer and its bias; the logs.

Cannot tell
    First layers without a bias, after an embedding or a normalisation, convolutions (1.1 to 1.5 times too high, so
    left out), recurrent ones; weight decay in the gradients, or where that is not known (Adam or AdamW), if it would
    be more than a tenth of them; SGD's buffer (folds of 8). Which scale the data should have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Floats, Progress
from ..finding import Curve, Finding, Judgement, Measure, Plot, Table, Verdict
from ..saved import moments, statistics
from ..saved.layers import EMBEDDING, Layer, called, depth
from ..saved.statistics import Statistics
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("unscaled-inputs",)
COST = "file"
UNEVEN, LARGE = 20.0, 30.0
HEALTHY = 10.0
ABSURD = 1e3
OUTWEIGHED = 0.1
"""Share of the gradients up to which weight decay in them changes an estimate by a tenth at most."""
SHOWN = 40


@dataclass(frozen=True, slots=True)
class Inputs:
    """RMS by feature of the inputs of one layer, and the share of its units whose gradient is exactly 0."""

    layer: str
    scales: Floats
    stuck: float

    @property
    def median(self) -> float:
        live = self.scales[self.scales > 0]
        return float(np.median(live)) if len(live) else 0.0

    @property
    def largest(self) -> float:
        return float(self.scales.max())

    @property
    def anchored(self) -> bool:
        """Whether the median feature is of ordinary size: without the bias's gradient all would look enormous."""
        return 1 / HEALTHY < self.median < HEALTHY


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Estimate the inputs' scale from the latest checkpoint's optimizer state and judge it with the logs."""
    last = artifacts.last
    found, why = inputs(last) if last is not None else (None, "there is no checkpoint")
    if found is None or last is None:
        needs = "a checkpoint with Adam's or RMSprop's state, of a network that begins with a dense layer"
        return Finding("input-scale", f"input scale: {why}", "could-not-check", needs=needs)
    known = outcome(artifacts)
    zero, where = int((found.scales == 0).sum()), str(last.path)
    ratio = found.largest / found.median if found.median else math.nan
    return Finding(
        "input-scale",
        f"inputs of {called(found.layer)}: about {found.median:.2g} (median), {found.largest:.2g} (largest)",
        verdicts=tuple(judge(found, known)),
        measures=(
            Measure("largest RMS of an input feature", found.largest, threshold=f"> {LARGE:g}", where=where),
            Measure("largest over median feature", ratio, "times", f"> {UNEVEN:g}", where),
            Measure("features that were 0 at every step", zero, where=where),
        ),
        tables=(_table(found),),
        plots=_plots(found),
        facts={"worst_layer": called(found.layer)} if found.largest > LARGE else {},
    )


def inputs(checkpoint: Checkpoint) -> tuple[Inputs | None, str]:
    """The estimate for the first weight matrix, or None and the reason."""
    state = checkpoint.optimizer
    kind = moments.family(state) if state else None
    if state is None or kind not in {"adam", "rmsprop"}:
        return None, "it needs the squared gradients that Adam or RMSprop keeps"
    layers = depth(checkpoint)
    if not layers or layers[0].kind != "dense":
        return None, "the first layer is not dense"
    first = layers[0]
    if len(layers) < 2 and first.weight.shape[0] < 2:
        return None, "there is a single unit"
    names = list(checkpoint.tensors)
    before = names[: names.index(first.weight.name)]
    if any(EMBEDDING.search(n) or "norm" in n.lower() or "running_" in n for n in before):
        return None, "an embedding or a normalisation comes before the first dense layer"
    if first.norm is not None:
        return None, f"a normalisation follows {called(first.name)} and takes its bias's gradient away"
    parameter = state.of(first.weight.name)
    numbers = statistics.of(checkpoint)
    weight, bias = numbers.of(first.weight), numbers.of(first.bias)
    if parameter is None or weight is None or bias is None:
        return None, f"{called(first.name)} has no bias, or no optimizer state"
    if parameter.coarse:
        return None, "the optimizer's state is kept in 8 bits, which rounds small moments to 0"
    total = float(bias.square.sum())
    decay = moments.maybe_mixed(state, moments.options(state, parameter))
    if decay and _hidden(decay, numbers, first, weight.column_square, total):
        known = "is" if moments.unsure(state, moments.options(state, parameter)) is False else "may be"
        return None, f"coupled weight decay {known} mixed into the squared gradients, and large beside them"
    if not (total > 0 and math.isfinite(total) and np.isfinite(weight.column_square).all()):
        return None, f"{called(first.name)} receives no finite gradient"
    return Inputs(first.name, np.sqrt(weight.column_square / total), float((weight.square == 0).mean())), ""


def _hidden(decay: float, numbers: Statistics, first: Layer, columns: Floats, bias: float) -> bool:
    """Whether decay in the gradients would be more than a tenth of them, for the median feature or for the bias."""
    rooms = ((first.weight, float(np.median(columns)) * len(columns)), (first.bias, bias))
    return any(t is not None and decay * numbers.norm(t) > OUTWEIGHED * math.sqrt(room) for t, room in rooms)


def judge(found: Inputs, known: Outcome) -> list[Verdict]:
    """Large or uneven inputs accuse; even ones of ordinary size clear."""
    largest, ratio = found.largest, found.largest / found.median if found.median else 0.0
    place = called(found.layer)
    because = f"the inputs of {place} have an RMS of about {largest:.3g} (largest) and {found.median:.2g} (median)"
    because += ", estimated from its gradients"
    if largest > LARGE or (ratio > UNEVEN and largest > 1):
        if found.stuck > 0:
            because += f"; {found.stuck:.0%} of its units receive no gradient at all"
        elif largest > ABSURD and not found.anchored:
            because += "; a normalisation that the file does not show may take this away"
            return [Verdict("unscaled-inputs", "inconclusive", "inferred", because, "optimizer-state")]
        level: Judgement = "confirmed" if largest > LARGE and known.learned is False else "suspected"
        if known.learned:
            because += "; the run learns all the same"
            level = "inconclusive"
        return [Verdict("unscaled-inputs", level, "inferred", because, "optimizer-state")]
    if largest < HEALTHY and ratio < HEALTHY:
        if known.classes is None:
            because += "; the targets of a regression, if it is one, are not seen here"
            return [Verdict("unscaled-inputs", "inconclusive", "inferred", because, "optimizer-state")]
        return [Verdict("unscaled-inputs", "ruled_out", "inferred", because, "optimizer-state")]
    return [Verdict("unscaled-inputs", "inconclusive", "inferred", because, "optimizer-state")]


def _table(found: Inputs) -> Table:
    order = np.argsort(-found.scales)[:SHOWN]
    median = found.median or math.nan
    rows = tuple((int(j), float(found.scales[j]), float(found.scales[j] / median)) for j in order)
    return Table(f"inputs of {called(found.layer)}, largest first", ("feature", "RMS (estimate)", "/ median"), rows)


def _plots(found: Inputs) -> tuple[Plot, ...]:
    shown = found.scales[:SHOWN]
    if not (shown > 0).any():
        return ()
    curve = Curve("RMS (estimate)", tuple(float(i) for i in range(len(shown))), tuple(float(s) for s in shown))
    names = tuple(str(i) for i in range(len(shown)))
    return (Plot("scale of the input features", "bars", (curve,), log_y=True, names=names),)
