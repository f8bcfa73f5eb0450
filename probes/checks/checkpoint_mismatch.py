"""Checkpoint mismatch: whether a checkpoint fits its model, and whether a resume took everything along

What it measures
    The names and shapes of a checkpoint's tensors against those of the model that a target file builds, and against
    the other checkpoints beside it. The optimizer's own step count from checkpoint to checkpoint, against the epochs
    that the files name.

Formula
    Names are compared exactly, then without the prefixes of wrappers ("module." of DataParallel, "_orig_mod." of
    compile). The step count of one optimizer only grows: if the epoch has grown and the count has not, its state was
    started anew in between. That the weights went on, and are no other run's, is their cosine: above 0.5 (median of
    the matrices) where independent runs have about 0.

Thresholds and sources
    None but that cosine: names, shapes and counts are exact. A count that starts again is confirmed only if the
    optimizer's kind, its parameters and its settings are the same before and after; else a new stage of training may
    have built a new optimizer on purpose. A prefix is confirmed only against a model that lacks it.

Reads
    All checkpoints' names, shapes, counts and epochs; the weights of two where the count starts again. A target that
    may be run: the model it builds, no batch.

Cannot tell
    Whether the code that loads strips a prefix. SGD counts no steps. A scheduler or a scaler that was not restored,
    where the file holds none. Weights-only files are common and no fault.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .. import moments, statistics
from ..artifacts import Artifacts, Checkpoint, Progress
from ..errors import Unreadable
from ..finding import Finding, Measure, Table, Verdict
from ..layers import depth, strip
from ..target import fit, load_target

NEEDS = ("checkpoint",)
SPEAKS_TO = ("checkpoint-mismatch",)
COST = "file"
WRAPPED = ("module.", "_orig_mod.", "_forward_module.")
GOES_ON = 0.5
SETTINGS = ("betas", "eps", "weight_decay", "initial_lr", "momentum", "amsgrad")

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Fitting:
    """How a checkpoint's tensors lie against a model's. `prefix` makes all names agree; "" if none is needed."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    shapes: tuple[str, ...]
    shared: int
    prefix: str = ""

    @property
    def fits(self) -> bool:
        """Whether the model can be loaded from it as it is."""
        return not (self.missing or self.shapes or self.prefix)


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Compare the latest checkpoint with the model, and the checkpoints with each other."""
    last = artifacts.last
    if last is None or not (last.tensors or last.optimizer):
        return Finding("checkpoint-mismatch", "checkpoint mismatch", "could-not-check", needs="a checkpoint")
    progress(0.0, "names and counts")
    found, why = against_model(artifacts, last)
    restart = restarted(artifacts.checkpoints)
    verdicts = []
    if restart is not None:
        verdicts.append(_resumed(*restart))
    if found is not None and not (restart and found.fits):
        verdicts.append(_loads(found, last, counted(artifacts.checkpoints)))
    elif not verdicts and last.tensors:
        verdicts.append(_alone(artifacts.checkpoints, why))
    accused = next((v for v in verdicts if v.verdict in {"confirmed", "suspected"}), None)
    return Finding(
        "checkpoint-mismatch",
        f"checkpoint mismatch: {accused.because}" if accused else "no checkpoint mismatch found",
        verdicts=tuple(verdicts),
        measures=_measures(artifacts.checkpoints, found),
        tables=_tables(artifacts.checkpoints, found),
        facts=_facts(last, found, restart),
        needs="" if found else "a target file (--target): it says which tensors the model has",
    )


def against_model(artifacts: Artifacts, last: Checkpoint) -> tuple[Fitting | None, str]:
    """How the checkpoint fits the model of the target, or why that cannot be told."""
    if artifacts.target is None:
        return None, "no target file was given"
    if not last.tensors:
        return None, "the checkpoint holds no weights"
    try:
        model = fit(load_target(artifacts.target), None).model
    except Unreadable as error:
        return None, str(error)
    return fitting(shapes(last), {n: tuple(t.shape) for n, t in model.state_dict().items()}), ""


def shapes(checkpoint: Checkpoint) -> Shapes:
    """The shapes of a checkpoint's tensors by name."""
    return {name: tensor.shape for name, tensor in checkpoint.tensors.items()}


def fitting(saved: Shapes, wanted: Shapes) -> Fitting:
    """Compare names and shapes; batch-norm counters may be missing, as files of old versions have none."""
    for prefix in WRAPPED:
        if all(n.startswith(prefix) for n in saved) and not any(n.startswith(prefix) for n in wanted):
            inner = fitting({n.removeprefix(prefix): s for n, s in saved.items()}, wanted)
            if inner.shared and not inner.missing:
                return Fitting(inner.missing, inner.unexpected, inner.shapes, inner.shared, prefix)
    both = saved.keys() & wanted.keys()
    return Fitting(
        missing=tuple(n for n in wanted if n not in saved and not n.endswith("num_batches_tracked")),
        unexpected=tuple(n for n in saved if n not in wanted),
        shapes=tuple(n for n in wanted if n in both and saved[n] != wanted[n]),
        shared=sum(saved[n] == wanted[n] for n in both),
    )


def _loads(found: Fitting, last: Checkpoint, counts: list[Checkpoint]) -> Verdict:
    if found.prefix:
        because = (
            f"every name in {last.path.name} starts with {found.prefix!r} and none in the model does: it does not "
            "load, or with strict=False loads nothing"
        )
        return Verdict("checkpoint-mismatch", "confirmed", "proved", because, "names")
    if found.fits:
        because = f"all {found.shared} tensors of the model are in {last.path.name}, with the same shapes"
        if len(counts) > 1:
            because += ", and the optimizer's count grows with the epochs"
            return Verdict("checkpoint-mismatch", "ruled_out", "measured", because, "names")
        because += "; whether a resume took the optimizer along cannot be told"
        return Verdict("checkpoint-mismatch", "inconclusive", "measured", because, "names")
    if not found.shared:
        because = f"no tensor of {last.path.name} has the name and shape of one in the model: it may be another model's"
        return Verdict("checkpoint-mismatch", "suspected", "measured", because, "names")
    parts = [
        f"{len(names)} {what} (first {names[0]})"
        for names, what in (
            (found.missing, "tensors of the model are missing"),
            (found.shapes, "have another shape"),
            (found.unexpected, "are in the file alone"),
        )
        if names
    ]
    return Verdict("checkpoint-mismatch", "confirmed", "proved", f"in {last.path.name} {', '.join(parts)}", "names")


def _alone(checkpoints: tuple[Checkpoint, ...], why: str) -> Verdict:
    """Without a model: prefixes that come and go between files, or that will need stripping."""
    wrapped = [c for c in checkpoints if c.tensors and all(n.startswith(WRAPPED) for n in c.tensors)]
    plain = [c for c in checkpoints if c.tensors and c not in wrapped]
    if wrapped:
        name = next(iter(wrapped[-1].tensors))
        prefix = next(p for p in WRAPPED if name.startswith(p))
        same = [c for c in plain if {strip(n) for n in c.tensors} == {strip(n) for n in wrapped[-1].tensors}]
        if same:
            because = f"the names in {wrapped[-1].path.name} start with {prefix!r}, those in {same[-1].path.name} not"
            return Verdict("checkpoint-mismatch", "suspected", "measured", because, "names")
        because = f"every name starts with {prefix!r}: a model that is not wrapped needs it taken off before loading"
        return Verdict("checkpoint-mismatch", "inconclusive", "measured", because, "names")
    return Verdict("checkpoint-mismatch", "inconclusive", "measured", f"whether it fits its model: {why}", "names")


def restarted(checkpoints: tuple[Checkpoint, ...]) -> tuple[Checkpoint, Checkpoint] | None:
    """Two checkpoints of one run between which the optimizer's count did not grow although the epoch did."""
    for before, after in pairwise(counted(checkpoints)):
        if (after.epoch or 0) <= (before.epoch or 0) or before.optimizer is None or after.optimizer is None:
            continue
        if (after.optimizer.step or 0) <= (before.optimizer.step or 0) and GOES_ON < alike(before, after) < 1:
            return before, after
    return None


def counted(checkpoints: tuple[Checkpoint, ...]) -> list[Checkpoint]:
    """Those that name an epoch and hold an optimizer that counts, by epoch."""
    found = [c for c in checkpoints if c.epoch is not None and c.optimizer is not None and c.optimizer.step]
    return sorted(found, key=lambda c: c.epoch or 0)


def alike(before: Checkpoint, after: Checkpoint) -> float:
    """The median cosine of the weight matrices of two checkpoints; 1 if nothing moved, 0 without common matrices."""
    cosines = []
    for layer in depth(after):
        start = before.tensors.get(layer.weight.name)
        if start is None or start.shape != layer.weight.shape:
            return 0.0
        a, b = statistics.of(before).norm(start), statistics.of(after).norm(layer.weight)
        if a > 0 and b > 0 and math.isfinite(a * b):
            cosines.append((a * a + b * b - moments.distance(start, layer.weight) ** 2) / (2 * a * b))
    return float(np.median(cosines)) if cosines else 0.0


def _resumed(before: Checkpoint, after: Checkpoint) -> Verdict:
    first, last = before.optimizer, after.optimizer
    assert first is not None and last is not None
    because = (
        f"the optimizer's own count is {first.step} at epoch {before.epoch} and {last.step} at epoch {after.epoch}, "
        "while the weights went on from there: its state was started anew in between, not restored"
    )
    same = first.kind == last.kind and len(first.parameters) == len(last.parameters)
    same = same and [[g.get(k) for k in SETTINGS] for g in first.groups] == [
        [g.get(k) for k in SETTINGS] for g in last.groups
    ]
    if not same:
        because += "; its settings changed as well, so this may be a new stage of training"
    return Verdict("checkpoint-mismatch", "confirmed" if same else "suspected", "measured", because, "counters")


def _measures(checkpoints: tuple[Checkpoint, ...], found: Fitting | None) -> tuple[Measure, ...]:
    measures = [Measure("checkpoints compared", len(checkpoints))]
    if found is not None:
        measures.append(Measure("tensors of the model that are missing", len(found.missing), threshold="> 0"))
        measures.append(Measure("tensors of another shape", len(found.shapes), threshold="> 0"))
    return tuple(measures)


def _tables(checkpoints: tuple[Checkpoint, ...], found: Fitting | None) -> tuple[Table, ...]:
    rows = tuple((c.path.name, c.epoch, c.step, c.optimizer.step if c.optimizer else None) for c in checkpoints)
    tables = [Table("counters by checkpoint", ("checkpoint", "epoch", "step", "optimizer step"), rows)]
    if found is not None and (found.missing or found.shapes or found.unexpected) and not found.prefix:
        named = (("missing", found.missing), ("another shape", found.shapes), ("in the file alone", found.unexpected))
        rows_ = tuple((what, name) for what, names in named for name in names[:50])
        tables.append(Table("tensors that do not fit", ("what", "tensor"), rows_))
    return tuple(tables)


def _facts(last: Checkpoint, found: Fitting | None, restart: tuple[Checkpoint, Checkpoint] | None) -> dict[str, str]:
    facts = {"checkpoint": last.path.name}
    if restart is not None:
        before = restart[0]
        facts |= {
            "checkpoint": before.path.name,
            "step": str(before.step),
        }
    elif found is not None and (found.missing or found.shapes):
        facts["layers"] = ", ".join((*found.missing, *found.shapes)[:4])
    return facts
