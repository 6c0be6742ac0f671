"""Landmarks in the layout that a model was trained on: points are matched by their names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hf_slt.data.gloss.clips import GlossClip
from hf_slt.data.npz_files import data_error
from hf_slt.data.pose_files import Pose
from hf_slt.errors import ConfigurationError
from hf_slt.extraction.imports.conversion import convert_layout
from hf_slt.landmarks import PoseLayout, get_layout
from hf_slt.signing_space import HEIGHT, SIGNING_SPACE, WIDTH

_EXTRACTED = ("mediapipe_pose", "mediapipe_pose_upper", "mediapipe_pose_hands")  # what a video gives pose files of


def extracted_layout(layout: str, default: str) -> str:
    """Return the layout in which to extract the pose of a video for a model.

    Args:
        layout: Layout of the model.
        default: Layout for a model of unnamed points, which no video fits.
    """
    if layout in _EXTRACTED:
        return layout
    return default if layout.startswith("points_") else _EXTRACTED[-1]


def convert_pose(path: Path, pose: Pose, target: PoseLayout) -> Pose:
    """Bring landmarks to the layout of a model; points that theirs lacks are undetected.

    Args:
        path: Where they are from, for messages.
        pose: The landmarks. A file that does not name its layout is taken at its word if the number of points is right.
        target: Layout of the model.

    Raises:
        DataContractError: The two layouts share no named point.
    """
    size = pose.points.shape[1]
    source = get_layout(pose.layout, size)
    if source.name == target.name or (pose.layout is None and size == target.num_landmarks):
        return pose
    points, confidence = _convert(path, pose.points, pose.confidence, source, target)
    norm = pose.norm
    if norm == SIGNING_SPACE and target.left_shoulder is None:
        # Poses without shoulders are normalised by the box around them, so that this has to happen again: from the same
        # unit for x and y.
        points, norm = points * np.array([WIDTH, HEIGHT], dtype=np.float32), None
    return replace(pose, points=points, confidence=confidence, norm=norm, layout=target.name)


def convert_clip(path: Path, clip: GlossClip, target: PoseLayout) -> GlossClip:
    """Bring a clip of a single sign to the layout of a model, see `convert_pose`."""
    assert clip.mask is not None  # landmarks always have one
    source = get_layout(None, clip.mask.shape[1])
    points = clip.values.reshape(*clip.mask.shape, 2)
    points, confidence = _convert(path, points, clip.mask.astype(np.float32), source, target)
    return replace(clip, values=points.reshape(len(points), -1), mask=confidence > 0)


def _convert(
    path: Path, points: np.ndarray, confidence: np.ndarray, source: PoseLayout, target: PoseLayout
) -> tuple[np.ndarray, np.ndarray]:
    try:
        return convert_layout(points, confidence, source, target)
    except ConfigurationError as error:
        expected = f"landmarks of the layout {target.name}, which the model reads, or of one with the same points"
        found = f"those of {source.name} ({source.num_landmarks} points)"
        raise data_error(path, expected, found, "extract the clip again with the model's layout") from error
