"""Landmarks of a person as the detector gives them: of one frame, and of a clip.

Dimensions: T frames. All points are fractions of the width and height of the whole picture, y downwards, also where
the detector saw only a part of it. A part that was not detected is None in a frame and a False in a clip.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

NUM_POSE, NUM_HAND, NUM_FACE = 33, 21, 468
PARTS = {"pose": NUM_POSE, "left_hand": NUM_HAND, "right_hand": NUM_HAND, "face": NUM_FACE}


@dataclass(frozen=True)
class FrameLandmarks:
    """The landmarks of one frame; None where a part was not detected.

    Attributes:
        pose: `(33, 3)` float32, x, y and visibility in [0, 1].
        left_hand: `(21, 2)` float32; the signer's left.
        right_hand: `(21, 2)` float32.
        face: `(468, 2)` float32.
        person_mask: `(H, W)` float32 in [0, 1], 1 = person; only if segmentation was asked for.
    """

    pose: np.ndarray | None = None
    left_hand: np.ndarray | None = None
    right_hand: np.ndarray | None = None
    face: np.ndarray | None = None
    person_mask: np.ndarray | None = None


@dataclass
class ClipLandmarks:
    """The landmarks of a clip.

    Attributes:
        points: Part (`pose`, `left_hand`, `right_hand`, `face`) -> `(T, P, 2)` float32; 0 where not detected.
        seen: Part -> `(T,)` bool, whether it was detected.
        visibility: `(T, 33)` float32 in [0, 1]; 0 where no pose was detected.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        times: `(T,)` float64, seconds since the start of the clip.
        signer: How the signer was chosen (people, region, ...), plain values for the metadata.
    """

    points: dict[str, np.ndarray]
    seen: dict[str, np.ndarray]
    visibility: np.ndarray
    width: int
    height: int
    times: np.ndarray
    signer: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def aspect_ratio(self) -> float:
        """Width of the picture over its height."""
        return self.width / self.height


def stack_frames(
    frames: list[FrameLandmarks], times: np.ndarray, width: int, height: int, signer: dict[str, Any] | None = None
) -> ClipLandmarks:
    """Put the frames of a clip together; see `ClipLandmarks` for the arguments."""
    points, seen = {}, {}
    for part, size in PARTS.items():
        found = [getattr(frame, part) for frame in frames]
        seen[part] = np.array([one is not None for one in found], dtype=bool)
        points[part] = np.zeros((len(frames), size, 2), dtype=np.float32)
        for row, one in enumerate(found):
            if one is not None:
                points[part][row] = one[:, :2]
    visibility = np.zeros((len(frames), NUM_POSE), dtype=np.float32)
    for row, frame in enumerate(frames):
        if frame.pose is not None:
            visibility[row] = frame.pose[:, 2]
    return ClipLandmarks(points, seen, visibility, width, height, np.asarray(times, np.float64), signer or {})
