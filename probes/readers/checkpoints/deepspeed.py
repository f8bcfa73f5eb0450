"""DeepSpeed ZeRO folders: fp32 weights and moments that lie in flat partitions, one a rank, cut out as lazy tensors.

`*mp_rank_00_model_states.pt` lists the parameters (`param_shapes`: name -> shape, one table a group) and holds the
buffers; each `*zero_pp_rank_R_mp_rank_00_optim_states.pt` holds rank R's flat partitions. Stages 1 and 2 cut a group's
numbers into one run a rank; stage 3 cuts every parameter into equal runs, one a rank. The layout is that of DeepSpeed's
own zero_to_fp32.py. With model parallelism each `mp_rank` has such files of its own: the stages of a pipeline hold
parameters of their own names, slices of tensors have the same ones.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...artifacts import Array, Checkpoint, OptimizerState, ParameterState, Tensor
from ...errors import Unreadable
from .archive import Archive
from .bundle import MOST_WARNINGS, Bundle, take_apart
from .danger import warning
from .lazy import LazyTensor, Room, Storage, dense, itemsize, overlapping, shown, tensor
from .optimizer_kinds import optimizer_kind
from .optimizer_state import step_count
from .settings import simplify
from .span import Span
from .torch_values import scalar
from .torch_zip import is_torch, read_torch_zip

_PART = re.compile(r"(?:^|_)(?:zero_pp_rank_(\d+)_)?mp_rank_(\d+)_(model|optim)_states\.pt$")
Shapes = dict[str, tuple[int, ...]]
Flat = list[LazyTensor]


@dataclass(slots=True, eq=False)
class JoinedTensor(LazyTensor):
    """A tensor whose numbers lie in several runs, one after the other. Its storage only stands for their bytes."""

    pieces: Flat = field(default_factory=list)

    def _read(self, first: int, count: int, room: Room | None = None) -> Array:
        self._check()
        parts = [piece.array() for piece in cut(self.pieces, first, count)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def is_deepspeed(path: Path) -> bool:
    """Whether a file is named as one part of such a folder."""
    return _PART.search(path.name) is not None


def is_partition(path: Path) -> bool:
    """Whether such a file holds a rank's partition."""
    found = _PART.search(path.name)
    return found is not None and found[3] == "optim"


def read_deepspeed(folder: Path, files: list[Path]) -> Checkpoint:
    """One checkpoint of a folder's parts. Raises Unreadable: a part is missing or not understood."""
    known = sorted((int(m[2]), int(m[1] or 0), m[3], f) for f in files if (m := _PART.search(f.name)))
    parts: list[_Part] = []
    for place in sorted({place for place, _, _, _ in known}):
        of = {kind: [f for p, _, k, f in known if (p, k) == (place, kind)] for kind in ("model", "optim")}
        if not of["model"] or not of["optim"]:
            lacks = next(kind for kind in ("model", "optim") if not of[kind])
            what = f"the file *mp_rank_{place:02d}_{lacks}_states.pt is missing"
            raise Unreadable(what, str(folder), "copy the whole folder")
        parts.append(_read_part(folder, place, of["model"], of["optim"]))
    return _checkpoint(folder, parts)


@dataclass(slots=True)
class _Part:
    """What lies under one `mp_rank`: a whole model, a stage of a pipeline, or one slice of every tensor."""

    place: int
    model: dict[Any, Any]
    bundle: Bundle
    weights: dict[str, LazyTensor]
    states: list[ParameterState]
    groups: list[Any]
    stage: int
    scaler: Any
    refused: list[str]


def _read_part(folder: Path, place: int, models: list[Path], partitions: list[Path]) -> _Part:
    trees = [_tree(file) for file in (*models, *partitions)]
    refused = list(dict.fromkeys(name for _, names in trees for name in names if not name.startswith("deepspeed.")))
    heads = [tree for tree, _ in trees[: len(models)]]
    pairs = zip(partitions, trees[len(models) :], strict=True)
    ranks = [_dict(tree.get("optimizer_state_dict"), file) for file, (tree, _) in pairs]
    try:
        stage, count = _stage(ranks[0]), _count(ranks[0].get("partition_count"))
        if count is not None and count != len(ranks):
            why = f"{len(ranks)} of {count} ranks' files are there"
            raise Unreadable(why, str(folder), "copy the whole folder")
        bases = [rank["optimizer_state_dict" if stage == 3 else "base_optimizer_state"] for rank in ranks]
        shapes = [_shapes(table) for table in heads[0]["param_shapes"]]
        weights, states = _cut_all(shapes, ranks, bases, stage)
        weights |= _frozen(heads, stage)
        bundle = take_apart(heads[0])
        weights |= _buffers(heads[0], bundle)
        for name, source in heads[0].get("shared_params") or ():  # tied weights are saved once
            weights |= {str(name): weights[source].named(str(name))} if source in weights else {}
        groups = bases[0]["param_groups"] if isinstance(bases[0], dict) else []
        return _Part(
            place, heads[0], bundle, weights, states, list(groups), stage, ranks[0].get("loss_scaler"), refused
        )
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        why = f"its partitions are not laid out as expected ({shown(str(error))})"
        raise Unreadable(why, str(folder), "join it with DeepSpeed's zero_to_fp32.py") from error


def _tree(path: Path) -> tuple[dict[Any, Any], list[str]]:
    archive = Archive(Span(path, 0, path.stat().st_size))
    if not is_torch(archive):
        raise Unreadable("a part is no torch file", str(path), "copy it again")
    tree, refused, _ = read_torch_zip(archive)
    return _dict(tree, path), refused


def _dict(value: Any, path: Path) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise Unreadable("a part does not hold what DeepSpeed saves", str(path), "copy it again")
    return value


def _checkpoint(folder: Path, parts: list[_Part]) -> Checkpoint:
    weights, states, cut = _together(parts)
    first, refused = parts[0], [name for part in parts for name in part.refused]
    faults = [f"{shown(n)}: {t.fault}; left out." for n, t in weights.items() if t.fault]
    raw = [g for part in parts for g in part.groups if isinstance(g, dict)]
    options = tuple(simplify({k: v for k, v in g.items() if k != "params"}, [1000]) for g in raw)
    kind, kind_from = optimizer_kind(options, [p.slots for p in states], first.model.get("ds_config"))
    optimizer = OptimizerState(kind, kind_from, options, tuple(states), "names", "", "optimizer_state_dict")
    steps = scalar(first.model.get("global_steps"))
    return Checkpoint(
        folder,
        f"deepspeed-zero{first.stage}",
        {name: t for name, t in weights.items() if not t.fault},
        optimizer,
        int(steps) if steps is not None else optimizer.step,
        hyper=first.bundle.hyper,
        schedulers=tuple(first.bundle.schedulers),
        scaler=first.bundle.scaler or take_apart({"loss_scaler": first.scaler}).scaler,
        refused=tuple(dict.fromkeys(refused)),
        warnings=(*warning(list(dict.fromkeys(refused))), *_told(cut, len(parts)), *faults[:MOST_WARNINGS]),
    )


def _together(parts: list[_Part]) -> tuple[dict[str, LazyTensor], list[ParameterState], int]:
    """(weights, states, names that several parts have). The stages of a pipeline have names of their own; a tensor
    that is cut keeps its slices apart, under the part's name: along which dimension they belong is not in the file."""
    often = Counter(name for part in parts for name in part.weights)
    weights: dict[str, LazyTensor] = {}
    states: list[ParameterState] = []
    groups = 0
    for part in parts:
        names = {n: n if often[n] == 1 else f"mp_rank_{part.place:02d}.{n}" for n in part.weights}
        weights |= {names[n]: t.named(names[n]) for n, t in part.weights.items()}
        for state in part.states:
            name = names.get(state.name or "", state.name)
            states.append(replace(state, index=len(states), group=groups + state.group, name=name))
        groups += len(part.groups)
    return weights, states, sum(count > 1 for count in often.values())


def _told(cut: int, parts: int) -> list[str]:
    if not cut:
        return []
    return [
        f"it is cut by tensor parallelism: {cut} tensors are read as {parts} slices each (mp_rank_00. and so on), as "
        "how they are joined is not in the files; DeepSpeed's ds_to_universal.py joins them."
    ]


def _frozen(heads: list[dict[Any, Any]], stage: int) -> dict[str, LazyTensor]:
    """The weights that are not trained: whole in the first model file, or (stage 3) a run in each rank's."""
    tables = [table for head in heads if isinstance(table := head.get("frozen_param_fragments"), dict)]
    shapes = heads[0].get("frozen_param_shapes")
    if not isinstance(shapes, dict) or len(tables) < len(heads):
        return {}
    found: dict[str, LazyTensor] = {}
    held = {str(i): {n: t for n, t in table.items() if isinstance(t, LazyTensor)} for i, table in enumerate(tables)}
    Bundle(held).limit_views()
    for name, shape in _shapes(shapes).items():
        runs = [table.get(name) for table in (tables if stage == 3 else tables[:1])]
        whole = [run for run in runs if isinstance(run, LazyTensor) and run.contiguous and not run.fault]
        if len(whole) < len(runs):
            continue
        flat = [tensor(r.storage, (r.numel,), (1,), r.offset, r.dtype) for r in whole]
        found[name] = _joined(name, shape, cut(flat, 0, math.prod(shape)))
    return found


def _cut_all(
    groups: list[Shapes], ranks: list[dict[Any, Any]], bases: list[Any], stage: int
) -> tuple[dict[str, LazyTensor], list[ParameterState]]:
    """(fp32 weights by name, their states) in the groups' order."""
    if stage == 3:
        groups = [{name: shape for group in groups for name, shape in group.items()}]
        flats = [[rank["fp32_flat_groups"] for rank in ranks]]
    else:
        flats = [[[rank["single_partition_of_fp32_groups"][i]] for rank in ranks] for i in range(len(groups))]
    weights: dict[str, LazyTensor] = {}
    parameters: list[ParameterState] = []
    for group, shapes in enumerate(groups):
        weights |= _cut_group(shapes, flats[group], stage)
        states = [_states(base, None if stage == 3 else group) for base in bases]
        keys = [key for key, value in states[0][0].items() if _is_flat(value)]
        slots = {key: _cut_group(shapes, [[state[key] for state in rank] for rank in states], stage) for key in keys}
        step = step_count(states[0][0].get("step"))
        for name, shape in shapes.items():
            held = {key: slots[key][name].named(f"{name}.{key}") for key in keys}
            own: dict[str, Tensor] = {key: slot for key, slot in held.items() if not slot.fault}
            parameters.append(ParameterState(len(parameters), group, name, own, step, shape if own else None))
    return weights, parameters


def _buffers(model: dict[Any, Any], bundle: Bundle) -> dict[str, LazyTensor]:
    """The model's buffers, which are not partitioned."""
    names = [name for name in model.get("buffer_names") or () if isinstance(name, str)]
    held = {name: value for module in bundle.models.values() for name, value in module.items()}
    return {name: held[name] for name in names if name in held}


def _stage(rank: dict[Any, Any]) -> int:
    stage = rank.get("zero_stage")
    if type(stage) is int and stage in (1, 2, 3):
        return stage
    return 3 if "fp32_flat_groups" in rank else 2


def _count(value: Any) -> int | None:
    value = max(value) if isinstance(value, list | tuple) and value else value
    return value if type(value) is int else None


def _shapes(table: Any) -> Shapes:
    found: Shapes = {}
    for name, shape in table.items():
        sizes = tuple(shape)
        if any(type(n) is not int or n < 0 for n in sizes) or len(sizes) > 64:
            raise ValueError("a shape that makes no sense")
        found[str(name)] = sizes
    return found


def _states(base: Any, group: int | None) -> list[dict[Any, Any]]:
    """A rank's states: those of one group, or (stage 3) of all parts in their order."""
    states = base["state"] if isinstance(base, dict) else base
    if isinstance(states, list):
        states = dict(enumerate(states))
    return [states[key] for key in sorted(states)] if group is None else [states[group]]


def _is_flat(value: Any) -> bool:
    return isinstance(value, LazyTensor) and len(value.shape) == 1 and value.numel > 1


def _cut_group(shapes: Shapes, ranks: list[list[Any]], stage: int) -> dict[str, LazyTensor]:
    """The parameters of one group out of the flat runs of all ranks."""
    if not all(isinstance(run, LazyTensor) and len(run.shape) == 1 for rank in ranks for run in rank):
        raise ValueError("a partition that is no flat tensor")
    found: dict[str, LazyTensor] = {}
    whole = [run for rank in ranks for run in rank]
    if overlapping(run for run in whole if not run.fault):
        raise ValueError("partitions that share their numbers")
    at = 0
    for name, shape in shapes.items():
        numel = math.prod(shape)
        if stage == 3:
            share = -(-numel // len(ranks))
            pieces = cut([piece for rank in ranks for piece in cut(rank, at, share)], 0, numel)
            at += share
        else:
            pieces = cut(whole, at, numel)
            at += numel
        found[name] = _joined(name, shape, pieces)
    return found


def cut(runs: Flat, start: int, count: int) -> Flat:
    """`count` numbers from `start` on of several runs that follow each other; fewer where they end."""
    found: Flat = []
    for run in runs:
        inside = min(run.numel - start, count)
        if start < run.numel and inside > 0:
            found.append(tensor(run.storage, (inside,), run.strides, run.offset + start * run.strides[0], run.dtype))
            count -= inside
        start = max(0, start - run.numel)
    return found


def _joined(name: str, shape: tuple[int, ...], pieces: Flat) -> LazyTensor:
    dtype = pieces[0].dtype if pieces else "float32"
    held = sum(piece.numel for piece in pieces)
    fault = None if held == math.prod(shape) else f"the partitions hold {held} of its {math.prod(shape)} numbers"
    fault = next((piece.fault for piece in pieces if piece.fault), fault)
    path = pieces[0].storage.span.path if pieces else Path()
    storage = Storage(name, Span(path, 0, held * itemsize(dtype)), dtype)
    return JoinedTensor(name, shape, dtype, storage, 0, dense(shape), fault, pieces)
