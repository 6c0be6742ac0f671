"""Writing a corpus of landmarks and sentences."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hf_slt.data.readers import write_pose
from hf_slt.data.staging import staged_folder


@dataclass(frozen=True)
class PoseClip:
    """One clip of a corpus without pictures.

    Attributes:
        video_id: Its id.
        text: The sentence to be predicted.
        points: Landmarks `(T,L,2)`, x and y, y downwards.
        confidence: `(T,L)` in [0,1]; 0 = undetected.
        layout: Name of the landmark layout.
        norm: `"signing_space_v1"`, or None for points that the library has to normalise.
        columns: Further columns of the metadata; every clip has the same ones.
    """

    video_id: str
    text: str
    points: np.ndarray
    confidence: np.ndarray
    layout: str
    norm: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def write_pose_corpus(
    output_dir: str | Path, clips: Sequence[PoseClip], indexes: Mapping[str, Sequence[str]], *, overwrite: bool = False
) -> Path:
    """Write `pose/<video_id>.npz`, `meta.csv` and `index/<name>.csv`.

    Args:
        output_dir: Folder to write; it is complete or absent.
        clips: All clips.
        indexes: Name of an index -> the ids in it.
        overwrite: Whether a corpus in `output_dir` is replaced.

    Returns:
        `output_dir`.

    Raises:
        ConfigurationError: `output_dir` holds something that may not be replaced.
    """
    with staged_folder(output_dir, overwrite) as folder:
        (folder / "pose").mkdir()
        (folder / "index").mkdir()
        with open(folder / "meta.csv", "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["video_id", "text", "frame_count", *clips[0].columns])
            for clip in clips:
                path = folder / "pose" / f"{clip.video_id}.npz"
                write_pose(path, clip.points, clip.confidence, norm=clip.norm, layout=clip.layout)
                rows.writerow([clip.video_id, clip.text, len(clip.points), *clip.columns.values()])
        for name, ids in indexes.items():
            (folder / "index" / f"{name}.csv").write_text("\n".join(["video_id", *ids]) + "\n", encoding="utf-8")
    return Path(output_dir)
