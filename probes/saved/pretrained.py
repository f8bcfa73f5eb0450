"""Whether a run began with trained weights: scales of normalisations that differ by more than its steps can have made.

The scales of one normalisation all begin at one value. In n steps Adam takes two of them apart by at most twice its
reach (`displacement`), so a wider spread in the first checkpoint was there before. Fine-tuning starts so, and then
neither a small move nor a loss that hardly falls says that nothing is learned. A few recipes draw the scales at random
(adversarial ones, around 1 with a deviation of 0.02): such runs may pass for pretrained, and are accused of less.
"""

from __future__ import annotations

from ..artifacts import Artifacts, Checkpoint
from ..errors import Unreadable
from . import statistics
from .displacement import highest, is_torch_adam, reach
from .layers import parameters

SCALES = ("weight", "gamma", "scale")
MOST_STEPS = 20_000
"""Beyond, the reach is as large as the scales themselves at any usual rate."""


def pretrained(artifacts: Artifacts) -> bool:
    """Whether most of the normalisations in the earliest checkpoint are farther from a constant than their optimizer
    can have taken them. False where it cannot be told: another optimizer than torch's Adam, an unknown rate, no
    scales, or a file that breaks off.
    """
    if not artifacts.checkpoints:
        return False
    first, last = artifacts.checkpoints[0], artifacts.checkpoints[-1]
    state = first.optimizer
    if state is None or not is_torch_adam(state) or not 0 < (state.step or 0) <= MOST_STEPS:
        return False
    try:
        judged = [b for n in parameters(first) if (b := _before(n, first, last, artifacts)) is not None]
    except Unreadable:  # what the logs say is to be told all the same
        return False
    return bool(judged) and 2 * sum(judged) > len(judged)


def _before(name: str, first: Checkpoint, last: Checkpoint, artifacts: Artifacts) -> bool | None:
    """Whether one vector of scales was no constant at the start; None if it is none, or cannot be judged."""
    tensor = first.tensors[name]
    state, after = first.optimizer, last.optimizer
    if len(tensor.shape) != 1 or tensor.numel < 2 or name.rpartition(".")[2] not in SCALES:
        return None
    own = state.of(name) if state is not None else None
    if state is None or own is None or not own.slots or after is None or len(after.groups) != len(state.groups):
        return None
    group = state.groups[own.group]
    rate = highest(first, last, (group, after.groups[own.group]), artifacts.series("lr"))
    if rate is None:
        return None
    values = statistics.of(first).values(tensor)
    return values.high - values.low > 2 * reach(0, state.step or 0, rate, group, values.largest)
