"""What was understood of files, as text: one block a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..visible import figure, visible, visible_lines

MOST_SERIES = 40


def lines(description: dict[str, Any]) -> Iterator[str]:
    """Lines of text for `inspect`."""
    for artifact in description["artifacts"]:
        yield f"{visible(artifact['path'], 300)}: {artifact['kind']}, {visible(artifact['format'])}"
        if artifact["kind"] == "checkpoint":
            yield from checkpoint(artifact)
        series = artifact.get("series") or []
        yield from (f"  {series_line(s)}" for s in series[:MOST_SERIES])
        if len(series) > MOST_SERIES:
            yield f"  ... and {len(series) - MOST_SERIES} more series"
        yield from (f"  note: {visible_lines(w, 600)}" for w in artifact.get("warnings", []))


def checkpoint(artifact: dict[str, Any]) -> Iterator[str]:
    """The figures of a checkpoint."""
    bad = artifact.get("nonfinite")
    yield (
        f"  {figure(artifact.get('tensors'))} tensors, {figure(artifact.get('parameters'))} numbers"
        + (f", {figure(bad)} of them NaN or infinite" if bad else ", all finite" if bad == 0 else "")
    )
    known = [(k, artifact.get(k)) for k in ("optimizer", "step", "epoch")]
    if said := ", ".join(f"{k} {figure(v)}" for k, v in known if v is not None):
        yield f"  {said}"
    for key in ("optimizer_note", "mapping_note"):
        if note := artifact.get(key):
            yield f"  optimizer: {visible(note, 400)}"
    for state in artifact.get("schedulers") or []:
        yield f"  schedule: {values(state, ('last_epoch', 'T_max', 'total_steps', 'total_iters', 'gamma', '_last_lr'))}"
    if scaler := artifact.get("scaler"):
        yield f"  loss scale: {values(scaler, ('scale', '_growth_tracker', 'growth_interval'))}"
    for key, words, most in (("unread", "not understood", 200), ("refused", "asks for, and did not get", 12)):
        if names := artifact.get(key):
            more = f" and {len(names) - most} more" if len(names) > most else ""
            yield f"  {words}: {', '.join(visible(k, 60) for k in names[:most])}{more}"


def values(state: dict[str, Any], keys: tuple[str, ...]) -> str:
    """Some values of a saved state: "last_epoch 97, T_max 100"."""
    return ", ".join(f"{k.strip('_')} {visible(str(state[k]), 60)}" for k in keys if k in state)


def series_line(s: dict[str, Any]) -> str:
    """One series."""
    as_number = {k: float(s[k]) if isinstance(s[k], str) else s[k] for k in ("first", "last", "min", "max")}
    ends = f"{figure(as_number['first'])} to {figure(as_number['last'])}"
    span = f"from {figure(as_number['min'])} to {figure(as_number['max'])}"
    told = [f"by {s['x']}", s.get("unit", ""), f"{s['better']} is better" if s.get("better") else ""]
    about = ", ".join(t for t in told if t)
    numbers = f"points, {ends}, {span}" if s["points"] != 1 else f"point, {figure(as_number['last'])}"
    return f"{visible(s['name']):24} {s['points']:>6} {numbers}   ({visible(s['column'], 40)}; {about})"
