"""Configuration of the convolutional sign transformer."""

from __future__ import annotations

from typing import Any

from hf_slt.models.gloss.configuration_gloss import GlossConfig


class ConvTransformerConfig(GlossConfig):
    r"""Configuration of [`ConvTransformerForGlossClassification`].

    Args:
        input_size (`int`): F, the numbers of a frame. By default what [`GlossFeatureExtractor`] makes of 78 points with
            `features=("hand_places", "hand_shapes", "velocity")`.
        hidden_size (`int`): D, width of the model.
        num_blocks (`int`): Blocks; each is some convolution layers and one transformer layer.
        conv_layers_per_block (`int`): Convolution layers of a block.
        conv_kernel_size (`int`): Frames that a convolution sees; odd.
        conv_expansion (`int`): Width of the convolutions, as a multiple of D.
        num_attention_heads (`int`): Attention heads; must divide `hidden_size`.
        intermediate_size (`int`, *optional*): Width of the feed-forward layers; 2 D by default.
        late_dropout (`float`): Dropout probability of the pooled states.
        late_dropout_start (`int`): Training steps (forward passes) before the late dropout sets in.
        gloss_fields (`Any`): `num_labels`, `num_categories`, `pooling` (`"mean"` or `"max"`) and the rest of
            [`GlossConfig`].

    Raises:
        ConfigurationError: Values that cannot work; the message lists all of them.

    Example:
        >>> from hf_slt import ConvTransformerConfig
        >>> ConvTransformerConfig(num_labels=49, num_categories=2).num_blocks
        2
    """

    model_type = "conv_transformer"
    poolings = ("mean", "max")

    def __init__(
        self,
        input_size: int = 168,
        hidden_size: int = 208,
        num_blocks: int = 2,
        conv_layers_per_block: int = 3,
        conv_kernel_size: int = 9,
        conv_expansion: int = 2,
        num_attention_heads: int = 4,
        intermediate_size: int | None = None,
        late_dropout: float = 0.5,
        late_dropout_start: int = 0,
        head_hidden_size: int | None = None,
        **gloss_fields: Any,
    ):
        self.hidden_size = hidden_size
        self.num_blocks = num_blocks
        self.conv_layers_per_block = conv_layers_per_block
        self.conv_kernel_size = conv_kernel_size
        self.conv_expansion = conv_expansion
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = 2 * hidden_size if intermediate_size is None else intermediate_size
        self.late_dropout = late_dropout
        self.late_dropout_start = late_dropout_start
        super().__init__(input_size=input_size, head_hidden_size=head_hidden_size, **gloss_fields)

    def _problems(self) -> list[str]:
        problems = super()._problems()
        sizes = "hidden_size num_blocks conv_layers_per_block conv_kernel_size conv_expansion num_attention_heads"
        small = [name for name in (*sizes.split(), "intermediate_size") if getattr(self, name) < 1]
        problems += [f"expected {name} of 1 or more, found {getattr(self, name)}" for name in small]
        if not small and self.hidden_size % self.num_attention_heads:
            problems.append(
                f"expected hidden_size to be a multiple of num_attention_heads, found {self.hidden_size} and "
                f"{self.num_attention_heads}"
            )
        if self.conv_kernel_size % 2 == 0:
            problems.append(f"expected an odd conv_kernel_size, found {self.conv_kernel_size}")
        if not 0 <= self.late_dropout < 1:
            problems.append(f"expected late_dropout in [0, 1), found {self.late_dropout}")
        if self.late_dropout_start < 0:
            problems.append(f"expected late_dropout_start of 0 or more, found {self.late_dropout_start}")
        return problems
