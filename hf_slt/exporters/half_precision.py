"""Variants of half the size: weights are stored in half precision, and computed with in fp32.

ONNX Runtime has hardly any half-precision operators for the CPU, so that a model in fp16 throughout would not load, or
would be converted back and forth around each operator. Here each large weight is followed by a Cast to fp32, which is
done once, when the model is loaded: half the file, the memory and the speed of fp32. On other runtimes it is standard
ONNX too.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.onnx_files import graphs, onnx, save
from hf_slt.exporters.requirements import require_onnx

ml_dtypes = require_onnx("ml_dtypes")

DTYPES = {"fp16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}
SMALLEST = 256  # numbers; a smaller weight would be outweighed by its Cast


def store_in_half_precision(source: Path, target: Path, kind: str) -> dict[str, Any]:
    """Write a model with its large weights, 256 numbers or more, in half precision.

    Args:
        source: ONNX file.
        target: File to write.
        kind: `"fp16"` or `"bf16"`.

    Returns:
        What was done: `weights` (their number type), `computes_in`, `smallest` (numbers in a converted weight).

    Raises:
        ConfigurationError: A weight is larger than fp16 can hold; all of them are named.
    """
    model = onnx.load(source)
    problems = []
    for graph in graphs(model.graph):
        casts = []
        for tensor in graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= SMALLEST:
                problems += _shrink(tensor, DTYPES[kind])
                casts.append(_cast_of(tensor))
        nodes = [*casts, *graph.node]
        del graph.node[:]
        graph.node.extend(nodes)
    if problems:
        raise ConfigurationError(
            f"expected weights of at most {np.finfo(np.float16).max:.0f} for {kind}, found {', '.join(problems)} in "
            f"{source.name}; use bf16, which has the range of fp32"
        )
    save(model, target)
    return {"weights": kind, "computes_in": "fp32", "smallest": SMALLEST}


def _shrink(tensor: Any, dtype: np.dtype) -> list[str]:
    """Convert a weight in its place; returns what is wrong with it."""
    values = onnx.numpy_helper.to_array(tensor)
    with np.errstate(over="ignore"):
        converted = values.astype(dtype)
    if np.isfinite(values).all() and not np.isfinite(converted.astype(np.float32)).all():
        return [f"{tensor.name} with {np.abs(values).max():.3g}"]
    tensor.CopyFrom(onnx.numpy_helper.from_array(converted, tensor.name))
    return []


def _cast_of(tensor: Any) -> Any:
    """Return the node that makes fp32 of a weight under the name that it had; the weight gets another one."""
    name = tensor.name
    tensor.name = f"{name}::stored"
    return onnx.helper.make_node("Cast", [tensor.name], [name], name=f"{name}::cast", to=onnx.TensorProto.FLOAT)
