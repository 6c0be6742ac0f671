"""Operations in their lean form: they compute what torch does, with standard operators and constant shapes."""

import io
import warnings

import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hf_slt.exporters.onnx_configs import OPSET
from hf_slt.exporters.symbolics import lean_operators


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def export(function, inputs, lean=True):
    """Export a function of `(B, N, T, D)` and of masks `(B, 1, 1, T)`, with B and T that vary; returns the model."""
    names = [f"input_{number}" for number in range(len(inputs))]
    file = io.BytesIO()
    axes = {
        name: {0: "batch", 3 if value.dtype == torch.bool else 2: "frames"}
        for name, value in zip(names, inputs, strict=True)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = {"input_names": names, "dynamic_axes": axes, "opset_version": OPSET, "dynamo": False}
        if lean:
            with lean_operators(OPSET):
                torch.onnx.export(Call(function), tuple(inputs), file, **arguments)
        else:
            torch.onnx.export(Call(function), tuple(inputs), file, **arguments)
    return onnx.load_from_string(file.getvalue())


def run(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {end.name: value.numpy() for end, value in zip(session.get_inputs(), inputs, strict=True)}
    return torch.from_numpy(session.run(None, given)[0])


def check(function, make):
    """Compare a function with its export on inputs of other sizes than those that it was traced with."""
    model = export(function, make(2, 5))
    for batch_size, frames in ((2, 5), (1, 1), (3, 8)):
        inputs = make(batch_size, frames)
        torch.testing.assert_close(run(model, inputs), function(*inputs), atol=1e-5, rtol=0)
    return [node.op_type for node in model.graph.node]


def heads(batch_size, frames):
    generator = torch.Generator().manual_seed(frames)
    return [torch.randn(batch_size, 2, frames, 4, generator=generator) for _ in range(3)]


def with_mask(batch_size, frames):
    lengths = torch.arange(batch_size) % frames + 1
    return [*heads(batch_size, frames), (torch.arange(frames) < lengths[:, None])[:, None, None, :]]


def test_attention_without_a_mask():
    names = check(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), heads)
    assert [n for n in names if n != "Constant"] == ["Mul", "Transpose", "MatMul", "Softmax", "MatMul"]


def test_attention_with_masks_of_both_kinds_and_a_scale():
    check(lambda q, k, v, mask: F.scaled_dot_product_attention(q, k, v, attn_mask=mask), with_mask)
    check(lambda q, k, v, mask: F.scaled_dot_product_attention(q, k, v, attn_mask=mask.float() * 3), with_mask)
    check(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.3), heads)


def test_attention_of_a_width_that_torch_does_not_know():
    def function(query, key, value):
        cut = query.shape[1] * 2  # a number of the graph
        return F.scaled_dot_product_attention(query[..., :cut], key[..., :cut], value[..., :cut])

    assert "Sqrt" in check(function, lambda b, t: [torch.cat([x, x[..., :1]], -1) for x in heads(b, t)])


def test_where_nothing_may_be_attended_to_there_is_no_nan():
    def function(query, key, value, mask):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)

    inputs = with_mask(2, 5)
    model = export(function, inputs)
    inputs[3] = torch.zeros_like(inputs[3])
    unmasked = F.scaled_dot_product_attention(*inputs[:3])
    torch.testing.assert_close(run(model, inputs), unmasked, atol=5e-3, rtol=0)  # scores near -1e4 are rounded


def test_reshapes_are_constants():
    for function in (
        lambda x, *_: x.flatten(2),
        lambda x, *_: x.flatten(-2, -1),
        lambda x, *_: x.unflatten(-1, (2, 2)),
        lambda x, *_: x.unflatten(3, (2, -1)),
        lambda x, *_: x.transpose(1, 2).flatten(0, 1),
    ):
        assert set(check(function, lambda b, t: heads(b, t)[:1])) <= {"Constant", "Reshape", "Transpose"}


@pytest.mark.parametrize("size", [(3, 5), (11, 9), (7, 6)])
def test_antialiased_interpolation(size):
    def function(image):
        return F.interpolate(image, size=size, mode="bicubic", antialias=True)

    def make(batch_size, _):
        return [torch.randn(batch_size, 2, 7, 6, generator=torch.Generator().manual_seed(batch_size))]

    image = make(3, 0)
    torch.testing.assert_close(run(export(function, make(2, 0)), image), function(*image), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), "causal attention"),
        (lambda q, *_: q.unflatten(1, (2, 1)), "unflatten of another axis than the last"),
        (lambda q, *_: q.flatten(1, 2), "flatten of axes in the middle"),
        (lambda q, *_: q.flatten(0, 1), "or of the first ones where others vary"),
        (lambda q, *_: F.interpolate(q, scale_factor=2.0, mode="bicubic", antialias=True), "by a scale"),
    ],
)
def test_what_cannot_be_written_says_so(function, message):
    with pytest.raises(NotImplementedError, match=message):
        export(function, heads(2, 5))


def test_outside_of_the_block_torch_writes_them():
    inputs = heads(2, 5)
    before = export(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), inputs, lean=False)
    export(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), inputs)
    after = export(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), inputs, lean=False)
    assert [node.op_type for node in after.graph.node] == [node.op_type for node in before.graph.node]
    with pytest.raises(KeyError), lean_operators(OPSET):
        raise KeyError
    assert len(export(lambda x: x.unflatten(-1, (2, 2)), inputs[:1], lean=False).graph.node) > 2
