"""GRUs over image features of frames (InceptionV3's by default), with a gloss and a category head.

Dimensions: B clips, T frames, F features a frame, H width of a GRU, C colours, P pixels a side. Masks: 1 = real.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence
from transformers import PreTrainedModel

from hf_slt.errors import ConfigurationError, DimensionMismatchError, require_package
from hf_slt.models.gloss.heads import GlossHeads, classifier_output
from hf_slt.models.gloss.masking import at_least_one, masked_max, masked_mean, real_frames
from hf_slt.models.gloss.outputs import GlossClassifierOutput
from hf_slt.models.inception_gru.configuration_inception_gru import InceptionGRUConfig
from hf_slt.models.package_hooks import CodeCarrierMixin

FRAMES_A_CHUNK = 32  # frames of 299 pixels that a frozen backbone encodes at once: about 1 GiB of activations


def build_backbone(pretrained: bool) -> nn.Module:
    """Build InceptionV3 without its classifiers: frames `(N, 3, 299, 299)` -> pool features `(N, 2048)`.

    Args:
        pretrained: Start from torchvision's ImageNet weights, which it downloads once. Without them the weights are
            drawn from a fixed seed, so that a frozen backbone, which is not saved, is the same one in every process.

    Raises:
        MissingDependencyError: torchvision is not installed.
    """
    models = require_package("torchvision", "vision").models
    weights = models.Inception_V3_Weights.IMAGENET1K_V1 if pretrained else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = models.inception_v3(weights=weights, transform_input=True, init_weights=not pretrained)
    backbone.fc = nn.Identity()
    backbone.AuxLogits, backbone.aux_logits = None, False
    return backbone


class InceptionGRUPreTrainedModel(CodeCarrierMixin, PreTrainedModel):
    """Weight initialisation, loading and saving of the InceptionV3-GRU classifier."""

    config_class = InceptionGRUConfig
    base_model_prefix = "inception_gru"
    main_input_name = "input_values"
    accepts_loss_kwargs = False

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.GRU):
            nn.init.xavier_uniform_(module.get_parameter("weight_ih_l0"))
            # Three gates are stacked: together orthonormal, so that each keeps about the norm of the state.
            nn.init.orthogonal_(module.get_parameter("weight_hh_l0"), gain=3**0.5)
            nn.init.zeros_(module.get_parameter("bias_ih_l0"))
            nn.init.zeros_(module.get_parameter("bias_hh_l0"))


class InceptionGRUForGlossClassification(InceptionGRUPreTrainedModel):
    """Isolated sign recognition: image features of frames -> GRUs over the real frames -> last state -> two heads.

    The features are computed beforehand (`input_values`) or from frames (`pixel_values`) by torchvision's InceptionV3,
    which the extra `vision` installs. A frozen backbone is built when the first frames come, and never with features.

    Args:
        config: The configuration.
    """

    def __init__(self, config: InceptionGRUConfig):
        super().__init__(config)
        sizes = [config.input_size, *config.gru_hidden_sizes]
        self.grus = nn.ModuleList(
            nn.GRU(size, hidden_size, batch_first=True) for size, hidden_size in zip(sizes, sizes[1:], strict=False)
        )
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.heads = GlossHeads(config, sizes[-1])
        # In a list, a frozen backbone is no submodule: `train()` does not reach it, and it is not saved.
        self._frozen_backbone: list[nn.Module] = []
        self.backbone = None
        if config.train_from_frames and not config.freeze_backbone:
            self.backbone = build_backbone(config.use_pretrained_backbone)
            # From now on its weights are saved with the model: loading that must not fetch others.
            config.use_pretrained_backbone = False
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        category_labels: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> GlossClassifierOutput | tuple[Any, ...]:
        r"""Classify a batch of clips, from their features or from their frames.

        Args:
            input_values (`torch.FloatTensor` of shape `(B, T, F)`, *optional*): Features of each frame.
            attention_mask (`torch.Tensor` of shape `(B, T)`, *optional*): 1 = real frame, 0 = padding or a hole inside
                the clip, which is closed; `None`: every frame is real. A clip without a real frame counts as one frame
                of zeros.
            labels (`torch.LongTensor` of shape `(B,)`, *optional*): Glosses; -100 = unknown.
            category_labels (`torch.LongTensor` of shape `(B,)`, *optional*): Categories; -100 = unknown.
            pixel_values (`torch.FloatTensor` of shape `(B, T, 3, 299, 299)`, *optional*): RGB frames in place of
                `input_values`, normalised with ImageNet's mean and standard deviation.
            output_hidden_states (`bool`, *optional*): Also return the states `(B, T', H)` after each GRU: T' real
                frames of the longest clip, without holes; zero after the end of a clip.
            return_dict (`bool`, *optional*): Return a `GlossClassifierOutput` (default) or a tuple.

        Raises:
            DimensionMismatchError: The inputs are of another shape than expected.
            ConfigurationError: Both or none of the two inputs were given; `attention_mask` is of another shape; the
                backbone is to be trained, and was not built with the model; category labels without such a head.
        """
        if (input_values is None) == (pixel_values is None):
            found = "none" if input_values is None else "both"
            raise ConfigurationError(f"expected either input_values or pixel_values, found {found}")
        if pixel_values is not None:
            input_values = self._encode(pixel_values, attention_mask)
        assert input_values is not None  # one of the two is given
        real = real_frames(input_values, attention_mask, self.config.input_size)
        if torch.jit.is_tracing() and real is not None:
            return self._classify_closed(input_values, real, return_dict)
        states = input_values if real is None else _pack(input_values, real)
        hidden_states = []
        for gru in self.grus:
            states = self._drop(gru(states)[0])
            hidden_states.append(states)
        return classifier_output(
            self.config,
            self.heads(self._pool(*_unpack(states))),
            labels,
            category_labels,
            hidden_states=tuple(_unpack(states)[0] for states in hidden_states) if output_hidden_states else None,
            return_dict=return_dict,
        )

    def _classify_closed(
        self, input_values: torch.Tensor, real: torch.Tensor, return_dict: bool | None
    ) -> GlossClassifierOutput | tuple[Any, ...]:
        """Classify in a graph that has to hold for every batch, which a packed sequence does not.

        What stands behind the last real frame is computed and not looked at: a GRU goes forward only.
        """
        states, mask = _close(input_values, real)
        for gru in self.grus:
            states = self.dropout(gru(states)[0])
        return classifier_output(self.config, self.heads(self._pool(states, mask)), return_dict=return_dict)

    def _drop(self, states: torch.Tensor | PackedSequence) -> torch.Tensor | PackedSequence:
        if isinstance(states, PackedSequence):
            return states._replace(data=self.dropout(states.data))
        return self.dropout(states)

    def _pool(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        if self.config.pooling == "mean":
            return masked_mean(states, mask)
        if self.config.pooling == "max":
            return masked_max(states, mask)
        if mask is None:
            return states[:, -1]
        last = (mask.sum(dim=1) - 1)[:, None, None].expand(-1, 1, states.shape[2])
        return states.gather(1, last).squeeze(1)

    def _encode(self, pixel_values: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """Compute the features `(B, T, F)` of the real frames; zero elsewhere."""
        if pixel_values.dim() != 5 or pixel_values.shape[2] != 3:
            raise DimensionMismatchError(
                f"expected pixel_values (B, T, 3, 299, 299), found {tuple(pixel_values.shape)}"
            )
        shape = pixel_values.shape[:2]
        if attention_mask is not None and attention_mask.shape != shape:
            raise ConfigurationError(
                f"expected an attention_mask (B, T) = {tuple(shape)}, found {tuple(attention_mask.shape)}"
            )
        mask = torch.ones(shape, dtype=torch.bool, device=pixel_values.device)
        mask = mask if attention_mask is None else attention_mask.bool()
        features = pixel_values.new_zeros(*shape, self.config.input_size)
        if not mask.any():
            return features
        encoded = self._encode_frames(pixel_values[mask])
        if encoded.shape[1] != self.config.input_size:
            raise DimensionMismatchError(
                f"expected a backbone with {self.config.input_size} features, found {encoded.shape[1]}; set input_size"
            )
        return features.to(encoded.dtype).masked_scatter(mask[..., None], encoded)

    def _encode_frames(self, frames: torch.Tensor) -> torch.Tensor:
        """Compute the features `(N, F)` of frames `(N, 3, P, P)`."""
        if self.backbone is not None:
            return self.backbone(frames)
        if not self.config.freeze_backbone:
            raise ConfigurationError(
                "expected a backbone that was built with the model, since freeze_backbone is off; set "
                "train_from_frames, or freeze_backbone"
            )
        if not self._frozen_backbone:
            self._frozen_backbone.append(build_backbone(self.config.use_pretrained_backbone).eval())
        backbone = self._frozen_backbone[0].to(frames.device)
        with torch.no_grad():
            return torch.cat([backbone(chunk) for chunk in frames.split(FRAMES_A_CHUNK)])


def _pack(values: torch.Tensor, real: torch.Tensor) -> PackedSequence:
    """Pack the real frames of values `(B, T, F)` in their order; a clip without any becomes one frame of zeros.

    Written out, it takes one copy of the features; closing the holes, sorting and `pack_padded_sequence` take three.
    """
    mask = at_least_one(real)
    order = mask.sum(dim=1).argsort(descending=True, stable=True)  # longest clip first
    clip, frame = mask[order].nonzero(as_tuple=True)
    numbers = mask[order].cumsum(dim=1)[clip, frame] - 1  # of a frame among the real ones of its clip
    by_number = numbers.argsort(stable=True)  # all first frames, all second ones, ...
    rows = (order[clip] * mask.shape[1] + frame)[by_number]
    data = values.flatten(0, 1).index_select(0, rows)
    data = data.masked_fill_(~real.flatten()[rows, None], 0)
    return PackedSequence(data, numbers.bincount().cpu(), order, order.argsort())


def _close(values: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Move the real frames of values `(B, T, F)` to the front, in their order; a clip without any gets one of zeros.

    Returns:
        Values `(B, T, F)`, zero behind the real frames, and the mask `(B, T)` of these.
    """
    frames = torch.arange(values.shape[1], device=values.device)
    # The masked frames behind all real ones; a stable sort is not to be had in ONNX, so that no two keys are equal.
    order = (frames + values.shape[1] * (~real).long()).argsort(dim=1)  # (B, T)
    first = torch.arange(values.shape[0], device=values.device)[:, None] * values.shape[1]
    rows = values.flatten(0, 1).index_select(0, (first + order).flatten())
    mask = frames < real.sum(dim=1, keepdim=True)
    # `where`, because a masked frame may hold NaN.
    closed = torch.where(mask[..., None], rows.view_as(values), torch.zeros((), dtype=values.dtype))
    return closed, at_least_one(mask)


def _unpack(states: torch.Tensor | PackedSequence) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return states `(B, T', H)` and the mask `(B, T')` of the frames that a clip has; `None`: all of them."""
    if not isinstance(states, PackedSequence):
        return states, None
    padded, lengths = pad_packed_sequence(states, batch_first=True)
    return padded, (torch.arange(padded.shape[1]) < lengths[:, None]).to(padded.device)
