"""Image backbones of a translation run: one for all streams, or others for the face and the hands."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from transformers import AutoModel

from hf_slt.errors import ConfigurationError, DimensionMismatchError
from hf_slt.models.loading import load_pretrained
from hf_slt.models.multistream.configuration_multistream import small_resnet_config, small_vit_config
from hf_slt.streams import IMAGE_STREAMS
from hf_slt.training.arguments import ModelArguments

logger = logging.getLogger(__name__)

# A backbone of some streams: its streams, and the flags of their folders.
OWN_BACKBONES = {
    "face_backbone": (("face",), "--face-dir"),
    "hand_backbone": (("left_hand", "right_hand"), "--hand-left-dir or --hand-right-dir"),
}


def load_backbones(args: ModelArguments, streams: Sequence[str]) -> dict[str, Any]:
    """Load the vision models that the flags name.

    Args:
        args: The flags.
        streams: Streams of the run.

    Returns:
        `backbone`, `face_backbone` or `hand_backbone` -> model, for those that are given.

    Raises:
        ConfigurationError: One does not load, or is for streams that are not there.
    """
    for name, (own_streams, folders) in OWN_BACKBONES.items():
        if getattr(args, name) and not set(own_streams) & set(streams):
            raise ConfigurationError(
                f"expected {folders} with {_flag(name)}, found none; leave {_flag(name)} out, or give the crops"
            )
    used = {backbone_of(args, stream) for stream in streams if stream in IMAGE_STREAMS}
    if args.backbone and "backbone" not in used:
        logger.warning("no stream uses --backbone: it is not loaded")
    names = [name for name in ("backbone", *OWN_BACKBONES) if getattr(args, name) and name in used]
    if args.freeze_backbone and used - set(names):
        logger.warning("--freeze-backbone also freezes an image backbone that starts from random weights")
    return {name: load_backbone(getattr(args, name), _flag(name)) for name in names}


def backbone_of(args: ModelArguments, stream: str) -> str:
    """Return which flag names the backbone of an image stream."""
    own = next(name for name, (streams, _) in OWN_BACKBONES.items() if stream in streams)
    return own if getattr(args, own) else "backbone"


def load_backbone(name: str, flag: str = "--backbone") -> Any:
    """Load a vision model.

    Args:
        name: Its name or folder.
        flag: The flag that it was given with.

    Raises:
        ConfigurationError: It does not load, or does not turn images into features of one known width.
    """
    backbone = load_pretrained(AutoModel, name, f"a vision model in {flag}")
    has_width = any(hasattr(backbone.config, key) for key in ("hidden_size", "hidden_sizes"))
    if backbone.main_input_name != "pixel_values" or not has_width:
        raise ConfigurationError(
            f"expected a vision model in {flag}, found '{name}' of type '{backbone.config.model_type}', which does "
            f"not turn images alone into features; save its vision part, e.g. CLIPVisionModel"
        )
    return backbone


def image_size_of(args: ModelArguments, backbones: dict[str, Any] | None = None) -> int:
    """Return the side of the crops: the flag's, the backbones', or 224.

    Args:
        args: The flags.
        backbones: What [`load_backbones`] returned.

    Raises:
        DimensionMismatchError: Backbones take images of one other size only, or would cut pixels off at the edge.
    """
    configs = {_flag(name): backbone.config for name, backbone in (backbones or {}).items()}
    native = {flag: config.image_size for flag, config in configs.items() if getattr(config, "image_size", None)}
    fixed = {flag: size for flag, size in native.items() if not configs[flag].model_type.startswith("dinov2")}
    if args.image_size and set(fixed.values()) - {args.image_size}:
        flag, size = next((flag, size) for flag, size in fixed.items() if size != args.image_size)
        raise DimensionMismatchError(
            f"expected images of the backbone's size, found --image-size {args.image_size} and a backbone for "
            f"{size} ({flag}); leave --image-size out"
        )
    if len(set(fixed.values())) > 1:
        found = " and ".join(f"{flag} for {size}" for flag, size in fixed.items())
        raise DimensionMismatchError(
            f"expected backbones for one size of images, which all streams share, found {found}; choose others"
        )
    size = args.image_size or next(iter((*fixed.values(), *native.values())), 224)
    for flag, config in configs.items():
        patch_size = getattr(config, "patch_size", None)
        if size != native.get(flag) and isinstance(patch_size, int) and size % patch_size:
            raise DimensionMismatchError(
                f"expected an image size that is a multiple of the backbone's patches, found --image-size {size} and "
                f"patches of {patch_size} pixels ({flag})"
            )
    return size


def backbone_configs(args: ModelArguments, backbones: dict[str, Any], streams: Sequence[str]) -> dict[str, Any]:
    """Return the fields of `MultiStreamConfig` about backbones and their images.

    Args:
        args: The flags.
        backbones: What [`load_backbones`] returned.
        streams: Streams of the run.

    Raises:
        DimensionMismatchError: No size of images is right for all backbones.
        ConfigurationError: An unknown kind of backbone, or a size of images that it cannot take.
    """
    size = image_size_of(args, backbones)
    configs = {f"{name}_config": backbone.config for name, backbone in backbones.items()}
    used = {backbone_of(args, stream) for stream in streams if stream in IMAGE_STREAMS}
    if "backbone" in used and "backbone" not in backbones:
        configs["backbone_config"] = _untrained_config(args, size)
    elif configs:  # not used; left out, the configuration would make up one
        configs.setdefault("backbone_config", next(iter(configs.values())))
    return {**configs, "image_size": size}


def load_backbone_weights(args: ModelArguments, encoder: Any, backbones: dict[str, Any]) -> None:
    """Copy the weights of the loaded vision models to the streams that they are for.

    Args:
        args: The flags.
        encoder: The `MultiStreamEncoder`.
        backbones: What [`load_backbones`] returned.
    """
    for stream in encoder.config.streams:
        source = backbones.get(backbone_of(args, stream)) if stream in IMAGE_STREAMS else None
        if source is not None:
            # A pooling layer, which the streams do without, stays behind.
            encoder.backbones[encoder.backbone_name(stream)].backbone.load_state_dict(source.state_dict(), strict=False)


def _untrained_config(args: ModelArguments, image_size: int) -> Any:
    if args.backbone_type == "resnet":
        return small_resnet_config(args.backbone_hidden_size, args.backbone_layers)
    if args.backbone_type != "vit":
        raise ConfigurationError(f"expected --backbone-type vit or resnet, found '{args.backbone_type}'")
    return small_vit_config(image_size, args.backbone_hidden_size, args.backbone_layers)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
