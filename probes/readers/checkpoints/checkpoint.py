"""A file of saved weights -> a Checkpoint, whatever its format. Recognised by content, never by its name."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from ...artifacts import Checkpoint
from ...errors import Unreadable
from ...memory import uncollected
from .archive import Archive
from .bundle import DATA_NAMES, Bundle, is_state_dict, take_apart
from .danger import warning
from .distributed import is_distributed, read_distributed
from .exported import is_exported, read_exported
from .gguf_file import MAGIC as GGUF
from .gguf_file import read_gguf
from .keras_file import MAGIC as HDF5
from .keras_file import is_keras_archive, read_keras
from .layer_names import LAYER
from .lazy import LazyTensor, shown
from .numpy_archive import is_weights, read_npz
from .onnx_file import looks_like_onnx, read_onnx
from .optimizer_state import read_optimizer
from .pickle_stream import Inert, read_pickle
from .progress import progress
from .safetensors_file import looks_like_safetensors, read_safetensors
from .settings import simplify
from .span import Span
from .torch_legacy import MAGIC, read_torch_legacy
from .torch_tar import looks_like_tar, read_torch_tar
from .torch_zip import is_torch, read_torch_zip

MOST_PLAIN = 64 << 20


class IsData(Exception):
    """The file holds tensors that are a data set, not a model."""


_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError)
"""What code runs into that was handed something else than it was made for."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads one file. Raises Unreadable, or IsData for saved inputs and targets."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("a folder, pipe or device, not a file", str(path), "give a regular file")
    try:
        with uncollected():
            return _recognise(path, Span(path, 0, status.st_size))
    except _MALFORMED as error:
        why = f"its content makes no sense ({type(error).__name__}{f': {error}'[:100] if str(error) else ''})"
        raise Unreadable(shown(why, 160), str(path), "do not trust this file; save it again") from error


def _recognise(path: Path, span: Span) -> Checkpoint:
    head = span.read(0, min(64, span.length))
    if looks_like_safetensors(head, span.length):
        tensors, metadata = read_safetensors(span)
        step, epoch = progress(dict(metadata))
        return Checkpoint(path, "safetensors", dict(tensors), None, step, epoch, dict(metadata))
    if head[:4] == b"PK\x03\x04":
        archive = Archive(span)
        if is_torch(archive):
            return _torch(path, *read_torch_zip(archive))
        if "policy.pth" in archive.names:
            return _sb3(path, archive)
        if is_exported(archive):
            return assemble(path, "exported", Bundle({"": read_exported(archive)}), [])
        if is_keras_archive(archive):
            return read_keras(path, archive)
        if any(n.endswith(".npy") for n in archive.names):
            return _npz(path, archive)
        why = "a zip archive without a model that is understood"
        raise Unreadable(why, str(path), "give the torch or safetensors file instead")
    if MAGIC in head:
        return _torch(path, *read_torch_legacy(span), "torch-legacy")
    if looks_like_tar(span.read(0, min(512, span.length))):
        return _torch(path, *read_torch_tar(span), "torch-tar")
    if head.startswith(HDF5):
        return read_keras(path)
    if head.startswith(GGUF):
        return read_gguf(path)
    if looks_like_onnx(span.read(0, min(400, span.length))):
        return read_onnx(path)
    if is_distributed(path):
        return _distributed(path)
    raise Unreadable(_unknown(span, head), str(path), "give a torch or safetensors file")


def _unknown(span: Span, head: bytes) -> str:
    """Why a file that no reader takes is not read; a plain pickle is walked for what it asks for."""
    if head[:1] == b"\x80" and span.length <= MOST_PLAIN:
        with span.open() as file:
            _, refused = read_pickle(file, str(span.path), {}, lambda pid: None)
        return " ".join(
            [
                "not a checkpoint of torch but a plain pickle, which is not read",
                *(f"({w.rstrip('.')})" for w in warning(refused)),
            ]
        )
    return "not a checkpoint in a format that is read"


def _npz(path: Path, archive: Archive) -> Checkpoint:
    if not is_weights(archive):
        raise IsData(str(path))
    tensors, unread = read_npz(archive)
    counts = {n: t for n, t in tensors.items() if t.shape == () and "int" in t.dtype and not {*"./"} & {*n}}
    bundle = Bundle({"": {n: t for n, t in tensors.items() if n not in counts}}, unread=unread)
    bundle.hyper = simplify(counts, [1000])
    bundle.step, bundle.epoch = progress(counts)
    return assemble(path, "npz", bundle, [])


def _distributed(path: Path) -> Checkpoint:
    """A torch.distributed.checkpoint folder, by its `.metadata`."""
    tree, refused = read_distributed(path)
    return assemble(path, "distributed", take_apart(tree), refused, tree)


def _torch(path: Path, tree: Any, refused: list[str], form: str) -> Checkpoint:
    if is_data(tree):
        raise IsData(str(path))
    return assemble(path, _format(tree, form), take_apart(tree), refused, tree)


def _format(tree: Any, form: str) -> str:
    if isinstance(tree, dict) and "pytorch-lightning_version" in tree:
        return "lightning"
    if isinstance(tree, dict) and {"train_args", "ema"} <= tree.keys():
        return "ultralytics"
    return "fastai" if isinstance(tree, Inert) and tree.name == "fastai.learner.Learner" else form


def assemble(path: Path, form: str, bundle: Bundle, refused: list[str], hints: Any = None) -> Checkpoint:
    """A Checkpoint of the parts of a file."""
    bundle.limit_views()
    models, parameters = _near(bundle)
    optimizers = [read_optimizer(raw, key, models, parameters, hints) for key, raw in bundle.optimizers.items()]
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
        tuple(bundle.schedulers),
        bundle.scaler,
        max(0, len(optimizers) - 1),
        tuple(bundle.unread),
        tuple(refused),
        (*warning(refused), *bundle.warnings),
    )


def _near(bundle: Bundle) -> tuple[dict[str, dict[str, LazyTensor]], dict[str, list[str]]]:
    """(models, their parameters) under the names that the Checkpoint gives their tensors; all together last."""
    if len(bundle.models) < 2:
        return bundle.models, bundle.parameters
    prefixes = {path: f"{path}." if path else "" for path in bundle.models}
    named = {path: {prefixes[path] + n: t for n, t in model.items()} for path, model in bundle.models.items()}
    parameters = {path: [prefixes[path] + n for n in names] for path, names in bundle.parameters.items()}
    together = {name: tensor for model in named.values() for name, tensor in model.items()}
    return (named | {"": together} if "" not in named else named), parameters


def is_data(tree: Any) -> bool:
    """Whether an object tree is a saved batch or data set: a tensor, several, or tensors named x, y, inputs ..."""
    seen, left, batches = set[int](), [tree], 0
    for node in left:
        if isinstance(node, dict) and node and all(isinstance(v, dict) for v in node.values()):
            if id(node) not in seen:
                left.extend(node.values())
            seen.add(id(node))
        elif _is_batch(node):
            batches += 1
        else:
            return False
    return batches > 0


def _is_batch(node: Any) -> bool:
    if isinstance(node, LazyTensor):
        return True
    if isinstance(node, list | tuple):
        return bool(node) and all(isinstance(v, LazyTensor) for v in node)
    if not isinstance(node, dict) or any(isinstance(v, dict) and _has_layers(v) for v in node.values()):
        return False
    tensors = [str(k).lower() for k, v in node.items() if isinstance(v, LazyTensor) and v.numel > 1]
    return bool(tensors) and all(k in DATA_NAMES for k in tensors)


def _has_layers(node: dict[Any, Any]) -> bool:
    return is_state_dict(node, "") and any(isinstance(key, str) and LAYER.search(key) for key in node)


def _sb3(path: Path, archive: Archive) -> Checkpoint:
    """A stable-baselines3 zip: torch files inside a zip. The pickles that its `data` holds in text are not touched."""
    bundle, refused = Bundle(hyper=_sb3_settings(archive)), list[str]()
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


def _sb3_settings(archive: Archive) -> dict[str, Any]:
    """The numbers and words of stable-baselines3's `data`, a JSON object."""
    try:
        told = json.loads(archive.member("data", MOST_PLAIN).read()) if "data" in archive else {}
    except (ValueError, RecursionError):
        return {}
    plain = told.items() if isinstance(told, dict) else ()
    return {key[:200]: value for key, value in plain if isinstance(value, int | float) or _is_word(value)}


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and len(value) < 200
