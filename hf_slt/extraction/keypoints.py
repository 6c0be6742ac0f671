"""The 78 points of the gloss classifiers, in fractions of the picture, of a clip of landmarks."""

from __future__ import annotations

import numpy as np

from hf_slt.extraction.gaps import fill_gaps
from hf_slt.extraction.landmark_clip import ClipLandmarks
from hf_slt.landmarks import LAYOUTS

# Vertices of MediaPipe's Face Mesh behind the `mesh_...` points of the layout `keypoints_78`, in its order.
FACE_POINTS = (1, 33, 263, 133, 362, 61, 291, 105, 334, 199, 4)
# The detector places all pose points always, also those behind something and out of the picture.
VISIBLE = 0.5
_BODY = sum(1 for name in LAYOUTS["keypoints_78"].points if not name.startswith("mesh_") and "_hand_" not in name)


def seen_pose_points(clip: ClipLandmarks) -> np.ndarray:
    """Return which of the 33 pose points can be seen: `(T, 33)`, in the picture and with a visibility of 0.5 or more.

    Args:
        clip: The landmarks.
    """
    points = clip.points["pose"]
    inside = ((points >= 0) & (points <= 1)).all(axis=-1)
    return clip.seen["pose"][:, None] & inside & (clip.visibility >= VISIBLE)


def stack_78(clip: ClipLandmarks) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of the layout `keypoints_78` as detected: `(T, 78, 2)` fractions, and `(T, 78)` seen."""
    face = clip.points["face"][:, list(FACE_POINTS)]
    points = [clip.points["pose"][:, :_BODY], clip.points["left_hand"], clip.points["right_hand"], face]
    seen = [seen_pose_points(clip)[:, :_BODY]]
    for part, array in zip(("left_hand", "right_hand", "face"), points[1:], strict=True):
        seen.append(np.repeat(clip.seen[part][:, None], array.shape[1], axis=1))
    return np.concatenate(points, axis=1), np.concatenate(seen, axis=1)


def keypoints_78(clip: ClipLandmarks, max_gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a clip as the gloss classifiers read it: layout `keypoints_78`, fractions of the picture.

    A pose point counts as seen in the picture and with a visibility of 0.5 or more, a point of a hand or of the face
    where that part was detected. A point that was lost for up to `max_gap` frames is interpolated and then counts as
    seen.

    Args:
        clip: The landmarks.
        max_gap: Longest run of frames to fill.

    Returns:
        `(T, 156)` float32, x0, y0, x1, y1, ...; (0, 0) where missing; and `(T, 78)` bool, True = seen or filled.
    """
    points, seen = fill_gaps(*stack_78(clip), max_gap)
    return points.reshape(len(points), -1), seen
