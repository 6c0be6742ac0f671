"""Clips of any source as the readers of training give them: videos, folders of streams, files of landmarks.

A video is extracted into a folder first, and every folder is read by the code that reads training clips: what a model
says of a video is what it says of the files that are extracted from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.clip_checks import CorpusIndex, align, image_source, probe_clip
from hf_slt.data.clip_transform import ClipTransform
from hf_slt.data.gloss.clips import GlossClip, clip_keys, load_clip
from hf_slt.data.indexing import index_images, index_poses
from hf_slt.data.npz_files import data_error, open_npz
from hf_slt.data.pose_files import Pose, read_pose
from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.extraction.pose_arrays import POSE_LAYOUTS
from hf_slt.extraction.stream_files import IMAGE_FOLDERS, KEYPOINTS_FOLDER, POSE_FOLDER
from hf_slt.inference.clip_sources import EXTRACTED_ID, clip_in, extracted, extraction_options, kind_of
from hf_slt.inference.layouts import convert_clip, convert_pose
from hf_slt.landmarks import LAYOUTS
from hf_slt.signing_space import HEIGHT, SIGNING_SPACE, WIDTH
from hf_slt.streams import IMAGE_STREAMS

POSE_KEY = "pose"
_SIGNED = "keypoints_78"  # layout of the landmarks of single signs


@dataclass(frozen=True)
class Reading:
    """How clips are read.

    Attributes:
        clip: Id of the clip to take of a folder that holds several.
        key: Key of the array in an `.npz` file, if it is not that of the data contract.
        fps: Frames a second to take of a video; None: all of them.
    """

    clip: str | None = None
    key: str | None = None
    fps: float | None = None


@dataclass(frozen=True)
class StreamClip:
    """A clip as a model of sentences reads it.

    Attributes:
        encoded: Model inputs without a batch axis.
        provenance: Record of the extractor of its landmarks, with their `pose_norm`; None if it is not known.
        missing: Streams that the model reads and the clip lacks; they are masked.
    """

    encoded: dict[str, np.ndarray]
    provenance: dict[str, Any] | None = None
    missing: tuple[str, ...] = ()


def read_stream_clip(source: str | Path, extractor: Any, reading: Reading) -> StreamClip:
    """Read a clip for a model of sentences.

    Args:
        source: Video, folder of streams, `.npz` of landmarks, or a file of landmarks of another tool.
        extractor: Feature extractor of the model.
        reading: How to read it.

    Raises:
        DataContractError, VideoError: What is wrong with the clip, or it holds nothing that the model reads.
        MissingDependencyError: A package that reads this kind of file is not installed.
    """
    path = Path(source)
    kind = kind_of(path)
    if kind == "video":
        with extracted(path, extraction_options(extractor, reading.fps)) as folder:
            return _read_folder(path, folder, EXTRACTED_ID, extractor)
    if kind == "folder":
        return _read_folder(path, path, clip_in(path, reading.clip), extractor)
    foreign = kind == "landmarks" or _is_foreign(path, reading.key)
    pose = _imported_pose(path, extractor) if foreign else _pose_of_npz(path, reading.key)
    pose = convert_pose(path, pose, extractor.layout())
    row = dict.fromkeys(IMAGE_STREAMS) | {"n_frames": len(pose.points), "pose": _embedded(pose)}
    return _read_row(path, row, extractor, pose)


def read_gloss_clip(source: str | Path, extractor: Any, reading: Reading) -> GlossClip:
    """Read a clip for a gloss classifier.

    Args:
        source: Video, folder of streams, `.npz` of landmarks or features, or a file of landmarks of another tool.
        extractor: Feature extractor of the model.
        reading: How to read it.

    Raises:
        DataContractError, VideoError: What is wrong with the clip.
        MissingDependencyError: A package that reads this kind of file is not installed.
    """
    path = Path(source)
    kind = kind_of(path)
    if kind != "npz" and extractor.input_type == "features":
        fix = "write its features with scripts/extract_features.py, by the backbone of the training, and pass the .npz"
        raise data_error(path, "an .npz file of features, which the model reads", f"a {kind} of no features", fix)
    if kind == "landmarks" or (kind == "npz" and extractor.input_type != "features" and _is_foreign(path, reading.key)):
        return _imported_sign(path, extractor)
    if kind == "npz":
        return _gloss_of_npz(path, extractor, reading.key)
    if kind == "video":
        with extracted(path, extraction_options(extractor, reading.fps)) as folder:
            return _gloss_of_npz(folder / KEYPOINTS_FOLDER / f"{EXTRACTED_ID}.npz", extractor, None)
    clip_id = clip_in(path, reading.clip)
    places = [path / folder / f"{clip_id}.npz" for folder in (KEYPOINTS_FOLDER, POSE_FOLDER)]
    place = next((place for place in places if place.is_file()), places[0])
    return _gloss_of_npz(place, extractor, reading.key)


def _read_folder(source: Path, folder: Path, clip_id: str, extractor: Any) -> StreamClip:
    """Read one clip of a folder of streams, as training reads it."""
    images = {stream: folder / name for stream, name in IMAGE_FOLDERS.items() if (folder / name).is_dir()}
    poses = index_poses(folder / POSE_FOLDER) if (folder / POSE_FOLDER).is_dir() else None
    index = CorpusIndex({stream: index_images(place, {clip_id}) for stream, place in images.items()}, poses)
    probe = probe_clip(clip_id, index, POSE_KEY)
    n_frames, problems = align(probe, None, allow_gaps=True)
    if problems := [*probe.problems, *problems]:
        raise DataContractError(problems)
    row: dict[str, Any] = dict.fromkeys(IMAGE_STREAMS) | {"n_frames": n_frames}
    row["pose"] = {"path": probe.pose} if probe.pose else None
    row |= {stream: image_source(*found) for stream, found in probe.images.items()}
    pose = None
    if probe.pose and "pose" in extractor.streams:
        pose = convert_pose(source, read_pose(probe.pose), extractor.layout())
        row["pose"] = _embedded(pose)
    return _read_row(source, row, extractor, pose)


def _read_row(source: Path, row: dict[str, Any], extractor: Any, pose: Pose | None) -> StreamClip:
    missing = tuple(stream for stream in extractor.streams if row[stream] is None)
    if len(missing) == len(extractor.streams):
        given = [stream for stream in (*IMAGE_STREAMS, "pose") if row[stream] is not None]
        found = f"only {', '.join(given)}" if given else "none of them"
        fix = "extract them from the video (scripts/extract_streams.py), or pass the video itself"
        raise data_error(source, f"one of the streams that the model reads: {', '.join(missing)}", found, fix)
    encoded = ClipTransform(extractor).load({"video_id": EXTRACTED_ID, **row})
    record = None if pose is None else dict(pose.provenance or {})
    if record is not None and pose is not None and pose.norm:
        record["pose_norm"] = pose.norm
    return StreamClip(encoded, record or None, missing)


def _embedded(pose: Pose) -> Mapping[str, Any]:
    """Return landmarks as a row of a data set holds them."""
    values = np.concatenate((pose.points, pose.confidence[..., None]), axis=-1)
    return {"values": values.reshape(len(values), -1), "norm": pose.norm, "layout": pose.layout}


def _pose_of_npz(path: Path, key: str | None) -> Pose:
    """Return the landmarks of a pose file, or of a file of single signs."""
    with open_npz(path) as file:
        keys = file.keys
    wanted = key or POSE_KEY
    if wanted in keys or not set(clip_keys("keypoints")) & set(keys):
        return read_pose(path, wanted)
    clip, problems = load_clip(path, "keypoints", None, 2 * LAYOUTS[_SIGNED].num_landmarks)
    if clip is None:
        raise DataContractError(problems)
    assert clip.mask is not None  # landmarks always have one
    points = clip.values.reshape(len(clip.values), -1, 2) * np.array([clip.aspect_ratio, 1], np.float32)
    return Pose(points, clip.mask.astype(np.float32), None, _SIGNED, clip.provenance)


def _gloss_of_npz(path: Path, extractor: Any, key: str | None) -> GlossClip:
    kind = "keypoints" if extractor.input_type == "landmarks" else "features"
    if kind == "keypoints" and key is None:
        with open_npz(path) as file:
            keys = set(file.keys)
        if POSE_KEY in keys and not keys & set(clip_keys(kind)):
            return _sign_of_pose(path, read_pose(path), extractor)
    clip, problems = load_clip(path, kind, key, extractor.raw_size)
    if clip is not None:
        return clip
    other = load_clip(path, kind, key)[0] if kind == "keypoints" else None
    if other is None or not _has_names(other.values.shape[1] // 2) or not _has_names(extractor.num_landmarks):
        raise DataContractError(problems)
    return convert_clip(path, other, extractor.layout())


def _has_names(num_landmarks: int) -> bool:
    return any(layout.num_landmarks == num_landmarks for layout in LAYOUTS.values())


def _sign_of_pose(path: Path, pose: Pose, extractor: Any) -> GlossClip:
    """Return the landmarks of a pose stream, in units that are the same for x and y, as a clip of a single sign."""
    points = convert_pose(path, pose, extractor.layout())
    if points.norm and extractor.normalization == "none":
        fix = "pass the video, or the file of keypoints78/ that was extracted with it"
        raise data_error(path, "landmarks in places of the picture, which the model reads", points.norm, fix)
    scale = np.array([WIDTH, HEIGHT] if points.norm else [1, 1], np.float32)  # head units, or pixels
    seen = points.confidence > 0
    values = np.where(seen[..., None], points.points * scale, 0).reshape(len(seen), -1)
    return GlossClip(values.astype(np.float32), seen, 1.0, points.provenance)


def _is_foreign(path: Path, key: str | None) -> bool:
    """Tell whether an `.npz` file holds the points of another tool; not where the caller names its array."""
    from hf_slt.extraction.imports.landmark_files import holds_foreign_points

    return key is None and holds_foreign_points(path)


def _imported_pose(path: Path, extractor: Any) -> Pose:
    """Return the landmarks of another tool's file as a pose stream, in signing space where an import writes it so."""
    from hf_slt.extraction.imports.arrays import imported_pose

    clip = _imported(path, extractor.layout().name)
    if clip.layout in POSE_LAYOUTS:
        points, confidence = imported_pose(clip, clip.layout)
        points = np.where(confidence[..., None] > 0, points, np.float32(0))
        return Pose(points, confidence, SIGNING_SPACE, clip.layout, clip.provenance)
    points = clip.points * np.array([clip.aspect_ratio, 1], np.float32)
    return Pose(points, clip.confidence, None, clip.layout, clip.provenance)


def _imported_sign(path: Path, extractor: Any) -> GlossClip:
    """Return the landmarks of another tool's file as a clip of a single sign: through the 78 points, as an import."""
    from hf_slt.extraction.imports.arrays import imported_keypoints
    from hf_slt.extraction.imports.landmark_files import read_landmark_file

    clip, layout = read_landmark_file(path), extractor.layout()
    if layout.name not in LAYOUTS or layout.name == clip.layout:  # the points as they are in the file
        clip = _imported(path, layout.name)
        seen = clip.confidence > 0
        values = np.where(seen[..., None], clip.points, 0).reshape(len(seen), -1)
    else:
        values, seen = imported_keypoints(clip)
    if not seen.any():
        raise data_error(path, "at least one point that the detector is sure of", "none", "run the detector again")
    sign = GlossClip(values.astype(np.float32), seen, clip.aspect_ratio, clip.provenance)
    return sign if sign.values.shape[1] == extractor.raw_size else convert_clip(path, sign, layout)


def _imported(path: Path, layout: str) -> Any:
    """Read landmarks of another tool, and bring them to the layout of a model."""
    from hf_slt.extraction.imports.conversion import to_layout
    from hf_slt.extraction.imports.landmark_files import read_landmark_file

    clip = read_landmark_file(path)
    if layout not in LAYOUTS:  # points without names: whoever trained on them knows their order
        if f"points_{clip.points.shape[1]}" == layout:
            return clip
        fix = "convert the file to what the model was trained on"
        raise data_error(path, f"landmarks of the layout {layout}", f"those of {clip.layout}", fix)
    try:
        return to_layout(clip, layout)
    except ConfigurationError as error:
        fix = "convert the file to what the model was trained on"
        raise data_error(path, f"landmarks of the layout {layout}", str(error), fix) from error
