"""Optimizer state in 8 bits (bitsandbytes, block-wise): codes, a table of 256 values, and one scale for each block.

The number at place i is table[code_i] x scale[i // block], blocks of the flattened parameter. Zero is exact; what is
small beside the largest of its block is rounded to zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...artifacts import Array, Tensor
from .lazy import LazyTensor

BLOCKS = (64, 128, 256, 512, 1024, 2048, 4096)
_MOMENTS = ("exp_avg", "exp_avg_sq")
SLOTS = {"adam": _MOMENTS, "adamw": _MOMENTS, "lion": ("exp_avg",), "sgd": ("momentum_buffer",)}
"""What `state1` and `state2` are called in 32 bits, by the optimizer's kind."""


@dataclass(slots=True, eq=False)
class Quantised:
    """Implements `artifacts.Tensor` over codes, table and scales."""

    name: str
    shape: tuple[int, ...]
    codes: Tensor
    table: Tensor
    scales: Tensor
    block: int
    dtype: str = "float32"

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    def named(self, name: str) -> Quantised:
        """The same under another name."""
        return replace(self, name=name)

    def array(self) -> Array:
        """The whole tensor. Raises Unreadable."""
        parts = [rows.ravel() for _, rows in self.chunks()]
        return np.concatenate(parts).reshape(self.shape) if parts else np.zeros(self.shape, np.float32)

    def chunks(self, limit: int = 8 << 20) -> Iterator[tuple[int, Array]]:
        """Rows in order; see `artifacts.Tensor`. Raises Unreadable."""
        table = np.asarray(self.table.array(), np.float32).ravel()
        scales = np.asarray(self.scales.array(), np.float32).ravel()
        for first, rows in self.codes.chunks(max(1, limit // 4)):
            width = rows.shape[1]
            places = np.arange(first * width, (first + len(rows)) * width) // self.block
            yield first, (table[rows.ravel()] * scales[places]).reshape(rows.shape)


def dequantised(slots: Mapping[str, Tensor], kind: str | None) -> dict[str, Quantised]:
    """The moments that `state1` and `state2` stand for, by the names they have in 32 bits; empty if that is unclear.

    Tensors of fewer than 4,096 entries stay in 32 bits under the same keys, and are passed on by `plain`.
    """
    found = {}
    for number, name in enumerate(SLOTS.get(kind or "", ()), 1):
        codes, table, scales = (slots.get(f"{part}{number}") for part in ("state", "qmap", "absmax"))
        if codes is None or table is None or scales is None or codes.dtype != "uint8" or table.numel != 256:
            return {}
        block = next((b for b in BLOCKS if -(-codes.numel // b) == scales.numel), None)
        if block is None:
            return {}
        found[name] = Quantised(name, codes.shape, codes, table, scales, block)
    return found


def plain(slots: Mapping[str, LazyTensor], kind: str | None) -> dict[str, LazyTensor]:
    """The 32-bit moments of a small tensor, under their usual names; empty if there are none."""
    if "state1" not in slots or not slots["state1"].dtype.startswith("float"):
        return {}
    names = ((name, f"state{number}") for number, name in enumerate(SLOTS.get(kind or "", ()), 1))
    return {name: slots[key] for name, key in names if key in slots}
