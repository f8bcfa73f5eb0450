"""MLflow's file store: one file a metric, named like it, in a folder `metrics`; lines are `milliseconds value step`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ...artifacts import Log, Series
from ...names import canonical
from .table import number

_LINE = re.compile(r"^(\d{12,14}) (\S+)(?: (-?\d+))?\s*$")


def read_mlflow(path: Path, text: str) -> Log | None:
    """The one curve of such a file, or None if it is none. Where every step is 0 the rows are counted instead."""
    found = [_LINE.match(line) for line in text.splitlines() if line.strip()]
    rows = [(number(m[2]), float(m[3] or 0)) for m in found if m is not None]
    if not rows or len(rows) < len(found) or any(value is None for value, _ in rows):
        return None
    parts = path.parts
    runs = [i for i, part in enumerate(parts) if re.fullmatch(r"[0-9a-f]{32}", part)]
    start = runs[-1] if runs else 0
    name = "/".join(parts[parts.index("metrics", start) + 1 :]) if "metrics" in parts[start:] else path.name
    y = np.array([value for value, _ in rows], float)
    steps = np.array([step for _, step in rows])
    rising = bool(np.any(np.diff(steps) > 0))
    x = steps if rising else np.arange(len(y), dtype=float)
    return Log(path, "mlflow", (Series(canonical(name), name, x, y, "step" if rising else "row"),))
