"""Spectrum: stable rank, condition, numerical rank and tail exponent of each weight matrix

What it measures
    The singular values of every weight matrix of the latest checkpoint, and what is read off them. A convolution is
    taken as outputs x (inputs times kernel positions); for its tail exponent, as one matrix per kernel position.

Formula
    Stable rank: sum s^2 / max s^2. Condition: max s / min s. Numerical rank: singular values above both what rounding
    to the file's number format leaves of a matrix of lower rank, eps RMS (sqrt rows + sqrt columns), and what is lost
    in the products, sqrt(2^-52 max(rows, columns)) max s. alpha: exponent of a power law fitted to the squared singular
    values (those above 1e-5) from xmin on, by maximum likelihood; xmin is the value whose fit has the smallest
    Kolmogorov-Smirnov distance (Clauset, Shalizi, Newman 2009). That is the alpha of WeightWatcher (Martin and
    Mahoney), which calls 2 to 6 usual.

Thresholds and sources
    alpha, stable rank and condition are told and never judged: the thresholds of alpha are contested, and healthy small
    nets lie outside them. bad-initialization: a hidden matrix whose rank is at most a tenth of its rows or columns that
    are not all zero (8 at least), of usual size (RMS up to 6 times the default law), in a run that has not learned:
    suspected. Random matrices have full rank, and so has every matrix that noisy gradients have moved; units that
    started as copies of each other stay copies, and then the rank stays low.

Evidence
    inferred: a rank far below that of any random or trained matrix; the other numbers are told.

Reads
    The weight matrices of the latest checkpoint, embeddings left out; the logs for whether the run learns. The work is
    bounded: the cheapest matrices first until some 10^11 multiplications (a few seconds) or 256 MiB are spent; the
    others are named as left out.

Cannot tell
    Whether a model is over- or undertrained: alpha is no such test. Which low rank is wanted (pruned, factored). alpha
    from fewer than 20 eigenvalues. A condition above some 10^6.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Progress, Tensor
from ..finding import Cell, Curve, Finding, Measure, Plot, Table, Verdict
from ..memory import settle
from ..saved import spectra, statistics
from ..saved.layers import Layer, called, depth, fan_in
from ..saved.spectra import Spectrum
from ..series.outcome import outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("bad-initialization",)
COST = "file"
MOST_WORK = 1e11
MOST_BYTES = 1 << 28
"""Of all the matrices, as they are stored: they are kept in memory."""
MOST_THREADS, SHARED = 4, 2e8
"""Matrices of less work (a few milliseconds) are not worth a thread: handing the interpreter over takes as long."""
LOW = 0.1
LEAST = 8
LARGE = 6.0
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Seen:
    """A layer and its spectrum: None where it has none, with the reason."""

    layer: Layer
    found: Spectrum | None
    why: str = ""

    @property
    def collapsed(self) -> bool:
        """Whether its rank is far below what its live rows and columns allow."""
        return self.found is not None and self.found.live >= LEAST and self.found.rank <= LOW * self.found.live


def same(tensor: Tensor) -> Tensor:
    """As it is."""
    return tensor


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """The spectra of the latest checkpoint's matrices, within a budget."""
    last = artifacts.last
    layers = depth(last) if last is not None else ()
    if last is None or not layers:
        needs = "a checkpoint with weight matrices"
        return Finding("spectrum", "no weight matrix", "could-not-check", needs=needs)
    seen = look(layers, progress, held=statistics.of(last).held)
    done = [s for s in seen if s.found is not None]
    if not done:
        return Finding(
            "spectrum", f"spectrum: {seen[0].why}", "could-not-check", needs="a smaller or finite checkpoint"
        )
    verdict = judge(seen, last, outcome(artifacts).learned)
    return Finding(
        "spectrum",
        _title(seen, done),
        verdicts=(verdict,) if verdict else (),
        measures=_measures(seen, done, last),
        tables=(_table(seen),),
        plots=_plots(done),
        facts={"layers": ", ".join(called(s.layer.name) for s in done if s.collapsed)} if verdict else {},
    )


def look(
    layers: tuple[Layer, ...], progress: Progress, budget: float = MOST_WORK, held: Callable[[Tensor], Tensor] = same
) -> list[Seen]:
    """One entry a layer, in their order; cheap ones are computed first, and of equal ones some at every depth.

    Args:
        held: gives a tensor's copy in memory, if there is one.
    """
    settle()
    costs = [spectra.work(layer.weight) for layer in layers]
    chosen = within(layers, budget)
    spent = sum(costs[i] for i in chosen)
    seen = [Seen(layer, None, "left out: the work is bounded") for layer in layers]
    done = 0.0
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        small = [i for i in chosen if costs[i] < SHARED]  # chosen from the cheapest on
        ahead = map(spectra.spectrum, (held(layers[i].weight) for i in small))
        results = chain(ahead, pool.map(spectra.spectrum, [held(layers[i].weight) for i in chosen[len(small) :]]))
        for i in chosen:
            progress(done / spent, f"singular values of {called(layers[i].name)}")
            found = next(results)
            done += costs[i]
            seen[i] = Seen(layers[i], found, "" if found else "all zero, or not finite")
    return seen


def within(layers: tuple[Layer, ...], budget: float = MOST_WORK) -> list[int]:
    """The places of the layers that are computed, the cheapest first."""
    settle()
    costs = [spectra.work(layer.weight) for layer in layers]
    chosen, spent, size = [], 0.0, 0
    for i in sorted(range(len(layers)), key=lambda i: (costs[i], i * GOLDEN % 1)):
        bytes_ = statistics.stored(layers[i].weight)
        if size + bytes_ <= MOST_BYTES and spent + costs[i] <= budget:
            spent, size = spent + costs[i], size + bytes_
            chosen.append(i)
    return chosen


def whole(artifacts: Artifacts) -> list[Tensor]:
    """The matrices that are computed."""
    layers = depth(artifacts.last) if artifacts.last is not None else ()
    return [layers[i].weight for i in within(layers)]


def judge(seen: list[Seen], checkpoint: Checkpoint, learned: bool | None) -> Verdict | None:
    """Hidden layers of almost no rank in a run that has not learned."""
    values = statistics.of(checkpoint)
    odd = [
        s
        for s in seen[:-1]
        if s.collapsed and values.values(s.layer.weight).rms * math.sqrt(3 * fan_in(s.layer)) <= LARGE
    ]
    if not odd or learned is not False:
        return None
    first = odd[0].found
    assert first is not None
    because = (
        f"{called(odd[0].layer.name)} has rank {first.rank} of {first.live} ({len(odd)} of {len(seen) - 1} hidden "
        "layers so low) and the run has not learned: its units compute almost the same, as after a start from copies"
    )
    return Verdict("bad-initialization", "suspected", "inferred", because, "weights")


def _title(seen: list[Seen], done: list[Seen]) -> str:
    low = [s for s in done if s.collapsed]
    left = f", {len(seen) - len(done)} left out" if len(done) < len(seen) else ""
    if low:
        place = f", first {called(low[0].layer.name)}"
        return f"low rank in {len(low)} of {_counted(len(done))}{place}{left}"
    share = float(np.median([s.found.stable_rank / s.found.full for s in done if s.found]))
    return f"stable rank {share:.0%} of full (median of {_counted(len(done))}){left}"


def _measures(seen: list[Seen], done: list[Seen], last: Checkpoint) -> tuple[Measure, ...]:
    spectra_ = [s.found for s in done if s.found]
    share = float(np.median([100 * s.stable_rank / s.full for s in spectra_]))
    worst = max(done, key=lambda s: s.found.condition if s.found else 0.0)
    alphas = [s.tail.alpha for s in spectra_ if s.tail]
    where = str(last.path)
    found = [Measure("stable rank of the full one (median of matrices)", share, "%", where=where)]
    if worst.found is not None:
        found.append(Measure(f"largest condition number: {called(worst.layer.name)}", worst.found.condition))
    short = [s for s in spectra_ if s.rank < s.full]
    found.append(Measure("matrices below full rank", len(short), threshold=f"<= {LOW:g} of the live rows, not learned"))
    if alphas:
        name = f"tail exponent alpha (median of {len(alphas)}; told, not judged: its thresholds are contested)"
        found.append(Measure(name, float(np.median(alphas))))
    if len(done) < len(seen):
        found.append(Measure("matrices left out (too much work, all zero or not finite)", len(seen) - len(done)))
    return tuple(found)


def _table(seen: list[Seen]) -> Table:
    columns = ("layer", "shape", "stable rank", "rank", "of", "live", "condition", "alpha", "KS", "tail", "note")
    return Table("spectrum of the weights", columns, tuple(_row(s) for s in seen))


def _row(seen: Seen) -> tuple[Cell, ...]:
    shape = " x ".join(map(str, seen.layer.weight.shape))
    f = seen.found
    if f is None:
        return (seen.layer.name, shape, *(None,) * 8, seen.why)
    tail: tuple[Cell, ...] = (f.tail.alpha, f.tail.distance, f.tail.count) if f.tail else (None, None, None)
    note = "low rank" if seen.collapsed else "rows or columns all zero" if f.live < f.full else ""
    return (seen.layer.name, shape, f.stable_rank, f.rank, f.full, f.live, f.condition, *tail, note)


def _plots(done: list[Seen]) -> tuple[Plot, ...]:
    shares = tuple(s.found.stable_rank / s.found.full for s in done if s.found)
    curve = Curve("stable rank / full rank", tuple(float(i) for i in range(len(shares))), shares)
    names = tuple(s.layer.name for s in done)
    return (Plot("stable rank as a share of the full one", "bars", (curve,), names=names),)


def _counted(count: int) -> str:
    return f"{count} matri{'x' if count == 1 else 'ces'}"
