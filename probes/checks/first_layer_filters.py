"""First-layer filters: are they structured, or still noise?

What it measures
    For the first convolution over images, whether neighbouring entries of each filter are alike (or opposed) and
    whether its colour channels agree, more than entries in random order would be; the filters themselves, drawn.

Formula
    Per filter, means removed by channel: z of the sum of products of horizontal and vertical neighbours (Moran's I),
    and z of the sum of products of two channels at one place; mean and variance are exact for entries in random order
    (Cliff and Ord 1981). Departure of all filters together: (sum of z^2 - m) / sqrt(2 m) over the m values of z.
    Drawn is the projection of a filter on its strongest direction over the channels.

Thresholds and sources
    A filter is structured above |z| = 3.3 in either (0.2 % of noise filters are, for kernels from 3 x 3 to 11 x 11 and
    uniform, normal or heavy-tailed entries). The layer is noise below a departure of 3. underfitting: suspected where
    a layer with power (8 filters or more of 27 entries or more) is noise in a run that has not learned. A layer of
    noise in a run that has learned is told only: small steps leave the noise of the start on top of what was learned.

Evidence
    inferred: a test against entries in random order.

Reads
    The first convolution of the latest checkpoint: two-dimensional, of 1, 3 or 4 inputs, kernel 3 or wider; the logs.

Cannot tell
    Much from a single filter of 3 x 3 entries: only the layer as a whole then means something. Whether structure is
    good: a frozen or pretrained layer is structured too. Filters that differ from noise in their mean only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..artifacts import Artifacts, Checkpoint, Floats, Progress, Tensor
from ..finding import Finding, Image, Measure, Plot, Verdict
from ..saved import statistics
from ..saved.filters import Noise, against_noise, strongest
from ..saved.layers import Layer, called, depth
from ..series.outcome import outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("underfitting",)
COST = "file"
INPUTS = (1, 3, 4)
STRUCTURED = 3.3
DEPARTURE = 3.0
MOST_ENTRIES = 1 << 24
WIDEST = 64
SHOWN = 24
FILTERS, ENTRIES = 8, 27


@dataclass(frozen=True, slots=True)
class Filters:
    """The first convolution: values (filters, channels, height, width) and how each stands against noise."""

    layer: Layer
    values: Floats
    noise: Noise

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def scores(self) -> Floats:
        """The larger |z| of each filter; 0 for one without variation."""
        found: Floats = np.nan_to_num(np.fmax(np.abs(self.noise.neighbours), np.abs(self.noise.channels)))
        return found

    @property
    def structured(self) -> int:
        return int(np.count_nonzero(self.scores > STRUCTURED))

    @property
    def departure(self) -> float:
        """Of all filters together from noise, in standard deviations."""
        z = np.concatenate([self.noise.neighbours, self.noise.channels])
        z = z[np.isfinite(z)]
        return float((np.sum(z**2) - len(z)) / np.sqrt(2 * len(z))) if len(z) else 0.0

    @property
    def powerful(self) -> bool:
        """Whether noise in all of them says something."""
        return self.count >= FILTERS and self.values[0].size >= ENTRIES


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Hold the first convolution's filters against noise, and draw them."""
    last = artifacts.last
    layer, why = first(last) if last is not None else (None, "no checkpoint")
    if layer is None or last is None:
        needs = "a checkpoint whose first convolution takes images"
        return Finding("first-layer-filters", why, "could-not-check", needs=needs)
    values = np.asarray(statistics.of(last).held(layer.weight).array()).astype(np.float64)
    if not np.isfinite(values).all():
        title = f"{called(layer.name)} holds values that are not finite"
        return Finding("first-layer-filters", title, "could-not-check", needs="a checkpoint from before that")
    filters = Filters(layer, values, against_noise(values))
    verdict = judge(filters, outcome(artifacts).learned)
    return Finding(
        "first-layer-filters",
        _title(filters),
        verdicts=(verdict,) if verdict else (),
        measures=_measures(filters, last),
        plots=(_plot(filters),),
        facts={"worst_layer": called(layer.name)} if verdict else {},
    )


def whole(artifacts: Artifacts) -> list[Tensor]:
    """The first convolution."""
    layer = first(artifacts.last)[0] if artifacts.last is not None else None
    return [layer.weight] if layer is not None else []


def first(checkpoint: Checkpoint) -> tuple[Layer | None, str]:
    """The first convolution if it takes images, else None and why."""
    layers = [x for x in depth(checkpoint) if x.kind == "conv" and len(x.weight.shape) == 4]
    if not layers:
        return None, "no two-dimensional convolution"
    layer, name = layers[0], called(layers[0].name)
    _, inputs, height, width = layer.weight.shape
    if inputs not in INPUTS:
        return None, f"the first convolution, {name}, takes {inputs} channels: no image"
    if min(height, width) < 3:
        return None, f"the first convolution, {name}, has a {height} x {width} kernel: nothing to see in it"
    if layer.weight.numel > MOST_ENTRIES or max(height, width) > WIDEST:
        return None, f"the first convolution, {name}, is too large for a first layer"
    return layer, ""


def judge(filters: Filters, learned: bool | None) -> Verdict | None:
    """Filters that are noise although the run should have learned something."""
    if learned is not False or not filters.powerful or filters.departure >= DEPARTURE:
        return None
    because = (
        f"{called(filters.layer.name)}: {filters.structured} of {filters.count} filters differ from noise (all "
        f"together by {filters.departure:.1f} standard deviations) and the run has not learned"
    )
    return Verdict("underfitting", "suspected", "inferred", because, "weights")


def _title(filters: Filters) -> str:
    found = f"{filters.structured} of {filters.count} structured"
    if filters.departure < DEPARTURE:
        found += ", as noise would be" if filters.powerful else ", too few or too small to tell from noise"
    return f"filters of {called(filters.layer.name)}: {found}"


def _measures(filters: Filters, last: Checkpoint) -> tuple[Measure, ...]:
    where = f"{last.path}: {filters.layer.weight.name}"
    kept = [strongest(kernel)[1] for kernel in filters.values]
    _, channels, height, width = filters.values.shape
    found = [
        Measure("filters unlike noise", filters.structured, "", f"|z| > {STRUCTURED:g}", where),
        Measure("filters", filters.count, f"of {channels} x {height} x {width}", where=where),
        Measure("departure of all from noise", filters.departure, "standard deviations", f"< {DEPARTURE:g}", where),
    ]
    if channels > 1:
        found.append(Measure("of a filter's energy kept in its picture (median)", 100 * float(np.median(kept)), "%"))
    return tuple(found)


def _plot(filters: Filters) -> Plot:
    order = np.argsort(-filters.scores, kind="stable")
    some = order[np.unique(np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int))]
    images = tuple(
        Image(f"#{i} z {filters.scores[i]:.1f}", tuple(map(tuple, strongest(filters.values[i])[0].tolist())))
        for i in map(int, some)
    )
    many = f"{len(some)} of {filters.count} filters" if len(some) < filters.count else "filters"
    title = f"{many} of {called(filters.layer.name)}, from the least to the most like noise, each on its own scale"
    return Plot(title, "images", images=images)
