"""Frozen parameters: which weight matrices were trained, stopped, skipped or never touched

What it measures
    For every weight matrix, from one checkpoint: whether the optimizer has it at all, whether it ever had a gradient,
    whether that was exactly 0 at every step, how many updates it missed, since when none came, and whether it still is
    what PyTorch's default initialisation draws.

Formula
    Membership, presence of state, and each parameter's own step count, exactly. A second moment (SGD: a momentum
    buffer) of exactly 0: no gradient ever. Coherence sum m^2 / sum v^ below 1e-8 and below 2e-3 of the liveliest
    tensor's: none for about 75 steps. Untouched: |w| <= b = 1/sqrt(fan in), an entry within 12/n of b, and a
    Kolmogorov-Smirnov p above 0.001 against the uniform.

Thresholds and sources
    Coverage exact in 42 of 42 cases, histories in 156 of 180 (the misses are coupled weight decay, SGD and RMSprop).
    Untouched: 36 of 36 frozen tensors, 0 of 633 trained ones, 0 of 24 after five steps.
    Confirmed only where matrices without training are still at their random start, in a run that is not known to have
    learned. Not judged: a frozen beginning of the network that is not at its random start (fine-tuning), whole networks
    inside the model that are not, and random copies of a trained one (teachers, targets, losses). Other gaps are
    suspected unless the run has learned. Missed updates are told: training in stages is common.

Reads
    The latest checkpoint: optimizer state, and the weights that were not trained. The logs: whether it learned.

Cannot tell
    Plain SGD keeps nothing. Other initialisations than PyTorch's default have no sharp bound. Layers that the file
    does not hold at all: a plain Python list of layers is neither saved nor trained (a target file shows them).
"""

from __future__ import annotations

from ..artifacts import Artifacts, Checkpoint, Progress
from ..finding import Finding, Judgement, Measure, Table, Verdict
from ..saved import moments
from ..saved.histories import WORDS, History, histories
from ..saved.layers import called, copies, networks
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
        because += ", yet the run learns: this may be on purpose"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    if fresh:
        return Verdict("frozen-parameters", "confirmed", "measured", because, "optimizer-state")
    if all(h.past == "overflowed" for h in still):
        because += "; overflow stopped them, which nonfinite-weights judges"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    if all(h.past in {"zero", "stopped"} for h in still) and found[0].past != "trained":
        because += "; no gradient gets back to where the network begins: look at dead units first"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    if all(h.past != "trained" for h in found[: len(still)]):
        because += "; they are the beginning of the network, as in fine-tuning"
        return Verdict("frozen-parameters", "inconclusive", "measured", because, "optimizer-state")
    return Verdict("frozen-parameters", "suspected", "measured", because, "optimizer-state")


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
