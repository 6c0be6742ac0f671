"""Body-centred coordinates: what they do not depend on, and what the sentinel means."""

import numpy as np
import pytest
from factories import make_pose

from hf_slt.landmarks import LAYOUTS, generic_layout
from hf_slt.signing_space import UNDETECTED, normalize_pose

LAYOUT = LAYOUTS["mediapipe_pose"]
LEFT, RIGHT = 11, 12


def test_shoulders_stand_where_the_definition_says():
    points, confidence = np.zeros((2, 33, 2)), np.ones((2, 33))
    points[:, LEFT], points[:, RIGHT] = (0.6, 0.5), (0.4, 0.5)  # shoulders are 2 head units wide: 1 unit = 0.1
    points[:, 0] = (0.5, 0.3)  # 2 units above the shoulders
    points[:, 15] = (0.7, 0.8)  # 2 units to the side, 3 below
    normalized = normalize_pose(points, confidence, LAYOUT)
    assert normalized.dtype == np.float32
    assert np.allclose(normalized[0, [LEFT, RIGHT]], [(0.5 + 1 / 6, 3 / 7), (0.5 - 1 / 6, 3 / 7)], atol=1e-6)
    assert np.allclose(normalized[0, [0, 15]], [(0.5, 1 / 7), (0.5 + 2 / 6, 6 / 7)], atol=1e-6)


@pytest.mark.parametrize("layout", [LAYOUT, generic_layout(33)], ids=lambda layout: layout.name)
def test_place_and_size_of_the_signer_do_not_matter(layout):
    points, confidence = make_pose(5, 33)
    confidence[1, 4] = 0
    expected = normalize_pose(points, confidence, layout)
    assert np.unique(expected).size > 100
    moved = normalize_pose(points * 640 + (123, -45), confidence, layout)
    assert np.allclose(moved, expected, atol=1e-4)


def test_movements_of_the_signer_stay():
    points, confidence = np.zeros((3, 33, 2)), np.ones((3, 33))
    points[:, LEFT], points[:, RIGHT] = (0.6, 0.5), (0.4, 0.5)
    points[2] += 0.1  # one frame out of three leans by a head unit: the median does not follow
    normalized = normalize_pose(points, confidence, LAYOUT)
    assert np.allclose(normalized[2, LEFT] - normalized[0, LEFT], (1 / 6, 1 / 7), atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 1e9, -1e9])
def test_undetected_points_are_the_sentinel_whatever_they_held(value):
    points, confidence = make_pose(4, 33)
    expected = normalize_pose(points, confidence, LAYOUT)
    points[1, 3], confidence[1, 3] = value, 0
    normalized = normalize_pose(points, confidence, LAYOUT)
    assert (normalized[1, 3] == UNDETECTED).all() and UNDETECTED == -1
    others = np.ones((4, 33), bool)
    others[1, 3] = False
    assert np.allclose(normalized[others], expected[others], atol=1e-6)


def test_a_detected_point_never_is_the_sentinel():
    points, confidence = make_pose(4, 33)
    points[:, 20] = (-1e6, 1e6)
    normalized = normalize_pose(points, confidence, LAYOUT)
    assert normalized.min() == -0.5 and normalized.max() == 1.5
    assert normalized[:, 20].tolist() == [[-0.5, 1.5]] * 4


@pytest.mark.parametrize("case", ["layout without shoulders", "shoulders never seen", "shoulders in one place"])
def test_without_shoulders_the_bounding_box_stands_in(case):
    points, confidence = np.full((2, 33, 2), 0.5), np.zeros((2, 33))
    points[:, 0], points[:, 1] = (0.2, 0.4), (0.6, 0.6)
    confidence[:, :2] = 1
    layout = generic_layout(33) if case == "layout without shoulders" else LAYOUT
    if case == "shoulders in one place":
        points[:, [LEFT, RIGHT]], confidence[:, [LEFT, RIGHT]] = 0.5, 1
    normalized = normalize_pose(points, confidence, layout)
    # The longer side (0.4) is 4 head units; the middle of the box stands for the middle of the shoulders.
    assert np.allclose(normalized[0, :2], [(0.5 - 2 / 6, 2 / 7), (0.5 + 2 / 6, 4 / 7)], atol=1e-6)


@pytest.mark.parametrize("seen", [0, 1])
def test_clips_with_no_point_or_a_single_one(seen):
    points, confidence = np.full((3, 33, 2), 0.3), np.zeros((3, 33))
    confidence[0, :seen] = 1
    normalized = normalize_pose(points, confidence, LAYOUT)
    assert (normalized == -1).all(-1).sum() == 99 - seen and np.isfinite(normalized).all()
    assert np.allclose(normalized[0, :seen], (0.5, 3 / 7), atol=1e-6)
