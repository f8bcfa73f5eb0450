"""What the names of one table's columns mean beside one another: shared prefixes, units, short words for splits.

"sunny-1 - train/loss"  ->  train/loss      W&B's export puts the run before every curve
"Training loss [nats]"  ->  Training loss   a unit is no part of a name
tr_loss, te_loss        ->  test_loss       "te" and "va" are splits where "tr" stands beside them
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...names import axis, split_of

RANGE = ("__MIN", "__MAX")
"""Ends of W&B's names for the range of a curve that was sampled down: they are no curves of their own."""
_RUN = re.compile(r"(.+?) - (.+)")
_UNIT = re.compile(
    r"\s*[\[(](?:1|-|%|a\.?u\.?|nats?|bits?|m?s|secs?|seconds?|min|h|dB|[kMG]i?B|[mcn]?m|px|deg|rad|m?eV|kcal/mol)[\])]$"
)
_SHORT = {"te": "test", "va": "val"}
_SHORT_WORD = re.compile(r"(?<![a-z])(te|va)(?![a-z])", re.I)
_SHORT_TRAIN = re.compile(r"(?<![a-z])tr(?![a-z])", re.I)


_T, _V = (re.compile(rf"(?<![a-z\d_]){letter}_(?=(?:loss|acc)(?![a-z]))", re.I) for letter in "tv")
_POLICY = re.compile(r"(?<![a-z])(?:p|pi|pg|policy)_loss", re.I)


def spelled_out(text: str) -> str:
    """A line with its short words for splits in full, where "tr" stands beside them; "t" and "v" are splits together,
    but not beside a policy, where they are the total and the value."""
    if _T.search(text) and _V.search(text) and not _POLICY.search(text):
        text = _V.sub("val_", _T.sub("train_", text))
    return _SHORT_WORD.sub(lambda m: _SHORT[m[0].lower()], text) if _SHORT_TRAIN.search(text) else text


def plain_names(names: Sequence[str]) -> list[str]:
    """What each of the names is to be understood as, in their order."""
    short = any(_SHORT_TRAIN.search(name) for name in names)
    runs = [_RUN.fullmatch(name) for name in names if axis(name) is None]
    said = {run[1] for run in runs if run}
    shared = len(said) == 1 and all(runs) and not any(map(split_of, said))
    found = []
    for name in names:
        if shared and (run := _RUN.fullmatch(name)):
            name = run[2]
        name = _UNIT.sub("", name)
        found.append(_SHORT_WORD.sub(lambda m: _SHORT[m[0].lower()], name) if short else name)
    return found
