"""The names that torch's and NumPy's pickles ask for and that we build ourselves, as plain values or lazy tensors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from .lazy import NUMPY, LazyTensor, Storage, dense, tensor
from .pickle_stream import Builder, Inert, Name
from .span import Span

STORAGE_DTYPES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
    "QUInt8": "quint8",
    "QInt8": "qint8",
    "QInt32": "qint32",
    "Untyped": "uint8",
    "Typed": "uint8",
}


def storage_dtype(kind: Any) -> str:
    """The dtype of a storage class name such as torch.FloatStorage or torch.cuda.HalfStorage."""
    text = kind.text if isinstance(kind, Name) else str(kind)
    return STORAGE_DTYPES.get(text.rpartition(".")[2].removesuffix("Storage"), text)


def _ints(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > 64 or not {*map(type, values)} <= {int}:
        raise ValueError("a shape that is no list of integers")
    return tuple(values)


def _tensor_v2(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Any:
    if not isinstance(storage, Storage) or type(offset) is not int:
        return Inert("torch.Tensor")
    return tensor(storage, _ints(shape), _ints(strides), offset)


def _tensor_v3(storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, *_: Any) -> Any:
    if not isinstance(storage, Storage) or type(offset) is not int or not isinstance(dtype, Name):
        return Inert("torch.Tensor")
    return tensor(storage, _ints(shape), _ints(strides), offset, dtype.text.removeprefix("torch."))


def _unstored(shape: Any, dtype: Any, why: str) -> Any:
    """A tensor that is told by name and shape, and whose numbers are not read."""
    text = dtype.text.removeprefix("torch.") if isinstance(dtype, Name) else "float32"
    storage = Storage(why, Span(Path(), 0, 0, b""), text, fault=why)
    shape = _ints(shape)
    return tensor(storage, shape, dense(shape), 0)


def _meta(dtype: Any = None, shape: Any = (), *_: Any) -> Any:
    return _unstored(shape, dtype, "it was saved on the meta device, without its numbers")


def _sparse(layout: Any = None, parts: Any = (), *_: Any) -> Any:
    """Coordinates, values, size; or, compressed, two kinds of indices before them."""
    parts = parts if isinstance(parts, tuple) else ()
    size = next((part for part in parts if isinstance(part, tuple | list)), None)
    values = [part for part in parts if isinstance(part, LazyTensor)]
    if size is None or not values:
        return Inert("torch.Tensor", parts)
    return _unstored(size, Name(f"torch.{values[-1].dtype}"), "sparse tensors are not read")


def _first(value: Any = None, *_: Any) -> Any:
    return value if isinstance(value, LazyTensor) else Inert("torch.nn.parameter.Parameter", (value,))


def _from_type(function: Any, kind: Any, args: Any, *_: Any) -> Any:
    builder = BUILDERS.get(function.text) if isinstance(function, Name) else None
    return builder(*args) if builder and type(args) is tuple else Inert("torch.Tensor", (args,))


def _dict(pairs: Any = (), *_: Any) -> dict[Any, Any]:
    if isinstance(pairs, dict):
        return dict(pairs)
    if not isinstance(pairs, list | tuple):
        return {}
    return {
        k: v for k, v in (p for p in pairs if isinstance(p, list | tuple) and len(p) == 2) if isinstance(k, str | int)
    }


def _default_dict(factory: Any = None, *_: Any) -> dict[Any, Any]:
    return {}


def _list(values: Any = (), *_: Any) -> list[Any]:
    return list(values) if isinstance(values, list | tuple | dict) else []


def _tuple(values: Any = (), *_: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, list | tuple) else ()


def _text(value: Any = "", *_: Any) -> str:
    return str(value) if isinstance(value, str | int | float) else ""


def _device(kind: Any = "cpu", index: Any = None) -> str:
    return _text(kind) if index is None else f"{_text(kind)}:{_text(index)}"


def _encode(text: Any = "", encoding: Any = "latin1", *_: Any) -> bytes:
    return text.encode("latin-1", "replace") if isinstance(text, str) else b""


def _number(value: Any = 0, *_: Any) -> Any:
    return value if isinstance(value, int | float) else 0


class DType:
    """A plain NumPy type such as "f8"; `order` is set by the pickle afterwards and plain types are little-endian."""

    __slots__ = ("code",)

    def __init__(self, code: str) -> None:
        self.code = code


def _dtype(code: Any = "", *_: Any) -> DType:
    return DType(code if isinstance(code, str) else code.decode("ascii", "replace") if isinstance(code, bytes) else "")


_CODES = {NUMPY[name]: name for name in ("float64", "float32", "int64", "int32", "int16", "int8", "uint8", "bool")}
_CODES |= {"f2": "float16", "u1": "uint8", "b1": "bool"}
_PLAIN = {"f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"}


def _scalar(dtype: Any = None, raw: Any = b"", *_: Any) -> Any:
    raw = raw.encode("latin-1", "replace") if isinstance(raw, str) else raw
    if not isinstance(dtype, DType) or dtype.code not in _PLAIN or not isinstance(raw, bytes):
        return Inert("numpy.scalar")
    kind = np.dtype("<" + dtype.code)
    return np.frombuffer(raw, kind)[0].item() if len(raw) == kind.itemsize else Inert("numpy.scalar")


def _reconstruct(*_: Any) -> Inert:
    return Inert("numpy.ndarray")


def as_tensor(value: Any) -> LazyTensor | None:
    """A tensor as it is, or of a pickled NumPy array of a plain type; None for anything else."""
    if isinstance(value, LazyTensor):
        return value
    state = value.state if isinstance(value, Inert) and value.name == "numpy.ndarray" else None
    if not isinstance(state, tuple) or len(state) != 5:
        return None
    _, shape, kind, fortran, raw = state
    raw = raw.encode("latin-1", "replace") if isinstance(raw, str) else raw
    dtype = _CODES.get(kind.code) if isinstance(kind, DType) else None
    if dtype is None or not isinstance(raw, bytes) or not isinstance(shape, tuple) or len(shape) > 64:
        return None
    if any(type(n) is not int or n < 0 for n in shape):
        return None
    strides = tuple(reversed(dense(tuple(reversed(shape))))) if fortran else dense(shape)
    return tensor(Storage(f"array {id(value)}", Span(Path(), 0, len(raw), raw), dtype), shape, strides, 0)


def number_list(value: Any) -> list[Any] | None:
    """The numbers of a pickled NumPy array of a plain type (as a flat list, at most 100,000), else None."""
    state = value.state if isinstance(value, Inert) and value.name == "numpy.ndarray" else None
    if not isinstance(state, tuple) or len(state) != 5:
        return None
    _, shape, dtype, _, raw = state
    raw = raw.encode("latin-1", "replace") if isinstance(raw, str) else raw
    if not isinstance(dtype, DType) or dtype.code not in _PLAIN or not isinstance(raw, bytes):
        return None
    kind = np.dtype("<" + dtype.code)
    if not isinstance(shape, tuple) or any(type(n) is not int for n in shape):
        return None
    count = math.prod(shape)
    return np.frombuffer(raw, kind).tolist() if 0 <= count <= 100_000 and count * kind.itemsize == len(raw) else None


def scalar(value: Any) -> float | int | None:
    """A Python number from a number, a one-element tensor or a one-element array; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, LazyTensor) and value.numel == 1 and value.fault is None:
        one = value.array().reshape(-1)[0].item()
        return one if isinstance(one, int | float) else None
    many = number_list(value)
    return many[0] if many is not None and len(many) == 1 else None


_PLAIN_BUILDERS: dict[str, Builder] = {
    "collections.OrderedDict": _dict,
    "collections.Counter": _dict,
    "collections.defaultdict": _default_dict,
    "builtins.dict": _dict,
    "builtins.list": _list,
    "builtins.set": _list,
    "builtins.frozenset": _list,
    "builtins.tuple": _tuple,
    "builtins.int": _number,
    "builtins.float": _number,
    "builtins.bool": _number,
    "builtins.str": _text,
    "builtins.unicode": _text,
    "builtins.long": _number,
    "_codecs.encode": _encode,
    "torch.Size": _tuple,
    "torch.device": _device,
    "torch._utils._rebuild_tensor": _tensor_v2,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_qtensor": _tensor_v2,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.nn.parameter.Parameter": _first,
    "torch.nn.parameter.Buffer": _first,
    "torch.autograd.variable.Variable": _first,
    "numpy.dtype": _dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy.ndarray": _reconstruct,
}
_STORAGES: dict[str, Builder] = {
    f"torch.{prefix}{name}Storage": lambda *args: Inert("torch.Storage", args)
    for prefix in ("", "cuda.", "storage.")
    for name in STORAGE_DTYPES
}
_DTYPES: dict[str, Builder] = {
    f"torch.{name}": lambda *args: Inert("torch.dtype", args)
    for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
                 "complex64", "strided", "per_tensor_affine", "per_channel_affine", "preserve_format", 
                 "contiguous_format")
}  # fmt: skip

BUILDERS: dict[str, Builder] = _PLAIN_BUILDERS | _STORAGES | _DTYPES
"""Every name that is built; all others stay inert."""
