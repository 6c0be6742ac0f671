"""How a few torch operations of our encoders are written in ONNX: with fewer nodes, all of them standard operators.

Torch's exporter computes the shape of each reshape, and the scale of each attention, when the model runs; in a small
model that takes a third of the time. Here they are constants: 0 is ONNX's "as it was", -1 "what is left".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.onnx import register_custom_op_symbolic, symbolic_helper, unregister_custom_op_symbolic

# Score of what may not be attended to. It fits half precision, and leaves no NaN where nothing may be attended to.
MASKED = -1e4
_INT64 = 7  # ONNX's number of the type


def _constant(g: Any, value: Any) -> Any:
    return g.op("Constant", value_t=torch.as_tensor(value))


def write_attention(
    g: Any,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any,
    dropout_p: Any,
    is_causal: Any,
    scale: Any,
    enable_gqa: Any,
) -> Any:
    """Write `F.scaled_dot_product_attention` of query, key and value `(B, N, T, D / N)`, with or without a mask."""
    if symbolic_helper._maybe_get_const(is_causal, "b") is True:
        raise NotImplementedError("an encoder with causal attention")
    like = {"dtype": query.type().dtype()}
    factor = symbolic_helper._maybe_get_const(scale, "f")
    width = symbolic_helper._get_tensor_sizes(query)[-1]
    if isinstance(factor, float) or width is not None:
        factor = factor if isinstance(factor, float) else width**-0.5
        scaled = g.op("Mul", query, _constant(g, torch.tensor(factor, **like)))
    else:  # behind a concatenation of registers, for example, torch knows no width
        width = g.op("CastLike", g.op("Shape", query, start_i=-1), query)
        scaled = g.op("Div", query, g.op("Sqrt", width))
    scores = g.op("MatMul", scaled, g.op("Transpose", key, perm_i=[0, 1, 3, 2]))
    if not symbolic_helper._is_none(attn_mask):
        if symbolic_helper._is_bool(attn_mask):
            added = (_constant(g, torch.tensor(number, **like)) for number in (0.0, MASKED))
            attn_mask = g.op("Where", attn_mask, *added)
        scores = g.op("Add", scores, attn_mask)
    return g.op("MatMul", g.op("Softmax", scores, axis_i=-1), value)


def write_unflatten(g: Any, value: Any, dim: Any, sizes: Any) -> Any:
    """Write `Tensor.unflatten` of the last axis."""
    rank = symbolic_helper._get_tensor_rank(value)
    if symbolic_helper._get_const(dim, "i", "dim") % rank != rank - 1:
        raise NotImplementedError("unflatten of another axis than the last")
    lengths = list(symbolic_helper._maybe_get_const(sizes, "is"))
    if -1 not in lengths:
        lengths[0] = -1  # torch's shape inference fails on a shape that has a 0 and no -1
    return g.op("Reshape", value, _constant(g, [0] * (rank - 1) + lengths))


def write_flatten(g: Any, value: Any, start_dim: Any, end_dim: Any) -> Any:
    """Write `Tensor.flatten` of the last axes, or of the first two."""
    rank = symbolic_helper._get_tensor_rank(value)
    start, end = (symbolic_helper._get_const(dim, "i", "dim") % rank for dim in (start_dim, end_dim))
    if end == rank - 1:
        return g.op("Reshape", value, _constant(g, [0] * start + [-1]))
    lengths = symbolic_helper._get_tensor_sizes(value)[end + 1 :]
    if start or None in lengths:
        raise NotImplementedError("flatten of axes in the middle, or of the first ones where others vary")
    return g.op("Reshape", value, _constant(g, [-1, *lengths]))


def write_antialiased_bicubic(g: Any, image: Any, output_size: Any, align_corners: Any, scales: Any) -> Any:
    """Write `F.interpolate(image, size, mode="bicubic", antialias=True)`, for which torch has no ONNX form."""
    if symbolic_helper._maybe_get_const(align_corners, "b") or symbolic_helper._is_none(output_size):
        raise NotImplementedError("antialiased interpolation with aligned corners, or by a scale")
    lengths = g.op("Concat", g.op("Shape", image, end_i=2), g.op("Cast", output_size, to_i=_INT64), axis_i=0)
    return g.op(
        "Resize",
        image,
        symbolic_helper._optional_input_placeholder_tensor(g),
        symbolic_helper._optional_input_placeholder_tensor(g),
        lengths,
        mode_s="cubic",
        # As torch computes it: Catmull-Rom splines, whose weights at the border are those of the pixels inside.
        antialias_i=1,
        cubic_coeff_a_f=-0.5,
        exclude_outside_i=1,
        coordinate_transformation_mode_s="half_pixel",
    )


_WRITERS = {
    "aten::_upsample_bicubic2d_aa": write_antialiased_bicubic,
    "aten::scaled_dot_product_attention": write_attention,
    "aten::unflatten": write_unflatten,
    "aten::flatten": write_flatten,
}


@contextmanager
def lean_operators(opset: int) -> Iterator[None]:
    """Write these operations as above while the block runs; others, and other models, are not touched."""
    for name, write in _WRITERS.items():
        register_custom_op_symbolic(name, write, opset)
    try:
        yield
    finally:
        for name in _WRITERS:
            unregister_custom_op_symbolic(name, opset)
