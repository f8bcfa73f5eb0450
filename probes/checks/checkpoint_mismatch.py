"""Checkpoint mismatch: whether a checkpoint's names and shapes fit its model

What it measures
    The names and shapes of a checkpoint's tensors against those of the model that a target file builds, and against
    the other checkpoints beside it. (Counts that began anew after a resume are the matter of `counters`.)

Formula
    Names are compared exactly, then without the prefixes of wrappers ("module." of DataParallel, "_orig_mod." of
    compile).

Thresholds and sources
    None: names and shapes are exact. A prefix is confirmed only against a model that lacks it. Ruled out only if the
    optimizer's count grows from checkpoint to checkpoint as well.

Evidence
    proved: names and shapes against the model itself. measured: the same against other checkpoints.

Reads
    All checkpoints' names, shapes and counts. A target that may be run: the model it builds, no batch.

Cannot tell
    Whether the code that loads strips a prefix. Weights-only files are common and no fault.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..artifacts import Artifacts, Checkpoint, Progress
from ..errors import Unreadable
from ..finding import Finding, Measure, Table, Verdict
from ..model.target import fit, load_target
from ..saved import counts
from ..saved.layers import strip

NEEDS = ("checkpoint",)
SPEAKS_TO = ("checkpoint-mismatch",)
COST = "file"
WRAPPED = ("module.", "_orig_mod.", "_forward_module.")

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
    progress(0.0, "names and shapes")
    found, why = against_model(artifacts, last)
    verdicts = []
    if found is not None:
        verdicts.append(_loads(found, last, grows(artifacts.checkpoints)))
    elif last.tensors:
        verdicts.append(_alone(artifacts.checkpoints, why))
    accused = next((v for v in verdicts if v.verdict in {"confirmed", "suspected"}), None)
    return Finding(
        "checkpoint-mismatch",
        f"checkpoint mismatch: {accused.because}" if accused else "no checkpoint mismatch found",
        verdicts=tuple(verdicts),
        measures=_measures(artifacts.checkpoints, found),
        tables=_tables(found),
        facts=_facts(last, found),
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


def grows(checkpoints: tuple[Checkpoint, ...]) -> bool:
    """Whether the optimizer counted on from checkpoint to checkpoint, as far as they tell their order."""
    known = [c for c in checkpoints if c.epoch is not None and c.optimizer is not None and c.optimizer.step]
    return len(known) > 1 and counts.restarted(checkpoints, counts.counted) is None


def _loads(found: Fitting, last: Checkpoint, counts_on: bool) -> Verdict:
    if found.prefix:
        because = (
            f"every name in {last.path.name} starts with {found.prefix!r} and none in the model does: it does not "
            "load, or with strict=False loads nothing"
        )
        return Verdict("checkpoint-mismatch", "confirmed", "proved", because, "names")
    if found.fits:
        because = f"all {found.shared} tensors of the model are in {last.path.name}, with the same shapes"
        if counts_on:
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


def _measures(checkpoints: tuple[Checkpoint, ...], found: Fitting | None) -> tuple[Measure, ...]:
    measures = [Measure("checkpoints compared", len(checkpoints))]
    if found is not None:
        measures.append(Measure("tensors of the model that are missing", len(found.missing), threshold="> 0"))
        measures.append(Measure("tensors of another shape", len(found.shapes), threshold="> 0"))
    return tuple(measures)


def _tables(found: Fitting | None) -> tuple[Table, ...]:
    tables = []
    if found is not None and (found.missing or found.shapes or found.unexpected) and not found.prefix:
        named = (("missing", found.missing), ("another shape", found.shapes), ("in the file alone", found.unexpected))
        rows_ = tuple((what, name) for what, names in named for name in names[:50])
        tables.append(Table("tensors that do not fit", ("what", "tensor"), rows_))
    return tuple(tables)


def _facts(last: Checkpoint, found: Fitting | None) -> dict[str, str]:
    facts = {"checkpoint": last.path.name}
    if found is not None and (found.missing or found.shapes):
        facts["layers"] = ", ".join((*found.missing, *found.shapes)[:4])
    return facts
