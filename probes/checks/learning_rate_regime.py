"""Learning-rate regime: how far successive gradients agree, from one checkpoint

What it measures
    Whether the gradients of the last steps point the same way far more than noise would: the run then still travels
    in one direction, and a larger learning rate would probably bring it there sooner.

Formula
    c = sum m^2 / sum v^ of each weight matrix, m^ and v^ Adam's two moments without their bias. C = their median.
    Pure noise gives (1 - b1)/(1 + b1) = 0.053. Odds: how much likelier such a C is where the rate is at least ten
    times too small than where it is not.

Thresholds and sources
    Measured on 22 sweeps of 8 rates (MLP, CNN, LSTM, Transformer; batches of 16 to 256), after a quarter of the run,
    704 snapshots: C below 0.03: odds 0.15; 0.03 to 0.06: 0.27; to 0.1: 0.8; to 0.15: 6; to 0.3: 21; above 0.3: 230 (0
    of 248 runs near the best rate). learning-rate-too-low: suspected above 0.15 (3 of 248 runs near the best rate
    reach it) at a rate below Adam's default of 1e-3; confirmed above 0.3 at a tenth of that in a run that has not
    learned. Ruled out below 0.03 where the run learns.

Evidence
    inferred: C is an identity, but a rate that is too low is one of several reasons for it.

Reads
    Adam's state in the latest checkpoint, its learning rate; the logs for whether the run learns.

Cannot tell
    A rate that is too large: a low C is also that of a run that has converged or is limited by noise. Before 100
    steps C is high for everyone; small batches lower it. Other optimizers than Adam's family; coupled weight decay,
    which is a gradient that always agrees with itself; gradients that have stopped; a beta1 below 0.9; adversarial
    and reinforcement learning, where each player follows the other.
"""

from __future__ import annotations

import math

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Progress
from ..finding import Curve, Finding, Judgement, Measure, Plot, Table, Verdict
from ..saved import moments, pace, statistics
from ..saved.layers import depth
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("learning-rate-too-low",)
COST = "file"
AGREE, AGREE_SURELY, NOISE = 0.15, 0.3, 0.03
BETA1 = 0.9
"""Noise alone gives (1 - b1)/(1 + b1): 0.33 at 0.5, a usual value for adversarial training. Above 0.9 it gives less, so
that the limits hold all the more."""
ENOUGH = 100
"""Steps below which gradients agree in every run."""
DEFAULT_LR = 1e-3
"""Adam's default: from here on gradients that agree in a run that stands have another reason."""
SLOW_LR = 1e-4
"""A tenth of Adam's default: above it agreement of gradients alone does not confirm a rate that is too low."""
ODDS = ((0.03, 0.15), (0.06, 0.27), (0.1, 0.8), (0.15, 6.0), (0.3, 21.0), (math.inf, 230.0))


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Measure the agreement of gradients and judge it with the rate and the logs."""
    last = artifacts.last
    agreement, why = agreements(last) if last is not None else ({}, "there is no checkpoint")
    if last is None or not agreement:
        needs = "a checkpoint with the state of Adam after 100 steps or more"
        return Finding("learning-rate-regime", f"learning-rate regime: {why}", "could-not-check", needs=needs)
    middle = float(np.median(list(agreement.values())))
    verdict = judge(middle, artifacts, outcome(artifacts))
    rate = pace.peak(artifacts.checkpoints)
    return Finding(
        "learning-rate-regime",
        f"learning-rate regime: gradients agree to {middle:.2g} (noise: 0.053, one direction: 1)",
        verdicts=(verdict,) if verdict else (),
        measures=(
            Measure("agreement of successive gradients C", middle, threshold=f"> {AGREE:g}", where=str(last.path)),
            Measure("odds for a rate ten times too small, from C alone", odds(middle)),
        ),
        tables=(Table("agreement of gradients", ("layer", "c"), tuple(agreement.items())),),
        plots=(_plot(agreement),),
        facts={"lr": f"{rate:.3g}"} if verdict and rate else {},
    )


def agreements(checkpoint: Checkpoint) -> tuple[dict[str, float], str]:
    """c of every weight matrix that has one, in forward order, or nothing and why."""
    state, numbers = checkpoint.optimizer, statistics.of(checkpoint)
    if state is None or moments.family(state) != "adam":
        return {}, "only Adam's state holds it"
    if (state.step or 0) < ENOUGH:
        return {}, f"{state.step or 0} steps are too few"
    if state.mapping == "ambiguous":
        return {}, state.mapping_note
    if (first := min(moments.betas(group)[0] for group in state.groups)) < BETA1:
        return {}, f"beta1 is {first:g}: what agreement is usual was measured at {BETA1:g} alone"
    found = {}
    for layer in depth(checkpoint):
        parameter = state.of(layer.weight.name)
        if parameter is None or not moments.two(parameter):
            continue
        if moments.maybe_mixed(state, moments.options(state, parameter)):
            continue
        sums = numbers.sums(parameter)
        if sums is not None and 0 < sums.norm < math.inf:
            found[layer.name] = sums.coherence
    return found, "" if found else "no matrix has a gradient of its own: none at all, or weight decay mixed into it"


def odds(agreement: float) -> float:
    """How much likelier such an agreement is at a rate at least ten times too small."""
    return next(ratio for limit, ratio in ODDS if agreement < limit or limit == math.inf)


def judge(agreement: float, artifacts: Artifacts, known: Outcome) -> Verdict | None:
    """Too low, or not; never too high."""
    because = f"the gradients of the last steps agree to C = {agreement:.2g}"
    if known.learned and agreement < NOISE:
        because += ", no more than noise does, and the run learns"
        return Verdict("learning-rate-too-low", "ruled_out", "inferred", because, "optimizer-state")
    rate = pace.peak(artifacts.checkpoints) or 1.0
    several = artifacts.last is not None and artifacts.last.other_optimizers
    if known.games or several:  # players pull each other along: their gradients agree without anything being slow
        return None
    if agreement <= AGREE or known.learned or rate >= DEFAULT_LR or not pace.may_be_low(artifacts.checkpoints):
        return None
    because += ", far more than noise would (0.053): the run still travels in one direction"
    sure = agreement > AGREE_SURELY and known.learned is False and 0 < rate <= SLOW_LR
    level: Judgement = "confirmed" if sure else "suspected"
    return Verdict("learning-rate-too-low", level, "inferred", because, "optimizer-state")


def _plot(agreement: dict[str, float]) -> Plot:
    curve = Curve("c", tuple(float(i) for i in range(len(agreement))), tuple(agreement.values()))
    return Plot("agreement of gradients by layer", "bars", (curve,), log_y=True, names=tuple(agreement))
