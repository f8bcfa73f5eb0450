"""ONNX models through the onnx package, which is an extra. External data files are never opened (they are paths)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...artifacts import Checkpoint, Tensor
from ...errors import Unreadable
from .library_tensor import LibraryTensor

WORDS = (b"pytorch", b"onnx", b"tf2onnx", b"keras2onnx", b"skl2onnx", b"ONNX")


def looks_like_onnx(head: bytes) -> bool:
    """Whether the first bytes can be a ModelProto: ir_version first, and the name of an exporter soon after."""
    return head[:1] == b"\x08" and any(word in head[:400] for word in WORDS)


def read_onnx(path: Path) -> Checkpoint:
    """The initializers, which hold the weights. Raises Unreadable, also when onnx is not installed."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        do = "install it with pip install onnx (into the interpreter of --python, if you use one)"
        raise Unreadable("ONNX files need the onnx package, which is not installed", str(path), do) from None
    try:
        model = onnx.load(str(path), load_external_data=False)
        tensors: dict[str, Tensor] = {}
        outside = 0
        for item in model.graph.initializer:
            if item.data_location == onnx.TensorProto.EXTERNAL:
                outside += 1
                continue
            dtype = onnx.helper.tensor_dtype_to_np_dtype(item.data_type).name
            load = partial(numpy_helper.to_array, item)
            tensors[item.name] = LibraryTensor(item.name, tuple(item.dims), dtype, load)
    except Exception as error:  # protobuf and onnx raise types of their own, without a common base
        raise Unreadable(f"no valid ONNX model ({str(error)[:80]})", str(path), "export it again") from error
    warnings = [f"{outside} weights lie in other files, which are not opened."] if outside else []
    if not tensors:
        warnings.append("the weights are constants inside the graph; none is an initializer.")
    return Checkpoint(path, "onnx", tensors, warnings=tuple(warnings))
