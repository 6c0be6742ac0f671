"""Random clips: what a model is traced with, and what its exports are compared on."""

from __future__ import annotations

from typing import Any

import torch

from hf_slt.models.gloss.configuration_gloss import GlossConfig
from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig
from hf_slt.models.multistream.generation import INPUT_NAMES

# What the clips of a condition lack.
CONDITIONS = {
    "no_padding": "nothing",
    "padding": "clips of several lengths, filled up",
    "missing_hands": "half of the hand crops and landmarks; the left hand in all of the first clip, the pose in every "
    "fourth frame",
    "missing_stream": "one stream, which the seed chooses; of a model with one stream, all of the first clip",
}
GLOSS_CONDITIONS = {
    "no_padding": CONDITIONS["no_padding"],
    "padding": CONDITIONS["padding"],
    "holes": "half of the frames",
    "nothing_detected": "all frames of the first clip",
}


def longest_clip(config: Any) -> int | None:
    """Return how many frames a model takes at most; None: any number."""
    is_learned = getattr(config, "position_embedding_type", None) == "learned"
    return config.max_frames * config.temporal_stride if is_learned else None


def frames_mask(batch_size: int, frames: int, padded: bool, generator: torch.Generator) -> torch.Tensor:
    """Return a mask `(B, T)`, 1 = real frame: all of them, or clips of random lengths, the last one of all frames."""
    if not padded:
        return torch.ones(batch_size, frames, dtype=torch.long)
    lengths = torch.randint(1, frames + 1, (batch_size, 1), generator=generator)
    lengths[-1] = frames if batch_size > 1 else max(1, frames - 2)
    return (torch.arange(frames) < lengths).long()


def multistream_clips(
    config: MultiStreamConfig, batch_size: int, frames: int, condition: str = "no_padding", seed: int = 0
) -> dict[str, torch.Tensor]:
    """Return inputs of a translation model: the streams that it reads, with masks.

    Args:
        config: Its configuration.
        batch_size: B.
        frames: T.
        condition: What the clips lack, one of `CONDITIONS`.
        seed: Seed of the values; so many seeds in a row as there are conditions choose the same stream to be missing.
    """
    generator = torch.Generator().manual_seed(seed)
    has_one = len(config.streams) == 1
    attention_mask = frames_mask(batch_size, frames, condition == "padding", generator)
    inputs = {"attention_mask": attention_mask}
    for stream in config.streams:
        seen = attention_mask.clone()
        if condition == "missing_hands" and stream.endswith("_hand"):
            seen &= torch.rand(seen.shape, generator=generator) < 0.5
            seen[0] &= stream != "left_hand"
        if condition == "missing_stream" and has_one:
            seen[0] = 0
        if stream == "pose":
            points = torch.rand(batch_size, frames, config.num_pose_landmarks, 3, generator=generator)
            found = seen[..., None].expand(points.shape[:-1]).bool()
            if condition == "missing_hands":
                found = found & (torch.rand(found.shape, generator=generator) < 0.5)
                found[:, 1::4] = False
            inputs["pose_values"] = (points * found[..., None]).flatten(2)
            inputs["pose_mask"] = found.long()
        else:
            shape = (batch_size, frames, 3, config.image_size, config.image_size)
            pixels = torch.randn(shape, generator=generator)
            inputs[INPUT_NAMES[stream]] = pixels * seen[..., None, None, None]
            inputs[f"{stream}_mask"] = seen
    if condition == "missing_stream" and not has_one:
        # The parity cells count seeds up while they go round the conditions: the quotient goes round the streams.
        stream = config.streams[seed // len(CONDITIONS) % len(config.streams)]
        del inputs[INPUT_NAMES[stream]], inputs[f"{stream}_mask"]
    return inputs


def gloss_clips(
    config: GlossConfig, batch_size: int, frames: int, condition: str = "no_padding", seed: int = 0
) -> dict[str, torch.Tensor]:
    """Return inputs of a gloss classifier, `input_values (B, T, F)` and `attention_mask (B, T)`.

    Args:
        config: Its configuration.
        batch_size: B.
        frames: T.
        condition: What the clips lack, one of `GLOSS_CONDITIONS`.
        seed: Seed of the values.
    """
    generator = torch.Generator().manual_seed(seed)
    mask = frames_mask(batch_size, frames, condition == "padding", generator)
    if condition == "holes":
        mask &= torch.rand(mask.shape, generator=generator) < 0.5
    if condition == "nothing_detected":
        mask[0] = 0
    values = torch.rand(batch_size, frames, config.input_size, generator=generator)
    return {"input_values": values * mask[..., None], "attention_mask": mask}


def conditions_of(config: Any) -> dict[str, str]:
    """Return the conditions that clips of a model may be in, and what they mean."""
    return CONDITIONS if isinstance(config, MultiStreamConfig) else GLOSS_CONDITIONS


def random_clips(config: Any, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
    """Return inputs of any of our models, see [`multistream_clips`] and [`gloss_clips`]."""
    make = multistream_clips if isinstance(config, MultiStreamConfig) else gloss_clips
    return make(config, *args, **kwargs)
