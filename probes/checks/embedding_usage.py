"""Embedding usage: which rows of an embedding table have ever been used

What it measures
    For every embedding table: how many rows ever had a gradient since the optimizer started, how many have had none
    lately, how many are all zero (padding), how uneven the rows' norms are, and whether the table is trained at all.

Formula
    Never used: the row's second moment (SGD: its buffer) is exactly 0. Not lately: sum m^2 / sum v^ below 1e-8, some
    75 steps. As drawn: Kolmogorov-Smirnov p above 0.001 of all entries against N(0, 1), PyTorch's law for embeddings.

Thresholds and sources
    A second moment of 0 marked exactly the tokens that were never seen (1,151 of 5,000 rows in 2 runs); 2 to 2.6 % of
    the rare rows that are in use read below 1e-8, so such rows are told and never called dead.
    frozen-parameters: a table that the optimizer has never moved while it moved other parameters, and that is still as
    PyTorch draws it: a random table that nobody trains, suspected in a run that has not learned. A table that was not
    moved and is not at its random start is pretrained and frozen, which is common: not judged.

Evidence
    inferred: that a random table was meant to be trained. Which rows were used is exact, and told.

Reads
    The latest checkpoint: the tables that are named as embeddings, and the optimizer's state of them, in the shared
    pass. Whether a table is random is judged by its first 16,384 numbers.

Cannot tell
    Tables whose names do not say embedding. Which token a row stands for. With coupled weight decay every row has a
    second moment; plain SGD keeps nothing; after a restart of the optimizer 'never' counts from there. Rows that only
    weight decay has shrunk. Whether unused rows are a fault: rare words, reserved and special tokens are normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Floats, OptimizerState, Progress, Tensor
from ..finding import Finding, Judgement, Measure, Table, Verdict
from ..saved import moments, statistics
from ..saved.initial_laws import still_normal
from ..saved.layers import EMBEDDING, called, floating, module_of
from ..series.outcome import outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("frozen-parameters",)
COST = "file"


@dataclass(frozen=True, slots=True)
class Usage:
    """One table. Counts of rows are None where the file does not hold them; `why` then says what hides them.

    Args:
        trained: whether the optimizer has ever moved the table; None if that is not known.
        spread: the largest norm of a row over the median one.
        drawn: whether it still is what PyTorch draws; None unless it looks untrained.
    """

    tensor: Tensor
    never: int | None
    stale: int | None
    zero: int
    spread: float
    trained: bool | None
    drawn: bool | None
    why: str

    @property
    def name(self) -> str:
        return module_of(self.tensor.name)


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Count used rows in every embedding table of the latest checkpoint."""
    last = artifacts.last
    tables = embeddings(last) if last is not None else []
    if last is None or not tables:
        needs = "a checkpoint with a table named as an embedding"
        return Finding(
            "embedding-usage", "embedding usage: no embedding table", "could-not-check", needs=needs, applies=False
        )
    found = []
    for done, tensor in enumerate(tables):
        progress(done / len(tables), tensor.name)
        found.append(look(last, tensor))
    verdict = _judge(found, outcome(artifacts).learned)
    return Finding(
        "embedding-usage",
        _title(found),
        verdicts=(verdict,) if verdict else (),
        measures=_measures(found, last),
        tables=(_table(found),),
        facts={"layers": ", ".join(called(u.name) for u in found if u.drawn)} if verdict else {},
        needs="" if any(u.never is not None for u in found) else "a checkpoint with the state of Adam",
    )


def embeddings(checkpoint: Checkpoint) -> list[Tensor]:
    """The tables: two dimensions, named as embeddings, tied copies once; a layer with a bias is a dense one."""
    tensors = checkpoint.tensors
    named = [t for n, t in tensors.items() if EMBEDDING.search(n) and len(t.shape) == 2 and floating(t)]
    tables = [t for t in named if min(t.shape) > 1 and module_of(t.name) + ".bias" not in tensors]
    return list({statistics.key(t): t for t in tables}.values())


def look(checkpoint: Checkpoint, tensor: Tensor) -> Usage:
    """One table's rows, from the values and sums of the shared pass."""
    values = statistics.of(checkpoint).values(tensor)
    norms = np.sqrt(values.rows)
    middle = float(np.median(norms[norms > 0])) if (norms > 0).any() else 0.0
    spread = float(norms.max() / middle) if middle > 0 else math.nan
    zero = int((values.rows == 0).sum())
    trained, never, stale, why = _used(checkpoint, tensor)
    drawn = still_normal(tensor, values) if trained is False else None
    return Usage(tensor, never, stale, zero, spread, trained, drawn, why)


def _used(checkpoint: Checkpoint, tensor: Tensor) -> tuple[bool | None, int | None, int | None, str]:
    """(ever moved, rows never used, rows not used lately, why rows are not known)."""
    state = checkpoint.optimizer
    if state is None or state.mapping in {"ambiguous", "shapes"}:
        return None, None, None, "no optimizer state" if state is None else state.mapping_note
    if not any(p.slots for p in state.parameters):
        return None, None, None, "the optimizer keeps no state"
    parameter = state.of(tensor.name)
    if parameter is None:
        return False, None, None, "not in the optimizer"
    if not parameter.slots:
        return False, None, None, "it never had a gradient"
    if parameter.coarse:
        return None, None, None, "its state is kept in 8 bits, which rounds small moments to 0"
    sums = statistics.of(checkpoint).sums(parameter)
    if sums is None or len(sums.square) != tensor.shape[0]:
        return None, None, None, "its state is not kept by row"
    if _decayed(state, moments.options(state, parameter)):
        return None, None, None, "coupled weight decay gives every row a gradient"
    never = sums.square == 0
    stale = _stale(sums.agree, sums.square, moments.options(state, parameter)) if moments.two(parameter) else None
    return bool((~never).any()), int(never.sum()), stale, ""


def _decayed(state: OptimizerState, group: dict[str, object]) -> bool:
    return moments.coupled(state, group) != 0


def _stale(agree: Floats, square: Floats, group: dict[str, object]) -> int:
    c = moments.coherence(agree, square)
    return int(((square > 0) & (c < moments.floor_after(74, group))).sum())


def _judge(found: list[Usage], learned: bool | None) -> Verdict | None:
    random = [u for u in found if u.trained is False and u.drawn]
    if not random:
        return None
    because = (
        f"{called(random[0].name)} ({random[0].tensor.shape[0]:,} rows) has never been moved by the optimizer and "
        "still is what PyTorch draws at random"
    )
    level: Judgement = "suspected" if learned is False else "inconclusive"
    return Verdict("frozen-parameters", level, "inferred", because, "weights")


def _title(found: list[Usage]) -> str:
    known = [u for u in found if u.never is not None]
    if not known:
        return f"{len(found)} embedding table{'s' if len(found) > 1 else ''}: use of the rows not known"
    worst = max(known, key=lambda u: (u.never or 0) / u.tensor.shape[0])
    return f"rows of {called(worst.name)} never used: {worst.never:,} of {worst.tensor.shape[0]:,}"


def _measures(found: list[Usage], last: Checkpoint) -> tuple[Measure, ...]:
    return tuple(
        Measure(f"rows of {called(u.name)} never used", u.never / u.tensor.shape[0], where=str(last.path))
        for u in found
        if u.never is not None
    )


def _table(found: list[Usage]) -> Table:
    columns = (
        "table", "rows", "never used", "not lately", "all zero", "largest / median norm", "trained", "not known because"
    )  # fmt: skip
    words = {True: "yes", False: "no", None: ""}
    rows = tuple(
        (u.name, u.tensor.shape[0], u.never, u.stale, u.zero, u.spread, words[u.trained], u.why) for u in found
    )
    return Table("use of the embedding tables", columns, rows)
