"""The convolutional sign transformer, beyond what all classifiers are tested for."""

import pytest
import torch
from models.gloss.classifier_mixin import GlossClassifierMixin

from hf_slt.errors import ConfigurationError
from hf_slt.models.conv_transformer.configuration_conv_transformer import ConvTransformerConfig
from hf_slt.models.conv_transformer.modeling_conv_transformer import (
    ChannelAttention,
    ConvTransformerForGlossClassification,
    LateDropout,
    MaskedBatchNorm,
)


class TestConvTransformer(GlossClassifierMixin):
    config_class = ConvTransformerConfig
    model_class = ConvTransformerForGlossClassification
    sizes = {"hidden_size": 16, "num_blocks": 1, "num_attention_heads": 2, "late_dropout": 0.1}
    # Batch norm takes the mean away behind these.
    idle = ("stem.bias",)


def test_the_default_model_has_about_two_million_parameters():
    config = ConvTransformerConfig(num_labels=105, num_categories=10)
    assert 1.4e6 < ConvTransformerForGlossClassification(config).num_parameters() < 2.6e6


def test_batch_norm_counts_real_frames_only():
    torch.manual_seed(0)
    norm, plain = MaskedBatchNorm(4), torch.nn.BatchNorm1d(4)
    states, mask = torch.randn(3, 5, 4), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 1, 0, 0]]).bool()
    states[~mask] = 1e6
    normal = norm(states, mask)
    assert torch.allclose(normal[mask], plain(states[mask]), atol=1e-6)
    assert not normal[~mask].any()
    assert torch.allclose(norm.running_var, plain.running_var)
    norm.eval(), plain.eval()
    assert torch.allclose(norm(states, mask)[mask], plain(states[mask]), atol=1e-5)


def test_batch_norm_without_a_mask_is_that_of_torch():
    torch.manual_seed(0)
    norm, plain = MaskedBatchNorm(4), torch.nn.BatchNorm1d(4)
    states = torch.randn(2, 3, 4)
    assert torch.allclose(norm(states, None).flatten(0, 1), plain(states.flatten(0, 1)), atol=1e-6)


def test_batch_norm_of_a_single_frame_in_training_uses_what_it_knows():
    norm = MaskedBatchNorm(4)
    states = torch.randn(1, 3, 4)
    mask = torch.tensor([[True, False, False]])
    single = norm(states, mask)[0, 0]
    assert torch.allclose(single, states[0, 0] / (1 + norm.eps) ** 0.5, atol=1e-6)
    assert torch.equal(norm.running_mean, torch.zeros(4))


def test_late_dropout_sets_in_after_its_start_and_never_in_evaluation():
    torch.manual_seed(0)
    dropout, states = LateDropout(0.5, start=2), torch.ones(1000)
    assert torch.equal(dropout(states), states)
    assert torch.equal(dropout(states), states)
    assert 300 < (dropout(states) == 0).sum() < 700
    assert dropout.state_dict()["steps"] == 3
    assert torch.equal(dropout.eval()(states), states)
    assert dropout.steps == 3


def test_channel_attention_only_weights_channels():
    torch.manual_seed(0)
    attention, states = ChannelAttention(), torch.rand(2, 6, 8) + 0.1
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[1, 4:] = False
    weights = attention(states, mask) / states
    assert torch.allclose(weights, weights[:, :1].expand_as(weights), atol=1e-6)
    assert (weights > 0).all() and (weights < 1).all()
    states[1, 4:] = 100.0
    assert torch.allclose(attention(states, mask)[1, :4] / states[1, :4], weights[1, :4], atol=1e-6)


def test_the_order_of_frames_matters():
    torch.manual_seed(0)
    config = ConvTransformerConfig(
        input_size=6, hidden_size=16, num_blocks=1, num_attention_heads=2, num_labels=3, num_categories=2
    )
    model = ConvTransformerForGlossClassification(config).eval()
    clip = torch.randn(1, 12, 6)
    assert not torch.allclose(model(clip).gloss_logits, model(clip.flip(1)).gloss_logits, atol=1e-4)


def test_configuration_lists_all_that_cannot_work():
    with pytest.raises(
        ConfigurationError, match="num_blocks of 1 or more.*odd conv_kernel_size.*late_dropout in"
    ) as error:
        ConvTransformerConfig(num_blocks=0, conv_kernel_size=4, late_dropout=1.0)
    assert "found 4" in str(error.value)
    with pytest.raises(ConfigurationError, match="multiple of num_attention_heads, found 30 and 4"):
        ConvTransformerConfig(hidden_size=30)
    with pytest.raises(ConfigurationError, match="pooling to be one of .*'mean', 'max'.*, found 'cls'"):
        ConvTransformerConfig(pooling="cls")
