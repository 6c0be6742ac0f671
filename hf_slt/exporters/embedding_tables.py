"""Embedding tables in 8 bits, with a scale for each row: a quarter of the size, each row as exact as its own numbers.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hf_slt.exporters.onnx_files import drop_unused, onnx

SMALLEST_TABLE = 2**14  # numbers; smaller ones are tables of the attention's position biases, which scores depend on


def quantize_tables(model: Any) -> int:
    """Store large tables that rows are looked up in as int8, in place; rows are scaled back after they are looked up.

    Args:
        model: ONNX model; tables inside of sub-graphs are not looked at.

    Returns:
        Number of lookups that were changed.
    """
    graph = model.graph
    tables = {
        tensor.name: tensor
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
        and len(tensor.dims) == 2
        and np.prod(tensor.dims) >= SMALLEST_TABLE
    }
    nodes, count, stored = [], 0, set()
    for node in graph.node:
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        if node.op_type != "Gather" or node.input[0] not in tables or axis != 0:
            nodes.append(node)
            continue
        name = node.input[0]
        if name not in stored:
            graph.initializer.extend(_rows_and_scales(tables[name]))
            stored.add(name)
        nodes += _lookup(node, name)
        count += 1
    del graph.node[:]
    graph.node.extend(nodes)
    if count:
        drop_unused(model)
    return count


def _rows_and_scales(table: Any) -> list[Any]:
    values = onnx.numpy_helper.to_array(table)  # (V, D)
    scales = np.abs(values).max(axis=1, keepdims=True) / 127
    scales[scales == 0] = 1
    rows = np.rint(values / scales).astype(np.int8)
    return [
        onnx.numpy_helper.from_array(rows, f"{table.name}::rows"),
        onnx.numpy_helper.from_array(scales.astype(np.float32), f"{table.name}::scales"),
    ]


def _lookup(node: Any, table: str) -> list[Any]:
    output = node.output[0]
    make, parts = onnx.helper.make_node, [f"{output}::{part}" for part in ("rows", "numbers", "scales")]
    rows, numbers, scales = parts
    return [
        make("Gather", [f"{table}::rows", node.input[1]], [rows], name=rows, axis=0),
        make("Cast", [rows], [numbers], name=numbers, to=onnx.TensorProto.FLOAT),
        make("Gather", [f"{table}::scales", node.input[1]], [scales], name=scales, axis=0),
        make("Mul", [numbers, scales], [output], name=f"{output}::scaled"),
    ]
