"""What optimizer it is, and which model parameter each of its states belongs to.

A torch optimizer saves states by index, in the order of its groups; names are lost unless `param_names` were kept. The
names are found again by order, checked by shape, and left out where they would be a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...artifacts import OptimizerState, ParameterState, Tensor
from .bundle import CLASS
from .lazy import LazyTensor, Shape
from .matching import SETTLES, Names, match_names, parameter_names, unique_shapes
from .optimizer_kinds import optimizer_kind
from .quantised import Quantised, dequantised, plain
from .registration import registered
from .settings import simplify
from .torch_values import scalar


def read_optimizer(
    raw: dict[str, Any],
    key: str,
    models: dict[str, dict[str, LazyTensor]],
    parameters: dict[str, list[str]],
    hints: Any,
) -> OptimizerState:
    """One optimizer's state_dict as saved, with the model's names where they are certain.

    Args:
        models: candidates, each names -> tensors in state-dict order.
        parameters: which of a model's names are parameters, where the file says so.
        hints: settings of the run (class names in them tell Adam from AdamW).
    """
    groups = [g for g in raw["param_groups"] if isinstance(g, dict)]
    members = [(i, p) for i, g in enumerate(groups) for p in _members(g)]
    saved = [_state_of(raw["state"], p) for _, p in members]
    states = [_slots(state) for state in saved]
    options = tuple(_options(g) for g in groups)
    hints = {CLASS: raw[CLASS]} if CLASS in raw else hints
    kind, kind_from = optimizer_kind(options, [s for s in saved if isinstance(s, dict)], hints)
    shapes = [_shape(slots) for slots, _ in states]
    moments: list[dict[str, LazyTensor | Quantised]] = [
        {**slots, **plain(slots, kind), **dequantised(slots, kind)} for slots, _ in states
    ]
    counts = [
        step if step is not None else step_count(groups[g].get("k" if kind == "schedule-free" else "step"))
        for (g, _), (_, step) in zip(members, states, strict=True)
    ]
    names, mapping, note = map_names(groups, members, shapes, models, parameters, key)
    found = tuple(
        ParameterState(
            index,
            group,
            names[index],
            {slot: t.named(f"{names[index] or index}.{slot}") for slot, t in moments[index].items()},
            counts[index],
            shapes[index],
        )
        for index, (group, _) in enumerate(members)
    )
    return OptimizerState(kind, kind_from, options, found, mapping, note, key)


def attach(optimizer: OptimizerState, tensors: Mapping[str, Tensor], in_order: bool) -> OptimizerState:
    """The same optimizer with the names of a model that was saved in another file.

    Args:
        in_order: whether that file kept the order in which the parameters were registered.
    """
    if optimizer.mapping != "ambiguous":
        return optimizer
    model = {name: tensor for name, tensor in tensors.items() if isinstance(tensor, LazyTensor)}
    if in_order or not model:
        names, mapping, note = match_names([(p.group, p.shape) for p in optimizer.parameters], {"": model}, {})
    else:
        names, mapping, note = _sorted_names(optimizer, model)
    named = tuple(replace(p, name=name) for p, name in zip(optimizer.parameters, names, strict=True))
    return replace(optimizer, parameters=named, mapping=mapping, mapping_note=note)


def _members(group: dict[str, Any]) -> list[Any]:
    params = group.get("params")
    return list(params)[:1_000_000] if isinstance(params, list | tuple) else []


def _state_of(state: dict[Any, Any], member: Any) -> Any:
    try:
        return state.get(member)
    except TypeError:
        return None


def _slots(state: Any) -> tuple[dict[str, LazyTensor], float | None]:
    """(tensors by key, step count) of one parameter's state."""
    if not isinstance(state, dict):
        return {}, None
    slots = {
        k: v
        for k, v in state.items()
        if isinstance(k, str) and isinstance(v, LazyTensor) and k != "step" and not v.fault
    }
    return slots, step_count(state.get("step"))


def step_count(value: Any) -> float | None:
    """A parameter's own number of steps; None for what cannot be one."""
    step = scalar(value)
    return float(step) if step is not None and 0 <= step < 2**53 else None


def _options(group: dict[str, Any]) -> dict[str, Any]:
    budget = [1000]
    return {str(k): simplify(v, budget) for k, v in group.items() if k not in ("params", "param_names")}


def _shape(slots: dict[str, LazyTensor]) -> Shape | None:
    """The parameter's shape as its slots tell it: factored and per-tensor statistics do not."""
    whole = [s for k, s in slots.items() if k not in ("row_var", "col_var", "exp_avg_sq_row", "exp_avg_sq_col", "RMS")]
    codes = slots.get("state1")  # 8 bits: one code for each weight
    if codes is not None and codes.dtype == "uint8":
        return codes.shape
    whole = [s for s in whole if s.dtype not in ("uint8",) and not s_is_code(s)]
    return max(whole, key=lambda s: s.numel).shape if whole else None


def s_is_code(slot: LazyTensor) -> bool:
    """Whether a slot holds quantisation tables instead of one number per weight."""
    return slot.name.startswith(("qmap", "absmax", "max1", "max2", "new_max"))


def map_names(
    groups: list[dict[str, Any]],
    members: list[tuple[int, Any]],
    shapes: list[Shape | None],
    models: dict[str, dict[str, LazyTensor]],
    parameters: dict[str, list[str]],
    key: str,
) -> tuple[Names, str, str]:
    """(names in group order, how they were found, a note where they are partial); see `OptimizerState.mapping`."""
    known = [n for g in groups for n in (g.get("param_names") or ()) if isinstance(n, str)]
    if len(known) == len(members):
        return list(known), "param_names", ""
    if members and all(isinstance(p, str) for _, p in members):
        return [str(p) for _, p in members], "names", ""
    if members and all(isinstance(p, LazyTensor) for _, p in members):  # saved as an object, beside its model or not
        held = {t.view: name for model in reversed(models.values()) for name, t in reversed(model.items())}
        found = [held.get(p.view) for _, p in members]
        if any(found):
            return found, "names", "" if all(found) else "some of its parameters are not in the file's model"
        shapes = [p.shape for _, p in members]
    states = [(group, shape) for (group, _), shape in zip(members, shapes, strict=True)]
    return match_names(states, models, parameters, key)


def _sorted_names(optimizer: OptimizerState, model: dict[str, LazyTensor]) -> tuple[Names, str, str]:
    """Names of a file that sorted them, where the shapes of the states leave no choice."""
    known, groups = parameter_names(model, None), [list[Shape | None]() for _ in optimizer.groups]
    for parameter in optimizer.parameters:
        groups[parameter.group].append(parameter.shape)
    held = [group for group in groups if group]
    found = registered({name: model[name].shape for name in known}, held)
    if found is None:
        found = unique_shapes(known, model, [p.shape for p in optimizer.parameters])
    certain = sum(n is not None for n in found)
    if certain == len(found):
        return found, "order", ""
    note = (
        f"the weights' file sorted its names; the states' shapes tell {certain} of {len(found)} for certain; {SETTLES}"
    )
    return found, "shapes" if certain else "ambiguous", note
