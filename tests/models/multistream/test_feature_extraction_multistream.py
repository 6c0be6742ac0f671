"""The feature extractor: sampling, pixels, poses, masks."""

import json

import numpy as np
import pytest
import torch
from factories import make_frames, make_pose
from model_factories import tiny_extractor

from hf_slt.errors import ConfigurationError
from hf_slt.models.multistream.feature_extraction_multistream import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    MultiStreamFeatureExtractor,
)


def pose_array(frames, num_landmarks=33, seed=0):
    points, confidence = make_pose(frames, num_landmarks, seed)
    return np.concatenate((points, confidence[..., None]), axis=-1)


@pytest.mark.parametrize("frames", [1, 5, 8])
def test_short_clips_keep_every_frame(frames):
    assert tiny_extractor().sample_frames(frames).tolist() == list(range(frames))


def test_long_clips_are_sampled_evenly_from_end_to_end():
    extractor = tiny_extractor()
    assert extractor.sample_frames(16).tolist() == [1, 3, 5, 7, 9, 11, 13, 15]
    chosen = extractor.sample_frames(100)
    assert len(chosen) == 8 and set(np.diff(chosen)) <= {12, 13}
    assert chosen[0] == 6 and chosen[-1] == 93  # the middle of the first and of the last eighth


def test_random_sampling_draws_one_frame_from_each_interval():
    extractor = tiny_extractor()
    draws = np.array([extractor.sample_frames(80, np.random.default_rng(seed)) for seed in range(50)])
    assert (draws // 10 == np.arange(8)).all()
    assert len(np.unique(draws[:, 0])) > 5
    assert (extractor.sample_frames(80, np.random.default_rng(3)) == draws[3]).all()


def test_all_streams_take_the_same_frames():
    extractor = tiny_extractor(("face", "left_hand", "pose"))
    frames = np.arange(20, dtype=np.uint8)[:, None, None, None].repeat(16, 1).repeat(16, 2).repeat(3, 3)
    pose = np.zeros((20, 33, 3), np.float32)
    pose[:, :, 2] = (1 + np.arange(20)[:, None]) / 20  # the confidence tells the frame
    batch = extractor(face=frames, left_hand=frames, pose=pose)
    shown = batch["face_pixel_values"][0, :, 0, 0, 0] * IMAGENET_STD[0] * 255 + IMAGENET_MEAN[0] * 255
    chosen = extractor.sample_frames(20)
    assert np.allclose(shown, chosen, atol=1e-3)
    assert np.array_equal(batch["face_pixel_values"], batch["left_hand_pixel_values"])
    assert np.allclose(batch["pose_values"][0, :, 2] * 20 - 1, chosen, atol=1e-4)


def test_a_short_clip_is_padded_and_not_stretched():
    extractor = tiny_extractor(("face", "pose"))
    long, short = make_frames("face", range(6)), make_frames("face", range(4))
    batch = extractor(face=[long, short], pose=[pose_array(6), pose_array(4, seed=1)])
    assert batch["attention_mask"].tolist() == [[1] * 6, [1, 1, 1, 1, 0, 0]]
    assert np.array_equal(batch["face_mask"], batch["attention_mask"])
    assert np.array_equal(batch["face_pixel_values"][1, :4], batch["face_pixel_values"][0, :4])
    assert not batch["face_pixel_values"][1, 4:].any() and not batch["pose_values"][1, 4:].any()
    assert batch["pose_mask"].sum(-1).tolist() == [[33] * 6, [33] * 4 + [0, 0]]
    alone = extractor(face=short, pose=pose_array(4, seed=1))
    assert alone["face_pixel_values"].shape == (1, 4, 3, 16, 16)
    assert np.array_equal(alone["pose_values"][0], batch["pose_values"][1, :4])


def test_pixels_are_scaled_by_mean_and_deviation():
    image = np.empty((1, 16, 16, 3), np.uint8)
    image[:] = (0, 128, 255)
    pixels = tiny_extractor(("face",))(face=image)["face_pixel_values"][0, 0]
    expected = [(value / 255 - m) / s for value, m, s in zip((0, 128, 255), IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    assert pixels.dtype == np.float32 and np.allclose(pixels[:, 3, 7], expected, atol=1e-5)
    own = tiny_extractor(("face",), image_mean=(0, 0, 0), image_std=(1, 1, 1))(face=image)["face_pixel_values"]
    assert np.allclose(own[0, 0, :, 0, 0], [0, 128 / 255, 1], atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 24), (8, 8), (16, 32)])
def test_crops_are_resized(shape):
    image = np.zeros((2, *shape, 3), np.uint8)
    image[:, shape[0] // 2 :] = 200  # the lower half is bright
    extractor = tiny_extractor(("right_hand",), image_mean=(0, 0, 0), image_std=(1, 1, 1))
    pixels = extractor(right_hand=image)["right_hand_pixel_values"]
    assert pixels.shape == (1, 2, 3, 16, 16)
    assert np.allclose(pixels[0, 0, :, :6], 0) and np.allclose(pixels[0, 0, :, 10:], 200 / 255, atol=1e-6)


def test_mirrored_views_of_images_are_read_as_they_look():
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, :10] = 255
    extractor = tiny_extractor(("face",), image_mean=(0, 0, 0), image_std=(1, 1, 1))
    pixels = extractor(face=[[image[:, ::-1]]])["face_pixel_values"][0, 0, 0]
    assert pixels[8, 1] == 0 and pixels[8, 14] == 1


def test_missing_frames_are_zero_and_masked_in_their_stream_only():
    extractor = tiny_extractor(("left_hand", "right_hand"))
    frames = list(make_frames("face", range(4)))
    batch = extractor(left_hand=[frames[0], None, frames[2], None], right_hand=frames)
    assert batch["left_hand_mask"].tolist() == [[1, 0, 1, 0]]
    assert batch["right_hand_mask"].tolist() == batch["attention_mask"].tolist() == [[1, 1, 1, 1]]
    assert not batch["left_hand_pixel_values"][0, [1, 3]].any() and batch["left_hand_pixel_values"][0, 2].any()
    nothing = extractor(left_hand=[None] * 4, right_hand=frames)
    assert nothing["left_hand_mask"].tolist() == [[0] * 4] and not nothing["left_hand_pixel_values"].any()


def test_one_clip_and_batches_of_every_form_agree():
    extractor = tiny_extractor(("face", "pose"))
    frames, pose = make_frames("face", range(4)), pose_array(4)
    expected = extractor(face=frames, pose=pose)
    for face, poses in (
        (list(frames), pose.reshape(4, 99)),
        ([frames], [pose]),
        ([list(frames)], [pose.reshape(4, 99)]),
        (frames[None], pose[None]),
    ):
        batch = extractor(face=face, pose=poses)
        assert batch.keys() == expected.keys()
        assert all(np.array_equal(batch[name], expected[name]) for name in expected)


def test_torch_tensors_and_their_types():
    batch = tiny_extractor()(face=make_frames("face", range(3)), pose=pose_array(3), return_tensors="pt")
    assert {name: (value.dtype, tuple(value.shape)) for name, value in batch.items()} == {
        "face_pixel_values": (torch.float32, (1, 3, 3, 16, 16)),
        "face_mask": (torch.int64, (1, 3)),
        "pose_values": (torch.float32, (1, 3, 99)),
        "pose_mask": (torch.int64, (1, 3, 33)),
        "attention_mask": (torch.int64, (1, 3)),
    }


def test_poses_are_brought_to_signing_space_once():
    extractor, pose = tiny_extractor(("pose",)), pose_array(4)
    values = extractor(pose=pose)["pose_values"].reshape(4, 33, 3)
    middle = np.median((values[:, 11, :2] + values[:, 12, :2]) / 2, axis=0)
    assert np.allclose(middle, (0.5, 3 / 7), atol=1e-5)
    assert np.array_equal(values[..., 2], pose[..., 2])
    again = extractor(pose=values, pose_norm="signing_space_v1")["pose_values"].reshape(4, 33, 3)
    assert np.array_equal(again, values)
    with pytest.raises(ConfigurationError, match="'signing_space_v1' or none, found 'minmax'"):
        extractor(pose=pose, pose_norm="minmax")


@pytest.mark.parametrize("norm", [None, "signing_space_v1"])
@pytest.mark.parametrize("undetected", [(0.2, 0.3, 0.0), (np.nan, np.nan, 0.0), (np.nan, 0.5, 0.9)])
def test_undetected_points(norm, undetected):
    extractor, pose = tiny_extractor(("pose",)), pose_array(4)
    pose[2, 5] = undetected
    batch = extractor(pose=pose, pose_norm=norm)
    assert batch["pose_values"][0].reshape(4, 33, 3)[2, 5].tolist() == [-1, -1, 0]
    assert np.isfinite(batch["pose_values"]).all()
    assert (batch["pose_mask"][0] == 0).nonzero()[0].tolist() == [2]


def test_normalisation_sees_the_whole_clip_before_sampling():
    extractor, pose = tiny_extractor(("pose",)), pose_array(20)
    whole = tiny_extractor(("pose",), sequence_length=20)(pose=pose)["pose_values"][0]
    assert np.array_equal(extractor(pose=pose)["pose_values"][0], whole[extractor.sample_frames(20)])


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ({}, r"at least one of the streams \['face', .*found none"),
        ({"pose": np.zeros((4, 32, 3))}, r"poses \(T, 33, 3\) or \(T, 99\), found \(4, 32, 3\)"),
        ({"face": make_frames("face", range(3)), "pose": np.zeros((4, 33, 3))}, r"found \{'face': 3, 'pose': 4\}"),
        ({"pose": np.zeros((0, 33, 3))}, r"at least one; found \{'pose': 0\}"),
        (
            {"face": [make_frames("face", range(3))] * 2, "pose": np.zeros((3, 33, 3))},
            r"same number of clips in every stream, found \{'face': 2, 'pose': 1\}",
        ),
    ],
)
def test_errors(streams, message):
    with pytest.raises(ConfigurationError, match=message):
        tiny_extractor()(**streams)


def test_encoded_streams_must_be_of_one_length():
    with pytest.raises(ConfigurationError, match=r"found \{'face_pixel_values': 2, 'face_mask': 2, 'pose_values': 3"):
        tiny_extractor().encode_clip({"face": [None, None]}, np.zeros((3, 33, 2)), np.zeros((3, 33)))


def test_a_stream_that_one_clip_of_a_batch_lacks_is_masked_there():
    extractor = tiny_extractor(("face", "pose"))
    points, confidence = make_pose(3, 33)
    with_face = extractor.encode_clip({"face": list(make_frames("face", range(3)))}, points, confidence)
    without = extractor.encode_clip({}, points, confidence)
    batch = extractor.pad([without, with_face])
    assert batch["face_mask"].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_save_and_load(tmp_path):
    extractor = tiny_extractor(("face", "pose"), pose_layout="mediapipe_pose", image_mean=(0.1, 0.2, 0.3))
    extractor.save_pretrained(tmp_path)
    loaded = MultiStreamFeatureExtractor.from_pretrained(tmp_path)
    assert loaded.to_dict() == extractor.to_dict() and loaded.streams == ["face", "pose"]
    assert loaded.layout().name == "mediapipe_pose"
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert (saved["sequence_length"], saved["image_mean"]) == (8, [0.1, 0.2, 0.3])


def test_it_knows_what_the_model_was_trained_on(tmp_path):
    known = {"extractor": "mediapipe_holistic 0.10.21", "pose_norm": "signing_space_v1"}
    tiny_extractor(("pose",), **known).save_pretrained(tmp_path)
    loaded = MultiStreamFeatureExtractor.from_pretrained(tmp_path)
    assert {name: getattr(loaded, name) for name in known} == known
    file = tmp_path / "preprocessor_config.json"
    saved = {name: value for name, value in json.loads(file.read_text()).items() if name not in known}
    file.write_text(json.dumps(saved))  # as it was saved before there were these fields
    older = MultiStreamFeatureExtractor.from_pretrained(tmp_path)
    assert (older.extractor, older.pose_norm) == (None, None)
    points, confidence = make_pose(3, 33)
    pose = np.concatenate([points, confidence[..., None]], axis=-1)
    np.testing.assert_array_equal(older(pose=pose)["pose_values"], loaded(pose=pose)["pose_values"])


@pytest.mark.parametrize("size", [16, 20])
def test_frames_that_are_no_uint8_rgb_images_are_refused(size):
    frames = np.zeros((3, size, size, 3), np.uint8)
    for wrong in (frames / np.float32(255), frames[..., 0], frames[..., :1], frames.transpose(0, 3, 1, 2)):
        with pytest.raises(ConfigurationError, match=r"expected frames as uint8 RGB \(H, W, 3\), found"):
            tiny_extractor(("face",))(face=wrong)
