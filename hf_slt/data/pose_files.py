"""Pose files: `pose/<video_id>.npz` in every shape that the data contract allows, as one `Pose`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.npz_files import NpzReader, data_error, open_npz
from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.landmarks import get_layout
from hf_slt.provenance import PROVENANCE_KEY, parse_provenance, write_provenance

SIGNING_SPACE = "signing_space_v1"
CONFIDENCE_KEYS = ("confidence", "pose_confidence")
_CONFIDENCE_SLACK = 1e-3  # float16 files and resampled confidences overshoot [0, 1] by about this much


@dataclass
class Pose:
    """The landmarks of one clip.

    Attributes:
        points: float32 `(T, L, 2)`, x and y; finite everywhere, 0 where `confidence` is 0.
        confidence: float32 `(T, L)` in [0, 1]; 0 = the point was not detected.
        norm: `"signing_space_v1"` where the points are body-centred already, None for image coordinates.
        layout: Name of the point layout (`hf_slt.landmarks.LAYOUTS`) if the file tells, else None.
        provenance: What the file says of its extractor, see `hf_slt.provenance`; None where it says nothing readable.
    """

    points: np.ndarray
    confidence: np.ndarray
    norm: str | None = None
    layout: str | None = None
    provenance: dict[str, Any] | None = None


def read_pose(path: str | Path, key: str = "pose") -> Pose:
    """Read the landmarks of a clip.

    Accepted under `key`: `(T, L, 3)` or `(T, 3L)` (x, y, confidence), and with a separate array `confidence` or
    `pose_confidence` `(T, L)` also `(T, L, 2)` or `(T, 2L)`. If both are there, the separate array is the confidence
    and the third number of each point (a depth, as a rule) is left out.

    A point is undetected where its confidence is 0 and, in `signing_space_v1` files, where x = y = -1.

    Args:
        path: The `.npz` file.
        key: Name of the pose array.

    Returns:
        The pose; undetected points are (0, 0) with confidence 0, whatever the file holds there.

    Raises:
        DataContractError: The file is unreadable, lacks the key, or holds a wrong rank, no frame, numbers that are not
            finite, confidences outside [0, 1], or an unknown `pose_norm` or `pose_layout`.
    """
    path = Path(path)
    with open_npz(path) as file:
        values = _numbers(file, key)
        confidence_key = next((name for name in CONFIDENCE_KEYS if name in file.keys and name != key), None)
        confidence = None if confidence_key is None else _numbers(file, confidence_key)
        norm, layout = read_tag(file, "pose_norm"), read_tag(file, "pose_layout")
        provenance = read_provenance(file)
    points, confidence = _split(f"{path}, key '{key}'", values, confidence)
    if norm not in (None, SIGNING_SPACE):
        fix = f"normalise with hf_slt, or remove the key where the points are image coordinates ({SIGNING_SPACE} else)"
        raise data_error(f"{path}, key 'pose_norm'", f"'{SIGNING_SPACE}' or no such key", f"'{norm}'", fix)
    _check_layout(path, layout, points.shape[1])
    points, confidence = _mask_undetected(f"{path}, key '{key}'", points, confidence, norm)
    return Pose(points, confidence, norm, layout, provenance)


def read_provenance(file: NpzReader) -> dict[str, Any] | None:
    """Return the record of the extractor in an open `.npz` file; None where there is none, or other tools' text."""
    try:
        text = read_tag(file, PROVENANCE_KEY)
    except DataContractError:
        return None
    return None if text is None else parse_provenance(text)


def _numbers(file: NpzReader, key: str) -> np.ndarray:
    """Return one array of real numbers."""
    if key not in file.keys:
        fix = "save the landmarks under that key, or name the key that holds them (pose_key)"
        raise data_error(file.path, f"an array under the key '{key}'", f"the keys {file.keys}", fix)
    values = file.read(key)
    if values.dtype.kind not in "fiu":
        fix = "save the landmarks as float32"
        raise data_error(f"{file.path}, key '{key}'", "an array of real numbers", f"dtype {values.dtype}", fix)
    return values


def read_tag(file: NpzReader, key: str) -> str | None:
    """Return an optional text of the file; absent and empty are both None."""
    if key not in file.keys:
        return None
    value = file.read(key)
    if value.size != 1 or value.dtype.kind not in "US":
        found = f"dtype {value.dtype} of shape {value.shape}"
        raise data_error(f"{file.path}, key '{key}'", "one text", found, f"save it as {key}=np.array('...')")
    item = value.reshape(-1)[0]
    return (item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)) or None


def _split(where: str, values: np.ndarray, confidence: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return points `(T, L, 2)` and confidence `(T, L)` of the raw arrays, still unchecked."""
    if confidence is None:
        expected, allowed = "(T, 3L) or (T, L, 3): x, y, confidence", (3,)
        fix = f"append the confidence as third number, or save it under '{CONFIDENCE_KEYS[0]}' as (T, L)"
        landmarks = values.shape[1] // 3 if values.ndim == 2 else -1
    else:
        expected, allowed = f"(T, L, 2) or (T, 2L) beside a confidence of shape {confidence.shape}", (2, 3)
        fix = "save the points as (T, L, 2) and their confidence as (T, L)"
        landmarks = confidence.shape[1] if confidence.ndim == 2 else -1
    shaped = values
    if values.ndim == 2 and landmarks > 0 and values.shape[1] % landmarks == 0:
        shaped = values.reshape(len(values), landmarks, values.shape[1] // landmarks)
    fits = shaped.ndim == 3 and shaped.shape[2] in allowed and shaped.shape[1] > 0
    if not fits or (confidence is not None and confidence.shape != shaped.shape[:2]):
        raise data_error(where, f"shape {expected}", f"shape {values.shape}", fix)
    if len(shaped) == 0:
        raise data_error(where, "at least one frame", f"an empty clip, shape {values.shape}", "leave the clip out")
    return shaped[:, :, :2], shaped[:, :, 2] if confidence is None else confidence


def _check_layout(path: Path, layout: str | None, num_landmarks: int) -> None:
    if layout is None:
        return
    try:
        get_layout(layout, num_landmarks)
    except ConfigurationError as error:
        expected = f"the name of a layout with {num_landmarks} points, or no such key"
        fix = "see hf_slt/landmarks.py for the names"
        raise data_error(f"{path}, key 'pose_layout'", expected, f"'{layout}': {error}", fix) from error


def _mask_undetected(
    where: str, points: np.ndarray, confidence: np.ndarray, norm: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return finite float32 arrays in which undetected points are (0, 0) with confidence 0."""
    with np.errstate(over="ignore"):  # an overflow becomes inf, which is reported below
        points, confidence = points.astype(np.float32), confidence.astype(np.float32)
    if norm == SIGNING_SPACE:
        confidence[(points == -1).all(axis=2)] = 0
    bad = ~np.isfinite(confidence) | (~np.isfinite(points).all(axis=2) & (confidence != 0))
    if bad.any():
        frame, point = np.argwhere(bad)[0]
        found = f"{int(bad.sum())} points with NaN or infinity, the first at frame {frame}, point {point}"
        fix = "give undetected points the confidence 0"
        raise data_error(where, "finite numbers wherever the confidence is above 0", found, fix)
    low, high = float(confidence.min()), float(confidence.max())
    if low < -_CONFIDENCE_SLACK or high > 1 + _CONFIDENCE_SLACK:
        fix = "the third number of a point is its confidence (not z); scale it to [0, 1], 0 = undetected"
        raise data_error(where, "confidences in [0, 1]", f"confidences from {low:.4g} to {high:.4g}", fix)
    confidence = confidence.clip(0, 1)
    return np.where(confidence[:, :, None] > 0, points, np.float32(0)), confidence


def write_pose(
    path: str | Path,
    points: np.ndarray,
    confidence: np.ndarray,
    *,
    norm: str | None = None,
    layout: str | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write the landmarks of a clip as the data contract has them, the same bytes each time.

    Args:
        path: The `.npz` file.
        points: `(T, L, 2)`, x and y.
        confidence: `(T, L)` in [0, 1]; 0 = undetected.
        norm: `"signing_space_v1"` where the points are body-centred, None for image coordinates.
        layout: Name of the point layout, if it has one.
        provenance: Which extractor wrote the landmarks, see `hf_slt.provenance`.

    Raises:
        ValueError: The two arrays do not fit each other.
    """
    points, confidence = np.asarray(points, np.float32), np.asarray(confidence, np.float32)
    if points.ndim != 3 or points.shape != (*confidence.shape, 2):
        raise ValueError(
            f"expected points (T, L, 2) and confidence (T, L), found {points.shape} and {confidence.shape}"
        )
    record = None if provenance is None else write_provenance(provenance)
    tags = {"pose_norm": norm, "pose_layout": layout, PROVENANCE_KEY: record}
    arrays = {name: np.array(value) for name, value in tags.items() if value is not None}
    with open(path, "wb") as file:
        np.savez(file, pose=np.concatenate([points, confidence[:, :, None]], axis=2), **arrays)
