"""`check` and the steps of a conversation as JSON: the shapes that others script against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.finding import Finding, plain

from .. import ending, say
from ..consult import Consult, Note
from ..engine.beliefs import OTHER, Belief
from ..engine.fixes import facts, specific
from ..engine.steps import Ask, Diagnosis, End, Measure, Request


def check_json(consult: Consult) -> dict[str, Any]:
    """The object of `check --format json`."""
    session, ranked = consult.session, [b for b in consult.beliefs if b.id != OTHER]
    findings = list(session.findings.values())
    artifacts = consult.description["artifacts"]

    def paths(kind: str) -> list[str]:
        return [a["path"] for a in artifacts if a["kind"] == kind]

    report = {
        "healthy": healthy(ranked, findings),
        "diagnoses": [diagnosis_json(consult, b) for b in ranked],
        "findings": [finding_json(f) for f in findings],
        "skipped": [{"probe": p, "why": why} for p, why in ending.unchecked(session, consult.world.probes)],
        "artifacts": {
            "checkpoints": paths("checkpoint"),
            "logs": paths("log"),
            "target": session.target,
            "data": paths("data"),
            "script": next(iter(paths("script")), None),
        },
        "warnings": [f"{a['path']}: {w}" for a in artifacts for w in a.get("warnings", [])],
    }
    made: dict[str, Any] = plain(report)
    return made


def healthy(ranked: list[Belief], findings: list[Finding]) -> bool:
    """Nothing confirmed or suspected, and something was really checked."""
    return not any(b.status in ("confirmed", "suspected") for b in ranked) and any(f.status == "done" for f in findings)


def diagnosis_json(consult: Consult, belief: Belief) -> dict[str, Any]:
    """One diagnosis. Fixes only where there is something to fix."""
    entry = consult.kb.entries[belief.id]
    speaking = [(p, v) for p, v in belief.verdicts if v.verdict != "inconclusive"]
    live = belief.status in ("confirmed", "suspected")
    made = specific(entry, facts(consult.session.findings.values(), belief.id)) if live else []
    return {
        "id": belief.id,
        "title": entry.title,
        "probability": round(belief.probability, 4),
        "status": belief.status,
        "because": [v.because for _, v in speaking],
        "probes": list(dict.fromkeys(p for p, _ in speaking)),
        "fixes": [say.fix_json(f) for f in made],
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding whole: the contract's fields and everything else that a Finding holds."""
    return finding.to_json()


def step_json(consult: Consult, notes: list[Note], finding: Finding | None) -> dict[str, Any]:
    """One step of the conversation, with what the last reply led to."""
    step = consult.step
    kinds = {Ask: "ask", Request: "request", Measure: "probe", Diagnosis: "diagnosis", End: "end"}
    data: dict[str, Any] = {
        "type": kinds[type(step)],
        "id": step.id,
        "text": consult.question(),
        "choices": [{"number": c.number, "text": c.text, "answer": c.answer} for c in consult.choices()],
        "beliefs": [
            {"id": b.id, "probability": round(b.probability, 4), "status": b.status}
            for b in consult.beliefs
            if b.id != OTHER
        ],
        "symptoms": dict(consult.session.answers),
        "notes": [{"text": n.text, "error": n.error} for n in notes],
    }
    if finding:
        data["finding"] = finding_json(finding)
    if isinstance(step, Diagnosis):
        data["diagnosis"] = diagnosis_json(consult, step.belief)
    if isinstance(step, End):
        data["report"] = check_json(consult)
    made: dict[str, Any] = plain(data)
    return made


def probe_json(spec: Any) -> Mapping[str, Any]:
    """A probe as `probe list` and `probe show` give it."""
    return {
        "id": spec.id,
        "title": spec.title,
        "needs": list(spec.needs),
        "speaks_to": list(spec.speaks_to),
        "cost": spec.cost,
    }
