"""What optimizer it is, and which model parameter each of its states belongs to.

A torch optimizer saves states by index, in the order of its groups; names are lost unless `param_names` were kept. The
names are found again by order, checked by shape, and left out where they would be a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...artifacts import OptimizerState, ParameterState, Tensor
from .bundle import simplify
from .lazy import LazyTensor
from .optimizer_kinds import optimizer_kind
from .quantised import Quantised, dequantised, plain
from .registration import registered
from .torch_values import scalar

SETTLES = (
    "a target file with build_model() and build_optimizer(model), or saving an optimizer that was given "
    "named_parameters(), would settle it"
)
Shape = tuple[int, ...]


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
    kind, kind_from = optimizer_kind(options, [s for s in saved if isinstance(s, dict)], hints)
    shapes = [_shape(slots) for slots, _ in states]
    moments: list[dict[str, LazyTensor | Quantised]] = [
        {**slots, **plain(slots, kind), **dequantised(slots, kind)} for slots, _ in states
    ]
    counts = [
        step if step is not None else step_count(groups[g].get("k" if kind == "schedule-free" else "step"))
        for (g, _), (_, step) in zip(members, states, strict=True)
    ]
    names, mapping, note = map_names(groups, members, shapes, models, parameters)
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
        names, mapping, note = match_names([p.shape for p in optimizer.parameters], {"": model}, {})
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


Names = list[str | None]


def map_names(
    groups: list[dict[str, Any]],
    members: list[tuple[int, Any]],
    shapes: list[Shape | None],
    models: dict[str, dict[str, LazyTensor]],
    parameters: dict[str, list[str]],
) -> tuple[Names, str, str]:
    """(names in group order, how they were found, a note where they are partial); see `OptimizerState.mapping`."""
    known = [n for g in groups for n in (g.get("param_names") or ()) if isinstance(n, str)]
    if len(known) == len(members):
        return list(known), "param_names", ""
    if members and all(isinstance(p, str) for _, p in members):
        return [str(p) for _, p in members], "names", ""
    return match_names(shapes, models, parameters)


def match_names(
    shapes: list[Shape | None], models: dict[str, dict[str, LazyTensor]], parameters: dict[str, list[str]]
) -> tuple[Names, str, str]:
    """Names for states that have none: by an order in which all shapes agree, else where a shape occurs once."""
    if not models or not shapes:
        why = "the file holds no model beside the optimizer" if shapes else "the optimizer lists no parameters"
        return [None] * len(shapes), "ambiguous", f"{why}, so its states have no names; {SETTLES}"
    for path, model in models.items():
        for order in _orders(model, parameters.get(path)):
            if _fits(order, model, shapes):
                return list(order), "order", _partial(order, shapes)
    return _by_shape(models, parameters, shapes)


def _sorted_names(optimizer: OptimizerState, model: dict[str, LazyTensor]) -> tuple[Names, str, str]:
    """Names of a file that sorted them, where the shapes of the states leave no choice."""
    known, groups = _parameter_names(model, None), [list[Shape | None]() for _ in optimizer.groups]
    for parameter in optimizer.parameters:
        groups[parameter.group].append(parameter.shape)
    held = [group for group in groups if group]
    found = registered({name: model[name].shape for name in known}, held)
    if found is None:
        found = _unique_shapes(known, model, [p.shape for p in optimizer.parameters])
    certain = sum(n is not None for n in found)
    if certain == len(found):
        return found, "order", ""
    note = (
        f"the weights' file sorted its names; the states' shapes tell {certain} of {len(found)} for certain; {SETTLES}"
    )
    return found, "shapes" if certain else "ambiguous", note


def _orders(model: dict[str, LazyTensor], known: list[str] | None) -> Iterator[list[str]]:
    """Orders in which an optimizer may list the parameters, the likeliest first."""
    names = known or [n for n, t in model.items() if _can_be_parameter(n, t)]
    once = _without_copies(names, model)
    for base in (names, once):
        yield base
        yield _first(base, lambda n: len(model[n].shape) >= 2)
        yield _first(base, lambda n: not _is_norm_or_bias(n, model))
        yield _first(base, lambda n: _is_norm_or_bias(n, model))
        yield _first(base, lambda n: len(model[n].shape) < 2)
        yield _first(base, lambda n: not n.endswith("bias"))
        yield _first(base, lambda n: n.endswith("bias"))


def _can_be_parameter(name: str, tensor: LazyTensor) -> bool:
    last = name.rpartition(".")[2]
    return tensor.dtype.startswith(("float", "bfloat", "complex")) and not last.startswith(
        ("running_", "num_batches_tracked")
    )


def _without_copies(names: list[str], model: dict[str, LazyTensor]) -> list[str]:
    seen: set[object] = set()
    return [n for n in names if not (model[n].view in seen or seen.add(model[n].view))]  # type: ignore[func-returns-value]


def _first(names: list[str], chosen: Any) -> list[str]:
    return [n for n in names if chosen(n)] + [n for n in names if not chosen(n)]


def _is_norm_or_bias(name: str, model: dict[str, LazyTensor]) -> bool:
    return name.endswith("bias") or len(model[name].shape) < 2


def _fits(order: list[str], model: dict[str, LazyTensor], shapes: list[Shape | None]) -> bool:
    """Whether every state has its parameter's shape. Without any state there is nothing to check but the count."""
    return len(order) == len(shapes) and all(
        s is None or s == model[n].shape for n, s in zip(order, shapes, strict=True)
    )


def _partial(order: list[str], shapes: list[Shape | None]) -> str:
    missing = [n for n, s in zip(order, shapes, strict=True) if s is None]
    if not missing or len(missing) == len(order):
        return ""
    return f"{len(missing)} of {len(order)} parameters have no state (names by order)"


def _by_shape(
    models: dict[str, dict[str, LazyTensor]], parameters: dict[str, list[str]], shapes: list[Shape | None]
) -> tuple[Names, str, str]:
    """Names where they are certain: by the one way to fit the states into a model's order, else by unique shapes."""
    lists = [(_parameter_names(model, parameters.get(path)), model) for path, model in models.items()]
    for names, model in lists:
        if (found := _embedded(names, model, shapes)) is not None:
            certain = sum(n is not None for n in found)
            note = f"the optimizer lists {len(found)} of {len(names)} parameters"
            if certain == len(found):
                return found, "order", note
            if certain:
                return found, "shapes", f"{note}, and {len(found) - certain} of them could be several; {SETTLES}"
    found = _unique_shapes(*lists[0], shapes)
    certain = sum(n is not None for n in found)
    note = (
        f"the optimizer's order does not match the model's: {certain} of {len(found)} states have a unique shape and "
        f"are named; {SETTLES}"
    )
    return found, "shapes" if certain else "ambiguous", note


def _parameter_names(model: dict[str, LazyTensor], known: list[str] | None) -> list[str]:
    return _without_copies(known or [n for n, t in model.items() if _can_be_parameter(n, t)], model)


def _embedded(names: list[str], model: dict[str, LazyTensor], shapes: list[Shape | None]) -> Names | None:
    """Names of an optimizer that got some of the parameters, in order; None if they do not fit in order.

    The first and the last possible place of each state are found; where they agree the name is certain.
    """
    wanted = [s for s in shapes if s is not None]
    if len(wanted) != len(shapes) or len(shapes) >= len(names):
        return None
    sizes = [model[n].shape for n in names]
    first = _places(sizes, wanted)
    last = _places(sizes[::-1], wanted[::-1])
    if first is None or last is None:
        return None
    latest = [len(names) - 1 - place for place in reversed(last)]
    return [names[a] if a == b else None for a, b in zip(first, latest, strict=True)]


def _places(sizes: list[Shape], wanted: list[Shape]) -> list[int] | None:
    """The earliest places at which `wanted` occurs in order in `sizes`."""
    places, at = [], 0
    for shape in wanted:
        while at < len(sizes) and sizes[at] != shape:
            at += 1
        if at == len(sizes):
            return None
        places.append(at)
        at += 1
    return places


def _unique_shapes(names: list[str], model: dict[str, LazyTensor], shapes: list[Shape | None]) -> Names:
    """Names only where a shape occurs once among the parameters and once among the states."""
    by_shape: dict[Shape, list[str]] = {}
    for name in names:
        by_shape.setdefault(model[name].shape, []).append(name)
    found: Names = []
    for shape in shapes:
        candidates = by_shape.get(shape, []) if shape is not None and shapes.count(shape) == 1 else []
        found.append(candidates[0] if len(candidates) == 1 else None)
    return found
