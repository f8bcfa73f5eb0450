"""From an object tree of unknown make to its parts: model weights, optimizers, progress, settings, and what is left.

Nothing is recognised by one fixed key: people save `state_dict`, `model`, `net`, whole modules, dicts of dicts. Weights
are recognised as a dict that mostly holds tensors, optimizers by their shape (`state` and `param_groups`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .fastai import as_torch
from .flat_optimizer import split
from .layer_names import LAYER
from .lazy import LazyTensor, shown
from .modules import flatten_module
from .pickle_stream import Inert, Name
from .progress import progress
from .settings import MOST_UNREAD, simplify
from .torch_values import as_tensor

DEEPEST = 64
MOST_NODES = 5_000_000
TENSOR_SHARE = 0.6
"""Of a state dict's values at least this share is tensors (102 real files); the rest is `_extra_state` and numbers."""
MOST_VIEWS = 16
"""Bytes that different tensors on one storage may claim, as a multiple of the storage's own."""
SLACK = 96 << 20
"""Bytes that all tensors of a file may claim beyond that (expanded ones)."""
MOST_WARNINGS = 20

CLASS = "optimizer class"
"""Where `Bundle.optimizers` has the name of an optimizer's class, if the object itself was saved."""

SCALERS = frozenset(["_growth_tracker", "unskipped", "cur_scale"])
"""A key of the state of torch's, apex's and DeepSpeed's gradient scaler each."""

SCHEDULERS = ({"last_step", "_global_step"}, {"_schedulers", "_last_lr"}, {"param_group_field", "base_values"})
"""Keys of the states of schedulers that keep no `last_epoch`: mmengine's, torch's ChainedScheduler, timm's."""

DATA_NAMES = frozenset(
    [
        "x",
        "y",
        "x_train",
        "y_train",
        "x_val",
        "y_val",
        "x_test",
        "y_test",
        "input",
        "inputs",
        "target",
        "targets",
        "image",
        "images",
        "label",
        "labels",
        "feature",
        "features",
        "data",
        "train_x",
        "train_y",
        "val_x",
        "val_y",
        "test_x",
        "test_y",
        "sample",
        "samples",
        "tokens",
        "input_ids",
        "attention_mask",
        "obs",
        "act",
        "observations",
        "actions",
        "rewards",
        "dones",
        "next_obs",
    ]
)
"""Names of tensors that are inputs and targets."""

_NO_WEIGHTS = ("optim", "hyper_param", "hparams", "callbacks", "sched", "rng", "normalizer", "loops")

_RECORDS = frozenset(["metrics", "history", "losses", "logs"])


@dataclass(slots=True)
class Bundle:
    """The parts of one file.

    Args:
        models: path inside the file -> its tensors by name.
        parameters: path -> names of those that are known to be parameters (whole modules only), in module order.
        optimizers: path -> the raw dict.
    """

    models: dict[str, dict[str, LazyTensor]] = field(default_factory=dict)
    parameters: dict[str, list[str]] = field(default_factory=dict)
    optimizers: dict[str, dict[str, Any]] = field(default_factory=dict)
    step: int | None = None
    epoch: int | None = None
    hyper: dict[str, Any] = field(default_factory=dict)
    schedulers: list[dict[str, Any]] = field(default_factory=list)
    scaler: dict[str, Any] | None = None
    unread: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def tensors(self) -> dict[str, LazyTensor]:
        """All model tensors; names are prefixed by the model's path only where there are several models."""
        found: dict[str, LazyTensor] = {}
        for path, model in self.models.items():
            prefix = f"{path}." if len(self.models) > 1 and path else ""
            for name, tensor in model.items():
                found[prefix + name] = tensor.named(prefix + name)
        return self._readable(found)

    def _readable(self, found: dict[str, LazyTensor]) -> dict[str, LazyTensor]:
        faults = [f"{shown(name)}: {tensor.fault}; left out." for name, tensor in found.items() if tensor.fault]
        self.warnings += faults[:MOST_WARNINGS]
        if len(faults) > MOST_WARNINGS:
            self.warnings.append(f"{len(faults) - MOST_WARNINGS} more tensors were left out in the same way.")
        return {name: tensor for name, tensor in found.items() if not tensor.fault}

    def note_state(self, path: tuple[str, ...], node: dict[Any, Any]) -> None:
        """Keeps the values of a scheduler's or a gradient scaler's state, under whatever key it was saved."""
        if "last_epoch" in node and not {"_step_count", "num_bad_epochs", "_schedulers"}.isdisjoint(node):
            if "_schedulers" not in path:  # the parts of a sequence count for themselves
                self.schedulers.append(simplify(node, [1000]))
        elif any(kind <= node.keys() for kind in SCHEDULERS):
            self.schedulers.append(simplify(node, [1000]))
        elif self.scaler is None:
            self.scaler = scaler_state(simplify(node, [1000])) if SCALERS & node.keys() else None

    def limit_views(self) -> None:
        """Marks tensors that would make reading take far longer than the file is long (see `MOST_VIEWS`)."""
        claimed, seen, slack = Counter[int](), set[object](), SLACK
        for tensor in self._all():
            if tensor.fault or tensor.view in seen:
                continue
            seen.add(tensor.view)
            before = max(0, claimed[id(tensor.storage)] - MOST_VIEWS * tensor.storage.span.length)
            claimed[id(tensor.storage)] += tensor.numel * tensor.itemsize
            over = max(0, claimed[id(tensor.storage)] - MOST_VIEWS * tensor.storage.span.length) - before
            if over > slack:
                tensor.fault = "too many tensors share its storage"
            else:
                slack -= over

    def _all(self) -> Iterator[LazyTensor]:
        for model in self.models.values():
            yield from model.values()
        for raw in self.optimizers.values():
            for state in raw["state"].values():
                slots = state.values() if isinstance(state, dict) else ()
                yield from (slot for slot in slots if isinstance(slot, LazyTensor))


def scaler_state(found: dict[str, Any]) -> dict[str, Any] | None:
    """A gradient scaler's state under torch's names: torch's own, apex's or DeepSpeed's; None if it is none of them."""
    if {"scale", "_growth_tracker"} <= found.keys():
        return found
    if {"loss_scale", "unskipped"} <= found.keys():
        return {"scale": found["loss_scale"], "_growth_tracker": found["unskipped"]}
    now, last = found.get("cur_iter"), found.get("last_overflow_iter")
    if "cur_scale" in found and type(now) is int and type(last) is int:
        since = now - last - 1
        return {"scale": found["cur_scale"], "_growth_tracker": since, "growth_interval": found.get("scale_window")}
    return None


def take_apart(tree: Any) -> Bundle:
    """Finds the parts of an object tree. Never follows an object twice, nor deeper than 64 levels."""
    bundle, seen = Bundle(), set[int]()
    queue: list[tuple[tuple[str, ...], Any]] = [((), tree)]
    for path, node in queue:
        if id(node) in seen or len(path) > DEEPEST or len(seen) > MOST_NODES:
            continue
        if isinstance(node, dict | list | Inert | tuple):
            seen.add(id(node))
        queue.extend(_look(bundle, path, node))
    top = tree.items if isinstance(tree, Inert) and tree.items else tree
    if _is_random_state(tree):
        bundle.models.clear()
        bundle.hyper["random"] = "the states of the random number generators"
    elif isinstance(top, dict) and bundle.models.get("") and bundle.optimizers:  # the weights lie loose in the bundle
        loose = {key: value for key, value in top.items() if not isinstance(value, LazyTensor)}
        bundle.unread = [path for path in bundle.unread if path not in loose]
        _read_settings(bundle, loose)
    elif isinstance(top, dict) and not bundle.models.get("") and not bundle.optimizers.get(""):
        _read_settings(bundle, top)
    elif isinstance(tree, list | tuple) and (bundle.models or bundle.optimizers) and len(tree) < MOST_UNREAD:
        _read_settings(bundle, {str(place): value for place, value in enumerate(tree)})
    elif isinstance(tree, Inert) and tree.name.endswith("TrainingArguments") and isinstance(tree.state, dict):
        bundle.hyper["training_args"] = simplify(tree.state, [20_000])
    elif isinstance(tree, Inert) and isinstance(tree.state, dict) and bundle.models and "" not in bundle.models:
        _read_settings(bundle, tree.state)  # an object that holds the model, as fastai's Learner
    return bundle


def _is_random_state(tree: Any) -> bool:
    """Whether it is what Trainer (`rng_state.pth`) or accelerate (`random_states_0.pkl`) keep to resume exactly."""
    keys = tree.keys() if isinstance(tree, dict) else set()
    return {"python", "numpy", "cpu"} <= keys or {"random_state", "numpy_random_seed"} <= keys


def _look(bundle: Bundle, path: tuple[str, ...], node: Any) -> list[tuple[tuple[str, ...], Any]]:
    """Takes what `node` is; otherwise returns the children to look at."""
    key = ".".join(path)
    node = _as_state_dict(node) or node
    if isinstance(node, dict):
        if (optimizer := node if is_optimizer(node) else as_torch(node)) is not None:
            bundle.optimizers[key] = optimizer
            return []
        if (flat := split(node)) is not None:
            bundle.optimizers[key], node = flat
        bundle.note_state(path, node)
        if _barred(path):
            return _children(path, node)
        if is_state_dict(node, path[-1] if path else ""):
            bundle.models[key] = {name_of(k): v for k, v in node.items() if isinstance(v, LazyTensor)}
            others = (k for k, v in node.items() if not isinstance(v, LazyTensor | dict | Inert) and v is not None)
            bundle.unread += [".".join((*path, name_of(k)[:200])) for k in others][:MOST_UNREAD]
            return [(c, v) for c, v in _children(path, node) if isinstance(v, dict | Inert)]
        return _children(path, node)
    if isinstance(node, Inert):
        if isinstance(node.state, dict):
            if is_optimizer(node.state):  # the object itself, whose groups hold the parameters
                bundle.optimizers[key] = {**node.state, CLASS: Name(node.name)}
                return []
            bundle.note_state(path, node.state)
        if not _barred(path) and (module := flatten_module(node)):
            bundle.models[key], bundle.parameters[key] = module
            return []
        items = [(path, node.items)] if node.items else []  # a dict of a class of its own
        return _children(path, node.state) + items + _children(path, node.args)
    return _children(path, node)


def _children(path: tuple[str, ...], node: Any) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict):
        pairs = [(str(k)[:200] if isinstance(k, str | int | float) else "?", v) for k, v in node.items()]
    elif isinstance(node, list | tuple):
        pairs = [(str(i), v) for i, v in enumerate(node[:10_000])]
    else:
        return []
    return [((*path, k), v) for k, v in pairs if isinstance(v, dict | list | tuple | Inert)]


def _as_state_dict(node: Any) -> dict[Any, Any] | None:
    """The state dict that a list of (name, tensor), a dict of NumPy arrays or a tree of tensors amounts to, if any."""
    if isinstance(node, list):
        pairs = len(node) > 1 and all(isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) for p in node)
        return dict(node) if pairs and all(isinstance(value, LazyTensor) for _, value in node) else None
    if not isinstance(node, dict) or not node:
        return None
    if any(isinstance(v, Inert) for v in node.values()):
        arrays = {k: t for k, v in node.items() if isinstance(k, str) and (t := as_tensor(v)) is not None}
        layers = sum(bool(LAYER.search(k)) for k in arrays)
        return {**node, **arrays} if layers > len(node) / 2 else None
    if any(isinstance(v, LazyTensor) for v in node.values()) and any(isinstance(v, dict) for v in node.values()):
        return _flat(node)
    return None


def _flat(tree: dict[Any, Any]) -> dict[str, LazyTensor] | None:
    """A tree of tensors as one state dict; None if it holds anything else, or names that are paths already."""
    found: dict[str, LazyTensor] = {}
    left: list[tuple[str, int, dict[Any, Any]]] = [("", 0, tree)]
    seen = {id(tree)}
    for prefix, depth, node in left:
        for key, value in node.items():
            if not isinstance(key, str) or "." in key or depth > DEEPEST:
                return None
            if isinstance(value, LazyTensor):
                found[prefix + key] = value
            elif isinstance(value, dict) and value and id(value) not in seen:
                seen.add(id(value))
                left.append((f"{prefix}{key}.", depth + 1, value))
            else:
                return None
    return found if sum(bool(LAYER.search(name)) for name in found) > len(found) / 2 else None


def name_of(key: Any) -> str:
    """A tensor's name from its key in a state dict, which may be a path of several parts."""
    return ".".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _barred(path: tuple[str, ...]) -> bool:
    return any(part.lower() in _RECORDS or any(word in part.lower() for word in _NO_WEIGHTS) for part in path)


def is_optimizer(node: dict[Any, Any]) -> bool:
    """Whether a dict is an optimizer's state_dict."""
    return isinstance(node.get("param_groups"), list | tuple) and isinstance(node.get("state"), dict)


def is_state_dict(node: dict[Any, Any], key: str) -> bool:
    """Whether a dict is a model's state_dict: string keys, mostly tensors, at least one with several elements."""
    if not node or not all(isinstance(k, str | int | tuple) for k in node) or all(isinstance(k, int) for k in node):
        return False
    tensors = [v for v in node.values() if isinstance(v, LazyTensor)]
    if all(name_of(k).lower() in DATA_NAMES for k, v in node.items() if isinstance(v, LazyTensor)):
        return False
    if tensors and len(tensors) == len(node) and key.endswith("state_dict"):
        return True
    if not any(t.numel > 1 or t.fault for t in tensors):
        return False
    return len(tensors) >= TENSOR_SHARE * len(node) or _has_layer(node)


def _has_layer(node: dict[Any, Any]) -> bool:
    """Whether a weight and a bias of one layer are in it, as in small models that lie loose among other things."""
    held = {k for k, v in node.items() if isinstance(k, str) and isinstance(v, LazyTensor)}
    return any(k.endswith("weight") and f"{k.removesuffix('weight')}bias" in held for k in held)


def _read_settings(bundle: Bundle, tree: dict[Any, Any]) -> None:
    """Step, epoch, plain values and the keys that were not understood, from the top of the file."""
    bundle.step, bundle.epoch = progress(tree)
    if bundle.epoch is not None and bundle.epoch < 0:
        bundle.warnings.append(
            "the epoch is -1: the file was finished and stripped, so how long it trained is not in it."
        )
        bundle.epoch = None
    parts = [*bundle.models, *bundle.optimizers]
    budget, lost = [20_000], list[str]()
    for key, value in tree.items():
        name = str(key)[:200] if isinstance(key, str | int | float) else "?"
        plain = simplify(value, budget, path=name, lost=lost, above=(id(tree),))
        if any(part == name or part.startswith(name + ".") for part in parts):
            if isinstance(value, dict) and name not in parts and plain not in (None, {}):
                bundle.hyper[name] = plain
        elif plain is None and value is not None:
            bundle.unread.append(name)
        else:
            bundle.hyper[name] = plain
    known = {*bundle.unread, *bundle.hyper}
    within = (path for path in lost if not any(path == part or path.startswith(f"{part}.") for part in parts))
    bundle.unread += [path for path in within if path not in known][:MOST_UNREAD]
