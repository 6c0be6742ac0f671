"""Hands that are not the signer's do not pass."""

import numpy as np
import pytest
from landmark_factories import WRISTS, hand_at, signer_frame, signer_pose

from hf_slt.extraction.hand_checks import MAX_WRIST_DISTANCE, body_unit, check_hands

SIZE = (400, 400)
UNIT = 0.3  # shoulder width of the signer in fractions of a square picture


def test_hands_in_place_stay():
    frame = signer_frame()
    assert check_hands(frame, *SIZE) is frame


@pytest.mark.parametrize(("share", "kept"), [(0.98, True), (1.02, False)])
def test_a_hand_far_from_its_arm_is_dropped(share, kept):
    x, y = WRISTS["left_hand"]
    frame = signer_frame(left_hand=hand_at(x + share * MAX_WRIST_DISTANCE * UNIT, y))
    checked = check_hands(frame, *SIZE)
    assert (checked.left_hand is not None) == kept
    assert checked.right_hand is frame.right_hand and checked.pose is frame.pose


def test_distances_are_of_pixels_and_not_of_fractions():
    x, y = WRISTS["left_hand"]
    frame = signer_frame(left_hand=hand_at(x, y + 0.2))
    # 0.2 of the height: 40 pixels in a wide picture (of a body of 120), 160 in a high one (of a body of 177).
    assert check_hands(frame, 400, 200).left_hand is not None
    assert check_hands(frame, 400, 800).left_hand is None


def test_one_hand_found_twice_is_the_nearer_ones():
    pose = signer_pose()
    middle = hand_at(0.45, 0.7)
    pose[15, :2], pose[16, :2] = (0.48, 0.7), (0.44, 0.7)
    checked = check_hands(signer_frame(pose=pose, left_hand=middle, right_hand=middle + 0.005), *SIZE)
    assert checked.left_hand is None
    np.testing.assert_array_equal(checked.right_hand, middle + 0.005)


def test_hands_that_touch_are_two():
    pose = signer_pose()
    pose[15, :2], pose[16, :2] = (0.52, 0.7), (0.48, 0.7)
    frame = signer_frame(pose=pose, left_hand=hand_at(0.52, 0.7), right_hand=hand_at(0.48, 0.7))
    assert check_hands(frame, *SIZE) is frame


def test_without_a_pose_there_is_no_hand():
    checked = check_hands(signer_frame(pose=None), *SIZE)
    assert checked.left_hand is None and checked.right_hand is None
    assert checked.face is not None


def test_the_unit_holds_when_the_signer_turns():
    pose = signer_pose()
    size = np.array(SIZE, np.float32)
    assert body_unit(pose, size) == pytest.approx(0.3 * 400)
    pose[11, 0], pose[12, 0] = 0.52, 0.5  # both shoulders in line: the upper arms tell
    assert body_unit(pose, size) == pytest.approx(400 * np.hypot(0.5 - 0.3, 0.2), rel=1e-5)
    pose[13:15, 2] = 0.4  # unless they are hidden
    assert body_unit(pose, size) == pytest.approx(0.02 * 400, rel=1e-4)
