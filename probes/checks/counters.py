"""Counters: optimizer steps, batches of batch norm, the schedule and the loss scale held against each other

What it measures
    For every checkpoint: the epoch and step that the file names, the steps that the optimizer has counted (least and
    most of its parameters), the batches that batch norm has counted, how often each scheduler was stepped and how long
    it is, the learning rate, the state of the gradient scaler, and the gradients that are too small for float16 at it.

Formula
    All are exact counts. A scheduler is stepped once a batch if its count is the optimizer's (within 2 %, as loss
    scaling may skip steps), once an epoch if it is the file's epoch (within 1). From gamma and step size (milestones,
    total_iters) follows the count at which its rate is below 1/1,000 of the start for good. Overflows: a scaler that
    began at 65,536 was halved log2(65,536 / scale) times more often than it was doubled; it is doubled after 2,000
    updates without overflow. Too small for float16: of a row of n entries whose v^ (Adam, RMSprop) sum up to q, at
    least n - q (scale / L)^2 have an RMS gradient that is below L when scaled: L = 2^-14, where float16 begins to
    lose digits, and 2^-25, below which it rounds to 0. Without a scaler the scale is 1, if weights are in float16.

Thresholds and sources
    A schedule that was gone for more than half of its steps, and a peak that is never reached because a schedule in
    batches is stepped once an epoch: learning-rate-too-low; confirmed where the unit is certain (stepped once a
    batch; three times longer than the epochs that the settings name) and the loss stands, not judged in a run that
    learned. A schedule whose length is the number of epochs but which is stepped once a batch, or the reverse:
    training-loop-bug, suspected. An optimizer's count that falls while epoch, step, batch norm or the schedule go
    on, in weights that go on as well (cosine above 0.5; independent runs have about 0): checkpoint-mismatch,
    confirmed where the file itself names epoch or step and the settings are the same. In one file: suspected if two
    counters agree (2 %) and the optimizer's is more than a tenth lower, no whole part of them and no whole number
    an epoch (else gradients may be accumulated). A loss scale below 1 overflowed at any useful scale: numerical-
    instability suspected, below 2^-10 confirmed. Batch norm's own modes are judged by `batch-norm`. The gradients that
    float16 loses are told and not judged: how many of them a run can spare was not measured.

Evidence
    measured: exact counts. What they mean (a resume, a second stage, accumulated gradients) is only concluded where two
    of them agree.

Reads
    Counters, schedulers, scaler and optimizer options of all checkpoints; the weights of two where a count falls; the
    last one's second moments where a loss scale is known.

Cannot tell
    SGD counts no steps. Whether a second stage of training was meant to have a new optimizer. Schedules given by a
    function, and hand-written ones, have no length in the file. Gradient checkpointing makes batch norm count twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from ..artifacts import Artifacts, Checkpoint, OptimizerState, Progress
from ..errors import Unreadable
from ..finding import Cell, Finding, Judgement, Measure, Table, Verdict
from ..saved import counts
from ..saved.half_range import Lost, lost
from ..saved.moments import option
from ..saved.pairs import Pair
from ..saved.schedules import GONE, Schedule, schedules
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("checkpoint-mismatch", "learning-rate-too-low", "training-loop-bug", "numerical-instability")
COST = "file"
SKIPPED, LAGS, WHOLE = 0.02, 0.9, 0.05
MANY = 3
"""Batches an epoch from which on a count is either one of batches or one of epochs."""
LOW = 0.2
"""A rate below this share of its peak late in a run has not left its warm-up."""
TIMES = 10
"""A length of so many times the epochs that were trained is hardly one in epochs."""
START_SCALE = 65536.0
COLLAPSED = 2.0**-10
KEEPERS = ("adam", "adamw", "nadam", "radam", "adamax", "rmsprop")
SETTINGS = ("betas", "eps", "weight_decay", "initial_lr", "momentum", "amsgrad")


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Tabulate all counters of all checkpoints, and judge those that cannot all be right."""
    last = artifacts.last
    rows = [_row(c) for c in artifacts.checkpoints]
    if last is None or not any(cell is not None for row in rows for cell in row[1:]):
        needs = "a checkpoint with an epoch, optimizer state or a scheduler in it"
        return Finding("counters", "counters: the files hold none", "could-not-check", needs=needs)
    known = outcome(artifacts)
    verdicts = [*resumed(artifacts.checkpoints), *never_stepped(last, known), *scaled(last, known)]
    for schedule in schedules(last):
        verdicts += scheduled(schedule, artifacts.checkpoints, known)
    accused = next((v for v in verdicts if v.verdict in {"confirmed", "suspected"}), None)
    return Finding(
        "counters",
        f"counters that disagree: {accused.diagnosis.replace('-', ' ')}"
        if accused
        else "counters: none contradicts another",
        verdicts=tuple(verdicts),
        measures=tuple(_measures(last)),
        tables=(_table(rows),),
        facts=_facts(artifacts.checkpoints, verdicts),
        needs="" if last.schedulers else "a checkpoint that holds scheduler.state_dict() as well",
    )


def compared(artifacts: Artifacts) -> list[Pair]:
    """Where a count fell: whether the weights went on is asked of those."""
    found = (f for count in (counts.counted, counts.ticks) for f in counts.fallen(artifacts.checkpoints, count))
    return [(before, after) for before, after, _ in found]


def resumed(checkpoints: tuple[Checkpoint, ...]) -> list[Verdict]:
    """Counts that began anew while the run went on."""
    found = counts.restarted(checkpoints, counts.counted)
    if found is not None:
        return [_restart(*found)]
    found = counts.restarted(checkpoints, counts.ticks)
    if found is not None and found[2] in {"epoch", "step"}:
        before, after, name = found
        because = (
            f"the scheduler's count is {counts.ticks(before)} at {_at(before, name)} and {counts.ticks(after)} at "
        )
        because += f"{_at(after, name)}: the schedule began anew, as after a resume that did not restore it"
        return [Verdict("checkpoint-mismatch", "suspected", "measured", because, "counters")]
    return [v for c in checkpoints[-1:] if (v := lagging(c)) is not None]


def _at(checkpoint: Checkpoint, name: str) -> str:
    if name in {"epoch", "step"}:
        return f"{name} {counts.told(checkpoint, name)}"
    return f"{counts.told(checkpoint, name)} ({name})"


def _restart(before: Checkpoint, after: Checkpoint, name: str) -> Verdict:
    because = (
        f"the optimizer's own count is {counts.counted(before)} at {_at(before, name)} and {counts.counted(after)} at "
        f"{_at(after, name)}, while the weights went on from there: its state was started anew in between, not restored"
    )
    same = _settings(before.optimizer) == _settings(after.optimizer)
    if not same:
        because += "; its settings changed as well, so this may be a new stage of training"
    sure = same and name in {"epoch", "step"}
    return Verdict("checkpoint-mismatch", "confirmed" if sure else "suspected", "measured", because, "counters")


def _settings(state: OptimizerState | None) -> object:
    if state is None:
        return None
    return state.kind, len(state.parameters), [[g.get(k) for k in SETTINGS] for g in state.groups]


def lagging(checkpoint: Checkpoint) -> Verdict | None:
    """One file in which two counters agree and the optimizer's own lies below them by no whole factor."""
    steps = counts.counted(checkpoint) if checkpoint.scaler is None else None  # loss scaling skips steps
    others = {
        "the file's step": counts.own(checkpoint),
        "batch norm's count": counts.batches(checkpoint),
        "the scheduler's count": counts.ticks(checkpoint),
    }
    high = {name: n for name, n in others.items() if steps and n and steps < LAGS * n}
    ordered = sorted(high.items(), key=lambda item: item[1])
    for (first, a), (second, b) in pairwise(ordered):
        ratio = b / (steps or b)
        if a >= (1 - SKIPPED) * b and abs(ratio - round(ratio)) > WHOLE * ratio:
            because = (
                f"the optimizer has counted {steps} steps, but {first} is {a} and {second} {b}: its state was started "
                "anew on the way, by a resume that did not restore it or by a new stage of training"
            )
            level: Judgement = "inconclusive" if _accumulates(steps or 0, checkpoint.epoch) else "suspected"
            because += ", or gradients are accumulated and flushed" if level == "inconclusive" else ""
            return Verdict("checkpoint-mismatch", level, "measured", because, "counters")
    return None


def _accumulates(steps: int, epoch: int | None) -> bool:
    """Whether every epoch may have had the same number of steps: fewer than batches, where gradients are gathered."""
    return epoch is None or steps % max(1, epoch) == 0 or steps % (epoch + 1) == 0


def never_stepped(checkpoint: Checkpoint, known: Outcome) -> list[Verdict]:
    """An optimizer that would keep state, and has none although the run is well under way."""
    state, seen = checkpoint.optimizer, counts.batches(checkpoint) or counts.own(checkpoint) or 0
    if state is None or not state.parameters or any(p.slots or p.step for p in state.parameters):
        return []
    if state.kind not in KEEPERS and not any(option(g, "momentum", 0) for g in state.groups):
        return []
    if seen < 10 and (checkpoint.epoch or 0) < 2:
        return []
    where = f"after {seen} batches" if seen >= 10 else f"at epoch {checkpoint.epoch}"
    because = (
        f"the optimizer holds no state for any parameter {where}: its step() was never called before this was saved"
    )
    level: Judgement = "confirmed" if known.stuck else "inconclusive"
    because += "" if known.stuck else ", or a new one was made"
    return [Verdict("training-loop-bug", level, "measured", because, "counters")]


def scheduled(schedule: Schedule, checkpoints: tuple[Checkpoint, ...], known: Outcome) -> Iterator[Verdict]:
    """What is wrong with the pace of one schedule, if anything."""
    last = checkpoints[-1]
    pace = unit(schedule, last)
    each = f", stepped once {'a batch' if pace == 'step' else 'an epoch'}," if pace else ""
    low = schedule.rate is not None and schedule.base and schedule.rate <= 1.001 * GONE * schedule.base
    if schedule.gone is not None and low and schedule.gone <= schedule.count / 2:
        because = (
            f"the {schedule.kind} schedule{each} was below a thousandth of {schedule.base:.3g} from its step "
            f"{schedule.gone} on, and has made {schedule.count}: lr is {schedule.rate:.2g}"
        )
        yield _too_low(because, known, sure=pace == "step")
    elif pace == "epoch" and (because := _waiting(schedule, checkpoints)):
        epochs = counts.planned(last.hyper)
        late = epochs and (schedule.length or 0) >= MANY * max(epochs)
        yield _too_low(because, known, sure=bool(late))
    elif pace and (because := _mixed_up(schedule, last, pace)):
        level: Judgement = "inconclusive" if known.learned else "suspected"
        yield Verdict("training-loop-bug", level, "measured", because, "schedule")


def _too_low(because: str, known: Outcome, sure: bool) -> Verdict:
    """`sure`: the unit of the schedule is known to be the wrong one."""
    level: Judgement = "inconclusive"
    if sure and not known.learned:
        level = "confirmed" if known.stuck else "suspected"
    elif known.stuck:
        level = "suspected"
    because += ", and the loss stands" if known.stuck else ", yet the run learns" if known.learned else ""
    return Verdict("learning-rate-too-low", level, "measured", because, "schedule")


def unit(schedule: Schedule, checkpoint: Checkpoint) -> str | None:
    """Whether a schedule counts "step"s or "epoch"s; None if that cannot be told, or is the same."""
    steps = counts.counted(checkpoint) or counts.own(checkpoint) or counts.batches(checkpoint)
    epoch = checkpoint.epoch
    if steps is None or epoch is None or steps < MANY * (epoch + 1):
        return None
    if abs(schedule.count - steps) <= max(2, SKIPPED * steps):
        return "step"
    return "epoch" if abs(schedule.count - epoch) <= 1 and epoch >= 2 else None


def _waiting(schedule: Schedule, checkpoints: tuple[Checkpoint, ...]) -> str:
    """A rise that is counted in batches and was stepped by epochs: the rate still waits at its start."""
    top = schedule.top or schedule.base
    if schedule.rate is None or top is None or schedule.rate > LOW * top:
        return ""
    rises = schedule.kind == "one-cycle" or (schedule.kind == "linear" and schedule.falls is False)
    steps = counts.steps(checkpoints[-1]) or 0
    far = (checkpoints[-1].epoch or 0) + 1
    fits = steps >= TIMES * far and (schedule.length or 0) >= max(steps / 2, TIMES * far)
    if rises and fits:
        length = f"of {schedule.length} steps"
    elif schedule.kind == "function" and _rising(checkpoints):
        length = "given by a function"
    else:
        return ""
    return (
        f"the {schedule.kind} schedule {length} was stepped {schedule.count} times, once an epoch, in {steps} steps of "
        f"the optimizer: lr is still {schedule.rate:.2g} on its way up to {top:.3g}"
    )


def _rising(checkpoints: tuple[Checkpoint, ...]) -> bool:
    rates = [s.rate for c in checkpoints for s in schedules(c)[:1] if s.rate is not None]
    return len(rates) > 1 and all(a < b for a, b in pairwise(rates))


def _mixed_up(schedule: Schedule, last: Checkpoint, pace: str) -> str:
    """A length that fits the other unit exactly."""
    if schedule.length is None or not schedule.falls:
        return ""
    epochs, steps, epoch = counts.planned(last.hyper), counts.steps(last) or 0, last.epoch or 0
    if pace == "step" and schedule.length in (epochs or {epoch, epoch + 1}) and schedule.count > 1.5 * schedule.length:
        return (
            f"the {schedule.kind} schedule is {schedule.length} long, the number of epochs, but was stepped once a "
            f"batch: {schedule.count} times"
        )
    whole = {round(steps * e / d) for e in epochs for d in (epoch, epoch + 1) if d}
    if pace == "epoch" and any(abs(schedule.length - w) <= SKIPPED * w for w in whole):
        return (
            f"the {schedule.kind} schedule is {schedule.length} long, the number of batches of the whole run, but was "
            f"stepped once an epoch: {schedule.count} times, so the rate stays near {schedule.base or 0:.3g}"
        )
    return ""


def scaled(checkpoint: Checkpoint, known: Outcome) -> list[Verdict]:
    """A loss scale that has collapsed."""
    scale = _scale(checkpoint)
    if scale is None or scale >= 1:
        return []
    because = f"the loss scale is down to {scale:.2g} from {START_SCALE:,.0f}: gradients overflowed at any useful scale"
    level: Judgement = "confirmed" if scale < COLLAPSED else "inconclusive" if known.learned else "suspected"
    return [Verdict("numerical-instability", level, "measured", because, "scaler")]


def _scale(checkpoint: Checkpoint) -> float | None:
    value = (checkpoint.scaler or {}).get("scale")
    return float(value) if isinstance(value, int | float) and 0 <= value < math.inf else None


def _measures(last: Checkpoint) -> Iterator[Measure]:
    where, scale = str(last.path), _scale(last)
    own = [p.step for p in last.optimizer.parameters if p.step is not None] if last.optimizer else []
    if own:
        yield Measure("optimizer steps", max(own), "steps", where=where)
        if min(own) < max(own):
            yield Measure("optimizer steps of the parameter with the fewest", min(own), "steps", where=where)
    if (named := counts.own(last)) is not None and own:
        yield Measure("steps of the file beyond the optimizer's", named - max(own), "steps", where=where)
    for s in schedules(last):
        length = f" of {s.length}" if s.length is not None else ""
        yield Measure(f"steps of the {s.kind or 'other'} schedule{length}", s.count, where=where)
    if scale is not None and scale > 0 and last.scaler is not None:
        halved = math.log2(START_SCALE / scale)
        yield Measure("loss scale", scale, threshold="< 1", where=where)
        yield Measure("halvings of the loss scale less doublings, from 65,536", halved, where=where)
        yield Measure("updates since its last overflow or doubling", last.scaler.get("_growth_tracker"), where=where)
    if (share := _too_small(last, scale)) is not None:
        at = f"at a loss scale of {scale:g}" if scale else "without a loss scale"
        yield Measure(f"weights whose gradient float16 rounds to 0 {at}, at least", share.lost, where=where)
        yield Measure(
            f"weights whose gradient is below float16's normal range {at}, at least", share.coarse, where=where
        )


def _too_small(last: Checkpoint, scale: float | None) -> Lost | None:
    """What float16 loses of the gradients: only where there is a scaler, or the weights are in float16."""
    if scale is None and not any(t.dtype == "float16" for t in last.tensors.values()):
        return None
    try:
        return lost(last, 1.0 if scale is None else scale)
    except Unreadable:
        return None


def _row(c: Checkpoint) -> tuple[Cell, ...]:
    own = [p.step for p in c.optimizer.parameters if p.step is not None] if c.optimizer else []
    rates = [option(g, "lr", math.nan) for g in c.optimizer.groups] if c.optimizer else []
    first = next(iter(schedules(c)), None)
    return (
        c.path.name,
        c.epoch,
        c.step,
        int(min(own)) if own else None,
        int(max(own)) if own else None,
        counts.batches(c),
        first.count if first else None,
        first.length if first else None,
        max((r for r in rates if r == r), default=None),
        _scale(c),
    )


def _table(rows: list[tuple[Cell, ...]]) -> Table:
    columns = (
        "checkpoint",
        "epoch",
        "step",
        "optimizer steps, least",
        "most",
        "batches of batch norm",
        "schedule steps",
        "of",
        "learning rate",
        "loss scale",
    )
    kept = [i for i in range(len(columns)) if i == 0 or any(row[i] is not None for row in rows)]
    return Table(
        "counters by checkpoint", tuple(columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows)
    )


def _facts(checkpoints: tuple[Checkpoint, ...], verdicts: list[Verdict]) -> dict[str, str]:
    if not verdicts:
        return {}
    found = counts.restarted(checkpoints, counts.counted)
    shown = found[0] if found else checkpoints[-1]
    facts = {"checkpoint": shown.path.name, "step": str(shown.step) if shown.step is not None else ""}
    first = next(iter(schedules(shown)), None)
    if first is not None and first.rate is not None:
        facts["lr"] = f"{first.rate:.3g}"
        facts["suggested_lr"] = f"{first.top:.3g}" if first.top else ""
    return {k: v for k, v in facts.items() if v}
