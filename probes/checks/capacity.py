"""Capacity: how many parameters, where they are, and how narrow the model gets

What it measures
    Parameters in all and by layer, how many of them the optimizer holds state for; the number of hidden layers, the
    narrowest of them and the head; and, where it can be known, how many training samples there were.

Formula
    Parameters: entries of all floating tensors but buffers, shared ones once. Hidden layers: weight matrices before the
    last one, embeddings left out. Samples: a saved setting (train_size, num_train_samples ...), else the rows of a data
    file named as training data, else steps / epochs x batch size.

Thresholds and sources
    underfitting: suspected where the logs say that a classifier has not learned its training data either (at chance,
    or less than half the way from chance to perfect accuracy, and no longer improving: at most 15 % of the fall in the
    last third) and the file holds no hidden layer, or a chain of dense layers with a hidden one of fewer than
    log2(classes) units (so many on-off units cannot tell the classes apart). No bound holds for
    smooth units, so it is never more than suspected. missing-nonlinearity: suspected in such a run where the file is
    one bare nn.Sequential of dense layers under consecutive numbers: an activation would have a number of its own.

Evidence
    inferred: counts and shapes are exact, but no bound ties a width to what smooth units can learn.

Reads
    Shapes in the latest checkpoint; its settings, counters and optimizer state; data files; the logs.

Cannot tell
    Whether a model is too large: nets with many more parameters than samples generalise well (Zhang et al. 2017), so
    that ratio is told and never judged. Whether a linear model is enough for the data. Widths of models whose layers
    do not form a chain. Layers that are saved in another file.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from ..artifacts import Artifacts, Checkpoint, Progress
from ..finding import Finding, Measure, Table, Verdict
from ..saved import statistics
from ..saved.layers import EMBEDDING, Layer, called, depth, parameters
from ..saved.samples import Samples, training_samples
from ..series import curves
from ..series.outcome import Outcome, finite, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("underfitting", "missing-nonlinearity")
COST = "file"
HALF = 0.5
IMPROVING = 0.15
ENOUGH = 8


@dataclass(frozen=True, slots=True)
class Capacity:
    """Sizes in one checkpoint.

    Args:
        total: parameters, shared ones once. `stated`: those with optimizer state (plain SGD keeps none).
        layers: the weight matrices in forward order, the head last.
        hidden: how many matrices come before the head; None if there are matrices of an unknown kind.
        narrowest: the hidden layer of fewest units, where the layers are a chain of dense ones.
    """

    total: int
    stated: int
    layers: tuple[Layer, ...]
    hidden: int | None
    narrowest: Layer | None


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Count, and hold the narrowest place against what the logs say."""
    last = artifacts.last
    sizes = measure(last) if last is not None else None
    if last is None or sizes is None:
        needs = "a checkpoint with weights"
        return Finding("capacity", "no parameters", "could-not-check", needs=needs)
    known, samples = outcome(artifacts), training_samples(artifacts)
    verdict = judge(sizes, known)
    return Finding(
        "capacity",
        _title(sizes, samples),
        verdicts=(verdict,) if verdict else (),
        measures=_measures(sizes, samples, known, last),
        tables=(_table(sizes),),
        facts=_facts(sizes, samples) if verdict else {},
        needs="" if samples else "the number of training samples: a data file named train, or a saved setting",
    )


def measure(checkpoint: Checkpoint) -> Capacity | None:
    """The sizes in a checkpoint; None without parameters."""
    own = parameters(checkpoint)
    if not own:
        return None
    total = sum(t.numel for t in {statistics.key(t): t for t in own.values()}.values())
    state = checkpoint.optimizer
    stated = sum(math.prod(p.shape) for p in state.parameters if p.shape is not None) if state else 0
    layers = depth(checkpoint)
    matrices = {x.weight.name for x in layers}
    strange = [n for n, t in own.items() if len(t.shape) > 1 and t.name not in matrices and not EMBEDDING.search(n)]
    hidden = len(layers) - 1 if layers and not strange else None
    chain = bool(hidden) and all(
        a.kind == b.kind == "dense" and b.weight.shape[1] == a.units for a, b in itertools.pairwise(layers)
    )
    narrowest = min(layers[:-1], key=lambda x: x.units) if chain else None
    return Capacity(total, stated, layers, hidden, narrowest)


def judge(sizes: Capacity, known: Outcome) -> Verdict | None:
    """A model too narrow for what it was to learn, where the logs say that it did not."""
    poor = _poor(known)
    if not poor:
        return None
    if sizes.hidden == 0:
        because = (
            "the file holds one weight matrix and no hidden layer (a linear model, unless others were not saved), "
            f"and {poor}"
        )
        return Verdict("underfitting", "suspected", "inferred", because, "weights")
    if sizes.hidden and _side_by_side(sizes.layers):
        because = (
            f"the {len(sizes.layers)} dense layers follow each other under the numbers {sizes.layers[0].name} to "
            f"{sizes.layers[-1].name} with no room for an activation: together they are one linear layer, and {poor}"
        )
        return Verdict("missing-nonlinearity", "suspected", "inferred", because, "weights")
    narrow = sizes.narrowest
    if narrow is None or known.classes is None or 2**narrow.units >= known.classes:
        return None
    because = (
        f"{called(narrow.name)} has {narrow.units} unit{'s' if narrow.units > 1 else ''} before a head of "
        f"{known.classes} classes (fewer than log2 of that), and {poor}"
    )
    return Verdict("underfitting", "suspected", "inferred", because, "weights")


def _side_by_side(layers: tuple[Layer, ...]) -> bool:
    """Whether dense layers are the neighbouring members of one nn.Sequential that is the whole model."""
    if not all(x.kind == "dense" and x.name.isdigit() for x in layers):
        return False
    return all(int(b.name) == int(a.name) + 1 for a, b in itertools.pairwise(layers))


def _poor(known: Outcome) -> str:
    """Why the logs say that the training data was not learned and no longer will be; empty if they do not."""
    y = finite(known.main)
    if known.games or known.classes is None or known.learned is not False or len(y) < ENOUGH:
        return ""
    if known.main is not None and curves.stays_bad(known.main.y):
        return ""
    skill = known.skill(known.train_accuracy if known.train_accuracy else known.val_accuracy)
    if known.at_chance(known.main):
        return f"{known.main.name if known.main else 'the loss'} ends at chance"
    start, end = curves.ends(y)
    if skill is None or skill >= HALF or (end < start and curves.still_falling(y) > IMPROVING):
        return ""
    return f"training accuracy stands {skill:.0%} of the way from chance to perfect"


def _title(sizes: Capacity, samples: Samples | None) -> str:
    title = f"{sizes.total:,} parameters"
    if sizes.hidden == 0:
        title += " and no hidden layer"
    elif sizes.layers:
        title += f" in {len(sizes.layers)} weight matrices"
    if samples:
        title += f", {'about ' if samples.about else ''}{samples.count:,} training samples"
    return title


def _measures(sizes: Capacity, samples: Samples | None, known: Outcome, last: Checkpoint) -> tuple[Measure, ...]:
    where = str(last.path)
    found = [Measure("parameters", sizes.total, where=where)]
    if sizes.stated:
        found.append(Measure("parameters with optimizer state", sizes.stated, where=where))
    if sizes.hidden is not None:
        limit = "0, in a classifier that has not learned"
        found.append(Measure("weight matrices before the last one", sizes.hidden, "", limit))
    if sizes.narrowest is not None:
        bound = f"< log2 of {known.classes} classes" if known.classes else None
        name = f"narrowest hidden layer: {called(sizes.narrowest.name)}"
        found.append(Measure(name, sizes.narrowest.units, "units", bound))
    if sizes.layers:
        found.append(Measure(f"outputs of the last matrix, {called(sizes.layers[-1].name)}", sizes.layers[-1].units))
    if samples:
        found.append(Measure("training samples", samples.count, where=samples.source))
        found.append(Measure("parameters per training sample (told, not judged)", sizes.total / samples.count))
    return tuple(found)


def _table(sizes: Capacity) -> Table:
    rows = [
        (x.name, x.kind, " x ".join(map(str, x.weight.shape)), x.weight.numel, 100 * x.weight.numel / sizes.total)
        for x in sizes.layers
    ]
    rest = sizes.total - sum(x.weight.numel for x in sizes.layers)
    if rest > 0:
        rows.append(("all else: biases, norms, embeddings", "", "", rest, 100 * rest / sizes.total))
    return Table("parameters by layer", ("layer", "kind", "shape", "parameters", "% of all"), tuple(rows))


def _facts(sizes: Capacity, samples: Samples | None) -> dict[str, str]:
    facts = {"parameters": f"{sizes.total:,}"}
    if sizes.narrowest is not None:
        facts["worst_layer"] = called(sizes.narrowest.name)
    return facts | ({"samples": f"{samples.count:,}"} if samples else {})
