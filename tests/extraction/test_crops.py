"""Crops: square, of the right place, black outside of the picture, of the person alone if asked."""

import numpy as np
import pytest
from landmark_factories import face_at, hand_at, signer_frame

from hf_slt.extraction.crops import CropMaker, cut_out
from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.extraction.options import ExtractionOptions

pytest.importorskip("cv2", reason="needs the extra 'extraction'")


def gradient(width: int = 80, height: int = 60) -> np.ndarray:
    """A picture whose red is x and green is y."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x, y, np.full_like(x, 200)], axis=-1).astype(np.uint8)


def test_cut_out_is_the_place_itself():
    image = gradient()
    np.testing.assert_array_equal(cut_out(image, (10, 20, 26, 36), 16), image[20:36, 10:26])


def test_outside_of_the_picture_is_black_and_nothing_is_stretched():
    crop = cut_out(gradient(), (-8, 52, 8, 68), 16)
    np.testing.assert_array_equal(crop[:8, 8:], gradient()[52:60, 0:8])
    assert not crop[8:].any() and not crop[:, :8].any()


def test_shrinking_averages():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(cut_out(stripes, (0, 0, 64, 64), 16).astype(int) - 128).max() <= 1


def test_mask_blackens_what_is_not_the_person():
    mask = np.zeros((60, 80), np.float32)
    mask[:, 20:] = 1
    crop = cut_out(gradient(), (10, 20, 30, 40), 20, mask)
    assert not crop[:, :10].any()
    np.testing.assert_array_equal(crop[:, 10:], gradient()[20:40, 20:30])


def test_streams_sizes_and_boxes():
    maker = CropMaker(ExtractionOptions(image_size=32, crop_scale=1.0), 80, 60)
    landmarks = signer_frame(face=face_at(0.5, 0.5, 0.5), right_hand=None, left_hand=None, pose=None)
    crops = maker.crop(gradient(), landmarks)
    assert crops["face"].shape == (32, 32, 3) and crops["face"].dtype == np.uint8
    assert crops["left_hand"] is None and crops["right_hand"] is None
    assert maker.boxes == {"face": (20, 10, 60, 50), "left_hand": None, "right_hand": None}
    assert set(maker.crop(gradient(), FrameLandmarks()).values()) == {None}


def test_only_the_streams_that_are_asked_for():
    maker = CropMaker(ExtractionOptions(image_size=32), 80, 60, streams=["left_hand"])
    assert list(maker.crop(gradient(), signer_frame())) == ["left_hand"]
    assert all(maker.boxes.values())


def test_another_persons_hand_is_never_cut_out():
    maker = CropMaker(ExtractionOptions(image_size=32), 400, 400)
    maker.crop(gradient(400, 400), signer_frame())
    mine = maker.boxes["left_hand"]
    maker.crop(gradient(400, 400), signer_frame(left_hand=hand_at(0.95, 0.3)))
    left, top, right, bottom = maker.boxes["left_hand"]
    assert abs(left - mine[0]) < 30 and abs(top - mine[1]) < 30


@pytest.mark.parametrize("segmentation", [False, True])
def test_segmentation_is_an_option(segmentation):
    maker = CropMaker(ExtractionOptions(image_size=8, segmentation=segmentation), 80, 60)
    crops = maker.crop(gradient(), signer_frame(person_mask=np.zeros((60, 80), np.float32)))
    assert any(crop.any() for crop in crops.values()) != segmentation
