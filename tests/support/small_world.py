"""A small world to test the engine in: three diagnoses, three symptoms, two probes."""

from __future__ import annotations

from pathlib import Path

from assistant.engine.choose import World
from assistant.engine.evidence import weights
from knowledge.schema import Entry, Fix, Symptom
from probes.finding import Finding, Verdict
from probes.registry import ProbeSpec


def entry(id: str, prior: float, **symptoms: str) -> Entry:
    words = {name.replace("_", "-"): word for name, word in symptoms.items()}
    fix = Fix("Change it", "It helps", "Do it", measured=("{worst_layer} is at fault",))
    return Entry(id, "diagnosis", id.title(), f"About {id}.", prior=prior, symptoms=words, fixes=(fix,))  # type: ignore[arg-type]


def finding(probe: str, *verdicts: tuple[str, str, str, str], **facts: str) -> Finding:
    made = tuple(Verdict(d, v, k, f"{d} {v}", s) for d, v, k, s in verdicts)  # type: ignore[arg-type]
    return Finding(probe, f"what {probe} saw", verdicts=made, facts=facts)


def spec(id: str, needs: tuple[str, ...], speaks_to: tuple[str, ...], cost: str = "file") -> ProbeSpec:
    return ProbeSpec(id, f"looks at {id}", "", needs, speaks_to, cost, Path(f"{id}.py"))


def small_world() -> World:
    """Three diagnoses, three symptoms, two probes."""
    entries = [
        entry("overfitting", 0.4, val_loss_rises="always", loss_is_nan="never"),
        entry("exploding", 0.3, loss_is_nan="often", val_loss_rises="rarely"),
        entry("dead-relu", 0.3, loss_is_nan="never", stuck="often"),
    ]
    symptoms = [
        Symptom("val-loss-rises", "the validation loss rises", "Does the validation loss rise?", "It tells.", 0.3),
        Symptom("loss-is-nan", "the loss is NaN", "Is the loss NaN?", "It tells.", 0.2),
        Symptom("stuck", "the loss is stuck", "Is the loss stuck?", "It tells.", 0.3),
    ]
    probes = [
        spec("curves", ("log",), ("overfitting", "exploding")),
        spec("units", ("checkpoint", "target"), ("dead-relu",)),
    ]
    return World({e.id: e for e in entries}, {s.id: s for s in symptoms}, {p.id: p for p in probes}, weights())
