"""Geometry of landmark clips."""

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.keypoint_geometry import (
    PALMS_PER_SHOULDER_WIDTH,
    body_coordinates,
    body_frame,
    hand_coordinates,
    is_left_handed,
    mirror_clip,
    palm_length,
    resample_clip,
)
from hf_slt.landmarks import LAYOUTS, generic_layout

LAYOUT = LAYOUTS["keypoints_78"]


def random_clip(frames=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((frames, 78, 2), dtype=np.float32), np.ones((frames, 78), bool)


def test_the_layout_knows_its_hands():
    left, right = LAYOUT.hands
    assert (left[0], left[-1], right[0], right[-1]) == (25, 45, 46, 66)
    assert LAYOUT.points[left[0]] == "left_hand_wrist"
    assert not set(LAYOUT.body) & {*left, *right}
    assert len(LAYOUT.body) == 78 - 42
    assert generic_layout(10).hands == ()


def test_resampling_interpolates_and_keeps_the_ends():
    points, mask = random_clip(5)
    resampled, seen = resample_clip(points, mask, 9)
    assert np.allclose(resampled[::2], points, atol=1e-6)
    assert np.allclose(resampled[1], (points[0] + points[1]) / 2, atol=1e-6)
    assert seen.all()
    assert np.allclose(resample_clip(points, mask, 1)[0][0], points[2])
    assert np.allclose(resample_clip(points[:1], mask[:1], 4)[0], points[[0, 0, 0, 0]])


def test_resampling_never_mixes_a_missing_point_in():
    points, mask = random_clip(3)
    points[1, 4], mask[1, 4] = 1e6, False
    resampled, seen = resample_clip(points, mask, 5)
    assert seen[:, 4].tolist() == [True, False, False, True, True]  # at 0, 0.5, 1, 1.5, 2
    assert np.abs(resampled).max() <= 1
    assert not resampled[~seen].any()


def test_palm_is_the_farthest_knuckle_in_the_median_frame():
    points, mask = np.zeros((3, 21, 2), np.float32), np.ones((3, 21), bool)
    points[:, 9, 1] = [0.1, 0.2, 9.0]
    assert palm_length(points, mask) == pytest.approx(0.2)
    mask[2, 0] = False
    assert palm_length(points, mask) == pytest.approx(0.15)
    assert palm_length(points, np.zeros_like(mask)) is None
    assert palm_length(np.zeros_like(points), mask) is None


def test_body_frame_is_the_shoulders():
    points, mask = random_clip()
    points[:, 11], points[:, 12] = (6, 4), (4, 4)
    origin, unit = body_frame(points, mask, LAYOUT)
    assert np.allclose(origin, (5, 4))
    assert unit == pytest.approx(2)


def test_shoulders_too_close_for_the_hands_are_not_believed():
    points, mask = random_clip()
    alone = mask.copy()
    alone[:, LAYOUT.body] = False
    points[:, 11], points[:, 12] = (0.6, 0.4), (0.4, 0.4)  # the hands are about 1 large
    from_hands = body_frame(points, alone, LAYOUT)
    assert body_frame(points, mask, LAYOUT)[1] == from_hands[1]
    assert np.allclose(body_frame(points, mask, LAYOUT)[0], from_hands[0])


def test_without_shoulders_the_hands_stand_in_and_then_the_box():
    points, mask = random_clip()
    mask[:, LAYOUT.body] = False
    hands = LAYOUT.hands
    palms = [palm_length(points[:, hand], mask[:, hand]) for hand in hands]
    origin, unit = body_frame(points, mask, LAYOUT)
    assert unit == pytest.approx(PALMS_PER_SHOULDER_WIDTH * max(palms))
    assert np.allclose(origin, points[:, [hands[0][0], hands[1][0]]].mean(axis=(0, 1)), atol=1e-6)
    mask[:] = False
    mask[:, 0] = True
    points[:, 0] = np.linspace((0, 0), (1, 0.2), len(points))
    origin, unit = body_frame(points, mask, LAYOUT)
    assert np.allclose(origin, (0.5, 0.1))
    assert unit == pytest.approx(0.5)
    assert body_frame(points, np.zeros_like(mask), LAYOUT)[1] == 1.0


@pytest.mark.parametrize("hidden", [False, True])
def test_body_coordinates_do_not_depend_on_place_and_distance(hidden):
    points, mask = random_clip()
    if hidden:
        mask[:, LAYOUT.body] = False
    moved = body_coordinates(3 * points + np.array([5, -2]), mask, LAYOUT)
    assert np.allclose(moved, body_coordinates(points, mask, LAYOUT), atol=1e-4)


def test_missing_points_are_zero_whatever_they_hold():
    points, mask = random_clip()
    mask[2, 30] = False
    expected = body_coordinates(points, mask, LAYOUT)
    points[2, 30] = np.nan
    assert not expected[2, 30].any()
    assert np.array_equal(body_coordinates(points, mask, LAYOUT), expected)


def test_hand_coordinates_are_the_shape_alone():
    points, mask = random_clip()
    hand = LAYOUT.hands[1]
    shape, known = hand_coordinates(points[:, hand], mask[:, hand])
    assert shape.shape == known.shape == (7, 40)
    moved, _ = hand_coordinates(0.2 * points[:, hand] + 4, mask[:, hand])
    assert np.allclose(moved, shape, atol=1e-4)
    assert np.linalg.norm(shape.reshape(7, 20, 2), axis=-1).max() > 0.5


def test_mirroring_twice_gives_the_clip_back():
    points, mask = random_clip()
    mask[:, LAYOUT.hands[0]] = False
    points[~mask] = 0
    mirrored, seen = mirror_clip(points, mask, LAYOUT, 1.5)
    assert seen[:, LAYOUT.hands[0]].all() and not seen[:, LAYOUT.hands[1]].any()
    assert np.allclose(mirrored[:, LAYOUT.hands[0], 0], 1.5 - points[:, LAYOUT.hands[1], 0])
    again, seen = mirror_clip(mirrored, seen, LAYOUT, 1.5)
    assert np.allclose(again, points, atol=1e-6) and np.array_equal(seen, mask)


def test_unnamed_points_cannot_be_mirrored():
    with pytest.raises(
        ConfigurationError, match="name left and right .* found the layout 'points_4'.*--augment-flip 0"
    ):
        mirror_clip(np.zeros((2, 4, 2)), np.ones((2, 4), bool), generic_layout(4))


def hands_at(left, right, frames=6):
    """A body with its hands at given places; a place is (x, y), or (x, y, motion)."""
    points, mask = random_clip(frames)
    points *= 0.05
    points[:, 11], points[:, 12] = (0.6, 0.4), (0.4, 0.4)
    for hand, place in zip(LAYOUT.hands, (left, right), strict=True):
        if place is None:
            mask[:, hand] = False
            continue
        points[:, hand] += np.array(place[:2]) - points[:1, hand[:1]]
        points[:, hand, 0] += np.linspace(0, place[2] if len(place) > 2 else 0, frames)[:, None]
    return points, mask


@pytest.mark.parametrize(
    ("left", "right", "left_handed"),
    [
        ((0.6, 0.5), None, True),  # the only one
        (None, (0.4, 0.5), False),
        ((0.6, 0.4), (0.4, 0.9, 0.5), True),  # raised, whatever the hanging one does
        ((0.6, 0.9, 0.5), (0.4, 0.4), False),
        ((0.6, 0.5, 0.9), (0.4, 0.5), True),  # both raised: the one that moves
        ((0.6, 0.5), (0.4, 0.5, 0.9), False),
        (None, None, False),
    ],
)
def test_the_signing_hand_is_the_seen_then_the_raised_then_the_moving_one(left, right, left_handed):
    points, mask = hands_at(left, right)
    assert is_left_handed(points, mask, LAYOUT) is left_handed
    if left is not None or right is not None:
        assert is_left_handed(*mirror_clip(points, mask, LAYOUT), LAYOUT) is not left_handed


def test_a_layout_without_hands_is_never_left_handed():
    assert not is_left_handed(np.ones((3, 4, 2)), np.ones((3, 4), bool), generic_layout(4))


def test_an_unseen_wrist_makes_a_hand_unknown():
    points, mask = random_clip()
    points, mask = points[:, :21], mask[:, :21].copy()
    mask[3, 0] = False
    numbers, known = hand_coordinates(points, mask)
    assert not numbers[3].any() and not known[3].any()
    assert known[[0, 1, 2, 4, 5, 6]].all()
    numbers, known = hand_coordinates(points, np.zeros_like(mask))
    assert not numbers.any() and not known.any()
