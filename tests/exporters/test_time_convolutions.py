"""Convolutions over time in another form compute the same numbers."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from hf_slt.exporters.time_convolutions import rewrite_convolutions

FRAMES = torch.randn(2, 64, 13, generator=torch.Generator().manual_seed(0))


def export(module, path, frames=FRAMES):
    axes = {"frames": {0: "batch", 2: "time"}, "states": {0: "batch", 2: "states"}}
    names = {"input_names": ["frames"], "output_names": ["states"], "dynamic_axes": axes}
    torch.onnx.export(module.eval(), (frames,), str(path), opset_version=18, dynamo=False, **names)
    return onnx.load(path)


def compute(model, clips):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"frames": clips.numpy()})[0]


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 5, "padding": 2},
        {"kernel_size": 4, "stride": 2},
        {"kernel_size": 3, "stride": 3, "padding": 1, "bias": False},
        {"kernel_size": 1},
    ],
    ids=str,
)
def test_products_equal_the_convolution_for_any_batch_and_length(tmp_path, options):
    torch.manual_seed(0)
    module = torch.nn.Conv1d(64, 66, **options)
    model = export(module, tmp_path / "model.onnx")
    assert rewrite_convolutions(model) == {"products": 1, "images": 0}
    assert "Conv" not in {node.op_type for node in model.graph.node}
    for clips in (FRAMES, FRAMES[:1, :, :7], FRAMES[..., :5]):
        np.testing.assert_allclose(compute(model, clips), module(clips).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 9, "padding": 4},
        {"kernel_size": 5, "stride": 2, "bias": False},
        {"kernel_size": 3, "dilation": 2},
    ],
    ids=str,
)
def test_images_equal_the_depthwise_convolution(tmp_path, options):
    torch.manual_seed(0)
    module = torch.nn.Conv1d(64, 64 * 11, groups=64, **options)
    model = export(module, tmp_path / "model.onnx")
    assert rewrite_convolutions(model) == {"products": 0, "images": 1}
    assert len(model.graph.initializer) == 2 + options.get("bias", True)  # axis, weight, bias
    for clips in (FRAMES, FRAMES[:1, :, :9]):
        np.testing.assert_allclose(compute(model, clips), module(clips).detach().numpy(), atol=1e-5)


def test_only_the_forms_that_are_asked_for(tmp_path):
    model = export(torch.nn.Conv1d(64, 66, 3), tmp_path / "model.onnx")
    assert rewrite_convolutions(model, ("images",)) == {"products": 0, "images": 0}


@pytest.mark.parametrize(
    "module",
    [
        torch.nn.Conv1d(64, 128, 5, groups=8),
        torch.nn.Conv1d(64, 66, 3, dilation=2),
        torch.nn.Sequential(torch.nn.Unflatten(1, (8, 8)), torch.nn.Conv2d(8, 64, 3)),
        torch.nn.Conv1d(64, 31, 1),
        torch.nn.Conv1d(64, 64, 31, groups=64, padding=15),
    ],
    ids=["groups", "dilated", "images", "small", "small_depthwise"],
)
def test_other_convolutions_stay_as_they_are(tmp_path, module):
    model = export(module, tmp_path / "model.onnx")
    before = model.SerializeToString()
    assert rewrite_convolutions(model) == {"products": 0, "images": 0}
    assert model.SerializeToString() == before
