"""The flags of an extraction. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import math

from hf_slt.errors import ConfigurationError
from hf_slt.extraction.options import ExtractionOptions

IMAGE_FORMATS = ("jpg", "png")
POSE_LAYOUTS = ("mediapipe_pose", "mediapipe_pose_upper", "mediapipe_pose_hands")
_DEFAULTS = ExtractionOptions()
# Attribute of the options -> smallest and largest value, what it counts.
_RANGES = {
    "image_size": (16, 4096),
    "jpeg_quality": (1, 100),
    "crop_scale": (0.5, 4.0),
    "max_gap": (0, 1000),
    "min_detection_confidence": (0.0, 1.0),
    "min_tracking_confidence": (0.0, 1.0),
    "min_hand_confidence": (0.0, 1.0),
}


def add_flag(parser: argparse._ActionsContainer, name: str, help: str, **settings: object) -> None:
    """Add a flag that is written with dashes, and taken with underscores too.

    Args:
        parser: Parser, or group of one.
        name: Name with dashes, without the two in front.
        help: Its description.
        settings: As `add_argument` takes them.
    """
    spellings = dict.fromkeys((f"--{name}", f"--{name.replace('-', '_')}"))
    parser.add_argument(*spellings, help=help, **settings)  # type: ignore[arg-type]


def add_option_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each setting of `ExtractionOptions`; read them with `options_from`."""
    group = parser.add_argument_group("what is written")

    def number(name: str, kind: type, metavar: str, text: str) -> None:
        default = getattr(_DEFAULTS, name.replace("-", "_"))
        shown = "" if default is None else f" (default: {default})"
        add_flag(group, name, f"{text}{shown}.", type=kind, metavar=metavar, default=default)

    number("fps", float, "N", "Frames a second to keep, never more than the video has (default: all)")
    number("image-size", int, "PIXELS", "Side of the crops of face and hands, in pixels")
    add_flag(group, "image-format", "Format of the crops.", choices=IMAGE_FORMATS, default=_DEFAULTS.image_format)
    number("jpeg-quality", int, "N", "Quality of jpg crops, 1 to 100")
    number("crop-scale", float, "N", "Side of a crop over the longer side of what is in it")
    add_flag(group, "pose-layout", "Points of the pose files.", choices=POSE_LAYOUTS, default=_DEFAULTS.pose_layout)
    number("max-gap", int, "FRAMES", "Longest gap over which lost points of keypoints78/ are interpolated; 0: none")
    add_flag(group, "segmentation", "Blacken what is not the person in the crops.", action="store_true")
    number("min-detection-confidence", float, "P", "Score that makes a detection a person")
    number("min-tracking-confidence", float, "P", "Score under which a tracked person is looked for again")
    number("min-hand-confidence", float, "P", "Score under which a hand counts as not found; MediaPipe's own is 0.5")


def options_from(args: argparse.Namespace) -> ExtractionOptions:
    """Return the settings that the flags of `add_option_flags` say.

    Raises:
        ConfigurationError: All numbers that cannot be.
    """
    options = ExtractionOptions(**{name: getattr(args, name) for name in _DEFAULTS.to_dict()})
    check_options(options)
    return options


def check_options(options: ExtractionOptions) -> None:
    """Raise `ConfigurationError` with all settings that cannot be."""
    problems = []
    if options.fps is not None and not (math.isfinite(options.fps) and options.fps > 0):
        problems.append(f"expected --fps above 0, found {options.fps}")
    for name, (low, high) in _RANGES.items():
        value = getattr(options, name)
        if not low <= value <= high:
            problems.append(f"expected --{name.replace('_', '-')} from {low} to {high}, found {value}")
    for name, choices in (("image_format", IMAGE_FORMATS), ("pose_layout", POSE_LAYOUTS)):
        value = getattr(options, name)
        if value not in choices:
            problems.append(f"expected --{name.replace('_', '-')} to be one of {', '.join(choices)}, found '{value}'")
    if problems:
        raise ConfigurationError("; ".join(problems))
