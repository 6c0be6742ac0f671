"""Any file of landmarks -> `ImportedClip`: the format is told by suffix and shape."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

import hf_slt
from hf_slt.data.npz_files import NpzReader, data_error, open_npz, read_npy
from hf_slt.errors import ConfigurationError
from hf_slt.extraction.imports import holistic_543, wholebody_133
from hf_slt.extraction.imports.conversion import ImportedClip
from hf_slt.extraction.imports.holistic_543 import PARQUET_SUFFIX, read_parquet
from hf_slt.extraction.imports.pose_format_files import POSE_SUFFIX, read_pose_format
from hf_slt.extraction.imports.raw_clip import RawClip, clean
from hf_slt.extraction.imports.wholebody_133 import JSON_SUFFIX, read_wholebody_json

FORMATS = ("auto", "pose", "holistic543", "wholebody133")
_READERS: dict[str, tuple[str, Callable[[Path], RawClip]]] = {
    POSE_SUFFIX: ("pose", read_pose_format),
    PARQUET_SUFFIX: ("holistic543", read_parquet),
    JSON_SUFFIX: ("wholebody133", read_wholebody_json),
}
_ARRAY_FORMATS = {543: "holistic543", 133: "wholebody133"}
PICKLE_SUFFIXES = (".pkl", ".pickle")
LANDMARK_SUFFIXES = (*_READERS, ".npy", ".npz")
_OWN_KEY = "pose"  # of the pose files of this library, whose third number is a confidence
_POINT_KEYS = ("keypoints", "landmarks", _OWN_KEY, "points", "data", "X", "arr_0")
_SCORE_KEYS = ("scores", "keypoint_scores", "confidence", "arr_1")
_SHAPES = "an array (T, 543, 2 or 3) of MediaPipe Holistic or (T, 133, 2 or 3) of COCO-WholeBody"


def read_landmark_file(
    path: str | Path,
    *,
    format: str = "auto",
    fps: float | None = None,
    width: int | None = None,
    height: int | None = None,
) -> ImportedClip:
    """Read a clip of landmarks that another tool wrote.

    `.pose` (MediaPipe Holistic, complete or reduced), `.parquet` (Google ISLR), `.json` (MMPose, COCO-WholeBody),
    `.npy` and `.npz` with `(T, 543, 2 or 3)` (fractions; NaN or (0, 0) = missing) or `(T, 133, 3)` (pixels, score; the
    scores of `(T, 133, 2)` are under `scores`, and `width`, `height`, `fps` may stand beside them). The `.npz` files of
    this library are read by `hf_slt.data.pose_files.read_pose` and `hf_slt.data.gloss.clips.read_clip`.

    Args:
        path: The file.
        format: What it has to be: one of `FORMATS`.
        fps: Frames a second, for a file that does not say.
        width: Width of the picture in pixels, for a file that does not say.
        height: Height of the picture in pixels, likewise.

    Returns:
        The clip, in the layout `holistic_543` or `coco_wholebody_133`.

    Raises:
        ConfigurationError: Unknown format, or numbers that are no sizes or rates.
        DataContractError: The file is not usable; pickles never are.
    """
    path = Path(path)
    check_import_options(format, fps, width, height)
    found, read = _reader(path)
    if format not in ("auto", found) and found is not None:
        raise data_error(path, f"a file of the format {format}", f"a file of the format {found}", "use --format auto")
    raw = read(path)
    if found is None and format not in ("auto", _ARRAY_FORMATS[raw.points.shape[1]]):
        shape = f"{raw.points.shape[1]} points a frame"
        raise data_error(path, f"an array of the format {format}", shape, "use --format auto")
    raw.width, raw.height, raw.fps = raw.width or width, raw.height or height, raw.fps or fps
    points, confidence = clean(path, raw)
    provenance = {
        "extractor": raw.extractor,
        "extractor_version": None,
        "hf_slt_version": hf_slt.__version__,
        "source": path.name,
        "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **raw.facts,
    }
    return ImportedClip(points, confidence, raw.layout, raw.width, raw.height, raw.fps, provenance)


def holds_foreign_points(path: str | Path) -> bool:
    """Tell whether an `.npz` file holds points that `read_landmark_file` reads, and not those of this library.

    Args:
        path: The file.

    Raises:
        DataContractError: It is no readable `.npz` file.
    """
    with open_npz(path) as file:
        key = next((name for name in _POINT_KEYS if name in file.keys), None)
        if key in (None, _OWN_KEY):
            return False
        points = file.read(key)
    return _is_array_of_points(points) and points.shape[-2] in _ARRAY_FORMATS


def check_import_options(format: str, fps: float | None, width: int | None, height: int | None) -> None:
    """Refuse settings that cannot work, all at once; arguments as `read_landmark_file`.

    Raises:
        ConfigurationError: Unknown format, a rate or size that is not above 0, or one of width and height alone.
    """
    faults = []
    if format not in FORMATS:
        faults.append(f"expected a format out of {list(FORMATS)}, found '{format}'")
    for name, value in (("fps", fps), ("width", width), ("height", height)):
        if value is not None and not (math.isfinite(value) and value > 0):
            faults.append(f"expected a number above 0 for {name}, found {value}")
    if (width is None) != (height is None):
        faults.append(f"expected width and height together, found width {width} and height {height}")
    if faults:
        raise ConfigurationError("; ".join(faults))


def _reader(path: Path) -> tuple[str | None, Callable[[Path], RawClip]]:
    """Return the format of a file, None if its content tells, and what reads it."""
    suffix = path.suffix.lower()
    if suffix in PICKLE_SUFFIXES:
        fix = (
            'convert it in the environment that wrote it: python -c "import pickle, numpy as np; '
            f"d = pickle.load(open('{path.name}', 'rb')); np.savez('{path.stem}.npz', keypoints=d['keypoints'], "
            "scores=d['scores'])\" (if you trust it: a pickle runs the code that it holds)"
        )
        raise data_error(path, "a file that holds numbers only", "a pickle: reading one runs code", fix)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise data_error(path, f"a file of landmarks ({', '.join(LANDMARK_SUFFIXES)})", found, "check the path")
    if suffix == ".npz":
        return None, _read_arrays
    if suffix == ".npy":
        return None, lambda file: _from_arrays(file, np.array(read_npy(file)), None)
    if suffix not in _READERS:
        fix = "convert it: np.savez('clip.npz', keypoints=..., scores=...)"
        raise data_error(path, f"one of the suffixes {', '.join(LANDMARK_SUFFIXES)}", f"'{path.suffix}'", fix)
    return _READERS[suffix]


def _read_arrays(path: Path) -> RawClip:
    """Read a `.npz` file."""
    with open_npz(path) as file:
        key = next((name for name in _POINT_KEYS if name in file.keys), None)
        if key is None:
            fix = "save the points as keypoints= and their scores as scores="
            raise data_error(path, f"an array under one of the keys {list(_POINT_KEYS)}", f"the keys {file.keys}", fix)
        points = file.read(key)
        score_key = next((name for name in _SCORE_KEYS if name in file.keys), None)
        raw = _from_arrays(path, points, None if score_key is None else file.read(score_key))
        width, height, fps = (_number(file, name) for name in ("width", "height", "fps"))
    raw.width, raw.height = (None if side is None else round(side) for side in (width, height))
    raw.fps = fps
    return raw


def _from_arrays(path: Path, points: np.ndarray, scores: np.ndarray | None) -> RawClip:
    """Return the clip of an array, by its number of points."""
    num_points = points.shape[-2] if _is_array_of_points(points) else 0
    if num_points not in _ARRAY_FORMATS or (points.ndim == 4 and num_points != 133):
        fix = "save one row of points for each frame; files of this library are read without an import"
        raise data_error(path, _SHAPES, f"{points.dtype} of shape {points.shape}", fix)
    if num_points == 543:
        return holistic_543.from_array(points)
    if scores is None and points.shape[-1] == 3:
        scores = points[..., 2]
    if scores is None or scores.shape != points.shape[:-1] or scores.dtype.kind not in "fiu":
        found = "none" if scores is None else f"{scores.dtype} of shape {scores.shape}"
        fix = "save them under the key scores, or as the third number of each point"
        raise data_error(path, f"a score for each point, shape {points.shape[:-1]}", found, fix)
    return wholebody_133.from_wholebody_arrays(points, scores)


def _is_array_of_points(points: np.ndarray) -> bool:
    return points.ndim in (3, 4) and points.dtype.kind in "fiu" and points.shape[-1] in (2, 3)


def _number(file: NpzReader, key: str) -> float | None:
    """Return an optional number of the file, None where it is absent or no number above 0."""
    if key not in file.keys:
        return None
    value = file.read(key)
    fits = value.size == 1 and value.dtype.kind in "fiu" and np.isfinite(value).all() and value.reshape(-1)[0] > 0
    return float(value.reshape(-1)[0]) if fits else None
