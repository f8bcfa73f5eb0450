"""Non-finite values: NaN and infinities in weights, buffers and optimizer state

What it measures
    Every floating tensor of every checkpoint, and every tensor of the optimizer's state: how many entries are NaN or
    infinite, in which tensors, and in which checkpoint they first appear.

Formula
    A count per tensor, read in pieces. An infinite exp_avg_sq beside finite weights means that the update of those
    weights is lr * m / inf = 0 from then on.

Thresholds and sources
    More than 0. In about 890 public files no weight was NaN or infinite, and in 60 optimizer states two were, both of
    one project whose loss reached 1e23: a gradient above 1e19 overflows its square in float32. A second moment above
    1e30 is told as a warning: it is close to that.

Evidence
    proved: exact counts; an update by an infinite second moment is exactly 0. measured: none found, or a second moment
    close to overflow.

Reads
    All checkpoints, all tensors. Nothing else.

Cannot tell
    Where the first NaN came from: data, loss code, or steps that are too large all end the same way. A file without
    them says nothing of the steps after it was saved.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..artifacts import Artifacts, Checkpoint, Progress, Tensor
from ..finding import Finding, Measure, Table, Verdict
from ..saved import statistics
from ..saved.layers import floating

NEEDS = ("checkpoint",)
SPEAKS_TO = ("numerical-instability",)
COST = "file"
HUGE = 1e30
SQUARES = ("exp_avg_sq", "max_exp_avg_sq", "square_avg")
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Count:
    """What one tensor of one checkpoint holds; `part` is "weights" or the slot of the optimizer's state."""

    checkpoint: str
    part: str
    tensor: str
    numel: int
    nan: int
    inf: int
    largest: float

    @property
    def bad(self) -> int:
        return self.nan + self.inf


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Count non-finite entries in every checkpoint, in training order."""
    if not artifacts.checkpoints:
        return Finding("nonfinite-weights", "non-finite values", "could-not-check", needs="a checkpoint")
    counts = gather(artifacts.checkpoints, progress)
    bad = [c for c in counts if c.bad]
    files = [c.path.name for c in artifacts.checkpoints]
    return Finding(
        "nonfinite-weights",
        _title(bad),
        verdicts=tuple(judge(counts, bad, files)),
        measures=(
            Measure("NaN entries", sum(c.nan for c in bad), threshold="> 0", where=bad[0].checkpoint if bad else ""),
            Measure(
                "infinite entries", sum(c.inf for c in bad), threshold="> 0", where=bad[0].checkpoint if bad else ""
            ),
            Measure("checkpoints read", len(files)),
        ),
        tables=_tables(bad),
        facts={"checkpoint": bad[0].checkpoint, "tensor": bad[0].tensor} if bad else {},
    )


def gather(checkpoints: tuple[Checkpoint, ...], progress: Progress) -> list[Count]:
    """One count for every floating tensor, in training order; in a file, weights before state."""
    jobs = [(c, part, name, t) for c in checkpoints for part, name, t in _parts(c) if floating(t)]
    counts = []
    for done, (checkpoint, part, name, tensor) in enumerate(jobs):
        progress(done / len(jobs), checkpoint.path.name)
        found = statistics.of(checkpoint).values(tensor)
        counts.append(Count(checkpoint.path.name, part, name, tensor.numel, found.nan, found.inf, found.largest))
    return counts


def _parts(checkpoint: Checkpoint) -> list[tuple[str, str, Tensor]]:
    found = [("weights", name, tensor) for name, tensor in checkpoint.tensors.items()]
    for p in checkpoint.optimizer.parameters if checkpoint.optimizer else ():
        found += [(slot, p.name or f"parameter {p.index}", tensor) for slot, tensor in p.slots.items()]
    return found


def judge(counts: list[Count], bad: list[Count], files: list[str]) -> list[Verdict]:
    """Weights first; then a state that has overflowed while the weights are still finite."""
    weights = [c for c in bad if c.part == "weights"]
    if weights:
        first = weights[0]
        same = [c for c in weights if c.checkpoint == first.checkpoint]
        tensors = len({c.tensor for c in counts if c.part == "weights"})
        clean = files[: files.index(first.checkpoint)]
        since = f"; {clean[-1]} before it is finite" if clean else ", the earliest checkpoint there is"
        because = (
            f"{sum(c.bad for c in same)} entries in {len(same)} of {tensors} tensors of {first.checkpoint} are NaN or "
            f"infinite, first in {first.tensor}{since}"
        )
        return [Verdict("numerical-instability", "confirmed", "proved", because, "weights")]
    squares = [c for c in bad if c.part in SQUARES and c.inf]
    if squares:
        c = squares[0]
        because = (
            f"{c.inf} of {c.numel} entries of {c.part} of {c.tensor} are infinite while the weights are finite: the "
            f"updates of those weights are exactly 0 ({c.checkpoint})"
        )
        return [Verdict("numerical-instability", "confirmed", "proved", because, "optimizer-state")]
    if bad:
        c = bad[0]
        because = f"{c.bad} of {c.numel} entries of {c.part} of {c.tensor} are NaN or infinite ({c.checkpoint})"
        return [Verdict("numerical-instability", "confirmed", "proved", because, "optimizer-state")]
    huge = max((c for c in counts if c.part in SQUARES), key=lambda c: c.largest, default=None)
    if huge is not None and huge.largest > HUGE:
        because = f"{huge.part} of {huge.tensor} reaches {huge.largest:.2g}: float32 ends at 3.4e38 ({huge.checkpoint})"
        return [Verdict("numerical-instability", "suspected", "measured", because, "optimizer-state")]
    because = f"all {sum(c.numel for c in counts)} floating-point values in {len(files)} files are finite"
    return [Verdict("numerical-instability", "ruled_out", "measured", because, "weights")]


def _title(bad: list[Count]) -> str:
    if not bad:
        return "no NaN or infinity in the checkpoints"
    first = bad[0]
    return f"NaN or infinity in {first.tensor} of {first.checkpoint}: {first.bad} of {first.numel} entries"


def _tables(bad: list[Count]) -> tuple[Table, ...]:
    rows = tuple((c.checkpoint, c.part, c.tensor, c.numel, c.nan, c.inf) for c in bad[:SHOWN])
    columns = ("checkpoint", "part", "tensor", "entries", "NaN", "infinite")
    return (Table("tensors with non-finite values", columns, rows),) if rows else ()
