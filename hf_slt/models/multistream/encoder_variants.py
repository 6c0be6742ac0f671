"""Parts of the stream encoder that a configuration may choose in place of the usual ones.

Dimensions: B clips, T frames, L landmarks, F features, P projector_dim, D d_model. Masks: 1 = real.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hf_slt.errors import ConfigurationError
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig


class RawPoseStream(nn.Module):
    """Landmarks as they are, without a network (`pose_encoder="none"`).

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: MultiStreamConfig):
        super().__init__()
        self.feature_size = 3 * config.num_pose_landmarks

    def forward(self, pose_values: torch.Tensor, pose_mask: torch.Tensor) -> torch.Tensor:
        """Return `pose_values (B, T, 3L)`; a point that was not detected is told by its confidence."""
        return pose_values


class MLPStreamProjector(nn.Module):
    """Project one stream by a norm and two layers (`projector_type="mlp"`): linear, GELU, linear.

    Args:
        feature_size: Width of the stream's features.
        config: The model's configuration.
    """

    def __init__(self, feature_size: int, config: MultiStreamConfig):
        super().__init__()
        self.norm = nn.LayerNorm(feature_size, eps=1e-6)
        self.hidden = nn.Linear(feature_size, config.projector_dim)
        self.output = nn.Linear(config.projector_dim, config.projector_dim)
        self.missing = nn.Parameter(torch.zeros(config.projector_dim))

    def forward(self, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Project features `(B, T, F)` with mask `(B, T)` to `(B, T, P)`; a learned vector where it is false."""
        projected = self.output(F.gelu(self.hidden(self.norm(features))))
        return torch.where(mask[..., None], projected, self.missing.to(projected.dtype))


class LearnedPositions(nn.Embedding):
    """A learned vector for each position (`position_embedding_type="learned"`).

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: MultiStreamConfig):
        super().__init__(config.max_frames, config.d_model)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return the positions `(T, D)` of states `(B, T, D)`.

        Raises:
            ConfigurationError: More states than positions were learned.
        """
        length = states.shape[1]
        if length > self.num_embeddings:
            raise ConfigurationError(
                f"expected clips of at most {self.num_embeddings} frames (max_frames: positions are "
                f"learned), found {length}; lower sequence_length, or use sinusoidal positions"
            )
        return self.weight[:length]
