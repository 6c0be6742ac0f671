"""COCO-WholeBody: the 133 points of MMPose (RTMW, DWPose, ...), as JSON or as arrays; pixels and scores.

JSON in one of three forms: what MMPose writes for a video (`[{"frame_id": ..., "instances": [{"keypoints": ...,
"keypoint_scores": ...}]}]`, or the same under `instance_info`), what it writes for one picture (a list of instances),
and annotations or results of COCO-WholeBody (`keypoints` of 133 or 17 points, then `foot_kpts`, `face_kpts`,
`lefthand_kpts`, `righthand_kpts`; x, y and a score or a visibility for each).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.npz_files import data_error, unreadable
from hf_slt.extraction.imports.raw_clip import RawClip
from hf_slt.extraction.imports.tracks import choose_track
from hf_slt.landmarks import LAYOUTS

JSON_SUFFIX = ".json"
LAYOUT = LAYOUTS["coco_wholebody_133"]
EXTRACTOR = "mmpose_wholebody"
_COCO_PARTS = ("keypoints", "foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")
_FORMS = "the predictions of MMPose for a video, or annotations of COCO-WholeBody"
_MODEL_FIX = "use a whole-body model: MMPoseInferencer('wholebody'), RTMW or DWPose"
_MOST_FRAMES = 1_000_000
Frames = dict[int, list[np.ndarray]]  # number of a frame -> people, (133, 3) each


def read_wholebody_json(path: Path) -> RawClip:
    """Read the points of the signer from a JSON file.

    Frames stand by their numbers, those that are left out are frames without a person. Of several people the one that
    is large, moves the hands and is there all the time is followed.

    Raises:
        DataContractError: The file is no JSON, of another form, or holds other than 133 points.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, "JSON file", error) from error
    try:
        frames, size = _coco_frames(content) if _is_coco(content) else (_mmpose_frames(content), (None, None))
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise data_error(path, _FORMS, f"{type(error).__name__}: {error}", _MODEL_FIX) from error
    if not frames:
        raise data_error(path, _FORMS, "no frame", "leave the file out")
    first, last = min(frames), max(frames)
    if last - first >= _MOST_FRAMES:
        found = f"frame numbers from {first} to {last}"
        raise data_error(path, f"at most {_MOST_FRAMES} frames", found, "number the frames by ones")
    return _clip([frames.get(number, []) for number in range(first, last + 1)], size)


def from_wholebody_arrays(points: np.ndarray, scores: np.ndarray) -> RawClip:
    """Return the clip of arrays `(T, 133, 2)` and `(T, 133)`, or `(T, N, 133, 2)` and `(T, N, 133)` for N people."""
    if points.ndim == 3:
        points, scores = points[:, None], scores[:, None]
    people = np.concatenate([points[..., :2], scores[..., None]], axis=-1).astype(np.float64)
    people[~np.isfinite(people).all(axis=-1)] = 0
    return _clip([[one for one in frame if (one[:, 2] > 0).any()] for frame in people], (None, None))


def _clip(frames: list[list[np.ndarray]], size: tuple[int | None, int | None]) -> RawClip:
    signer, people = choose_track(frames, LAYOUT)
    clip = np.zeros((len(frames), LAYOUT.num_landmarks, 3))
    for row, person in signer.items():
        clip[row] = person
    facts = {"people": people}
    return RawClip(clip[..., :2], clip[..., 2], LAYOUT.name, EXTRACTOR, *size, in_pixels=None, facts=facts)


def _is_coco(content: Any) -> bool:
    rows = content.get("annotations") if isinstance(content, Mapping) else content
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], Mapping) and "image_id" in rows[0]


def _mmpose_frames(content: Any) -> Frames:
    rows = content["instance_info"] if isinstance(content, Mapping) else content
    if rows and "instances" not in rows[0]:  # one picture
        rows = [{"frame_id": 0, "instances": rows}]
    frames: Frames = {}
    for place, row in enumerate(rows):
        people = [_with_scores(one["keypoints"], one["keypoint_scores"]) for one in row["instances"]]
        frames.setdefault(int(row.get("frame_id", place)), []).extend(people)
    return frames


def _coco_frames(content: Any) -> tuple[Frames, tuple[int | None, int | None]]:
    """Return the frames, numbered by the places of their pictures, and the size of these as far as it is told."""
    annotations = content["annotations"] if isinstance(content, Mapping) else content
    images = content.get("images", []) if isinstance(content, Mapping) else []
    ids = {image["id"] for image in images} or {one["image_id"] for one in annotations}
    place = {one: number for number, one in enumerate(sorted(ids))}
    frames: Frames = {number: [] for number in place.values()}
    for one in annotations:
        numbers = [value for part in _COCO_PARTS for value in one.get(part, [])]
        frames[place[one["image_id"]]].append(_person(np.asarray(numbers, np.float64).reshape(-1, 3)))
    sizes = {tuple(int(image[side]) if side in image else None for side in ("width", "height")) for image in images}
    if len(sizes) > 1:
        raise ValueError(f"pictures of several sizes: {sorted(sizes, key=str)}")
    width, height = sizes.pop() if sizes else (None, None)
    return frames, (width, height)


def _with_scores(points: Sequence[Any], scores: Sequence[Any]) -> np.ndarray:
    values = np.asarray(points, np.float64)
    return _person(np.concatenate([values[:, :2], np.asarray(scores, np.float64)[:, None]], axis=1))


def _person(values: np.ndarray) -> np.ndarray:
    if values.shape != (LAYOUT.num_landmarks, 3):
        found = f"{len(values)} points" if values.shape[1] == 3 else f"points of {values.shape[1] - 1} numbers"
        raise ValueError(f"{found}, expected {LAYOUT.num_landmarks} points x, y and a score each")
    values[~np.isfinite(values).all(axis=1)] = 0
    return values
