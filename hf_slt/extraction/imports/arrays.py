"""What the models read of an imported clip: the pose stream and the 78 points."""

from __future__ import annotations

import numpy as np

from hf_slt.extraction.gaps import fill_gaps
from hf_slt.extraction.imports.conversion import ImportedClip, to_layout
from hf_slt.extraction.keypoints import VISIBLE
from hf_slt.extraction.options import LARGEST_GAP
from hf_slt.landmarks import LAYOUTS
from hf_slt.signing_space import normalize_pose

KEYPOINTS_LAYOUT = "keypoints_78"
# Confidence from which on a point is believed: the visibility that the extraction of videos asks for, and the threshold
# of MMPose for points to be drawn (`kpt_thr`).
_BELIEVED = {"holistic_543": VISIBLE, "coco_wholebody_133": 0.3}
_IS_BODY = np.array(["_hand_" not in one and not one.startswith("mesh_") for one in LAYOUTS[KEYPOINTS_LAYOUT].points])


def imported_pose(clip: ImportedClip, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the pose stream of a clip in `signing_space_v1`.

    Args:
        clip: The clip.
        layout: Layout of the stream, for example `"mediapipe_pose"`.

    Returns:
        `(T, L, 2)` float32, -1 where missing, and the confidence `(T, L)` float32.

    Raises:
        ConfigurationError: Unknown layout, or one that shares no point with the clip's.
    """
    clip = to_layout(clip, layout)
    size = np.array([clip.width, clip.height] if clip.width and clip.height else [1, 1], np.float32)
    return normalize_pose(clip.points * size, clip.confidence, LAYOUTS[layout]), clip.confidence


def seen_78(clip: ImportedClip) -> tuple[np.ndarray, np.ndarray]:
    """Return the 78 points as detected: `(T, 78, 2)` fractions of the picture, and `(T, 78)` seen.

    A point counts as seen with a confidence of 0.5 (MediaPipe) or 0.3 (COCO-WholeBody) or more, one of the body in the
    picture only.

    Args:
        clip: The clip.
    """
    believed = _BELIEVED.get(clip.layout, VISIBLE)
    clip = to_layout(clip, KEYPOINTS_LAYOUT)
    inside = ((clip.points >= 0) & (clip.points <= 1)).all(axis=-1)
    return clip.points, (clip.confidence >= believed) & (inside | ~_IS_BODY)


def imported_keypoints(clip: ImportedClip, max_gap: int = LARGEST_GAP) -> tuple[np.ndarray, np.ndarray]:
    """Return the 78 points of a clip as the gloss classifiers read them, with short gaps filled.

    Args:
        clip: The clip.
        max_gap: Longest run of frames over which a lost point is interpolated; 0 fills none.

    Returns:
        `(T, 156)` float32, x0, y0, x1, y1, ... in fractions of the picture, (0, 0) where missing; and `(T, 78)` bool,
        True = seen or filled.
    """
    points, seen = fill_gaps(*seen_78(clip), max_gap)
    return points.reshape(len(points), -1), seen
