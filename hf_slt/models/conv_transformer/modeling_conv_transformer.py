"""Depthwise convolutions and transformer layers over a clip, with a gloss and a category head.

The shape that won Google's Isolated Sign Language Recognition challenge (2023, first place: 1-D depthwise convolution
blocks with efficient channel attention, a transformer block after every few of them, late dropout). Written anew, with
masks: what stands in padding and in holes never reaches a real frame.

Dimensions: B clips, T frames, F numbers a frame, D hidden_size, E conv_expansion * D, N heads. Masks: 1 = real.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from hf_slt.models.conv_transformer.configuration_conv_transformer import ConvTransformerConfig
from hf_slt.models.gloss.attention import attend
from hf_slt.models.gloss.dropout import FastDropout
from hf_slt.models.gloss.heads import GlossHeads, classifier_output
from hf_slt.models.gloss.masking import masked_max, masked_mean, prepare_frames
from hf_slt.models.gloss.outputs import GlossClassifierOutput
from hf_slt.models.package_hooks import CodeCarrierMixin


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch norm (Ioffe and Szegedy 2015) over the real frames of a batch; padding does not count in its statistics.

    Args:
        num_features: Width of the states.
    """

    # torch's batch norm takes no mask; nothing but the layers below calls this one.
    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:  # type: ignore[override]
        """Normalise states `(B, T, D)`; `mask (B, T)`, `None`: every frame is real."""
        if not self.training:
            assert self.running_mean is not None and self.running_var is not None  # it keeps statistics
            scale = self.weight * torch.rsqrt(self.running_var + self.eps)
            return states * scale + (self.bias - self.running_mean * scale)
        real = states.flatten(0, 1) if mask is None else states[mask]  # (frames, D)
        if len(real) == 1:  # one frame has no variance
            return F.batch_norm(
                states.transpose(1, 2), self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            ).transpose(1, 2)
        normal = super().forward(real)
        if mask is None:
            return normal.view_as(states)
        return torch.zeros_like(states, dtype=normal.dtype).masked_scatter(mask[..., None], normal)


class LateDropout(nn.Module):
    """Dropout that sets in after some training steps, when the features it acts on have formed.

    Args:
        probability: Probability of a number to be dropped.
        start: Forward passes in training before it sets in.
    """

    steps: torch.Tensor

    def __init__(self, probability: float, start: int):
        super().__init__()
        self.probability, self.start = probability, start
        # Saved with the weights, so that a resumed run goes on where it was.
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Drop numbers of `states` of any shape, in training."""
        if not self.training:
            return states
        self.steps += 1
        return F.dropout(states, self.probability) if int(self.steps) > self.start else states


class ChannelAttention(nn.Module):
    """Efficient channel attention (Wang et al. 2020): each channel is weighted by its neighbours' means over time.

    Args:
        kernel_size: Channels that decide together.
    """

    def __init__(self, kernel_size: int = 5):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Weight the channels of states `(B, T, E)`."""
        return states * torch.sigmoid(self.conv(masked_mean(states, mask)[:, None]))


class ConvLayer(nn.Module):
    """`x + project(attend(norm(depthwise(activate(expand(x))))))`.

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: ConvTransformerConfig):
        super().__init__()
        width = config.conv_expansion * config.hidden_size
        padding = config.conv_kernel_size // 2
        self.expand = nn.Linear(config.hidden_size, width)
        self.depthwise = nn.Conv1d(width, width, config.conv_kernel_size, padding=padding, groups=width, bias=False)
        self.norm = MaskedBatchNorm(width)
        self.channel_attention = ChannelAttention()
        self.project = nn.Linear(width, config.hidden_size)
        self.dropout = FastDropout(config.hidden_dropout_prob)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Transform states `(B, T, D)`."""
        hidden = F.silu(self.expand(states))  # (B, T, E)
        if mask is not None:
            hidden = hidden.masked_fill(~mask[..., None], 0)
        hidden = self.depthwise(hidden.transpose(1, 2)).transpose(1, 2)
        hidden = self.channel_attention(self.norm(hidden, mask), mask)
        return states + self.dropout(self.project(hidden))


class TransformerLayer(nn.Module):
    """Self-attention and feed-forward layer, normalised before each. The convolutions know the order of the frames.

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: ConvTransformerConfig):
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.attention_norm = MaskedBatchNorm(config.hidden_size)
        self.qkv_proj = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=False)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.feed_forward_norm = MaskedBatchNorm(config.hidden_size)
        self.feed_forward_in = nn.Linear(config.hidden_size, config.intermediate_size)
        self.feed_forward_out = nn.Linear(config.intermediate_size, config.hidden_size)
        self.dropout = FastDropout(config.hidden_dropout_prob)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Transform states `(B, T, D)`; frames whose `mask (B, T)` is false are not attended to (`None`: all are)."""
        heads = self.qkv_proj(self.attention_norm(states, mask)).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (B, N, T, D / N)
        states = states + self.dropout(self.out_proj(attend(query, key, value, mask)))
        hidden = F.silu(self.feed_forward_in(self.feed_forward_norm(states, mask)))
        return states + self.dropout(self.feed_forward_out(hidden))


class ConvTransformerPreTrainedModel(CodeCarrierMixin, PreTrainedModel):
    """Weight initialisation, loading and saving of the convolutional sign transformer."""

    config_class = ConvTransformerConfig
    base_model_prefix = "conv_transformer"
    main_input_name = "input_values"
    accepts_loss_kwargs = False
    _supports_sdpa = True

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.BatchNorm1d)):
            module.reset_parameters()
        elif isinstance(module, LateDropout):
            module.steps.zero_()


class ConvTransformerForGlossClassification(ConvTransformerPreTrainedModel):
    """Isolated sign recognition: frames -> stem -> blocks of convolutions and a transformer -> pooling -> two heads.

    Args:
        config: The configuration.
    """

    def __init__(self, config: ConvTransformerConfig):
        super().__init__(config)
        self.stem = nn.Linear(config.input_size, config.hidden_size)
        self.stem_norm = MaskedBatchNorm(config.hidden_size)
        kinds = [*[ConvLayer] * config.conv_layers_per_block, TransformerLayer] * config.num_blocks
        self.layers = nn.ModuleList(kind(config) for kind in kinds)
        self.top = nn.Linear(config.hidden_size, 2 * config.hidden_size)
        self.late_dropout = LateDropout(config.late_dropout, config.late_dropout_start)
        self.heads = GlossHeads(config, 2 * config.hidden_size)
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        category_labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> GlossClassifierOutput | tuple[Any, ...]:
        r"""Classify a batch of clips.

        Args:
            input_values (`torch.FloatTensor` of shape `(B, T, F)`): Frames, as the feature extractor writes them.
            attention_mask (`torch.Tensor` of shape `(B, T)`, *optional*): 1 = real frame, 0 = padding or a hole inside
                the clip; `None`: every frame is real. A clip without a real frame counts as one frame of zeros.
            labels (`torch.LongTensor` of shape `(B,)`, *optional*): Glosses; -100 = unknown.
            category_labels (`torch.LongTensor` of shape `(B,)`, *optional*): Categories; -100 = unknown.
            output_hidden_states (`bool`, *optional*): Also return the states before the first layer and after each.
            return_dict (`bool`, *optional*): Return a `GlossClassifierOutput` (default) or a tuple.

        Raises:
            DimensionMismatchError: `input_values` is of another shape than expected.
            ConfigurationError: `attention_mask` is, or there are category labels and no category head.
        """
        values, mask = prepare_frames(input_values, attention_mask, self.config.input_size)
        states = self.stem_norm(self.stem(values), mask)  # (B, T, D)
        hidden_states = [states]
        for layer in self.layers:
            states = layer(states, mask)
            hidden_states.append(states)
        states = self.top(states)  # (B, T, 2 D)
        pooled = masked_max(states, mask) if self.config.pooling == "max" else masked_mean(states, mask)
        return classifier_output(
            self.config,
            self.heads(self.late_dropout(pooled)),
            labels,
            category_labels,
            hidden_states=tuple(hidden_states) if output_hidden_states else None,
            return_dict=return_dict,
        )
