"""The window over live frames: what stays in it, what a model reads of it, and what counts as signing."""

import numpy as np
import pytest
from landmark_factories import hand_at, signer_frame, signer_pose
from live_factories import HEIGHT, NOBODY, RESTING, WIDTH, live_frame, live_frames

from hf_slt.errors import ConfigurationError
from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.extraction.pose_arrays import pose_streams
from hf_slt.inference.streaming import TemporalBuffer, clip_landmarks, hands_raised, read_points, stream_inputs
from hf_slt.landmarks import LAYOUTS
from hf_slt.models.multistream.feature_extraction_multistream import MultiStreamFeatureExtractor


def numbers(buffer):
    return [frame.number for frame in buffer.frames]


def test_what_is_older_than_the_window_falls_out():
    buffer = TemporalBuffer(window=0.5)
    filled = []
    for frame in live_frames("s" * 8):
        buffer.append(frame)
        filled.append(buffer.is_full)
    assert numbers(buffer) == [2, 3, 4, 5, 6, 7]  # 0.5 s from the first to the last
    assert (buffer.start, buffer.end, len(buffer)) == (0.2, 0.7, 6)
    assert filled == [False] * 5 + [True] * 3


@pytest.mark.parametrize(("overlap", "left"), [(0.0, []), (0.2, [3, 4, 5])])
def test_a_new_segment_keeps_the_overlap(overlap, left):
    buffer = TemporalBuffer(window=2, overlap=overlap)
    for frame in live_frames("s" * 6):
        buffer.append(frame)
    buffer.restart()
    assert numbers(buffer) == left


@pytest.mark.parametrize(("window", "overlap"), [(0, 0), (-1, 0), (float("nan"), 0), (2, 2), (2, -0.1)])
def test_windows_that_cannot_work_are_refused(window, overlap):
    with pytest.raises(ConfigurationError, match="expected a window above 0 s and an overlap from 0 s to less"):
        TemporalBuffer(window, overlap)


def test_frames_come_in_order():
    buffer = TemporalBuffer(1)
    buffer.append(live_frame(3))
    with pytest.raises(ConfigurationError, match=r"expected a frame later than 0\.300 s, found one at 0\.300 s"):
        buffer.append(live_frame(3))


def test_a_window_is_what_the_feature_extractor_reads():
    frames = [live_frame(number, crop_size=16) for number in range(5)]
    frames[1].crops["left_hand"] = None
    frames[2] = live_frame(2, NOBODY)
    extractor = MultiStreamFeatureExtractor(image_size=16)
    inputs = stream_inputs(frames, extractor.streams, extractor.layout())
    batch = extractor(**inputs)
    assert batch["face_mask"].tolist() == [[1, 1, 0, 1, 1]]
    assert batch["left_hand_mask"].tolist() == [[1, 0, 0, 1, 1]]
    assert batch["pose_mask"][0, :, 0].tolist() == [1, 1, 0, 1, 1]
    points, confidence = pose_streams(clip_landmarks(frames), "mediapipe_pose")
    expected = extractor.normalize_pose(points, confidence)
    np.testing.assert_allclose(batch["pose_values"][0].reshape(5, 33, 3)[..., :2], expected)
    assert batch["pose_values"][0, 2].reshape(33, 3)[0].tolist() == [-1, -1, 0]


def test_a_stream_of_which_nothing_was_found_is_left_out():
    layout = LAYOUTS["mediapipe_pose"]
    frames = [live_frame(number, crop_size=16) for number in range(2)]
    for frame in frames:
        frame.crops["face"] = None
    assert set(stream_inputs(frames, ("face", "left_hand", "pose"), layout)) == {"left_hand", "pose"}
    assert set(stream_inputs(frames, ("left_hand",), layout)) == {"left_hand"}
    assert stream_inputs([live_frame(0, NOBODY)], ("face", "pose"), layout) == {}


def test_other_layouts_are_put_together_by_the_names_of_points():
    frames = live_frames("sss")
    points, confidence = read_points(clip_landmarks(frames), LAYOUTS["hands_nose"])
    assert points.shape == (3, 3, 2)
    expected = signer_pose()[[LAYOUTS["mediapipe_pose"].points.index(p) for p in LAYOUTS["hands_nose"].points], :2]
    np.testing.assert_allclose(points[0], expected * [WIDTH, HEIGHT], rtol=1e-5)
    assert confidence.tolist() == [[1, 1, 1]] * 3


def test_a_layout_of_another_detector_is_refused():
    with pytest.raises(ConfigurationError, match=r"'skeleton_50' with points that it does not give \(head, neck\)"):
        read_points(clip_landmarks(live_frames("s")), LAYOUTS["skeleton_50"])


@pytest.mark.parametrize(
    ("landmarks", "raised"),
    [
        (signer_frame(), True),
        (RESTING, False),
        (NOBODY, False),
        (signer_frame(left_hand=None, right_hand=None), True),  # the wrists of the pose
        (signer_frame(pose=RESTING.pose, left_hand=None), True),  # a hand that was detected, above the lap
        (FrameLandmarks(pose=RESTING.pose, left_hand=hand_at(0.6, 1.2)), False),  # below the picture
        (FrameLandmarks(left_hand=hand_at(0.6, 0.5)), False),  # a hand of nobody
    ],
)
def test_raised_hands(landmarks, raised):
    assert hands_raised(live_frame(0, landmarks)) is raised


def test_a_hand_in_the_lap_is_at_rest():
    pose = signer_pose()  # the shoulders are 120 pixels apart, at a height of 80 of 200 pixels
    tall = 4 * HEIGHT
    rows = {"low": (0.1 * tall + 1.5 * 120) / tall, "high": (0.1 * tall + 1.3 * 120) / tall}
    for name in ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"):
        pose[LAYOUTS["mediapipe_pose"].points.index(name), 1] = 0.1
    for place, y in rows.items():
        hand = FrameLandmarks(pose=RESTING.pose * [1, 0, 1] + pose * [0, 1, 0], right_hand=hand_at(0.35, y))
        frame = live_frame(0, hand)
        assert hands_raised(type(frame)(0, 0.0, hand, WIDTH, tall)) is (place == "high")
