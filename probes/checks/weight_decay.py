"""Weight decay: whether it has eaten the weights

What it measures
    The size of every weight matrix against a freshly initialised one and against the first checkpoint, together with
    the decay that the optimizer applies in one step.

Formula
    size = RMS of the entries x sqrt(3 fan in): 1 for PyTorch's default initialisation. decay a step = lr x
    weight_decay; alone it would leave (1 - lr x weight_decay)^steps of a weight.

Thresholds and sources
    over-regularization confirmed: weight_decay > 0, more than half of the matrices at a size below 0.25 and at less
    than a third of their first checkpoint or below 0.01 outright, while the loss stands. Suspected without a log; and
    where all matrices lie below 1e-4 without a normalisation, whatever the loss does: one that collapsed outputs
    satisfy (pairs, distances) falls to 0.
    Suspected also, whatever the loss does: a decay of more than 2 % in one step, where it is decoupled (AdamW) or SGD's
    (then over 1 - momentum): such weights forget all but the last 50 steps. Common recipes (AdamW at 1e-4 to 3e-3 with
    0.01 to 0.3, SGD at 0.1 with 5e-4) lie between 1e-6 and 1e-3.
    Small nets that learned ended between 0.35 and 5 at decays of 0 to 0.3; the figures are our own, from such nets.

Evidence
    measured: sizes against fresh weights and the first checkpoint. inferred: a collapse that the loss does not show,
    and a decay by its size alone.

Reads
    The first and the latest checkpoint, the optimizer's options, the logs.

Cannot tell
    Dropout, augmentation and other regularisation: they leave no trace in the weights. Nets that are initialised
    small on purpose: then the first checkpoint is small as well, which is why both are compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..artifacts import Artifacts, Checkpoint, OptimizerState, Progress, Tensor
from ..finding import Finding, Judgement, Measure, Table, Verdict
from ..saved import moments, statistics
from ..saved.layers import depth
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("over-regularization",)
COST = "file"
SMALL, TINY, SHRUNK = 0.25, 0.01, 1 / 3
STRONG = 0.02
"""Share of a weight that decay takes in one step: what is left of it after 1 / STRONG steps is 1/e."""
GONE = 1e-4
"""Size of all matrices at which what passes through two of them is lost in rounding beside anything else."""


@dataclass(frozen=True, slots=True)
class Size:
    """One matrix: its size now, and its norm against the first checkpoint (None without one)."""

    layer: str
    now: float
    kept: float | None

    @property
    def eaten(self) -> bool:
        """Far below any fresh matrix, and shrunk to that rather than made so."""
        return self.now < TINY or (self.now < SMALL and self.kept is not None and self.kept < SHRUNK)


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Compare the weights' sizes with fresh ones, where the optimizer decays them."""
    last = artifacts.last
    if last is None or last.optimizer is None or not last.optimizer.groups:
        needs = "a checkpoint that holds the optimizer's options"
        return Finding("weight-decay", "weight decay: unknown", "could-not-check", needs=needs)
    group = last.optimizer.groups[0]
    decay, lr = moments.option(group, "weight_decay", 0.0), moments.option(group, "lr", 0.0)
    sizes = [_size(layer.name, layer.weight, last, artifacts.checkpoints[0]) for layer in depth(last)]
    eaten = [s for s in sizes if s.eaten]
    verdicts = judge(sizes, eaten, decay, lr, outcome(artifacts), any(x.norm for x in depth(last)))
    strong = share(last.optimizer)
    if strong > STRONG and not any(v.verdict in ("confirmed", "suspected") for v in verdicts):
        verdicts = [_too_strong(decay, lr, strong)]
    return Finding(
        "weight-decay",
        f"weight decay {decay:g}: {len(eaten)} of {len(sizes)} weight matrices have shrunk away",
        verdicts=tuple(verdicts),
        measures=(
            Measure("weight decay", decay, where=str(last.path)),
            Measure("decay in one step", strong, threshold=f"> {STRONG:g}", where=str(last.path)),
            Measure("matrices that have shrunk away", len(eaten), threshold="> half of them"),
        ),
        tables=(
            Table(
                "size of the weights",
                ("layer", "size (fresh: 1)", "of the first checkpoint"),
                tuple((s.layer, s.now, s.kept) for s in sizes),
            ),
        ),
        facts={"weight_decay": f"{decay:.3g}", "lr": f"{lr:.3g}"} if eaten or strong > STRONG else {},
    )


def share(state: OptimizerState) -> float:
    """What decay takes of a weight in one step, in the group that decays most; 0 where it passes through Adam's
    normalisation."""
    rates = [moments.option(g, "lr", 0.0) * moments.option(g, "weight_decay", 0.0) for g in state.groups]
    if state.kind == "sgd":
        rates = [
            r / (1 - min(moments.option(g, "momentum", 0.0), 0.99)) for r, g in zip(rates, state.groups, strict=True)
        ]
    return max(rates) if state.kind == "sgd" or state.decoupled else 0.0


def _too_strong(decay: float, lr: float, strong: float) -> Verdict:
    because = (
        f"weight decay {decay:g} at lr {lr:.3g} takes {strong:.1%} of every weight in one step: of what it learned "
    )
    because += f"more than {1 / strong:.0f} steps ago less than 1/e is left"
    return Verdict("over-regularization", "suspected", "inferred", because, "weights")


def _size(name: str, weight: Tensor, last: Checkpoint, first: Checkpoint) -> Size:
    norm, fan = statistics.of(last).norm(weight), math.prod(weight.shape[1:])
    start = first.tensors.get(weight.name) if first is not last else None
    before = statistics.of(first).norm(start) if start is not None and start.shape == weight.shape else 0.0
    return Size(name, norm / math.sqrt(weight.numel) * math.sqrt(3 * fan), norm / before if before > 0 else None)


def judge(sizes: list[Size], eaten: list[Size], decay: float, lr: float, known: Outcome, normed: bool) -> list[Verdict]:
    """Only a run that decays its weights is accused, if it does not learn or nothing at all is left of them. `normed`:
    normalisation restores any scale."""
    if not sizes:
        return []
    median = sorted(s.now for s in sizes)[len(sizes) // 2]
    because = f"the weights' median size is {median:.2g} of fresh ones at weight decay {decay:g}"
    if decay == 0 or not eaten:
        word = "no weight decay is set" if decay == 0 else because
        return [Verdict("over-regularization", "inconclusive", "measured", word, "weights")]
    because += f" and lr {lr:.3g}; {len(eaten)} of {len(sizes)} matrices have shrunk away"
    if 2 * len(eaten) > len(sizes) and not known.learned:
        because += ", and the loss stands" if known.stuck else ""
        level: Judgement = "confirmed" if known.stuck else "suspected"
        return [Verdict("over-regularization", level, "measured", because, "weights")]
    if len(eaten) == len(sizes) and median < GONE and not normed:
        because += ": whatever the loss says, outputs can hardly depend on inputs any more"
        return [Verdict("over-regularization", "suspected", "inferred", because, "weights")]
    return [Verdict("over-regularization", "inconclusive", "measured", because, "weights")]
