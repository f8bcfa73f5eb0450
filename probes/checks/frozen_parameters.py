"""Frozen parameters: which weight matrices were trained, stopped, skipped or never touched

What it measures
    For every weight matrix, from one checkpoint: whether the optimizer has it at all, whether it ever had a gradient,
    whether that was exactly 0 at every step, how many updates it missed, since when none came, and whether it still is
    what a usual uniform initialisation draws.

Formula
    Membership, presence of state, and each parameter's own step count, exactly. A second moment (SGD: a momentum
    buffer) of exactly 0: no gradient ever. Coherence sum m^2 / sum v^ below 1e-8 and below 2e-3 of the liveliest
    tensor's: none for about 75 steps. Untouched: |w| <= b = 1/sqrt(fan in), an entry within 12/n of b, and a
    Kolmogorov-Smirnov p above 0.001 against the uniform.

Thresholds and sources
    Coverage exact in 42 of 42 cases, histories in 156 of 180 (the misses are coupled weight decay, SGD and RMSprop).
    Untouched: 36 of 36 frozen tensors, 0 of 633 trained ones, 0 of 24 after five steps.
    Nothing in a file says why a layer is not trained: random features, reservoirs and adapters on a frozen body look
    as an accident does. So random, untrained matrices alone are suspected. Confirmed needs more: a loss that stands
    (log), or moments that were kept and are exactly 0 in a random matrix whose two neighbours are trained: what is
    frozen on purpose has no gradients to keep moments of, and beside dead units a neighbour stops, too. Matrices that
    are not at their random start (fine-tuning, parts that were loaded) are suspected only where the loss stands, or
    where gradients stopped between trained neighbours.
    In runs that have learned, random matrices are suspected only where the optimizer was given them to train and they
    never had a gradient (a branch that is detached or not used); the others are not judged. Nor are random copies of a
    trained network and whole networks that are not random (teachers, targets, losses), experts that nothing is routed
    to, a rate of 0. Missed updates are told: training in stages is common.

Evidence
    measured: which matrices are not trained, since when, and whether they are random; also their harm, where it is
    confirmed. inferred: that an accident is behind it, where it is only suspected.

Reads
    The latest checkpoint: optimizer state, and the weights that were not trained. The logs: whether it learned.

Cannot tell
    Whether it was on purpose: `requires_grad` is not saved. Plain SGD keeps nothing. Normal laws of
    initialisation have no sharp bound. Layers that the file does not hold at all: a plain Python list of layers is
    neither saved nor trained (a target file shows them).
"""

from __future__ import annotations

from ..artifacts import Artifacts, Checkpoint, Progress
from ..finding import Finding, Judgement, Kind, Measure, Table, Verdict
from ..saved import moments
from ..saved.histories import WORDS, History, histories
from ..saved.layers import EXPERT, called, copies, networks
from ..series.outcome import Outcome, outcome

NEEDS = ("checkpoint",)
SPEAKS_TO = ("frozen-parameters",)
COST = "file"


def run(artifacts: Artifacts, progress: Progress) -> Finding:
    """Judge each weight matrix's history in the latest checkpoint together with whether the run learned."""
    last = artifacts.last
    found, why = histories(last) if last is not None else ([], "there is no checkpoint")
    if last is None or not found:
        needs = "a checkpoint with the state of an optimizer that keeps some (Adam, SGD with momentum)"
        return Finding("frozen-parameters", f"frozen parameters: {why}", "could-not-check", needs=needs)
    still = [h for h in found if h.past != "trained"]
    verdict = judge(found, outcome(artifacts))
    return Finding(
        "frozen-parameters",
        f"{len(still)} of {len(found)} weight matrices are not being trained" if still else "all matrices are trained",
        verdicts=(verdict,) if verdict else (),
        measures=_measures(found, last),
        tables=(_table(found),),
        facts=_facts(still, last),
        needs="" if artifacts.target else "a target file (--target): it shows layers that the checkpoint lacks",
    )


def judge(found: list[History], known: Outcome) -> Verdict | None:
    """Random and untouched is a fault; a trained beginning that stands still is fine-tuning; the rest is between."""
    still = [h for h in found if h.past != "trained"]
    if not still:
        because = f"all {len(found)} weight matrices receive gradients and updates"
        level: Judgement = "inconclusive" if known.stuck else "ruled_out"
        return Verdict("frozen-parameters", level, "inferred", because, "optimizer-state")
    because = _because(still, len(found))
    fresh = [h for h in still if h.fresh]
    if len(still) == len(found):
        because += "; no matrix is trained any more, so this is no matter of single layers"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    if _aside(found, still):
        because += "; they are whole networks inside the model, as teachers, targets and losses are"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    if fresh:
        because += f"; {len(fresh)} of them still hold the random numbers they started with"
    if known.learned:
        return _beside_learning(found, fresh, because)
    if all(h.past == "overflowed" for h in still):
        because += "; overflow stopped them, which nonfinite-weights judges"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    cut = [h for h in still if h.past in {"zero", "stopped"}]
    alone = [h for h in cut if _neighbours_learn(found, h)]
    if len(cut) == len(still) and not alone and not known.stuck:
        because += "; their neighbours receive none either: look at dead units first"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    if len(cut) == len(still) and found[0].past != "trained":
        because += "; no gradient gets back to where the network begins: look at dead units first"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    return _intent(found, still, alone, known, because)


def _beside_learning(found: list[History], fresh: list[History], because: str) -> Verdict:
    """A run that learns without some of its matrices: random ones that it was given to train are hardly on purpose."""
    given = [h for h in fresh if h.past == "no-state" or (h.past == "zero" and _neighbours_learn(found, h))]
    if all(EXPERT.search(h.layer.name) for h in given):
        because += ", yet the run learns: this may be on purpose"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    because += "; the run learns without them, but its optimizer was given them to train: unless they are meant to be"
    because += " random, they are cut off (a detach, a branch that is not used)"
    return Verdict("frozen-parameters", "suspected", "inferred", because, "optimizer-state")


def _neighbours_learn(found: list[History], one: History) -> bool:
    """Whether the matrices before and after one are trained: then its units are not dead, nor those that it reads."""
    place = found.index(one)
    around = found[place - 1 : place + 2] if place else []
    return len(around) == 3 and all(h.past == "trained" for h in around if h is not one)


def _intent(found: list[History], still: list[History], alone: list[History], known: Outcome, because: str) -> Verdict:
    """By accident or on purpose: the loss, moments that were kept and stayed 0, and random numbers tell; otherwise the
    file cannot. `alone`: matrices without gradient between trained ones."""
    fresh = [h for h in still if h.fresh]
    level: Judgement = "inconclusive"
    if all(EXPERT.search(h.layer.name) for h in still):
        because += "; they are experts, to which no sample may have been routed"
    elif known.stuck:
        because += ", and the loss stands" if known.idle else ", and the loss hardly falls"
        level = "confirmed" if fresh and known.idle else "suspected"
    elif any(h.past == "zero" and h.fresh for h in alone):
        because += "; the optimizer kept moments of it, so it was to be trained, and the layers around it are"
        level = "confirmed"
    elif alone:
        because += "; the layers around it go on learning"
        level = "suspected"
    elif fresh and not all(h.past == "rate-0" for h in fresh):
        head = found[-1].fresh and "; the last layer is among them"
        because += head or "; whether on purpose (random features, a reservoir) the file cannot tell"
        level = "suspected"
    else:
        because += "; whether on purpose (fine-tuning, a part that was loaded) the file cannot tell"
    kind: Kind = "measured" if level == "confirmed" else "inferred"
    return Verdict("frozen-parameters", level, kind, because, "optimizer-state")


def _aside(found: list[History], still: list[History]) -> bool:
    """Whether what stands still is whole networks inside the model of which the optimizer has nothing: not random ones,
    or copies of one that is trained."""
    names = {h.layer.name for h in still}
    if any(h.past not in {"outside", "no-state"} for h in still):
        return False
    if any(h.fresh for h in still):
        return copies([h.layer for h in found], names)
    parts = networks(h.layer for h in found).values()
    return all(len(p) > 1 and all(x.name in names for x in p) for p in parts if any(x.name in names for x in p))


def _because(still: list[History], count: int) -> str:
    kinds = [f"{sum(h.past == past for h in still)} {words}" for past, words in WORDS.items()]
    told = ", ".join(k for k in kinds if not k.startswith("0 "))
    return (
        f"{len(still)} of {count} weight matrices are not being trained ({told}), first {called(still[0].layer.name)}"
    )


def _measures(found: list[History], last: Checkpoint) -> tuple[Measure, ...]:
    where = str(last.path)
    measures = [Measure("weight matrices that are not trained", sum(h.past != "trained" for h in found), where=where)]
    most = max(found, key=lambda h: h.missed)
    if most.missed:
        measures.append(Measure(f"updates that {called(most.layer.name)} missed", most.missed, "steps", where=where))
    listed = len(last.optimizer.parameters) if last.optimizer else 0
    measures.append(Measure("parameters in the optimizer", listed, where=where))
    return tuple(measures)


def _table(found: list[History]) -> Table:
    fresh = {True: "yes", False: "no", None: None}
    rows = tuple(
        (h.layer.name, WORDS[h.past], h.missed if h.past != "outside" else None, h.age, fresh[h.fresh]) for h in found
    )
    columns = ("layer", "training", "missed updates", "steps without gradient", "still as initialised")
    return Table("the training of each layer", columns, rows)


def _facts(still: list[History], last: Checkpoint) -> dict[str, str]:
    if not still:
        return {}
    facts = {"layers": ", ".join(called(h.layer.name) for h in still[:6]), "checkpoint": last.path.name}
    if last.optimizer is not None and last.optimizer.groups:
        facts["optimizer"] = last.optimizer.kind or ""
        facts["lr"] = f"{moments.option(last.optimizer.groups[0], 'lr', 0.0):.3g}"
    return {k: v for k, v in facts.items() if v}
