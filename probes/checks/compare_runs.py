"""Two runs: where they part, and by how much more than chance they differ at the end

What it measures
    Two logs of different folders that have the same curve: up to which step their values are the same to the digits
    that were logged, and how far they are apart at the end against their own noise.

Formula
    Common points: the same x. They part at the first common point where the relative difference exceeds 1e-6 and the
    last digit that both were written with. Distance at the end: difference of the medians of the last tenth, over the
    root of the sum of their squared noise (second differences).

Thresholds and sources
    irreproducible-runs: the first three values or more are the same to the last digit, so seed, data and settings
    were, and then they part: suspected, since somebody may have changed something in between; ruled out where all of
    at least eight values are the same. Runs that differ from the first value on are other runs: told, with the
    distance.

Evidence
    measured: the logged values themselves, to their last digit.

Reads
    The training loss (else the validation loss) of two logs in different folders.

Cannot tell
    What was different. Twins of one run in two formats in one folder are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..artifacts import Artifacts, Floats, Log, Progress
from ..finding import Curve, Finding, Measure, Plot, Verdict
from ..series import curves
from ..series.restarts import last_run

NEEDS = ("log",)
SPEAKS_TO = ("irreproducible-runs",)
COST = "file"
SAME = 1e-6
ENOUGH, ALIKE = 8, 3
MOST_POINTS = 500


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs' curves at their common points; `parts` is the index of the first that differs, None if none does."""

    name: str
    logs: tuple[Log, Log]
    x: Floats
    a: Floats
    b: Floats
    x_name: str
    parts: int | None

    @property
    def distance(self) -> float | None:
        """How far the ends are apart, in units of noise; None without noise."""
        noise = float(np.hypot(curves.noise(self.a), curves.noise(self.b)))
        return abs(curves.ends(self.a)[1] - curves.ends(self.b)[1]) / noise if noise > 0 else None


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Compare the first two logs that can be."""
    pairs = [p for a, b in combinations(artifacts.logs, 2) if (p := compare(a, b)) is not None]
    if not pairs:
        needs = "the logs of two runs, in two folders, that log the same loss"
        return Finding("compare-runs", "two runs: there is one", "could-not-check", needs=needs, applies=False)
    pair = pairs[0]
    names = " and ".join(log.path.parent.name or log.path.name for log in pair.logs)
    place = f"{pair.x_name} {pair.x[pair.parts]:g}" if pair.parts is not None else ""
    title = f"{names}: {pair.name} {'is the same throughout' if pair.parts is None else 'parts at ' + place}"
    measures = [
        Measure("common points", len(pair.x)),
        Measure(f"{pair.name} at the end, first run", curves.ends(pair.a)[1], where=str(pair.logs[0].path)),
        Measure(f"{pair.name} at the end, second run", curves.ends(pair.b)[1], where=str(pair.logs[1].path)),
    ]
    if pair.distance is not None:
        measures.append(Measure("distance of the ends", pair.distance, "times the noise"))
    return Finding(
        "compare-runs",
        title,
        verdicts=tuple(judge(pair, place)),
        measures=tuple(measures),
        plots=(_plot(pair, place),),
    )


def compare(one: Log, other: Log) -> Pair | None:
    """Two logs of different folders at their common points of the loss; None if they have too few."""
    if one.path.parent == other.path.parent:
        return None
    for name in ("train/loss", "train/loss_step", "val/loss"):
        first, second = one.get(name), other.get(name)
        if first is None or second is None or first.x_name != second.x_name:
            continue
        first, second = last_run(first), last_run(second)
        x, i, j = np.intersect1d(first.x, second.x, return_indices=True)
        a, b = first.y[i], second.y[j]
        good = np.isfinite(a) & np.isfinite(b)
        if good.sum() >= ENOUGH:
            return Pair(name, (one, other), x[good], a[good], b[good], first.x_name, _parts(a[good], b[good]))
    return None


def _parts(a: Floats, b: Floats) -> int | None:
    digits = min(_digits(a), _digits(b))
    apart = np.abs(a - b) > np.maximum(SAME * np.maximum(np.abs(a), np.abs(b)), 0.51 * 10.0**-digits)
    return int(np.argmax(apart)) if apart.any() else None


def _digits(y: Floats) -> int:
    """Decimals that the values were written with, 8 at most."""
    return next((d for d in range(8) if np.allclose(y, np.round(y, d), rtol=0, atol=1e-10)), 8)


def judge(pair: Pair, place: str) -> list[Verdict]:
    """The same, the same at first, or never the same."""
    if pair.parts is None:
        because = f"all {len(pair.x)} common values of {pair.name} are the same in both runs"
        return [Verdict("irreproducible-runs", "ruled_out", "measured", because, "curves")]
    if pair.parts < ALIKE:
        return []
    because = f"both runs log the same {pair.parts} values of {pair.name}, and part at {place}"
    return [Verdict("irreproducible-runs", "suspected", "measured", because, "curves")]


def _plot(pair: Pair, place: str) -> Plot:
    def line(log: Log, y: Floats) -> Curve:
        kept = curves.thinned(y, MOST_POINTS)
        return Curve(log.path.parent.name or log.path.name, tuple(pair.x[kept].tolist()), tuple(y[kept].tolist()))

    marks = ((float(pair.x[pair.parts]), "they part"),) if pair.parts is not None else ()
    lines = (line(pair.logs[0], pair.a), line(pair.logs[1], pair.b))
    return Plot(pair.name, "lines", lines, x_label=pair.x_name, marks=marks)
