"""Dead units: units that no longer receive any gradient

What it measures
    From a checkpoint alone: for every hidden layer, how many units have had no gradient for about 150 steps (dead),
    for about 75 steps (dead or nearly), or never. Where the code names ReLU: units that are below 0 for every input
    there can be (bounds), and units that their batch normalisation keeps far below 0. With a target file: how many
    units of every ReLU output zero on every sample of one batch.

Formula
    Adam family: c = sum m^2 / sum v^ over the unit's incoming row and bias (or its normalisation's two entries), and
    the same over its outgoing column; the larger one counts. c falls by b1^2/b2 a step once gradients stop. A v of
    exactly 0 means no gradient ever. SGD with momentum: mean square of the buffer's row over the largest tensor's;
    with weight decay: the sine between buffer and weights. RMSprop: the row's square average over the layer's q90.
    Bounds of w x + b: after a layer normalisation w beta + b +- sqrt(d) |P(w gamma)|, P = removal of the mean; after an
    LSTM or GRU b +- sum |w|; after a ReLU b, where no weight is positive. Batch normalisation: Phi(beta / |gamma|).

Thresholds and sources
    dead: c < 1e-15 (151 steps at betas .9/.999; precision .988 on 64 runs kept aside, 36,736 units). nearly: c < 1e-8
    (precision .944, not used where the net has converged: q90 of c < 0.02). Both also need c < 2e-3 x the q90 of the
    liveliest layer, so that a run whose gradients fade everywhere is not called dead. SGD 1e-12, coupled weight decay
    1e-7, RMSprop 1e-6: less precise, never more than suspected.
    Dead units are normal: healthy nets have a median of 4 % and single layers up to 38 %. So confirmed above 50 % of
    a layer, suspected above 30 %, ruled out below 20 %; one level less where the logs show that the run learns. On a
    batch alone: confirmed above 2/3, since a unit that fires on 1 % of the inputs is often silent on a whole batch.
    Bounds with a margin of 1e-6 were never wrong in 185,136 units; they find 0.5 % of the dead units of healthy nets
    and 2 to 33 % after a collapse. Phi < 1e-4: 0.999 of such units were dead; suspected at most.

Evidence
    proved: bounds for every input there can be. measured: no gradient for 150 steps or ever, zeros on a batch.
    inferred: what SGD, RMSprop or coupled decay let through, 75 steps, batch normalisation's rates; and that a unit
    without gradient is a dead ReLU where no ReLU is named.

Reads
    The latest checkpoint's optimizer state and weights. A target or script as text, and the file's own settings and
    class names: do they name ReLU? A target that may be run: one forward pass. Layers that have a bound are kept whole
    in the shared pass, 384 MB with those of other probes; beyond that they are read again.

Cannot tell
    Which activation follows a layer is seldom in the file: where nothing names ReLU, units without gradient are called
    starved. Units that died within the last 75 steps. Plain SGD, no optimizer state, an 8-bit or sharded one, fewer
    than 160 steps; a run in which no parameter receives a gradient any more. Weight decay that may or may not lie in
    the gradients (Adam or AdamW, old files): units found are certain, few found rules nothing out. Embeddings and
    experts: what is never used is no dead unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..artifacts import Artifacts, Checkpoint, Progress, Tensor
from ..errors import Unreadable
from ..finding import Curve, Finding, Judgement, Measure, Plot, Table, Verdict
from ..model.target import Silence, batch, fit, load_target, silences, wanted
from ..saved import layers, moments, statistics
from ..saved.bounds import Proof, proofs, reads
from ..saved.firing import Normed, behind_batch_norm
from ..saved.layers import called
from ..saved.starved import Starved, blamed, starved
from ..series.outcome import outcome

NEEDS = ("checkpoint", "target")
SPEAKS_TO = ("dead-relu", "saturated-activations")
COST = "file"
CONFIRMED, SUSPECTED, NORMAL = 0.5, 0.3, 0.2
BATCH_ALONE = 2 / 3
HARMFUL = 0.9
"""In a run that learns, a layer with fewer dead units than this is told, not accused."""
OTHERS = re.compile(
    r"gelu|silu|swish|tanh|sigmoid|leaky_?relu|p?relu6?_?\W*slope|(?<![a-z])[cs]?elu\b|mish\b|softplus", re.I
)
ACTIVATION = re.compile(r"(^|_)act(ivation)?s?(_|$)|nonlinearity", re.I)
"""Keys of settings that name an activation: "hidden_act", "activation_fn"."""
RELU = re.compile(r"(?<![a-z_])relu(?![a-z])", re.I)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was gathered: from the file (or why not), from the batch (or why not), from the text."""

    file: list[Starved]
    file_why: str
    units: list[Silence] | None
    batch_why: str
    relu: bool | None
    zero_rows: dict[str, int]
    learned: bool | None
    proved: list[Proof]
    normed: list[Normed]


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Compare the optimizer's state of the latest checkpoint with the ReLU outputs on one batch, if there is one."""
    last = artifacts.last
    seen = gather(artifacts, progress)
    judged = [s for s in seen.file if not s.why_not]
    if not judged and seen.units is None and not _by_weights(seen):
        why = seen.file_why or "; ".join(sorted({s.why_not for s in seen.file})) or seen.batch_why
        return Finding(
            "dead-units",
            f"dead units: {why}",
            "could-not-check",
            tables=_tables(seen),
            needs="a checkpoint with the state of Adam or of SGD with momentum, or a target file (--target)",
        )
    verdicts = judge(seen)
    return Finding(
        "dead-units",
        _title(seen),
        verdicts=tuple(verdicts),
        measures=_measures(seen, last),
        tables=_tables(seen),
        plots=_plots(seen),
        facts=_facts(seen, last),
        needs="" if seen.units is not None else wanted(artifacts, "which units fire on a batch", seen.batch_why),
    )


def gather(artifacts: Artifacts, progress: Progress) -> Seen:
    """Read the state, and run one forward pass if a target is given."""
    last = artifacts.last
    progress(0.0, "optimizer state")
    file, why = starved(last) if last else ([], "there is no checkpoint")
    units, batch_why = None, "no target file was given"
    if artifacts.target is not None:
        progress(0.5, "one batch")
        try:
            target = load_target(artifacts.target)
            whole = next((c for c in reversed(artifacts.checkpoints) if statistics.of(c).finite), None)
            model = fit(target, whole)
            units, batch_why = silences(target, model.model, batch(target)[0]), model.note
        except Unreadable as error:
            batch_why = str(error)
    relu = names_relu(artifacts)
    return Seen(
        file,
        why,
        units,
        batch_why,
        relu,
        _zero_rows(last) if last else {},
        outcome(artifacts).learned,
        _followed(last, proofs(last, relu=True)) if last and relu else [],
        behind_batch_norm(last) if last and relu else [],
    )


def whole(artifacts: Artifacts) -> list[Tensor]:
    """What bounds are computed from, where the code names ReLU."""
    return reads(artifacts.last) if artifacts.last is not None and names_relu(artifacts) else []


def names_relu(artifacts: Artifacts) -> bool | None:
    """Whether the texts name ReLU and nothing else (True), only other activations (False), or both or none (None)."""
    text = "\n".join((artifacts.code, *(_named(c) for c in artifacts.checkpoints[-1:])))
    relu, others = RELU.search(text) is not None, OTHERS.search(text) is not None
    return relu if relu != others else None


def _followed(checkpoint: Checkpoint, found: list[Proof]) -> list[Proof]:
    """Those of layers that the next one reads: gates and heads in the middle of a file have no ReLU after them."""
    read = {x.name for x in layers.depth(checkpoint) if x.next is not None or x.kind == "conv"}
    return [p for p in found if p.layer in read]


def _named(checkpoint: Checkpoint) -> str:
    """Activations that the file itself names: among its settings, or as a class of a model that was saved whole."""
    return "\n".join((*checkpoint.refused, *_settings(checkpoint.hyper)))


def _settings(hyper: object, depth: int = 0) -> Iterator[str]:
    for key, value in hyper.items() if isinstance(hyper, dict) and depth < 4 else ():
        if isinstance(value, str) and ACTIVATION.search(str(key)):
            yield value
        yield from _settings(value, depth + 1)


def _zero_rows(checkpoint: Checkpoint) -> dict[str, int]:
    """Units whose incoming weights are all exactly zero, by layer."""
    found = {}
    for layer in layers.depth(checkpoint):
        if layer.kind in {"dense", "conv"}:
            count = int((statistics.of(checkpoint).values(layer.weight).rows == 0).sum())
            if count:
                found[layer.name] = count
    return found


def judge(seen: Seen) -> list[Verdict]:
    """The verdicts of the file and of the batch; they count once in the end, the batch's own source apart."""
    file = [s for s in seen.file if not s.why_not]
    verdicts = [_by_file(seen, file)] if file else []
    if seen.units is not None:
        verdicts.append(_by_batch(seen, file))
    verdicts += _by_weights(seen)
    verdicts += _by_flat_end(seen, blamed(file))
    stuck = max(file, key=lambda s: s.saturated / s.units, default=None)
    if stuck is not None and stuck.saturated > CONFIRMED * stuck.units and not seen.relu:
        because = (
            f"{stuck.saturated} of {stuck.units} units of {called(stuck.layer)} receive no gradient while their "
            "outgoing weights still learn: they are stuck at a value that is not zero"
        )
        because += ", yet the run learns" if seen.learned else ""
        verdicts.append(Verdict("saturated-activations", "suspected", "inferred", because, "optimizer-state"))
    return verdicts


def _by_flat_end(seen: Seen, own: list[Starved]) -> list[Verdict]:
    """Starved units of a smooth activation: they sit where it is flat."""
    worst = max(own, key=lambda s: s.dead / s.units, default=None)
    if seen.relu is not False or worst is None or worst.dead <= CONFIRMED * worst.units:
        return []
    because = (
        f"{worst.dead} of {worst.units} units of {called(worst.layer)} are starved: no gradient for 150 steps or more, "
        "and no ReLU is named; they sit at the flat end of their activation and may come back"
    )
    because += ", yet the run learns" if seen.learned else ""
    level: Judgement = "inconclusive" if seen.learned else "suspected"
    return [Verdict("saturated-activations", level, "inferred", because, "optimizer-state")]


def _by_file(seen: Seen, file: list[Starved]) -> Verdict:
    own = blamed(file)
    worst = max(own, key=lambda s: (s.dead / s.units, s.nearly / s.units))
    dead, nearly = worst.dead / worst.units, max(s.nearly / s.units for s in own)
    when = f"for about {worst.age:.0f} steps" if worst.age and worst.age < 800 else "for at least 150 steps"
    when = "at any step" if worst.dead and worst.never == worst.dead else when
    because = f"{worst.dead} of {worst.units} units of {called(worst.layer)} have received no gradient {when}"
    if nearly > dead and dead <= CONFIRMED:
        worst = max(own, key=lambda s: s.nearly / s.units)
        because = (
            f"{worst.nearly} of {worst.units} units of {called(worst.layer)} look as if no gradient had come lately"
        )
    before = file[max(0, file.index(worst) - 1)]
    if worst.nearly == worst.units and before is not worst and before.nearly == before.units:
        because += "; through it none comes back to the layers before it"
    if max(dead, nearly) <= NORMAL or seen.relu is False:
        starved = "; no ReLU is named, so such units are starved and may come back"
        because += starved if seen.relu is False else f"; up to {NORMAL:.0%} of a layer is common"
        if seen.relu is not False and any(s.blind for s in file):
            because += ", but this optimizer's state shows only some of them"
            return Verdict("dead-relu", "inconclusive", "measured", because, "optimizer-state")
        return Verdict("dead-relu", "ruled_out", "measured", because, "optimizer-state")
    unknown = (
        ": they are starved. Which activation follows is not known: behind a ReLU they are dead, behind GELU, SiLU or "
        "tanh stuck at its flat end"
    )
    because += {True: ", and the code names ReLU", None: unknown}[seen.relu]
    if seen.learned and max(dead, nearly) <= HARMFUL:
        because += ", yet the run learns"
        level: Judgement = "suspected" if dead > CONFIRMED else "inconclusive"
    else:
        level = "confirmed" if dead > CONFIRMED and seen.relu else "suspected"
        level = level if dead > SUSPECTED or nearly > CONFIRMED else "inconclusive"
    return Verdict("dead-relu", level, "measured" if level == "confirmed" else "inferred", because, "optimizer-state")


def _by_weights(seen: Seen) -> list[Verdict]:
    """Units that no input can wake, by bounds; units behind a batch normalisation that hardly any can."""
    alive = {s.layer: s.units - s.nearly for s in seen.file if not s.why_not}
    worst = max(seen.proved, key=lambda p: p.silent / p.units, default=None)
    if worst is not None and worst.silent > CONFIRMED * worst.units:
        because = (
            f"{worst.silent} of {worst.units} units of {called(worst.layer)} are below 0 for every input there can be, "
            f"as {worst.given}"
        )
        level: Judgement = "suspected" if seen.learned else "confirmed"
        return [Verdict("dead-relu", level, "proved", because, "weights")]
    quiet = max(seen.normed, key=lambda n: n.silent / n.units, default=None)
    if quiet is None or quiet.silent <= CONFIRMED * quiet.units or alive.get(quiet.layer, 0) > CONFIRMED * quiet.units:
        return []
    because = (
        f"{quiet.silent} of {quiet.units} units of {called(quiet.layer)} lie 3.7 standard deviations or more below 0 "
        "by their batch normalisation"
    )
    level = "inconclusive" if seen.learned else "suspected"
    return [Verdict("dead-relu", level, "inferred", because, "weights")]


def _by_batch(seen: Seen, file: list[Starved]) -> Verdict:
    if not seen.units:
        return Verdict("dead-relu", "ruled_out", "measured", "the forward pass goes through no ReLU", "batch")
    worst = max(seen.units, key=lambda s: s.silent / s.units)
    share = worst.silent / worst.units
    place = called(worst.layer) if worst.layer else "the input"
    because = f"{worst.silent} of {worst.units} units after {place} are 0 on all {worst.samples} samples of the batch"
    by_name = {layers.strip(s.layer): s for s in file}
    same = by_name.get(layers.strip(worst.layer))
    agrees = same is not None and same.nearly / same.units > SUSPECTED
    against = same is not None and same.nearly / same.units < NORMAL
    if agrees and same is not None:
        because += f"; the optimizer's state says the same of {same.nearly}"
    if seen.learned and share <= HARMFUL:
        level: Judgement = "suspected" if share > CONFIRMED and agrees else "inconclusive"
        level = "ruled_out" if share <= NORMAL else level
        return Verdict(
            "dead-relu", level, "measured", because + ("" if share <= NORMAL else ", yet the run learns"), "batch"
        )
    if share > CONFIRMED and (agrees or (share > BATCH_ALONE and not against)):
        return Verdict("dead-relu", "confirmed", "measured", because, "batch")
    if share > CONFIRMED and against and same is not None:
        because += f", but {same.units - same.nearly} of them received a gradient lately: they fire on other samples"
        return Verdict("dead-relu", "inconclusive", "measured", because, "batch")
    if share > NORMAL:
        return Verdict("dead-relu", "suspected" if share > CONFIRMED else "inconclusive", "measured", because, "batch")
    return Verdict("dead-relu", "ruled_out", "measured", because, "batch")


def _worst(seen: Seen) -> tuple[str, int, int]:
    """(layer, silent units, units) of the layer with the largest share, by the batch if there was one."""
    found = [(s.layer, s.silent, s.units) for s in seen.units or []]
    found = found or [(s.layer, s.dead, s.units) for s in blamed([s for s in seen.file if not s.why_not])]
    found = found or [(p.layer, p.silent, p.units) for p in seen.proved]
    return max(found, key=lambda f: f[1] / f[2], default=("", 0, 1))


def _title(seen: Seen) -> str:
    layer, dead, units = _worst(seen)
    word = "dead units" if seen.relu or seen.units else "starved units"
    return f"{word} in {called(layer)}: {dead} of {units}" if dead else f"no {word} found"


def _facts(seen: Seen, last: Checkpoint | None) -> dict[str, str]:
    layer, dead, units = _worst(seen)
    if dead <= NORMAL * units:
        return {}
    found = [(s.layer, s.silent / s.units) for s in seen.units or []]
    found = found or [(s.layer, s.dead / s.units) for s in seen.file if not s.why_not]
    found = found or [(p.layer, p.silent / p.units) for p in seen.proved]
    facts = {
        "worst_layer": called(layer),
        "dead_share": f"{dead / units:.0%}",
        "units": f"{dead} of {units}",
        "layers": ", ".join(called(name) for name, share in found if share > SUSPECTED),
    }
    if last is not None:
        facts["checkpoint"] = last.path.name
        if last.optimizer is not None and last.optimizer.groups:
            facts["optimizer"] = last.optimizer.kind or ""
            facts["lr"] = f"{moments.option(last.optimizer.groups[0], 'lr', float('nan')):.3g}"
    return {k: v for k, v in facts.items() if v and v != "nan"}


def _measures(seen: Seen, last: Checkpoint | None) -> tuple[Measure, ...]:
    """The worst layer by the file, the worst by the batch, and all-zero rows; the tables have every layer."""
    where = str(last.path) if last else ""
    found = []
    file = max(blamed([s for s in seen.file if not s.why_not]), key=lambda s: s.dead / s.units, default=None)
    if file is not None:
        name = f"units of {called(file.layer)} without gradient"
        found.append(Measure(name, file.dead / file.units, threshold="> 0.5 of a layer", where=where))
    batch_ = max(seen.units or [], key=lambda s: s.silent / s.units, default=None)
    if batch_ is not None:
        name = f"units after {called(batch_.layer)} that are 0 on the whole batch"
        share = batch_.silent / batch_.units
        found.append(Measure(name, share, threshold="> 0.5 of a layer", where=f"{batch_.samples} samples"))
    if seen.zero_rows:
        layer, count = max(seen.zero_rows.items(), key=lambda row: row[1])
        found.append(Measure(f"rows of {called(layer)} that are all zero", count, where=where))
    return tuple(found)


def _tables(seen: Seen) -> tuple[Table, ...]:
    tables = []
    if seen.file:
        rows = tuple((s.layer, s.units, s.never, s.dead, s.nearly, s.saturated, s.age, s.why_not) for s in seen.file)
        columns = (
            "layer",
            "units",
            "never a gradient",
            "dead",
            "dead or nearly",
            "saturated",
            "median age",
            "not judged",
        )
        tables.append(Table("units without gradient", columns, rows))
    if seen.proved:
        proved = tuple((p.layer, p.units, p.silent, p.always, p.given) for p in seen.proved)
        heads = ("layer", "units", "never above 0", "always above 0", "given that")
        tables.append(Table("proved for every input, from the weights", heads, proved))
    if any(n.silent for n in seen.normed):
        normed = tuple((n.layer, n.units, n.silent) for n in seen.normed)
        tables.append(Table("silenced by their batch normalisation", ("layer", "units", "silent"), normed))
    if seen.units:
        rows_ = tuple((s.layer, s.units, s.silent, s.samples) for s in seen.units)
        tables.append(Table("ReLU outputs on the batch", ("after layer", "units", "always 0", "samples"), rows_))
    return tuple(tables)


def _plots(seen: Seen) -> tuple[Plot, ...]:
    bars = [(s.layer, s.silent / s.units) for s in seen.units or []]
    bars = bars or [(s.layer, s.dead / s.units) for s in seen.file if not s.why_not]
    if not bars:
        return ()
    curve = Curve("share of dead units", tuple(float(i) for i in range(len(bars))), tuple(b for _, b in bars))
    return (Plot("dead units by layer", "bars", (curve,), names=tuple(n for n, _ in bars), y_label="share of units"),)
