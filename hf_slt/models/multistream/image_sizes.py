"""Which images the backbones of a stream encoder take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_slt.streams import IMAGE_STREAMS

if TYPE_CHECKING:
    from hf_slt.models.multistream.configuration_multistream import MultiStreamConfig

DEFAULT_IMAGE_SIZE = 224
# Backbones whose learned positions fit images of one size; others interpolate them or have none.
_OF_ONE_SIZE = ("vit", "deit", "vit_msn", "vit_mae", "clip_vision_model", "siglip_vision_model")


def fixed_image_sizes(config: MultiStreamConfig) -> dict[str, int]:
    """Return stream -> side of the only images that its backbone takes, in pixels; without those that take others."""
    streams = [stream for stream in config.streams if stream in IMAGE_STREAMS]
    backbones = {stream: config.backbone_config_of(stream) for stream in streams}
    return {s: b.image_size for s, b in backbones.items() if b is not None and b.model_type in _OF_ONE_SIZE}


def default_image_size(config: MultiStreamConfig) -> int:
    """Return the side of images, in pixels, that a backbone takes, or 224 if they take any."""
    return next(iter(fixed_image_sizes(config).values()), DEFAULT_IMAGE_SIZE)


def image_size_problems(config: MultiStreamConfig) -> list[str]:
    """Return a line for each stream whose backbone does not take images of `config.image_size`."""
    return [
        f"expected an image_size that the {stream} backbone takes, found {config.image_size} and a "
        f"'{config.backbone_config_of(stream).model_type}' for images of {size}; set image_size to {size}, or choose "
        f"another backbone"
        for stream, size in fixed_image_sizes(config).items()
        if size != config.image_size
    ]
