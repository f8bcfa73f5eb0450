"""A file of saved weights -> a Checkpoint, whatever its format. Recognised by content, never by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..artifacts import Checkpoint
from ..errors import Unreadable
from .archive import Archive
from .bundle import Bundle, take_apart
from .lazy import LazyTensor, Span
from .optimizer_state import read_optimizer
from .safetensors_file import looks_like_safetensors, read_safetensors
from .torch_legacy import MAGIC, read_torch_legacy
from .torch_zip import is_torch, read_torch_zip


class IsData(Exception):
    """The file holds tensors that are a data set, not a model."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads one file. Raises Unreadable, or IsData for saved inputs and targets."""
    span = Span(path, 0, path.stat().st_size)
    head = span.read(0, min(64, span.length))
    if looks_like_safetensors(head, span.length):
        tensors, metadata = read_safetensors(span)
        return Checkpoint(path, "safetensors", dict(tensors), hyper=dict(metadata))
    if head[:4] == b"PK\x03\x04":
        archive = Archive(span)
        if is_torch(archive):
            return _torch(path, *read_torch_zip(archive))
        if "policy.pth" in archive.names:
            return _sb3(path, archive)
        raise Unreadable(_other_zip(archive), str(path), "give the torch or safetensors file instead")
    if MAGIC in head[:20]:
        return _torch(path, *read_torch_legacy(span), "torch-legacy")
    raise Unreadable("not a checkpoint in a format that is read", str(path), "give a torch or safetensors file")


def _torch(path: Path, tree: Any, refused: list[str], form: str) -> Checkpoint:
    if is_data(tree):
        raise IsData(str(path))
    return assemble(path, _format(tree, form), take_apart(tree), refused, tree)


def _format(tree: Any, form: str) -> str:
    if isinstance(tree, dict) and "pytorch-lightning_version" in tree:
        return "lightning"
    if isinstance(tree, dict) and {"train_args", "ema"} <= tree.keys():
        return "ultralytics"
    return form


def assemble(path: Path, form: str, bundle: Bundle, refused: list[str], hints: Any = None) -> Checkpoint:
    """A Checkpoint of the parts of a file."""
    optimizers = [
        read_optimizer(raw, key, _near(key, bundle.models), bundle.parameters, hints)
        for key, raw in bundle.optimizers.items()
    ]
    stateful = [o for o in optimizers if any(p.slots for p in o.parameters)]
    optimizer = next(iter(stateful or optimizers), None)
    tensors = bundle.tensors()
    if len(optimizers) > 1:
        bundle.warnings.append(f"the file holds {len(optimizers)} optimizers; the first with state is shown.")
    step = bundle.step if bundle.step is not None else optimizer.step if optimizer else None
    return Checkpoint(
        path,
        form,
        dict(tensors),
        optimizer,
        step,
        bundle.epoch,
        bundle.hyper,
        tuple(bundle.unread),
        tuple(refused),
        tuple(bundle.warnings),
    )


def _near(key: str, models: dict[str, dict[str, LazyTensor]]) -> dict[str, dict[str, LazyTensor]]:
    """The models under the names that the Checkpoint gives their tensors; all together last."""
    if len(models) < 2:
        return models
    named = {path: {f"{path}.{n}" if path else n: t for n, t in model.items()} for path, model in models.items()}
    together = {name: tensor for model in named.values() for name, tensor in model.items()}
    return named | {"": together} if "" not in named else named


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
    ]
)


def is_data(tree: Any) -> bool:
    """Whether an object tree is a saved batch or data set: a tensor, several, or tensors named x, y, inputs ..."""
    if isinstance(tree, LazyTensor):
        return True
    if isinstance(tree, list | tuple):
        return bool(tree) and all(isinstance(v, LazyTensor) for v in tree)
    if not isinstance(tree, dict):
        return False
    tensors = [str(k).lower() for k, v in tree.items() if isinstance(v, LazyTensor) and v.numel > 1]
    return bool(tensors) and all(k in DATA_NAMES for k in tensors)


def _sb3(path: Path, archive: Archive) -> Checkpoint:
    """A stable-baselines3 zip: torch files inside a zip. Its `data` member holds pickles in text and is not touched."""
    bundle, refused = Bundle(), list[str]()
    for name in archive.names:
        if not name.endswith(".pth") or name == "pytorch_variables.pth":
            continue
        span = archive.member(name)
        head = span.read(0, min(20, span.length))
        if head[:4] == b"PK\x03\x04":
            tree, names, _ = read_torch_zip(Archive(span))
        else:
            tree, names = read_torch_legacy(span)
        inner = take_apart(tree)
        refused += names
        bundle.models |= {name if not key else f"{name}.{key}": model for key, model in inner.models.items()}
        bundle.optimizers |= {name if not key else f"{name}.{key}": raw for key, raw in inner.optimizers.items()}
    return assemble(path, "sb3-zip", bundle, refused)


def _other_zip(archive: Archive) -> str:
    names = archive.names
    if any(n.endswith(".npy") for n in names):
        return "an archive of NumPy arrays, not a checkpoint"
    if "model.weights.h5" in names or ("config.json" in names and "metadata.json" in names):
        return "a Keras file; Keras formats are not read yet"
    if any("archive_format" in n for n in names):
        return "an exported program; these are not read yet"
    return "a zip archive without a model that is understood"
