"""Optimizer x-ray: weights, gradients, updates and dead units of every layer, from one checkpoint

What it measures
    One row for every weight matrix, in the order of depth: how large its weights are against a fresh net, how large
    its gradients have been, how much the last update changed it, how far its gradients agree from step to step, which
    share of its units is dead, starved or never had a gradient, and whether it is being trained. No data, no code and
    no hooks: all of it is in the state that Adam, RMSprop or SGD with momentum saves.

Formula
    Scale: RMS of the weights x sqrt(3 fan in), 1 for PyTorch's default. Gradient: sqrt(sum v^ / entries), the RMS of
    one entry over about the last 1,000 steps. Update: |lr m^ / (sqrt(v^) + eps)| / |w|. Agreement: sum m^2 / sum v^.
    The first is a definition, the next three are identities (v^, m^: moments without their bias). Share in which eps
    rules: entries with 0 < sqrt(v^) < eps.

Thresholds and sources
    Gradient: within 6e-6 dex of hooks on 12,722 tensors of 827 runs; update: within 2 % in 753 runs. As a guide, not
    as a verdict: an update of 1e-3 is usual (1e-4 to 1e-2), agreement of pure noise is 0.05, and above 0.3 the run
    still travels in one direction; up to a fifth of dead units is common.
    One verdict: where eps rules more than half of all entries, Adam is SGD with a step of lr / eps there, which is
    slow: learning-rate-too-low is suspected in a run that has not learned (eps 1e-2: 93 % of entries, accuracy 0.63
    instead of 0.96; default eps in healthy runs: at most 1.4 %).
    Marks in the table are where to look, and no verdicts. "!": weights beyond 8 times or below a tenth of a fresh net's
    (published nets reach 8); a gradient 1.5 decades below or above the median of the last third of the layers, where
    gradients come from (0.8 is the most that healthy nets show from first to last); an update above 1e-2 or below
    1e-6; gradients that agree beyond 0.3; more than a fifth of dead units, or three tenths of starved ones; anything
    but trained. "!!": 30 times, 2.5 decades, 1e-1, half of the units, and what is not finite or exactly 0.

Evidence
    measured: all columns are definitions or identities, and so is the share in which eps rules.

Reads
    The latest checkpoint: all of the weights and all of the optimizer's state, once.

Cannot tell
    Plain SGD keeps nothing. Gradients are those after clipping and unscaling; with coupled weight decay they include
    it. SGD's buffer shows only the part of the gradients that agrees. The update of a rate that has changed since.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Checkpoint, OptimizerState, Progress
from ..finding import Cell, Finding, Judgement, Mark, Measure, Table, Verdict
from ..saved import statistics
from ..saved.histories import histories, state_of
from ..saved.layers import Layer, depth, fan_in
from ..saved.moments import family, two
from ..saved.starved import Starved, starved
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("learning-rate-too-low",)
COST = "file"
RULED_BY_EPS = 0.5
AGREE = 0.3


@dataclass(frozen=True, slots=True)
class Row:
    """One layer; a number is None where the file does not hold it."""

    layer: Layer
    scale: float | None
    gradient: float | None
    update: float | None
    agreement: float | None
    dead: Starved | None
    training: str


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Gather one row a layer; judge nothing but a dominating eps."""
    last = artifacts.last
    state = last.optimizer if last else None
    if last is None or state is None or family(state) in {"plain", None} or state.mapping == "ambiguous":
        why = "no optimizer state" if state is None else state.mapping_note or _unread(state)
        needs = "a checkpoint saved with optimizer.state_dict() of Adam, RMSprop or SGD with momentum"
        return Finding("optimizer-xray", f"optimizer x-ray: {why}", "could-not-check", needs=needs)
    rows = gather(last, progress)
    share = ruled_by_eps(last)
    verdict = _judge(share, outcome(artifacts))
    return Finding(
        "optimizer-xray",
        f"optimizer x-ray of {len(rows)} layers",
        verdicts=(verdict,) if verdict else (),
        measures=_measures(rows, share, last),
        tables=(_table(rows, " of the last step" if state.kind == "adan" else ""),),
    )


def _unread(state: OptimizerState) -> str:
    if family(state) == "plain" or not any(p.slots for p in state.parameters):
        return "an optimizer that keeps no gradients"
    return f"the state of this optimizer ({state.kind or 'of an unknown kind'}) is not understood"


def gather(checkpoint: Checkpoint, progress: Progress) -> list[Row]:
    """One row for every weight matrix, in forward order."""
    past = {h.layer.name: h.past.replace("-", " ") for h in histories(checkpoint)[0]}
    dead = {s.layer: s for s in starved(checkpoint)[0] if not s.why_not}
    layers, rows = depth(checkpoint), []
    for done, layer in enumerate(layers):
        progress(done / len(layers), layer.name)
        rows.append(_row(checkpoint, layer, dead.get(layer.name), past.get(layer.name, "")))
    return rows


def _row(checkpoint: Checkpoint, layer: Layer, dead: Starved | None, training: str) -> Row:
    numbers, state = statistics.of(checkpoint), checkpoint.optimizer
    values = numbers.values(layer.weight)
    parameter = state_of(checkpoint, state, layer.weight) if state else None
    sums = numbers.sums(parameter) if parameter else None
    if sums is not None and not np.isfinite(sums.square).all():
        sums = None
    update = numbers.update_norm(parameter) if parameter and sums else None
    agrees = sums is not None and parameter is not None and two(parameter) and sums.norm > 0
    return Row(
        layer,
        scale=None if values.bad else values.rms * math.sqrt(3 * fan_in(layer)),
        gradient=sums.rms if sums else None,
        update=update / values.norm if update is not None and values.norm > 0 else None,
        agreement=sums.coherence if sums and agrees else None,
        dead=dead,
        training=training,
    )


def ruled_by_eps(checkpoint: Checkpoint) -> float | None:
    """The share of all entries with 0 < sqrt(v^) < eps; None without Adam's state."""
    state = checkpoint.optimizer
    if state is None or family(state) != "adam":
        return None
    sums = [s for p in state.parameters if (s := statistics.of(checkpoint).sums(p)) is not None]
    return sum(s.below_eps for s in sums) / max(1, sum(s.numel for s in sums))


def _judge(share: float | None, known: Outcome) -> Verdict | None:
    if share is None or share <= RULED_BY_EPS:
        return None
    because = f"eps is larger than the gradients of {share:.0%} of the weights: Adam is SGD with lr / eps there"
    level: Judgement = "suspected" if known.learned is False else "inconclusive"
    return Verdict("learning-rate-too-low", level, "measured", because, "optimizer-state")


def _median(rows: list[Row], value: Callable[[Row], float | None]) -> float | None:
    found = [v for r in rows if (v := value(r)) is not None and math.isfinite(v)]
    return float(np.median(found)) if found else None


def _measures(rows: list[Row], share: float | None, last: Checkpoint) -> tuple[Measure, ...]:
    where = str(last.path)
    told = (
        ("last update against the weights (median of layers)", _median(rows, lambda r: r.update), None),
        ("agreement of successive gradients (median of layers)", _median(rows, lambda r: r.agreement), None),
        ("share of weights in which eps rules Adam's step", share, f"> {RULED_BY_EPS:g}"),
    )
    return tuple(Measure(name, value, threshold=limit, where=where) for name, value, limit in told if value is not None)


def _table(rows: list[Row], what: str) -> Table:
    columns = ("layer", "weights", "gradient", "update", "coherence", "dead", "starved", "never", "training")
    note = (
        "weights: times those of a fresh net; "
        f"gradient: RMS of one entry{what}; update: last step against the weights; "
        "coherence of gradients: 0.05 is noise, 1 is one direction; dead, starved (or stuck at a value), never with a "
        "gradient: shares of units; training: stopped, rate 0, gradients of zero, outside of the optimizer or without "
        "state in it; "
        "! is worth a look, !! far from what healthy nets show"
    )
    usual = _median(rows[-max(2, len(rows) // 3) :], lambda r: r.gradient or None)
    marks = tuple(_marks(r, usual) for r in rows)
    cells = tuple(_cells(r, name) for r, name in zip(rows, _names(rows), strict=True))
    return Table("optimizer x-ray, first layer to last", columns, cells, marks, columns.index("gradient"), note)


def _names(rows: list[Row]) -> list[str]:
    """The layers' names without the modules that all of them, but for a stem and a head, are in."""
    names = [r.layer.name for r in rows]
    while len(rows) > 3:
        [(first, count)] = Counter(n.partition(".")[0] for n in names if "." in n).most_common(1) or [("", 0)]
        shorter = [n.removeprefix(first + ".") for n in names]
        if count < len(rows) - 2 or len(set(shorter)) < len(set(names)):
            break
        names = shorter
    return names


def _cells(r: Row, name: str) -> tuple[Cell, ...]:
    dead, nearly, never = _shares(r)
    return (name, r.scale, r.gradient, r.update, r.agreement, dead, nearly, never, r.training)


def _shares(r: Row) -> tuple[float | None, float | None, float | None]:
    if r.dead is None:
        return None, None, None
    starved = max(r.dead.nearly, r.dead.saturated)
    return r.dead.dead / r.dead.units, starved / r.dead.units, r.dead.never / r.dead.units


def _marks(r: Row, usual: float | None) -> tuple[Mark, ...]:
    dead, nearly, never = _shares(r)
    decades = math.log10(r.gradient / usual) if r.gradient and usual and math.isfinite(r.gradient) else None
    return (
        "",
        _outside(r.scale, (0.1, 8.0), (1 / 30, 30.0)),
        "!!" if r.gradient == 0 else _outside(decades, (-1.5, 1.5), (-2.5, 2.5)),
        _outside(r.update, (1e-6, 1e-2), (0.0, 1e-1)),
        _outside(r.agreement, (0.0, AGREE), (0.0, math.inf)),
        _outside(dead, (0.0, 0.2), (0.0, 0.5)),
        _outside(nearly, (0.0, 0.3), (0.0, 0.5)),
        _outside(never, (0.0, 0.2), (0.0, 0.5)),
        "!" if r.training not in {"trained", ""} else "",
    )


def _outside(value: float | None, usual: tuple[float, float], ever: tuple[float, float]) -> Mark:
    if value is None:
        return ""
    if not math.isfinite(value) or not ever[0] <= value <= ever[1]:
        return "!!"
    return "" if usual[0] <= value <= usual[1] else "!"
