"""Geometry of landmark clips: resampling in time, the frame of the body, the shape of a hand.

Points `(T, L, 2)` stand beside a mask `(T, L)`, True = seen. What a point that was not seen holds means nothing: it is
never read, and comes out as 0.
"""

from __future__ import annotations

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.landmarks import PoseLayout

# Rows of a hand of 21 points: the wrist, and the knuckles of the index, middle and little finger.
_WRIST, _KNUCKLES = 0, [5, 9, 17]
# A shoulder width holds about 3.6 palms (wrist to middle knuckle): 36 to 40 cm to 10 to 11 cm in adult anthropometry.
PALMS_PER_SHOULDER_WIDTH = 3.6
# Narrower shoulders, in palms, are those of a body that the detector made up, as it does in close-ups of a hand.
_NARROWEST_SHOULDERS = 1.5
_RAISED = 0.5  # shoulder widths: one hand is clearly higher than the other
_SMALLEST = 1e-4


def resample_clip(points: np.ndarray, mask: np.ndarray, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Play a clip in another number of frames, linearly interpolated; the first and last frame stay.

    A point that was seen in only one of the two neighbouring frames takes that frame's place if it is the nearer one.

    Args:
        points: `(T, L, 2)`.
        mask: `(T, L)`.
        num_frames: T' of 1 or more.

    Returns:
        `(T', L, 2)` float32 and `(T', L)`.
    """
    last = len(points) - 1
    position = np.linspace(0, last, num_frames) if num_frames > 1 else np.array([last / 2])
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, last)
    share = (position - low).astype(np.float32)[:, None]
    seen_low, seen_high = mask[low], mask[high]
    weight = np.where(seen_low & seen_high, share, share >= 0.5).astype(np.float32)[..., None]
    resampled = points[low] * (1 - weight) + points[high] * weight
    seen = np.where(share >= 0.5, seen_high, seen_low)
    return np.where(seen[..., None], resampled, 0).astype(np.float32), seen


def palm_length(points: np.ndarray, mask: np.ndarray) -> float | None:
    """Return the typical distance from the wrist to the farthest knuckle of a hand, or None if it was never seen.

    The farthest knuckle changes least when the hand turns in space; the median is over frames.

    Args:
        points: `(T, 21, 2)`.
        mask: `(T, 21)`.
    """
    seen = mask[:, _WRIST] & mask[:, _KNUCKLES].all(axis=1)
    if not seen.any():
        return None
    offsets = points[seen][:, _KNUCKLES] - points[seen][:, [_WRIST]]
    length = float(np.median(np.sqrt((offsets**2).sum(axis=-1)).max(axis=1)))
    return length if length > _SMALLEST else None


def body_frame(points: np.ndarray, mask: np.ndarray, layout: PoseLayout) -> tuple[np.ndarray, float]:
    """Return the origin and the unit of a clip: the middle of the shoulders and their distance, as medians.

    Where the shoulders were never seen, or are too close for the hands (a close-up), the palms stand in: the origin is
    the mean place of the wrists and the unit 3.6 palms. Without hands too, it is the box around all points: its centre
    and half of its longer side.

    Args:
        points: `(T, L, 2)`, the same unit for x and y.
        mask: `(T, L)`.
        layout: The layout of the points.

    Returns:
        Origin `(2,)`, and the length of a unit.
    """
    hands = _hand_frame(points, mask, layout)
    narrowest = _SMALLEST if hands is None else _NARROWEST_SHOULDERS / PALMS_PER_SHOULDER_WIDTH * hands[1]
    shoulders = _shoulder_frame(points, mask, layout)
    if shoulders is not None and shoulders[1] > narrowest:
        return shoulders
    return hands or _box_frame(points, mask)


def _shoulder_frame(points: np.ndarray, mask: np.ndarray, layout: PoseLayout) -> tuple[np.ndarray, float] | None:
    left, right = layout.left_shoulder, layout.right_shoulder
    if left is None or right is None:
        return None
    both = mask[:, left] & mask[:, right]
    if not both.any():
        return None
    width = float(np.median(np.linalg.norm(points[both, left] - points[both, right], axis=-1)))
    return np.median((points[both, left] + points[both, right]) / 2, axis=0), width


def _hand_frame(points: np.ndarray, mask: np.ndarray, layout: PoseLayout) -> tuple[np.ndarray, float] | None:
    palms, wrists = [], []
    for hand in layout.hands:
        palm = palm_length(points[:, hand], mask[:, hand])
        if palm is not None:
            palms.append(palm)
            wrists.append(points[mask[:, hand[_WRIST]], hand[_WRIST]])
    if not palms:
        return None
    return np.concatenate(wrists).mean(axis=0), PALMS_PER_SHOULDER_WIDTH * max(palms)


def _box_frame(points: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, float]:
    if not mask.any():
        return np.zeros(2), 1.0
    low, high = points[mask].min(axis=0), points[mask].max(axis=0)
    longer_side = float((high - low).max())
    return (low + high) / 2, longer_side / 2 if longer_side > _SMALLEST else 1.0


def body_coordinates(points: np.ndarray, mask: np.ndarray, layout: PoseLayout) -> np.ndarray:
    """Express points in the frame of the body, see `body_frame`: `(T, L, 2)` float32, 0 where not seen."""
    origin, unit = body_frame(points, mask, layout)
    return np.where(mask[..., None], (points - origin) / unit, 0).astype(np.float32)


def hand_coordinates(points: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Express a hand about its own wrist, in palm lengths: the shape alone, wherever the hand is and however large.

    Args:
        points: `(T, 21, 2)`, wrist first.
        mask: `(T, 21)`.

    Returns:
        `(T, 40)` float32, x and y of all points but the wrist, 0 where not known; and `(T, 40)`, whether known.
    """
    known = np.repeat(mask[:, 1:] & mask[:, :1], 2, axis=1)
    palm = palm_length(points, mask)
    if palm is None:
        return np.zeros(known.shape, dtype=np.float32), np.zeros_like(known)
    shape = ((points[:, 1:] - points[:, :1]) / palm).reshape(known.shape)
    return np.where(known, shape, 0).astype(np.float32), known


def mirror_clip(
    points: np.ndarray, mask: np.ndarray, layout: PoseLayout, width: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror a clip in a picture that is `width` wide; left and right points change places.

    Raises:
        ConfigurationError: The layout does not know left from right.
    """
    if not layout.mirrorable:
        raise ConfigurationError(
            f"expected landmarks that name left and right to mirror clips, found the layout '{layout.name}'; give "
            f"--layout, or switch off what mirrors (--augment-flip 0, --no-right-handed)"
        )
    points, mask = points[:, layout.mirrored].copy(), mask[:, layout.mirrored]
    points[..., 0] = np.where(mask, width - points[..., 0], 0)
    return points, mask


def is_left_handed(points: np.ndarray, mask: np.ndarray, layout: PoseLayout) -> bool:
    """Tell whether the left hand is the one that signs.

    It is if it alone is seen (in more than twice as many frames as the other), else if it is higher by half a shoulder
    width, which tells an idle hand from an active one, else if it is not lower by as much and moves more.

    Args:
        points: `(T, L, 2)`, the same unit for x and y, y downwards.
        mask: `(T, L)`.
        layout: The layout of the points; one without hands is never left-handed.
    """
    if not layout.hands:
        return False
    left, right = (hand[_WRIST] for hand in layout.hands)
    frames_left, frames_right = mask[:, left].sum(), mask[:, right].sum()
    if frames_left > 2 * frames_right or frames_right > 2 * frames_left:
        return bool(frames_left > frames_right)
    if not frames_left:
        return False
    _, unit = body_frame(points, mask, layout)
    raised = (np.median(points[mask[:, right], right, 1]) - np.median(points[mask[:, left], left, 1])) / unit
    if abs(raised) > _RAISED:
        return bool(raised > 0)
    return _path_length(points[:, left], mask[:, left]) > _path_length(points[:, right], mask[:, right])


def _path_length(wrist: np.ndarray, seen: np.ndarray) -> float:
    both = seen[1:] & seen[:-1]
    return float(np.linalg.norm(wrist[1:] - wrist[:-1], axis=-1)[both].sum())
