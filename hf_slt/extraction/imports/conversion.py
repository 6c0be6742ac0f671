"""A clip of imported landmarks, and the same clip in another layout: points are matched by their names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.landmarks import LAYOUTS, PoseLayout

_SIDES = ("left", "right")
# What stands in for a point that a file does not hold: a point of another part of the body at (about) the same place.
# MediaPipe Pose takes the first knuckles of little and index finger and the second one of the thumb for its fingers.
_STAND_INS = {
    "mesh_nose_ridge": "mesh_nose_tip",
    **{f"{side}_eye_{corner}": f"mesh_{side}_eye_{corner}" for side in _SIDES for corner in ("inner", "outer")},
    **{f"mouth_{side}": f"mesh_mouth_{side}" for side in _SIDES},
    **{f"{side}_pinky": f"{side}_hand_pinky_0" for side in _SIDES},
    **{f"{side}_index": f"{side}_hand_index_0" for side in _SIDES},
    **{f"{side}_thumb": f"{side}_hand_thumb_1" for side in _SIDES},
}


@dataclass(frozen=True)
class ImportedClip:
    """The landmarks of one clip, as another tool wrote them.

    Attributes:
        points: `(T, L, 2)` float32, fractions of the width and height of the picture, y downwards; 0 where missing.
        confidence: `(T, L)` float32 in [0, 1]; 0 = missing.
        layout: Name of the layout of the points (`hf_slt.landmarks.LAYOUTS`).
        width: Width of the picture in pixels, None if nobody says.
        height: Height of the picture in pixels, None if nobody says.
        fps: Frames a second, None if nobody says.
        provenance: Record of the extractor (`hf_slt.provenance`); its version is None, the formats do not hold it.
    """

    points: np.ndarray
    confidence: np.ndarray
    layout: str
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def aspect_ratio(self) -> float:
        """Width of the picture over its height; 1 where they are not known."""
        return self.width / self.height if self.width and self.height else 1.0


def to_layout(clip: ImportedClip, layout: str) -> ImportedClip:
    """Return a clip in another layout, for example `"keypoints_78"`, `"mediapipe_pose"` or `"mediapipe_pose_hands"`.

    Args:
        clip: The clip.
        layout: Key in `LAYOUTS`.

    Returns:
        The clip; points of the new layout that the old one lacks are missing in it.

    Raises:
        ConfigurationError: Unknown layout, or one that shares no point with the clip's.
    """
    if layout not in LAYOUTS:
        raise ConfigurationError(f"expected a layout out of {sorted(LAYOUTS)}, found '{layout}'")
    if layout == clip.layout:
        return clip
    points, confidence = convert_layout(clip.points, clip.confidence, LAYOUTS[clip.layout], LAYOUTS[layout])
    return replace(clip, points=points, confidence=confidence, layout=layout)


def convert_layout(
    points: np.ndarray, confidence: np.ndarray, source: PoseLayout, target: PoseLayout
) -> tuple[np.ndarray, np.ndarray]:
    """Put points into another order, by name.

    A point that the source lacks, or that was seen in no frame, is taken from a point of another part at its place (the
    fingers of MediaPipe Pose from the hands, the corners of eyes and mouth from the face), else it is missing.

    Args:
        points: `(T, L, 2)`.
        confidence: `(T, L)` in [0, 1]; 0 = missing.
        source: Layout of `points`.
        target: The layout to convert to, of M points.

    Returns:
        `(T, M, 2)` float32, 0 where missing, and `(T, M)` float32.

    Raises:
        ConfigurationError: The two layouts share no point.
    """
    place = {name: i for i, name in enumerate(source.points)}
    ever_seen = np.asarray(confidence.any(axis=0))
    new_points = np.zeros((len(points), target.num_landmarks, 2), np.float32)
    new_confidence = np.zeros(new_points.shape[:2], np.float32)
    shared = 0
    for row, name in enumerate(target.points):
        known = [place[one] for one in (name, _STAND_INS.get(name)) if one in place]
        shared += bool(known)
        column = next((one for one in known if ever_seen[one]), None)
        if column is not None:
            new_points[:, row], new_confidence[:, row] = points[:, column], confidence[:, column]
    if not shared:
        raise ConfigurationError(
            f"expected a layout that shares points with '{source.name}', found '{target.name}', whose points are all "
            "others; choose a layout of the same parts of the body"
        )
    new_points[new_confidence == 0] = 0
    return new_points, new_confidence
