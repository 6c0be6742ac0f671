"""The convolutional sign transformer passes what every gloss classifier has to pass."""

from models.gloss.classifier_mixin import GlossClassifierMixin

from hf_slt.models.conv_transformer.configuration_conv_transformer import ConvTransformerConfig
from hf_slt.models.conv_transformer.modeling_conv_transformer import ConvTransformerForGlossClassification


class TestConvTransformer(GlossClassifierMixin):
    config_class = ConvTransformerConfig
    model_class = ConvTransformerForGlossClassification
    sizes = {"hidden_size": 16, "num_blocks": 1, "num_attention_heads": 4, "late_dropout": 0.1}
