"""Square boxes around the face and the hands of one person, frame by frame and causal: usable live."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hf_slt.extraction.hand_checks import body_unit, pose_point, pose_visibility
from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.streams import IMAGE_STREAMS

_VISIBLE = 0.5
# Without hand landmarks the hand is looked for beyond the knuckles of the pose: from the wrist, this many times as far.
# On nine real clips that is half as far from the hand as a third of the forearm beyond the wrist (0.08 to 0.14 units).
_BEYOND_WRIST = 1.2
# Sides of boxes, in body units, where no landmarks of the part have been seen yet.
_HAND_SIDE, _FACE_SIDE = 0.5, 0.6
_HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "mouth_left", "mouth_right")
_CENTRE_SHARE, _SIDE_SHARE = 0.6, 0.15  # how much of the way to a new box a frame goes
_FORGET_AFTER = 10  # frames without a box, after which the next one starts afresh


class Box(NamedTuple):
    """A square in pixels: its centre and its side."""

    x: float
    y: float
    side: float

    def corners(self) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom as whole pixels (right and bottom exclusive); may leave the picture."""
        side = max(int(round(self.side)), 2)
        left, top = int(round(self.x - side / 2)), int(round(self.y - side / 2))
        return left, top, left + side, top + side


def box_around(points: np.ndarray, scale: float) -> Box:
    """Return the square about the box of some points, `scale` times as large as its longer side.

    Args:
        points: `(N, 2)` in pixels.
        scale: 1 or more.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (low + high) / 2
    return Box(float(x), float(y), max(float((high - low).max()) * scale, 2.0))


class _Track:
    """The box of one stream over time: its size changes slowly, its centre is smoothed lightly.

    However fast a part moves or opens, its landmarks stay inside: the margin around them is all that smoothing uses.

    Args:
        scale: Side of the box over the longer side of the landmarks.
    """

    def __init__(self, scale: float):
        self.scale = scale
        self.box: Box | None = None
        self.known_side: float | None = None  # of the last box that landmarks gave
        self._missed = 0

    def miss(self) -> None:
        """Note a frame without a box."""
        self._missed += 1
        if self._missed > _FORGET_AFTER:
            self.box, self.known_side = None, None

    def follow(self, target: Box, exact: bool) -> Box:
        """Move towards a new box.

        Args:
            target: Where the part is now.
            exact: Whether landmarks of the part gave it: its size is then known.
        """
        self._missed = 0
        if self.box is None:
            self.box = target
        else:
            inner = target.side / self.scale  # longer side of the landmarks
            side = max(self.box.side + _SIDE_SHARE * (target.side - self.box.side), inner)
            slack = (side - inner) / 2
            x, y = (
                float(np.clip(old + _CENTRE_SHARE * (new - old), new - slack, new + slack))
                for old, new in ((self.box.x, target.x), (self.box.y, target.y))
            )
            self.box = Box(x, y, side)
        if exact:
            self.known_side = self.box.side
        return self.box


class BoxTracker:
    """Finds the boxes of the image streams, from landmarks where there are some and else from the arms and the head.

    Args:
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        scale: Side of a box over the longer side of its landmarks.
    """

    def __init__(self, width: int, height: int, scale: float):
        self.size = np.array([width, height], np.float32)
        self.scale = scale
        self._tracks = {stream: _Track(scale) for stream in IMAGE_STREAMS}

    def update(self, landmarks: FrameLandmarks) -> dict[str, Box | None]:
        """Take the next frame in.

        Args:
            landmarks: Its landmarks, hands checked by `check_hands`.

        Returns:
            Image stream -> its box, None where the part is not in the picture.
        """
        boxes: dict[str, Box | None] = {}
        for stream, track in self._tracks.items():
            points = getattr(landmarks, stream)
            exact = points is not None
            target = box_around(points * self.size, self.scale) if exact else self._guess(landmarks, stream)
            if target is None or not self._in_picture(target):
                track.miss()
                boxes[stream] = None
            else:
                boxes[stream] = track.follow(target, exact)
        return boxes

    def _in_picture(self, box: Box) -> bool:
        return 0 <= box.x <= self.size[0] and 0 <= box.y <= self.size[1]

    def _guess(self, landmarks: FrameLandmarks, stream: str) -> Box | None:
        """Return a box from the points of the pose, None where they do not show the part."""
        if landmarks.pose is None:
            return None
        pose, known = landmarks.pose, self._tracks[stream].known_side or 0.0
        if stream == "face":
            centre, share = self._head_centre(pose), _FACE_SIDE
        else:
            centre, share = self._hand_centre(pose, stream.removesuffix("_hand")), _HAND_SIDE
        if centre is None:
            return None
        return Box(float(centre[0]), float(centre[1]), max(known, self.scale * share * body_unit(pose, self.size)))

    def _head_centre(self, pose: np.ndarray) -> np.ndarray | None:
        if not self._shown(pose, "nose"):
            return None
        return np.mean([pose_point(pose, name, self.size) for name in _HEAD], axis=0)

    def _hand_centre(self, pose: np.ndarray, side: str) -> np.ndarray | None:
        if not self._shown(pose, f"{side}_wrist"):
            return None
        wrist, index, pinky = (pose_point(pose, f"{side}_{name}", self.size) for name in ("wrist", "index", "pinky"))
        return wrist + _BEYOND_WRIST * ((index + pinky) / 2 - wrist)

    def _shown(self, pose: np.ndarray, name: str) -> bool:
        point = pose_point(pose, name, self.size)
        inside = bool((point >= 0).all() and (point <= self.size).all())
        return inside and pose_visibility(pose, name) >= _VISIBLE
