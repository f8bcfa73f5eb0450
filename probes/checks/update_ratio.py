"""Update sizes: how far the weights move, in one step and from checkpoint to checkpoint

What it measures
    Per weight matrix: the size of the last update against the weights (from the optimizer's state), how far it moved
    between the first and the last checkpoint and in how straight a line, and how far its gradients agree from step
    to step. Which parameters did not move at all, and whether those were ever trained.

Formula
    last update = lr m^ / (sqrt(v^) + eps) for Adam, AdamW, AMSGrad; lr * buffer for SGD with momentum (both
    identities). move = |last - first| / |first|. straightness = |last - first| over the sum of its two halves.
    C = median of sum m^2 / sum v^ over the matrices. first step of Adam: every weight moves by lr, to be compared
    with the RMS of PyTorch's initial weights, 1/sqrt(3 fan in).

Thresholds and sources
    frozen-parameters: a matrix identical in both checkpoints; confirmed only if it also is outside the optimizer or
    has no state, and still fills the default initialisation's exact interval (36 of 36 frozen tensors, 0 of 633
    trained ones) while the run has not learned; else it may be frozen on purpose and is inconclusive.
    learning-rate-too-low: confirmed if every matrix moved by less than 2 %, in a straight line (> 0.9), while the
    loss stands; or if the learning rate had fallen below 1/1,000 of its start by a checkpoint before the last and the
    loss stands. C > 0.15 at a rate below Adam's default of 1e-3: suspected (3 of 248 runs near the best rate reach
    it, none 0.3).
    learning-rate-too-high: Adam's lr above the initial weights' RMS and a loss that stands or blows up: confirmed,
    since the first step then replaces the weights. SGD with lr / (1 - momentum) above 10 and weights above ten times
    a fresh net's (trained ones reach 8): suspected, from one file. An update ratio above 1e-2 alone is a hint
    (6 of 6, recall .21); 1e-3 is a fair centre and a bad threshold.

Reads
    All checkpoints (first, middle, last), the optimizer's state, the logs for whether the run learns.

Cannot tell
    The update of plain SGD from one file. The update ratio after a scheduler changed the rate. A learning rate of 0
    at the end of a schedule is told, not judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import moments, statistics
from ..artifacts import Artifacts, Checkpoint, Progress
from ..drift import Move, moves, steps_between, untrained
from ..finding import Curve, Finding, Measure, Plot, Table, Verdict
from ..layers import Layer, called, depth, fan_in, module_of, parameters
from ..moments import option
from ..outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("frozen-parameters", "learning-rate-too-low", "learning-rate-too-high")
COST = "file"
SMALL_MOVE, STRAIGHT = 0.02, 0.9
AGREE, AGREE_SURELY = 0.15, 0.3
LARGE_UPDATE = 1e-2
LARGE_LR = 1e-2
"""Adam moves every weight by about this much a step: ten times its default is not too low."""
SILENT = 1e-3
"""Adam's step at a learning rate of 1 where gradients come is about 0.1 to 1 for each weight; below this none do."""
SGD_REACH, BLOWN_UP = 10.0, 10.0
"""SGD's lr / (1 - momentum), and the weights against a fresh net, both beyond ten times what is usual at most (1; 5
in trained nets, 8 in published detectors)."""
DECAYED = 1e-3
DEFAULT_LR = 1e-3
"""Adam's default: from here on gradients that agree in a run that stands have another reason."""
SLOW_LR = 1e-4
"""A tenth of Adam's default: above it agreement of gradients alone does not confirm a rate that is too low."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was gathered. `ratios` and `agreement` are by layer name and empty where the state does not hold them."""

    known: Outcome
    layers: tuple[Layer, ...]
    moves: list[Move]
    steps: int | None
    ratios: dict[str, float]
    agreement: dict[str, float]
    rates: tuple[float, ...]
    peak: float | None
    adam: bool
    silent: bool
    """Most matrices receive no gradient any more, as far as the state shows."""
    last: Checkpoint

    @property
    def agree(self) -> float | None:
        """C: the median agreement of the matrices' gradients; None below 100 steps, where it is high for everyone."""
        step = self.last.optimizer.step if self.last.optimizer else None
        return float(np.median(list(self.agreement.values()))) if self.agreement and (step or 0) >= 100 else None


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Measure the moves and judge them together with the logs."""
    last = artifacts.last
    if last is None:
        return Finding("update-ratio", "update sizes", "could-not-check", needs="a checkpoint")
    seen = gather(artifacts, last, progress)
    if not seen.moves and not seen.ratios and seen.peak is None:
        why = "one checkpoint without an optimizer state that holds the last update"
        needs = "a second checkpoint of the same run, or one with optimizer state"
        return Finding("update-ratio", f"update sizes: {why}", "could-not-check", needs=needs)
    facts = _facts(seen)
    verdicts = [v for rule in (frozen, too_low, too_high) for v in rule(seen, facts)]
    return Finding(
        "update-ratio",
        _title(seen, verdicts),
        verdicts=tuple(verdicts),
        measures=_measures(seen),
        tables=_tables(seen),
        plots=_plots(seen),
        facts=facts,
        needs="" if seen.moves else "an earlier checkpoint of the same run",
    )


def gather(artifacts: Artifacts, last: Checkpoint, progress: Progress) -> Seen:
    """Read the state of the last checkpoint, and the weights of up to three."""
    progress(0.0, "optimizer state")
    matrices = depth(last)
    ratios, agreement = _last_updates(last, matrices)
    adam = last.optimizer is not None and moments.family(last.optimizer) == "adam"
    progress(0.4, "weights of the first and last checkpoint")
    groups = [c.optimizer.groups[0] for c in artifacts.checkpoints if c.optimizer and c.optimizer.groups]
    rates = tuple(option(g, "lr", math.nan) for g in groups)
    starts = [option(g, "initial_lr", option(g, "lr", math.nan)) for g in groups]
    peak = max((r for r in (*rates, *starts) if math.isfinite(r)), default=None)
    return Seen(
        known=outcome(artifacts),
        layers=matrices,
        moves=moves(artifacts.checkpoints),
        steps=steps_between(artifacts.checkpoints[0], last) if len(artifacts.checkpoints) > 1 else None,
        ratios=ratios,
        agreement=agreement,
        rates=rates,
        peak=peak,
        adam=adam,
        silent=_silent(last, matrices, SILENT if adam else 0.0),
        last=last,
    )


def _last_updates(last: Checkpoint, matrices: tuple[Layer, ...]) -> tuple[dict[str, float], dict[str, float]]:
    ratios: dict[str, float] = {}
    agreement: dict[str, float] = {}
    state, numbers = last.optimizer, statistics.of(last)
    for layer in matrices:
        parameter = state.of(layer.weight.name) if state else None
        if state is None or parameter is None or not parameter.slots:
            continue
        update, size = numbers.update_norm(parameter), numbers.norm(layer.weight)
        if update is not None and math.isfinite(update) and math.isfinite(size) and size > 0:
            ratios[layer.name] = update / size
        sums = numbers.sums(parameter) if "exp_avg" in parameter.slots else None
        if (
            sums is not None
            and 0 < sums.norm < math.inf
            and not moments.coupled(state, moments.options(state, parameter))
        ):
            agreement[layer.name] = sums.coherence
    return ratios, agreement


def _silent(last: Checkpoint, matrices: tuple[Layer, ...], limit: float) -> bool:
    sums = [s for layer in matrices if (s := statistics.of(last).of(layer.weight)) is not None]
    steps = [math.sqrt(float(s.step.sum()) / max(1, s.numel)) for s in sums if np.isfinite(s.step).all()]
    return bool(steps) and float(np.median(steps)) <= limit


def frozen(seen: Seen, facts: dict[str, str]) -> list[Verdict]:
    """Parameters that are the same in the first and in the last checkpoint."""
    if not seen.moves or not _advanced(seen):
        return []
    still = [m for m in seen.moves if m.relative == 0 and len(m.shape) > 1]
    moved = [m for m in seen.moves if m.relative > 0]
    if not still:
        because = f"all {len(moved)} parameters changed between the first and the last checkpoint"
        if seen.known.stuck:  # layers in a plain list are neither trained nor saved: the file cannot clear the run
            because += "; layers that the file lacks are not seen"
            return [Verdict("frozen-parameters", "inconclusive", "measured", because, "drift")]
        return [Verdict("frozen-parameters", "ruled_out", "measured", because, "drift")] if moved else []
    facts["layers"] = ", ".join(called(module_of(m.name)) for m in still[:6])
    because = f"{len(still)} of {len(still) + len(moved)} parameters are the same in the first and the last checkpoint"
    because += f", first {still[0].name}"
    if not moved:
        return _nothing_moved(seen, because)
    outside = [m for m in still if _outside_optimizer(seen.last, m.name)]
    fresh = [m for m in outside if untrained(m.name, seen.last.tensors[m.name])]
    if fresh and not seen.known.learned:
        because += (
            f"; {len(outside)} of them are not in the optimizer, {len(fresh)} still as PyTorch draws them at first"
        )
        return [Verdict("frozen-parameters", "confirmed", "measured", because, "drift")]
    if seen.known.stuck and outside:
        return [Verdict("frozen-parameters", "suspected", "measured", because, "drift")]
    because += "; this may be on purpose" + (", and the run does learn" if seen.known.learned else "")
    return [Verdict("frozen-parameters", "inconclusive", "measured", because, "drift")]


def _nothing_moved(seen: Seen, because: str) -> list[Verdict]:
    if seen.peak and seen.rates and max(seen.rates) < DECAYED * seen.peak:
        return []  # the learning rate was gone by the first checkpoint: `too_low` tells
    return [Verdict("frozen-parameters", "suspected", "measured", f"all {because}", "drift")]


def _advanced(seen: Seen) -> bool:
    """Whether training went on between the checkpoints at all."""
    return any(m.relative > 0 for m in seen.moves) or bool(seen.steps and seen.steps > 0)


def _outside_optimizer(last: Checkpoint, name: str) -> bool:
    """Whether the optimizer, as far as the mapping is sure, has no such parameter or no state for it."""
    state = last.optimizer
    if state is None or state.mapping == "ambiguous":
        return state is not None and len(state.parameters) < len(parameters(last))
    found = state.of(name)
    return found is None or (not found.slots and any(p.slots for p in state.parameters))


def too_low(seen: Seen, facts: dict[str, str]) -> list[Verdict]:
    """Steps so small that the run hardly gets anywhere."""
    known, matrices = seen.known, [m for m in seen.moves if len(m.shape) > 1]
    found = _decayed(seen, matrices, facts)
    if found:
        return found
    most = max((m.relative for m in matrices), default=math.nan)
    straight = [m.straight for m in matrices if m.straight is not None]
    # without gradients nothing moves, at any rate; and above a large rate a larger one is no cure
    blame = not seen.silent and not (seen.adam and (seen.peak or 0) >= LARGE_LR)
    if (
        blame
        and matrices
        and 0 < most < SMALL_MOVE
        and min(m.relative for m in matrices) > 0
        and known.learned is not True
    ):
        line = float(np.median(straight)) if straight else math.nan
        because = f"no weight matrix moved by more than {most:.2%} between the first and the last checkpoint"
        because += f" ({seen.steps} steps)" if seen.steps else ""
        because += f", in a straight line ({line:.2f})" if line > STRAIGHT else ""
        sure = bool(known.stuck) and line > STRAIGHT
        return [Verdict("learning-rate-too-low", "confirmed" if sure else "suspected", "measured", because, "drift")]
    agree = seen.agree
    if blame and agree is not None and agree > AGREE and known.learned is not True and (seen.peak or 1) < DEFAULT_LR:
        because = (
            f"the gradients of the last steps agree far more than noise would (C = {agree:.2g}): the run still travels "
            "in one direction"
        )
        sure = agree > AGREE_SURELY and known.learned is False and 0 < (seen.peak or 1) <= SLOW_LR
        return [
            Verdict(
                "learning-rate-too-low", "confirmed" if sure else "suspected", "inferred", because, "optimizer-state"
            )
        ]
    if known.learned and matrices and most > 10 * SMALL_MOVE:
        because = f"weight matrices moved by up to {most:.0%} between the checkpoints, and the run learns"
        return [Verdict("learning-rate-too-low", "ruled_out", "measured", because, "drift")]
    return []


def _decayed(seen: Seen, matrices: list[Move], facts: dict[str, str]) -> list[Verdict]:
    """A learning rate that was gone long before the run ended."""
    if seen.peak is None or len(seen.rates) < 2 or seen.known.stuck is not True:
        return []
    gone = next((i for i, r in enumerate(seen.rates[:-1]) if r < DECAYED * seen.peak), None)
    if gone is None or any(m.after > 1e-3 for m in matrices):
        return []
    facts["suggested_lr"] = f"{seen.peak:.3g}"
    because = (
        f"the learning rate is down from {seen.peak:.3g} to {seen.rates[gone]:.2g} at checkpoint {gone + 1} of "
        f"{len(seen.rates)}, the weights have hardly moved since, and the loss stands"
    )
    return [Verdict("learning-rate-too-low", "confirmed", "measured", because, "drift")]


def too_high(seen: Seen, facts: dict[str, str]) -> list[Verdict]:
    """Steps as large as the weights themselves."""
    known = seen.known
    bad = (
        known.stuck is True or known.worse_than_chance or (known.main is not None and not np.isfinite(known.main.y[-1]))
    )
    if seen.adam and seen.peak and seen.layers:
        scale = float(np.median([1 / math.sqrt(3 * math.prod(layer.weight.shape[1:])) for layer in seen.layers]))
        share = seen.peak / scale
        because = (
            f"Adam's first steps move every weight by about lr = {seen.peak:.3g}, {share:.2g} times the RMS of a fresh "
            f"weight ({scale:.2g})"
        )
        if bad and share > 0.5:
            facts.update(suggested_lr="0.001", update_ratio=f"{share:.2g}")
            because += ", and the loss does not come down"
            return [
                Verdict(
                    "learning-rate-too-high",
                    "confirmed" if share >= 1 else "suspected",
                    "measured",
                    because,
                    "optimizer-state",
                )
            ]
    if (blown := _blown_up(seen)) is not None:
        return [blown]
    ratio = float(np.median(list(seen.ratios.values()))) if seen.ratios else None
    if ratio is not None and ratio > LARGE_UPDATE and known.learned is False:
        because = (
            f"the last step changed the weights by {ratio:.2%} (median of {len(seen.ratios)} matrices); 0.1 % is usual"
        )
        return [Verdict("learning-rate-too-high", "suspected", "inferred", because, "optimizer-state")]
    return []


def _blown_up(seen: Seen) -> Verdict | None:
    """SGD at a rate far beyond use, whose weights are far beyond any fresh net's: one file is enough to see it."""
    state = seen.last.optimizer
    if state is None or state.kind != "sgd" or not state.groups or not seen.layers or seen.known.learned:
        return None
    lr, momentum = seen.peak or 0.0, option(state.groups[0], "momentum", 0.0)
    reach = lr / (1 - momentum) if 0 <= momentum < 1 else lr
    values = statistics.of(seen.last).values
    scale = float(np.median([values(x.weight).rms * math.sqrt(3 * fan_in(x)) for x in seen.layers]))
    if not (reach > SGD_REACH and scale > BLOWN_UP):
        return None
    because = (
        f"SGD at lr {lr:.3g} with momentum {momentum:.2g} takes steps of up to {reach:.3g} gradients, and the weights "
        f"are {scale:.3g} times those of a fresh net (median of {len(seen.layers)} matrices)"
    )
    return Verdict("learning-rate-too-high", "suspected", "inferred", because, "optimizer-state")


def _title(seen: Seen, verdicts: list[Verdict]) -> str:
    for level in ("confirmed", "suspected"):
        for v in verdicts:
            if v.verdict == level:
                return f"update sizes: {v.diagnosis.replace('-', ' ')}"
    ratio = float(np.median(list(seen.ratios.values()))) if seen.ratios else None
    return "update sizes" if ratio is None else f"update sizes: the last step changed the weights by {ratio:.2g} times"


def _facts(seen: Seen) -> dict[str, str]:
    facts: dict[str, str] = {"checkpoint": seen.last.path.name}
    state = seen.last.optimizer
    if state is not None and state.groups:
        facts["optimizer"] = state.kind or ""
        facts["weight_decay"] = f"{option(state.groups[0], 'weight_decay', 0.0):.3g}"
    if seen.rates and math.isfinite(seen.rates[-1]):
        facts["lr"] = f"{seen.rates[-1] or (seen.peak or 0):.3g}"
    if seen.ratios:
        facts["update_ratio"] = f"{float(np.median(list(seen.ratios.values()))):.2g}"
    if state is not None and state.step is not None:
        facts["step"] = str(state.step)
    return {k: v for k, v in facts.items() if v}


def _measures(seen: Seen) -> tuple[Measure, ...]:
    found, where = [], str(seen.last.path)
    if seen.ratios:
        value = float(np.median(list(seen.ratios.values())))
        found.append(
            Measure("last update against the weights (median of matrices)", value, threshold="> 0.01", where=where)
        )
    if seen.agree is not None:
        found.append(Measure("agreement of successive gradients C", seen.agree, threshold="> 0.15", where=where))
    if seen.rates:
        zero = "learning rate (already 0)" if seen.rates[-1] == 0 else "learning rate"
        found.append(Measure(zero, seen.rates[-1], where=where))
    if seen.peak is not None:
        found.append(Measure("largest learning rate seen", seen.peak, where=where))
    matrices = [m for m in seen.moves if len(m.shape) > 1]
    if matrices:
        found.append(Measure("largest move of a weight matrix", max(m.relative for m in matrices), threshold="< 0.02"))
        found.append(Measure("weight matrices that did not move", sum(m.relative == 0 for m in matrices)))
    return tuple(found)


def _tables(seen: Seen) -> tuple[Table, ...]:
    by_name = {m.name: m for m in seen.moves}
    rows = []
    for layer in seen.layers:
        move = by_name.get(layer.weight.name)
        rows.append(
            (
                layer.name,
                seen.ratios.get(layer.name),
                seen.agreement.get(layer.name),
                move.relative if move else None,
                move.straight if move else None,
            )
        )
    columns = ("layer", "last update / weights", "agreement C", "moved first to last", "straightness")
    return (Table("updates and moves by layer", columns, tuple(rows)),)


def _plots(seen: Seen) -> tuple[Plot, ...]:
    if not seen.ratios:
        return ()
    curve = Curve(
        "last update / weights", tuple(float(i) for i in range(len(seen.ratios))), tuple(seen.ratios.values())
    )
    return (Plot("size of the last update by layer", "bars", (curve,), log_y=True, names=tuple(seen.ratios)),)
