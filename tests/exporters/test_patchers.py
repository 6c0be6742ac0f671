"""After an export the model, torch and Python are what they were."""

import builtins

import pytest
import torch
from export_factories import export, tiny_classifier
from model_factories import tiny_model
from torch.nn import functional as F

from hf_slt.exporters.clips import random_clips
from hf_slt.exporters.onnx_configs import OPSET, GlossOnnxConfig, MultiStreamOnnxConfig
from hf_slt.exporters.registration import CLASSIFICATION_TASK, ENCODER_TASK, TRANSLATION_TASK

try:
    from torch.onnx._internal.torchscript_exporter import registration as torch_registration
except ImportError:  # older releases of torch, 2.6 among them
    from torch.onnx._internal import registration as torch_registration

OPERATORS = ("scaled_dot_product_attention", "flatten", "unflatten", "_upsample_bicubic2d_aa")
KINDS = {
    "translation": (lambda: tiny_model(("right_hand", "pose")), TRANSLATION_TASK),
    "encoder": (lambda: tiny_model(("right_hand", "pose")).encoder, ENCODER_TASK),
    "classifier": (lambda: tiny_classifier("conv"), CLASSIFICATION_TASK),
}


def writers():
    """Return how torch writes the operations that are written in another way during an export."""
    groups = [torch_registration.registry.get_function_group(f"aten::{name}") for name in OPERATORS]
    return [group and group.get(OPSET) for group in groups]


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_leaves_everything_as_it_was(kind, tmp_path):
    make, task = KINDS[kind]
    model = make()
    clips = random_clips(model.config, 2, 5)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    before = (writers(), F.scaled_dot_product_attention, builtins.len, torch.where, torch.jit.is_tracing)
    states = [module.training for module in model.modules()]
    with torch.no_grad():
        expected = model.generate(**clips, max_new_tokens=4) if kind == "translation" else model(**clips)[0]
        export(model, tmp_path, task)
        found = model.generate(**clips, max_new_tokens=4) if kind == "translation" else model(**clips)[0]
    assert torch.equal(found, expected)
    assert (writers(), F.scaled_dot_product_attention, builtins.len, torch.where, torch.jit.is_tracing) == before
    assert [module.training for module in model.modules()] == states
    assert not [name for name, module in model.named_modules() if "forward" in vars(module)]
    assert model.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", ["encoder", "classifier"])
def test_a_failed_export_leaves_everything_as_it_was(kind):
    make, task = KINDS[kind]
    model = make()
    config = (MultiStreamOnnxConfig if kind == "encoder" else GlossOnnxConfig)(model.config, task)
    before, attention = writers(), F.scaled_dot_product_attention
    with pytest.raises(RuntimeError, match="in the middle"), config.patch_model_for_export(model):
        assert writers() != before
        raise RuntimeError("in the middle")
    assert writers() == before and F.scaled_dot_product_attention is attention
    assert "forward" not in vars(model)


def test_a_decoder_is_written_as_optimum_writes_it():
    model = tiny_model(("pose",))
    config = MultiStreamOnnxConfig(model.config, TRANSLATION_TASK).with_behavior("decoder")
    before = writers()
    with config.patch_model_for_export(model):
        assert writers() == before
