"""DeepSpeed folders that keep tensors by name: universal checkpoints, and the layers of a pipeline.

Universal (written by ds_to_universal.py): zero/NAME/fp32.pt, exp_avg.pt, exp_avg_sq.pt ... hold {"param": tensor} each,
zero/optimizer_state.pt the groups; the folder keeps its mp_rank_00_model_states.pt for all else. A pipeline without
partitions: layer_03-model_00-model_states.pt each hold one layer's state dict, one file for each slice of it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from ...artifacts import Checkpoint, OptimizerState, ParameterState, Tensor
from ...errors import Unreadable
from .archive import Archive
from .bundle import MOST_WARNINGS, Bundle, take_apart
from .checkpoint import assemble
from .danger import warning
from .lazy import LazyTensor, shown
from .optimizer_kinds import optimizer_kind
from .optimizer_state import step_count
from .settings import simplify
from .span import Span
from .torch_values import scalar
from .torch_zip import is_torch, read_torch_zip

_LAYER = re.compile(r"^layer_(\d+)-(?:model_(\d+)-)?model_states\.pt$")
GROUPS = "optimizer_state.pt"
_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def universal_folder(file: Path) -> Path | None:
    """The folder of the universal checkpoint that a file is a part of; None if it is none."""
    if file.parent.name == "zero" and file.name == GROUPS:
        return file.parent.parent
    inside = file.parent.parent.name == "zero" and file.suffix == ".pt" and (file.parent / "fp32.pt").is_file()
    return file.parent.parent.parent if inside else None


def is_layer(path: Path) -> bool:
    """Whether a file is named as one layer of a pipeline."""
    return _LAYER.match(path.name) is not None


def read_universal(folder: Path, files: list[Path], models: list[Path]) -> Checkpoint:
    """One checkpoint of zero/NAME/*.pt; `models` are the folder's *_model_states.pt. Raises Unreadable."""
    try:
        return _universal(folder, files, models)
    except _MALFORMED as error:
        why = f"its parts do not hold what they should ({shown(str(error))})"
        raise Unreadable(why, str(folder), "convert it again with DeepSpeed's ds_to_universal.py") from error


def _universal(folder: Path, files: list[Path], models: list[Path]) -> Checkpoint:
    held: dict[str, dict[str, Any]] = defaultdict(dict)
    refused, groups, faults = list[str](), dict[Any, Any](), list[str]()
    for file in files:
        tree, names = _tree(file)
        refused += names
        if file.name == GROUPS and isinstance(tree, dict):
            groups = tree
        elif file.name != GROUPS:
            held[file.parent.name][file.stem] = tree.get("param") if isinstance(tree, dict) else tree
    bundle, step = Bundle(), None
    for tree, names in map(_tree, models[:1]):
        bundle, refused = take_apart(tree), refused + names
        step = scalar(tree.get("global_steps")) if isinstance(tree, dict) else None
    weights: dict[str, Tensor] = {n: t for model in bundle.models.values() for n, t in model.items() if not t.fault}
    states: list[ParameterState] = []
    for name, parts in held.items():
        fine = {key: value for key, value in parts.items() if isinstance(value, LazyTensor) and not value.fault}
        faults += [f"{shown(name)}.{key}: not a tensor that can be read; left out." for key in _lost(parts, fine)]
        if "fp32" in fine:
            weights[name] = fine["fp32"].named(name)
        own: dict[str, Tensor] = {k: t.named(f"{name}.{k}") for k, t in fine.items() if k not in {"fp32", "step"}}
        count, shape = step_count(parts.get("step")), next((t.shape for t in own.values()), None)
        states.append(ParameterState(len(states), 0, name, own, count, shape))
    optimizer = _optimizer(groups, states)
    refused = [name for name in dict.fromkeys(refused) if not name.startswith("deepspeed.")]
    return Checkpoint(
        folder,
        "deepspeed-universal",
        weights,
        optimizer,
        int(step) if step is not None else optimizer.step,
        hyper=bundle.hyper,
        schedulers=tuple(bundle.schedulers),
        scaler=bundle.scaler or take_apart({"loss_scaler": groups.get("loss_scaler")}).scaler,
        refused=tuple(refused),
        warnings=(*warning(refused), *faults[:MOST_WARNINGS]),
    )


def _lost(parts: dict[str, Any], fine: dict[str, LazyTensor]) -> list[str]:
    return [key for key in parts if key not in fine and key != "step"]


def _optimizer(saved: dict[Any, Any], states: list[ParameterState]) -> OptimizerState:
    """Which group a parameter was in is not told, so options are kept where all groups agree."""
    raw = [g for g in saved.get("param_groups") or () if isinstance(g, dict)]
    options = [simplify({k: v for k, v in g.items() if k != "params"}, [1000]) for g in raw]
    common = {k: v for k, v in (options[0] if options else {}).items() if all(o.get(k) == v for o in options)}
    kind, kind_from = optimizer_kind(options, [p.slots for p in states], saved)
    return OptimizerState(kind, kind_from, (common,), tuple(states), "names", "", "zero")


def read_layers(folder: Path, files: list[Path]) -> Checkpoint:
    """A pipeline's layers as one model, slices of a layer under names of their own. Raises Unreadable."""
    try:
        return _layers(folder, files)
    except _MALFORMED as error:
        why = f"its layers do not hold what they should ({shown(str(error))})"
        raise Unreadable(why, str(folder), "copy or save them again") from error


def _layers(folder: Path, files: list[Path]) -> Checkpoint:
    known = sorted((int(m[1]), int(m[2] or 0), f) for f in files if (m := _LAYER.match(f.name)))
    sliced = any(place for _, place, _ in known)
    tensors: dict[str, LazyTensor] = {}
    refused: list[str] = []
    for layer, place, file in known:
        tree, names = _tree(file)
        refused += names
        for path, model in take_apart(tree).models.items():
            parts = (f"layer_{layer:02d}", f"model_{place:02d}" if sliced else "", path)
            prefix = ".".join(part for part in parts if part)
            tensors |= {f"{prefix}.{name}": t.named(f"{prefix}.{name}") for name, t in model.items()}
    found = assemble(folder, "deepspeed-pipeline", Bundle({"": tensors}), list(dict.fromkeys(refused)))
    if not sliced:
        return found
    told = "its layers are cut by tensor parallelism and read as slices, since how they are joined is not in the files."
    return Checkpoint(folder, found.format, found.tensors, refused=found.refused, warnings=(*found.warnings, told))


def _tree(path: Path) -> tuple[Any, list[str]]:
    archive = Archive(Span(path, 0, path.stat().st_size))
    if not is_torch(archive):
        raise Unreadable("a part is no torch file", str(path), "copy it again")
    tree, refused, _ = read_torch_zip(archive)
    return tree, refused
