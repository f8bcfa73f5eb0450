"""Prior collapse: whether the model says the same whatever comes in

What it measures
    From a checkpoint: what the last layer's bias alone would predict, and how large its weights are against that. With
    a target file: how far the outputs differ from sample to sample on one batch, and whether the loss at the end of the
    log is what knowing the shares of the classes alone gives.

Formula
    Prior of the bias: softmax(b). Spread: over the batch, the largest standard deviation of a class's probability (of
    an output over that of its target, where outputs are numbers). Label entropy: H = -sum p ln p of the batch's labels;
    a model that has learned the shares and nothing else has a cross-entropy of H.

Thresholds and sources
    collapsed-output suspected where the spread is below 0.02 (numbers: 0.05) on at least 16 samples with two or more
    different targets, and the run has not learned; ruled out above 0.1 (0.2). class-imbalance suspected where the
    outputs have collapsed and the most common label has more than 1.5 times its equal share and the model names it.
    Never confirmed, and nothing from the bias alone: on imbalanced data the bias of collapsed and of learned nets lay
    equally far from the prior under Adam (KL .58 to .67 and .57 to 2.1), since the constant sits in the weights.

Evidence
    measured: outputs on a batch. Nothing is concluded from the bias, which is only told.

Reads
    The last weight matrix and its bias; one batch through the model in evaluation mode, with a target file; the logs.

Cannot tell
    Why it has collapsed: dead units, vanished gradients, too much decay and a broken input do the same. One batch may
    hold too few classes. Outputs of other shapes than (samples, classes), or than the targets', are not judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Floats, Progress, Tensor
from ..errors import Unreadable
from ..finding import Finding, Measure, Table, Verdict
from ..model.target import Outputs, outputs, wanted
from ..saved import statistics
from ..saved.layers import Layer, called, depth, fan_in
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint", "target")
SPEAKS_TO = ("collapsed-output", "class-imbalance")
COST = "batch"
CONSTANT, VARIED = 0.02, 0.1
"""Standard deviations of a probability over samples; numbers are held against 2.5 times and twice as much."""
ENOUGH = 16
COMMON = 1.5
MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """How the outputs vary on a batch. `named`: the class named for every sample, if it is one. `shares`: of labels."""

    value: float
    samples: int
    classes: bool
    named: int | None
    shares: Floats | None

    @property
    def entropy(self) -> float | None:
        """Cross-entropy of knowing the labels' shares and nothing else."""
        if self.shares is None:
            return None
        p = self.shares[self.shares > 0]
        return float(-(p * np.log(p)).sum())


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Look at the last layer, and at the outputs on one batch if there is a target."""
    last = artifacts.last
    head = _head(last)
    spread, why = None, "no target file was given"
    if artifacts.target is not None:
        progress(0.3, "one batch")
        try:
            spread = measure(outputs(artifacts.target, artifacts.checkpoints))
            why = "" if spread else "the outputs are not finite, or have another shape than the targets"
        except Unreadable as error:
            why = str(error)
    if spread is None and head is None:
        needs = wanted(artifacts, "the outputs on one batch", why)
        return Finding("prior-collapse", f"prior collapse: {why}", "could-not-check", needs=needs)
    verdicts = judge(spread, outcome(artifacts)) if spread else []
    return Finding(
        "prior-collapse",
        _title(spread, head),
        status="done" if spread else "could-not-check",
        verdicts=tuple(verdicts),
        measures=_measures(spread, head, last),
        tables=(_table(head),) if head else (),
        needs="" if spread else wanted(artifacts, "the outputs on one batch", why),
    )


def whole(artifacts: Artifacts) -> list[Tensor]:
    """The biases of the last layer."""
    layers = depth(artifacts.last) if artifacts.last is not None else ()
    return [layers[-1].bias] if layers and layers[-1].bias is not None else []


def _head(checkpoint: Checkpoint | None) -> tuple[Layer, Floats, float] | None:
    """(the last layer, its bias, its weights against the default law), for a classifier of up to 1,000 classes."""
    layers = depth(checkpoint) if checkpoint else ()
    if checkpoint is None or not layers or layers[-1].bias is None or not 2 <= layers[-1].units <= MOST_CLASSES:
        return None
    head = layers[-1]
    numbers, bias = statistics.of(checkpoint), np.zeros(0)
    values = numbers.values(head.weight)
    if head.bias is not None:
        bias = np.asarray(numbers.held(head.bias).array(), dtype=np.float64)
    if values.bad or not np.isfinite(bias).all():
        return None
    return head, bias, values.rms * math.sqrt(3 * fan_in(head))


def measure(seen: Outputs) -> Spread | None:
    """The spread over the samples of a batch; None where outputs and targets do not fit together."""
    y, t = seen.outputs, seen.targets
    if y is None or t is None or len(y) != len(t) or not np.isfinite(y).all():
        return None
    if (
        y.ndim == 2
        and y.shape[1] > 1
        and t.ndim == 1
        and np.all(t == np.round(t))
        and 0 <= t.min() <= t.max() < y.shape[1]
    ):
        p = softmax(y)
        shares = np.bincount(t.astype(int), minlength=y.shape[1]) / len(t)
        named = np.unique(p.argmax(1))
        return Spread(float(p.std(0).max()), len(y), True, int(named[0]) if len(named) == 1 else None, shares)
    y, t = y.reshape(len(y), -1), t.reshape(len(t), -1)
    if y.shape != t.shape or t.std() == 0:
        return None
    return Spread(float((y.std(0) / np.maximum(t.std(0), 1e-30)).max() / 2.5), len(y), False, None, None)


def softmax(y: Floats) -> Floats:
    """Probabilities by row; rows that are probabilities already stay as they are."""
    if (y >= 0).all() and np.allclose(y.sum(1), 1, atol=1e-4):
        return y
    e = np.exp(y - y.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def judge(spread: Spread, known: Outcome) -> list[Verdict]:
    """Collapsed or not, and whether to the most common class."""
    several = spread.shares is None or int((spread.shares > 0).sum()) > 1
    what = "the probability of every class" if spread.classes else "every output, in standard deviations of its target,"
    size = spread.value if spread.classes else 2.5 * spread.value
    because = f"on {spread.samples} samples {what} varies by {size:.2g} at most"
    if spread.samples < ENOUGH or not several:
        return [Verdict("collapsed-output", "inconclusive", "measured", f"{because}: too few to judge", "batch")]
    if spread.value > VARIED:
        return [Verdict("collapsed-output", "ruled_out", "measured", because, "batch")]
    if spread.value > CONSTANT or known.learned:
        return [Verdict("collapsed-output", "inconclusive", "measured", because, "batch")]
    found = [Verdict("collapsed-output", "suspected", "measured", because, "batch")]
    if spread.shares is None or spread.named is None:
        return found
    share, equal = float(spread.shares[spread.named]), 1 / int((spread.shares > 0).sum())
    if share == spread.shares.max() and share > COMMON * equal:
        because = f"it names class {spread.named} for all of them, which {share:.0%} are (equal shares: {equal:.0%})"
        if spread.entropy is not None and known.main is not None and math.isfinite(known.main.y[-1]):
            because += f"; the loss ends at {known.main.y[-1]:.3g}, the shares alone give {spread.entropy:.3g}"
        found.append(Verdict("class-imbalance", "suspected", "measured", because, "batch"))
    return found


def _title(spread: Spread | None, head: tuple[Layer, Floats, float] | None) -> str:
    if spread is not None:
        return (
            "the outputs hardly vary with the input" if spread.value < CONSTANT else "the outputs vary with the input"
        )
    return f"the bias of {called(head[0].name)}: what it alone would predict" if head else "prior collapse"


def _measures(
    spread: Spread | None, head: tuple[Layer, Floats, float] | None, last: Checkpoint | None
) -> tuple[Measure, ...]:
    found = []
    if spread is not None:
        limit = f"< {CONSTANT:g}" if spread.classes else f"< {2.5 * CONSTANT:g}"
        value = spread.value if spread.classes else 2.5 * spread.value
        found.append(Measure("variation of the outputs over the batch", value, threshold=limit))
        if spread.entropy is not None:
            found.append(Measure("loss of knowing the labels' shares alone", spread.entropy))
    if head is not None and last is not None:
        found.append(
            Measure(f"weights of {called(head[0].name)} against a fresh net", head[2], "times", where=str(last.path))
        )
    return tuple(found)


def _table(head: tuple[Layer, Floats, float]) -> Table:
    _, bias, _ = head
    prior = softmax(bias[None, :])[0] if len(bias) else bias
    order = np.argsort(-prior)[:10]
    rows = tuple((int(i), float(prior[i]), float(bias[i])) for i in order)
    return Table("what the last bias alone would predict", ("class", "probability", "bias"), rows)
