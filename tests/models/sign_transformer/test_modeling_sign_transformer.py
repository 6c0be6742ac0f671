"""The sign transformer, beyond what all classifiers are tested for."""

import pytest
import torch
from legacy_factories import NaiveTransformer
from models.gloss.classifier_mixin import GlossClassifierMixin, gloss_batch, inputs_of

from hf_slt.errors import ConfigurationError
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig
from hf_slt.models.sign_transformer.modeling_sign_transformer import SignTransformerForGlossClassification


class TestSignTransformer(GlossClassifierMixin):
    config_class = SignTransformerConfig
    model_class = SignTransformerForGlossClassification
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24}
    idle = ("k_proj.bias",)  # the softmax of attention does not depend on it

    def test_hidden_states_are_those_around_each_layer(self):
        batch = inputs_of(gloss_batch())
        for pooling, frames in (("mean", 7), ("cls", 8)):
            states = self.tiny_model(pooling=pooling)(**batch, output_hidden_states=True).hidden_states
            assert [tuple(state.shape) for state in states] == [(6, frames, 16)] * 3

    def test_the_cls_token_is_learned(self):
        model = self.tiny_model(pooling="cls").train()
        assert 0 < model.cls_token.abs().max() < 0.2
        model(**gloss_batch()).loss.backward()
        assert model.cls_token.grad.abs().max() > 0
        assert self.tiny_model(pooling="mean").cls_token is None

    def test_the_order_of_frames_matters(self):
        model, clip = self.tiny_model(), torch.randn(1, 12, 6)
        assert not torch.allclose(model(clip).gloss_logits, model(clip.flip(1)).gloss_logits, atol=1e-4)

    def test_attention_dropout_acts_in_training_only(self):
        dropouts = {"hidden_dropout_prob": 0.0, "head_dropout": 0.0}
        model, batch = self.tiny_model(attention_probs_dropout_prob=0.5, **dropouts), gloss_batch()
        expected = self.tiny_model(**dropouts)(**batch).loss
        assert torch.equal(model(**batch).loss, expected)
        assert not torch.equal(model.train()(**batch).loss, expected)

    @pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
    @pytest.mark.parametrize("real", [(9, 9, 9), (9, 4, 1), "holes"], ids=str)
    def test_logits_of_the_naive_architecture(self, pooling, real):
        model, naive = self.tiny_model(pooling=pooling), NaiveTransformer(pooling).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)  # norms and biases must not be 1 and 0
        naive.load_state_dict({**old_names(model.state_dict()), "pos_encoder.pe": naive.pos_encoder.pe})
        values = torch.randn(3, 9, 6)
        mask = torch.rand(3, 9) > 0.3 if real == "holes" else torch.arange(9) < torch.tensor(real)[:, None]
        mask[:, 0] = True
        with torch.no_grad():
            output, (gloss, category) = model(values, mask), naive(values, mask)
        assert (output.gloss_logits - gloss).abs().max() < 1e-5
        assert (output.category_logits - category).abs().max() < 1e-5


def old_names(state):
    """Rename our weights to those of the older model, one to one."""
    parts = {
        "layers.": "encoder_layers.",
        "attention.q_proj": "attention.W_q",
        "attention.k_proj": "attention.W_k",
        "attention.v_proj": "attention.W_v",
        "attention.out_proj": "attention.W_o",
        "attention_norm": "residual1.norm",
        "feed_forward_norm": "residual2.norm",
        "feed_forward_in": "feed_forward.linear1",
        "feed_forward_out": "feed_forward.linear2",
        "norm.weight": "norm.gamma",
        "norm.bias": "norm.beta",
        "heads.gloss": "gloss_head",
        "heads.category": "category_head",
    }
    renamed = {}
    for name, value in state.items():
        for ours, theirs in parts.items():
            name = name.replace(ours, theirs)
        renamed[name] = value
    return renamed


def test_the_default_model_has_the_size_of_the_older_one():
    model = SignTransformerForGlossClassification(SignTransformerConfig())
    assert model.num_parameters() == 3_280_371
    assert model.heads.gloss[3].weight.shape == (105, 128) and model.heads.category[3].weight.shape == (10, 128)
    assert model.input_norm.eps == 1e-6


def test_configuration_lists_all_that_cannot_work():
    with pytest.raises(
        ConfigurationError,
        match=r"num_hidden_layers of 1 or more, found 0.*attention_probs_dropout_prob in \[0, 1\), found 1",
    ):
        SignTransformerConfig(num_hidden_layers=0, attention_probs_dropout_prob=1.0)
    with pytest.raises(ConfigurationError, match="multiple of num_attention_heads, found 30 and 8"):
        SignTransformerConfig(hidden_size=30)
    with pytest.raises(ConfigurationError, match="expected hidden_act to be one of .*'gelu'.* found 'rellu'"):
        SignTransformerForGlossClassification(SignTransformerConfig(hidden_act="rellu"))
