"""Transformer encoder over landmarks, with a gloss and a category head.

Dimensions: B clips, T frames (one more with a CLS token), F numbers a frame, D hidden_size, N heads. Masks: 1 = real.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_slt.models.gloss.attention import attend
from hf_slt.models.gloss.dropout import ActivationDropout, FastDropout
from hf_slt.models.gloss.heads import GlossHeads, classifier_output
from hf_slt.models.gloss.masking import masked_max, masked_mean, prepare_frames
from hf_slt.models.gloss.outputs import GlossClassifierOutput
from hf_slt.models.package_hooks import CodeCarrierMixin
from hf_slt.models.positions import sinusoidal_positions
from hf_slt.models.sign_transformer.configuration_sign_transformer import SignTransformerConfig


class SignTransformerAttention(nn.Module):
    """Multi-head self-attention by torch's scaled-dot-product attention (Vaswani et al. 2017, section 3.2).

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: SignTransformerConfig):
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.dropout = config.attention_probs_dropout_prob
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Attend from every frame of `states (B, T, D)` to the frames where `mask (B, T)` is true (`None`: all)."""
        projections = (self.q_proj, self.k_proj, self.v_proj)
        # (B, N, T, D / N)
        query, key, value = (
            project(states).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for project in projections
        )
        return self.out_proj(attend(query, key, value, mask, self.dropout if self.training else 0.0))


class SignTransformerLayer(GradientCheckpointingLayer):
    """Pre-LN layer: `x + attention(norm(x))`, then `x + feed_forward(norm(x))` (Xiong et al. 2020).

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: SignTransformerConfig):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention = SignTransformerAttention(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward_in = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = ActivationDropout(config.hidden_act, config.hidden_dropout_prob)
        self.feed_forward_out = nn.Linear(config.intermediate_size, config.hidden_size)
        self.dropout = FastDropout(config.hidden_dropout_prob)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Transform states `(B, T, D)`; frames whose `mask (B, T)` is false are not attended to (`None`: all are)."""
        states = states + self.dropout(self.attention(self.attention_norm(states), mask))
        hidden = self.activation(self.feed_forward_in(self.feed_forward_norm(states)))
        return states + self.dropout(self.feed_forward_out(hidden))


class SignTransformerPreTrainedModel(CodeCarrierMixin, PreTrainedModel):
    """Weight initialisation, loading and saving of the sign transformer."""

    config_class = SignTransformerConfig
    base_model_prefix = "sign_transformer"
    main_input_name = "input_values"
    accepts_loss_kwargs = False
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["SignTransformerLayer"]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, SignTransformerForGlossClassification) and module.cls_token is not None:
            nn.init.normal_(module.cls_token, std=self.config.initializer_range)


class SignTransformerForGlossClassification(SignTransformerPreTrainedModel):
    """Isolated sign recognition: frames -> linear embedding + sinusoidal positions -> layers -> pooling -> two heads.

    There is no norm after the last layer, and no limit to the length of a clip.

    Args:
        config: The configuration.
    """

    def __init__(self, config: SignTransformerConfig):
        super().__init__(config)
        self.embedding = nn.Linear(config.input_size, config.hidden_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size)) if config.pooling == "cls" else None
        self.dropout = FastDropout(config.hidden_dropout_prob)
        self.input_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layers = nn.ModuleList(SignTransformerLayer(config) for _ in range(config.num_hidden_layers))
        self.heads = GlossHeads(config, config.hidden_size)
        self.gradient_checkpointing = False
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
            output_hidden_states (`bool`, *optional*): Also return the states before the first layer and after each
                one; with CLS pooling, the token's is the first of T + 1.
            return_dict (`bool`, *optional*): Return a `GlossClassifierOutput` (default) or a tuple.

        Raises:
            DimensionMismatchError: `input_values` is of another shape than expected.
            ConfigurationError: `attention_mask` is, or there are category labels and no category head.
        """
        values, mask = prepare_frames(input_values, attention_mask, self.config.input_size)
        states, mask = self._embed(values, mask)
        hidden_states = [states]
        for layer in self.layers:
            states = layer(states, mask)
            hidden_states.append(states)
        return classifier_output(
            self.config,
            self.heads(self._pool(states, mask)),
            labels,
            category_labels,
            hidden_states=tuple(hidden_states) if output_hidden_states else None,
            return_dict=return_dict,
        )

    def _embed(self, values: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        states = self.embedding(values)  # (B, T, D)
        if self.cls_token is not None:
            states = torch.cat((self.cls_token.to(states.dtype).expand(states.shape[0], -1, -1), states), dim=1)
            mask = mask if mask is None else F.pad(mask, (1, 0), value=True)  # (B, T + 1)
        states = states + sinusoidal_positions(states.shape[1], states.shape[2], states)
        return self.input_norm(self.dropout(states)), mask

    def _pool(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        if self.cls_token is not None:
            return states[:, 0]
        return masked_max(states, mask) if self.config.pooling == "max" else masked_mean(states, mask)
