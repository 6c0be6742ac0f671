"""Hands that cannot be the signer's are dropped: the hand model can jump to another hand, or take one for both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.landmarks import LAYOUTS

_INDEX = {name: number for number, name in enumerate(LAYOUTS["mediapipe_pose"].points)}
HANDS = ("left_hand", "right_hand")
# Largest distance between a hand's own wrist and the wrist of the pose, in body units (see `body_unit`); 0.33 is the
# largest among hands in place on nine real clips.
MAX_WRIST_DISTANCE = 0.45
# Two hands whose points lie closer than this on average, in lengths of the hand, are one hand found twice.
SAME_HAND = 0.15


def pose_point(pose: np.ndarray, name: str, size: np.ndarray) -> np.ndarray:
    """Return one pose point in pixels.

    Args:
        pose: `(33, 3)` as `FrameLandmarks.pose`.
        name: Its name in the layout `mediapipe_pose`.
        size: `(2,)` width and height of the picture.
    """
    return pose[_INDEX[name], :2] * size


def pose_visibility(pose: np.ndarray, name: str) -> float:
    """Return the visibility of one pose point by its name."""
    return float(pose[_INDEX[name], 2])


def body_unit(pose: np.ndarray, size: np.ndarray) -> float:
    """Return the size of a person in pixels: the longest of the shoulder width and the two upper arms.

    A shoulder width alone shrinks when the person turns; an upper arm is about as long.

    Args:
        pose: `(33, 3)` as `FrameLandmarks.pose`.
        size: `(2,)` width and height of the picture.
    """
    left, right = (pose_point(pose, f"{side}_shoulder", size) for side in ("left", "right"))
    arms = [
        np.linalg.norm(shoulder - pose_point(pose, f"{side}_elbow", size))
        for side, shoulder in (("left", left), ("right", right))
        if pose_visibility(pose, f"{side}_elbow") >= 0.5
    ]
    return max(float(np.linalg.norm(left - right)), *map(float, arms), 1.0)


def check_hands(landmarks: FrameLandmarks, width: int, height: int) -> FrameLandmarks:
    """Drop hands that are not at the arms of the person, and one of two that are the same hand.

    Args:
        landmarks: One frame.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        The frame with what is left of its hands; without a pose nothing says whose hands they are, and none is left.
    """
    size = np.array([width, height], np.float32)
    distances = {hand: _wrist_distance(landmarks, hand, size) for hand in HANDS}
    kept = {hand for hand in HANDS if distances[hand] <= MAX_WRIST_DISTANCE}
    if len(kept) == 2 and _same_hand(landmarks.left_hand * size, landmarks.right_hand * size):
        kept.remove(max(HANDS, key=distances.__getitem__))
    lost = {hand: None for hand in HANDS if hand not in kept}
    return replace(landmarks, **lost) if lost else landmarks


def _wrist_distance(landmarks: FrameLandmarks, hand: str, size: np.ndarray) -> float:
    """Return how far a hand is from its arm, in body units; infinite without a hand or a pose."""
    points, pose = getattr(landmarks, hand), landmarks.pose
    if points is None or pose is None:
        return float("inf")
    offset = points[0] * size - pose_point(pose, hand.replace("hand", "wrist"), size)
    return float(np.linalg.norm(offset)) / body_unit(pose, size)


def _same_hand(left: np.ndarray, right: np.ndarray) -> bool:
    length = max(float(np.ptp(hand, axis=0).max()) for hand in (left, right))
    return float(np.linalg.norm(left - right, axis=1).mean()) < SAME_HAND * length
