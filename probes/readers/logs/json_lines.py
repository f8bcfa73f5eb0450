"""Logs in JSON: one record a line, lists of records, lists of numbers by name, and HF's trainer_state.json."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...artifacts import Log
from ...names import axis, split_of, words
from .json_points import point_series
from .long_form import by_name
from .table import Column, is_training_log, series_of, value_of

DEEPEST = 4
MOST_NESTED = 3
HOLDERS = ("metrics", "scalars", "data", "values", "logs", "results", "stats", "payload")
KIND_KEYS = ("mode", "split", "phase", "stage", "set", "subset", "type")
MOST_LITERAL = 16 << 20
SPOILT = 0.02
"""The part of a file's lines that may be something else: messages, lines cut by a crash."""
Record = dict[str, Any]


def read_json(path: Path, text: str) -> Log | None:
    """The log in `text`, or None if it is JSON without training curves, or no JSON at all."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        tree = _python(text)
    if tree is None:
        records, notes = _lines(text)
        log = records_log(path, "jsonl", records) if records else None
        return replace(log, warnings=(*log.warnings, *notes)) if log is not None else None
    if isinstance(tree, dict) and isinstance(tree.get("log_history"), list):
        return _trainer_state(path, tree["log_history"])
    if isinstance(tree, dict) and {"_step", "_runtime"} <= tree.keys():
        columns = record_columns([tree], None)
        return Log(
            path, "wandb-summary", tuple(series_of(columns)), ("only the last value of each curve is in this file.",)
        )
    return next(_curves(path, tree, 0), None)


def _python(text: str) -> Any:
    """What str() of a dict wrote, with the names that NumPy and torch put around numbers; None if it is not that."""
    text = text.strip()
    if not re.match(r"[{\[]\s*(\{\s*)?'", text) or len(text) > MOST_LITERAL:
        return None
    text = re.sub(r"(?:np\.|numpy\.)?float\d+\(([^()]*)\)", r"\1", text)
    text = re.sub(r"(?:array|tensor)\(([^()]*?)(?:,\s*(?:dtype|device)=[^()]*)?\)", r"\1", text)
    try:
        return _with_names(ast.literal_eval(re.sub(r"(?<!['\w])(nan|inf)(?!['\w])", _special, text)))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _with_names(tree: Any) -> Any:
    """Keys as text and tuples as lists, as JSON would have them."""
    if isinstance(tree, dict):
        return {str(key): _with_names(value) for key, value in tree.items()}
    return [_with_names(value) for value in tree] if isinstance(tree, list | tuple) else tree


def _special(match: re.Match[str]) -> str:
    return "1e999" if match[1] == "inf" else "'nan'"


def _lines(text: str) -> tuple[list[Record], tuple[str, ...]]:
    """Records, one a line, and a warning about lines that are none. Too many of these: no records."""
    lines = [line for line in text.splitlines() if line.strip()]
    records = [record for line in lines if (record := record_of(line)) is not None]
    bad = len(lines) - len(records)
    if not records or record_of(lines[0]) is None or bad > SPOILT * len(lines) + 1:
        return [], ()
    return records, spoilt(bad - (record_of(lines[-1]) is None))


def record_of(line: str | bytes) -> Record | None:
    """The object in a line, None if it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def spoilt(bad: int) -> tuple[str, ...]:
    """The sentence about lines in the midst of a file that are no records."""
    return (f"{bad} lines are no JSON objects and were left out.",) if bad else ()


def _trainer_state(path: Path, history: list[Any]) -> Log | None:
    """HF Trainer: the last record sums up the run under the names of curves, so it is left out."""
    records = [r for r in history if isinstance(r, dict) and "train_runtime" not in r and "total_flos" not in r]
    columns = record_columns(records, None)
    found = series_of(columns) if is_training_log(columns) else []
    return Log(path, "trainer-state", tuple(found), () if found else ("its log_history holds no curve.",))


def records_log(path: Path, form: str, records: list[Record]) -> Log | None:
    """The log in a list of records, or None if they are no curve.

    Records say their split themselves (`"mode": "val"`); where they do not, those without a training loss are
    evaluation when others beside them have one.
    """
    flat = [flatten(r) for r in records]
    kinds = [kind_of(r) for r in flat]
    if not any(kinds) and any(map(is_training, flat)):
        kinds = [None if is_training(r) or any(split_of(k) for k in r) else "val" for r in flat]
    groups = {kind: [r for r, k in zip(flat, kinds, strict=True) if k == kind] for kind in dict.fromkeys(kinds)}
    columns = counted_in_epochs({kind: record_columns(group, kind) for kind, group in groups.items()})
    if not is_training_log([c for group in columns.values() for c in group], _text_keys(records)):
        return None
    return Log(path, form, tuple(s for group in columns.values() for s in series_of(group)))


def counted_in_epochs(groups: dict[str | None, list[Column]]) -> dict[str | None, list[Column]]:
    """Columns by split, with an evaluation's "step" as the epoch where it counts epochs (MMEngine).

    So it does if the training counts both, and every step of the evaluation is one of the training's epochs.
    """
    training = next((g for kind, g in groups.items() if kind in (None, "train") and _axis_of(g, "epoch")), [])
    epoch, step = _axis_of(training, "epoch"), _axis_of(training, "step")
    if epoch is None or step is None:
        return groups
    for kind, group in groups.items():
        own = _axis_of(group, "step")
        if group is training or own is None or _axis_of(group, "epoch") is not None:
            continue
        if np.isin(own.values, epoch.values).all() and own.values.max() < 0.5 * step.values.max():
            groups[kind] = [Column("epoch", c.cells, c.split, c.rows) if c is own else c for c in group]
    return groups


def _axis_of(columns: list[Column], name: str) -> Column | None:
    return next((c for c in columns if axis(c.name) == name and len(c.values)), None)


def kind_of(record: Record) -> str | None:
    """The split that a record says it is of."""
    said = [split_of(record[key]) for key in KIND_KEYS if isinstance(record.get(key), str)]
    return next(filter(None, said), None)


def is_training(record: Record) -> bool:
    telling = any(set(words(k)) & {"loss", "lr"} and split_of(k) in (None, "train") for k in record)
    return telling or "learning_rate" in record


def flatten(record: Record) -> Record:
    """Nesting becomes slashes: {"train": {"loss": 1}} -> {"train/loss": 1}. Lists, and what lies deeper, are left out.

    What only holds the metrics is no part of their names: {"metrics": {"train": {"loss": 1}}} -> {"train/loss": 1}.
    """
    return dict(_flat(record, "", 0))


def _flat(record: Record, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, dict):
            inside = "" if key.lower() in HOLDERS and any(isinstance(v, dict) for v in value.values()) else f"{key}/"
            if depth < MOST_NESTED:
                yield from _flat(value, prefix + inside, depth + 1)
        elif not isinstance(value, list):
            yield prefix + key, value


def record_columns(records: list[Record], split: str | None) -> list[Column]:
    """One column a key; what is no number in a record is blank there."""
    keys = dict.fromkeys(key for record in records for key in record)
    columns = []
    for key in keys:
        cells = [value_of(record.get(key)) for record in records]
        if any(c is not None for c in cells):
            columns.append(Column(key, cells, split))
    return columns


def _text_keys(records: list[Record]) -> list[str]:
    """Keys whose values are words in every record: names of runs or settings."""
    return [
        k
        for k in records[0]
        if k not in KIND_KEYS and all(isinstance(r.get(k), str) and value_of(r[k]) is None for r in records)
    ]


def _curves(path: Path, tree: Any, depth: int) -> Iterator[Log]:
    """Logs found in a JSON tree, outermost first; under keys that speak of a history before others."""
    if depth > DEEPEST:
        return
    if isinstance(tree, list) and tree and all(isinstance(r, dict) for r in tree):
        if log := _long_form(path, tree) or records_log(path, "json", tree):
            yield log
        return
    if not isinstance(tree, dict):
        return
    if (columns := _list_columns(tree)) and is_training_log(columns):
        yield Log(path, "history", tuple(series_of(columns)))
    if points := point_series(tree):
        yield Log(path, "history", tuple(points))
    if (records := _numbered(tree)) and (log := records_log(path, "json", records)):
        yield log
    for _, value in sorted(tree.items(), key=lambda item: "hist" not in item[0].lower()):
        yield from _curves(path, value, depth + 1)


def _long_form(path: Path, records: list[Record]) -> Log | None:
    """Records that hold one value each, with the name of its curve beside it (Comet's export)."""
    header = list(records[0])
    if any(list(record) != header for record in records):
        return None
    body = [["" if cell is None else str(cell) for cell in record.values()] for record in records]
    log = by_name(path, header, body)
    return replace(log, format="json") if log is not None else None


def _list_columns(tree: Record, prefix: str = "") -> list[Column]:
    """Columns of {"loss": [...], "val_loss": [...]}, also one level down: {"train": {"loss": [...]}}."""
    columns = []
    for key, value in tree.items():
        if isinstance(value, dict) and not prefix and all(split_of(w) for w in words(key)):
            columns += _list_columns(value, f"{key}/")
        elif isinstance(value, list) and value and all(_is_number(v) for v in value):
            columns.append(Column(prefix + key, [value_of(v) for v in value]))
    return columns


def _is_number(value: Any) -> bool:
    return value is None or value_of(value) is not None


def _numbered(tree: Record) -> list[Record]:
    """The records of {"epoch_1": {...}, "epoch_2": {...}}, with their number as the epoch."""
    records = []
    for key, value in tree.items():
        found = [w for w in words(key) if w.isdigit()]
        if not isinstance(value, dict) or len(found) != 1 or not (axis(key.rstrip("0123456789_- ")) or key.isdigit()):
            return []
        records.append({"epoch": int(found[0]), **value})
    return records
