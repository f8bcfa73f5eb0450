"""A person's own model, in three functions: `build_model()`, `load_batch()`, `loss_fn(outputs, targets)`.

Loading a target executes the person's file, so it is only done when they asked for it. Their code runs from its own
folder, with that folder on sys.path; what it prints goes to stderr. Whatever it raises becomes one sentence.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..artifacts import Artifacts, Checkpoint, Floats
from ..errors import Unreadable
from ..saved import statistics
from ..saved.layers import strip

SEED = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A loaded target file.

    Args:
        path: the file.
        functions: its names; `build_model`, `load_batch` and `loss_fn` are there and can be called.
    """

    path: Path
    functions: dict[str, Any]

    def call(self, name: str, *args: Any) -> Any:
        """Call one of the person's functions, seeded. Raises Unreadable if it fails."""
        with theirs(self.path, f"{name} failed"):
            seed()
            return self.functions[name](*args)


@dataclass(frozen=True, slots=True)
class Fit:
    """A model and how a checkpoint's weights went into it.

    Args:
        model: a torch.nn.Module.
        loaded, missing: names of the model's tensors that the checkpoint filled, and that it did not.
        note: one sentence if something did not fit; else "".
    """

    model: Any
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    note: str


def wanted(artifacts: Artifacts, shows: str, why: str) -> str:
    """What to ask for where the target could not be used: a file, or one that works, with what was wrong with it."""
    if artifacts.target is None:
        return f"a target file (--target), which shows {shows}"
    return f"a target file that works, to show {shows} ({why.rstrip('.')})"


def load_target(path: Path) -> Target:
    """Execute a target file. Raises Unreadable if it is missing, fails, or lacks one of the three functions."""
    path = path.resolve()
    if not path.is_file():
        raise Unreadable("no such file", str(path), "give a Python file with build_model, load_batch and loss_fn")
    spec = importlib.util.spec_from_file_location("_nnd_target_" + path.stem, path)
    if spec is None or spec.loader is None:
        raise Unreadable("this is not a Python file", str(path), "give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with theirs(path, "running this file failed"):
        seed()
        spec.loader.exec_module(module)
    functions = vars(module)
    lacking = [n for n in ("build_model", "load_batch", "loss_fn") if not callable(functions.get(n))]
    if lacking:
        raise Unreadable(
            f"there is no {' and no '.join(lacking)} in it",
            str(path),
            "define build_model(), load_batch() -> (inputs, targets) and loss_fn(outputs, targets)",
        )
    return Target(path, functions)


@contextlib.contextmanager
def theirs(path: Path, what: str) -> Iterator[None]:
    """Run a person's code from its folder; anything it raises, SystemExit too, becomes Unreadable."""
    before = Path.cwd()
    sys.path.insert(0, str(path.parent))
    try:
        os.chdir(path.parent)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except Unreadable:
        raise
    except (Exception, SystemExit) as error:
        text = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
        raise Unreadable(f"{what} ({reason})", str(path), "run it by itself to see the whole error") from error
    finally:
        os.chdir(before)
        with contextlib.suppress(ValueError):
            sys.path.remove(str(path.parent))


def seed() -> None:
    """Make the next random numbers of torch the same every time."""
    import torch

    torch.manual_seed(SEED)


def fit(target: Target, checkpoint: Checkpoint | None) -> Fit:
    """Build the person's model on the CPU and put a checkpoint's weights into it, as far as names and shapes agree.

    Raises Unreadable if building fails or returns something that is no torch.nn.Module.
    """
    import torch

    model = target.call("build_model")
    if not isinstance(model, torch.nn.Module):
        raise Unreadable(f"build_model returned a {type(model).__name__}", str(target.path), "return the nn.Module")
    model = model.to("cpu")
    if checkpoint is None:
        return Fit(model, (), tuple(model.state_dict()), "no checkpoint: the model is as build_model made it")
    state = model.state_dict()
    mine = {strip(name): name for name in state}
    loaded = []
    with torch.no_grad():
        for name, tensor in checkpoint.tensors.items():
            own = name if name in state else mine.get(strip(name))
            if own is None or tuple(state[own].shape) != tuple(tensor.shape):
                continue
            state[own].copy_(torch.from_numpy(tensor.array().copy()).reshape(state[own].shape))
            loaded.append(own)
    missing = tuple(name for name in state if name not in loaded)
    extra = len(checkpoint.tensors) - len(loaded)
    note = ""
    if missing or extra:
        note = (
            f"{len(loaded)} of the model's {len(state)} tensors were filled from {checkpoint.path.name}; "
            f"{extra} tensors of the file had no place"
        )
    return Fit(model, tuple(loaded), missing, note)


def batch(target: Target) -> tuple[Any, Any]:
    """One batch of the person's data, (inputs, targets). Raises Unreadable if it is no pair."""
    pair = target.call("load_batch")
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise Unreadable("load_batch did not return a pair", str(target.path), "return (inputs, targets)")
    return pair[0], pair[1]


def forward(target: Target, model: Any, inputs: Any) -> Any:
    """The model's outputs; a tuple or list of inputs is spread over the arguments, a dict over the keywords."""
    with theirs(target.path, "the forward pass failed"):
        if isinstance(inputs, dict):
            return model(**inputs)
        return model(*inputs) if isinstance(inputs, list | tuple) else model(inputs)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model put out for one batch in evaluation mode, and what was wanted; None where that is no one tensor."""

    outputs: Floats | None
    targets: Floats | None


def outputs(path: Path, checkpoints: tuple[Checkpoint, ...]) -> Outputs:
    """One forward pass of the person's model with the weights of the latest finite checkpoint.

    Raises Unreadable if the target file, the model or the batch fails.
    """
    import torch

    target = load_target(path)
    whole = next((c for c in reversed(checkpoints) if statistics.of(c).finite), None)
    model = fit(target, whole).model
    inputs, targets = batch(target)
    with torch.no_grad():
        found = forward(target, model.eval(), inputs)
    as_numbers = [t.detach().double().numpy() if isinstance(t, torch.Tensor) else None for t in (found, targets)]
    return Outputs(as_numbers[0], as_numbers[1])


@dataclass(frozen=True, slots=True)
class Backward:
    """One backward pass in training mode on one batch.

    Args:
        loss: its value.
        gradients: norm of the gradient by parameter name; NaN and infinities as they are; None where no gradient came.
        weights: norm of the parameter itself.
        frozen: names of parameters with requires_grad off.
        outside: shapes of the tensors that got a gradient although they are no parameters of the model.
    """

    loss: float
    gradients: dict[str, float | None]
    weights: dict[str, float]
    frozen: tuple[str, ...]
    outside: tuple[tuple[int, ...], ...]


def backward(target: Target, model: Any, inputs: Any, targets: Any) -> Backward:
    """Run one real backward pass on a copy of the model: its running statistics stay as they are.

    Raises Unreadable if the forward pass, the loss or the backward pass fails.
    """
    import torch

    model = copy.deepcopy(model).train()
    seed()
    outputs = forward(target, model, inputs)
    loss = target.call("loss_fn", outputs, targets)
    with theirs(target.path, "the backward pass failed"):
        loss = loss if loss.dim() == 0 else loss.mean()
        leaves = list(_leaves(loss.grad_fn))
        loss.backward()
    named = dict(model.named_parameters())
    known = {id(p) for p in named.values()}
    norms: dict[str, float | None] = {
        n: None if p.grad is None else float(torch.linalg.vector_norm(p.grad.double()))
        for n, p in named.items()
        if p.requires_grad
    }
    return Backward(
        loss=float(loss.detach()),
        gradients=norms,
        weights={n: float(torch.linalg.vector_norm(p.detach().double())) for n, p in named.items()},
        frozen=tuple(n for n, p in named.items() if not p.requires_grad),
        outside=tuple(tuple(leaf.shape) for leaf in leaves if id(leaf) not in known and leaf is not inputs),
    )


def _leaves(node: Any) -> Iterator[Any]:
    """The leaf tensors under a graph node that collect gradients."""
    seen, waiting = set(), [node]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [parent for parent, _ in node.next_functions]


@dataclass(frozen=True, slots=True)
class Silence:
    """The outputs of one ReLU on one batch.

    Args:
        layer: the module with weights that ran last before it; "" if none did.
        units: how many there are (channels of a convolution, features otherwise).
        silent: how many are zero on every sample (and position) of the batch.
        samples: how many values of each unit were seen.
    """

    layer: str
    units: int
    silent: int
    samples: int


def silences(target: Target, model: Any, inputs: Any) -> list[Silence]:
    """Every ReLU that one forward pass in eval mode goes through: modules, functions and methods alike."""
    import torch
    from torch.overrides import TorchFunctionMode

    functional = torch.nn.functional
    relus = {torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_, functional.relu, functional.relu_}
    last: list[tuple[str, bool]] = [("", False)]
    found: list[Silence] = []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if func in relus:
                found.append(_silence(*last[0], out))
            return out

    names = {module: name for name, module in model.named_modules()}

    def ran(module: Any, _: Any, __: Any) -> None:
        if not any(module.children()) and any(True for _ in module.parameters(recurse=False)):
            channels_first = "Conv" in type(module).__name__ or "BatchNorm" in type(module).__name__
            last[0] = (names.get(module, ""), channels_first)

    hooks = [module.register_forward_hook(ran) for module in model.modules()]
    was, fast = model.training, torch.backends.mha.get_fastpath_enabled()
    try:
        model.eval()
        torch.backends.mha.set_fastpath_enabled(False)  # the fused Transformer layer would hide its ReLU
        with torch.no_grad(), Watch():
            forward(target, model, inputs)
    finally:
        model.train(was)
        torch.backends.mha.set_fastpath_enabled(fast)
        for hook in hooks:
            hook.remove()
    return found


def _silence(layer: str, channels_first: bool, out: Any) -> Silence:
    axis = 1 if channels_first and out.dim() > 1 else max(out.dim() - 1, 0)
    values = out.detach().movedim(axis, 0).reshape(out.shape[axis], -1) if out.dim() else out.detach().reshape(1, 1)
    return Silence(layer, values.shape[0], int((values <= 0).all(1).sum()), values.shape[1])
