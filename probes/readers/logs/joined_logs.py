"""Logs of one run that lie in several files -> one Log: W&B folders, MLflow stores, a metric a file, resumed logs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...artifacts import Log, Series
from ...names import CORE, canonical, split_of

_WANDB_RUN = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-\w+$")
_WANDB_OWN = frozenset(
    [
        "config.yaml",
        "requirements.txt",
        "wandb-metadata.json",
        "debug.log",
        "debug-internal.log",
        "conda-environment.yaml",
    ]
)
_MLFLOW_OWN = frozenset(["params", "tags"])
_MLFLOW_RUN = re.compile(r"[0-9a-f]{32}$")
CONTINUES = 3.0
"""A second file goes on where the first ended if the gap is no more than this many of its steps."""


def is_bookkeeping(file: Path) -> bool:
    """Whether W&B or MLflow wrote a file for themselves: settings, tags and their own messages, no curve."""
    if _run_of(file) is not None:
        return file.name in _WANDB_OWN
    parts = file.parts
    runs = [i for i, part in enumerate(parts[:-1]) if _MLFLOW_RUN.match(part)]
    return any(parts[i + 1] in _MLFLOW_OWN or (i + 2 == len(parts) and file.name == "meta.yaml") for i in runs) or (
        file.name == "meta.yaml" and "mlruns" in parts
    )


def join_logs(logs: Sequence[Log]) -> list[Log]:
    """The logs, one for each run. A lone log stays as it is."""
    found = list(logs)
    for key, join in ((_wandb_key, _one_of_wandb), (_mlflow_key, _all_of_mlflow), (_single_key, _columns)):
        found = [log for group in _grouped(found, key) for log in (join(group) if len(group) > 1 else group)]
    return [log for group in _grouped(found, lambda log: str(log.path.parent)) for log in _continued(group)]


def _grouped(logs: list[Log], key: Callable[[Log], str | None]) -> Iterator[list[Log]]:
    """Logs with the same key together, in order of first appearance; without a key each alone."""
    groups: dict[object, list[Log]] = defaultdict(list)
    for place, log in enumerate(logs):
        name = key(log)
        groups[place if name is None else name].append(log)
    yield from groups.values()


def _run_of(file: Path) -> Path | None:
    return next((parent for parent in file.parents if _WANDB_RUN.match(parent.name)), None)


def _wandb_key(log: Log) -> str | None:
    run = _run_of(log.path)
    own = log.format in ("wandb", "wandb-summary") or log.path.name == "output.log"
    return str(run) if run is not None and own else None


def _one_of_wandb(group: list[Log]) -> list[Log]:
    """The run's history, else what it printed, else the last values: they are the same run."""

    def worth(log: Log) -> tuple[bool, int, bool]:
        return log.format != "wandb-summary", len({s.name for s in log.series if s.name in CORE}), log.format == "wandb"

    best = max(group, key=worth)
    others = ", ".join(log.path.name for log in group if log is not best)
    return [replace(best, warnings=(*best.warnings, f"{others} of the same run: not counted twice."))]


def _mlflow_key(log: Log) -> str | None:
    parts = log.path.parts
    if log.format != "mlflow" or "metrics" not in parts:
        return None
    return "/".join(parts[: len(parts) - parts[::-1].index("metrics")])


def _all_of_mlflow(group: list[Log]) -> list[Log]:
    folder = _mlflow_key(group[0])
    series = tuple(s for log in group for s in log.series)
    warnings = tuple(dict.fromkeys(w for log in group for w in log.warnings))
    return [Log(Path(folder or group[0].path), "mlflow", series, warnings)]


def _single_key(log: Log) -> str | None:
    alone = log.format in ("csv", "keras-csv") and len(log.series) == 1
    return f"{log.path.parent} {log.series[0].x_name}" if alone else None


def _columns(group: list[Log]) -> list[Log]:
    """One metric a file, all over the same axis; where the file says the split and the column does not, it counts."""
    renamed = [_by_file(log) for log in group]
    names = [s.name for s in renamed]
    overlap = all(s.x[0] <= renamed[0].x[-1] and s.x[-1] >= renamed[0].x[0] for s in renamed)
    if len(set(names)) < len(names) or not overlap:
        return group
    note = f"{len(group)} files with one metric each were joined."
    return [Log(group[0].path, group[0].format, tuple(renamed), (note,))]


def _by_file(log: Log) -> Series:
    series, split = log.series[0], split_of(log.path.stem)
    return replace(series, name=canonical(series.column, split)) if split and not split_of(series.column) else series


def _continued(group: list[Log]) -> Iterator[Log]:
    """Logs of which the next begins where the one before ended: a run that was resumed into a new file."""
    ordered = sorted(group, key=lambda log: _span(log)[0])
    used: set[int] = set()
    for log in group:
        if id(log) in used:
            continue
        whole, names = log, list[str]()
        for later in ordered:
            if later is not log and id(later) not in used and _goes_on(whole, later):
                used.add(id(later))
                whole, names = _joined(whole, later), [*names, later.path.name]
        used.add(id(log))
        note = f"it goes on in {', '.join(names)}: resumed; the files were joined."
        yield replace(whole, warnings=(*whole.warnings, note)) if names else whole


def _main(log: Log) -> Series | None:
    losses = [log.get(name) for name in ("train/loss", "val/loss")]
    return next((s for s in losses if s is not None and s.x_name != "row" and len(s.x) > 1), None)


def _span(log: Log) -> tuple[float, float]:
    main = _main(log)
    return (float(np.min(main.x)), float(np.max(main.x))) if main is not None else (0.0, 0.0)


def _goes_on(first: Log, second: Log) -> bool:
    a, b = _main(first), _main(second)
    if a is None or b is None or a.name != b.name or a.x_name != b.x_name or first.format != second.format:
        return False
    spacing = max(float(np.median(np.abs(np.diff(s.x)))) for s in (a, b))
    gap = float(b.x[0] - a.x[-1])
    level, start = abs(float(np.nanmedian(a.y[-3:]))), abs(float(b.y[0]))
    return 0 < gap <= CONTINUES * spacing and 0.5 * level <= start <= 2 * level


def _joined(first: Log, second: Log) -> Log:
    later = {s.name: s for s in second.series}
    series = [_appended(s, later.pop(s.name, None)) for s in first.series]
    return replace(first, series=(*series, *later.values()))


def _appended(a: Series, b: Series | None) -> Series:
    if b is None:
        return a
    epoch = np.concatenate([a.epoch, b.epoch]) if a.epoch is not None and b.epoch is not None else None
    return replace(a, x=np.concatenate([a.x, b.x]), y=np.concatenate([a.y, b.y]), epoch=epoch)
