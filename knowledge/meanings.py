"""Numbers that mean something where they stand: a loss or accuracy of guessing, a learning rate out of range ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .text import Number, Token, numbers, sentence_breaks, tokens

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STILL = {"stuck", "not", "same", "alway", "around", "always", "change", "converge", "fall", "only", "start", "begin"}
_NEAR = 4
_SIDE_NEAR = 20


@dataclass(frozen=True, slots=True)
class Meaning:
    """A number and what it says: a sentence, and the symptom (with yes or no) that it speaks to, or ""."""

    value: float
    says: str
    symptom: str
    present: bool
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Level:
    """Loss (cross-entropy, in nats) and accuracy of a model that guesses among some classes."""

    classes: int
    loss: float
    accuracy: float
    name: str


@cache
def levels() -> tuple[Level, ...]:
    """What guessing gives, by number of classes."""
    rows = yaml.load((Path(__file__).parent / "numbers.yaml").read_bytes(), Loader=_LOADER)
    return tuple(Level(**row) for row in rows)


def meanings(text: str, correct: Callable[[str], str] | None = None) -> tuple[Meaning, ...]:
    """The numbers of a text that have a meaning where they stand."""
    found = numbers(text)
    if not found:
        return ()
    said, breaks = tokens(text, correct), sentence_breaks(text)
    read = (_read(n, _before(n, said), _around(n, said, breaks)) for n in found)
    shares = [_as_share(n, found) for n in found if n.percent or "accuracy" in _around(n, said, breaks)]
    gap = _gap([(_side(n, said, breaks), n) for n in shares])
    return tuple(m for m in (*read, gap) if m is not None)


def _as_share(number: Number, others: Sequence[Number]) -> Number:
    """A bare "71" beside percentages is one too."""
    bare = not number.percent and number.digits == 0 and 1 < number.value <= 100 and any(n.percent for n in others)
    return number._replace(value=number.value / 100) if bare else number


def _side(number: Number, said: Sequence[Token], breaks: Sequence[int]) -> str:
    """ "train" or "validation", whichever stands nearer to a number in its clause; "" if neither is near."""

    def away(token: Token) -> int:
        end, start = min(token.end, number.end), max(token.start, number.start)
        return _SIDE_NEAR + 1 if any(end <= b < start for b in breaks) else start - end

    sides = [t for t in said if t.word in ("train", "validation")]
    nearest = min(sides, key=away, default=None)
    return nearest.word if nearest is not None and away(nearest) <= _SIDE_NEAR else ""


def _gap(shares: Sequence[tuple[str, Number]]) -> Meaning | None:
    """A training and a validation result side by side: far apart, or alike and poor."""
    best = {side: n for side, n in shares if side and 0 < n.value <= 1}
    if len(best) < 2:
        return None
    train, validation = best["train"], best["validation"]
    span = (min(train.start, validation.start), max(train.end, validation.end))
    says = f"{train.value:.3g} in training against {validation.value:.3g} in validation"
    if train.value - validation.value >= 0.1:
        return Meaning(validation.value, says, "train-good-val-bad", True, span)
    if validation.value - train.value >= 0.02:
        return Meaning(validation.value, says, "val-better-than-train", True, span)
    return None


def _read(number: Number, before: Sequence[str], around: Sequence[str]) -> Meaning | None:
    subject = next((word for word in reversed(before) if word in _SETTINGS), None)
    if subject is not None:
        return _SETTINGS[subject](number, around)
    rules = (_chance_loss, _gpu, _chance_accuracy)
    return next((m for rule in rules if (m := rule(number, before, around)) is not None), None)


def _before(number: Number, said: Sequence[Token]) -> list[str]:
    """The few words before a number."""
    return [t.word for t in said if t.end <= number.start][-_NEAR:]


def _around(number: Number, said: Sequence[Token], breaks: Sequence[int]) -> list[str]:
    """All words of its sentence."""
    low = max((b for b in breaks if b < number.start), default=-1)
    high = min((b for b in breaks if b >= number.end), default=1 << 30)
    return [t.word for t in said if low < t.start < high]


def _chance_loss(n: Number, before: Sequence[str], around: Sequence[str]) -> Meaning | None:
    if n.percent or n.digits < 1 or not {"loss", "stuck", "cross-entropy"} & set(around) or "accuracy" in before:
        return None
    level = next((v for v in levels() if abs(v.loss - n.value) <= min(0.006, 0.6 * 10.0**-n.digits)), None)
    if level is None or (n.digits < 3 and not _STILL & set(around)):
        return None
    says = f"a loss of {n.value:g} is {level.name}: what guessing among {level.classes} classes gives"
    return Meaning(n.value, says, "loss-at-chance", True, (n.start, n.end))


def _chance_accuracy(n: Number, before: Sequence[str], around: Sequence[str]) -> Meaning | None:
    if (
        "accuracy" not in around
        or not _STILL & set(around)
        or not 0 < n.value < 0.6
        or (not n.percent and n.digits < 1)
    ):
        return None
    level = next((v for v in levels() if abs(v.accuracy - n.value) <= 0.015 * v.accuracy), None)
    if level is None:
        return None
    says = f"an accuracy of {n.value:.3g} is what guessing among {level.classes} classes gives"
    return Meaning(n.value, says, "loss-at-chance", True, (n.start, n.end))


def _learning_rate(n: Number, around: Sequence[str]) -> Meaning | None:
    if n.percent or n.value <= 0:
        return None
    high = 0.01 if "adam" in around else 0.5
    if n.value > high:
        return Meaning(n.value, f"a learning rate of {n.value:g} is high", "lr-above-common", True, (n.start, n.end))
    if n.value < 1e-5:
        return Meaning(n.value, f"a learning rate of {n.value:g} is low", "lr-below-common", True, (n.start, n.end))
    return Meaning(n.value, f"a learning rate of {n.value:g}", "", True, (n.start, n.end))


def _batch_size(n: Number, around: Sequence[str]) -> Meaning | None:
    if n.percent or n.value < 1 or n.value % 1:
        return None
    return Meaning(n.value, f"a batch of {n.value:g}", "small-batch", n.value < 8, (n.start, n.end))


def _dropout(n: Number, around: Sequence[str]) -> Meaning | None:
    if not 0 <= n.value < 1:
        return None
    return Meaning(n.value, f"dropout of {n.value:g}", "strong-regularization", n.value > 0.5, (n.start, n.end))


def _weight_decay(n: Number, around: Sequence[str]) -> Meaning | None:
    if n.value <= 0.3:
        return None
    return Meaning(n.value, f"weight decay of {n.value:g}", "strong-regularization", True, (n.start, n.end))


def _gpu(n: Number, before: Sequence[str], around: Sequence[str]) -> Meaning | None:
    if not n.percent or "gpu-utilization" not in around:
        return None
    return Meaning(n.value, f"the GPU is busy {n.value:.0%} of the time", "gpu-idle", n.value < 0.5, (n.start, n.end))


_SETTINGS: Mapping[str, Callable[[Number, Sequence[str]], Meaning | None]] = {
    "learning-rate": _learning_rate,
    "batch-size": _batch_size,
    "dropout": _dropout,
    "weight-decay": _weight_decay,
}
