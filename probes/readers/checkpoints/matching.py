"""Names for optimizer states that were saved without any: by the order of a model's parameters, checked by shape.

Several models or several orders may fit the same shapes. Then a state has a name only where all of them agree, unless
the keys tell which model is the optimizer's own (`actor`, `actor_optimizer`) or which ones are never trained by one
(`ema`, `target`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

from .lazy import LazyTensor, Shape

SETTLES = (
    "a target file with build_model() and build_optimizer(model), or saving an optimizer that was given "
    "named_parameters(), would settle it"
)
MOST_BLOCKS = 5
"""Groups, or models, of which all orders are tried; of more of them the plain and the reversed one."""
MOST_GROUPS = 64
"""Groups that are each looked for by themselves."""
COPIES = frozenset(
    ["ema", "teacher", "target", "targ", "swa", "avg", "average", "averaged", "shadow", "best", "old", "slow", "polyak",
     "frozen", "prev", "previous", "initial", "init", "ref", "reference"]
)  # fmt: skip
"""Words for copies of a model that follow the trained one and have no optimizer."""
_NOISE = frozenset(
    ["optimizer", "optimizers", "optim", "opt", "state", "states", "dict", "net", "network", "model", "models", "pth",
     "weights", "params", "module"]
)  # fmt: skip
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

Names = list[str | None]
Model = dict[str, LazyTensor]
State = tuple[int, Shape | None]
"""The group that a parameter is in, and the shape of its state (None: it has none)."""


def match_names(
    states: Sequence[State], models: dict[str, Model], parameters: dict[str, list[str]], key: str = ""
) -> tuple[Names, str, str]:
    """(names, how they were found, a note): by an order in which all shapes agree, else where a shape occurs once.

    Args:
        states: in the order of the optimizer's groups.
        models: path -> tensors in state-dict order; the one called "" may be all the others together.
        parameters: path -> which names are parameters, in order, where the file says so.
        key: where the optimizer was found.
    """
    shapes = [shape for _, shape in states]
    if not models or not shapes:
        why = "the file holds no model beside the optimizer" if shapes else "the optimizer lists no parameters"
        return [None] * len(shapes), "ambiguous", f"{why}, so its states have no names; {SETTLES}"
    fits = {path: found for path in models if (found := _in_model(states, models[path], parameters.get(path), key))}
    own = _preferred([path for path in fits if path] or list(fits), models, key)
    if not any(own) and (found := _together(states, models)):
        fits, own = {"": found}, [""]
    if len(own) == 1:
        return _as_told(fits[own[0]], shapes)
    if own:
        note = f"the states fit {len(own)} of the file's models alike ({', '.join(own)[:120]}); {SETTLES}"
        return [None] * len(shapes), "ambiguous", note
    return _by_shape(states, models, parameters, key)


def _as_told(names: Names, shapes: list[Shape | None]) -> tuple[Names, str, str]:
    certain = sum(n is not None for n in names)
    if certain == len(names):
        return names, "order", _partial(names, shapes)
    note = f"the shapes fit several orders of the groups, which agree on {certain} of {len(names)} names; {SETTLES}"
    return names, "shapes" if certain else "ambiguous", note


def _partial(order: Names, shapes: list[Shape | None]) -> str:
    missing = sum(s is None for s in shapes)
    if not missing or missing == len(order):
        return ""
    return f"{missing} of {len(order)} parameters have no state (names by order)"


def _preferred(paths: list[str], models: dict[str, Model], key: str) -> list[str]:
    """Of the models that fit: those that the key names, else those that are no copies; the first of equal tensors."""
    related = _related(key, paths)
    trained = [path for path in related if not COPIES & set(words(path))]
    distinct: dict[object, str] = {}
    for path in trained or related:
        distinct.setdefault(frozenset(t.view for t in models[path].values()), path)
    return list(distinct.values())


def _related(key: str, paths: list[str]) -> list[str]:
    """The paths with the words of the optimizer's key ("d_optimizer": "discriminator") and the fewest others."""
    asked = [word for word in words(key) if word not in _NOISE]
    held = {path: [word for word in words(path) if word not in _NOISE] for path in paths}
    found = [p for p, have in held.items() if asked and all(any(_alike(w, h) for h in have) for w in asked)]
    fewest = min((len(held[path]) for path in found), default=0)
    return [path for path in found if len(held[path]) == fewest] or paths


def words(key: str) -> list[str]:
    """The words of a key: "optimizer_G" and "netG" end in "g"."""
    return [word.lower() for word in _WORD.findall(key)]


def _alike(one: str, other: str) -> bool:
    return one == other or (not one.isdigit() and (other.startswith(one) or one.startswith(other)))


def _in_model(states: Sequence[State], model: Model, known: list[str] | None, key: str) -> Names | None:
    """Names by the orders of a model's parameters that fit; None if none does."""
    names = known or [n for n, t in model.items() if _can_be_parameter(n, t)]
    once = _without_copies(names, model)
    shapes = [shape for _, shape in states]
    for base in (names, once):
        if _fits(base, model, shapes):
            return _agreed([base, *_blocks(base, states, model)])
    for order in (*_reordered(names, model), *_reordered(once, model)):
        if _fits(order, model, shapes):
            return list(order)
    if blocks := _blocks(once, states, model):
        return _agreed(blocks)
    parts = {word for word in re.split(r"[._]", key) if word not in _NOISE and not word.isdigit()}
    part = [n for n in once if parts & set(n.split(".")[:-1])]
    return list(part) if part and len(part) < len(once) and _fits(part, model, shapes) else None


def _reordered(base: list[str], model: Model) -> Iterator[list[str]]:
    """Orders in which people sort parameters into groups, the likeliest first."""
    yield _first(base, lambda n: len(model[n].shape) >= 2)
    yield _first(base, lambda n: not _is_norm_or_bias(n, model))
    yield _first(base, lambda n: _is_norm_or_bias(n, model))
    yield _first(base, lambda n: len(model[n].shape) < 2)
    yield _first(base, lambda n: not n.endswith("bias"))
    yield _first(base, lambda n: n.endswith("bias"))


def _blocks(base: list[str], states: Sequence[State], model: Model) -> list[list[str]]:
    """The orders that fit in which each group is a run of the model's parameters, the runs in another order."""
    if len(base) != len(states) or len({group for group, _ in states}) < 2:
        return []
    sizes: dict[int, int] = {}
    for group, _ in states:
        sizes[group] = sizes.get(group, 0) + 1
    found = []
    for places in _arrangements(list(sizes)):
        runs, start = dict[int, list[str]](), 0
        for group in places:
            runs[group], start = base[start : start + sizes[group]], start + sizes[group]
        order = [name for group in sizes for name in runs[group]]
        if order != base and _fits(order, model, [shape for _, shape in states]):
            found.append(order)
    return found


def _together(states: Sequence[State], models: dict[str, Model]) -> Names | None:
    """Names of an optimizer of several models, one after the other in any order; None if that does not fit."""
    paths = [path for path in models if path]
    trained = [path for path in paths if not COPIES & set(words(path))]
    shapes = [shape for _, shape in states]
    for used in (paths, trained) if len(trained) > 1 else (paths,):
        lists = {path: parameter_names(models[path], None) for path in used}
        if sum(map(len, lists.values())) != len(states):
            continue
        model = {name: tensor for path in used for name, tensor in models[path].items()}
        orders = [[name for path in places for name in lists[path]] for places in _arrangements(used)]
        fitting = [order for order in orders if _fits(order, model, shapes)]
        if fitting:
            return _agreed(fitting)
    return None


def _arrangements(parts: list[Any]) -> list[Any]:
    return list(permutations(parts)) if len(parts) <= MOST_BLOCKS else [parts, parts[::-1]]


def _agreed(orders: Sequence[Sequence[str | None]]) -> Names:
    return [one[0] if len(set(one)) == 1 else None for one in zip(*orders, strict=True)]


def _can_be_parameter(name: str, tensor: LazyTensor) -> bool:
    last = name.rpartition(".")[2]
    return tensor.dtype.startswith(("float", "bfloat", "complex")) and not last.startswith(
        ("running_", "num_batches_tracked")
    )


def _without_copies(names: list[str], model: Model) -> list[str]:
    first: dict[object, str] = {}
    for name in names:
        first.setdefault(model[name].view, name)
    return list(first.values())


def _first(names: list[str], chosen: Any) -> list[str]:
    return [n for n in names if chosen(n)] + [n for n in names if not chosen(n)]


def _is_norm_or_bias(name: str, model: Model) -> bool:
    return name.endswith("bias") or len(model[name].shape) < 2


def _fits(order: list[str], model: Model, shapes: list[Shape | None]) -> bool:
    """Whether every state has its parameter's shape. Without any state there is nothing to check but the count."""
    return len(order) == len(shapes) and all(
        s is None or s == model[n].shape for n, s in zip(order, shapes, strict=True)
    )


def _by_shape(
    states: Sequence[State], models: dict[str, Model], parameters: dict[str, list[str]], key: str
) -> tuple[Names, str, str]:
    """Names where they are certain: by the one way to fit the states into a model's order, else by unique shapes."""
    paths = _preferred([path for path in models if path] or list(models), models, key)
    lists = [(parameter_names(models[path], parameters.get(path)), models[path]) for path in paths]
    shapes = [shape for _, shape in states]
    embedded = [(names, found) for names, m in lists if (found := _in_order(names, m, states)) is not None]
    if len(embedded) == 1:
        names, found = embedded[0]
        certain = sum(n is not None for n in found)
        note = f"the optimizer lists {len(found)} of {len(names)} parameters"
        if certain == len(found):
            return found, "order", note
        if certain:
            return found, "shapes", f"{note}, and {len(found) - certain} of them could be several; {SETTLES}"
    every = {name: tensor for _, model in lists for name, tensor in model.items()}
    found = unique_shapes([name for names, _ in lists for name in names], every, shapes)
    certain = sum(n is not None for n in found)
    note = (
        f"the optimizer's order does not match the model's: {certain} of {len(found)} states have a unique shape and "
        f"are named; {SETTLES}"
    )
    return found, "shapes" if certain else "ambiguous", note


def parameter_names(model: Model, known: list[str] | None) -> list[str]:
    """What may be a parameter of the model, in order; one name of tied weights."""
    return _without_copies(known or [n for n, t in model.items() if _can_be_parameter(n, t)], model)


def _in_order(names: list[str], model: Model, states: Sequence[State]) -> Names | None:
    """Names of an optimizer whose states fit in the model's order, all of them or at least those of each group."""
    whole = _embedded(names, model, [shape for _, shape in states])
    groups = sorted({group for group, _ in states})
    if whole is not None or not 1 < len(groups) <= MOST_GROUPS:
        return whole
    found: Names = []
    for group in groups:
        part = _embedded(names, model, [shape for g, shape in states if g == group])
        if part is None:
            return None
        found += part
    times = Counter(found)
    return [name if times[name] == 1 else None for name in found]


def _embedded(names: list[str], model: Model, shapes: list[Shape | None]) -> Names | None:
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


def unique_shapes(names: list[str], model: Model, shapes: list[Shape | None]) -> Names:
    """Names only where a shape occurs once among the parameters and once among the states."""
    by_shape: dict[Shape, list[str]] = {}
    for name in names:
        by_shape.setdefault(model[name].shape, []).append(name)
    found: Names = []
    times = Counter(shapes)
    for shape in shapes:
        candidates = by_shape.get(shape, []) if shape is not None and times[shape] == 1 else []
        found.append(candidates[0] if len(candidates) == 1 else None)
    return found
