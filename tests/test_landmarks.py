"""Landmark layouts: sizes, mirror images, look-up."""

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.landmarks import LAYOUTS, generic_layout, get_layout

SIZES = {
    "mediapipe_pose": 33,
    "mediapipe_pose_upper": 25,
    "mediapipe_pose_hands": 75,
    "keypoints_78": 78,
    "skeleton_50": 50,
    "hands_nose": 3,
    "holistic_543": 543,
    "coco_wholebody_133": 133,
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
class TestEveryLayout:
    def test_mirroring_twice_changes_nothing(self, layout):
        order = layout.mirrored
        assert sorted(order) == list(range(layout.num_landmarks))
        assert np.array_equal(order[order], np.arange(layout.num_landmarks))

    def test_each_left_point_changes_places_with_its_right_one(self, layout):
        for point, mirror in zip(layout.points, layout.mirrored, strict=True):
            swapped = point.replace("left", "\0").replace("right", "left").replace("\0", "right")
            assert layout.points[mirror] == swapped
        sided = [point for point in layout.points if "left" in point or "right" in point]
        assert (layout.mirrored != np.arange(layout.num_landmarks)).sum() == len(sided) > 0

    def test_points_have_their_own_names(self, layout):
        assert len(set(layout.points)) == layout.num_landmarks
        for side in ("left", "right"):
            index = getattr(layout, f"{side}_shoulder")
            assert index is None or layout.points[index] == f"{side}_shoulder"


def test_the_78_points_are_body_hands_and_face_in_the_documented_order():
    layout = LAYOUTS["keypoints_78"]
    assert layout.num_landmarks == 78
    assert layout.points[15] == "left_wrist" and layout.points[16] == "right_wrist"
    assert layout.points[25] == "left_hand_wrist" and layout.points[46] == "right_hand_wrist"
    assert (layout.left_shoulder, layout.right_shoulder) == (11, 12)
    # Face mesh 1, 33, 263, 133, 362, 61, 291, 105, 334, 199, 4: the nose tip, four pairs (right first), chin, nose.
    assert layout.mirrored[67:].tolist() == [67, 69, 68, 71, 70, 73, 72, 75, 74, 76, 77]
    assert layout.points[68] == "mesh_right_eye_outer" and layout.points[74] == "mesh_right_brow"


def test_the_543_points_are_face_left_hand_pose_and_right_hand():
    points = LAYOUTS["holistic_543"].points
    assert (points[468], points[489], points[522]) == ("left_hand_wrist", "nose", "right_hand_wrist")
    face_78 = LAYOUTS["keypoints_78"].points[67:]
    assert [points.index(name) for name in face_78] == [1, 33, 263, 133, 362, 61, 291, 105, 334, 199, 4]


def test_the_133_points_are_those_of_coco_wholebody():
    layout = LAYOUTS["coco_wholebody_133"]
    assert (layout.points[5], layout.points[10], layout.points[19]) == ("left_shoulder", "right_wrist", "left_heel")
    assert (layout.points[91], layout.points[112]) == ("left_hand_wrist", "right_hand_wrist")
    # the 68 points of the face begin at 23; their mirror images as iBUG 300-W numbers them
    face = np.array(layout.mirrored[23:91]) - 23
    assert face[:17].tolist() == list(range(16, -1, -1))
    assert face[[36, 37, 38, 39, 40, 41]].tolist() == [45, 44, 43, 42, 47, 46]
    assert face[[48, 49, 50, 51, 59, 58, 57, 60, 61, 62, 67, 66]].tolist() == [
        54, 53, 52, 51, 55, 56, 57, 64, 63, 62, 65, 66,
    ]  # fmt: skip
    named = {name: layout.points.index(f"mesh_{name}") - 23 for name in ("chin", "right_brow", "left_brow", "nose_tip")}
    assert named == {"chin": 8, "right_brow": 19, "left_brow": 24, "nose_tip": 30}


def test_sizes():
    assert {name: layout.num_landmarks for name, layout in LAYOUTS.items()} == SIZES
    assert all(layout.name == name for name, layout in LAYOUTS.items())
    # the points of the face mesh are numbers without a side
    assert [name for name, layout in LAYOUTS.items() if not layout.mirrorable] == ["holistic_543"]


def test_layout_is_found_by_name_or_by_number_of_points():
    for name, size in SIZES.items():
        assert get_layout(name, size) is get_layout(None, size) is LAYOUTS[name]
    unnamed = get_layout(None, 7)
    assert (unnamed.name, unnamed.num_landmarks, unnamed.mirrorable) == ("points_7", 7, False)
    assert unnamed.left_shoulder is None and get_layout("points_7", 7) == generic_layout(7)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("openpose", 25, r"a pose layout out of \['coco_wholebody_133', .*found 'openpose'"),
        ("mediapipe_pose", 25, "expected 33 landmarks for the pose layout 'mediapipe_pose', found 25 in the data"),
        ("points_9", 7, "found 'points_9'"),
    ],
)
def test_layouts_that_do_not_fit(name, size, message):
    with pytest.raises(ConfigurationError, match=message):
        get_layout(name, size)
