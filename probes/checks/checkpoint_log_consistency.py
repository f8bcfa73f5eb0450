"""Checkpoint and log: whether they tell of one run, and which of the saved checkpoints is the best by the log

What it measures
    For every checkpoint: the scores that it carries (`best_acc`, `val_loss`, in the file or in its name), its epoch or
    step, and its optimizer's learning rate, each looked up in the log at that place. And what the log says of the
    validation score at each checkpoint.

Formula
    A score is found if the log has it within 0.5 %, half of the log's last digit, and one of the name's last digit;
    accuracies also as percent. A rate is found if it lies between the smallest and the largest that the log has
    within one epoch; at the log's end it may be lower, as many save after the schedule's step. A checkpoint lies
    beyond the log if it is more than one epoch (or interval of logging) after its end.

Thresholds and sources
    An epoch in a file is never sure to better than one: some save the one just done, some the next. checkpoint-mismatch
    (a log and a file of different runs, or the wrong file): suspected if two different facts contradict the log and no
    score agrees; a single one is inconclusive, as a log may be cut short, and the same score computed in another way.
    Only validation and test scores count; a training loss may be that of one batch. The tolerances are our own.

Evidence
    measured: both sides are read off; that they are of one run is concluded from two contradictions.

Reads
    Names, settings and options of all checkpoints, and the logs. No weights.

Cannot tell
    Whether the weights are those of the score. Files without scores in runs of the same length and rate agree with any
    log. That a better checkpoint than the last exists is told; whether the run overfits, `learning-curves` judges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Progress, Series
from ..finding import Finding, Measure, Table, Verdict
from ..saved.moments import option
from ..saved.reported import Score, scores
from ..series.places import around, place, written

NEEDS = ("checkpoint",)
SPEAKS_TO = ("checkpoint-mismatch",)
COST = "file"
NEAR = 0.005
BETTER = 0.05
"""A validation score that is this much better than the last checkpoint's is worth naming."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a checkpoint says, and what the log says of it.

    Args:
        what: "val_loss in the file", "learning rate", "epoch".
        logged: the log's nearest value; None if it has none at that place.
        agrees: whether they fit.
        score: whether it is a score, which says more of the run than its length or rate.
    """

    checkpoint: str
    what: str
    saved: float
    logged: float | None
    agrees: bool
    score: bool = False


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Look every number of the checkpoints up in the logs."""
    series = [s for log in artifacts.logs for s in log.series if len(s.y)]
    checkpoints = of_one_model(artifacts.checkpoints)
    facts = [f for c in checkpoints for f in gather(c, series)]
    saved = at_checkpoints(checkpoints, series)
    if not facts and not saved:
        why = "nothing in the checkpoints can be looked up in a log"
        needs = "a log with epochs or steps, and checkpoints that name theirs"
        return Finding("checkpoint-log-consistency", f"checkpoint and log: {why}", "could-not-check", needs=needs)
    verdict = judge(facts)
    return Finding(
        "checkpoint-log-consistency",
        _title(facts, saved, verdict),
        verdicts=(verdict,) if verdict else (),
        measures=tuple(_measures(facts, saved)),
        tables=tuple(_tables(facts, saved)),
        facts={"checkpoint": next(f.checkpoint for f in facts if not f.agrees)} if verdict else {},
    )


def of_one_model(checkpoints: tuple[Checkpoint, ...]) -> tuple[Checkpoint, ...]:
    """Those with the tensors of the last one: a folder may hold other models that the log does not speak of."""
    shapes = [{name: tensor.shape for name, tensor in c.tensors.items()} for c in checkpoints]
    return tuple(c for c, own in zip(checkpoints, shapes, strict=True) if own == shapes[-1])


def gather(checkpoint: Checkpoint, series: list[Series]) -> Iterator[Fact]:
    """Everything in one checkpoint that some curve speaks of; a log that ends before it lacks its scores rightly."""
    end = list(_end(checkpoint, series))
    behind = any(not f.agrees for f in end)
    for score in scores(checkpoint):
        found = look_up(score, series)
        if found is not None and (found[1] or not behind):
            what = f"{score.raw} ({'best' if score.best else 'saved'})"
            yield Fact(checkpoint.path.name, what, score.value, *found, score=True)
    yield from end
    yield from _rate(checkpoint, [s for s in series if s.name == "lr"])


def _rate(checkpoint: Checkpoint, curves: list[Series]) -> Iterator[Fact]:
    """Whether the log had the optimizer's rate about then, or ends before: many save after the schedule's step."""
    rates = [option(g, "lr", math.nan) for g in checkpoint.optimizer.groups] if checkpoint.optimizer else []
    for curve in curves:
        where, near = place(checkpoint, curve), around(checkpoint, curve)
        if not rates or not math.isfinite(rates[0]) or where is None or near is None:
            continue
        low, high = float(near.min()), float(near.max())
        least = 0.0 if where[0] + where[1] >= float(np.nanmax(curve.x)) else low
        agrees = any(least * (1 - NEAR) <= r <= high * (1 + NEAR) for r in rates)
        logged = min((low, high), key=lambda v: abs(v - rates[0]))
        yield Fact(checkpoint.path.name, "learning rate", rates[0], logged, agrees)
        return


def look_up(score: Score, series: list[Series]) -> tuple[float, bool] | None:
    """(the nearest value that the log ever had, whether it is the same); None if the log has no such curve.

    A score whose key names no split may be of any; it is looked up, but only a validation or test curve that never had
    it contradicts it.
    """
    curves = [s for s in series if s.name.rpartition("/")[2] == score.metric and np.isfinite(s.y).any()]
    fitting = [s for s in curves if score.split is None or s.name.startswith(f"{score.split}/")]
    nearest = [_nearest(score, s) for s in fitting]
    same = [value for value, agrees in nearest if agrees]
    if same:
        return same[0], True
    held_out = [s.name.startswith(("val/", "test/")) for s in fitting]
    if score.split == "train" or not any(held_out) or not (score.split or score.best):
        return None
    return min((value for value, _ in nearest), key=lambda v: abs(v - score.value)), False


def _nearest(score: Score, curve: Series) -> tuple[float, bool]:
    y = curve.y[np.isfinite(curve.y)]
    scales = (1.0, 100.0, 0.01) if "accuracy" in score.metric else (1.0,)
    found = []
    for scale in scales:
        value = score.value * scale
        at = float(y[np.argmin(np.abs(y - value))])
        room = max(NEAR * abs(value), 0.51 * written(y), 1.01 * score.unit * scale)
        found.append((abs(at - value) / max(room, 1e-12), at))
    ratio, at = min(found)
    return at, ratio <= 1


def _end(checkpoint: Checkpoint, series: list[Series]) -> Iterator[Fact]:
    """Whether the log reaches as far as the checkpoint, by the curve that goes furthest past it."""
    known = [(float(np.nanmax(s.x)), found, s.x_name) for s in series if (found := place(checkpoint, s)) is not None]
    if not known:
        return
    end, (at, room), axis = max(known, key=lambda k: (k[0] + k[1][1]) / max(k[1][0], 1e-9))
    yield Fact(checkpoint.path.name, axis, at, end, at <= end + 1.5 * room)


def judge(facts: list[Fact]) -> Verdict | None:
    """Two facts of different kinds against the log, and no score for it: they hardly tell of one run."""
    against = [f for f in facts if not f.agrees]
    if not against:
        return None
    first = {f.what: f for f in against}
    told = "; ".join(_words(f) for f in list(first.values())[:3])
    if len(first) > 1 and not any(f.score and f.agrees for f in facts):
        because = f"{told}: the log and the checkpoint seem to be of different runs"
        return Verdict("checkpoint-mismatch", "suspected", "measured", because, "log")
    return Verdict("checkpoint-mismatch", "inconclusive", "measured", told, "log")


def _words(f: Fact) -> str:
    if f.what in {"epoch", "step"}:
        return f"{f.checkpoint} is of {f.what} {f.saved:g} and the log ends at {f.logged:g}"
    return f"{f.what} is {f.saved:.4g} in {f.checkpoint}, and the nearest in the log {f.logged:.4g}"


def at_checkpoints(checkpoints: tuple[Checkpoint, ...], series: list[Series]) -> list[tuple[str, Series, float, float]]:
    """(checkpoint, validation curve, place, its value there) for those that the log reaches; loss before accuracy."""
    for name in ("val/loss", "val/accuracy"):
        for curve in (s for s in series if s.name == name):
            found = []
            for checkpoint in checkpoints:
                where = place(checkpoint, curve)
                if where is None or not np.isfinite(curve.y).any():
                    continue
                at = int(np.argmin(np.abs(curve.x - where[0])))
                if abs(curve.x[at] - where[0]) <= where[1] and math.isfinite(curve.y[at]):
                    found.append((checkpoint.path.name, curve, float(curve.x[at]), float(curve.y[at])))
            if found:
                return found
    return []


def better(saved: list[tuple[str, Series, float, float]]) -> tuple[str, float] | None:
    """The checkpoint with a clearly better validation score than the last one, and that score."""
    if len(saved) < 2:
        return None
    sign = -1 if saved[0][1].name.endswith("loss") else 1
    name, _, _, value = max(saved, key=lambda s: sign * s[3])
    last = saved[-1][3]
    return (name, value) if sign * (value - last) > BETTER * abs(last) else None


def _title(facts: list[Fact], saved: list[tuple[str, Series, float, float]], verdict: Verdict | None) -> str:
    if verdict is not None:
        return f"checkpoint and log disagree in {sum(not f.agrees for f in facts)} of {len(facts)} numbers"
    if (found := better(saved)) is not None:
        return f"checkpoint and log: {found[0]} has the better {saved[0][1].name}, {found[1]:.3g}, than the last file"
    return f"checkpoint and log agree in {len(facts)} numbers"


def _measures(facts: list[Fact], saved: list[tuple[str, Series, float, float]]) -> Iterator[Measure]:
    yield Measure("numbers of the checkpoints that were looked up in the log", len(facts))
    yield Measure("of those, in contradiction to it", sum(not f.agrees for f in facts), threshold="> 0")
    if saved:
        name, curve, _, value = saved[-1]
        best = np.nanmin(curve.y) if curve.name.endswith("loss") else np.nanmax(curve.y)
        yield Measure(f"{curve.name} at the last checkpoint", value, where=name)
        yield Measure(f"best {curve.name} in the log", float(best))


def _tables(facts: list[Fact], saved: list[tuple[str, Series, float, float]]) -> Iterator[Table]:
    if facts:
        rows = tuple((f.checkpoint, f.what, f.saved, f.logged, "yes" if f.agrees else "no") for f in facts)
        columns = ("checkpoint", "what", "saved", "nearest in the log", "agrees")
        yield Table("numbers of the checkpoints in the log", columns, rows)
    if saved:
        rows_ = tuple((name, x, y) for name, _, x, y in saved)
        yield Table("the log at each checkpoint", ("checkpoint", saved[0][1].x_name, saved[0][1].name), rows_)
