"""Convolutions over time, written in the forms that ONNX Runtime is fast at.

Those of all channels become products, which it can do in 8 bits without knowing ranges; depthwise ones become
convolutions of images of height 1, for which it has a kernel that takes less than half of the time.

Importing this module needs the extra `onnx`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hf_slt.exporters.onnx_files import drop_unused, onnx

SMALLEST = 2**11  # numbers in a weight; smaller convolutions, such as those of channel attention, cost next to nothing
FORMS = ("products", "images")
_END = np.iinfo(np.int64).max


def rewrite_convolutions(model: Any, forms: Sequence[str] = FORMS) -> dict[str, int]:
    """Rewrite convolutions over one axis, in place.

    Dilated convolutions of all channels, and convolutions of groups of channels, stay as they are.

    Args:
        model: ONNX model; convolutions inside of sub-graphs are not looked at.
        forms: The forms to use; in fp32 products bring nothing.

    Returns:
        How many were written as `products` and as `images`.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[Any] = []
    counts = dict.fromkeys(FORMS, 0)
    for node in graph.node:
        form, write = _form_of(node, weights)
        if write is None or form not in forms:
            nodes.append(node)
            continue
        parts = _Parts(node, graph)
        write(parts, onnx.numpy_helper.to_array(weights[node.input[1]]))
        nodes += parts.nodes
        counts[form] += 1
    del graph.node[:]
    graph.node.extend(nodes)
    if any(counts.values()):
        drop_unused(model)
    return counts


class _Parts:
    """The nodes in place of a convolution, and its attributes.

    Args:
        node: The convolution.
        graph: Where constants go.
    """

    def __init__(self, node: Any, graph: Any):
        self.node, self.graph = node, graph
        self.nodes: list[Any] = []
        self.name = node.name or node.output[0]
        self.values = _attributes(node)

    def constant(self, part: str, value: Any) -> str:
        self.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), f"{self.name}::{part}"))
        return f"{self.name}::{part}"

    def add(self, operator: str, inputs: list[str], part: str, **attributes: Any) -> str:
        output = self.node.output[0] if part == "output" else f"{self.name}::{part}"
        name = f"{self.name}::{part}"
        self.nodes.append(onnx.helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output


def _attributes(node: Any) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _form_of(node: Any, weights: dict[str, Any]) -> tuple[str, Callable[[_Parts, np.ndarray], None] | None]:
    """Return the name of the form that a node is written in, and what writes it; None: it stays."""
    if node.op_type != "Conv" or node.input[1] not in weights:
        return "", None
    shape, values = weights[node.input[1]].dims, _attributes(node)  # (N, C / groups, K)
    if len(shape) != 3 or np.prod(shape) < SMALLEST or values.get("auto_pad", b"NOTSET") != b"NOTSET":
        return "", None
    groups = values.get("group", 1)
    if groups == 1 and values.get("dilations", [1]) == [1]:
        return "products", _write_product
    if groups > 1 and shape[1] == 1:
        return "images", _write_image
    return "", None


def _write_product(parts: _Parts, weight: np.ndarray) -> None:
    """Lay the K frames that a state sees side by side, `(B, T', K * C)`, and multiply them by `(K * C, N)`."""
    node, values, size = parts.node, parts.values, weight.shape[2]
    left, right = values.get("pads", [0, 0])
    frames = parts.add("Transpose", [node.input[0]], "frames", perm=[0, 2, 1])  # (B, T, C)
    if left or right:
        frames = parts.add("Pad", [frames, parts.constant("pads", [0, left, 0, 0, right, 0])], "padded")
    axis, step = parts.constant("axis", [1]), parts.constant("step", values.get("strides", [1]))
    seen = []
    for offset in range(size):
        end = offset + 1 - size or _END
        ends = [parts.constant(f"start{offset}", [offset]), parts.constant(f"end{offset}", [end])]
        seen.append(parts.add("Slice", [frames, *ends, axis, step], f"seen{offset}"))
    side_by_side = parts.add("Concat", seen, "side_by_side", axis=2)  # (B, T', K * C)
    factor = parts.constant("weight", weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))
    product = parts.add("MatMul", [side_by_side, factor], "product")
    if len(node.input) > 2:
        product = parts.add("Add", [product, node.input[2]], "sum")
    parts.add("Transpose", [product], "output", perm=[0, 2, 1])


def _write_image(parts: _Parts, weight: np.ndarray) -> None:
    """Convolve frames as images `(B, C, 1, T)`."""
    node, values = parts.node, parts.values
    axis = parts.constant("axis", [2])
    image = parts.add("Unsqueeze", [node.input[0], axis], "image")
    inputs = [image, parts.constant("weight", weight[:, :, None]), *node.input[2:]]
    left, right = values.get("pads", [0, 0])
    convolved = parts.add(
        "Conv",
        inputs,
        "convolved",
        group=values["group"],
        kernel_shape=[1, weight.shape[2]],
        pads=[0, left, 0, right],
        strides=[1, *values.get("strides", [1])],
        dilations=[1, *values.get("dilations", [1])],
    )
    parts.add("Squeeze", [convolved, axis], "output")
