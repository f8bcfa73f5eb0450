"""One line of a printed log -> labelled numbers. Dates, progress bars, file names and units are none of the run's."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from ..names import axis, split_of, words

_CLUTTER = re.compile(
    r"\d{4}[-/.]\d\d[-/.]\d\d[T ]?"  # dates
    r"|\b\d\d/\d\d(?:/\d{2,4})?(?= \d\d:)"
    r"|\b\d+ days?, "
    r"|\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?(?: [AP]M)?\b"  # times and durations
    r"|\b[IWEF]\d{4} .{0,40}?\] "  # glog
    r"|\{[^{}]*['\"][^{}]*\}"  # a printed dict: settings
    r"|\S+\.(?:py|pt|pth|ckpt|h5|hdf5|params|json|txt|log|bin|safetensors|tar)\S*"  # file names
)
_BAR = re.compile(
    r"\d{1,3}%\s?\|[^|]*\|(?:\s*\d+/\d+)?(?:\s*\[\d[^\],]*<[^\],]*(?:,\s*[\d.?]+\s?\w+/\w+)?)?"
    r"|\[[=>.━╸ -]{5,}\]|━{3,}\S*"
)
_PAIR = re.compile(r"^\s*\[\s*(\d+),\s*(\d+)\]")
_ROUND = re.compile(r"第\s*(\d+)\s*(?:轮|个?\s?epoch|回|エポック)", re.I)
_LEVEL = re.compile(r"\b(?:INFO|DEBUG|WARNING|ERROR)\b(?::[\w.]*:?)?|^\s*\[rank ?\d+\]:?", re.I)
_NUMBER = re.compile(
    r"(?<![\w.@#])(?<![A-Za-z]-)([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)\b)"
    r"(%|[a-zA-Z/]+)?(?![\w.]*[A-Za-z_])",
    re.I,
)
_UNITS = frozenset(
    [
        "s",
        "ms",
        "us",
        "sec",
        "secs",
        "seconds",
        "m",
        "min",
        "h",
        "k",
        "K",
        "M",
        "G",
        "MB",
        "GB",
        "MiB",
        "GiB",
        "s/it",
        "it/s",
        "s/step",
        "ms/step",
        "s/epoch",
        "ms/batch",
        "x",
        "e",
        "px",
    ]
)
_HARD = re.compile(r"[,|;\t{}<>\]]|\s-+\s|\s{2,}|:\s|:$|\.\s|·|→|—")
_CODE = re.compile(
    r"^\s*(?:def|class|if|elif|for|while|return|import|from|with|assert|print|@)\b.*"
    r"|.*(?:[\w)]\s*==\s*[\w('\"]|\+=|self\.|torch\.|range\(|lambda |>>> ).*"
)
_NO_POINT = re.compile(
    r"\b(?:sav(?:ed|ing)|checkpoint|best|improved|restor|loaded|loading|traceback|arguments|early stopping|"
    r"total params|trainable|parameters|warn\w*|config\w*)\b|最佳|最高|최고|最終|最终",
    re.I,
)


@dataclass(slots=True)
class Line:
    """What one line says.

    Args:
        values: (label, split, number) in order; the split is the line's or the last one said before the label.
        means: label -> running mean in brackets behind its number.
        epoch, step: the axes it names; `part` is how far into the epoch a batch counter says it is, in [0, 1].
        phase: the split that it announces for the lines after it; then it has nothing else.
        closing: whether it sums up the evaluation that was just printed (`* Acc@1 71.2`).
        bar: whether it is a state of a progress bar, of which only the last counts.
    """

    values: list[tuple[str, str | None, float]] = field(default_factory=list)
    means: dict[str, float] = field(default_factory=dict)
    epoch: float | None = None
    step: float | None = None
    part: float | None = None
    bar: bool = False
    split: str | None = None
    template: str = ""
    phase: str | None = None
    closing: bool = False


_PHASE = re.compile(r"^\W*(?:start(?:ing|ed)?\W+)?(?:eval\w*|validat\w*|test\w*|inference)\b(?!.*\d).{0,40}$", re.I)


def phase(raw: str) -> str | None:
    """The split that a line without numbers announces ("Eval begin...", "Validating"): what follows belongs to it."""
    return ("test" if "test" in raw.lower() else "val") if len(raw) < 80 and _PHASE.match(raw) else None


def parse_line(raw: str) -> Line | None:
    """The labelled numbers of a line, or None if it has none or is code, a message about files, or settings."""
    if len(raw) > 5000 or (not any(c.isdigit() for c in raw) and "nan" not in raw.lower()) or _CODE.match(raw):
        return None
    if _NO_POINT.search(raw):
        return None
    bar = bool(_BAR.search(raw))
    raw = _ROUND.sub(r"epoch \1", _PAIR.sub(r"epoch \1, step \2 ", raw))
    text = _LEVEL.sub("  ", _CLUTTER.sub("  ", _BAR.sub("  ", raw)))
    matches = [m for m in _NUMBER.finditer(text) if _is_number(m)]
    if not matches:
        return None
    line = Line(bar=bar, template=re.sub(r"\d+", "#", text)[:80])
    _scan(line, text, matches)
    if raw.lstrip().startswith("* "):
        line.closing = True
    return line


def _is_number(match: re.Match[str]) -> bool:
    unit = match[2]
    return unit is None or unit == "%" or unit in _UNITS or unit == "/"


def _value(match: re.Match[str]) -> float:
    return (
        float(match[1])
        if match[1].lower().lstrip("+-") != "infinity"
        else math.copysign(math.inf, -1 if match[1][0] == "-" else 1)
    )


def _scan(line: Line, text: str, matches: list[re.Match[str]]) -> None:
    """Goes through the numbers from left to right: each belongs to the words between it and the number before."""
    at, carry, last = 0, "", None
    skip = -1
    for place, match in enumerate(matches):
        between = carry + text[at : match.start()]
        at, carry = match.end(1) + len(match[2] or "") - (1 if (match[2] or "").endswith("/") else 0), ""
        after = text[at : at + 3]
        if place == skip:
            continue
        label = _label(between)
        if re.match(r"\s?[:=]\s?[-+.\d]", after) and not _axis(label):
            carry = f"{label} {match[1]}"
            continue
        total = (
            matches[place + 1]
            if after[:1] == "/" and place + 1 < len(matches) and matches[place + 1].start() <= at + 2
            else None
        )
        if total is not None:
            skip = place + 1
        if between.strip() == "(" and last is not None:
            _bracket(line, last, match)
            continue
        last = _store(line, between, label, match, total, text)
        if total is not None and last is not None and line.values and line.values[-1][0] == last:
            line.means.pop(last, None)


def _bracket(line: Line, label: str, match: re.Match[str]) -> None:
    """`0.63 (0.60)` is a running mean; `980/1000 (98%)` is the value itself."""
    if match[2] == "%" and line.values and line.values[-1][0] == label:
        line.values[-1] = (label, line.values[-1][1], _value(match))
    else:
        line.means[label] = _value(match)


def _store(
    line: Line, between: str, label: str, match: re.Match[str], total: re.Match[str] | None, text: str
) -> str | None:
    """Files a number under its label, as an axis or as a value. Returns the label of a value."""
    said = split_of(between)
    if said is not None:
        line.split = "val" if re.search(r"test net output", between, re.I) else said
    value = _value(match)
    kind = _axis(label)
    bracketed = between.rstrip().endswith("[")
    if kind == "epoch" and line.epoch is None:
        line.epoch = value
    elif kind in ("step", "episode"):
        if total is not None and _value(total) > 0:
            line.part = value / _value(total)
        if line.step is None or kind == "step":
            line.step = value
    elif all(split_of(w) for w in words(label)):
        if total is not None and _value(total) > 0:
            line.part = value / _value(total)
        elif bracketed and line.epoch is None and text[match.end() : match.end() + 2] == "][":
            line.epoch = value
    elif len(words(label)) <= 6 and kind is None:
        name = "net loss" if re.search(r"train net output", text, re.I) and label.strip() == "loss" else label
        line.values.append((name, split_of(label) or line.split, value))
        return name
    return None


def _axis(label: str) -> str | None:
    bare = " ".join(w for w in words(label) if split_of(w) is None)
    return axis(bare) if bare else None


def _label(between: str) -> str:
    """The words right before a number, without separators."""
    text = between.rstrip().rstrip("[(#'\"").rstrip()
    text = re.sub(r"[\s:=≈~*'\"]+$", "", text)
    text = re.sub(r"^\s*\)", " ", text)
    return _HARD.split(text)[-1].strip(" -=*#'\"`[(.:/")
