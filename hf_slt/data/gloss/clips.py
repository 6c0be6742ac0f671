"""Clips of single signs: the only code that opens and writes the `.npz` files of the classifiers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.npz_files import NpzReader, open_npz, unreadable
from hf_slt.errors import ConfigurationError, DataContractError, Problem
from hf_slt.provenance import PROVENANCE_KEY, parse_provenance

KINDS = ("keypoints", "features")
KEYPOINTS_KEY, FEATURES_KEY = "X", "X2048"
MASK_KEY, TIMES_KEY, META_KEY = "mask", "timestamps_ms", "meta"


@dataclass(frozen=True)
class GlossClip:
    """One clip.

    Attributes:
        values: `(T, W)` float32. Landmarks: x0, y0, x1, y1, ... in image coordinates, W = 2L, (0, 0) where a point is
            missing. Features: W numbers a frame.
        mask: `(T, L)` bool, True = the point was seen; None for features.
        aspect_ratio: Width of the picture divided by its height; 1 where the file does not say.
        provenance: What `meta` of the file says of its extractor, see `hf_slt.provenance`; None where it says nothing.
    """

    values: np.ndarray
    mask: np.ndarray | None = None
    aspect_ratio: float = 1.0
    provenance: dict[str, Any] | None = None


def clip_keys(kind: str, key: str | None = None) -> tuple[str, ...]:
    """Return the keys under which a clip is looked for, the first one that a file has counts.

    Args:
        kind: `"keypoints"` (key `X`) or `"features"` (`X2048`, then `X`). Landmarks are never taken from the key of
            features: a file may hold both.
        key: Takes the place of `X` for landmarks, of `X2048` for features.

    Raises:
        ConfigurationError: Unknown kind.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"expected a kind of clips out of {list(KINDS)}, found '{kind}'")
    if kind == "keypoints":
        return (key or KEYPOINTS_KEY,)
    return tuple(dict.fromkeys((key or FEATURES_KEY, KEYPOINTS_KEY)))


def read_clip(path: str | Path, kind: str = "keypoints", key: str | None = None, width: int | None = None) -> GlossClip:
    """Read a clip.

    Args:
        path: The `.npz` file.
        kind: `"keypoints"` or `"features"`.
        key: Name of the array, see `clip_keys`.
        width: Numbers a frame that it must have; None: any.

    Raises:
        DataContractError: All that is wrong with the file.
    """
    clip, problems = load_clip(path, kind, key, width)
    if clip is None:
        raise DataContractError(problems)
    return clip


def clip_problems(
    path: str | Path, kind: str = "keypoints", key: str | None = None, width: int | None = None
) -> list[Problem]:
    """Return all that is wrong with a clip; arguments as `read_clip`."""
    return load_clip(path, kind, key, width)[1]


def load_clip(
    path: str | Path, kind: str = "keypoints", key: str | None = None, width: int | None = None
) -> tuple[GlossClip | None, list[Problem]]:
    """Read a clip and check it in one go; arguments as `read_clip`.

    Returns:
        The clip (None if it is not usable), and what is wrong with it.
    """
    keys = clip_keys(kind, key)
    try:
        with open_npz(path) as file:
            found = next((name for name in keys if name in file.keys), None)
            if found is None:
                return None, [_missing_key(path, keys, file.keys)]
            values = file.read(found)
            landmarks = kind == "keypoints"
            mask = file.read(MASK_KEY) if landmarks and MASK_KEY in file.keys else None
            meta = read_meta(file)
    except DataContractError as error:
        return None, error.problems
    where = f"{path}, key '{found}'"
    problem = _shape_problem(where, values, kind, width)
    if problem:
        return None, [problem]
    values = _to_float32(values)
    if not landmarks:
        fix = "extract the features of the damaged frames again"
        problem = _number_problem(where, values, np.ones(values.shape, bool), fix)
        return (None, [problem]) if problem else (GlossClip(values, provenance=meta_provenance(meta)), [])
    clip, problems = _with_mask(path, where, values, mask, _aspect_ratio(meta))
    return clip and replace(clip, provenance=meta_provenance(meta)), problems


def _with_mask(
    path: str | Path, where: str, values: np.ndarray, mask: np.ndarray | None, aspect_ratio: float
) -> tuple[GlossClip | None, list[Problem]]:
    """Return a clip of landmarks with missing points at (0, 0)."""
    shape = (len(values), values.shape[1] // 2)
    points = values.reshape(*shape, 2)
    if mask is None:
        seen = (points != 0).any(axis=-1)
    elif mask.shape != shape or mask.dtype.kind not in "biuf":
        fix = "save one number for each frame and point: 1 = seen, 0 = missing"
        found = f"{mask.dtype} of shape {mask.shape}"
        return None, [Problem(f"{path}, key '{MASK_KEY}'", f"a mask of shape {shape}", found, fix)]
    else:
        seen = mask > 0
    fix = "mark missing points with mask 0 (or x = y = 0 without a mask), and extract damaged frames again"
    problem = _number_problem(where, values, np.repeat(seen, 2, axis=1), fix)
    if problem:
        return None, [problem]
    if not seen.any():
        found = "an empty clip: every point is missing in every frame"
        fix = "extract the landmarks again, or take the clip out of the CSV"
        return None, [Problem(where, "at least one detected point", found, fix)]
    return GlossClip(np.where(seen[..., None], points, 0).reshape(values.shape), seen, aspect_ratio), []


def _missing_key(path: str | Path, keys: tuple[str, ...], found: list[str]) -> Problem:
    expected = " or ".join(f"'{key}'" for key in keys)
    fix = "name the key of the array (--kp-key for landmarks, --feature-key for features), or write it under this one"
    return Problem(str(path), f"an array under the key {expected}", f"the keys {found}", fix)


def _shape_problem(where: str, values: np.ndarray, kind: str, width: int | None) -> Problem | None:
    """Return what is wrong with the type or the shape of a clip."""
    expected, found = f"numbers of shape (T, {width or 'W'})", f"{values.dtype} of shape {values.shape}"
    if values.dtype.kind not in "fiu" or values.ndim != 2:
        return Problem(where, expected, found, "save one row of numbers for each frame: array.reshape(len(array), -1)")
    if len(values) == 0:
        fix = "take the clip out of the CSV, or extract it again"
        return Problem(where, "at least one frame", f"an empty clip, shape {values.shape}", fix)
    if values.shape[1] != (width or values.shape[1]) or values.shape[1] == 0:
        fix = "use clips that were written as those of the model, or name another key (--kp-key, --feature-key)"
        return Problem(where, expected, found, fix)
    if kind == "keypoints" and values.shape[1] % 2:
        return Problem(where, "x and y of each point: an even number a frame", found, "write x0, y0, x1, y1, ...")
    return None


def _to_float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and a problem
        return np.ascontiguousarray(values, dtype=np.float32)


def _number_problem(where: str, values: np.ndarray, counts: np.ndarray, fix: str) -> Problem | None:
    """Return where a clip holds NaN or infinity among the numbers that count."""
    wrong = ~np.isfinite(values) & counts
    if not wrong.any():
        return None
    frames = np.flatnonzero(wrong.any(axis=1))
    found = f"{wrong.sum()} NaN or infinite numbers in {len(frames)} frames, first in frame {frames[0]}"
    return Problem(where, "finite numbers", found, fix)


def read_meta(file: NpzReader) -> dict[str, Any]:
    """Return the optional `meta` of a file; empty where other tools wrote other things there."""
    if META_KEY not in file.keys:
        return {}
    try:
        return parse_provenance(str(file.read(META_KEY)[()])) or {}
    except (DataContractError, ValueError, IndexError):
        return {}


def _aspect_ratio(meta: dict[str, Any]) -> float:
    """Return the aspect ratio that `meta` gives, else 1."""
    try:
        ratio = float(meta["width"]) / float(meta["height"])
    except (ValueError, KeyError, TypeError, ZeroDivisionError):
        return 1.0
    return ratio if np.isfinite(ratio) and ratio > 0 else 1.0


def meta_provenance(meta: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record of the extractor that `meta` holds; a text in JSON counts as well."""
    record = meta.get(PROVENANCE_KEY)
    if isinstance(record, str):
        return parse_provenance(record)
    return record if isinstance(record, dict) else None


def write_clip(
    path: str | Path,
    values: np.ndarray,
    mask: np.ndarray | None = None,
    timestamps_ms: np.ndarray | None = None,
    meta: Mapping[str, Any] | None = None,
    key: str = KEYPOINTS_KEY,
) -> None:
    """Write a clip as `.npz`, the same bytes each time.

    Args:
        path: The file.
        values: `(T, W)` numbers; stored as float32, or float16 if they are.
        mask: `(T, W / 2)`, nonzero = the point was seen; None for features.
        timestamps_ms: `(T,)` times of the frames in milliseconds.
        meta: What else is known, as plain values: `width` and `height` of the picture in pixels, `fps`,
            `provenance` (a dictionary: which extractor wrote the clip, see `hf_slt.provenance`), ...
        key: Name of the array.

    Raises:
        DataContractError: The arrays are not what `read_clip` takes, or `timestamps_ms` has another length.
    """
    values = np.asarray(values)
    problem = _shape_problem(f"{path}, key '{key}'", values, "features" if mask is None else "keypoints", None)
    if problem:
        raise DataContractError([problem])
    arrays = {key: values if values.dtype == np.float16 else _to_float32(values)}
    if mask is not None:
        arrays[MASK_KEY] = np.asarray(mask) > 0
        _, problems = _with_mask(path, f"{path}, key '{key}'", _to_float32(values), arrays[MASK_KEY], 1.0)
        if problems:
            raise DataContractError(problems)
    if timestamps_ms is not None:
        arrays[TIMES_KEY] = np.asarray(timestamps_ms, np.float64)
        if arrays[TIMES_KEY].shape != (len(values),):
            raise unreadable(f"{path}, key '{TIMES_KEY}'", "time for each frame", str(arrays[TIMES_KEY].shape))
    if meta is not None:
        arrays[META_KEY] = np.array(json.dumps(dict(meta), sort_keys=True, ensure_ascii=False))
    with open(path, "wb") as file:
        np.savez(file, **arrays)
