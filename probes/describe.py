"""What was understood of a person's files, before any diagnosis, as one plain object (`inspect --format json`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .artifacts import Artifacts, Checkpoint, Log, OptimizerState, Progress, Series
from .errors import Unreadable
from .finding import plain
from .names import direction
from .registry import compared, wanted
from .saved import statistics
from .saved.layers import floating
from .saved.moments import family
from .saved.reading import gather


def describe(artifacts: Artifacts, progress: Progress | None = None) -> dict[str, Any]:
    """{"artifacts": [...], "warnings": [...]}: one object a file, as plain JSON data.

    Checkpoints have every weight looked at once for values that are not finite.
    """
    entries: list[dict[str, Any]] = []
    if artifacts.checkpoints:
        gather(artifacts.checkpoints, progress, wanted(artifacts), compared(artifacts))
    entries += [_checkpoint(checkpoint) for checkpoint in artifacts.checkpoints]
    entries += [_log(log) for log in artifacts.logs]
    target = artifacts.target or artifacts.target_candidate
    if target is not None:
        used = "used" if artifacts.target is not None else "a candidate, not run"
        entries.append(_entry(target, "target", "python", status=used))
    entries += [_entry(path, "data", path.suffix.lstrip(".")) for path in artifacts.data]
    if artifacts.script is not None:
        entries.append(_entry(artifacts.script.path, "script", "python"))
    entries += [_entry(unknown.path, "unknown", "", (unknown.why,)) for unknown in artifacts.unknown]
    result: dict[str, Any] = plain({"artifacts": entries, "warnings": list(artifacts.warnings)})
    return result


def _entry(path: Any, kind: str, form: str, warnings: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {"path": str(path), "kind": kind, "format": form, "warnings": list(warnings), **more}


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    nonfinite, problems = count_nonfinite(checkpoint)
    optimizer = checkpoint.optimizer
    return _entry(
        checkpoint.path,
        "checkpoint",
        checkpoint.format,
        (*checkpoint.warnings, *problems),
        tensors=len(checkpoint.tensors),
        parameters=sum(t.numel for t in checkpoint.tensors.values()),
        nonfinite=nonfinite,
        optimizer=optimizer.kind if optimizer else None,
        optimizer_from=optimizer.kind_from if optimizer else "",
        optimizer_note=_strange(optimizer) if optimizer else "",
        mapping=optimizer.mapping if optimizer else "",
        mapping_note=optimizer.mapping_note if optimizer else "",
        step=checkpoint.step,
        epoch=checkpoint.epoch,
        hyper=checkpoint.hyper,
        schedulers=list(checkpoint.schedulers),
        scaler=checkpoint.scaler,
        unread=list(checkpoint.unread),
        refused=list(checkpoint.refused),
    )


def _strange(optimizer: OptimizerState) -> str:
    """A sentence about an optimizer whose state nothing is known of; "" for the others."""
    if family(optimizer) is not None or not any(p.slots for p in optimizer.parameters):
        return ""
    slots = list(dict.fromkeys(key for p in optimizer.parameters for key in p.slots))
    return f"what its state means is not known ({', '.join(slots[:8])}), so nothing is concluded from it"


def count_nonfinite(checkpoint: Checkpoint) -> tuple[int, list[str]]:
    """(elements that are NaN or infinite, sentences about unreadable tensors). Shared numbers are read once."""
    total, problems, numbers = 0, list[str](), statistics.of(checkpoint)
    for name, tensor in checkpoint.tensors.items():
        if not (floating(tensor) or tensor.dtype.startswith("complex")):
            continue
        try:
            total += numbers.values(tensor).bad
        except Unreadable as error:
            problems.append(f"{name}: {error.what}.")
    return total, problems


def _log(log: Log) -> dict[str, Any]:
    return _entry(log.path, "log", log.format, log.warnings, series=[_series(s) for s in log.series])


def _series(series: Series) -> dict[str, Any]:
    finite = series.y[np.isfinite(series.y)]
    return {
        "name": series.name,
        "column": series.column,
        "points": len(series.y),
        "first": series.y[0] if len(series.y) else None,
        "last": series.y[-1] if len(series.y) else None,
        "min": finite.min() if len(finite) else None,
        "max": finite.max() if len(finite) else None,
        "x": series.x_name,
        "better": direction(series.name),
        "unit": unit(series),
    }


def unit(series: Series) -> str:
    """ "percent" or "fraction" for what has a bound of 1; "" for anything else."""
    if "accuracy" not in series.name and not series.column.strip().endswith("%"):
        return ""
    finite = series.y[np.isfinite(series.y)]
    return "" if not len(finite) else "percent" if finite.max() > 1.5 else "fraction"
