"""What tools print in forms of their own: darknet's lines, dicts of a trainer, blocks between dashes, CatBoost."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from ....artifacts import Series
from ....names import axis
from ..json_lines import record_columns, records_log
from ..table import is_training_log, number, series_of

_DARKNET = re.compile(r"^\s*(\d+): ([-\w.]+), ([-\w.]+) avg(?: loss)?, ([-\w.]+) rate, [-\w.]+ seconds, \d+ images")
_DARKNET_MAP = re.compile(r"mean[ _]average[ _]precision \(mAP@0?[.,]?(\d+)\) = ([\d.]+)", re.I)
_CATBOOST = re.compile(r"^(\d+):\s+learn: ([-\w.]+)(?:\s+test\d*: ([-\w.]+))?")
_BLOCK_ROW = re.compile(r"^\|\s*([\w/ .]+?)\s*\|\s*(\S*)\s*\|$")
_BAR = re.compile(r"\s*\d{1,3}%\s?\|[^|]{0,200}\|\s*\d+/\d+ \[[^\]]{0,80}\]\s*")
"""A progress bar and nothing else, which shares its line with a record."""
Record = dict[str, object]
_NOWHERE = Path()


def darknet(lines: list[str]) -> list[Series]:
    """The running mean is the curve; the mean average precision belongs to the iteration printed before it."""
    records: list[Record] = []
    for line in lines:
        if row := _DARKNET.match(line):
            step, now, mean, rate = row.groups()
            records.append({"iteration": int(step), "loss": number(mean), "loss_step": number(now), "lr": number(rate)})
        elif records and (row := _DARKNET_MAP.search(line)):
            records[-1][f"metrics/mAP{int(row[1]):02d}"] = float(row[2])
    return series_of(record_columns(records, None)) if records else []


def catboost(lines: list[str]) -> list[Series]:
    """`learn` and `test` are one metric of two data sets: the loss, unless it rises."""
    rows = [row for line in lines if (row := _CATBOOST.match(line))]
    values = [v for row in rows if (v := number(row[2])) is not None]
    if len(rows) < 2 or len(values) < len(rows):
        return []
    what = "loss" if values[-1] <= values[0] else "score"
    records: list[Record] = [
        {"iteration": int(row[1]), f"train {what}": number(row[2]), f"val {what}": number(row[3] or "")} for row in rows
    ]
    return series_of(record_columns(records, None))


def dicts(lines: list[str]) -> list[Series]:
    """Records that were printed as Python dicts, one a line (HF Trainer); without the summary of the run."""
    found = (_record(line) for line in lines if len(line) <= 5000 and line.rstrip().endswith("}"))
    records = [record for record in found if record is not None and "train_runtime" not in record]
    log = records_log(_NOWHERE, "stdout", records) if len(records) > 1 else None
    return list(log.series) if log else []


def _record(line: str) -> Record | None:
    """The dict or JSON object at the end of a line, with nothing or a bar before it; behind words only if it is nested
    and names its epoch or step: a flat one is read together with the words."""
    start = line.find("{")
    if start < 0 or line[start + 1 : start + 2] not in ("'", '"'):
        return None
    text, alone = line[start:].strip(), not line[:start].strip(" \r") or _BAR.fullmatch(line[:start])
    if alone and text[1] == '"':  # JSON by the line has its own reader
        return None
    try:
        record = json.loads(text) if text[1] == '"' else ast.literal_eval(re.sub(r"\b(nan|inf)\b", "'\\1'", text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    if not isinstance(record, dict) or not all(isinstance(k, str) for k in record):
        return None
    nested = any(isinstance(v, dict) for v in record.values()) and any(axis(k) for k in record)
    return record if alone or nested else None


def blocks(lines: list[str]) -> list[Series]:
    """Blocks of `| key | value |` between lines of dashes, as reinforcement-learning libraries print them."""
    records: list[Record] = []
    current: Record = {}
    section = ""
    for line in lines:
        row = _BLOCK_ROW.match(line.strip())
        if row is None:
            if current and set(line.strip()) <= set("-+= "):
                records.append(current)
                current, section = {}, ""
        elif (value := number(row[2])) is not None:
            name = row[1] if "/" in row[1] else f"{section}{row[1]}"
            current[name] = value
        elif not row[2]:
            section = row[1].rstrip("/") + "/"
    records += [current] if current else []
    columns = record_columns(records, None) if len(records) > 1 else []
    for column in columns:
        if axis(bare := column.name.rpartition("/")[2]):
            column.name = bare
    columns.sort(key=lambda c: "timestep" not in c.name)  # the finer axis first
    return series_of(columns) if is_training_log(columns) else []
