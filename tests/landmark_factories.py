"""Landmarks of a made-up signer, and a detector that gives them, for tests without MediaPipe."""

from __future__ import annotations

import numpy as np

from hf_slt.extraction.landmark_clip import ClipLandmarks, FrameLandmarks, stack_frames
from hf_slt.landmarks import LAYOUTS

_NAMES = LAYOUTS["mediapipe_pose"].points
# Fractions of the picture; shoulders 0.3 of its width apart, everything else in the middle of the chest.
_PLACES = {
    "nose": (0.5, 0.2),
    "left_shoulder": (0.65, 0.4),
    "right_shoulder": (0.35, 0.4),
    "left_elbow": (0.7, 0.6),
    "right_elbow": (0.3, 0.6),
    "left_wrist": (0.65, 0.7),
    "left_index": (0.65, 0.75),
    "left_pinky": (0.65, 0.75),
    "right_wrist": (0.35, 0.7),
    "right_index": (0.35, 0.75),
    "right_pinky": (0.35, 0.75),
}
WRISTS = {"left_hand": _PLACES["left_wrist"], "right_hand": _PLACES["right_wrist"]}


def pose_number(name: str) -> int:
    """Number of a pose point."""
    return _NAMES.index(name)


def signer_pose(**visibility: float) -> np.ndarray:
    """`(33, 3)`: the pose of the signer; visibility 1 but for the points that are named."""
    pose = np.tile(np.array([0.5, 0.2, 1.0], np.float32), (33, 1))
    for name, place in _PLACES.items():
        pose[pose_number(name), :2] = place
    for name, value in visibility.items():
        pose[pose_number(name), 2] = value
    return pose


def hand_at(x: float, y: float, length: float = 0.1) -> np.ndarray:
    """`(21, 2)`: a hand with its wrist at a place, straight down and half as wide as long."""
    across = np.linspace(-0.25, 0.25, 20) * length
    down = np.linspace(0, 1, 20) * length
    return np.vstack([[x, y], np.stack([x + across, y + down], axis=1)]).astype(np.float32)


def face_at(x: float, y: float, size: float = 0.1) -> np.ndarray:
    """`(468, 2)`: a face whose box has this centre and side."""
    grid = np.linspace(-0.5, 0.5, 468) * size
    return np.stack([x + grid, y + grid], axis=1).astype(np.float32)


def signer_frame(number: int = 0, **changes) -> FrameLandmarks:
    """A frame of the signer, whose right hand rises by 1 % of the picture a frame; `changes` replace parts of it."""
    parts = {
        "pose": signer_pose(),
        "left_hand": hand_at(*WRISTS["left_hand"]),
        "right_hand": hand_at(WRISTS["right_hand"][0], WRISTS["right_hand"][1] - 0.01 * (number % 10)),
        "face": face_at(0.5, 0.2),
    }
    return FrameLandmarks(**{**parts, **changes})


def signer_clip(frames: list[FrameLandmarks], width: int = 400, height: int = 200, fps: float = 25.0) -> ClipLandmarks:
    """A clip of frames."""
    return stack_frames(frames, np.arange(len(frames)) / fps, width, height)


class FakeDetector:
    """Stands in for `HolisticDetector`: gives one frame after the other of a list, the last one from then on.

    Args:
        frames: What to give.
    """

    def __init__(self, frames: list[FrameLandmarks]):
        self.frames = frames
        self.images: list[np.ndarray] = []
        self.closed = False

    def __enter__(self) -> FakeDetector:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """As the real one."""
        self.closed = True

    def detect(self, image: np.ndarray) -> FrameLandmarks:
        """As the real one."""
        self.images.append(image)
        return self.frames[min(len(self.images), len(self.frames)) - 1]
