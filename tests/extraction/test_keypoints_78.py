"""The 78-point clips: which points, what counts as seen, gaps."""

import numpy as np
import pytest
from landmark_factories import WRISTS, face_at, pose_number, signer_clip, signer_frame, signer_pose

from hf_slt.errors import ConfigurationError
from hf_slt.extraction.keypoints import FACE_POINTS, keypoints_78
from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.extraction.pose_arrays import POSE_LAYOUTS, pose_streams
from hf_slt.landmarks import LAYOUTS
from hf_slt.signing_space import normalize_pose

LAYOUT = LAYOUTS["keypoints_78"]


def test_points_stand_in_the_order_of_the_layout():
    frame = signer_frame()
    values, mask = keypoints_78(signer_clip([frame]), max_gap=5)
    assert (values.shape, mask.shape, values.dtype) == ((1, 156), (1, 78), np.float32)
    points = dict(zip(LAYOUT.points, values.reshape(78, 2), strict=True))
    np.testing.assert_allclose(points["left_wrist"], WRISTS["left_hand"])
    np.testing.assert_allclose(points["left_hand_pinky_3"], frame.left_hand[20])
    np.testing.assert_allclose(points["right_hand_wrist"], frame.right_hand[0])
    np.testing.assert_allclose(points["mesh_nose_tip"], frame.face[1])
    np.testing.assert_allclose(points["mesh_chin"], frame.face[199])
    assert len(FACE_POINTS) == sum(name.startswith("mesh_") for name in LAYOUT.points)
    assert mask.all()


def test_points_out_of_sight_are_missing():
    pose = signer_pose(left_elbow=0.49, right_elbow=0.5)
    pose[pose_number("left_hip"), :2] = (0.6, 1.01)
    values, mask = keypoints_78(signer_clip([signer_frame(pose=pose, left_hand=None)]), max_gap=5)
    missing = {LAYOUT.points[i] for i in np.flatnonzero(~mask[0])}
    assert missing == {"left_elbow", "left_hip"} | {name for name in LAYOUT.points if name.startswith("left_hand_")}
    assert (values.reshape(78, 2)[~mask[0]] == 0).all()


def test_a_lost_hand_is_filled_and_a_lost_person_is_not_over_long_gaps():
    clip = [signer_frame(0), *[signer_frame(right_hand=None)] * 5, signer_frame(6), *[FrameLandmarks()] * 6]
    values, mask = keypoints_78(signer_clip([*clip, signer_frame(0)]), max_gap=5)
    wrist = LAYOUT.points.index("right_hand_wrist")
    assert mask[:7].all()
    np.testing.assert_allclose(values[:7, 2 * wrist + 1], 0.7 - 0.01 * np.arange(7), atol=1e-6)
    assert not mask[7:13].any()
    assert mask[13].all()


@pytest.mark.parametrize("layout", POSE_LAYOUTS)
def test_pose_layouts_in_pixels(layout):
    clip = signer_clip([signer_frame(), signer_frame(left_hand=None), FrameLandmarks()], width=400, height=200)
    points, confidence = pose_streams(clip, layout)
    names = LAYOUTS[layout].points
    assert (points.shape, confidence.shape) == ((3, len(names), 2), (3, len(names)))
    np.testing.assert_allclose(points[0, names.index("left_shoulder")], (0.65 * 400, 0.4 * 200), rtol=1e-6)
    assert (confidence[0] == 1).all()
    hand = [name.startswith("left_hand") for name in names]
    assert (confidence[1] == np.where(hand, 0, 1)).all()
    assert sum(hand) == (21 if layout == "mediapipe_pose_hands" else 0)
    assert not confidence[2].any() and not points[2].any()
    normalized = normalize_pose(points, confidence, LAYOUTS[layout])
    assert (normalized[2] == -1).all()
    np.testing.assert_allclose(normalized[0, names.index("left_shoulder")], (0.5 + 1 / 6, 3 / 7), atol=1e-6)


def test_confidence_is_the_visibility():
    _, confidence = pose_streams(signer_clip([signer_frame(pose=signer_pose(nose=0.25))]), "mediapipe_pose_upper")
    assert confidence[0, pose_number("nose")] == np.float32(0.25)


def test_unknown_layout():
    with pytest.raises(ConfigurationError, match=r"\['mediapipe_pose', .*found 'skeleton_50'; set --pose-layout"):
        pose_streams(signer_clip([signer_frame()]), "skeleton_50")


def test_face_numbers_are_those_of_the_contract():
    face = face_at(0.5, 0.5, 0.4)
    values, _ = keypoints_78(signer_clip([signer_frame(face=face)]), max_gap=0)
    np.testing.assert_array_equal(values.reshape(78, 2)[-11:], face[[1, 33, 263, 133, 362, 61, 291, 105, 334, 199, 4]])
