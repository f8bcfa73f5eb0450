"""Evaluation mode: whether validation ran in evaluation mode and training in training mode

What it measures
    The validation and the training loss with the weights of every checkpoint, computed anew in evaluation mode and in
    training mode, beside what the log says at that epoch; whether a dropout function drops in evaluation mode.

Formula
    e = loss in evaluation mode; t, s = mean and standard deviation over 20 seeds of the loss in training mode (dropout
    at work, batch norm on its own batches, on a copy of the model), for batches of 16 to 1,000; l = logged loss.
    A checkpoint can tell the modes apart if |t - e| > 4 s and > 2 % of e.

Thresholds and sources
    l is e if it lies within 0.2 % and half of the log's last digit of it, and t if it lies within 3.5 s and 1 % of
    that and nearer to it than to e (one batch size for all checkpoints). An epoch in a file is never sure to better
    than one, so the points before and after are tried as well, the same way for all checkpoints. train-eval-mode:
    ruled out if l is e at every checkpoint that can tell, or to 1e-4 and the last digit at all of them; confirmed if
    it is not e, and t at two checkpoints or more; suspected if at a single one; neither: inconclusive. Training: the
    mean of an epoch is no lower than the loss in training mode with the weights of its end; if it lies 4 s below t
    and nearer to e, at two checkpoints after the first or more: confirmed, training ran in evaluation mode. A dropout
    function that drops although the model is in evaluation mode: confirmed; suspected where the code says
    training=True, as some do on purpose. The thresholds are our own; logs of 6 digits
    agreed with e in all of them.

Evidence
    measured: losses computed anew in both modes, against the logged ones.

Reads
    The target file (it is run), checkpoints with known epoch, data files whose parts have the shape and type of
    load_batch's, the log's losses.

Cannot tell
    A logged loss that is neither may come of other data, another preparation of them, another loss, averaged weights,
    or a log of another run. Models without dropout or batch norm: nothing to tell apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Floats, Progress, Series
from ..errors import Unreadable
from ..finding import Finding, Judgement, Measure, Table, Verdict
from ..model.modes import Modes, Samples, always_dropping, differ, modes, samples
from ..model.target import Target, batch, fit, load_target, wanted
from ..model.threads import no_more_than_help
from ..saved import statistics
from ..series.outcome import outcome
from ..series.places import place, written

NEEDS = ("target",)
SPEAKS_TO = ("train-eval-mode",)
COST = "batch"
SIZES, SEEDS, MOST = (16, 32, 50, 64, 100, 128, 200, 256, 500, 512, 1000), 20, 4
USUAL = 256
EXACT, NEAR, LOOSE, WIDTH, APART = 1e-4, 0.002, 0.01, 3.5, 4.0
DISTINCT = 0.02
ON_PURPOSE = re.compile(r"\btraining\s*=\s*True\b|monte[ _-]?carlo|mc_?dropout", re.I)


@dataclass(frozen=True, slots=True)
class Point:
    """One checkpoint: its losses in both modes, and the log's one point before, at it, and one after (NaN: none)."""

    checkpoint: str
    modes: Modes
    logged: Floats
    digit: float

    @property
    def evaluation(self) -> float:
        return self.modes.evaluation

    def is_evaluation(self, shift: int) -> bool:
        """Whether the logged loss is that of evaluation mode."""
        own = np.append(self.modes.by_batches, self.evaluation)
        return bool((np.abs(self.logged[shift] - own) <= self._room(NEAR)).any())

    def is_exact(self, shift: int) -> bool:
        """Whether the logged loss is that of evaluation mode to its last digits, which training mode would not hit."""
        room = self._room(EXACT)
        return bool(abs(self.logged[shift] - self.evaluation) <= room) and all(
            abs(float(v.mean()) - self.evaluation) + float(v.std(ddof=1)) > 5 * room
            for v in self.modes.training.values()
        )

    def is_training(self, shift: int, size: int) -> bool:
        """Whether the logged loss is that of training mode in batches of this size."""
        losses = self.modes.training[size]
        off = abs(float(self.logged[shift]) - float(losses.mean()))
        near = off < abs(float(self.logged[shift]) - self.evaluation)
        return near and off <= self._room(LOOSE) + WIDTH * float(losses.std(ddof=1))

    def tells(self, size: int) -> bool:
        """Whether the two modes are far enough apart."""
        losses = self.modes.training[size]
        gap = abs(float(losses.mean()) - self.evaluation)
        return gap > APART * float(losses.std(ddof=1)) + 2 * self.digit and gap > DISTINCT * abs(self.evaluation)

    def _room(self, share: float) -> float:
        return share * abs(self.evaluation) + 0.51 * self.digit


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Compute the validation loss anew in both modes and look it up in the log."""
    name, title = "evaluation-mode", "evaluation mode"
    shows = "the validation loss in both modes"
    if artifacts.target is None:
        return Finding(name, f"{title}: no target file", "could-not-check", needs=wanted(artifacts, shows, ""))
    try:
        target = load_target(artifacts.target)
        pair, model = batch(target), fit(target, artifacts.last).model
        with no_more_than_help(target, model, pair[0]):
            return measured(artifacts, target, model, pair, progress)
    except Unreadable as error:
        return Finding(name, title, "could-not-check", needs=wanted(artifacts, shows, str(error)))


def measured(artifacts: Artifacts, target: Target, model: Any, pair: tuple[Any, Any], progress: Progress) -> Finding:
    """The finding of a model with the last weights and its batch. Raises Unreadable if the person's code fails."""
    name, title = "evaluation-mode", "evaluation mode"
    dropper = always_dropping(target, model, pair[0])
    if dropper is not None:
        return _dropping(dropper, bool(ON_PURPOSE.search(artifacts.code)))
    if not differ(target, model, pair[0]):
        return Finding(name, f"{title}: the model is the same in both modes", applies=False)
    known, held_out = outcome(artifacts), samples(artifacts, pair, ("val", "test"))
    if held_out is None or known.val is None:
        lacking = "validation data (such as val.pt) of the shape and type that load_batch returns"
        needs = lacking if held_out is None else "a log with the validation loss"
        return Finding(name, f"{title}: nothing to compare", "could-not-check", needs=needs)
    points = gather(artifacts, target, held_out, known.val, progress)
    if not points:
        needs = "checkpoints that name their epoch or step, with finite weights that fit the model"
        return Finding(name, f"{title}: no checkpoint has a place in the log", "could-not-check", needs=needs)
    judged = judge(points)
    verdict, size = judged.verdict, judged.size
    train = samples(artifacts, pair, ("train",))
    if verdict.verdict != "confirmed" and train is not None and known.train is not None:
        verdict = judge_training(gather(artifacts, target, train, known.train, progress), judged.shift) or verdict
    return Finding(
        name,
        f"{title}: {_title(verdict)}",
        verdicts=(verdict,),
        measures=tuple(_measures(points, size, held_out)),
        tables=(_table(points, size, held_out),),
    )


def _dropping(name: str, told: bool) -> Finding:
    """The finding of a dropout function that does not follow the mode; it may be meant so."""
    because = f"{name} drops while the model is in evaluation mode"
    because += (
        ": the code says training=True, as for Monte Carlo dropout"
        if told
        else ": it does not follow model.eval() unless it is given training=self.training"
    )
    verdict = _verdict("suspected" if told else "confirmed", because)
    return Finding("evaluation-mode", f"evaluation mode: {name} drops in it", verdicts=(verdict,))


def gather(artifacts: Artifacts, target: Target, data: Samples, curve: Series, progress: Progress) -> list[Point]:
    """The losses of the checkpoints that have a place in the log, at most MOST, spread over the run."""
    usable = [c for c in artifacts.checkpoints if place(c, curve) is not None and statistics.of(c).finite]
    chosen = [usable[i] for i in sorted({round(k) for k in np.linspace(0, len(usable) - 1, MOST)})] if usable else []
    points = []
    for done, checkpoint in enumerate(chosen):
        progress(done / len(chosen), checkpoint.path.name)
        fitted = fit(target, checkpoint)
        logged = _logged(checkpoint, curve)
        if any(name in fitted.missing for name, _ in fitted.model.named_parameters()) or np.isnan(logged).all():
            continue
        batched = any("BatchNorm" in type(m).__name__ for m in fitted.model.modules())
        found = modes(target, fitted.model, data, SIZES if batched else (USUAL,), SEEDS)
        if np.isfinite(found.evaluation) and all(np.isfinite(v).all() for v in found.training.values()):
            points.append(Point(checkpoint.path.name, found, logged, written(curve.y[np.isfinite(curve.y)])))
    return points


def _logged(checkpoint: Checkpoint, curve: Series) -> Floats:
    """The log's losses one point before the checkpoint's place, at it, and one after; NaN beyond the ends."""
    where = place(checkpoint, curve)
    assert where is not None
    at = int(np.argmin(np.abs(curve.x - where[0])))
    near = [
        i if 0 <= i < len(curve.y) and abs(curve.x[i] - where[0]) <= 2.01 * where[1] else None
        for i in range(at - 1, at + 2)
    ]
    return np.array([np.nan if i is None else curve.y[i] for i in near])


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, the batch size that it rests on, and the place in `Point.logged` (None: not known)."""

    verdict: Verdict
    size: int
    shift: int | None = None


def judge(points: list[Point]) -> Judged:
    """The mode whose losses are the logged ones."""
    sizes = list(points[0].modes.training)
    shifts = [k for k in (1, 0, 2) if sum(bool(np.isfinite(p.logged[k])) for p in points) > len(points) / 2]
    size = max(sizes, key=lambda s: sum(p.tells(s) for p in points))
    telling = [p for p in points if p.tells(size)]
    for k in shifts:
        if all(p.is_exact(k) for p in points if np.isfinite(p.logged[k])):
            return Judged(_verdict("ruled_out", _because(points[-1], k, size)), size, k)
    if not telling or not shifts:
        because = "training and evaluation mode give nearly the same loss here, so the log cannot tell them apart"
        return Judged(_verdict("inconclusive", because), size)
    for k in shifts:
        if all(p.is_evaluation(k) for p in telling if np.isfinite(p.logged[k])):
            return Judged(_verdict("ruled_out", _because(telling[-1], k, size)), size, k)
        for s in sizes:
            clear = [p for p in points if p.tells(s) and np.isfinite(p.logged[k])]
            if clear and all(p.is_training(k, s) and not p.is_evaluation(k) for p in clear):
                because = _because(clear[-1], k, s) + f"; so at {len(clear)} of {len(points)} checkpoints"
                return Judged(_verdict("confirmed" if len(clear) > 1 else "suspected", because), s, k)
    because = _because(telling[-1], shifts[0], size)
    because += ": neither, so the validation ran on other data, or on data prepared in another way"
    return Judged(_verdict("inconclusive", because), size)


def _verdict(judgement: Judgement, because: str) -> Verdict:
    return Verdict("train-eval-mode", judgement, "measured", because, "modes")


def judge_training(points: list[Point], shift: int | None) -> Verdict | None:
    """Training losses that are too low for training mode; None if nothing speaks against it."""
    if not points:
        return None
    size = max(points[0].modes.training, key=lambda s: sum(p.tells(s) for p in points))
    late = [p for p in points[1:] if p.tells(size) and p.evaluation < p.modes.training[size].mean()]
    if len(late) < 2 or not all(_is_low(p, size, shift) for p in late):
        return None
    because = _because(late[-1], 1 if shift is None else shift, size, "training")
    return _verdict("confirmed", because + ": training ran in evaluation mode")


def _is_low(point: Point, size: int, shift: int | None) -> bool:
    """Whether the logged losses at (or around) a checkpoint lie far below training mode's, nearer to evaluation's."""
    losses = point.modes.training[size]
    around = point.logged if shift is None else point.logged[shift : shift + 1]
    logged, mean = around[np.isfinite(around)], float(losses.mean())
    low = logged < mean - APART * float(losses.std(ddof=1))
    nearer = np.abs(logged - point.evaluation) < (mean - point.evaluation) / 2
    return len(logged) > 0 and bool((low & nearer).all())


def _because(point: Point, shift: int, size: int, split: str = "validation") -> str:
    losses = point.modes.training[size]
    return (
        f"the log's {split} loss at {point.checkpoint} is {point.logged[shift]:.4g}; computed anew it is"
        f" {point.evaluation:.4g} in evaluation mode"
        f" and {losses.mean():.4g} +- {losses.std(ddof=1):.2g} in training mode"
    )


def _title(verdict: Verdict) -> str:
    return {
        "ruled_out": "the logged validation losses are those of evaluation mode",
        "confirmed": "the logged losses are those of the other mode",
        "suspected": "a logged validation loss is that of training mode",
    }.get(verdict.verdict, "the logged validation losses do not tell")


def _measures(points: list[Point], size: int, data: Samples) -> list[Measure]:
    last, losses = points[-1], points[-1].modes.training[size]
    return [
        Measure("validation loss in the log", float(last.logged[1]), where=last.checkpoint),
        Measure("in evaluation mode", last.evaluation, where=data.source),
        Measure("in training mode", float(losses.mean()), where=data.source),
        Measure("spread over seeds in training mode", float(losses.std(ddof=1))),
    ]


def _table(points: list[Point], size: int, data: Samples) -> Table:
    rows = tuple(
        (p.checkpoint, float(p.logged[1]), p.evaluation, float(p.modes.training[size].mean()),
         float(p.modes.training[size].std(ddof=1)))
        for p in points
    )  # fmt: skip
    columns = ("checkpoint", "in the log", "evaluation mode", "training mode", "spread")
    return Table(f"validation loss on {data.source}", columns, rows, note=f"training mode in batches of {size}")
