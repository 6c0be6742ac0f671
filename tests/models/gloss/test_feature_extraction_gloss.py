"""From a clip of landmarks or features to model inputs."""

import numpy as np
import pytest
import torch

from hf_slt.errors import ConfigurationError
from hf_slt.keypoint_geometry import mirror_clip
from hf_slt.landmarks import LAYOUTS
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor

LAYOUT = LAYOUTS["keypoints_78"]
ALL = ("positions", "hand_places", "hand_shapes", "velocity", "acceleration", "mask")


def random_clip(frames=8, seed=0):
    values = np.random.default_rng(seed).random((frames, 156)).astype(np.float32) + 0.01
    return values, np.ones((frames, 78), bool)


@pytest.mark.parametrize(
    ("features", "size"),
    [
        (["positions"], 156),
        (["positions", "velocity"], 312),
        (["positions", "mask"], 234),
        (["hand_places"], 4),
        (["hand_shapes"], 80),
        (ALL, 3 * (156 + 4 + 80) + 78),
    ],
)
def test_input_size_is_what_comes_out(features, size):
    extractor = GlossFeatureExtractor(features=features)
    encoded = extractor.encode_clip(*random_clip())
    assert extractor.input_size == size
    assert encoded["input_values"].shape == (8, size)
    assert encoded["input_values"].dtype == np.float32


def test_raw_coordinates_are_those_of_the_file():
    values, mask = random_clip()
    encoded = GlossFeatureExtractor(normalization="none").encode_clip(values, mask, aspect_ratio=2.0)
    assert np.array_equal(encoded["input_values"], values)


@pytest.mark.parametrize("features", [("positions",), ALL])
def test_place_distance_and_picture_do_not_matter(features):
    extractor = GlossFeatureExtractor(features=features)
    values, mask = random_clip()
    expected = extractor.encode_clip(values, mask)["input_values"]
    points = values.reshape(8, 78, 2)
    moved = (0.3 * points + np.array([0.2, 0.4])).reshape(8, -1)
    assert np.allclose(extractor.encode_clip(moved, mask)["input_values"], expected, atol=1e-3)
    wide = (points / np.array([2.0, 1.0])).reshape(8, -1)  # the same person in a picture twice as wide as high
    assert np.allclose(extractor.encode_clip(wide, mask, 2.0)["input_values"], expected, atol=1e-3)


def test_zero_is_not_a_coordinate():
    extractor = GlossFeatureExtractor(features=("positions", "velocity", "mask"))
    values, mask = random_clip()
    mask[3, 40] = False
    expected = extractor.encode_clip(values, mask)["input_values"]
    assert not expected[3, 80:82].any() and expected[3, 312 + 40] == 0 and expected[2, 312 + 40] == 1
    assert not expected[3:5, 156 + 80 : 156 + 82].any()  # no velocity into and out of a missing point
    assert expected[5, 156 + 80 : 156 + 82].all()
    for filler in (0.0, np.nan, 7.0):
        values[3, 80:82] = filler
        assert np.array_equal(extractor.encode_clip(values, mask)["input_values"], expected)
    values[3, 80:82] = 0  # without a mask, (0, 0) is how the contract writes a missing point
    assert np.array_equal(extractor.encode_clip(values)["input_values"], expected)


def test_velocity_and_acceleration_are_differences():
    values, mask = random_clip()
    extractor = GlossFeatureExtractor(normalization="none", features=("positions", "velocity", "acceleration"))
    still, first, second = np.split(extractor.encode_clip(values, mask)["input_values"], 3, axis=1)
    assert not first[0].any() and not second[:2].any()
    assert np.allclose(first[1:], 4 * np.diff(still, axis=0), atol=1e-5)
    assert np.allclose(second[2:], 4 * np.diff(still, n=2, axis=0), atol=1e-5)


def test_a_frame_without_a_point_is_masked_out():
    values, mask = random_clip()
    mask[2] = False
    encoded = GlossFeatureExtractor().encode_clip(values, mask)
    assert encoded["attention_mask"].tolist() == [1, 1, 0, 1, 1, 1, 1, 1]
    assert not encoded["input_values"][2].any()


def test_clips_are_resampled_unless_that_was_done():
    extractor = GlossFeatureExtractor(num_frames=5)
    assert len(extractor.encode_clip(*random_clip(8))["attention_mask"]) == 5
    assert len(extractor.encode_clip(*random_clip(8), resample=False)["attention_mask"]) == 8


def test_features_pass_as_they_are():
    extractor = GlossFeatureExtractor(input_type="features", feature_size=6)
    values = np.random.default_rng(0).random((4, 6))
    encoded = extractor.encode_clip(values, np.array([[1], [0], [1], [1]]))
    assert extractor.raw_size == extractor.input_size == 6
    assert encoded["attention_mask"].tolist() == [1, 0, 1, 1]
    assert np.allclose(encoded["input_values"][[0, 2, 3]], values[[0, 2, 3]])
    assert extractor.encode_clip(values)["attention_mask"].tolist() == [1, 1, 1, 1]


def test_left_handed_clips_are_mirrored():
    values, mask = random_clip()
    mask[:, LAYOUT.hands[0]] = False
    extractor = GlossFeatureExtractor(features=ALL, right_handed=True)
    right = extractor.encode_clip(values, mask)["input_values"]
    points, seen = mirror_clip(values.reshape(8, 78, 2), mask, LAYOUT)
    left = extractor.encode_clip(points.reshape(8, -1), seen)["input_values"]
    assert np.allclose(left, right, atol=1e-3)
    assert np.allclose(GlossFeatureExtractor(features=ALL).encode_clip(values, mask)["input_values"], right)


def test_a_batch_is_padded():
    extractor = GlossFeatureExtractor()
    short, long = random_clip(3)[0], random_clip(6, seed=1)[0]
    batch = extractor([short, long], return_tensors="pt")
    assert batch["input_values"].shape == (2, 6, 156)
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    alone = extractor(short, return_tensors="pt")
    assert torch.equal(batch["input_values"][:1, :3], alone["input_values"])
    assert not batch["input_values"][0, 3:].any()
    assert extractor(short, masks=np.zeros((3, 78)))["attention_mask"].tolist() == [[0, 0, 0]]


def test_it_travels_with_the_model(tmp_path):
    extractor = GlossFeatureExtractor(features=ALL, num_frames=7, layout_name="keypoints_78")
    extractor.save_pretrained(tmp_path)
    again = GlossFeatureExtractor.from_pretrained(tmp_path)
    assert again.to_dict() == extractor.to_dict()
    clip = random_clip()
    assert np.array_equal(again.encode_clip(*clip)["input_values"], extractor.encode_clip(*clip)["input_values"])


def test_other_layouts_work_as_far_as_they_know_the_body():
    hands = GlossFeatureExtractor(num_landmarks=75, features=("positions", "hand_shapes"))
    assert hands.input_size == 150 + 80
    unnamed = GlossFeatureExtractor(num_landmarks=12)
    assert unnamed.encode_clip(np.random.default_rng(0).random((4, 24)))["input_values"].shape == (4, 24)
    with pytest.raises(ConfigurationError, match=r"a layout with both hands for \['hand_shapes'\], found 'points_12'"):
        GlossFeatureExtractor(num_landmarks=12, features=("hand_shapes",))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"input_type": "video"}, "input_type out of .*found 'video'"),
        ({"normalization": "shoulder"}, "normalization out of .*found 'shoulder'"),
        ({"features": ("velocity",)}, "features out of .*found .'velocity'."),
        ({"features": ("positions", "speed")}, "features out of .*'speed'"),
        ({"num_frames": 0}, "num_frames of 1 or more, found 0"),
        ({"layout_name": "nobody"}, "expected a pose layout out of .*found 'nobody'"),
    ],
)
def test_settings_that_cannot_work(values, message):
    with pytest.raises(ConfigurationError, match=message):
        GlossFeatureExtractor(**values).encode_clip(*random_clip())


@pytest.mark.parametrize("shape", [(4, 2048), (0, 156), (156,)])
def test_a_clip_of_another_shape_names_both_numbers(shape):
    with pytest.raises(ConfigurationError, match=r"of shape \(T, 156\) with T of 1 or more, found \("):
        GlossFeatureExtractor().encode_clip(np.zeros(shape))


def test_it_knows_the_extractor_of_its_training_clips(tmp_path):
    assert GlossFeatureExtractor().extractor is None
    GlossFeatureExtractor(extractor="mediapipe_holistic 0.10.21").save_pretrained(tmp_path)
    assert GlossFeatureExtractor.from_pretrained(tmp_path).extractor == "mediapipe_holistic 0.10.21"
