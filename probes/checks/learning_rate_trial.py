"""Learning-rate trial: the person's model on one batch, at the rate of the run and at others

What it measures
    Whether a freshly built model can lower its loss on one batch within 60 steps at the learning rate of the run, at
    a tenth and a hundredth of it, and at ten and a hundred times it. Every trial starts from the same weights and
    uses the optimizer and the options found in the checkpoint.

Formula
    ratio = median loss of the last 5 steps / loss before the first step, for each rate.

Thresholds and sources
    learning-rate-too-high: ratio > 0.9 (or not finite) at the run's rate and < 0.5 at a lower one, while the log
    stands, diverges or ends in NaN: confirmed; without such a log: suspected.
    learning-rate-too-low: ratio > 0.9 at the run's rate and < 0.5 at a higher one, the rate is 10 times below the
    usual (Adam 1e-4, SGD 1e-3) and the log stands: confirmed; without a log: suspected.
    One batch is memorised by any net that trains at all, so a healthy rate reaches far less than 0.5: our own choice,
    checked on the demos and on the small runs of the tests, not on public ones.

Evidence
    measured: losses of steps that were really made.

Reads
    The target file (it is run), the optimizer's options in the latest checkpoint, the logs.

Cannot tell
    Faults that no learning rate repairs: then every trial fails, and this says so. Schedules and clipping are left
    out, so a rate that is right in the options and ruined by them looks right. Models of which one step takes longer
    than half a second are left alone.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Progress
from ..errors import Unreadable
from ..finding import Curve, Finding, Judgement, Measure, Plot, Table, Verdict
from ..model.target import Target, batch, fit, forward, load_target, seed, theirs, wanted
from ..model.threads import no_more_than_help
from ..saved import moments
from ..series.outcome import Outcome, outcome

NEEDS = ("target",)
SPEAKS_TO = ("learning-rate-too-high", "learning-rate-too-low")
COST = "batch"
STEPS = 60
FACTORS = (1.0, 0.1, 0.01, 10.0, 100.0, 1000.0)
FAILS, WORKS = 0.9, 0.5
USUAL = {"adam": 1e-3, "sgd": 1e-2, "rmsprop": 1e-3}
SLOWEST = 0.5
"""Seconds: a model of which one step takes longer is not tried so often."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One rate: the losses before every step, up to the first that is not finite."""

    factor: float
    lr: float
    losses: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """End over start; infinite if the loss left the numbers."""
        if not all(map(math.isfinite, self.losses)) or self.losses[0] <= 0:
            return math.inf
        return float(np.median(self.losses[-5:])) / self.losses[0]


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Try the run's own rate and others on one batch."""
    name, title = "learning-rate-trial", "learning-rate trial"
    recipe = _recipe(artifacts.last)
    if artifacts.target is None or recipe is None:
        needs = "a target file (--target) and a checkpoint with the optimizer's options"
        why = "no target file" if artifacts.target is None else "the optimizer and its rate are not known"
        return Finding(name, f"{title}: {why}", "could-not-check", needs=needs)
    try:
        trials = gather(load_target(artifacts.target), recipe, progress)
    except Unreadable as error:
        return Finding(
            name, title, "could-not-check", needs=wanted(artifacts, "how the loss moves at other rates", str(error))
        )
    verdicts, facts = judge(trials, recipe, outcome(artifacts))
    return Finding(
        name,
        f"{title}: {trials[0].ratio:.2g} of the first loss after {STEPS} steps at lr {trials[0].lr:.3g}",
        verdicts=tuple(verdicts),
        measures=tuple(
            Measure(f"loss on one batch at lr {t.lr:.3g}, end / start", t.ratio, threshold="< 0.5") for t in trials
        ),
        tables=(
            Table(
                "one batch at several rates", ("lr", "times the run's", "end / start"), tuple(_row(t) for t in trials)
            ),
        ),
        plots=(_plot(trials),),
        facts=facts,
    )


@dataclass(frozen=True, slots=True)
class Recipe:
    """The optimizer as far as a trial copies it: its family and its first group's options."""

    family: str
    lr: float
    options: dict[str, Any]


def _recipe(last: Checkpoint | None) -> Recipe | None:
    state = last.optimizer if last else None
    if state is None or not state.groups:
        return None
    kind = moments.family(state)
    family = {"adam": "adam", "momentum": "sgd", "plain": "sgd", "rmsprop": "rmsprop"}.get(kind or "")
    if state.kind in {"lion", "muon", "adadelta"}:
        family = None
    group = state.groups[0]
    lr = max(moments.option(group, "initial_lr", 0.0), moments.option(group, "lr", 0.0))
    if family is None or not 0 < lr < math.inf:
        return None
    group = {**group, "weight_decay": moments.option(group, "weight_decay", 0.0), "decoupled": state.kind == "adamw"}
    return Recipe(family, lr, group)


def gather(target: Target, recipe: Recipe, progress: Progress) -> list[Trial]:
    """Run the trials, the run's own rate first. Raises Unreadable if the person's code fails or is too slow."""
    built = fit(target, None).model
    pair = batch(target)
    trials = []
    with no_more_than_help(target, built, pair[0]):
        for done, factor in enumerate(FACTORS):
            lr = recipe.lr * factor
            progress(done / len(FACTORS), f"lr {lr:.3g}")
            trials.append(Trial(factor, lr, tuple(_losses(target, copy.deepcopy(built).train(), pair, recipe, lr))))
    return trials


def _losses(target: Target, model: Any, pair: tuple[Any, Any], recipe: Recipe, lr: float) -> list[float]:
    optimizer = _optimizer(model, recipe, lr)
    losses: list[float] = []
    seed()
    for step in range(STEPS):
        began = time.thread_time()
        outputs = forward(target, model, pair[0])
        with theirs(target.path, "a training step failed"):
            loss = target.functions["loss_fn"](outputs, pair[1])
            loss = loss if loss.dim() == 0 else loss.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            break
        if step == 1 and time.thread_time() - began > SLOWEST:
            raise Unreadable(f"one step takes more than {SLOWEST} s", str(target.path), "try the rates by hand")
    return losses


def _optimizer(model: Any, recipe: Recipe, lr: float) -> Any:
    import torch

    parameters = [p for p in model.parameters() if p.requires_grad]
    decay = float(recipe.options["weight_decay"])
    if recipe.family == "adam":
        kind = torch.optim.AdamW if recipe.options["decoupled"] else torch.optim.Adam
        return kind(parameters, lr=lr, betas=moments.betas(recipe.options), weight_decay=decay)
    momentum = moments.option(recipe.options, "momentum", 0.0)
    if recipe.family == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=lr, momentum=momentum, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=decay)


def judge(trials: list[Trial], recipe: Recipe, known: Outcome) -> tuple[list[Verdict], dict[str, str]]:
    """Compare the run's own rate with the best of the others, and that with the log."""
    own, best = trials[0], min(trials[1:], key=lambda t: t.ratio)
    facts = {"lr": f"{own.lr:.3g}"}
    if own.ratio <= FAILS or best.ratio >= WORKS or known.learned:
        return [], facts  # a run that learns may need a warm-up that a trial does not have
    facts["suggested_lr"] = f"{best.lr:.2g}"
    bad = known.stuck is True or (known.main is not None and not np.isfinite(known.main.y[-1]))
    end = f"{own.ratio:.2g} times its start" if math.isfinite(own.ratio) else "NaN or infinity"
    because = (
        f"on one batch {STEPS} steps at lr {own.lr:.3g} take the loss to {end}, at lr {best.lr:.2g} to {best.ratio:.2g}"
    )
    lower = [t for t in trials[1:] if t.factor < 1 and t.ratio < WORKS]
    if lower:
        level: Judgement = "confirmed" if bad else "suspected"
        facts["suggested_lr"] = f"{min(lower, key=lambda t: t.ratio).lr:.2g}"
        return [Verdict("learning-rate-too-high", level, "measured", because, "batch")], facts
    if recipe.lr <= USUAL[recipe.family] / 10 and known.stuck is not False:
        level = "confirmed" if known.stuck else "suspected"
        return [Verdict("learning-rate-too-low", level, "measured", because, "batch")], facts
    return [], {"lr": facts["lr"]}


def _row(trial: Trial) -> tuple[float, float, float]:
    return trial.lr, trial.factor, trial.ratio


def _plot(trials: list[Trial]) -> Plot:
    curves = [
        Curve(f"lr {t.lr:.3g}", tuple(float(i) for i in range(len(t.losses))), t.losses)
        for t in sorted(trials, key=lambda t: t.lr)
    ]
    return Plot(
        "loss on one batch at several rates", "lines", tuple(curves), x_label="step", y_label="loss", log_y=True
    )
