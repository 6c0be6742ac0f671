"""What every reader of landmarks hands over, and the checks that all of them share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.npz_files import data_error

_IN_PIXELS = 3.0  # fractions of the picture lie in [0, 1], and a little outside where a body leaves it
_SMALLEST_SPAN = 0.02  # of the picture; a body that is smaller is none in pixels
_SHARE_INSIDE = 0.3  # of the seen points, in the picture; legs that the detector guesses lie below it


@dataclass
class RawClip:
    """Landmarks of one person as a file holds them.

    Attributes:
        points: `(T, L, 2)`, x and y; NaN where missing.
        confidence: `(T, L)`, 0 = missing; values outside of [0, 1] are cut off.
        layout: Name of the layout.
        extractor: Name of the detector that writes such files.
        width: Width of the picture in pixels, as far as the file says.
        height: Height of the picture in pixels, as far as the file says.
        fps: Frames a second, as far as the file says.
        in_pixels: Whether the points are pixels; None: their size tells.
        only_inside: Points that the detector makes up outside of the picture, so that they count as seen in it only.
        facts: What else the provenance should say.
    """

    points: np.ndarray
    confidence: np.ndarray
    layout: str
    extractor: str
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    in_pixels: bool | None = None
    only_inside: slice | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def clean(path: Path, raw: RawClip) -> tuple[np.ndarray, np.ndarray]:
    """Return points as fractions of the picture and their confidence, finite, 0 where missing.

    Args:
        path: The file, for messages.
        raw: Its content, with the size of the picture if the points are pixels.

    Returns:
        `(T, L, 2)` and `(T, L)`, float32.

    Raises:
        DataContractError: No frame, no detected point, pixels of a picture of unknown size, or points that cannot be
            places in a picture.
    """
    if len(raw.points) == 0:
        raise data_error(path, "at least one frame", "an empty clip", "leave the file out")
    seen = np.isfinite(raw.points).all(axis=2) & np.isfinite(raw.confidence) & (raw.confidence > 0)
    if not seen.any():
        fix = "leave the file out, or run the detector again"
        raise data_error(path, "a person in at least one frame", f"no detected point in {len(seen)} frames", fix)
    points = np.where(seen[..., None], raw.points, 0)
    pixels = bool(np.abs(points).max() > _IN_PIXELS) if raw.in_pixels is None else raw.in_pixels
    if pixels:
        if not (raw.width and raw.height):
            fix = (
                "say how large the picture was: import_landmarks.py --width and --height (width= and height= in Python)"
            )
            raise data_error(path, "points in pixels of a picture of known size", "no size in the file", fix)
        points = points / np.array([raw.width, raw.height], points.dtype)
    _check_place(path, points[seen], pixels, raw)
    if raw.only_inside is not None:
        of_interest = points[:, raw.only_inside]
        seen[:, raw.only_inside] &= ((of_interest >= 0) & (of_interest <= 1)).all(axis=2)
        points[~seen] = 0
    confidence = np.where(seen, raw.confidence, 0).clip(0, 1)
    return points.astype(np.float32), confidence.astype(np.float32)


def _check_place(path: Path, seen: np.ndarray, pixels: bool, raw: RawClip) -> None:
    """Refuse points `(N, 2)` that are no fractions of a picture, for example those of a normalised file."""
    inside = ((seen >= 0) & (seen <= 1)).all(axis=1).mean()
    span = float(np.ptp(seen, axis=0).max())
    if inside >= _SHARE_INSIDE and span >= _SMALLEST_SPAN:
        return
    scale = np.array((raw.width, raw.height)) if pixels else 1
    low, high = seen.min(axis=0) * scale, seen.max(axis=0) * scale
    unit = f"pixels of the {raw.width} x {raw.height} picture" if pixels else "fractions of the picture, 0 to 1"
    found = f"x from {low[0]:.3g} to {high[0]:.3g}, y from {low[1]:.3g} to {high[1]:.3g}"
    fix = "import the file as the detector wrote it, before it was normalised or cropped; check --width and --height"
    raise data_error(path, f"points in {unit}", found, fix)
