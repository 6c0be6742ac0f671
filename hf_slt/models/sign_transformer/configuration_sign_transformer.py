"""Configuration of the sign transformer."""

from __future__ import annotations

from typing import Any

from hf_slt.models.gloss.configuration_gloss import GlossConfig


class SignTransformerConfig(GlossConfig):
    r"""Configuration of [`SignTransformerForGlossClassification`].

    Args:
        input_size (`int`): F, the numbers of a frame: x, y of 78 points by default.
        hidden_size (`int`): D, width of the model.
        num_hidden_layers (`int`): Transformer layers.
        num_attention_heads (`int`): Attention heads; must divide `hidden_size`.
        intermediate_size (`int`): Width of the feed-forward layers.
        hidden_act (`str`): Their activation, one of transformers' names.
        attention_probs_dropout_prob (`float`): Dropout probability of the attention weights; above 0, CPUs have no
            fast attention.
        layer_norm_eps (`float`): Added to the variance in the layer norms.
        initializer_range (`float`): Standard deviation of the CLS token.
        gloss_fields (`Any`): `num_labels`, `num_categories`, `pooling` (`"mean"`, `"max"` or `"cls"`) and the rest of
            [`GlossConfig`].

    Raises:
        ConfigurationError: Values that cannot work; the message lists all of them.

    Example:
        >>> from hf_slt import SignTransformerConfig
        >>> SignTransformerConfig(num_labels=49, num_categories=2).hidden_size
        256
    """

    model_type = "sign_transformer"

    def __init__(
        self,
        input_size: int = 156,
        hidden_size: int = 256,
        num_hidden_layers: int = 4,
        num_attention_heads: int = 8,
        intermediate_size: int = 1024,
        hidden_act: str = "relu",
        attention_probs_dropout_prob: float = 0.0,
        layer_norm_eps: float = 1e-6,
        initializer_range: float = 0.02,
        **gloss_fields: Any,
    ):
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.hidden_act = hidden_act
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        super().__init__(input_size=input_size, **gloss_fields)

    def _problems(self) -> list[str]:
        problems = super()._problems()
        sizes = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        small = [name for name in sizes if getattr(self, name) < 1]
        problems += [f"expected {name} of 1 or more, found {getattr(self, name)}" for name in small]
        if not small and self.hidden_size % self.num_attention_heads:
            problems.append(
                f"expected hidden_size to be a multiple of num_attention_heads, found {self.hidden_size} and "
                f"{self.num_attention_heads}"
            )
        if not 0 <= self.attention_probs_dropout_prob < 1:
            problems.append(
                f"expected attention_probs_dropout_prob in [0, 1), found {self.attention_probs_dropout_prob}"
            )
        return problems
