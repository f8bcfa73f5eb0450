"""Loss and outputs: whether the loss compares each output with its own target, and gets what it expects

What it measures
    Pairing: whether the loss changes when the targets are dealt out to other samples. Contract: what the losses of
    torch that the loss function calls were given: raw scores or probabilities, class indices in range, targets that
    the last activation can reach.

Formula
    Pairing: with random outputs o of the shape and range of the real ones and random permutations p of the samples,
    max over p of |loss(o, targets[p]) - loss(o, targets)| / |loss(o, targets)|. Outputs (N, 1) against targets (N,)
    broadcast to (N, N): the mean over all pairs does not know which target belongs to which sample.
    Squashed twice: outputs in [0, 1] through one more softmax over C classes leave a loss of at least
    log(1 + (C - 1) / e), through one more sigmoid log(1 + 1 / e) for positives and log 2 for negatives.

Thresholds and sources
    Unchanged: below 1e-5 in float32 (a hundred roundings), 1e-9 in float64, 0.02 in half precision, in 6
    permutations, while other outputs and other targets do change the loss. silent-broadcasting: unchanged, and the
    two shapes broadcast to more numbers than either has: confirmed, proved. With equal shapes suspected at most:
    losses that compare distributions (MMD, moments) are meant to be so. Changed: ruled out.
    loss-output-mismatch: a call of a loss of torch against its manual page (scores, probabilities, logarithms of
    probabilities, range of targets): confirmed, measured. Logarithms of probabilities before cross_entropy are
    harmless and no fault.

Evidence
    proved: a loss of broadcast shapes that no permutation of the targets changes. measured: what the calls of the
    losses were given, and how the loss answers to permutations.

Reads
    The target file (it is run): the model with the weights of the latest finite checkpoint, one batch, the loss.

Cannot tell
    Whether the loss is the right one for the task. Losses written by hand are judged by their pairing alone, models
    that were compiled or scripted by their outputs alone. Outputs of several tensors are not permuted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..artifacts import Artifacts, Progress
from ..errors import Unreadable
from ..finding import Finding, Measure, Verdict
from ..model.contracts import Breach, are_shares, breach, squash_of
from ..model.target import Target, batch, fit, load_target, wanted
from ..model.watched import Watched, value, watch
from ..saved import statistics

NEEDS = ("target",)
SPEAKS_TO = ("loss-output-mismatch", "silent-broadcasting")
COST = "batch"
DRAWS = 6
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}
HALF = 0.02
CLASSIFIES = frozenset(["cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"])
FEWEST = 4


@dataclass(frozen=True, slots=True)
class Pairing:
    """What permuting the targets does to the loss.

    Args:
        change: the largest relative change. tolerance: below which it is rounding.
        outputs, targets, together: the two shapes, and what they broadcast to (None if they do not).
        paired: the loss of the batch with the targets in the outputs' shape, where that repairs a broadcast.
    """

    change: float
    tolerance: float
    outputs: tuple[int, ...]
    targets: tuple[int, ...]
    together: tuple[int, ...] | None
    paired: float | None

    @property
    def blind(self) -> bool:
        """Whether the loss does not know which target belongs to which sample."""
        return self.change <= self.tolerance

    @property
    def grows(self) -> bool:
        """Whether the shapes broadcast to more numbers than either of them has."""
        own = max(math.prod(self.outputs), math.prod(self.targets))
        return self.together is not None and math.prod(self.together) > own


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Run one batch of the person's model and hold the loss against what it was given."""
    name, title = "loss-and-outputs", "loss and outputs"
    shows = "what the loss is given"
    if artifacts.target is None:
        return Finding(name, f"{title}: no target file", "could-not-check", needs=wanted(artifacts, shows, ""))
    try:
        target = load_target(artifacts.target)
        whole = next((c for c in reversed(artifacts.checkpoints) if statistics.of(c).finite), None)
        model = fit(target, whole).model
        inputs, targets = batch(target)
        progress(0.3, "one batch")
        seen = watch(target, model, inputs, targets)
        progress(0.6, "targets dealt out anew")
        pairing = permuted(target, seen)
    except Unreadable as error:
        return Finding(name, title, "could-not-check", needs=wanted(artifacts, shows, str(error)))
    verdicts = [*judge_pairing(pairing, seen), *judge_contract(seen)]
    return Finding(
        name,
        f"{title}: outputs {said(seen.outputs)}, targets {said(seen.targets)}",
        verdicts=tuple(verdicts),
        measures=tuple(_measures(seen, pairing)),
        needs="" if verdicts else "outputs and targets of one tensor each, and a loss of torch",
    )


def said(tensor: Any) -> str:
    """Shape and type of a tensor in words; the type of anything else."""
    if not hasattr(tensor, "shape") or not hasattr(tensor, "dtype"):
        return f"a {type(tensor).__name__}"
    return f"{_shape(tuple(tensor.shape))} {str(tensor.dtype).rpartition('.')[2]}"


def permuted(target: Target, seen: Watched) -> Pairing | None:
    """Deal the targets out to other samples; None where that shows nothing: see FEWEST, and losses that are random,
    that do not depend on the outputs, or not on the targets."""
    import torch

    outputs, targets = seen.outputs, seen.targets
    if not isinstance(outputs, torch.Tensor) or not isinstance(targets, torch.Tensor) or seen.loss is None:
        return None
    if not outputs.is_floating_point() or not outputs.dim() or not targets.dim() or len(targets) < FEWEST:
        return None
    generator = torch.Generator().manual_seed(0)
    tolerance = TOLERANCE.get(str(outputs.dtype).rpartition(".")[2], HALF)
    try:
        with torch.no_grad():
            drawn = _like(outputs, targets, generator)
            base, again = value(target, drawn, targets), value(target, drawn, targets)
            others = [
                value(target, _like(outputs, targets, generator), targets),
                value(target, drawn, _others(targets)),
            ]
            orders = [torch.randperm(len(targets), generator=generator) for _ in range(DRAWS)]
            losses = [value(target, drawn, targets[order]) for order in orders]
    except Unreadable:
        return None
    scale = max(abs(base), 1e-12)
    if base != again or not all(map(math.isfinite, [base, *others, *losses])):
        return None
    if min(abs(other - base) for other in others) / scale <= 3 * tolerance:
        return None
    change = max(abs(loss - base) for loss in losses) / scale
    shapes = tuple(outputs.shape), tuple(targets.shape)
    return Pairing(change, tolerance, *shapes, _together(*shapes), _paired(target, outputs, targets))


def _together(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...] | None:
    """What two shapes broadcast to."""
    width = max(len(one), len(other))
    pairs = list(zip((1,) * (width - len(one)) + one, (1,) * (width - len(other)) + other, strict=True))
    return tuple(max(a, b) for a, b in pairs) if all(a == b or 1 in (a, b) for a, b in pairs) else None


def _paired(target: Target, outputs: Any, targets: Any) -> float | None:
    if outputs.shape == targets.shape or outputs.numel() != targets.numel():
        return None
    try:
        return value(target, outputs, targets.reshape(outputs.shape))
    except Unreadable:
        return None


def _like(outputs: Any, targets: Any, generator: Any) -> Any:
    """Random outputs of the same shape, type and kind: scores, probabilities or their logarithms.

    Scores get the scale of float targets: beside outputs that are far larger, a permutation would not be seen.
    """
    import torch

    noise = torch.randn(outputs.shape, generator=generator)
    dim = min(1, outputs.dim() - 1)
    if are_shares(outputs, dim):
        return noise.softmax(dim).to(outputs.dtype)
    if are_shares(outputs.detach().double().exp(), dim) and bool((outputs <= 0).all()):
        return noise.log_softmax(dim).to(outputs.dtype)
    low, high = float(outputs.min()), float(outputs.max())
    if low >= 0 and high <= 1:
        return (0.05 + 0.9 * torch.rand(outputs.shape, generator=generator)).to(outputs.dtype)
    scale = targets.double() if targets.is_floating_point() else torch.zeros(1, dtype=torch.float64)
    spread = float((scale - scale.mean()).square().mean().sqrt())
    drawn = float(scale.mean()) + (spread if 0 < spread < math.inf else 1.0) * noise
    return (drawn.abs() if low >= 0 else drawn).to(outputs.dtype)


def _others(targets: Any) -> Any:
    """Targets of another distribution: all like the first half of their sorted values, by sample."""
    order = targets.reshape(len(targets), -1).double().sum(1).argsort()
    half = order[: max(1, len(order) // 4)]
    return targets[half.repeat(-(-len(order) // len(half)))[: len(order)]]


def judge_pairing(found: Pairing | None, seen: Watched) -> list[Verdict]:
    """Blind to the pairing, or not."""
    if found is None:
        return []
    given, wanted_, change = _shape(found.outputs), _shape(found.targets), found.change
    if not found.blind:
        because = f"dealing the targets out to other samples changes the loss by up to {change:.2g} of its value"
        because += f" (outputs {given}, targets {wanted_}): each output is compared with its own target"
        return [Verdict("silent-broadcasting", "ruled_out", "measured", because, "loss")]
    because = f"dealing the targets out to other samples leaves the loss unchanged ({change:.1g} of its value)"
    if found.grows and found.together is not None:
        because += f": outputs {given} and targets {wanted_} broadcast to {_shape(found.together)},"
        because += f" so every output is compared with all {found.targets[0]} targets"
        if found.paired is not None and seen.loss is not None:
            because += f"; the loss of this batch is {seen.loss:.3g}, pair by pair it would be {found.paired:.3g}"
        return [Verdict("silent-broadcasting", "confirmed", "proved", because, "loss")]
    because += f" although outputs {given} and targets {wanted_} do not broadcast to more;"
    because += " a loss that compares distributions is meant to be so, one that compares samples is not"
    return [Verdict("silent-broadcasting", "suspected", "measured", because, "loss")]


def judge_contract(seen: Watched) -> list[Verdict]:
    """The calls of torch's losses against what they expect."""
    breaches = [found for call in seen.losses if (found := breach(seen, call)) is not None]
    if breaches:
        worst = min(breaches, key=lambda b: b.judgement)  # "confirmed" comes before "suspected"
        because = worst.because + _reached(worst, seen)
        return [Verdict("loss-output-mismatch", worst.judgement, "measured", because, "loss")]
    if seen.error:
        because = f"loss_fn raised {seen.error} on outputs {said(seen.outputs)} and targets {said(seen.targets)}"
        return [Verdict("loss-output-mismatch", "suspected", "measured", because, "loss")]
    judged = [c for c in seen.losses if c.name in CLASSIFIES]
    if not judged:
        return []
    because = f"{judged[0].name} gets {said(judged[0].given)} and targets {said(judged[0].wanted)}, as it expects them"
    last = squash_of(seen, judged[0].given)
    if judged[0].name == "cross_entropy" and last is not None and last.name == "log_softmax":
        because += "; the log_softmax before it is superfluous and harmless: cross_entropy leaves it as it is"
    return [Verdict("loss-output-mismatch", "ruled_out", "measured", because, "loss")]


def _reached(found: Breach, seen: Watched) -> str:
    return f"; on this batch it is {seen.loss:.3g}" if found.floor is not None and seen.loss is not None else ""


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _measures(seen: Watched, pairing: Pairing | None) -> list[Measure]:
    measures = [Measure("outputs", said(seen.outputs)), Measure("targets", said(seen.targets))]
    if seen.loss is not None:
        measures.append(Measure("loss of one batch", seen.loss))
    if pairing is not None:
        limit = f"> {pairing.tolerance:.0e}"
        measures.append(Measure("change of the loss by permuting targets", pairing.change, "of its value", limit))
    floors = [b.floor for call in seen.losses if (b := breach(seen, call)) is not None and b.floor is not None]
    return [*measures, *(Measure("lowest loss that can be reached", floor) for floor in floors[:1])]
