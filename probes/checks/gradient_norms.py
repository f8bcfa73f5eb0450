"""Gradient norms: how large the gradients are from the first layer to the last

What it measures
    From a checkpoint alone: the RMS gradient of every weight matrix over about the last 1,000 steps (Adam), the last
    ten (SGD with momentum) or the last one (Adan), and how it changes with depth. With a target file: the same from
    one real backward pass, parameters that get no gradient, and tensors that get one although they are no parameters
    of the model.

Formula
    rho = log10 of the RMS of one entry's gradient: sqrt(sum v^ / numel), v^ = exp_avg_sq / (1 - b2^t) (an identity:
    within 6e-6 dex on 12,722 tensors). SGD: the momentum buffer. V = median of rho over the first third of the
    matrices, head left out, minus rho of the head. T = RMS of the total gradient norm.

Thresholds and sources
    vanishing suspected: V < -1.0 (51 of 63 nets that vanished and did not learn; 0 of 363 healthy ones, lowest healthy
    V -0.79), or V < -1.5 in nets of 3 or 4 matrices, where one odd layer is a third. Of 17 public files 4 lie below
    -1 because their head is on another scale, so V is only suspected where the hidden layers fade too (0.5 dex;
    not asked of nets of 3 or 4 matrices below -2) or the loss stands, and nothing is suspected of a run that learns.
    Confirmed at V < -2 with a loss that stands still (log, or chance on the batch): between -2 and -1 a net stuck for
    another reason may lie, too. A freshly built model below -2 whose run did not learn is suspected: Adam heals the
    profile with time. Where all gradients, the head's too, have faded against their own past, the run is over. A
    momentum buffer that falls a thousandfold and more from one layer to the next has stopped there and fades with time
    (0.9^350 = 1e-16), not with depth: dead units or a cut graph, inconclusive here.
    exploding: T > 10 held for 23 of 23 exploding runs and 1 of 540 others, but depends on the loss's unit, so never
    from T alone: suspected where a freshly built model has one above 10 and the log ends in NaN, confirmed
    above 1,000.
    T / c in 0.98-1.001 at a clipping value c: every step was clipped (18 of 18), a fact and no fault.

Evidence
    proved: tensors outside of the model that get a gradient in a real backward pass. measured: the profile, an
    identity, with a loss that stands or on the batch; and gradients of single parameters. inferred: vanishing from the
    profile alone.

Reads
    The latest checkpoint with finite weights, its optimizer state; logs for whether the run learns; a target file.

Cannot tell
    Plain SGD keeps nothing. With coupled weight decay v holds the decay as well. Adam heals vanishing gradients, so a
    late checkpoint may look healthy. Fewer than 3 matrices have no depth. Embeddings are left out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Progress
from ..errors import Unreadable
from ..finding import Curve, Finding, Judgement, Measure, Plot, Table, Verdict
from ..model.target import Backward, backward, batch, fit, load_target, wanted
from ..saved import moments, statistics
from ..saved.layers import Layer, called, depth
from ..saved.starved import FADES
from ..series import curves
from ..series.outcome import Outcome, finite, outcome

NEEDS = ("checkpoint", "target")
SPEAKS_TO = ("vanishing-gradients", "exploding-gradients", "frozen-parameters", "numerical-instability")
COST = "batch"
VANISHED, VANISHED_SHALLOW, VANISHED_SURELY = -1.0, -1.5, -2.0
SHALLOW = 4
HEALTHY = -0.8
LARGE = 10.0
CONVERGED = 1e-4
"""Agreement of gradients that noise alone does not fall below (it gives 0.05): here none has come for 30 steps."""
LOW_RANK = re.compile(r"(^|[._])lora_", re.IGNORECASE)
ROUND = (0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Profile:
    """RMS gradient of one entry by weight matrix in forward order; `source` is "optimizer-state" or "batch"."""

    names: tuple[str, ...]
    rms: tuple[float, ...]
    total: float
    source: str
    over: bool = False
    """The gradients of all parameters, the head's too, have faded against their own past: the run has converged."""
    partial: bool = False
    """Other matrices are not trained, or low-rank pairs stand beside them, whose halves scale each other's gradients:
    the rest is no profile over depth."""
    buffers: bool = False
    """They are momentum buffers, which lose a tenth a step once no gradient comes."""

    @property
    def drop(self) -> float | None:
        """V in dex: first third against the head; None below 3 matrices, or where a gradient is 0 or not finite."""
        if len(self.rms) < 3 or not all(r > 0 and math.isfinite(r) for r in self.rms):
            return None
        rho = np.log10(self.rms)
        early = rho[: max(1, min(len(rho) // 3, len(rho) - 1))]
        return float(np.median(early) - rho[-1])

    @property
    def fades(self) -> bool:
        """Whether the hidden layers alone fade as well, by 0.5 dex from their last third to their first: a head on
        another scale (two heads, large targets) makes a drop of its own."""
        rho = np.log10(self.rms[:-1])
        third = max(1, len(rho) // 3)
        return len(rho) >= SHALLOW and float(np.median(rho[:third]) - np.median(rho[-third:])) < -0.5

    @property
    def stopped(self) -> str | None:
        """The last matrix whose buffer is far below the next one's: no gradient comes to it any more."""
        pairs = zip(self.names, self.rms, self.rms[1:], strict=False)
        return next((n for n, here, after in reversed(list(pairs)) if self.buffers and here < FADES * after), None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was gathered, with a reason for what is missing."""

    known: Outcome
    state: Profile | None
    state_why: str
    batch: Profile | None
    batch_why: str
    pass_: Backward | None
    used: str
    fresh: Profile | None
    """The profile of a freshly built model on the batch: the disease before training healed or hid it."""


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Compare the layers' gradients, in the state and in one backward pass."""
    seen = gather(artifacts, progress)
    if seen.state is None and seen.batch is None:
        why = "; ".join(w for w in (seen.state_why, seen.batch_why) if w)
        return Finding(
            "gradient-norms",
            f"gradient norms: {why}",
            "could-not-check",
            needs="a checkpoint with optimizer state, or a target file (--target) for one backward pass",
        )
    verdicts = [v for p in (seen.state, seen.batch) if p for v in judge(p, seen)] + _by_pass(seen)
    if not any(v.diagnosis == "vanishing-gradients" and v.verdict in {"confirmed", "suspected"} for v in verdicts):
        verdicts += _at_first(seen)
    return Finding(
        "gradient-norms",
        _title(seen),
        verdicts=tuple(verdicts),
        measures=_measures(seen, artifacts.last),
        tables=tuple(_table(p) for p in (seen.state, seen.batch) if p),
        plots=tuple(_plot(p) for p in (seen.batch or seen.state,) if p and any(r > 0 for r in p.rms)),
        facts=_facts(seen),
        needs="" if seen.batch else wanted(artifacts, "the gradients of one real backward pass", seen.batch_why),
    )


def gather(artifacts: Artifacts, progress: Progress) -> Seen:
    """Read the state's moments and, with a target, run one backward pass on the latest finite weights."""
    progress(0.0, "optimizer state")
    state, state_why = by_state(artifacts.last)
    found, pass_, fresh, batch_why, used = None, None, None, "no target file was given", ""
    known = outcome(artifacts)
    if artifacts.target is not None:
        progress(0.5, "one backward pass")
        checkpoint = next((c for c in reversed(artifacts.checkpoints) if statistics.of(c).finite), None)
        used = checkpoint.path.name if checkpoint else "the model as built: no checkpoint is finite"
        try:
            target = load_target(artifacts.target)
            model = fit(target, checkpoint).model
            pass_, batch_why = backward(target, model, *batch(target)), ""
            found = by_batch(pass_, model)
            built = fit(target, None).model
            fresh = by_batch(backward(target, built, *batch(target)), built)
        except Unreadable as error:
            batch_why = str(error)
    return Seen(known, state, state_why, found, batch_why, pass_, used, fresh)


def by_state(checkpoint: Checkpoint | None) -> tuple[Profile | None, str]:
    """The profile from the optimizer's state, or why there is none."""
    state = checkpoint.optimizer if checkpoint else None
    if checkpoint is None or state is None:
        return None, "no optimizer state"
    if moments.family(state) in {"plain", "maximum", "mixed", None}:
        return None, "the optimizer keeps no gradients, or not in one way for all (plain SGD, or of an unknown kind)"
    if state.mapping == "ambiguous":
        return None, state.mapping_note or "the optimizer's state cannot be matched by name"
    names, rms, layers = [], [], depth(checkpoint)
    for layer in layers:
        value = _rms(checkpoint, layer)
        if value is not None:
            names.append(layer.name)
            rms.append(value)
    sums = [s for p in state.parameters if (s := statistics.of(checkpoint).sums(p)) is not None]
    total = sum(s.norm**2 for s in sums)
    over = moments.family(state) == "adam" and max((s.coherence for s in sums), default=1.0) < CONVERGED
    if not names:
        return None, "no weight matrix has optimizer state that says anything of its gradient"
    trained = {p.name for p in state.parameters if p.slots}
    partial = any(layer.weight.name not in trained or LOW_RANK.search(layer.name) for layer in layers)
    buffers = moments.family(state) == "momentum"
    return Profile(tuple(names), tuple(rms), math.sqrt(total), "optimizer-state", over, partial, buffers), ""


def _rms(checkpoint: Checkpoint, layer: Layer) -> float | None:
    """The RMS gradient of one matrix; None without state, or where weight decay dominates it."""
    state = checkpoint.optimizer
    parameter = state.of(layer.weight.name) if state else None
    sums = statistics.of(checkpoint).sums(parameter) if parameter else None
    if state is None or parameter is None or sums is None:
        return None
    decay = moments.coupled(state, moments.options(state, parameter))
    return None if decay and sums.norm <= 3 * decay * statistics.of(checkpoint).norm(layer.weight) else sums.rms


def by_batch(pass_: Backward, model: Any) -> Profile | None:
    """The profile of one backward pass: matrices in the order of the model's parameters."""
    names, rms = [], []
    shapes = {n: tuple(p.shape) for n, p in model.named_parameters()}
    for name, value in pass_.gradients.items():
        shape = shapes.get(name, ())
        if value is not None and len(shape) > 1 and "weight" in name and "emb" not in name.lower():
            names.append(name.removesuffix(".weight"))
            rms.append(value / math.sqrt(math.prod(shape)))
    total = math.sqrt(sum(v**2 for v in pass_.gradients.values() if v is not None))
    return Profile(tuple(names), tuple(rms), total, "batch") if names else None


def judge(profile: Profile, seen: Seen) -> list[Verdict]:
    """Vanishing from the profile; exploding only with a log that blows up."""
    return _vanishing(profile, seen) + _exploding(profile, seen)


def _vanishing(profile: Profile, seen: Seen) -> list[Verdict]:
    drop, source = profile.drop, profile.source
    if drop is None:
        if len(profile.rms) < 3:
            because = f"{len(profile.rms)} weight matrices are too few for a profile over depth"
            return [Verdict("vanishing-gradients", "inconclusive", "measured", because, source)]
        zero = [n for n, r in zip(profile.names, profile.rms, strict=True) if r == 0]
        if not zero:
            return []
        because = f"the gradient of {called(zero[0])} is exactly 0: dead units or a cut graph rather than a slow fading"
        return [Verdict("vanishing-gradients", "inconclusive", "measured", because, source)]
    ratio = f"{10**drop:.2g} times" if drop < 0 else f"{10**drop:.3g} times"
    because = f"the gradients of the first layers are {ratio} that of {called(profile.names[-1])}"
    if drop < (VANISHED_SHALLOW if len(profile.rms) <= SHALLOW else VANISHED):
        stuck, how = _stuck(seen)
        sure = stuck and drop < VANISHED_SURELY
        if profile.stopped:
            because += f", but in one step, at {called(profile.stopped)}: dead units or a cut graph rather than fading"
            return [Verdict("vanishing-gradients", "inconclusive", "measured", because, source)]
        shown = profile.fades or (drop < VANISHED_SURELY and len(profile.rms) <= SHALLOW)
        if profile.partial and not stuck:
            because += "; but not all matrices are trained, and those that are may not follow each other"
            return [Verdict("vanishing-gradients", "inconclusive", "measured", because, source)]
        if seen.known.learned or not (stuck or (shown and not profile.over)):
            return [Verdict("vanishing-gradients", "inconclusive", "measured", because + how, source)]
        if sure:
            return [Verdict("vanishing-gradients", "confirmed", "measured", because + how, source)]
        return [Verdict("vanishing-gradients", "suspected", "inferred", because + how, source)]
    if drop > HEALTHY:
        return [Verdict("vanishing-gradients", "ruled_out", "measured", because, source)]
    return [Verdict("vanishing-gradients", "inconclusive", "measured", because, source)]


def _stuck(seen: Seen) -> tuple[bool, str]:
    known = seen.known
    if known.stuck is not None:
        how = "and the loss stands" if known.stuck else "yet the loss falls"
        return known.stuck, f", {how} ({curves.ends(finite(known.main))[1]:.3g} at the end)"
    chance = known.chance
    if seen.pass_ is not None and chance and 0.95 * chance <= seen.pass_.loss <= 1.2 * chance:
        return True, f", and the loss on the batch is {seen.pass_.loss:.3g} (chance: {chance:.3g})"
    return False, ""


def _exploding(profile: Profile, seen: Seen) -> list[Verdict]:
    main, pass_ = seen.known.main, seen.pass_
    if profile.source != "batch" or pass_ is None:
        return []  # a state that is not finite is the other probe's, and its size depends on the loss's unit
    bad = [n for n, r in zip(profile.names, profile.rms, strict=True) if not math.isfinite(r)]
    if bad and math.isfinite(pass_.loss):
        because = (
            f"with finite weights the loss on the batch is {pass_.loss:.3g}, yet the gradient of {called(bad[0])} is "
            f"not finite: something between them has no finite slope ({seen.used})"
        )
        return [Verdict("numerical-instability", "confirmed", "measured", because, "batch")]
    if bad or not math.isfinite(pass_.loss):
        because = f"with finite weights the loss on the batch is {pass_.loss:g} ({seen.used})"
        return [Verdict("numerical-instability", "suspected", "measured", because, "batch")]
    if seen.fresh and main is not None and not np.isfinite(main.y[-1]) and math.isfinite(seen.fresh.total):
        # a diverged checkpoint has large gradients whatever the cause: only the first weights tell
        total = seen.fresh.total
        because = f"the freshly built model has a gradient norm of {total:.3g}, and the log ends in {main.y[-1]:g}"
        level: Judgement = "confirmed" if total > 100 * LARGE else "suspected"
        level = level if total > LARGE else "inconclusive"
        return [Verdict("exploding-gradients", level, "measured", because, "batch")]
    return []


def _at_first(seen: Seen) -> list[Verdict]:
    """Vanishing at the first weights of a run that did not learn: Adam may have healed the profile since."""
    drop = seen.fresh.drop if seen.fresh else None
    if drop is None or seen.fresh is None or drop > VANISHED_SURELY or seen.known.learned is not False:
        return []
    because = (
        f"in the freshly built model the gradients of the first layers are {10**drop:.2g} times that of "
        f"{called(seen.fresh.names[-1])}, and the run has not learned"
    )
    return [Verdict("vanishing-gradients", "suspected", "measured", because, "batch")]


def _by_pass(seen: Seen) -> list[Verdict]:
    """What only a backward pass shows: gradients that go elsewhere, and parameters that none reaches."""
    pass_ = seen.pass_
    if pass_ is None:
        return []
    if pass_.outside:
        shapes = ", ".join("x".join(map(str, s)) for s in pass_.outside[:3])
        because = (
            f"{len(pass_.outside)} tensors that the loss depends on get gradients but are no parameters of the model "
            f"({shapes}): neither an optimizer nor a checkpoint sees them"
        )
        return [Verdict("frozen-parameters", "confirmed", "proved", because, "batch")]
    without = [n for n, g in pass_.gradients.items() if g is None]
    if without:
        because = f"{len(without)} of {len(pass_.gradients)} trainable parameters get no gradient, first {without[0]}"
        return [Verdict("frozen-parameters", "suspected", "measured", because, "batch")]
    return []


def _title(seen: Seen) -> str:
    profile = seen.batch if seen.batch and seen.batch.drop is not None else seen.state or seen.batch
    drop = profile.drop if profile else None
    if profile is None or drop is None:
        return "gradient norms by layer"
    return f"gradient norms: first layers at {10**drop:.2g} times the head"


def _facts(seen: Seen) -> dict[str, str]:
    profile = seen.state if seen.state and seen.state.drop is not None else seen.batch
    if profile is None or profile.drop is None:
        return {}
    return {"first_layer": called(profile.names[0]), "gradient_ratio": f"{10**profile.drop:.2g}"}


def _measures(seen: Seen, last: Checkpoint | None) -> tuple[Measure, ...]:
    found = []
    for p in (seen.state, seen.batch):
        if p is None:
            continue
        where = (str(last.path) if last else "") if p.source == "optimizer-state" else seen.used
        if p.drop is not None:
            found.append(
                Measure(f"gradient of the first layers against the head ({p.source})", p.drop, "dex", "< -1", where)
            )
        found.append(Measure(f"total gradient norm ({p.source})", p.total, where=where))
        clip = next((c for c in ROUND if abs(p.total / c - 1) < 0.002), None)
        if clip is not None and p.source == "optimizer-state" and not _of_one_step(last):
            found.append(Measure("every step looks clipped at a gradient norm of", clip, where=where))
    if seen.pass_ is not None:
        found.append(Measure("loss on the batch", seen.pass_.loss, where=seen.used))
        found.append(Measure("parameters with requires_grad off", len(seen.pass_.frozen)))
    return tuple(found)


def _of_one_step(last: Checkpoint | None) -> bool:
    """Whether the state holds the last gradient, and no mean of several."""
    return last is not None and last.optimizer is not None and last.optimizer.kind == "adan"


def _table(profile: Profile) -> Table:
    rows = tuple((n, r, math.log10(r) if r > 0 else None) for n, r in zip(profile.names, profile.rms, strict=True))
    return Table(f"RMS gradient by layer ({profile.source})", ("layer", "RMS gradient of one weight", "log10"), rows)


def _plot(profile: Profile) -> Plot:
    curve = Curve("RMS gradient", tuple(float(i) for i in range(len(profile.rms))), profile.rms)
    return Plot("gradients from the first layer to the last", "bars", (curve,), log_y=True, names=profile.names)
