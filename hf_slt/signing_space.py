"""`signing_space_v1`: body-centred coordinates that do not depend on where the signer stands or how large they appear.

The signing space is 6 head units wide and 7 tall. A head unit is half the shoulder width (shoulders are about two heads
wide in artistic anatomy; the idea of a signing space in head units is from Bohacek and Hruz 2022, "Sign Pose-based
Transformer"). The middle of the shoulders is at x = 1/2, y = 3/7: 3 units of space above it and 4 below. x and y are
mapped to [0, 1]; points outside of the space keep their place up to half a space away. -1 = undetected.
"""

from __future__ import annotations

import numpy as np

from hf_slt.landmarks import PoseLayout

SIGNING_SPACE = "signing_space_v1"
WIDTH, HEIGHT, ABOVE_SHOULDERS = 6.0, 7.0, 3.0  # head units
UNDETECTED = -1.0
_LIMITS = (-0.5, 1.5)  # keeps a stray point away from the sentinel
_MIN_SHOULDER_WIDTH = 1e-4


def normalize_pose(points: np.ndarray, confidence: np.ndarray, layout: PoseLayout) -> np.ndarray:
    """Map a clip's points from image coordinates to signing space.

    Centre and scale are medians over the clip, so that the signer's own movements stay. Without shoulders (not in the
    layout, or never detected) the bounding box of all detected points stands in: its longer side is 4 head units, its
    centre is where the middle of the shoulders would be.

    Args:
        points: `(T, L, 2)` x, y; y grows downwards; any unit that is the same for x and y.
        confidence: `(T, L)`; 0 = undetected.
        layout: The layout of the points.

    Returns:
        `(T, L, 2)` float32; undetected points are -1.
    """
    seen = confidence > 0
    centre, head_unit = _body_frame(points, seen, layout)
    offset = (points - centre) / head_unit  # head units
    x = 0.5 + offset[..., 0] / WIDTH
    y = (ABOVE_SHOULDERS + offset[..., 1]) / HEIGHT
    normalized = np.clip(np.stack((x, y), axis=-1), *_LIMITS)
    return np.where(seen[..., None], normalized, UNDETECTED).astype(np.float32)


def _body_frame(points: np.ndarray, seen: np.ndarray, layout: PoseLayout) -> tuple[np.ndarray, float]:
    """Return the middle of the shoulders `(2,)` and the length of a head unit, both in units of `points`."""
    left, right = layout.left_shoulder, layout.right_shoulder
    if left is not None and right is not None:
        both = seen[:, left] & seen[:, right]
        if both.any():
            width = float(np.median(np.linalg.norm(points[both, left] - points[both, right], axis=-1)))
            if width > _MIN_SHOULDER_WIDTH:
                return np.median((points[both, left] + points[both, right]) / 2, axis=0), width / 2
    if not seen.any():
        return np.zeros(2), 1.0
    low, high = points[seen].min(axis=0), points[seen].max(axis=0)
    longer_side = float((high - low).max())
    return (low + high) / 2, longer_side / 4 if longer_side > 0 else 1.0
