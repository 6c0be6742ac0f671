"""Boxes follow the parts, stay calm, and are there where the landmarks of a part are not."""

import numpy as np
import pytest
from landmark_factories import face_at, hand_at, pose_number, signer_frame, signer_pose

from hf_slt.extraction.boxes import Box, BoxTracker, box_around
from hf_slt.extraction.landmark_clip import FrameLandmarks

SIZE = (400, 400)


def holds(box: Box, points: np.ndarray) -> bool:
    """Whether all points (fractions) lie in a box, to a hundredth of a pixel."""
    return bool((np.abs(points * SIZE - (box.x, box.y)) <= box.side / 2 + 0.01).all())


def test_box_is_a_square_about_the_longer_side():
    box = box_around(np.array([[10, 20], [30, 100]], np.float32), 1.2)
    assert box == pytest.approx((20, 60, 96))
    assert box.corners() == (-28, 12, 68, 108)


def test_first_boxes_are_those_of_the_landmarks():
    frame = signer_frame()
    boxes = BoxTracker(*SIZE, 1.2).update(frame)
    for stream, box in boxes.items():
        assert box == box_around(getattr(frame, stream) * np.array(SIZE, np.float32), 1.2)


def test_a_fast_hand_that_opens_never_leaves_its_box():
    tracker = BoxTracker(*SIZE, 1.2)
    rng = np.random.default_rng(0)
    for _ in range(50):
        hand = hand_at(*rng.uniform(0.2, 0.8, 2), length=rng.uniform(0.03, 0.2))
        assert holds(tracker.update(signer_frame(left_hand=hand))["left_hand"], hand)


def test_trembling_is_smoothed():
    rng = np.random.default_rng(0)
    tracker, raw, smooth = BoxTracker(*SIZE, 1.2), [], []
    for _ in range(200):
        face = face_at(*(0.5 + rng.normal(0, 0.002, 2)), size=0.2 + rng.normal(0, 0.004))
        raw.append(box_around(face * np.array(SIZE), 1.2))
        smooth.append(tracker.update(signer_frame(face=face))["face"])
    jitter = np.abs(np.diff(smooth, axis=0)).mean(axis=0) / np.abs(np.diff(raw, axis=0)).mean(axis=0)
    assert (jitter[:2] < 0.75).all()
    assert jitter[2] < 0.2


def test_a_lost_hand_is_looked_for_beyond_the_wrist():
    tracker = BoxTracker(*SIZE, 1.2)
    box = tracker.update(signer_frame(left_hand=None))["left_hand"]
    # knuckles 0.05 below the wrist at (0.65, 0.7); half a shoulder width of 0.3, scaled
    assert box == pytest.approx((0.65 * 400, 0.76 * 400, 1.2 * 0.5 * 0.3 * 400), rel=1e-5)


def test_a_lost_hand_keeps_the_size_that_it_had():
    tracker = BoxTracker(*SIZE, 1.2)
    large = hand_at(0.65, 0.7, length=0.28)
    tracker.update(signer_frame(left_hand=large))
    assert tracker.update(signer_frame(left_hand=None))["left_hand"].side == pytest.approx(1.2 * 0.28 * 400, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "stream", "place", "visibility"),
    [
        ("left_wrist", "left_hand", (0.6, 1.02), 1.0),
        ("left_wrist", "left_hand", (0.65, 0.7), 0.49),
        ("nose", "face", (0.5, -0.01), 1.0),
    ],
)
def test_what_is_hidden_or_out_of_the_picture_has_no_box(name, stream, place, visibility):
    pose = signer_pose(**{name: visibility})
    pose[pose_number(name), :2] = place
    boxes = BoxTracker(*SIZE, 1.2).update(signer_frame(pose=pose, **{stream: None}))
    assert [part for part, box in boxes.items() if box is None] == [stream]


def test_a_face_without_mesh_is_the_head_of_the_pose():
    box = BoxTracker(*SIZE, 1.2).update(signer_frame(face=None))["face"]
    assert box == pytest.approx((200, 80, 1.2 * 0.6 * 0.3 * 400), rel=1e-5)


def test_nobody_has_no_boxes_and_a_new_start_does_not_remember_the_old_place():
    tracker = BoxTracker(*SIZE, 1.2)
    tracker.update(signer_frame(face=face_at(0.2, 0.2)))
    for _ in range(11):
        assert set(tracker.update(FrameLandmarks()).values()) == {None}
    face = face_at(0.8, 0.8)
    assert tracker.update(signer_frame(face=face))["face"] == box_around(face * np.array(SIZE, np.float32), 1.2)
