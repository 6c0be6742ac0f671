"""Augmentation: what changes, what must not, and where its randomness comes from."""

import numpy as np
import pytest
from factories import make_pose

from hf_slt.data.transforms import (
    Augmentation,
    Clip,
    augment,
    drop_frames,
    drop_streams,
    flip_clip,
    jitter,
    resample_time,
    transform_pose,
)
from hf_slt.errors import ConfigurationError
from hf_slt.landmarks import LAYOUTS, generic_layout
from hf_slt.streams import IMAGE_STREAMS

LAYOUT = LAYOUTS["mediapipe_pose"]
NOTHING = Augmentation(rotation=0, scale=0, shift=0, speed=0, colour_jitter=0)


def rng(seed=0):
    return np.random.default_rng(seed)


def make_clip(frames=4, streams=IMAGE_STREAMS):
    points, confidence = make_pose(frames, 33)
    confidence[1, 5], points[1, 5] = 0, -1
    images = {s: list(rng(i).integers(0, 256, (frames, 6, 6, 3), dtype=np.uint8)) for i, s in enumerate(streams)}
    if "left_hand" in images:
        images["left_hand"][2] = None
    return Clip(images, points, confidence)


def assert_same(clip, other):
    assert clip.frames.keys() == other.frames.keys()
    for stream, images in clip.frames.items():
        for image, same in zip(images, other.frames[stream], strict=True):
            assert (image is None and same is None) or np.array_equal(image, same)
    np.testing.assert_allclose(clip.points, other.points, atol=1e-6)
    np.testing.assert_array_equal(clip.confidence, other.confidence)


def test_flip_mirrors_detected_points_and_leaves_the_sentinel():
    clip = make_clip()
    flipped = flip_clip(clip, LAYOUT)
    mirrored = LAYOUT.mirrored
    seen = flipped.confidence > 0
    assert np.array_equal(flipped.confidence, clip.confidence[:, mirrored])
    np.testing.assert_allclose(flipped.points[seen][:, 0], 1 - clip.points[:, mirrored][seen][:, 0], atol=1e-6)
    np.testing.assert_array_equal(flipped.points[..., 1], clip.points[:, mirrored, 1])
    assert flipped.points[1, 2].tolist() == [-1, -1]  # right_eye (5) was not detected: now left_eye (2) is not
    assert flipped.points.max() <= 1 and clip.points[1, 5].tolist() == [-1, -1]


def test_flip_mirrors_images_and_swaps_the_hands():
    clip = make_clip()
    flipped = flip_clip(clip, LAYOUT)
    assert np.array_equal(flipped.frames["face"][0], clip.frames["face"][0][:, ::-1])
    assert np.array_equal(flipped.frames["left_hand"][2], clip.frames["right_hand"][2][:, ::-1])
    assert flipped.frames["right_hand"][2] is None and flipped.frames["right_hand"][1] is not None


def test_flipping_twice_changes_nothing():
    clip = make_clip()
    assert_same(flip_clip(flip_clip(clip, LAYOUT), LAYOUT), clip)


def test_flip_without_poses_needs_no_layout():
    clip = Clip(make_clip().frames)
    assert np.array_equal(flip_clip(clip, None).frames["face"][1], clip.frames["face"][1][:, ::-1])


@pytest.mark.parametrize("layout", [None, generic_layout(33)])
def test_points_without_names_cannot_be_mirrored(layout):
    with pytest.raises(ConfigurationError, match="names left and right .*found unnamed points; give --pose-layout"):
        augment(make_clip(), Augmentation(flip=1), layout, rng())


def test_nothing_is_nothing():
    assert_same(augment(make_clip(), NOTHING, LAYOUT, rng()), make_clip())


def test_the_clip_given_is_not_changed():
    clip = make_clip()
    augment(clip, Augmentation(flip=1, frame_dropout=0.5, stream_dropout=0.5, noise=0.1), LAYOUT, rng())
    assert_same(clip, make_clip())


@pytest.mark.parametrize("name", ["rotation", "scale", "shift", "noise"])
def test_each_change_of_the_pose_leaves_undetected_points(name):
    clip = make_clip()
    augmentation = Augmentation(**{**vars(NOTHING), name: 20.0 if name == "rotation" else 0.2})
    moved = transform_pose(clip.points, clip.confidence, augmentation, rng())
    assert moved[1, 5].tolist() == [-1, -1] and moved.dtype == np.float32
    seen = clip.confidence > 0
    assert np.abs(moved - clip.points)[seen].max() > 0.01


def test_rotation_keeps_distances_in_head_units_and_turns_about_the_shoulders():
    points = np.array([[[0.5, 3 / 7], [0.5 + 1 / 6, 3 / 7], [0.5, 4 / 7]]])  # 1 head unit to the right, 1 below
    moved = transform_pose(points, np.ones((1, 3)), Augmentation(**{**vars(NOTHING), "rotation": 30.0}), rng(0))
    offsets = (moved[0] - points[0, 0]) * (6, 7)
    np.testing.assert_allclose(np.linalg.norm(offsets, axis=-1), [0, 1, 1], atol=1e-6)
    assert abs(offsets[1, 1]) > 0.05 and np.dot(offsets[1], offsets[2]) == pytest.approx(0, abs=1e-6)


def test_shift_is_the_same_for_all_points_and_within_its_limit():
    clip = make_clip()
    augmentation = Augmentation(**{**vars(NOTHING), "shift": 0.05})
    moved = transform_pose(clip.points, clip.confidence, augmentation, rng()) - clip.points
    shifts = moved[clip.confidence > 0]
    assert np.ptp(shifts, axis=0).max() < 1e-6 and 0 < np.abs(shifts).max() <= 0.05


@pytest.mark.parametrize("speed", [0.0, 0.25, 1.0])
def test_resampled_time_runs_forward_from_start_to_end(speed):
    lengths = set()
    for seed in range(200):
        frames = resample_time(40, speed, rng(seed))
        lengths.add(len(frames))
        assert frames[0] == 0 and frames[-1] >= 39 - (1 + speed) and (np.diff(frames) >= 0).all()
    assert min(lengths) == pytest.approx(40 / (1 + speed), abs=1.5)
    assert max(lengths) == pytest.approx(40 * (1 + speed), abs=1.5)
    assert resample_time(1, speed, rng()).tolist() in ([0], [0, 0])


def test_jitter_changes_a_stream_alike_and_stays_in_range():
    frames = [np.full((2, 2, 3), value, np.uint8) for value in (0, 128, 255)]
    changed = jitter([*frames, None, frames[1]], 0.5, rng(2))
    assert changed[3] is None and np.array_equal(changed[1], changed[4])
    assert all(
        image.dtype == np.uint8 and np.ptp(image, axis=(0, 1)).max() == 0 for image in changed if image is not None
    )
    assert changed[0].max() <= changed[1].max() <= changed[2].max() and changed[1].max() != 128


def test_dropped_frames_go_missing_in_all_streams_at_once():
    clip = make_clip(frames=20)
    dropped = drop_frames(clip, 0.5, rng())
    gone = np.array([image is None for image in dropped.frames["face"]])
    assert 4 < gone.sum() < 16
    assert [image is None for image in dropped.frames["right_hand"]] == gone.tolist()
    assert (dropped.confidence[gone] == 0).all() and (dropped.points[gone] == -1).all()
    np.testing.assert_array_equal(dropped.points[~gone], clip.points[~gone])


def test_one_frame_and_one_stream_stay_even_with_probability_1():
    for seed in range(20):
        clip = drop_frames(make_clip(), 1.0, rng(seed))
        assert sum(image is not None for image in clip.frames["face"]) == 1 and (clip.confidence > 0).any(1).sum() == 1
        clip = drop_streams(make_clip(), 1.0, rng(seed))
        left = [s for s, images in clip.frames.items() if any(image is not None for image in images)]
        assert len(left) + bool((clip.confidence > 0).any()) == 1
    assert drop_frames(Clip({"face": [None, None]}), 1.0, rng()).points is None


def test_every_stream_gets_dropped_about_as_often_as_asked():
    counts = dict.fromkeys((*IMAGE_STREAMS, "pose"), 0)
    for seed in range(300):
        clip = drop_streams(make_clip(), 0.4, rng(seed))
        counts["pose"] += not (clip.confidence > 0).any()
        for stream, images in clip.frames.items():
            counts[stream] += all(image is None for image in images)
    # One of the four, drawn evenly, is kept in any case: 0.4 * 3 / 4.
    assert all(count / 300 == pytest.approx(0.3, abs=0.08) for count in counts.values()), counts


@pytest.mark.parametrize("name", ["flip", "frame_dropout", "stream_dropout"])
@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_probabilities_are_checked(name, value):
    with pytest.raises(ConfigurationError, match=rf"probability in \[0, 1\] for {name}, found {value}"):
        Augmentation(**{name: value})


@pytest.mark.parametrize("name", ["rotation", "scale", "shift", "noise", "speed", "colour_jitter"])
def test_strengths_are_checked(name):
    with pytest.raises(ConfigurationError, match=f"expected {name} >= 0, found -1"):
        Augmentation(**{name: -1})
