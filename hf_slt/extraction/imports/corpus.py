"""A folder of landmark files -> `pose/<id>.npz`, `keypoints78/<id>.npz` and `metadata.jsonl`, complete or absent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from hf_slt.data.csv_files import id_fault
from hf_slt.data.gloss.clips import write_clip
from hf_slt.data.npz_files import data_error
from hf_slt.data.pose_files import write_pose
from hf_slt.data.staging import require_writable, staged_folder
from hf_slt.errors import ConfigurationError, DataContractError, Problem
from hf_slt.extraction.imports.arrays import KEYPOINTS_LAYOUT, imported_keypoints, imported_pose, seen_78
from hf_slt.extraction.imports.conversion import ImportedClip
from hf_slt.extraction.imports.landmark_files import (
    LANDMARK_SUFFIXES,
    PICKLE_SUFFIXES,
    check_import_options,
    read_landmark_file,
)
from hf_slt.extraction.metadata_rows import METADATA_FILE, write_rows
from hf_slt.extraction.options import LARGEST_GAP
from hf_slt.extraction.pose_arrays import POSE_LAYOUTS
from hf_slt.landmarks import LAYOUTS
from hf_slt.provenance import PROVENANCE_KEY
from hf_slt.signing_space import SIGNING_SPACE

POSE_FOLDER, KEYPOINTS_FOLDER = "pose", "keypoints78"
_MARKS = ((METADATA_FILE, POSE_FOLDER, KEYPOINTS_FOLDER),)
_SOME = 5
Row = dict[str, Any]


def import_landmarks(
    source: str | Path,
    output: str | Path,
    *,
    format: str = "auto",
    fps: float | None = None,
    width: int | None = None,
    height: int | None = None,
    pose_layout: str = "mediapipe_pose",
    max_gap: int = LARGEST_GAP,
    overwrite: bool = False,
    show_progress: bool = False,
) -> list[Row]:
    """Import a file, or all files of a folder; the id of a clip is the name of its file without suffix.

    Args:
        source: A file, or a folder of files (not of folders).
        output: Folder to write; it is complete or absent.
        format: What the files have to be, see `read_landmark_file`.
        fps: Frames a second, for files that do not say.
        width: Width of the pictures in pixels, for files that do not say.
        height: Height of the pictures in pixels, for files that do not say.
        pose_layout: Layout of the pose files.
        max_gap: Longest run of frames over which a lost one of the 78 points is interpolated.
        overwrite: Whether an earlier import in `output` is replaced.
        show_progress: Show a progress bar.

    Returns:
        The rows of `metadata.jsonl`, one a clip.

    Raises:
        ConfigurationError: Settings that cannot work, or an output folder that may not be replaced.
        DataContractError: All that is wrong with the files; nothing was written.
    """
    check_import_options(format, fps, width, height)
    if pose_layout not in POSE_LAYOUTS:
        raise ConfigurationError(f"expected a pose layout out of {list(POSE_LAYOUTS)}, found '{pose_layout}'")
    if max_gap < 0:
        raise ConfigurationError(f"expected a largest gap of 0 frames or more, found {max_gap}")
    require_writable(Path(output), overwrite, _MARKS, "an import")
    files = landmark_files(Path(source))
    rows, problems = [], _name_problems(files)
    with staged_folder(output, overwrite, _MARKS, "an import") as folder:
        for name in (POSE_FOLDER, KEYPOINTS_FOLDER):
            (folder / name).mkdir()
        for path in tqdm(files, desc="importing", unit="clip", disable=not show_progress):
            try:
                clip = read_landmark_file(path, format=format, fps=fps, width=width, height=height)
                rows.append(write_imported(folder, path.stem, clip, pose_layout, max_gap))
            except DataContractError as error:
                problems += error.problems
        if problems:
            raise DataContractError(problems, headline="the landmark files are not usable; nothing was written")
        write_rows(folder / METADATA_FILE, rows)
    return rows


def landmark_files(source: Path) -> list[Path]:
    """Return the files to import, in the order of their names: pickles too, so that they are refused by name.

    Raises:
        DataContractError: There is no such file or folder, or the folder holds no landmarks.
    """
    if not source.is_dir():
        return [source]
    suffixes = (*LANDMARK_SUFFIXES, *PICKLE_SUFFIXES)
    files = sorted(path for path in source.iterdir() if path.suffix.lower() in suffixes and path.is_file())
    if not files:
        others = sorted(path.name for path in source.iterdir())
        found = f"{len(others)} others: {', '.join(others[:_SOME])}" if others else "an empty folder"
        raise data_error(source, f"files of landmarks ({', '.join(LANDMARK_SUFFIXES)})", found, "check the folder")
    return files


def write_imported(
    folder: Path, video_id: str, clip: ImportedClip, pose_layout: str = "mediapipe_pose", max_gap: int = LARGEST_GAP
) -> Row:
    """Write the two files of a clip, the same bytes each time.

    Args:
        folder: Holds the folders `pose` and `keypoints78`.
        video_id: Id of the clip.
        clip: The clip.
        pose_layout: Layout of the pose file.
        max_gap: Longest run of frames over which a lost one of the 78 points is interpolated.

    Returns:
        The row of the clip in `metadata.jsonl`.

    Raises:
        DataContractError: None of the 78 points was seen.
    """
    points, confidence = imported_pose(clip, pose_layout)
    path = folder / POSE_FOLDER / f"{video_id}.npz"
    write_pose(path, points, confidence, norm=SIGNING_SPACE, layout=pose_layout, provenance=clip.provenance)
    values, mask = imported_keypoints(clip, max_gap)
    detected = seen_78(clip)[1]
    known = {"width": clip.width, "height": clip.height, "fps": clip.fps}
    meta = {
        **{name: value for name, value in known.items() if value is not None},
        "layout": KEYPOINTS_LAYOUT,
        "filled_points": int(mask.sum() - detected.sum()),
        PROVENANCE_KEY: clip.provenance,
    }
    times = np.arange(len(clip)) * 1000 / clip.fps if clip.fps else None
    write_clip(folder / KEYPOINTS_FOLDER / f"{video_id}.npz", values, mask, times, meta)
    return {
        "video_id": video_id,
        "video": clip.provenance.get("source"),
        "start": None,
        "end": None,
        "n_frames": len(clip),
        **known,
        "frames": {POSE_FOLDER: len(clip), KEYPOINTS_FOLDER: len(clip)},
        "detection": _detection_rates(clip),
        "status": "ok",
        "error": None,
        PROVENANCE_KEY: clip.provenance,
    }


def _detection_rates(clip: ImportedClip) -> dict[str, float]:
    """Return the share of frames in which a part was seen."""
    names = LAYOUTS[clip.layout].points
    parts = {
        "person": np.ones(len(names), bool),
        "face": np.array([name.startswith("mesh_") for name in names]),
        "left_hand": np.array([name.startswith("left_hand_") for name in names]),
        "right_hand": np.array([name.startswith("right_hand_") for name in names]),
    }
    seen = clip.confidence > 0
    return {part: round(float(seen[:, of].any(axis=1).mean()), 4) for part, of in parts.items()}


def _name_problems(files: Iterable[Path]) -> list[Problem]:
    """Return what is wrong with the names of the files: they become the ids of the clips."""
    files = list(files)
    problems = []
    for path in files:
        if fault := id_fault(path.stem):
            problems.append(Problem(str(path), "a name that can be an id", fault, "rename the file"))
    for stem, count in sorted(Counter(path.stem for path in files).items()):
        if count > 1:
            names = ", ".join(path.name for path in files if path.stem == stem)
            problems.append(Problem(str(files[0].parent), f"one file for the id '{stem}'", names, "rename or remove"))
    return problems
