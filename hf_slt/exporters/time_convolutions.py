"""Convolutions over time, written as products: those that ONNX Runtime can do in 8 bits without knowing ranges.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hf_slt.exporters.onnx_files import drop_unused, onnx

SMALLEST = 2**12  # numbers in a weight; smaller convolutions, such as those of channel attention, cost next to nothing
_END = np.iinfo(np.int64).max


def write_as_products(model: Any) -> int:
    """Replace convolutions over one axis, of all channels, by products of the same weights, in place.

    Frames `(B, C, T)` are laid out as `(B, T', K * C)`, the K frames that a state sees side by side, and multiplied by
    `(K * C, N)`. Depthwise, dilated and small convolutions are left as they are.

    Args:
        model: ONNX model; convolutions inside of sub-graphs are not looked at.

    Returns:
        Number of convolutions that were replaced.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes, count = [], 0
    for node in graph.node:
        if _is_over_time(node, weights):
            nodes += _product_of(node, weights, graph)
            count += 1
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    if count:
        drop_unused(model)
    return count


def _attributes(node: Any) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _is_over_time(node: Any, weights: dict[str, Any]) -> bool:
    if node.op_type != "Conv" or node.input[1] not in weights:
        return False
    shape = weights[node.input[1]].dims  # (N, C, K)
    if len(shape) != 3 or np.prod(shape) < SMALLEST:
        return False
    values = _attributes(node)
    plain = values.get("group", 1) == 1 and values.get("dilations", [1]) == [1]
    return plain and values.get("auto_pad", b"NOTSET") == b"NOTSET"


def _product_of(node: Any, weights: dict[str, Any], graph: Any) -> list[Any]:
    """Return the nodes in place of a convolution; what they need is added to the graph."""
    values, name = _attributes(node), node.name or node.output[0]
    weight = onnx.numpy_helper.to_array(weights[node.input[1]])  # (N, C, K)
    size, stride = weight.shape[2], values.get("strides", [1])[0]
    left, right = values.get("pads", [0, 0])
    nodes: list[Any] = []

    def constant(part: str, value: Any) -> str:
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), f"{name}::{part}"))
        return f"{name}::{part}"

    def add(operator: str, inputs: list[str], part: str, **attributes: Any) -> str:
        output = node.output[0] if part == "output" else f"{name}::{part}"
        nodes.append(onnx.helper.make_node(operator, inputs, [output], name=f"{name}::{part}", **attributes))
        return output

    frames = add("Transpose", [node.input[0]], "frames", perm=[0, 2, 1])  # (B, T, C)
    if left or right:
        frames = add("Pad", [frames, constant("pads", [0, left, 0, 0, right, 0])], "padded")
    axis, step, seen = constant("axis", [1]), constant("step", [stride]), []
    for offset in range(size):
        end = offset + 1 - size or _END
        ends = [constant(f"start{offset}", [offset]), constant(f"end{offset}", [end])]
        seen.append(add("Slice", [frames, *ends, axis, step], f"seen{offset}"))
    side_by_side = add("Concat", seen, "side_by_side", axis=2)  # (B, T', K * C)
    factor = constant("weight", weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))
    product = add("MatMul", [side_by_side, factor], "product")
    if len(node.input) > 2:
        product = add("Add", [product, node.input[2]], "sum")
    add("Transpose", [product], "output", perm=[0, 2, 1])
    return nodes
