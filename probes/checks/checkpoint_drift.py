"""Checkpoint drift: what moved between the checkpoints of a run, how far, and whether its optimizer can have done it

What it measures
    For every parameter: how far it moved from the first checkpoint to the last and from the middle one, and in how
    straight a line. Which parameters are exactly the same although the run went on, and whether those were ever
    trained. Whether any moved further than Adam can move it.

Formula
    move = |last - first| / |first|. straightness = |last - first| over the sum of its two halves: 1 on a line, about
    0.7 for a random walk, 0 on the way back. One step of Adam moves an entry by at most lr a(t), which tends to 7.3 lr
    at betas 0.9 and 0.999, plus decay: the sum over the steps is a bound for any gradients.

Thresholds and sources
    frozen-parameters: a matrix identical in both checkpoints. Suspected if it also is outside the optimizer or has no
    state, and still fills a usual initialisation's exact interval (36 of 36 frozen tensors, 0 of 633 trained
    ones) while the run is not known to have learned; confirmed if the loss stands as well. Else it may be frozen on
    purpose and is inconclusive.
    training-loop-bug: nothing at all moved while epoch or step went on at a rate above 0; confirmed if the loss stands.
    learning-rate-too-low: every matrix moved by less than 2 %, as fine-tuning does, too (where a run began with trained
    weights, by scales of normalisations beyond Adam's reach, only chance counts as standing): suspected where the loss
    stands, and confirmed if it was in a straight line (> 0.9) as well; confirmed if the learning rate had fallen
    below 1/1,000 of its start by a checkpoint before the last and the loss stands.
    checkpoint-mismatch: a move beyond Adam's bound is proof of a change outside of the optimizer (641 runs without a
    violation, the largest use 0.9994). Suspected where it is less than half of the parameters that can be tested;
    where it is most of them, averaged weights may have been saved, or another run's, and nothing is accused.

Evidence
    proved: a move beyond the bound, which holds for any gradients. measured: distances, identical tensors, rates.
    inferred: that an identical, random tensor was meant to be trained.

Reads
    The weights of the first, middle and last checkpoint, and of neighbours whose optimizers are torch's Adam, side by
    side in the shared pass; the optimizers' options; the logs for whether the run learns.

Cannot tell
    The bound passes the size of the weights after some 50 steps at usual rates: later changes pass unseen. Optimizers
    other than Adam have no such bound. A learning rate of 0 at the end of a schedule is told, not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Progress
from ..finding import Curve, Finding, Judgement, Measure, Plot, Table, Verdict
from ..saved import counts, pace
from ..saved.displacement import Reach, bounded, reaches
from ..saved.drift import Move, ends, moves, steps_between, untrained
from ..saved.layers import called, module_of, parameters
from ..saved.moments import option
from ..saved.pairs import Pair
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("frozen-parameters", "training-loop-bug", "learning-rate-too-low", "checkpoint-mismatch")
COST = "file"
SMALL_MOVE, STRAIGHT = 0.02, 0.9
DECAYED = 1e-3
MOST_PAIRS = 20
"""Neighbours that are held against the bound: the earliest ones, which are the closest together as a rule."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was gathered. `beyond`: parameters that passed Adam's bound, and the two files; `tested` how many could."""

    known: Outcome
    checkpoints: tuple[Checkpoint, ...]
    moves: list[Move]
    rates: tuple[float, ...]
    peak: float | None
    beyond: list[Reach]
    between: tuple[Checkpoint, Checkpoint] | None
    tested: int

    @property
    def matrices(self) -> list[Move]:
        return [m for m in self.moves if len(m.shape) > 1]

    @property
    def steps(self) -> int | None:
        return steps_between(self.checkpoints[0], self.checkpoints[-1])


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Measure the moves and judge them together with the logs."""
    found = moves(artifacts.checkpoints)
    if not found:
        few = len(artifacts.checkpoints) < 2
        why = "one checkpoint alone" if few else "the checkpoints share no parameters"
        needs = "two or more checkpoints of one run"
        return Finding("checkpoint-drift", f"drift between checkpoints: {why}", "could-not-check", needs=needs)
    progress(0.5, "how far Adam can move a weight")
    seen = gather(artifacts, found)
    facts = _facts(seen)
    verdicts = [v for rule in (frozen, too_low, jumped) for v in rule(seen, facts)]
    return Finding(
        "checkpoint-drift",
        _title(seen, verdicts),
        verdicts=tuple(verdicts),
        measures=tuple(_measures(seen)),
        tables=(_table(found), *_jumps(seen)),
        plots=_plots(seen),
        facts=facts,
    )


def compared(artifacts: Artifacts) -> list[Pair]:
    """Those between which moves are measured, and neighbours that Adam may be too slow to have joined."""
    return ends(artifacts.checkpoints) + [pair for pair in _neighbours(artifacts) if bounded(*pair)]


def _neighbours(artifacts: Artifacts) -> list[Pair]:
    return list(pairwise(artifacts.checkpoints))[:MOST_PAIRS]


def gather(artifacts: Artifacts, found: list[Move]) -> Seen:
    """The moves with what is needed to judge them; stops at the first two checkpoints that Adam cannot have joined."""
    beyond: list[Reach] = []
    between, tested = None, 0
    for before, after in _neighbours(artifacts):
        held = reaches(before, after, artifacts)
        tested = max(tested, len(held))
        if any(r.beyond for r in held):
            beyond, between, tested = [r for r in held if r.beyond], (before, after), len(held)
            break
    return Seen(
        known=outcome(artifacts),
        checkpoints=artifacts.checkpoints,
        moves=found,
        rates=pace.rates(artifacts.checkpoints),
        peak=pace.peak(artifacts.checkpoints),
        beyond=beyond,
        between=between,
        tested=tested,
    )


def frozen(seen: Seen, facts: dict[str, str]) -> list[Verdict]:
    """Parameters that are the same in the first and in the last checkpoint."""
    still = [m for m in seen.matrices if m.relative == 0]
    moved = [m for m in seen.moves if m.relative > 0]
    if not still:
        if not moved:
            return []
        because = f"all {len(moved)} parameters changed between the first and the last checkpoint"
        if seen.known.stuck:  # layers in a plain list are neither trained nor saved: the file cannot clear the run
            because += "; layers that the file lacks are not seen"
            return [Verdict("frozen-parameters", "inconclusive", "measured", because, "drift")]
        return [Verdict("frozen-parameters", "ruled_out", "measured", because, "drift")]
    if not moved:
        return _nothing_moved(seen)
    facts["layers"] = ", ".join(called(module_of(m.name)) for m in still[:6])
    because = f"{len(still)} of {len(still) + len(moved)} parameters are the same in the first and the last checkpoint"
    because += f", first {still[0].name}"
    last = seen.checkpoints[-1]
    outside = [m for m in still if _outside_optimizer(last, m.name)]
    fresh = [m for m in outside if untrained(last, last.tensors[m.name])]
    if fresh and not seen.known.learned:
        because += (
            f"; {len(outside)} of them are not in the optimizer, {len(fresh)} still as PyTorch draws them at first"
        )
        because += ", and the loss stands" if seen.known.idle else "; whether on purpose the files cannot tell"
        sure: Judgement = "confirmed" if seen.known.idle else "suspected"
        return [Verdict("frozen-parameters", sure, "measured" if seen.known.idle else "inferred", because, "drift")]
    if seen.known.stuck and outside:
        return [Verdict("frozen-parameters", "suspected", "measured", because, "drift")]
    because += "; this may be on purpose" + (", and the run does learn" if seen.known.learned else "")
    return [Verdict("frozen-parameters", "inconclusive", "measured", because, "drift")]


def _nothing_moved(seen: Seen) -> list[Verdict]:
    """Not one weight differs: a copy of a file, a rate of 0, or steps that do not reach these weights."""
    first, last = seen.checkpoints[0], seen.checkpoints[-1]
    went_on = _went_on(first, last)
    if not went_on or (seen.peak and seen.rates and max(seen.rates) < DECAYED * seen.peak):
        return []  # or the learning rate was gone by the first checkpoint: `too_low` tells
    because = (
        f"all {len(seen.moves)} parameters are the same in {first.path.name} and {last.path.name}, though {went_on}"
    )
    if seen.rates and max(seen.rates) == 0:
        return [Verdict("frozen-parameters", "suspected", "measured", f"{because}: the learning rate is 0", "drift")]
    why = "; the steps do not reach these weights, or the same best weights were saved twice"
    level: Judgement = "confirmed" if seen.known.stuck else "suspected"
    return [
        Verdict("training-loop-bug", level, "measured", because + why, "drift"),
        Verdict("frozen-parameters", "suspected", "measured", because, "drift"),
    ]


def _went_on(first: Checkpoint, last: Checkpoint) -> str:
    """What grew from one checkpoint to the other, in words; "" if nothing did."""
    for name, far in (("step", counts.steps), *counts.PROGRESS[:3]):
        a, b = far(first), far(last)
        if a is not None and b is not None and a < b:
            return f"the {name} went from {a} to {b}"
    return ""


def _outside_optimizer(last: Checkpoint, name: str) -> bool:
    """Whether the optimizer, as far as the mapping is sure, has no such parameter or no state for it."""
    state = last.optimizer
    if state is None or state.mapping == "ambiguous":
        return state is not None and len(state.parameters) < len(parameters(last))
    found = state.of(name)
    return found is None or (not found.slots and any(p.slots for p in state.parameters))


def too_low(seen: Seen, facts: dict[str, str]) -> list[Verdict]:
    """Steps so small that the run hardly gets anywhere."""
    if found := _decayed(seen, facts):
        return found
    known, matrices = seen.known, seen.matrices
    most = max((m.relative for m in matrices), default=math.nan)
    least = min((m.relative for m in matrices), default=math.nan)
    if least > 0 and most < SMALL_MOVE and known.learned is not True and pace.may_be_low(seen.checkpoints):
        straight = [m.straight for m in matrices if m.straight is not None]
        line = float(np.median(straight)) if straight else math.nan
        because = f"no weight matrix moved by more than {most:.2%} between the first and the last checkpoint"
        because += f" ({seen.steps} steps)" if seen.steps else ""
        because += f", in a straight line ({line:.2f})" if line > STRAIGHT else ""
        sure = bool(known.stuck) and line > STRAIGHT
        level: Judgement = "confirmed" if sure else "suspected" if known.stuck else "inconclusive"
        because += "" if known.stuck else ", as in fine-tuning; the loss is not known to stand"
        return [Verdict("learning-rate-too-low", level, "measured", because, "drift")]
    if known.learned and matrices and most > 10 * SMALL_MOVE:
        because = f"weight matrices moved by up to {most:.0%} between the checkpoints, and the run learns"
        return [Verdict("learning-rate-too-low", "ruled_out", "measured", because, "drift")]
    return []


def _decayed(seen: Seen, facts: dict[str, str]) -> list[Verdict]:
    """A learning rate that was gone long before the run ended."""
    if seen.peak is None or len(seen.rates) < 2:
        return []
    gone = next((i for i, r in enumerate(seen.rates[:-1]) if r < DECAYED * seen.peak), None)
    if gone is None or any(m.after > 1e-3 for m in seen.matrices):
        return []
    facts["suggested_lr"] = f"{seen.peak:.3g}"
    because = (
        f"the learning rate is down from {seen.peak:.3g} to {seen.rates[gone]:.2g} at checkpoint {gone + 1} of "
        f"{len(seen.rates)}, and the weights have hardly moved since"
    )
    because += ", and the loss stands" if seen.known.stuck else "; whether the run was done by then is not known"
    level: Judgement = "confirmed" if seen.known.stuck else "inconclusive"
    return [Verdict("learning-rate-too-low", level, "measured", because, "schedule")]


def jumped(seen: Seen, facts: dict[str, str]) -> list[Verdict]:
    """Moves that the optimizer cannot have made."""
    if not seen.beyond or seen.between is None:
        return []
    before, after = seen.between
    worst = max(seen.beyond, key=lambda r: r.moved / r.most)
    facts["layers"] = ", ".join(called(module_of(r.name)) for r in seen.beyond[:6])
    facts["checkpoint"] = after.path.name
    because = (
        f"{len(seen.beyond)} parameters moved further from {before.path.name} to {after.path.name} than Adam can move "
        f"them in {worst.steps} steps ({worst.name}: {worst.moved:.2g}, at most {worst.most:.2g}): they were changed "
        "outside of the optimizer, by loading, initialising or pruning"
    )
    if 2 * len(seen.beyond) < seen.tested:
        return [Verdict("checkpoint-mismatch", "suspected", "proved", because, "drift")]
    because += "; most were, as when averaged weights are saved, which is no fault, or those of another run"
    return [Verdict("checkpoint-mismatch", "inconclusive", "proved", because, "drift")]


def _title(seen: Seen, verdicts: list[Verdict]) -> str:
    accused = next((v for v in verdicts if v.verdict in {"confirmed", "suspected"}), None)
    if accused is not None:
        return f"drift between checkpoints: {accused.diagnosis.replace('-', ' ')}"
    relative = [m.relative for m in seen.matrices if math.isfinite(m.relative)]
    middle = f": weight matrices moved by {float(np.median(relative)):.2g} of their size" if relative else ""
    return f"drift between {len(seen.checkpoints)} checkpoints{middle}"


def _facts(seen: Seen) -> dict[str, str]:
    last = seen.checkpoints[-1]
    facts, state = {"checkpoint": last.path.name}, last.optimizer
    if state is not None and state.groups:
        facts["optimizer"] = state.kind or ""
        facts["weight_decay"] = f"{option(state.groups[0], 'weight_decay', 0.0):.3g}"
    if seen.rates and math.isfinite(seen.rates[-1]):
        facts["lr"] = f"{seen.rates[-1] or (seen.peak or 0):.3g}"
    if state is not None and state.step is not None:
        facts["step"] = str(state.step)
    return {k: v for k, v in facts.items() if v}


def _measures(seen: Seen) -> Iterator[Measure]:
    matrices = seen.matrices
    if seen.steps is not None:
        yield Measure("steps between the first and the last checkpoint", seen.steps, "steps")
    if matrices:
        yield Measure("largest move of a weight matrix", max(m.relative for m in matrices), threshold="< 0.02")
        yield Measure("weight matrices that did not move", sum(m.relative == 0 for m in matrices))
        back = sum(m.relative == 0 and m.after > 0 for m in matrices)
        if back:
            yield Measure("weight matrices that moved and are back where they were", back)
    if seen.tested:
        yield Measure("parameters that moved further than Adam can", len(seen.beyond), threshold="> 0")


def _table(found: list[Move]) -> Table:
    rows = tuple((m.name, m.relative, m.after if m.straight is not None else None, m.straight) for m in found)
    columns = ("parameter", "moved first to last", "moved since the middle one", "straightness")
    return Table("moves between checkpoints, of the size at first", columns, rows)


def _jumps(seen: Seen) -> tuple[Table, ...]:
    rows = tuple((r.name, r.steps, r.moved, r.most) for r in seen.beyond)
    columns = ("parameter", "steps", "largest change of an entry", "Adam's bound")
    return (Table("changes outside of the optimizer", columns, rows),) if rows else ()


def _plots(seen: Seen) -> tuple[Plot, ...]:
    shown = [m for m in seen.matrices if math.isfinite(m.relative) and m.relative > 0]
    if not shown:
        return ()
    x = tuple(float(i) for i in range(len(shown)))
    curves = [Curve("first to last", x, tuple(m.relative for m in shown))]
    if any(m.straight is not None for m in shown):
        curves.append(Curve("since the middle one", x, tuple(m.after or math.nan for m in shown)))
    names = tuple(module_of(m.name) for m in shown)
    return (Plot("moves between checkpoints by layer", "bars", tuple(curves), log_y=True, names=names),)
