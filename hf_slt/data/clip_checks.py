"""Checks of one clip: each of its files is decoded, then its streams are held against each other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hf_slt.data.corpus import CorpusPaths
from hf_slt.data.indexing import StreamFiles, StreamIndex, index_images, index_poses
from hf_slt.data.readers import FrameProbe, probe_frames, probe_pose
from hf_slt.errors import DataContractError, Problem

_MAX_SHOWN_GAPS = 5


@dataclass
class CorpusIndex:
    """What lies in the stream folders that can be listed.

    Attributes:
        images: Image stream -> its index.
        poses: Clip id -> pose file; None: no pose folder is used.
        problems: Folders that are not there.
    """

    images: dict[str, StreamIndex] = field(default_factory=dict)
    poses: dict[str, str] | None = None
    problems: list[Problem] = field(default_factory=list)


@dataclass
class ClipProbe:
    """What the files of one clip hold.

    Attributes:
        video_id: The clip.
        images: Image stream -> files and frames; only streams that are sound.
        pose: Path of the pose file, None where there is none or it is unsound.
        pose_shape: Its T and L.
        layout: Its layout name, if it tells.
        detected: Whether any of its points is detected.
        missing: Streams in use that have no file of this clip.
        problems: What is wrong with single files.
    """

    video_id: str
    images: dict[str, tuple[StreamFiles, FrameProbe]] = field(default_factory=dict)
    pose: str | None = None
    pose_shape: tuple[int, int] = (0, 0)
    layout: str | None = None
    detected: bool = True
    missing: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def index_corpus(paths: CorpusPaths, wanted: set[str]) -> CorpusIndex:
    """List each stream folder once.

    Args:
        paths: The corpus.
        wanted: Ids of the clips in use.

    Returns:
        The index; folders that cannot be listed are problems in it.
    """
    index = CorpusIndex()
    for stream in paths.streams:
        folder = paths.folder(stream)
        try:
            if stream == "pose":
                index.poses = index_poses(folder)
            else:
                index.images[stream] = index_images(folder, wanted)
        except OSError as error:
            found = "a file" if folder.is_file() else error.strerror or str(error)
            fix = f"correct the path of the {stream} folder, or leave the stream out"
            index.problems.append(Problem(str(folder), f"the folder of the stream {stream}", found, fix))
    return index


def probe_clip(video_id: str, index: CorpusIndex, pose_key: str) -> ClipProbe:
    """Decode all files of a clip.

    Args:
        video_id: The clip.
        index: What lies on disk.
        pose_key: Name of the array in a pose file.

    Returns:
        What the files hold, and what is wrong with them.
    """
    probe = ClipProbe(video_id)
    for stream, stream_index in index.images.items():
        files = stream_index.clips.get(video_id)
        if files is None:
            probe.missing.append(stream)
            continue
        probe.problems += stream_index.problems.get(video_id, [])
        try:
            frames = probe_frames(files.kind, files.path, files.files, files.frames)
            probe.images[stream] = files, frames
        except DataContractError as error:
            probe.problems += error.problems
    if index.poses is not None:
        _probe_pose(probe, index.poses.get(video_id), pose_key)
    return probe


def _probe_pose(probe: ClipProbe, path: str | None, pose_key: str) -> None:
    if path is None:
        probe.missing.append("pose")
        return
    try:
        frames, landmarks, probe.layout, probe.detected = probe_pose(path, pose_key)
        probe.pose, probe.pose_shape = path, (frames, landmarks)
    except DataContractError as error:
        probe.problems += error.problems


def missing_problems(probe: ClipProbe, paths: CorpusPaths, index: CorpusIndex, allowed: bool) -> list[Problem]:
    """Say which files of a clip are not on disk.

    Args:
        probe: The clip.
        paths: The corpus.
        index: What lies on disk.
        allowed: Whether a clip may lack streams; it may not lack all of them.
    """
    used = [*index.images, *([] if index.poses is None else ["pose"])]
    where = f"clip '{probe.video_id}'"
    if used and probe.missing == used:
        folders = ", ".join(str(paths.folder(stream)) for stream in used)
        fix = "extract the clip, or take it out of the index"
        return [Problem(where, "files of the clip on disk", f"none in any stream folder ({folders})", fix)]
    if allowed:
        return []
    return [_missing_problem(where, stream, paths.folder(stream), probe.video_id) for stream in probe.missing]


def _missing_problem(where: str, stream: str, folder: Path, video_id: str) -> Problem:
    expected = f"{video_id}.npz" if stream == "pose" else f"{video_id}_fXXXXXX.jpg, a folder, a video or an array"
    found = "an empty folder of that name" if (folder / video_id).is_dir() else "no such file"
    fix = "extract the stream, or allow clips that lack one (allow_missing_streams)"
    return Problem(f"{where}, stream {stream}", f"{expected} in {folder}", found, fix)


def align(probe: ClipProbe, frame_count: int | None, allow_gaps: bool = False) -> tuple[int, list[Problem]]:
    """Find the number of frames of a clip and hold all streams against it.

    T is that of the pose; without pose that of a stream that has every frame (a video, an array without numbers);
    without one the `frame_count` of the metadata; without that one more than the largest frame number.

    Args:
        probe: The files of the clip.
        frame_count: Number of frames in the metadata, if it tells.
        allow_gaps: Accept frames that have a pose and no image; without a pose they are a problem in any case.

    Returns:
        T, and the problems: streams of different length, frames that no stream (no image stream of several) has.
    """
    dense = {stream: len(frames.frames) for stream, (_, frames) in probe.images.items() if frames.dense}
    sound = not probe.problems
    if probe.pose:
        reference, n_frames = "pose", probe.pose_shape[0]
    elif dense:
        reference, n_frames = next(iter(dense.items()))
    elif frame_count is not None and sound:
        reference, n_frames = "frame_count of the metadata", frame_count
    else:
        reference = "largest frame number"
        n_frames = 1 + max((frames.frames[-1] for _, frames in probe.images.values()), default=-1)
    problems = _length_problems(probe, reference, n_frames)
    # One image stream may lack a frame (nothing detected); all of several at once means that the frame was lost.
    may_lose_frames = bool(probe.pose) and (allow_gaps or len(probe.images) == 1)
    if sound and not problems and not dense and probe.images and not may_lose_frames:
        problems += _gap_problems(probe, n_frames)
    return n_frames, problems


def _length_problems(probe: ClipProbe, reference: str, n_frames: int) -> list[Problem]:
    expected = f"streams of the same length: {n_frames} frames (from: {reference})"
    problems = []
    for stream, (files, frames) in probe.images.items():
        where = f"clip '{probe.video_id}', stream {stream}, {files.path}"
        if frames.dense and len(frames.frames) != n_frames:
            fix = "extract all streams from the same frames; mark missing ones by leaving their number out"
            problems.append(Problem(where, expected, f"{len(frames.frames)} frames", fix))
        elif frames.frames[-1] >= n_frames:
            fix = "extract all streams from the same frames, numbered from 0"
            problems.append(Problem(where, expected, f"a frame number {frames.frames[-1]}", fix))
    return problems


def _gap_problems(probe: ClipProbe, n_frames: int) -> list[Problem]:
    present = np.unique(np.concatenate([np.asarray(frames.frames) for _, frames in probe.images.values()]))
    edges = np.concatenate([[-1], present, [n_frames]])
    before = edges[:-1][np.diff(edges) > 1]
    after = edges[1:][np.diff(edges) > 1]
    if not len(before):
        return []
    gaps = [
        f"{first + 1}" if last - first == 2 else f"{first + 1}-{last - 1}"
        for first, last in zip(before.tolist(), after.tolist(), strict=True)
    ]
    more = ", ..." if len(gaps) > _MAX_SHOWN_GAPS else ""
    missing = int(n_frames - len(present))
    found = f"{missing} missing from all of them: {', '.join(gaps[:_MAX_SHOWN_GAPS])}{more}"
    expected = f"each of the frames 0-{n_frames - 1} in at least one image stream ({', '.join(probe.images)})"
    fix = "number the frames from 0 without gaps, or allow frames with a pose alone (allow_missing_streams)"
    return [Problem(f"clip '{probe.video_id}'", expected, found, fix)]


def image_source(files: StreamFiles, frames: FrameProbe) -> Mapping[str, object]:
    """Return an image stream as a row of the data set has it."""
    path = os.path.abspath(files.path)
    return {"kind": files.kind, "path": path, "files": files.files, "frames": frames.frames}
