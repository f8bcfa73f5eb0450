"""Text of a terminal -> lines as a reader would see them: last states of bars, plain numbers, nothing of the prefix."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise

from ..headers import spelled_out

LONGEST = 5000
"""Characters of a line that may be one of a training loop; longer ones are data."""
_WRAPPERS = ("log", "message", "msg", "textPayload")
"""Keys of a printed line in the records of Docker, Kubernetes and collectors of logs."""
_SHORT_SIGNS = (" v_", "_tr", "tr_", "tr:", "tr=", "tr ")
_WIDE = str.maketrans(
    {chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}
    | {"\u3000": " ", "，": ", ", "：": ": ", "；": "; ", "。": ". ", "、": ", ", "【": "[", "】": "]", "％": "%"}
    | dict.fromkeys("│┃║", "|")
)
_NARROW_BLANK = re.compile(r"(?<=\d)[\u202f\u2009\u00a0'](?=\d{3}(?!\d))")
_COMMA_NUMBER = re.compile(r"[:=\s][-+]?(\d+),(\d+)(?![\d,]|\.\d)")
_POINT_NUMBER = re.compile(r"[:=\s][-+]?\d+\.\d+")
_THOUSANDS = re.compile(r"(?<![\d.,\w\[(])(\d{1,3}(?:,\d{3})+)(?=\.\d|[.,]?(?:[^\d.,]|$))")
_SPACED = re.compile(r"(?<![\d.,])(\d{1,3}(?:[ .]\d{3})+)(?=,\d)")
_MARK = re.compile(r"\d{1,3}%\s?\||\[[=>.]{5,}|━{3}")
_BAR_STATE = re.compile(r"\|[^|]*\|\s*(\d{1,18})/(\d{1,18}) \[[^\]/]*/\w{1,9}, ([^\]=]*=[^\]]*)\]")
_NAMED_BAR = re.compile(
    r"^\s{0,9}([a-z][\w ]{0,30}): ?([-+.\de]{1,20}): {0,4}\d{1,3}%\|[^|]{0,200}\| {0,9}(\d{1,18})/(\d{1,18}) \[.*", re.I
)
"""A bar that is called by the value of the loss."""
_PERCENT_STATE = re.compile(r"^\W{0,9}progress:? {0,9}(\d{1,3}(?:\.\d{1,9})?) ?(%) +([a-z].*)", re.I)
"""fastText counts in percent of the run."""
_EPOCH_BAR = re.compile(r"^(\W*(?:training |train )?epochs?)\s*:?\s*\d{1,3}%\s?\|[^|]*\|\s*(\d+)/(\d+)", re.I)
_COUNTED = re.compile(r"^[\s\[(#]*(\d+)(?:\s*/\s*\d+)?[\])]?\s*[:|,-]?\s+(?:(?=[A-Za-z])|(?<=\d\] )(?=\d+m ))")
_EPOCH_SAID = re.compile(r"epochs?\W{0,3}(\d+)", re.I)
_NAMES = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_PREFIXES = tuple(
    (sign, re.compile(pattern, re.I if sign == "" else 0))
    for sign, pattern in (
        ("] ", r"^\s*[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ [^\]\s]+\] "),
        ("-", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)\b"),
        (":", rf"\b{_NAMES}\w* +\d\d?,? (?:\d{{4}} )?\d\d:\d\d:\d\d(?: [A-Z]{{3,4}})?(?: \d{{4}})?"),
        ("<std", r"^\s*\[\d+,\d+\]\s*<std(?:out|err)>:"),
        ("", r"^\s*(?:\[\w*\d+\]:|\(\w+ pid=\d+[^)]*\)|\[rank ?\d+\]:?|rank ?\d+:)"),
        ("][", r"^\s*\[[^\]]*\d{4}-\d\d-\d\d[^\]]*\]\s*\[[\w.]+\]\s*\[(?:INFO|DEBUG|WARNING)\]"),
        ("|", r"(?<=\| )[A-Za-z_][\w.]*(?::[\w.<>]+)?:\d+ [|-] "),
        ("(", r"\([\w./]+(?:\.py:? ?|:)\d+\)"),
        (".py:", r"\b[\w./]+\.py:\d+\]?:?"),
    )
)
"""What loggers put before a message, each with a sign without which it is not looked for."""
_SAID = r"train(?:ing)?|trn|val(?:id\w*)?|test(?:ing)?|dev|eval\w*"
_NUMBER = r"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf)"
_REWRITES = tuple(
    (sign, re.compile(pattern, re.I), plain)
    for sign, pattern, plain in (
        ("#01", r"#01[12]", "\t"),  # tabs and line ends, as system logs write them
        (
            "[",
            r"(?:^|(?<=[|\]]))\s*\[(\d+)\]\s+(?=\S*(?:train|valid|eval|test)\S*[-:' ])",
            r"iteration \1: ",
        ),  # boosting
        ("n/a", r"\b[A-Za-z_][\w ]{0,30}[:=] {0,3}n/a\b", ", "),
        (">=", r"<([a-z_]\w{0,30})>=", r"\1="),  # SageMaker
        ("Progress on:", r"\bProgress on:\S{1,40} ([\d.]{1,12})it/\S+", r"step \1, "),
        ("Progress on:", r"\bProgress on:\S{1,40} ([\d.]{1,12})kit/\S+", r"step \1e3, "),
        ("#", r"\b(epoch|iteration|iter|step|episode|batch) ?# ?(?=\d)", r"\1 "),
        (" of ", r"\b(?:beginning|start|end|begin) of (?=epoch|iter|step|episode)", ""),
        ("poch loaded", r"\bepoch loaded: \d{1,9} - ", ""),  # SpeechBrain
        ("E", r"^\W{0,3}E(\d{1,5})\b(?! ?\d\d:\d\d)[ :|]", r"epoch \1 "),
        ("tarting ", r"\bstarting (?=(?:epoch|iteration|step|episode)\b)", ""),
        ("inished ", r"\bfinished (?=(?:epoch|iteration|step|episode)\b)", ""),
        ("ompleted ", r"\bcompleted (?=(?:epoch|iteration|step|episode)\b)", ""),
        (")", r"\b([a-z]\w{0,30})\((train|val|valid|test|eval|dev)\)(?= {0,3}[:=])", r"\2 \1"),  # loss(train)=0.5
        ("postfix:", r"\bpostfix:", ", "),
        ("ScoreIter", r"\bscore at iteration\b", "loss at iteration"),  # DL4J
        (
            "loss ",
            r"(?:^|(?<=\s))((?:train|training|valid|validation|val|eval|test) loss) (\d{1,12}):? +(?=[-+]?\d+\.\d|nan)",
            r"iteration \2 \1 ",
        ),
        ("'s ", r"\b(train(?:ing)?|valid(?:ation)?(?:_\d+)?|test(?:_\d+)?)'s ", r"\1 "),
        ("第", r"第\s*(\d+)\s*(?:/\s*(\d+)\s*)?(?:轮|輪|个?\s?epoch|回|エポック)", r"epoch \1 "),
        ("(", r"\b(?:tensor|np\.float\d+|array)\(\s*\[?([-+\w.]+)\]?\s*(?:,(?:[^()]|\([^()]*\))*)?\)", r"\1"),
        ("[", r"([:=]\s*)\[\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*\]", r"\1\2"),
        ("epoch:", r"\b(\d+)epoch:(\w+):\d+-(\d+)batch:", r"epoch \1 \2, batch \3, "),  # ESPnet
        ("epoch ", r"\b(\d+)epoch results:", r"epoch \1 "),
        ("(+nanz)", r"\(\+nanz\)", " "),
        ("Saving dict", r"\bSaving dict for global step (\d+): ", r"eval global step \1, "),  # TensorFlow's Estimator
        (
            "rain",
            r"(?<!loss )(?<!acc )(?<!accuracy )"
            rf"\b(train(?:ing)?|trn)\s*[:=]\s*({_NUMBER})\W+({_SAID})\s*[:=]\s*(?={_NUMBER})",
            r"\1 score: \2, \3 score: ",
        ),
        ("heckpoint [", r"\bcheckpoint \[(\d+)\]", r"step \1, "),  # Sockeye
        ("=", r"\b(?:msg|message|event)=\"[^\"]*\"", ", "),  # logfmt
        ("=", rf"\b(?:split|mode|phase|stage|subset)=({_SAID})\b", r"\1 "),
        ("=", rf"\b[a-z_]\w*=(?!(?:nan|inf|{_SAID})\b)[a-z][\w./-]*(?=\s)", ", "),
        (" , ", r"(?:^|(?<=,))\s*([a-z_][\w ]{0,20}?)\s*,\s*([-+]?\d[\w.+-]*)(?=\s*(?:,|$))", r" \1: \2"),
        (
            "/",
            rf"(?:\b([a-z]{{1,20}}))?[ (]{{0,8}}\b({_SAID})\s*/\s*({_SAID})\b\)?\s*([a-z]*)\s*[:=]?\s*"
            rf"[(\[]?({_NUMBER}%?)\s*[/|,]\s*({_NUMBER})",
            r"\1 \2 \4: \5, \1 \3 \4: \6",
        ),
        ("f0", r"(?<=\d)f0\b", ""),  # Julia's single precision
        (" images", r"accuracy of the (?:network|model) on (?:the )?\d+ (\w+ )?images", r"\1accuracy"),
    )
)


def lines_of(text: str) -> Iterator[str]:
    """The lines of a printed log; of what was rewritten in place only the last state, once for each epoch it names."""
    text = _plain_numbers(text.replace("\r\n", "\n").replace("\x08", "\r"))
    if "\n" not in text.strip():
        text = text.replace("\r", "\n")
    for line in text.split("\n"):
        for state in _last_states(line) if "\r" in line else (line,):
            if state.strip():
                yield tidy(state)


def unwrapped(text: str) -> str:
    """What a program printed, where a container or a collector of logs has put every line into a JSON object."""
    first = text[:LONGEST].partition("\n")[0]
    key = next((k for k in _WRAPPERS if f'"{k}"' in first), None) if first[:1] == "{" else None
    if key is None or not isinstance(_said_in(first, key), str):
        return text
    said = (_said_in(line, key) for line in text.splitlines() if line.strip())
    return "\n".join(line.rstrip("\n") for line in said if line is not None)


def _said_in(line: str, key: str) -> str | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, str) else None


def tidy(line: str) -> str:
    """A line without the prefix that a logger gave it, and with odd ways to write a number or an epoch made plain."""
    if len(line) > LONGEST:
        return line
    line = line if line.isascii() else line.translate(_WIDE)
    for sign, prefix in _PREFIXES:
        if sign in line:
            line = prefix.sub("  ", line)
    for sign, pattern, plain in _REWRITES:
        if sign in line:
            line = pattern.sub(plain, line)
    if any(sign in line for sign in _SHORT_SIGNS):
        line = spelled_out(line)
    return _EPOCH_BAR.sub(r"\1 \2/\3 ", line) if "%" in line else line


def counted_lines(lines: list[str]) -> list[str]:
    """The lines that begin with a bare counter ("3/50: loss 0.4", "(3) loss 0.4"), with the word epoch before it.

    For logs that name no axis at all; empty unless the counter goes up.
    """
    found = [(int(m[1]), line[m.end() :]) for line in lines if (m := _COUNTED.match(line))]
    counts = [count for count, _ in found]
    rises = len(counts) > 2 and all(a < b for a, b in pairwise(counts))
    return [f"epoch {count}: {rest}" for count, rest in found] if rises else []


def bar_lines(text: str) -> list[str]:
    """What one bar said on its way ("Steps: 3%| | 31/1000 [00:10<05:20, lr=1e-5, step_loss=0.31]"), a line a step.

    For logs that are nothing but such a bar; empty where several run, since which counts what is not known then.
    """
    said: dict[float, str] = {}
    totals, last = set[str](), -1.0
    for line in text.replace("\r", "\n").split("\n"):
        if len(line) <= LONGEST and "%" in line:
            line = _NAMED_BAR.sub(r"| |\3/\4 [0/it, \1=\2]", line)
        if len(line) > LONGEST or not (state := _BAR_STATE.search(line) or _PERCENT_STATE.search(line)):
            continue
        step = float(state[1])
        if step < last or "epoch" in line[: state.start()].lower():  # a bar anew, or one of many
            return []
        totals.add(state[2])
        said[step], last = state[3], step
    return [f"step {step:.15g}: {rest}" for step, rest in said.items()] if len(totals) == 1 else []


def _last_states(line: str) -> list[str]:
    """The last state of every bar that was drawn on one line, in the order in which they ended."""
    last: dict[str, str] = {}
    for state in line.split("\r"):
        if state.strip():
            shape = _shape(state)
            last.pop(shape, None)
            last[shape] = state
    return list(last.values())


def _shape(state: str) -> str:
    """What tells one bar from another: the words before it, and the epoch that it names."""
    if bar := _EPOCH_BAR.match(state):
        return f"epoch {bar[2]}"
    mark, epoch = _MARK.search(state), _EPOCH_SAID.search(state)
    words = re.sub(r"[\d\s]+", "", state[: mark.start()] if mark else state[:12])
    return f"{words} {epoch[1] if epoch else ''}"


def _plain_numbers(text: str) -> str:
    """Thousands without separators, and decimal points where a log writes decimal commas throughout."""
    if not text.isascii():
        text = _NARROW_BLANK.sub("", text)
    sample = text[:200_000]
    if "," not in sample:
        return text
    commas = sum(len(m[2]) != 3 or m[1] == "0" for m in _COMMA_NUMBER.finditer(sample))
    if commas >= 3 and commas > len(_POINT_NUMBER.findall(sample)):
        text = _SPACED.sub(lambda m: re.sub(r"[ .]", "", m[1]), text)
        return re.sub(r"(?<=\d),(?=\d)", ".", text)
    return _THOUSANDS.sub(lambda m: m[1].replace(",", ""), text)
