"""The order in which a model registered its parameters, where its file sorted their names (safetensors does).

An optimizer lists parameters in the order of registration: a module's own first, then its children's, one after the
other. Of a sorted file the tree of modules is left; lost is the order of siblings. It is found again from the shapes of
the optimizer's states. What is taken for granted: numbered siblings come in the order of their numbers (`h.2` before
`h.10`, `ln_1` before `ln_2`), a weight before its bias, and modules with the same children have them in the same order.
Names are given where all orders that fit agree: of three equal matrices q, k, v none is named, unless the module's
children are those of transformers' models, in which all have them in one order (`KNOWN`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

Shape = tuple[int, ...]
MOST_TRIES = 4000
MOST_STEPS = 2_000_000
"""Names that are put in order, all tries together."""
DEEPEST = 64
MOST_WAYS = 1000
"""Orders of the children of one module that are tried: 6 of them without numbers have 720."""
MOST_CHILDREN = 300
"""Of a module whose children are not all numbered alike."""
KNOWN: dict[frozenset[str], tuple[str, ...]] = {
    frozenset(order): order
    for order in (
        ("q_proj", "k_proj", "v_proj", "o_proj"),
        ("gate_proj", "up_proj", "down_proj"),
        ("self_attn", "mlp", "input_layernorm", "post_attention_layernorm"),
        ("embed_tokens", "layers", "norm"),
        ("query", "key", "value"),
        ("attention", "intermediate", "output"),
        ("self", "output"),
    )
}
"""Children of the Llama-like and the BERT-like models of transformers. (`out_proj` instead of `o_proj` is not here:
some models that have it register the keys first, others the queries.)"""
_OWN = ("weight", "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias")
_STEM = re.compile(r"^(.*?)[._]?(\d+)$")
Signature = frozenset[str]


@dataclass(slots=True)
class _Module:
    own: list[str] = field(default_factory=list)
    children: dict[str, _Module] = field(default_factory=dict)


def registered(shapes: Mapping[str, Shape], groups: Sequence[Sequence[Shape | None]]) -> list[str | None] | None:
    """Names in the order of the states, None where several fit; None where no order does, or too many might.

    All groups together tell most; where too many orders fit, each group is looked at by itself.

    Args:
        shapes: of the model's parameters by name.
        groups: the shapes of each group's states (None: without state), as the optimizer lists them. Several groups
            have to differ by their number of dimensions: matrices in some, vectors in the others.
    """
    place = _placing(shapes, groups)
    deep = any(name.count(".") > DEEPEST for name in shapes)
    if place is None or deep or sum(map(len, groups)) != len(shapes):
        return None
    together = _solve(shapes, groups, place)
    if together is not None or len(groups) == 1:
        return together or None
    alone = [registered({n: s for n, s in shapes.items() if place[n] == i}, [g]) for i, g in enumerate(groups)]
    names = [found if found is not None else [None] * len(g) for found, g in zip(alone, groups, strict=True)]
    return [name for group in names for name in group]


def _solve(
    shapes: Mapping[str, Shape], groups: Sequence[Sequence[Shape | None]], place: Mapping[str, int]
) -> list[str | None] | None:
    """The names, empty where no order fits; None where too many had to be tried."""
    root, found, tries = _tree(shapes), list[list[str]](), 0
    open_: list[dict[Signature, tuple[str, ...]]] = [{}]
    while open_:
        tries += 1
        if tries > min(MOST_TRIES, MOST_STEPS // max(1, len(shapes))):
            return None
        orders = open_.pop()
        names, unknown = _follow(root, orders, shapes, groups, place)
        if names is not None:
            found.append(names)
        elif unknown is not None:
            if (ways := _ways(unknown)) is None:
                return None
            open_ += [{**orders, frozenset(unknown.children): way} for way in ways]
    return [one[0] if len(set(one)) == 1 else None for one in zip(*found, strict=True)]


def _placing(shapes: Mapping[str, Shape], groups: Sequence[Sequence[Shape | None]]) -> dict[str, int] | None:
    """Which group each parameter is in; None where dimensions do not tell."""
    if len(groups) == 1:
        return dict.fromkeys(shapes, 0)
    kinds = [{len(s) >= 2 for s in group if s is not None} for group in groups]
    if len(groups) != 2 or sorted(kinds, key=str) != sorted([{True}, {False}], key=str):
        return None
    return {name: kinds.index({len(shape) >= 2}) for name, shape in shapes.items()}


def _tree(shapes: Mapping[str, Shape]) -> _Module:
    root = _Module()
    for name in shapes:
        *path, _ = name.split(".")
        node = root
        for part in path:
            node = node.children.setdefault(part, _Module())
        node.own.append(name)
    return root


def _follow(
    root: _Module,
    orders: Mapping[Signature, tuple[str, ...]],
    shapes: Mapping[str, Shape],
    groups: Sequence[Sequence[Shape | None]],
    place: Mapping[str, int],
) -> tuple[list[str] | None, _Module | None]:
    """The names in the states' order, or the first module whose children's order is open; neither: it does not fit."""
    listed: list[list[str]] = [[] for _ in groups]
    stack = [root]
    while stack:
        node = stack.pop()
        for name in sorted(node.own, key=_own):
            group, inside = groups[place[name]], listed[place[name]]
            if len(inside) == len(group) or group[len(inside)] not in (None, shapes[name]):
                return None, None
            inside.append(name)
        order = orders.get(frozenset(node.children))
        if order is None:
            ways = _ways(node)
            if ways is None or len(ways) > 1:
                return None, node
            (order,) = ways
        stack.extend(node.children[part] for part in reversed(order))
    return [name for inside in listed for name in inside], None


def _own(name: str) -> tuple[int, list[str | int]]:
    last = name.rpartition(".")[2]
    kind = _OWN.index(last) if last in _OWN else 0 if last.startswith("weight") else len(_OWN)
    layer = re.search(r"_l(\d+)(_reverse)?$", last)  # recurrent: all of one layer, weight_ih before weight_hh
    return kind if layer is None else 0, _recurrent(last, layer) if layer else [last]


def _recurrent(last: str, layer: re.Match[str]) -> list[str | int]:
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [int(layer[1]), int(layer[2] is not None), next((i for i, p in enumerate(parts) if last.startswith(p)), 4)]


def _ways(node: _Module) -> list[tuple[str, ...]] | None:
    """Orders in which the children may have been registered; None if there are too many."""
    if (known := KNOWN.get(frozenset(node.children))) is not None:
        return [known]
    runs: dict[str, list[str]] = {}
    for part in node.children:
        stem = _STEM.match(part)
        runs.setdefault(stem[1] + "#" if stem else part, []).append(part)
    for run in runs.values():
        run.sort(key=lambda part: int(m[2]) if (m := _STEM.match(part)) else 0)
    if len(runs) == 1:
        return [tuple(next(iter(runs.values())))]
    if len(node.children) > MOST_CHILDREN:
        return None
    ways = list(islice(_merged(list(runs.values())), MOST_WAYS + 1))
    return ways if len(ways) <= MOST_WAYS else None


def _merged(runs: list[list[str]]) -> Iterator[tuple[str, ...]]:
    """All ways to put lists into one that keep the order of each."""
    left = [run for run in runs if run]
    if not left:
        yield ()
    for i, run in enumerate(left):
        for rest in _merged([*left[:i], run[1:], *left[i + 1 :]]):
            yield (run[0], *rest)
