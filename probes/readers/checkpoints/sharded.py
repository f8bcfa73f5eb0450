"""Weights cut into several files with an index beside them (`*.index.json` with a `weight_map`: name -> file)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...artifacts import Checkpoint, Tensor
from ...errors import Unreadable

MOST_BYTES = 32 << 20


def is_shard_index(path: Path) -> bool:
    """Whether a JSON file is such an index."""
    return bool(_weight_map(path))


def join_shards(index: Path, checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    """The checkpoints with the index's shards replaced by one that has the index's path and all their tensors.

    Only files of the index's own folder that were already read are used; a name in the index is never opened.

    Raises:
        Unreadable: a listed file is missing or lies elsewhere, or lacks a tensor that it should hold.
    """
    names = _weight_map(index)
    shards = {c.path.name: c for c in checkpoints if c.path.parent == index.parent}
    missing = sorted({file for file in names.values() if file not in shards})
    if missing:
        raise Unreadable(
            f"{len(missing)} of its shards are not there ({missing[0][:80]!a})", str(index), "copy them all"
        )
    for name, file in names.items():
        if name not in shards[file].tensors:
            raise Unreadable(f"{file} lacks {name[:80]!a}", str(index), "copy or save the shards again")
    used = [shards[file] for file in sorted(set(names.values()))]
    tensors: dict[str, Tensor] = {}
    for shard in used:  # in the shards' own order: the index is sorted by name
        tensors |= {name: t for name, t in shard.tensors.items() if names.get(name) == shard.path.name}
    warnings = tuple(w for shard in used for w in shard.warnings)
    joined = Checkpoint(index, f"{used[0].format}-sharded", tensors, warnings=warnings)
    return [*(c for c in checkpoints if all(c is not shard for shard in used)), joined]


def _weight_map(path: Path) -> dict[str, str]:
    if path.stat().st_size > MOST_BYTES:
        return {}
    try:
        tree: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    names = tree.get("weight_map") if isinstance(tree, dict) else None
    if not isinstance(names, dict) or not all(isinstance(v, str) for v in names.values()):
        return {}
    return names
