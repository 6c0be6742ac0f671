"""Multi-stream encoder and the translation model built on it.

Dimensions: B clips, T frames, T' = ceil(T / temporal_stride) states, H x W pixels, L landmarks, P projector_dim,
D d_model, S streams, V vocabulary, N target tokens. Masks have one polarity: 1 = real.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from transformers import AutoModel, AutoModelForSeq2SeqLM, GenerationMixin, PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from hf_slt.compat import share_tables, take_stored_names, untie_output
from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.ctc import ctc_loss
from hf_slt.models.multistream.encoder_variants import LearnedPositions, MLPStreamProjector, RawPoseStream
from hf_slt.models.multistream.generation import INPUT_NAMES, MultiStreamGenerationMixin
from hf_slt.models.package_hooks import CodeCarrierMixin
from hf_slt.models.positions import sinusoidal_positions
from hf_slt.signing_space import HEIGHT, WIDTH
from hf_slt.streams import STREAMS


@dataclass
class MultiStreamEncoderOutput(BaseModelOutput):
    """Output of [`MultiStreamEncoder`].

    Attributes:
        attention_mask (`torch.LongTensor` of shape `(B, T')`): 1 = the state belongs to a real frame.
    """

    attention_mask: torch.Tensor | None = None


@dataclass
class MultiStreamSeq2SeqLMOutput(Seq2SeqLMOutput):
    """Output of [`MultiStreamForConditionalGeneration`].

    Attributes:
        ctc_loss (`torch.FloatTensor`): CTC loss of the encoder per label, in training with `config.ctc_weight > 0`.
    """

    ctc_loss: torch.Tensor | None = None


class ImageStream(nn.Module):
    """One or more image streams that share a stock vision backbone, run on real frames only.

    Args:
        config: The model's configuration.
        backbone_config: Configuration of the backbone.
    """

    def __init__(self, config: MultiStreamConfig, backbone_config: Any):
        super().__init__()
        pooler = {"add_pooling_layer": False} if backbone_config.model_type in ("vit", "deit", "beit") else {}
        self.backbone = AutoModel.from_config(backbone_config, **pooler)
        self.pooling = config.backbone_pooling
        self.frozen = config.freeze_backbone
        self.feature_size = getattr(backbone_config, "hidden_size", None) or backbone_config.hidden_sizes[-1]
        if self.frozen:
            self.backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> ImageStream:
        """Switch to training mode; a frozen backbone stays in evaluation mode (dropout, batch statistics)."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, pixel_values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Encode frames.

        Args:
            pixel_values: `(B, T, 3, H, W)`.
            mask: `(B, T)` boolean, true where there is a frame to encode.

        Returns:
            Features `(B, T, F)`, zero where the mask is false.
        """
        features = pixel_values.new_zeros(*mask.shape, self.feature_size)
        if torch.jit.is_tracing():
            # A graph always runs the backbone, and some fail on no frame at all: one is put in front, and left out.
            rows = F.pad(mask.flatten().nonzero().squeeze(1), (1, 0))
            encoded = self._pool(self.backbone(pixel_values.flatten(0, 1)[rows]))[1:]
            return features.masked_scatter(mask[..., None], encoded)
        if not mask.any():
            return features
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            encoded = self._pool(self.backbone(pixel_values[mask]))  # (frames, F)
        return features.to(encoded.dtype).masked_scatter(mask[..., None], encoded)

    def _pool(self, outputs: BaseModelOutput) -> torch.Tensor:
        states = outputs.last_hidden_state
        if states.dim() == 4:  # a convolutional backbone: (frames, F, h, w)
            return states.mean(dim=(2, 3))
        return states[:, 0] if self.pooling == "cls" else states.mean(dim=1)


class PoseStream(nn.Module):
    """MLP over the landmarks of a frame, and over their motion since the previous frame.

    An undetected point contributes nothing: its coordinates are zero after centring, and its mask is an input.

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: MultiStreamConfig):
        super().__init__()
        self.num_landmarks = config.num_pose_landmarks
        self.motion = config.pose_motion
        inputs = self.num_landmarks * (6 if self.motion else 4)
        self.feature_size = config.pose_hidden_size
        self.mlp = nn.Sequential(
            nn.Linear(inputs, config.pose_hidden_size),
            nn.GELU(),
            nn.Dropout(config.temporal_dropout),
            nn.Linear(config.pose_hidden_size, config.pose_hidden_size),
        )

    def forward(self, pose_values: torch.Tensor, pose_mask: torch.Tensor) -> torch.Tensor:
        """Encode poses.

        Args:
            pose_values: `(B, T, 3L)`: x, y in signing space and confidence of each point.
            pose_mask: `(B, T, L)` boolean, true where the point was detected.

        Returns:
            Features `(B, T, F)`.
        """
        points = pose_values.unflatten(-1, (self.num_landmarks, 3))  # (B, T, L, 3)
        seen = pose_mask[..., None].to(points.dtype)
        # Head units: a scale of about 1, in which a head is as large in x as in y.
        centred = (points[..., :2] - 0.5) * points.new_tensor((WIDTH, HEIGHT)) * seen
        inputs = [centred, points[..., 2:] * seen, seen]
        if self.motion:
            both_seen = seen[:, 1:] * seen[:, :-1]
            inputs.append(F.pad((centred[:, 1:] - centred[:, :-1]) * both_seen, (0, 0, 0, 0, 1, 0)))
        return self.mlp(torch.cat([value.flatten(2) for value in inputs], dim=-1))


class StreamProjector(nn.Module):
    """Project one stream's features to `projector_dim`; a learned vector stands where the stream is missing.

    Args:
        feature_size: Width of the stream's features.
        config: The model's configuration.
    """

    def __init__(self, feature_size: int, config: MultiStreamConfig):
        super().__init__()
        self.linear = nn.Linear(feature_size, config.projector_dim)
        self.norm = nn.LayerNorm(config.projector_dim)
        self.missing = nn.Parameter(torch.zeros(config.projector_dim))

    def forward(self, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Project features `(B, T, F)` with mask `(B, T)` to `(B, T, P)`."""
        projected = F.gelu(self.norm(self.linear(features)))
        return torch.where(mask[..., None], projected, self.missing.to(projected.dtype))


class TemporalConvolution(nn.Module):
    """Residual convolution over frames; it also takes one state of every `temporal_stride`.

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: MultiStreamConfig):
        super().__init__()
        kernel, stride = config.temporal_kernel_size, config.temporal_stride
        self.stride = stride
        self.norm = nn.LayerNorm(config.d_model)
        self.conv = nn.Conv1d(config.d_model, config.d_model, kernel, stride=stride, padding=kernel // 2)
        self.dropout = nn.Dropout(config.temporal_dropout)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Convolve states `(B, T, D)` with mask `(B, T)`; returns both with T' in place of T."""
        # Padding is zeroed so that a clip gives the same states alone and in a batch.
        inputs = self.norm(states) * mask[..., None].to(states.dtype)
        convolved = F.gelu(self.conv(inputs.transpose(1, 2))).transpose(1, 2)
        return states[:, :: self.stride] + self.dropout(convolved), mask[:, :: self.stride]


class TemporalLayer(GradientCheckpointingLayer):
    """Transformer layer with scaled-dot-product attention and a key padding mask; pre-LN or post-LN.

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: MultiStreamConfig):
        super().__init__()
        self.num_heads = config.temporal_heads
        self.pre_norm = config.temporal_norm == "pre"
        self.activation = F.relu if config.temporal_activation == "relu" else F.gelu
        self.attention_norm = nn.LayerNorm(config.d_model)
        self.query_key_value = nn.Linear(config.d_model, 3 * config.d_model)
        self.attention_output = nn.Linear(config.d_model, config.d_model)
        self.feed_forward_norm = nn.LayerNorm(config.d_model)
        self.feed_forward_in = nn.Linear(config.d_model, config.temporal_dim_feedforward)
        self.feed_forward_out = nn.Linear(config.temporal_dim_feedforward, config.d_model)
        self.dropout = nn.Dropout(config.temporal_dropout)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Transform states `(B, T', D)`; keys whose `mask (B, T')` is false are not attended to."""
        if self.pre_norm:
            states = states + self._attention(self.attention_norm(states), mask)
            return states + self._feed_forward(self.feed_forward_norm(states))
        states = self.attention_norm(states + self._attention(states, mask))
        return self.feed_forward_norm(states + self._feed_forward(states))

    def _attention(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.attention_output(self._attend(states, mask)))

    def _feed_forward(self, states: torch.Tensor) -> torch.Tensor:
        hidden = self.dropout(self.activation(self.feed_forward_in(states)))
        return self.dropout(self.feed_forward_out(hidden))

    def _attend(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        heads = self.query_key_value(states).unflatten(-1, (3, self.num_heads, -1))  # (B, T', 3, heads, D / heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        dropout = self.dropout.p if self.training else 0.0
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :], dropout_p=dropout
        )
        return attended.transpose(1, 2).flatten(2)


class MultiStreamPreTrainedModel(CodeCarrierMixin, PreTrainedModel):
    """Weight initialisation, loading and saving of the multi-stream models."""

    config_class = MultiStreamConfig
    base_model_prefix = "encoder"
    main_input_name = "pose_values"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["TemporalLayer"]

    def __init__(self, config: MultiStreamConfig):
        super().__init__(config)
        take_stored_names(self)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Conv1d)):
            # Variance-preserving: with a small constant deviation the landmarks vanish before the first LayerNorm.
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, LearnedPositions):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
        elif isinstance(module, (StreamProjector, MLPStreamProjector)):
            nn.init.normal_(module.missing, std=self.config.initializer_range)


class MultiStreamEncoder(MultiStreamPreTrainedModel):
    """Face, left hand, right hand and pose of a clip -> one sequence of states.

    Each stream has a backbone and a projector; the projections of a frame are concatenated, fused to `d_model`,
    convolved over time and passed through a transformer.

    Args:
        config: The configuration; `config.streams` says which inputs are read.
    """

    def __init__(self, config: MultiStreamConfig):
        super().__init__(config)
        self.main_input_name = INPUT_NAMES[config.streams[-1]]
        self.share_hands = config.share_hand_backbone
        self.backbones = nn.ModuleDict()
        for stream in config.streams:
            name = self.backbone_name(stream)
            if name not in self.backbones:
                self.backbones[name] = self._build_backbone(stream)
        projector = MLPStreamProjector if config.projector_type == "mlp" else StreamProjector
        backbones: dict[str, Any] = dict(self.backbones.items())
        self.projectors = nn.ModuleDict(
            {s: projector(backbones[self.backbone_name(s)].feature_size, config) for s in config.streams}
        )
        width = len(config.streams) * config.projector_dim
        self.fusion_norm = nn.LayerNorm(width) if config.fusion_norm else None
        self.fusion = nn.Linear(width, config.d_model)
        self.convolution = TemporalConvolution(config) if config.temporal_kernel_size else None
        self.positions = LearnedPositions(config) if config.position_embedding_type == "learned" else None
        self.dropout = nn.Dropout(config.temporal_dropout)
        self.layers = nn.ModuleList(TemporalLayer(config) for _ in range(config.temporal_layers))
        self.norm = nn.LayerNorm(config.d_model) if config.temporal_norm == "pre" else nn.Identity()
        self.gradient_checkpointing = False
        self.post_init()

    def _build_backbone(self, stream: str) -> nn.Module:
        if stream != "pose":
            return ImageStream(self.config, self.config.backbone_config_of(stream))
        return RawPoseStream(self.config) if self.config.pose_encoder == "none" else PoseStream(self.config)

    def backbone_name(self, stream: str) -> str:
        """Name of the backbone that reads a stream; both hands have one when it is shared."""
        return "hand" if self.share_hands and stream.endswith("_hand") else stream

    def forward(
        self,
        face_pixel_values: torch.Tensor | None = None,
        left_hand_pixel_values: torch.Tensor | None = None,
        right_hand_pixel_values: torch.Tensor | None = None,
        pose_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        face_mask: torch.Tensor | None = None,
        left_hand_mask: torch.Tensor | None = None,
        right_hand_mask: torch.Tensor | None = None,
        pose_mask: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> MultiStreamEncoderOutput | tuple[Any, ...]:
        r"""Encode a batch of clips.

        Args:
            face_pixel_values (`torch.Tensor` of shape `(B, T, 3, H, W)`, *optional*): Face crops. A stream of
                `config.streams` that is not given counts as missing in every frame.
            left_hand_pixel_values (`torch.Tensor` of shape `(B, T, 3, H, W)`, *optional*): Left-hand crops.
            right_hand_pixel_values (`torch.Tensor` of shape `(B, T, 3, H, W)`, *optional*): Right-hand crops.
            pose_values (`torch.Tensor` of shape `(B, T, 3L)`, *optional*): x, y, confidence of each landmark.
            attention_mask (`torch.Tensor` of shape `(B, T)`, *optional*): 1 = real frame, 0 = padding.
            face_mask (`torch.Tensor` of shape `(B, T)`, *optional*): 1 = the face was found in the frame.
            left_hand_mask (`torch.Tensor` of shape `(B, T)`, *optional*): The same for the left hand.
            right_hand_mask (`torch.Tensor` of shape `(B, T)`, *optional*): The same for the right hand.
            pose_mask (`torch.Tensor` of shape `(B, T, L)`, *optional*): 1 = the landmark was detected.
            output_attentions (`bool`, *optional*): Not available with scaled-dot-product attention; ignored.
            output_hidden_states (`bool`, *optional*): Also return the states before each layer.
            return_dict (`bool`, *optional*): Return a `MultiStreamEncoderOutput` (default) or a tuple.

        Raises:
            ConfigurationError: No stream was given, or one of another length or width than expected.
        """
        inputs = (face_pixel_values, left_hand_pixel_values, right_hand_pixel_values, pose_values)
        values = dict(zip(STREAMS, inputs, strict=True))
        masks = dict(zip(STREAMS, (face_mask, left_hand_mask, right_hand_mask, pose_mask), strict=True))
        frames = self._frames_mask(values, attention_mask)  # (B, T)
        states = torch.cat([self._project(s, values[s], masks[s], frames) for s in self.projectors], -1)
        states = self.fusion(states if self.fusion_norm is None else self.fusion_norm(states))
        mask = frames
        if self.convolution is not None:
            states, mask = self.convolution(states, frames)
        if self.positions is None:
            positions = sinusoidal_positions(states.shape[1], states.shape[2], states)
        else:
            positions = self.positions(states)
        states = self.dropout(states + positions)
        hidden_states = []
        for layer in self.layers:
            hidden_states.append(states)
            states = layer(states, mask)
        states = self.norm(states)
        output = MultiStreamEncoderOutput(
            last_hidden_state=states,
            hidden_states=(*hidden_states, states) if output_hidden_states else None,
            attention_mask=mask.long(),
        )
        return output if return_dict in (None, True) else output.to_tuple()

    def _frames_mask(self, values: dict[str, torch.Tensor | None], attention_mask: torch.Tensor | None) -> torch.Tensor:
        given = {s: value for s in self.projectors if (value := values[s]) is not None}
        if not given:
            names = [INPUT_NAMES[s] for s in self.projectors]
            raise ConfigurationError(f"expected at least one of the inputs {names}, found none")
        shapes = {INPUT_NAMES[s]: tuple(map(int, value.shape[:2])) for s, value in given.items()}
        if attention_mask is not None:
            shapes["attention_mask"] = tuple(map(int, attention_mask.shape))
        if len(set(shapes.values())) > 1:
            raise ConfigurationError(f"expected streams of the same number of clips and frames (B, T), found {shapes}")
        width = 3 * self.config.num_pose_landmarks
        if "pose" in given and given["pose"].shape[2] != width:
            raise DimensionMismatchError(
                f"expected pose_values (B, T, {width}) for {self.config.num_pose_landmarks} landmarks, found "
                f"{tuple(given['pose'].shape)}"
            )
        if attention_mask is not None:
            return attention_mask.bool()
        first = next(iter(given.values()))
        return torch.ones(first.shape[:2], dtype=torch.bool, device=first.device)

    def _project(
        self, stream: str, values: torch.Tensor | None, mask: torch.Tensor | None, frames: torch.Tensor
    ) -> torch.Tensor:
        projector: Any = self.projectors[stream]
        backbone: Any = self.backbones[self.backbone_name(stream)]
        if values is None:
            features = projector.missing.new_zeros(*frames.shape, backbone.feature_size)
            return projector(features, torch.zeros_like(frames))
        if stream == "pose":
            points = torch.ones_like(values[..., ::3], dtype=torch.bool) if mask is None else mask.bool()
            points = points & frames[..., None]
            return projector(backbone(values, points), points.any(dim=-1))
        seen = frames if mask is None else frames & mask.bool()
        if stream == "left_hand" and self.share_hands:
            values = values.flip(-1)  # a mirrored left hand looks like a right one
        return projector(backbone(values, seen), seen)


class MultiStreamForConditionalGeneration(MultiStreamGenerationMixin, MultiStreamPreTrainedModel, GenerationMixin):
    """Sign language translation: a [`MultiStreamEncoder`] feeds the decoder of a stock seq2seq language model.

    The loss is the decoder's cross-entropy; in training with `config.ctc_weight` w > 0 it is
    `(1 - w) * cross-entropy + w * CTC loss of the encoder`, see `ctc.py`.

    Args:
        config: The configuration; `config.text_config` is the language model's.

    Raises:
        DimensionMismatchError: Encoder and decoder differ in width and `config.bridge` is off.
    """

    # The loss is divided by the number of target tokens of the whole (accumulated) batch when the Trainer gives it.
    accepts_loss_kwargs = True

    def __init__(self, config: MultiStreamConfig):
        super().__init__(config)
        if config.d_model != config.decoder_hidden_size and not config.bridge:
            raise DimensionMismatchError(
                f"expected an encoder as wide as the text decoder, found d_model {config.d_model} and decoder "
                f"width {config.decoder_hidden_size}; set d_model to {config.decoder_hidden_size} or use --bridge"
            )
        self.encoder = MultiStreamEncoder(config)
        self.main_input_name = self.encoder.main_input_name
        self.bridge = nn.Linear(config.d_model, config.decoder_hidden_size) if config.bridge else None
        self.text_model = AutoModelForSeq2SeqLM.from_config(config.text_config)
        untie_output(self.text_model)
        drop_text_encoder(self.text_model)
        self.ctc_head = nn.Linear(config.d_model, config.vocab_size) if config.ctc_weight > 0 else None
        self.post_init()

    def _tie_weights(self) -> None:
        share_tables(self.text_model)

    def get_encoder(self, *args: Any, **kwargs: Any) -> MultiStreamEncoder:
        """Return the stream encoder, which `generate` runs once a batch."""
        return self.encoder

    def get_decoder(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Return the text decoder."""
        return self.text_model.get_decoder()

    def get_input_embeddings(self) -> nn.Module:
        """Return the embeddings of the target text."""
        return self.text_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the embeddings of the target text."""
        self.text_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the layer that scores the vocabulary."""
        return self.text_model.get_output_embeddings()

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replace the layer that scores the vocabulary."""
        self.text_model.set_output_embeddings(value)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Module:
        """Resize the vocabulary of the text decoder, see [`PreTrainedModel.resize_token_embeddings`]."""
        embeddings = self.text_model.resize_token_embeddings(*args, **kwargs)
        self.config.text_config.vocab_size = self.text_model.config.vocab_size
        if self.ctc_head is not None:
            self.ctc_head = self._get_resized_lm_head(self.ctc_head, self.config.vocab_size)
        return embeddings

    def prepare_decoder_input_ids_from_labels(self, labels: torch.Tensor) -> torch.Tensor:
        """Shift labels `(B, N)` to the right, for a collator that emits `decoder_input_ids`."""
        return shift_right(labels, self.config.pad_token_id, self.config.decoder_start_token_id)

    def forward(
        self,
        face_pixel_values: torch.Tensor | None = None,
        left_hand_pixel_values: torch.Tensor | None = None,
        right_hand_pixel_values: torch.Tensor | None = None,
        pose_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        face_mask: torch.Tensor | None = None,
        left_hand_mask: torch.Tensor | None = None,
        right_hand_mask: torch.Tensor | None = None,
        pose_mask: torch.Tensor | None = None,
        decoder_input_ids: torch.Tensor | None = None,
        decoder_attention_mask: torch.Tensor | None = None,
        encoder_outputs: MultiStreamEncoderOutput | tuple[Any, ...] | None = None,
        past_key_values: Any | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        cache_position: torch.Tensor | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Seq2SeqLMOutput | tuple[Any, ...]:
        r"""Score target sentences. Stream inputs and masks are those of [`MultiStreamEncoder.forward`].

        Args:
            face_pixel_values (`torch.Tensor` of shape `(B, T, 3, H, W)`, *optional*): Face crops.
            left_hand_pixel_values (`torch.Tensor` of shape `(B, T, 3, H, W)`, *optional*): Left-hand crops.
            right_hand_pixel_values (`torch.Tensor` of shape `(B, T, 3, H, W)`, *optional*): Right-hand crops.
            pose_values (`torch.Tensor` of shape `(B, T, 3L)`, *optional*): Landmarks.
            attention_mask (`torch.Tensor` of shape `(B, T)`, *optional*): 1 = real frame, 0 = padding.
            face_mask (`torch.Tensor` of shape `(B, T)`, *optional*): 1 = the face was found.
            left_hand_mask (`torch.Tensor` of shape `(B, T)`, *optional*): 1 = the left hand was found.
            right_hand_mask (`torch.Tensor` of shape `(B, T)`, *optional*): 1 = the right hand was found.
            pose_mask (`torch.Tensor` of shape `(B, T, L)`, *optional*): 1 = the landmark was detected.
            decoder_input_ids (`torch.LongTensor` of shape `(B, N)`, *optional*): Target tokens shifted right.
            decoder_attention_mask (`torch.Tensor` of shape `(B, N)`, *optional*): 1 = real target token.
            encoder_outputs (`MultiStreamEncoderOutput`, *optional*): Encoder output to reuse.
            past_key_values (`Cache`, *optional*): Keys and values of tokens already decoded.
            labels (`torch.LongTensor` of shape `(B, N)`, *optional*): Target tokens; -100 is ignored.
            use_cache (`bool`, *optional*): Return `past_key_values`.
            cache_position (`torch.LongTensor`, *optional*): Positions of the decoder inputs in the cache.
            num_items_in_batch (`int`, *optional*): Tokens of all accumulated batches, the divisor of the summed loss.
            output_attentions (`bool`, *optional*): Return the decoder's attentions.
            output_hidden_states (`bool`, *optional*): Return all hidden states.
            return_dict (`bool`, *optional*): Return a `MultiStreamSeq2SeqLMOutput` (default) or a tuple.
        """
        if encoder_outputs is None:
            encoder_outputs = self.encoder(
                face_pixel_values=face_pixel_values,
                left_hand_pixel_values=left_hand_pixel_values,
                right_hand_pixel_values=right_hand_pixel_values,
                pose_values=pose_values,
                attention_mask=attention_mask,
                face_mask=face_mask,
                left_hand_mask=left_hand_mask,
                right_hand_mask=right_hand_mask,
                pose_mask=pose_mask,
                output_hidden_states=output_hidden_states,
            )
        states, states_mask = encoder_outputs[0], self.states_mask(encoder_outputs, attention_mask)
        if self.bridge is not None:
            states = self.bridge(states)
        if labels is not None and decoder_input_ids is None:
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        outputs = self.text_model(
            attention_mask=states_mask,
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            past_key_values=past_key_values,
            use_cache=use_cache,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=True,
            **({} if cache_position is None else {"cache_position": cache_position}),
        )
        losses = self._losses(outputs.logits, encoder_outputs[0], states_mask, labels, num_items_in_batch)
        outputs = MultiStreamSeq2SeqLMOutput(**{**outputs, "encoder_last_hidden_state": states, **losses})
        return outputs if return_dict in (None, True) else outputs.to_tuple()

    def compute_ctc_logits(self, states: torch.Tensor) -> torch.Tensor | None:
        """Return the scores `(B, T', V)` of the CTC head for encoder states `(B, T', D)`; None without such a head."""
        return None if self.ctc_head is None else self.ctc_head(states)

    def _losses(
        self,
        logits: torch.Tensor,
        states: torch.Tensor,
        mask: torch.Tensor | None,
        labels: torch.Tensor | None,
        num_items: torch.Tensor | int | None,
    ) -> dict[str, torch.Tensor | None]:
        if labels is None:
            return {}
        loss = sequence_loss(logits, labels, num_items)
        if self.ctc_head is None or not self.training:
            return {"loss": loss}
        ctc = self._ctc_loss(self.ctc_head(states), mask, labels, num_items)
        return {"loss": (1 - self.config.ctc_weight) * loss + self.config.ctc_weight * ctc, "ctc_loss": ctc}

    def _ctc_loss(
        self,
        scores: torch.Tensor,
        mask: torch.Tensor | None,
        labels: torch.Tensor,
        num_items: torch.Tensor | int | None,
    ) -> torch.Tensor:
        mask = torch.ones(scores.shape[:2], dtype=torch.long, device=scores.device) if mask is None else mask
        blank, eos = self.config.pad_token_id, self.config.eos_token_id
        return ctc_loss(scores, mask, labels, blank, eos, num_items)


def drop_text_encoder(text_model: PreTrainedModel) -> None:
    """Remove the layers of a language model's own encoder, which never runs here, and freeze what is left of it."""
    encoder = text_model.get_encoder()
    for name, child in encoder.named_children():
        if isinstance(child, nn.ModuleList):
            setattr(encoder, name, nn.ModuleList())
    shared = {id(parameter) for parameter in text_model.get_input_embeddings().parameters()}
    for parameter in encoder.parameters():
        if id(parameter) not in shared:
            parameter.requires_grad_(False)


def shift_right(labels: torch.Tensor, pad_token_id: int, start_token_id: int) -> torch.Tensor:
    """Return decoder inputs `(B, N)` for labels `(B, N)`: a start token, then all labels but the last; -100 -> pad."""
    shifted = torch.full_like(labels, start_token_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == -100, pad_token_id)


def sequence_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Cross-entropy per target token.

    Args:
        logits: `(B, N, V)`.
        labels: `(B, N)`; -100 is ignored.
        num_items_in_batch: Divisor of the summed loss; by default the number of labels that are not -100.
        label_smoothing: Share of the probability spread over the vocabulary (Szegedy et al. 2016, section 7).
    """
    reduction = "mean" if num_items_in_batch is None else "sum"
    loss = F.cross_entropy(
        logits.flatten(0, 1).float(), labels.flatten(), reduction=reduction, label_smoothing=label_smoothing
    )
    return loss if num_items_in_batch is None else loss / num_items_in_batch
