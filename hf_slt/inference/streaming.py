"""A window over the latest frames of a signer who is still signing, and what a model reads of it.

Dimensions: T frames, L landmarks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hf_slt.errors import ConfigurationError
from hf_slt.extraction.hand_checks import body_unit, pose_point, pose_visibility
from hf_slt.extraction.landmark_clip import ClipLandmarks, FrameLandmarks, stack_frames
from hf_slt.landmarks import LAYOUTS, PoseLayout
from hf_slt.streams import IMAGE_STREAMS

WRITTEN_LAYOUTS = ("mediapipe_pose", "mediapipe_pose_upper", "mediapipe_pose_hands")  # that a detector gives as such
_LARGEST_LAYOUT = "mediapipe_pose_hands"
# Hanging hands are about two shoulder widths below the shoulders (adult anthropometry), hands in the lap 1.5 or more.
_REST_DEPTH = 1.4  # body units
_MIN_VISIBILITY = 0.5

PoseReader = Callable[[ClipLandmarks, str], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class LiveFrame:
    """One frame with everything that was found in it.

    Attributes:
        number: Number of the frame among those looked at.
        time: Seconds since the start of the clip, or of the camera.
        landmarks: What the detector found.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        crops: Image stream -> uint8 `(S, S, 3)`, None where that part was not found.
        arrival: When the frame could first be read, in seconds of `time.perf_counter`.
    """

    number: int
    time: float
    landmarks: FrameLandmarks
    width: int
    height: int
    crops: dict[str, np.ndarray | None] = field(default_factory=dict)
    arrival: float = 0.0


class TemporalBuffer:
    """The latest frames, up to a window of time; what is older falls out.

    Args:
        window: Seconds between the oldest and the latest frame that are kept, at most.
        overlap: Seconds of the end that `restart` keeps.

    Raises:
        ConfigurationError: A window that is not above 0, or an overlap that is not shorter than it.
    """

    def __init__(self, window: float, overlap: float = 0.0):
        if not window > 0 or not 0 <= overlap < window:
            raise ConfigurationError(
                f"expected a window above 0 s and an overlap from 0 s to less than it, found {window:g} s and "
                f"{overlap:g} s"
            )
        self.window = window
        self.overlap = overlap
        self._frames: deque[LiveFrame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def frames(self) -> list[LiveFrame]:
        """The frames in the window, oldest first."""
        return list(self._frames)

    @property
    def start(self) -> float:
        """Time of the oldest frame in seconds."""
        return self._frames[0].time

    @property
    def end(self) -> float:
        """Time of the latest frame in seconds."""
        return self._frames[-1].time

    @property
    def is_full(self) -> bool:
        """Whether the window is used up: the next frame would push one out."""
        if len(self._frames) < 2:
            return False
        step = (self.end - self.start) / (len(self._frames) - 1)
        return self.end + step - self.start > self.window

    def append(self, frame: LiveFrame) -> None:
        """Add the next frame.

        Raises:
            ConfigurationError: It is not later than the one before.
        """
        if self._frames and frame.time <= self.end:
            raise ConfigurationError(f"expected a frame later than {self.end:.3f} s, found one at {frame.time:.3f} s")
        self._frames.append(frame)
        self.keep_last(self.window)

    def keep_last(self, seconds: float) -> None:
        """Forget what is more than some seconds older than the latest frame."""
        while self._frames and self.end - self._frames[0].time > seconds + 1e-9:
            self._frames.popleft()

    def restart(self) -> None:
        """Begin a new segment: forget everything but the overlap."""
        if self.overlap:
            self.keep_last(self.overlap)
        else:
            self._frames.clear()


def clip_landmarks(frames: Sequence[LiveFrame]) -> ClipLandmarks:
    """Return the landmarks of some frames as those of a clip."""
    times = np.array([frame.time for frame in frames])
    first = frames[0]
    return stack_frames([frame.landmarks for frame in frames], times, first.width, first.height)


def hands_raised(frame: LiveFrame) -> bool:
    """Tell whether a person is there and holds a hand above the lap, which no rest position does.

    A hand is where its wrist is: of the hand that was detected, else of the body if it is visible and in the picture.
    """
    marks, size = frame.landmarks, np.array([frame.width, frame.height], dtype=np.float32)
    if marks.pose is None:
        return False
    shoulders = [pose_point(marks.pose, f"{side}_shoulder", size)[1] for side in ("left", "right")]
    lowest = sum(shoulders) / 2 + _REST_DEPTH * body_unit(marks.pose, size)
    for side, hand in (("left", marks.left_hand), ("right", marks.right_hand)):
        wrist, visibility = pose_point(marks.pose, f"{side}_wrist", size), pose_visibility(marks.pose, f"{side}_wrist")
        if hand is not None:
            wrist, visibility = hand[0] * size, 1.0
        is_inside = bool(((wrist >= 0) & (wrist <= size)).all())
        if visibility >= _MIN_VISIBILITY and is_inside and wrist[1] < lowest:
            return True
    return False


def read_points(
    clip: ClipLandmarks, layout: PoseLayout, pose_reader: PoseReader | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a layout in pixels `(T, L, 2)`, and their confidence `(T, L)`, 0 = undetected.

    Args:
        clip: The landmarks.
        layout: What the model reads; a layout that no detector gives as such is put together by the names of points.
        pose_reader: What makes the points of a clip; that of the extraction by default.

    Raises:
        ConfigurationError: The layout has points that the detector does not give.
    """
    if pose_reader is None:
        from hf_slt.extraction.pose_arrays import pose_streams as pose_reader
    if layout.name in WRITTEN_LAYOUTS:
        return pose_reader(clip, layout.name)
    check_layout(layout)
    position = {point: i for i, point in enumerate(LAYOUTS[_LARGEST_LAYOUT].points)}
    order = [position[point] for point in layout.points]
    points, confidence = pose_reader(clip, _LARGEST_LAYOUT)
    return points[:, order], confidence[:, order]


def check_layout(layout: PoseLayout) -> None:
    """Raise `ConfigurationError` for a layout with points that the detector does not give."""
    known = set(LAYOUTS[_LARGEST_LAYOUT].points)
    if others := [point for point in layout.points if point not in known]:
        raise ConfigurationError(
            f"expected a model that reads landmarks of MediaPipe, found one of the layout '{layout.name}' with points "
            f"that it does not give ({', '.join(others[:5])}{', ...' if len(others) > 5 else ''}); extract the "
            f"training clips with scripts/extract_streams.py and train on them"
        )


def stream_inputs(
    frames: Sequence[LiveFrame], streams: Sequence[str], layout: PoseLayout, pose_reader: PoseReader | None = None
) -> dict[str, Any]:
    """Return what `MultiStreamFeatureExtractor.__call__` takes of a window: a list of frames or an array a stream.

    A frame in which a part was not found is None; a stream in which nothing was found at all is left out.

    Args:
        frames: The window, T frames.
        streams: What the model reads.
        layout: Layout of its poses.
        pose_reader: As of `read_points`.
    """
    inputs: dict[str, Any] = {}
    for stream in streams:
        if stream in IMAGE_STREAMS:
            crops = [frame.crops.get(stream) for frame in frames]
            if any(crop is not None for crop in crops):
                inputs[stream] = crops
    if "pose" in streams:
        points, confidence = read_points(clip_landmarks(frames), layout, pose_reader)
        if (confidence > 0).any():
            inputs["pose"] = np.concatenate((points, confidence[..., None]), axis=-1).astype(np.float32)  # (T, L, 3)
    return inputs
