"""What can be set of an extraction, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

LARGEST_GAP = 5  # frames


@dataclass(frozen=True)
class ExtractionOptions:
    """The settings of an extraction; the same ones give the same bytes.

    Attributes:
        fps: Frames a second to keep; None keeps every frame of the video.
        image_size: Side of the crops, in pixels.
        image_format: `"jpg"` or `"png"`.
        jpeg_quality: 1 to 100.
        crop_scale: Side of a crop over the longer side of the box around its landmarks.
        pose_layout: Layout of the pose files: `mediapipe_pose`, `mediapipe_pose_upper` or `mediapipe_pose_hands`.
        max_gap: Longest run of frames over which a lost point of the 78-point clips is interpolated.
        segmentation: Blacken what is not the person in the crops.
        min_detection_confidence: Score that makes a detection a person, 0 to 1.
        min_tracking_confidence: Score under which the landmarks of a tracked person are dropped, 0 to 1.
        min_hand_confidence: Score under which the landmarks of a hand are dropped, 0 to 1. MediaPipe's own is 0.5,
            which loses the blurred hands of fast signs.
    """

    fps: float | None = None
    image_size: int = 224
    image_format: str = "jpg"
    jpeg_quality: int = 95
    crop_scale: float = 1.2
    pose_layout: str = "mediapipe_pose"
    max_gap: int = LARGEST_GAP
    segmentation: bool = False
    min_detection_confidence: float = 0.5
    min_tracking_confidence: float = 0.5
    min_hand_confidence: float = 0.3

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a plain dictionary, as the provenance holds them."""
        return asdict(self)
