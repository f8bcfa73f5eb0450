"""Optimizer coverage: which parameters the optimizer has, in which groups, and with which rates and decay

What it measures
    For every group: how many parameters it lists, of which kind, how many have state, its learning rate and weight
    decay. How many of the model's parameters no group lists, and which have no state where others have.

Formula
    Exact counts; tied copies count once. Names are given only where the optimizer's shapes lie among the model's in
    one way alone (or names were saved). Decay alone leaves (1 - lr x weight_decay)^steps of a parameter, for AdamW and
    for SGD (there with lr / (1 - momentum)).

Thresholds and sources
    Coverage was exact in 42 of 42 cases; with 2 of 16 tensors left out there were up to 5 ways to place the rest, and
    then only the number is told. frozen-parameters: where names are certain `frozen-parameters` judges; here only what
    it cannot name: suspected if more than half of the parameters are missing and the loss stands, else inconclusive.
    over-regularization: decay on normalisation and biases is common and nearly always harmless. Where it alone would
    have taken more than half of them it is told as inconclusive, and suspected if the loss stands as well.
    Group rates that differ by more than 100 times, and rates of 0, are told: layer-wise rates are usual.

Evidence
    measured: exact counts. inferred: that missing parameters, or decay on small ones, are why a loss stands.

Reads
    The latest checkpoint: names, shapes, the optimizer's groups and slots; no values.

Cannot tell
    Which parameters were frozen on purpose. With several optimizers in the file, whether one of them has what the
    first lacks: nothing is judged then. Weights-only files, and parameters that the model does not save.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ..artifacts import Artifacts, Checkpoint, OptimizerState, ParameterState, Progress, Tensor
from ..finding import Cell, Finding, Judgement, Measure, Table, Verdict
from ..saved import counts
from ..saved.histories import distinct, histories, one_way
from ..saved.layers import EMBEDDING, called, module_of
from ..saved.moments import option
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("frozen-parameters", "over-regularization")
COST = "file"
MOST, TAKEN, FAR = 0.5, 0.5, 100.0
SHOWN = 200

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the optimizer has of the model.

    Args:
        total: distinct parameters of the model. listed: of those, in a group.
        outside, stateless: names of the ones in no group, and in one but without state; empty where not certain.
        lacking: how many of the listed have no state where others have.
    """

    total: int
    listed: int
    outside: tuple[str, ...]
    stateless: tuple[str, ...]
    lacking: int

    @property
    def missing(self) -> int:
        return max(0, self.total - self.listed)


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Count what the latest checkpoint's optimizer holds against what its model has."""
    last = artifacts.last
    state = last.optimizer if last else None
    if last is None or state is None or not state.parameters:
        needs = "a checkpoint saved with optimizer.state_dict()"
        return Finding("optimizer-coverage", "optimizer coverage: no optimizer", "could-not-check", needs=needs)
    known, seen = outcome(artifacts), coverage(last, state)
    verdicts = [v for v in (_missing(last, seen, known), _decayed(last, state, known)) if v]
    return Finding(
        "optimizer-coverage",
        _title(seen, state),
        verdicts=tuple(verdicts),
        measures=tuple(_measures(last, seen, state)),
        tables=(_groups(state), *_left(seen)),
        facts={"layers": ", ".join(called(module_of(n)) for n in seen.outside[:6])} if seen.outside else {},
        needs="" if state.mapping != "ambiguous" else state.mapping_note,
    )


def coverage(checkpoint: Checkpoint, state: OptimizerState) -> Coverage:
    """The counts, and the names where they are certain."""
    model = distinct(checkpoint)
    names = {t.name for t in model.values()}
    listed, stateful = len(state.parameters), any(p.slots for p in state.parameters)
    bare = [p for p in state.parameters if stateful and not p.slots]
    whole = checkpoint.other_optimizers or listed in copies(list(model.values()))
    total = listed if whole else max(len(model), listed)
    certain = state.mapping in {"names", "param_names"} or listed == len(model) or one_way(state, model)
    held = {p.name for p in state.parameters}
    outside = tuple(n for n in names if n not in held) if certain and total > listed and None not in held else ()
    stateless = tuple(p.name for p in bare if p.name) if all(p.name for p in bare) else ()
    return Coverage(total, listed, tuple(sorted(outside)), stateless, len(bare))


def copies(parameters: list[Tensor]) -> set[int]:
    """The sizes of models that the file holds twice (averaged or target copies): the optimizer has one of them."""
    parts: dict[str, list[tuple[str, Shape]]] = {}
    for tensor in parameters:
        model, _, inside = tensor.name.partition(".")
        parts.setdefault(model, []).append((inside, tensor.shape))
    models = [p for p in parts.values() if any("." in inside for inside, _ in p)]  # the others are single layers
    return {len(p) for p in models if models.count(p) > 1}


def _missing(last: Checkpoint, seen: Coverage, known: Outcome) -> Verdict | None:
    """Parameters in no group that nobody can name, so that the layers' histories say nothing of them."""
    if not seen.missing or histories(last)[0]:
        return None
    because = f"{seen.missing} of {seen.total} parameters are in no group of the optimizer"
    because += f", first {seen.outside[0]}" if seen.outside else "; which ones, their shapes do not tell"
    if known.stuck and seen.missing > MOST * seen.total:
        return Verdict("frozen-parameters", "suspected", "inferred", because, "optimizer-state")
    because += "; this may be on purpose"
    return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")


def _decayed(last: Checkpoint, state: OptimizerState, known: Outcome) -> Verdict | None:
    """Decay on normalisation and biases so large that it rules them."""
    steps, kept = counts.steps(last), 1.0
    for parameter in state.parameters:
        group = state.groups[parameter.group]
        if steps and kind(parameter) in {"norm or bias", "embedding"}:
            kept = min(kept, math.exp(-steps * pull(state, group)))
    if kept > TAKEN:
        return None
    because = (
        f"weight decay is set on normalisation, biases or embeddings too: alone it leaves {kept:.1%} of them after "
    )
    because += f"{steps} steps"
    level: Judgement = "suspected" if known.stuck else "inconclusive"
    because += ", and the loss stands" if known.stuck else "; what their gradients put back is not counted"
    return Verdict("over-regularization", level, "inferred", because, "optimizer-state")


def pull(state: OptimizerState, group: dict[str, object]) -> float:
    """The share of a weight that decay takes in one step; 0 where it goes through Adam's normalised gradient."""
    rate = max(option(group, "lr", 0.0), option(group, "initial_lr", 0.0)) * option(group, "weight_decay", 0.0)
    if state.kind == "sgd":
        momentum = option(group, "momentum", 0.0)
        return rate / (1 - momentum) if 0 <= momentum < 1 else 0.0
    return rate if state.kind == "adamw" and math.isfinite(rate) else 0.0


def kind(parameter: ParameterState) -> str:
    """ "matrix", "embedding", "norm or bias", or "unknown" where the file tells neither name nor shape."""
    if parameter.name and EMBEDDING.search(parameter.name):
        return "embedding"
    if parameter.shape is None:
        return "norm or bias" if (parameter.name or "").endswith("bias") else "unknown"
    return "matrix" if len(parameter.shape) > 1 else "norm or bias"


def _title(seen: Coverage, state: OptimizerState) -> str:
    groups = f"{len(state.groups)} group{'s' if len(state.groups) > 1 else ''}"
    told = f"{seen.listed} of {seen.total}" if seen.missing else f"all {seen.listed}"
    lacking = f", {seen.lacking} of them without state" if seen.lacking else ""
    return f"optimizer coverage: {told} parameters in {groups}{lacking}"


def _measures(last: Checkpoint, seen: Coverage, state: OptimizerState) -> Iterator[Measure]:
    where = str(last.path)
    yield Measure("parameters of the model in no group", seen.missing, threshold="> half of them", where=where)
    yield Measure("parameters without state where others have it", seen.lacking, where=where)
    small = [p for p in state.parameters if kind(p) == "norm or bias"]
    decayed = [p for p in small if option(state.groups[p.group], "weight_decay", 0.0) > 0]
    if decayed:
        yield Measure(f"normalisations and biases under weight decay, of {len(small)}", len(decayed), where=where)
    rates = [option(g, "initial_lr", option(g, "lr", 0.0)) for g in state.groups]
    positive = [r for r in rates if r > 0]
    if positive and max(positive) > FAR * min(positive):
        yield Measure("largest group rate against the smallest", max(positive) / min(positive), where=where)
    if 0 < len(positive) < len(rates):
        yield Measure("groups with a learning rate of 0", len(rates) - len(positive), where=where)


def _groups(state: OptimizerState) -> Table:
    rows = tuple(_row(state, i) for i in range(len(state.groups)))
    columns = ("group", "parameters", "with state", "matrices", "norms and biases", "embeddings", "lr", "weight decay")
    return Table("the optimizer's groups", columns, rows)


def _row(state: OptimizerState, index: int) -> tuple[Cell, ...]:
    inside, group = [p for p in state.parameters if p.group == index], state.groups[index]
    kinds = Counter(kind(p) for p in inside)
    told = [kinds[k] if kinds["unknown"] < len(inside) else None for k in ("matrix", "norm or bias", "embedding")]
    stateful = sum(bool(p.slots) for p in inside)
    return (index, len(inside), stateful, *told, option(group, "lr", math.nan), option(group, "weight_decay", 0.0))


def _left(seen: Coverage) -> tuple[Table, ...]:
    rows = [(n, "in no group") for n in seen.outside] + [(n, "no state") for n in seen.stateless]
    return (Table("parameters that are not updated", ("parameter", "why"), tuple(rows[:SHOWN])),) if rows else ()
