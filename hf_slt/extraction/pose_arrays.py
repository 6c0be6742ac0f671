"""The pose stream of the translation models, of a clip of landmarks."""

from __future__ import annotations

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.extraction.landmark_clip import ClipLandmarks
from hf_slt.landmarks import LAYOUTS

POSE_LAYOUTS = ("mediapipe_pose", "mediapipe_pose_upper", "mediapipe_pose_hands")


def pose_streams(clip: ClipLandmarks, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a pose layout, in pixels: the same unit for x and y, as `normalize_pose` needs it.

    The confidence of a pose point is its visibility, that of a hand point is 1 where the hand was detected.

    Args:
        clip: The landmarks.
        layout: One of `POSE_LAYOUTS`.

    Returns:
        `(T, L, 2)` float32, 0 where not detected, and the confidence `(T, L)` float32, 0 where not detected.

    Raises:
        ConfigurationError: Another layout.
    """
    if layout not in POSE_LAYOUTS:
        raise ConfigurationError(
            f"expected a layout of extracted poses out of {list(POSE_LAYOUTS)}, found '{layout}'; set --pose-layout"
        )
    points, confidence = [clip.points["pose"]], [np.where(clip.seen["pose"][:, None], clip.visibility, 0)]
    for hand in ("left_hand", "right_hand") if layout == "mediapipe_pose_hands" else ():
        points.append(clip.points[hand])
        confidence.append(np.repeat(clip.seen[hand][:, None], clip.points[hand].shape[1], axis=1))
    count = LAYOUTS[layout].num_landmarks
    stacked = np.concatenate(points, axis=1)[:, :count] * np.array([clip.width, clip.height], np.float32)
    known = np.concatenate(confidence, axis=1)[:, :count].astype(np.float32)
    return np.where(known[..., None] > 0, stacked, 0).astype(np.float32), known
