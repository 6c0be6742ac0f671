"""Arrays of the 543 points of MediaPipe Holistic: parquet tables of the Google ISLR data, `.npy` and `.npz` files.

Order of the points in arrays: face 468, left hand 21, pose 33, right hand 21; NaN = missing. A table has a row for each
frame and point, columns `frame`, `type` (face, left_hand, pose, right_hand), `landmark_index`, `x`, `y`
(https://www.kaggle.com/competitions/asl-signs/data). Points are fractions of the picture;
nothing says how large it was.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hf_slt.data.npz_files import data_error, unreadable
from hf_slt.extraction.imports.raw_clip import RawClip
from hf_slt.landmarks import LAYOUTS

PARQUET_SUFFIX = ".parquet"
LAYOUT = LAYOUTS["holistic_543"]
_PARTS = {"face": (0, 468), "left_hand": (468, 21), "pose": (489, 33), "right_hand": (522, 21)}  # first point, number
_COLUMNS = ("frame", "type", "landmark_index", "x", "y")
_MOST_FRAMES = 1_000_000
_POSE = slice(_PARTS["pose"][0], sum(_PARTS["pose"]))


def read_parquet(path: Path) -> RawClip:
    """Read a table of the Google ISLR data; frames that it leaves out are frames without a person.

    Raises:
        DataContractError: The file is no parquet table, lacks a column, or holds other points or no frame.
    """
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, ValueError) as error:  # what is wrong with the bytes is a subclass of ValueError
        raise unreadable(path, "parquet file", error) from error
    missing = [name for name in _COLUMNS if name not in table.column_names]
    if missing:
        fix = "write one row for each frame and point, as the Google ISLR data has them"
        raise data_error(path, f"the columns {list(_COLUMNS)}", f"the columns {table.column_names}", fix)
    kinds = np.asarray(table["type"].to_pylist(), dtype=str)
    frame, index, x, y = (
        np.asarray(table[name].to_numpy(), np.float64) for name in ("frame", "landmark_index", "x", "y")
    )
    first = np.array([_PARTS.get(kind, (0, 0))[0] for kind in kinds], np.int64)
    number = np.array([_PARTS.get(kind, (0, 0))[1] for kind in kinds], np.int64)
    wrong = ~((index >= 0) & (index < number) & np.isfinite(frame))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        sizes = ", ".join(f"{kind} 0 to {size - 1}" for kind, (_, size) in _PARTS.items())
        found = f"row {row}: frame {frame[row]}, type '{kinds[row]}', landmark_index {index[row]}"
        raise data_error(path, f"points of {sizes}", found, "write the points of MediaPipe Holistic without irises")
    frames = frame.astype(np.int64) - int(frame.min()) if len(frame) else np.zeros(0, np.int64)
    num_frames = int(frames.max()) + 1 if len(frames) else 0
    if num_frames > _MOST_FRAMES:
        fix = "number the frames by ones"
        raise data_error(path, f"at most {_MOST_FRAMES} frames", f"frame numbers over a range of {num_frames}", fix)
    points = np.full((num_frames, LAYOUT.num_landmarks, 2), np.nan)
    points[frames, first + index.astype(np.int64)] = np.stack([x, y], axis=1)
    return from_array(points)


def from_array(points: np.ndarray) -> RawClip:
    """Return the clip of an array `(T, 543, 2 or 3)`; a third number is a depth and left out.

    Missing: NaN or (0, 0). How visible a point of the body was is not there, so that it counts inside the picture only.
    """
    points = points[..., :2].astype(np.float32)
    seen = np.isfinite(points).all(axis=2) & (points != 0).any(axis=2)
    return RawClip(points, seen.astype(np.float32), LAYOUT.name, "mediapipe_holistic", only_inside=_POSE)
