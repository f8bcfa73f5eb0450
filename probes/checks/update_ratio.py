"""Update sizes: how far one step moves the weights

What it measures
    Per weight matrix: the size of the last update against the weights, from the optimizer's state. The learning rate
    against the weights that Adam's first steps met.

Formula
    last update = lr m^ / (sqrt(v^) + eps) for Adam, AdamW, AMSGrad; lr * buffer for SGD with momentum; the rules of
    other optimizers where their state holds it (`saved/identities.py`). First step of Adam: every weight moves by lr,
    to be compared with the RMS of PyTorch's initial weights, 1/sqrt(3 fan in).

Thresholds and sources
    learning-rate-too-high: Adam's lr above the initial weights' RMS and a loss that stands or blows up: confirmed,
    since the first step then replaces the weights (suspected where only the head's size says that the loss ends at
    chance). SGD with lr / (1 - momentum) above 10 and weights above ten times
    a fresh net's (trained ones reach 8), or not finite: suspected, from one file. An update ratio above 1e-2 alone is
    a hint (6 of 6, recall .21); 1e-3 is a fair centre and a bad threshold. It must exceed that of a fresh net's weights
    as well, where those are larger: weights that decayed or were penalised away make any step look large.

Evidence
    measured: Adam's step against fresh weights, with a loss that stands. inferred: the update ratio, and SGD's reach
    with weights that blew up.

Reads
    The latest checkpoint and its optimizer's state; the learning rates of the others; the logs for whether it learns.

Cannot tell
    The update of plain SGD from one file. The update ratio after a scheduler changed the rate. How far the weights got
    (`checkpoint-drift`), and whether the gradients still agree (`learning-rate-regime`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Progress
from ..finding import Curve, Finding, Measure, Plot, Table, Verdict
from ..saved import pace, statistics
from ..saved.layers import Layer, depth, fan_in
from ..saved.moments import option
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("learning-rate-too-high",)
COST = "file"
LARGE_UPDATE = 1e-2
SGD_REACH, BLOWN_UP = 10.0, 10.0
"""SGD's lr / (1 - momentum), and the weights against a fresh net, both beyond ten times what is usual at most (1; 5
in trained nets, 8 in published detectors)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was gathered. `ratios` are by layer name, empty where the state does not hold them; `fresh` the same against
    the size of a fresh net's weights."""

    known: Outcome
    layers: tuple[Layer, ...]
    ratios: dict[str, float]
    fresh: dict[str, float]
    rate: float | None
    peak: float | None
    adam: bool
    last: Checkpoint


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Measure the moves and judge them together with the logs."""
    last = artifacts.last
    if last is None:
        return Finding("update-ratio", "update sizes", "could-not-check", needs="a checkpoint")
    seen = gather(artifacts, last, progress)
    if not seen.ratios and seen.peak is None:
        why = "the checkpoint holds no optimizer state"
        needs = "a checkpoint saved with optimizer.state_dict()"
        return Finding("update-ratio", f"update sizes: {why}", "could-not-check", needs=needs)
    facts = _facts(seen)
    verdicts = too_high(seen, facts)
    return Finding(
        "update-ratio",
        _title(seen, verdicts),
        verdicts=tuple(verdicts),
        measures=_measures(seen),
        tables=_tables(seen),
        plots=_plots(seen),
        facts=facts,
        needs="" if seen.ratios else "a checkpoint with the state of Adam, or of SGD with momentum",
    )


def gather(artifacts: Artifacts, last: Checkpoint, progress: Progress) -> Seen:
    """Read the state of the last checkpoint."""
    progress(0.0, "optimizer state")
    matrices = depth(last)
    ratios, fresh = _last_updates(last, matrices)
    rates = pace.rates(artifacts.checkpoints)
    return Seen(
        known=outcome(artifacts),
        layers=matrices,
        ratios=ratios,
        fresh=fresh,
        rate=rates[-1] if rates and math.isfinite(rates[-1]) else None,
        peak=pace.peak(artifacts.checkpoints),
        adam=pace.is_adam(last),
        last=last,
    )


def _last_updates(last: Checkpoint, matrices: tuple[Layer, ...]) -> tuple[dict[str, float], dict[str, float]]:
    ratios: dict[str, float] = {}
    fresh: dict[str, float] = {}
    state, numbers = last.optimizer, statistics.of(last)
    for layer in matrices:
        parameter = state.of(layer.weight.name) if state else None
        if parameter is None or not parameter.slots:
            continue
        update, size = numbers.update_norm(parameter), numbers.norm(layer.weight)
        if update is not None and math.isfinite(update) and math.isfinite(size) and size > 0:
            ratios[layer.name] = update / size
            fresh[layer.name] = update / math.sqrt(layer.weight.numel / (3 * fan_in(layer)))
    return ratios, fresh


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
        if not bad and share >= 1 and known.may_be_at_chance and not known.learned:
            because += f", and the loss ends where knowing nothing of {known.outputs} classes would"
            return [Verdict("learning-rate-too-high", "suspected", "inferred", because, "optimizer-state")]
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
    small = ratio is not None and float(np.median(list(seen.fresh.values()))) <= LARGE_UPDATE
    if ratio is not None and ratio > LARGE_UPDATE and not small and known.learned is False:
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
    values = [statistics.of(seen.last).values(x.weight) for x in seen.layers]
    broken = sum(v.bad > 0 for v in values)
    scale = float(np.median([v.rms * math.sqrt(3 * fan_in(x)) for v, x in zip(values, seen.layers, strict=True)]))
    if not (reach > SGD_REACH and (broken or scale > BLOWN_UP)):
        return None
    because = f"SGD at lr {lr:.3g} with momentum {momentum:.2g} takes steps of up to {reach:.3g} gradients, and "
    if broken:
        because += f"{broken} of {len(values)} weight matrices hold NaN or infinity"
    else:
        because += f"the weights are {scale:.3g} times those of a fresh net (median of {len(values)} matrices)"
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
    if seen.rate is not None:
        facts["lr"] = f"{seen.rate or (seen.peak or 0):.3g}"
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
    if seen.rate is not None:
        zero = "learning rate (already 0)" if seen.rate == 0 else "learning rate"
        found.append(Measure(zero, seen.rate, where=where))
    if seen.peak is not None:
        found.append(Measure("largest learning rate seen", seen.peak, where=where))
    return tuple(found)


def _tables(seen: Seen) -> tuple[Table, ...]:
    rows = tuple((x.name, seen.ratios.get(x.name)) for x in seen.layers)
    return (Table("updates by layer", ("layer", "last update / weights"), rows),)


def _plots(seen: Seen) -> tuple[Plot, ...]:
    if not seen.ratios:
        return ()
    curve = Curve(
        "last update / weights", tuple(float(i) for i in range(len(seen.ratios))), tuple(seen.ratios.values())
    )
    return (Plot("size of the last update by layer", "bars", (curve,), log_y=True, names=tuple(seen.ratios)),)
