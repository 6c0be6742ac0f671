"""ONNX files of an export: which ones a model is made of, and reading and writing them.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.exporters.requirements import require_onnx

onnx = require_onnx("onnx")

DECODER, DECODER_WITH_PAST, MERGED_DECODER = (
    "decoder_model.onnx",
    "decoder_with_past_model.onnx",
    "decoder_model_merged.onnx",
)
PROTOBUF_LIMIT = 2**31 - 2**26  # bytes of weights in one file; protobuf takes less than 2 GiB with all the rest


def onnx_files(folder: Path) -> list[Path]:
    """Return the ONNX files of an export, without those of its variants.

    Raises:
        ConfigurationError: There are none.
    """
    files = sorted(Path(folder).glob("*.onnx"))
    if not files:
        raise ConfigurationError(
            f"expected the ONNX files of an export, found none in {folder}; export the model first"
        )
    return files


def loaded_files(folder: Path) -> list[Path]:
    """Return the files that a model reads: with the pair of decoders, the merged one is not needed."""
    files = onnx_files(folder)
    pair = any(file.name == DECODER_WITH_PAST for file in files)
    used = [file for file in files if not pair or file.name != MERGED_DECODER]
    return [*used, *(data for file in used if (data := file.with_name(file.name + "_data")).is_file())]


def graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph and all graphs inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def is_large(model: Any) -> bool:
    """Return whether the weights of a model have to lie in a file beside it."""
    sizes = onnx.helper.tensor_dtype_to_np_dtype
    total = 0
    for graph in graphs(model.graph):
        total += sum(math.prod(tensor.dims) * sizes(tensor.data_type).itemsize for tensor in graph.initializer)
    return total > PROTOBUF_LIMIT


def save(model: Any, path: Path) -> None:
    """Write a model; the weights of a large one into `<name>_data` beside it."""
    if is_large(model):
        onnx.save(model, str(path), save_as_external_data=True, location=path.name + "_data")
    else:
        onnx.save(model, str(path))


def drop_unused(model: Any) -> None:
    """Drop weights that no node of a model reads."""
    used = {name for graph in graphs(model.graph) for node in graph.node for name in node.input}
    used |= {value.name for graph in graphs(model.graph) for value in graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def write_known_axes(path: Path) -> None:
    """Write the size of output axes that do not vary, where torch only gave them a name."""
    session = require_onnx("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    model = onnx.load(str(path), load_external_data=False)
    changed = False
    for output, value in zip(model.graph.output, session.get_outputs(), strict=True):
        for axis, size in zip(output.type.tensor_type.shape.dim, value.shape, strict=False):
            if isinstance(size, int) and axis.dim_param:
                axis.dim_value, changed = size, True
    if changed:
        onnx.save(model, str(path))
