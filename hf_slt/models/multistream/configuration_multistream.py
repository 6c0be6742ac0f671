"""Configuration of the multi-stream translation model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from transformers.configuration_utils import PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, AutoConfig

from hf_slt.compat import config_fields, ties_embeddings
from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.multistream.image_sizes import default_image_size, image_size_problems
from hf_slt.models.package_hooks import SettingsCarrierMixin, announce_reading
from hf_slt.streams import IMAGE_STREAMS, STREAMS

_CHOICES = {
    "backbone_pooling": ("mean", "cls"),
    "pose_encoder": ("mlp", "none"),
    "projector_type": ("linear", "mlp"),
    "temporal_norm": ("pre", "post"),
    "temporal_activation": ("gelu", "relu"),
    "position_embedding_type": ("sinusoidal", "learned"),
}


def small_vit_config(
    image_size: int, hidden_size: int | None = None, num_layers: int | None = None
) -> PretrainedConfig:
    """Build the configuration of the default image backbone: a small ViT, trained from scratch.

    Args:
        image_size: Side of the square crops, in pixels; a multiple of 8, and of 16 from 96 pixels on.
        hidden_size: Width; by default 192 from 96 pixels on and 96 below.
        num_layers: Layers; by default 6 from 96 pixels on and 3 below.

    Raises:
        ConfigurationError: The patches do not tile the image.
    """
    large = image_size >= 96
    patch_size = 16 if large else 8
    if image_size <= 0 or image_size % patch_size:
        raise ConfigurationError(
            f"expected an image size that is a multiple of {patch_size}, found {image_size}; choose e.g. "
            f"{max(1, round(image_size / patch_size)) * patch_size}"
        )
    hidden_size = hidden_size or (192 if large else 96)
    return CONFIG_MAPPING["vit"](
        image_size=image_size,
        patch_size=patch_size,
        hidden_size=hidden_size,
        num_hidden_layers=num_layers or (6 if large else 3),
        num_attention_heads=max(1, hidden_size // 32),
        intermediate_size=4 * hidden_size,
    )


def small_resnet_config(hidden_size: int | None = None, num_layers: int | None = None) -> PretrainedConfig:
    """Build the configuration of a small ResNet: on few clips it learns faster from scratch than a ViT.

    Args:
        hidden_size: Channels of the last stage; by default 64.
        num_layers: Stages, each with one block and twice the channels of the stage before; by default 3.
    """
    stages = num_layers or 3
    widths = [max(8, (hidden_size or 64) >> (stages - 1 - stage)) for stage in range(stages)]
    return CONFIG_MAPPING["resnet"](
        embedding_size=widths[0], hidden_sizes=widths, depths=[1] * stages, layer_type="basic"
    )


def small_t5_config(
    vocab_size: int, d_model: int, num_layers: int = 3, num_heads: int = 4, dropout: float = 0.1, **special_ids: int
) -> PretrainedConfig:
    """Build the configuration of the default text decoder: a small T5, whose text encoder is not used.

    Args:
        vocab_size: Size of the tokenizer.
        d_model: Width; equal to the width of the stream encoder.
        num_layers: Decoder layers.
        num_heads: Attention heads; must divide `d_model`.
        dropout: Dropout probability.
        special_ids: `pad_token_id`, `eos_token_id` and `decoder_start_token_id`.
    """
    check_divisible(d_model, num_heads, "d_model", "decoder heads")
    return CONFIG_MAPPING["t5"](
        vocab_size=vocab_size,
        d_model=d_model,
        d_kv=d_model // num_heads,
        d_ff=4 * d_model,
        num_layers=1,
        num_decoder_layers=num_layers,
        num_heads=num_heads,
        dropout_rate=dropout,
        # At T5's own 1.0 the tied embeddings make an untrained decoder sure of itself: its loss is ln(V) + 18 %.
        initializer_factor=0.85,
        **{"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, **special_ids},
    )


def check_divisible(width: int, heads: int, width_name: str, heads_name: str) -> None:
    """Raise `DimensionMismatchError` unless `heads` divides `width`."""
    if heads < 1 or width % heads:
        raise DimensionMismatchError(
            f"expected {width_name} to be a multiple of {heads_name}, found {width} and {heads}"
        )


def _as_config(value: PretrainedConfig | dict[str, Any] | None) -> PretrainedConfig | None:
    if not isinstance(value, dict):
        return value
    value = config_fields(value)
    return CONFIG_MAPPING[value.pop("model_type")](**value)


class MultiStreamConfig(SettingsCarrierMixin, PretrainedConfig):
    r"""Configuration of [`MultiStreamForConditionalGeneration`] and [`MultiStreamEncoder`].

    Args:
        streams (`Sequence[str]`): Streams that the model reads: any of `face`, `left_hand`, `right_hand`, `pose`.
        backbone_config (`PretrainedConfig` or `dict`): Image backbone of every image stream; a small ViT by default.
        face_backbone_config (`PretrainedConfig` or `dict`, *optional*): Another backbone for the face.
        hand_backbone_config (`PretrainedConfig` or `dict`, *optional*): Another backbone for the hands.
        image_size (`int`, *optional*): Side of the crops, in pixels; by default the one that a backbone takes, or 224.
        share_hand_backbone (`bool`): Both hands go through one backbone, the left one mirrored.
        freeze_backbone (`bool`): Image backbones are not trained and stay in evaluation mode.
        backbone_pooling (`str`): `"mean"` over the tokens of an image, or `"cls"` for the first token.
        num_pose_landmarks (`int`): L, the number of points in `pose_values (B, T, 3L)`.
        pose_hidden_size (`int`): Width of the hidden layer of the pose MLP.
        pose_motion (`bool`): The pose MLP also sees the difference to the previous frame.
        pose_encoder (`str`): `"mlp"`, or `"none"`: the projector sees the landmarks as they are.
        projector_dim (`int`): Width of each stream's projector.
        projector_type (`str`): `"linear"` (linear, norm, GELU) or `"mlp"` (norm, linear, GELU, linear).
        fusion_norm (`bool`): A layer norm over the concatenated projections of a frame, before they are fused.
        d_model (`int`): Width of the encoder.
        temporal_layers (`int`): Layers of the temporal transformer.
        temporal_heads (`int`): Its attention heads; must divide `d_model`.
        temporal_dim_feedforward (`int`): Width of its feed-forward layers.
        temporal_dropout (`float`): Dropout probability in the encoder.
        temporal_kernel_size (`int`): Frames seen by the convolution before the transformer; odd; 0 leaves it out.
        temporal_norm (`str`): `"pre"` or `"post"`: norms before or behind its layers (Xiong et al. 2020).
        temporal_activation (`str`): Activation of the feed-forward layers: `"gelu"` or `"relu"`.
        position_embedding_type (`str`): `"sinusoidal"`, for clips of any length, or `"learned"`.
        max_frames (`int`): Longest clip with learned positions, in states.
        temporal_stride (`int`): The encoder returns one state for this many frames; above 1 it needs the convolution.
        ctc_weight (`float`): Share of a CTC loss on the encoder's states in the training loss, in [0, 1); 0 = none.
        ctc_decoding_weight (`float`): Share of CTC in the scores of generated tokens, in [0, 1]; needs `ctc_weight`.
        bridge (`bool`): Learn a projection between an encoder and a text decoder of different widths.
        text_config (`PretrainedConfig` or `dict`): Seq2seq language model whose decoder writes the sentence.
        initializer_range (`float`): Standard deviation of learned positions, and of vectors for a missing stream.

    Example:
        >>> from hf_slt import MultiStreamConfig
        >>> MultiStreamConfig(streams=["pose"], num_pose_landmarks=33, d_model=64).d_model
        64
    """

    model_type = "multistream_slt"
    # The backbones' configurations may be absent, which transformers does not allow for what is listed here.
    sub_configs = {"text_config": AutoConfig}
    attribute_map = {"hidden_size": "d_model"}

    def __init__(
        self,
        streams: Sequence[str] = STREAMS,
        backbone_config: PretrainedConfig | dict[str, Any] | None = None,
        face_backbone_config: PretrainedConfig | dict[str, Any] | None = None,
        hand_backbone_config: PretrainedConfig | dict[str, Any] | None = None,
        image_size: int | None = None,
        share_hand_backbone: bool = True,
        freeze_backbone: bool = False,
        backbone_pooling: str = "mean",
        num_pose_landmarks: int = 33,
        pose_hidden_size: int = 256,
        pose_motion: bool = True,
        pose_encoder: str = "mlp",
        projector_dim: int = 256,
        projector_type: str = "linear",
        fusion_norm: bool = False,
        d_model: int = 256,
        temporal_layers: int = 3,
        temporal_heads: int = 4,
        temporal_dim_feedforward: int = 1024,
        temporal_dropout: float = 0.1,
        temporal_kernel_size: int = 5,
        temporal_norm: str = "pre",
        temporal_activation: str = "gelu",
        position_embedding_type: str = "sinusoidal",
        max_frames: int = 512,
        temporal_stride: int = 1,
        ctc_weight: float = 0.0,
        ctc_decoding_weight: float = 0.5,
        bridge: bool = False,
        text_config: PretrainedConfig | dict[str, Any] | None = None,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ):
        self.streams = [stream for stream in STREAMS if stream in streams]
        if not streams or set(streams) - set(STREAMS):
            raise ConfigurationError(f"expected at least one stream out of {list(STREAMS)}, found {list(streams)}")
        self.backbone_config = _as_config(backbone_config)
        self.face_backbone_config = _as_config(face_backbone_config)
        self.hand_backbone_config = _as_config(hand_backbone_config)
        self.image_size = default_image_size(self) if image_size is None else image_size
        if self.backbone_config is None and any(stream in IMAGE_STREAMS for stream in self.streams):
            self.backbone_config = small_vit_config(self.image_size)
        self.share_hand_backbone = share_hand_backbone
        self.freeze_backbone = freeze_backbone
        self.backbone_pooling = backbone_pooling
        self.num_pose_landmarks = num_pose_landmarks
        self.pose_hidden_size = pose_hidden_size
        self.pose_motion = pose_motion
        self.pose_encoder = pose_encoder
        self.projector_dim = projector_dim
        self.projector_type = projector_type
        self.fusion_norm = fusion_norm
        self.d_model = d_model
        self.temporal_layers = temporal_layers
        self.temporal_heads = temporal_heads
        self.temporal_dim_feedforward = temporal_dim_feedforward
        self.temporal_dropout = temporal_dropout
        self.temporal_kernel_size = temporal_kernel_size
        self.temporal_norm = temporal_norm
        self.temporal_activation = temporal_activation
        self.position_embedding_type = position_embedding_type
        self.max_frames = max_frames
        self.temporal_stride = temporal_stride
        self.ctc_weight = ctc_weight
        self.ctc_decoding_weight = ctc_decoding_weight
        self.bridge = bridge
        self.initializer_range = initializer_range
        self.text_config = _as_config(text_config) or small_t5_config(vocab_size=4000, d_model=d_model)
        self._check_numbers()
        # Generation reads these from the outer configuration; the decoder is the one that knows them.
        for name in ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"):
            kwargs.setdefault(name, getattr(self.text_config, name, None))
        if kwargs["decoder_start_token_id"] is None:  # mBART leaves it open and starts from the end-of-sentence token
            kwargs["decoder_start_token_id"] = kwargs["eos_token_id"]
        kwargs.setdefault("tie_word_embeddings", ties_embeddings(self.text_config))
        kwargs["is_encoder_decoder"] = True
        super().__init__(**kwargs)

    def _check_numbers(self) -> None:
        check_divisible(self.d_model, self.temporal_heads, "d_model", "temporal heads")
        if self.temporal_kernel_size % 2 == 0 and self.temporal_kernel_size != 0:
            raise ConfigurationError(f"expected an odd temporal_kernel_size (or 0), found {self.temporal_kernel_size}")
        if self.temporal_stride < 1 or (self.temporal_stride > 1 and self.temporal_kernel_size == 0):
            raise ConfigurationError(
                f"expected a temporal_stride of 1 or more, and a temporal_kernel_size above 0 with a stride above 1; "
                f"found stride {self.temporal_stride} and kernel {self.temporal_kernel_size}"
            )
        if not (0 <= self.ctc_weight < 1 and 0 <= self.ctc_decoding_weight <= 1):
            raise ConfigurationError(
                f"expected ctc_weight in [0, 1) and ctc_decoding_weight in [0, 1], found {self.ctc_weight} and "
                f"{self.ctc_decoding_weight}"
            )
        wrong = [
            f"expected {name} {' or '.join(map(repr, choices))}, found '{getattr(self, name)}'"
            for name, choices in _CHOICES.items()
            if getattr(self, name) not in choices
        ]
        if self.max_frames < 1:
            wrong.append(f"expected max_frames of 1 or more, found {self.max_frames}")
        wrong += image_size_problems(self)
        if wrong:
            raise ConfigurationError("; ".join(wrong))

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Build a configuration from a dictionary; makes the model classes known to `AutoModel...` on the way."""
        return super().from_dict(announce_reading(config_dict), **kwargs)

    @property
    def decoder_hidden_size(self) -> int:
        """Width of the text decoder."""
        return self.text_config.hidden_size

    @property
    def vocab_size(self) -> int:
        """Vocabulary size of the text decoder."""
        return self.text_config.vocab_size

    def backbone_config_of(self, stream: str) -> PretrainedConfig:
        """Return the configuration of the backbone that reads an image stream."""
        own = self.face_backbone_config if stream == "face" else self.hand_backbone_config
        return own or self.backbone_config

    def get_text_config(self, *args: Any, **kwargs: Any) -> PretrainedConfig:
        """Return the decoder's configuration with the decoder's number of layers.

        The key-value cache is sized from `num_hidden_layers`, which T5 counts on its encoder; ours is not used.
        """
        config = copy.copy(self.text_config)
        decoder_layers = getattr(config, "num_decoder_layers", None) or getattr(config, "decoder_layers", None)
        if decoder_layers is not None:
            config.num_hidden_layers = decoder_layers
        return config
