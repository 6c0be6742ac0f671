"""Flags of an extraction."""

import argparse
import dataclasses

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.extraction.arguments import POSE_LAYOUTS, add_option_flags, options_from
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.landmarks import LAYOUTS

GIVEN = {
    "fps": 12.5,
    "image_size": 96,
    "image_format": "png",
    "jpeg_quality": 80,
    "crop_scale": 1.5,
    "pose_layout": "mediapipe_pose_hands",
    "max_gap": 0,
    "segmentation": True,
    "min_detection_confidence": 0.25,
    "min_tracking_confidence": 0.75,
    "min_hand_confidence": 0.4,
}


def options(*argv):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_option_flags(parser)
    return options_from(parser.parse_args(argv))


def test_no_flags_are_the_defaults():
    assert options() == ExtractionOptions()


def test_every_setting_has_a_flag():
    assert set(GIVEN) == {field.name for field in dataclasses.fields(ExtractionOptions)}


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("separator", ["-", "_"])
def test_each_flag_sets_its_setting_alone(name, separator):
    value = GIVEN[name]
    argv = [f"--{name.replace('_', separator)}", *([] if value is True else [str(value)])]
    assert options(*argv) == dataclasses.replace(ExtractionOptions(), **{name: value})


def test_all_numbers_that_cannot_be_are_told_at_once():
    with pytest.raises(ConfigurationError) as raised:
        options("--fps", "nan", "--image-size", "3", "--jpeg-quality", "101", "--max-gap", "-1")
    assert str(raised.value) == (
        "expected --fps above 0, found nan; expected --image-size from 16 to 4096, found 3; "
        "expected --jpeg-quality from 1 to 100, found 101; expected --max-gap from 0 to 1000, found -1"
    )


@pytest.mark.parametrize("fps", ["0", "-1", "inf"])
def test_a_rate_is_a_number_above_zero(fps):
    with pytest.raises(ConfigurationError, match="expected --fps above 0, found"):
        options("--fps", fps)


def test_the_layouts_are_known():
    assert set(POSE_LAYOUTS) <= set(LAYOUTS)
