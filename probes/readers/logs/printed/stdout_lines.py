"""One line of a printed log -> labelled numbers. Dates, progress bars, file names and units are none of the run's."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache

from ....names import SPLIT_WORDS, TELLING, axis, split_of, words
from .stdout_text import LONGEST

_CLUTTER = re.compile(
    r"\d{4}[-/.]\d\d[-/.]\d\d[T ]?"  # dates
    r"|\b\d\d/\d\d(?:/\d{2,4})?(?= \d\d:)"
    r"|\b\d+ days?, "
    r"|\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?(?: [AP]M)?\b"  # times and durations
    r"|\b[IWEF]\d{4} .{0,40}?\] "  # glog
    r"|\S{1,200}\.(?:py|pt|pth|ckpt|h5|hdf5|params|json|txt|log|bin|safetensors|tar)\S*"  # file names
)
_BAR = re.compile(
    r"\d{1,3}%\s?\|[^|A-Za-z:]*\|(?:\s*\d+/\d+)?(?:\s*\[\d[^\],]*<[^\],]*(?:,\s*[\d.?]+\s?\w+/\w+)?)?"
    r"|\[[=>.━╸ -]{5,}\]|━{3,}\S*"
    r"|\b\d{1,12}it \[\d[^\],]{0,30}, {0,2}[\d.?]{1,12}\s?\w{1,8}/\w{1,8}"
)
_PAIR = re.compile(r"^\s*\[\s*(\d+),\s*(\d+)\]")
_DICT = re.compile(r"\{[^{}]*\}")
_DICT_PAIR = re.compile(r"""['"]([^'"]+)['"]\s*:\s*['"]?([-+]?(?:[\d.]+(?:e[-+]?\d+)?|nan|inf))['"]?\s*(?:,|$)""", re.I)
_LEVEL = re.compile(r"\b(?:ERROR|(?i:INFO|DEBUG|WARNING))\b(?::[\w.]*:?)?|\[(?i:rank) ?\d+\]:?")
"""An error in small letters is a measure."""
_COUNTER = re.compile(r"\s*\[\s*\d+/\d+")
_AT = re.compile(r"^(.*\b)(?:at|after|for|@)\s+(epoch|step|iteration|iter)s?$", re.I)
_NUMBER = re.compile(
    r"(?<![\w.@#])(?<![A-Za-z]-)([-+]?(?>\d+\.?\d*|\.\d+)(?:[eE][-+]?\d++)?|[-+]?(?:nan|inf|infinity)\b)"
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
_DURATION = re.compile(r" ?(?:ms|s|secs?|seconds|min)\b(?! ?[:=\d])")
_SECONDS = frozenset(["s", "ms", "sec", "secs", "seconds", "m", "min", "h"])
_HARD = re.compile(r"[,|;\t{}<>\]]|\s-+\s|\s{2,}|:\s|:$|\.\s|·|→|—")
_CODE = re.compile(
    r"^\s*(?:def|class|if|elif|for|while|return|import|from|with|assert|print|@)\b.*"
    r"|.*(?:[\w)]\s*==\s*[\w('\"]|\+=|self\.|torch\.|range\(|lambda |>>> (?!(?i:epoch|step|iter|train|valid|test))).*"
)
_FOLLOWED = re.compile(r"\s?[:=]\s?[-+.\d]|\s(?:is|was)\s[-+.\d]")
_STAR = re.compile(r"^(?:\s|\[[^\]]*\]|[-:|])*\*\s")
_AVERAGED = re.compile(r"^\W*averaged stats:", re.I)
"""The meters of the loop that has just ended, as DETR and those who borrowed its logger print them."""
_TOTAL = re.compile(r"/\s{0,2}\d|\s?/\s{1,8}\d+\b(?!\.\d)")
_ITEM = re.compile(r"^\W*(?:class|category|label|fold|trial|sample|image|group)\b[\s_:#]*\w+", re.I)
_NO_POINT = re.compile(
    r"\b(?:restor|loaded|loading|traceback|arguments|early stopping|total params|trainable|parameters|warn\w*|"
    r"config\w*|maxDets|Namespace)\b|^\W*wandb:",
    re.I,
)
_BEST_SO_FAR = re.compile(r"[(\[][^()\[\]]*\bbest\b[^()\[\]]*[)\]]", re.I)
_ASIDE = re.compile(
    r"\b(?:sav(?:ed|ing)|checkpoints?|best|max(?:imum)? acc\w*|improved|decreased|reached|stopping)\b"
    r"|最佳|最高|최고|最終|最终|лучш",
    re.I,
)
"""Where a message about the run so far begins: what stands before it is a point, what follows is none."""


@dataclass(slots=True)
class Line:
    """What one line says.

    Args:
        values: (label, split, number) in order; the split is the line's or the last one said before the label.
        means: label -> running mean in brackets behind its number.
        epoch, step: the axes it names; `part` is how far into the epoch a batch counter says it is, in [0, 1].
        inner: whether it speaks of a place within the epoch.
        counted: whether the step is that of a batch or episode, which a real step replaces.
        of_total: whether it says how many epochs there are to be ("Epoch 3/50").
        plural: whether it says "epochs", which may be how many there are to be.
        loose: whether a number without any label follows a labelled one, as in a table.
        rows: whether it counts by its place, since no line names an epoch or step.
        phase: the split that it announces for the lines after it; then it has nothing else.
        closing: whether it sums up the evaluation that was just printed (`* Acc@1 71.2`).
        bar: whether it is a state of a progress bar, of which only the last counts.
        size: of how many samples a share is counted in brackets ("93.1% (931/1000)").
    """

    values: list[tuple[str, str | None, float]] = field(default_factory=list)
    means: dict[str, float] = field(default_factory=dict)
    epoch: float | None = None
    step: float | None = None
    part: float | None = None
    inner: bool = False
    counted: bool = False
    of_total: bool = False
    plural: bool = False
    loose: bool = False
    rows: bool = False
    bar: bool = False
    size: float | None = None
    split: str | None = None
    template: str = ""
    phase: str | None = None
    closing: bool = False


_SETTING = re.compile(r"^\s*[A-Z_]+:?\s*$")
_TRAINING = re.compile(r"^\W*train(?:ing)?(?: (?:set|phase|metrics|results))?\W*$", re.I)
_VALIDATING = re.compile(r"^\W*(?:val|valid|dev)(?: (?:set|phase|metrics|results))?\W*$", re.I)
_PHASE = re.compile(
    r"^\W*(?:(?:start(?:ing|ed)?|running)\W+)?(?:eval\w*|validat\w*|test\w*|inference)\b(?!.*\d).{0,40}$", re.I
)
_BANNER = re.compile(r"^\W{0,40}[*=#-]{3,40} ?(?:eval\w*|validat\w*|test(?:ing)?)\b[^*=#:]{0,60}[*=#-]{3,40}\s*$", re.I)
"""A title between stars or dashes, which may name the epoch."""


def phase(raw: str, repeats: bool = False) -> str | None:
    """The split that a line without numbers announces ("Eval begin...", "Validating"): what follows belongs to it.

    A word in capitals alone is one only where it `repeats`: settings are printed once.
    """
    if len(raw) >= 80 or (_SETTING.match(raw) and not repeats):
        return None
    if repeats and _TRAINING.match(raw):
        return "train"
    if repeats and _VALIDATING.match(raw):
        return "val"
    if not _PHASE.match(raw) and not _BANNER.match(raw):
        return None
    return "test" if "test" in raw.lower() else "val"


def parse_line(raw: str) -> Line | None:
    """The labelled numbers of a line, or None if it has none or is code, a message about files, or settings."""
    if len(raw) > LONGEST or (not any(c.isdigit() for c in raw) and "nan" not in raw.lower()) or _CODE.match(raw):
        return None
    raw = _without_dicts(raw) if "{" in raw else raw
    if _NO_POINT.search(raw):
        return None
    raw = _BEST_SO_FAR.sub(" ", raw) if "best" in raw.lower() else raw
    if aside := _ASIDE.search(raw):
        raw = raw[: aside.start()]
    bar = bool(_BAR.search(raw))
    raw = _PAIR.sub(r"epoch \1, step \2 ", raw)
    text = _LEVEL.sub("  ", _CLUTTER.sub("  ", _BAR.sub("  ", raw)))
    matches = [m for m in _NUMBER.finditer(text) if _is_number(m)]
    if not matches:
        return None
    line = Line(bar=bar, template=re.sub(r"\d+", "#", text)[:80])
    _scan(line, text, matches)
    line.inner |= line.part is not None
    if not any(telling(label) for label in line.means):
        line.means = {}  # of the time that it took
    if averaged := _AVERAGED.match(text):
        line.values = [(label, split, line.means[label]) for label, split, _ in line.values if label in line.means]
        line.means = {}
    if averaged or _STAR.match(text):
        line.closing = True
        line.values = [(f"* {label}", split, value) for label, split, value in line.values]
    if line.epoch is None and line.step is None and (line.loose or _ITEM.match(text)):
        return None  # a row of a table, results of one class or fold
    return line


def _without_dicts(raw: str) -> str:
    """Printed dicts: those of numbers only become `key: number`, others hold settings and go."""

    def plain(match: re.Match[str]) -> str:
        pairs = _DICT_PAIR.findall(match[0][1:-1])
        alone = not _DICT_PAIR.sub("", match[0][1:-1]).strip(" ,")
        return ", " + ", ".join(f"{key}: {value}" for key, value in pairs) if pairs and alone else ""

    for _ in range(4):
        raw = _DICT.sub(plain, raw)
    return re.sub(r"\bconfig\w*\s*[:=]?\s*(?=,)", "", raw, flags=re.I)


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
        after = text[at : at + 6]
        if place == skip:
            continue
        label = _label(between)
        if (at_axis := _AT.match(label)) and _FOLLOWED.match(after):
            _store(line, between, label, match, None, text)
            carry = at_axis[1]
            continue
        if _FOLLOWED.match(after) and not _axis(label):
            carry = f"{label} {match[1]}"[-80:]
            continue
        total = (
            matches[place + 1]
            if _TOTAL.match(text, at) and place + 1 < len(matches) and (after[:1] == "/" or match[1].isdigit())
            else None
        )
        if total is not None:
            skip = place + 1
        if between.strip() == "(" and last is not None:
            if total is None:
                _bracket(line, last, match)
            else:  # "93.1% (931/1000)": the same, counted
                line.size = _value(total)
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
    if said is not None and (match[2] or "").rstrip("/") in _SECONDS and not set(words(label)) - SPLIT_WORDS:
        return None  # "train 2.1s": how long that took
    bracketed = between.rstrip().endswith("[")
    before = line.split
    if said is not None:
        line.split = "val" if re.search(r"test net output", between, re.I) else said
    listed = bracketed and text[match.end() :][:1] == "," and "loss" in words(label)
    if listed or (telling(label) and _DURATION.match(text, match.end(1))):
        return None  # "cost 50.1 s"; "losses: [2.1, 3.4]", whichever these are
    value = _value(match)
    kind = _axis(at[2] if (at := _AT.match(label)) else label)
    if kind == "epoch" and line.epoch is None:
        line.epoch = value
        line.of_total = total is not None
        line.plural = total is None and label.lower().rstrip().endswith("epochs")
    elif kind in ("step", "episode"):
        if total is not None and _value(total) > 0:
            line.part = value / _value(total)
        line.inner |= "batch" in words(label)
        if line.step is None or (kind == "step" and line.counted):
            line.step, line.counted = value, kind == "episode"
    elif label and total is None and not bracketed and said and line.values and not set(words(label)) - SPLIT_WORDS:
        if split_of(line.values[-1][0]) is None:  # "Loss: 0.5, Train: 0.9": of another measure that is not named
            line.values.append((f"{label} score", said, value))
            line.split = before
            return line.values[-1][0]
        metric = " ".join(w for w in words(line.values[-1][0]) if w not in SPLIT_WORDS)  # "loss train 0.5 valid 0.6"
        line.values.append((f"{label} {metric}", said, value))
        return line.values[-1][0]
    elif all(split_of(w) for w in words(label)):
        line.loose |= not between.strip() and total is None and bool(line.values)
        end = (total or match).end()
        if line.epoch is None and (
            (bracketed and text[end : end + 2] == "][") or (label and total is None and _COUNTER.match(text, end))
        ):
            line.epoch = value
        elif total is not None and _value(total) > 0:
            line.part = value / _value(total)
    elif len(words(label)) <= 6 and kind is None:
        name = "net loss" if label.strip() == "loss" and "train net output" in text.lower() else label
        line.values.append((name, split_of(label) or line.split, value))
        if not set(words(label)) - SPLIT_WORDS - {"score"}:
            line.split = before  # "train=0.4 val=0.5 loss=1.2": the split is that of one number
        return name
    return None


def telling(label: str) -> bool:
    """Whether a label is one of a training curve."""
    found = words(label)
    if found[-1:] in (("count",), ("counts",)):
        return False
    return bool(set(found) & TELLING) or (len(found) > 1 and found[0] == "l")


@lru_cache(4096)
def _axis(label: str) -> str | None:
    bare = " ".join(w for w in words(label) if split_of(w) is None)
    return axis(bare) if bare else None


@lru_cache(4096)
def _label(between: str) -> str:
    """The words right before a number, without separators."""
    text = between.rstrip().rstrip("[(#'\"").rstrip()
    text = re.sub(r"[\s:=≈~*'\"]+$", "", text)
    text = re.sub(r"^\s*\)", " ", text)
    text = re.sub(r"\s+(?:is|was|of)$|^\s*(?:and|with)\s+", "", text, flags=re.I)
    text = _HARD.split(text)[-1]
    if text.rfind("(") > text.rfind(")"):
        text = text[text.rfind("(") :]
    return text.strip(" -=*#'\"`[(.:/")
