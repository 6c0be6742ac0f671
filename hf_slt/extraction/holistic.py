"""Landmarks of one person, frame by frame, by MediaPipe Holistic: body, hands, face, and on demand who is in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hf_slt.extraction.landmark_clip import FrameLandmarks
from hf_slt.extraction.mediapipe_graph import QuietGraph, mediapipe_version, one_core, require_mediapipe
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.people import Region, pixel_box

__all__ = ["EXTRACTOR", "HolisticDetector", "extractor_record", "one_core", "require_mediapipe"]

EXTRACTOR = "mediapipe_holistic"
_GRAPH = "mediapipe/modules/holistic_landmark/holistic_landmark_cpu.binarypb"
_PERSON_SCORE = "poselandmarkcpu__posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh"
_TRACKED_SCORE = (
    "poselandmarkcpu__poselandmarkbyroicpu__tensorstoposelandmarksandsegmentation__ThresholdingCalculator.threshold"
)
_HAND_SCORES = [
    f"handlandmarksleftandrightcpu__handlandmarksfromposecpu_{side}__handlandmarkcpu__ThresholdingCalculator.threshold"
    for side in (1, 2)
]


def extractor_record() -> dict[str, Any]:
    """Return which extractor this is, for the provenance of what it finds.

    Raises:
        MissingDependencyError: MediaPipe is not installed.
    """
    return {"extractor": EXTRACTOR, "extractor_version": mediapipe_version()}


class HolisticDetector:
    """Finds the landmarks of one person in the frames of one clip, in their order; it tracks from frame to frame.

    Args:
        options: The thresholds, and whether the person is segmented.
        region: Part of the picture that the signer is in; nothing outside of it is looked at. None is all of it.

    Raises:
        MissingDependencyError: MediaPipe is not installed.
    """

    def __init__(self, options: ExtractionOptions, region: Region | None = None):
        self._region = region
        outputs = ["pose_landmarks", "left_hand_landmarks", "right_hand_landmarks", "face_landmarks"]
        self._graph = QuietGraph(
            "pose_landmarks",
            binary_graph_path=_GRAPH,
            side_inputs={
                "model_complexity": 1,  # the only one whose model is in the wheel
                "smooth_landmarks": True,
                "enable_segmentation": options.segmentation,
                "smooth_segmentation": True,
                "refine_face_landmarks": False,
                "use_prev_landmarks": True,
            },
            calculator_params={
                _PERSON_SCORE: options.min_detection_confidence,
                _TRACKED_SCORE: options.min_tracking_confidence,
                **dict.fromkeys(_HAND_SCORES, options.min_hand_confidence),
            },
            outputs=outputs + ["segmentation_mask"] * options.segmentation,
        )

    def __enter__(self) -> HolisticDetector:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model."""
        self._graph.close()

    def detect(self, image: np.ndarray) -> FrameLandmarks:
        """Return the landmarks of the next frame, as fractions of the whole picture.

        Args:
            image: uint8 RGB `(H, W, 3)`; all frames of a clip have the same size.
        """
        height, width = image.shape[:2]
        left, top, right, bottom = pixel_box(self._region, width, height)
        found = self._graph.process(image[top:bottom, left:right])
        if not found["pose_landmarks"]:
            return FrameLandmarks()
        scale = np.array([(right - left) / width, (bottom - top) / height], dtype=np.float64)
        shift = np.array([left / width, top / height], dtype=np.float64)

        def points(name: str) -> np.ndarray | None:
            return _points(found[f"{name}_landmarks"], scale, shift)

        pose = points("pose")
        visibility = [[point.visibility] for point in found["pose_landmarks"].landmark]
        mask = found.get("segmentation_mask")
        if mask is not None:
            whole = np.zeros((height, width), dtype=np.float32)
            whole[top:bottom, left:right] = mask
            mask = whole
        return FrameLandmarks(
            pose=np.hstack([pose, visibility]).astype(np.float32),
            left_hand=points("left_hand"),
            right_hand=points("right_hand"),
            face=points("face"),
            person_mask=mask,
        )


def _points(landmarks: Any, scale: np.ndarray, shift: np.ndarray) -> np.ndarray | None:
    """Return the points of one part `(P, 2)` float32; None where it was not detected."""
    if not landmarks:
        return None
    points = np.array([(point.x, point.y) for point in landmarks.landmark])
    return (points * scale + shift).astype(np.float32)
