"""What a corpus on disk is made of, as plain data: where it lies, one clip of it, and what checking it found."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError, Problem
from hf_slt.streams import IMAGE_STREAMS, STREAMS


@dataclass
class CorpusPaths:
    """Where the parts of a corpus lie, and how its CSVs are to be read.

    Attributes:
        face_dir: Folder of the face crops; None: the stream is not used. So for the next three.
        left_hand_dir: Folder of the left-hand crops.
        right_hand_dir: Folder of the right-hand crops.
        pose_dir: Folder of the pose files.
        metadata_csv: Texts of the clips.
        indexes: Split name (`"train"`, `"validation"`, `"test"`) -> CSV of its clip ids; entries of None are dropped.
        id_column: Id column of the metadata; None: `video_id` or `id`.
        text_column: Text column of the metadata; None: `texto` or `text`.
        encoding: Encoding of the CSVs.
        pose_key: Name of the array in a pose file.
    """

    face_dir: Path | None = None
    left_hand_dir: Path | None = None
    right_hand_dir: Path | None = None
    pose_dir: Path | None = None
    metadata_csv: Path | None = None
    indexes: dict[str, Path] = field(default_factory=dict)
    id_column: str | None = None
    text_column: str | None = None
    encoding: str = "utf-8-sig"
    pose_key: str = "pose"

    def __post_init__(self) -> None:
        for name in (*(f"{stream}_dir" for stream in STREAMS), "metadata_csv"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else Path(value))
        self.indexes = {split: Path(path) for split, path in self.indexes.items() if path is not None}

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that are used, in the order of `STREAMS`."""
        return tuple(stream for stream in STREAMS if self.folder(stream) is not None)

    def folder(self, stream: str) -> Path | None:
        """Return the folder of a stream, None where it is not used."""
        folder: Path | None = getattr(self, f"{stream}_dir")
        return folder


@dataclass
class ClipRecord:
    """One sound clip: a row of the data set.

    Attributes:
        video_id: Its id.
        text: Its sentence.
        n_frames: Number of frames T that all streams are aligned to.
        signer: Who signs, if the metadata tells.
        video: The source video that the clip was cut from, if the metadata tells.
        duration: Seconds, if the metadata tells.
        fps: Frames a second, if the metadata tells.
        pose: Path of the pose file; None: no such stream.
        images: Image stream -> `{kind, path, files, frames}` as `readers.read_frames` takes it; missing streams are
            not in it.
    """

    video_id: str
    text: str
    n_frames: int
    signer: str | None = None
    video: str | None = None
    duration: float | None = None
    fps: float | None = None
    pose: str | None = None
    images: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_row(self) -> dict[str, Any]:
        """Return the clip as a row of the `datasets.DatasetDict`."""
        names = ("video_id", "text", "n_frames", "signer", "video", "duration", "fps")
        row = {name: getattr(self, name) for name in names}
        row["pose"] = None if self.pose is None else {"path": self.pose}
        return row | {stream: self.images.get(stream) for stream in IMAGE_STREAMS}

    @property
    def seconds(self) -> float | None:
        """The length of the clip, by its duration, else by its frames; None if the metadata tell neither."""
        if self.duration is not None:
            return self.duration
        return self.n_frames / self.fps if self.fps else None

    def missing_frames(self, stream: str) -> int:
        """Return in how many of its frames the clip lacks a stream."""
        if stream == "pose":
            return 0 if self.pose else self.n_frames
        return self.n_frames - (len(self.images[stream]["frames"]) if stream in self.images else 0)


@dataclass
class ContractReport:
    """What checking a corpus found.

    Attributes:
        problems: What keeps the corpus from being used, in a stable order.
        skipped_problems: Problems of clips that were left out on demand (`skip_invalid`).
        skipped: Split -> ids of the clips that were left out.
        warnings: What is odd but legal.
        splits: Split -> `{"clips", "frames", "missing_frames": {stream: frames}}` of the clips that remain, and
            `"seconds"` where the metadata tell the length of each.
        num_landmarks: Number of landmarks L of the poses; None without poses.
    """

    problems: list[Problem] = field(default_factory=list)
    skipped_problems: list[Problem] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    num_landmarks: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the corpus can be used."""
        return not self.problems

    @property
    def num_skipped(self) -> int:
        """Number of clips that were left out of their splits."""
        return sum(len(ids) for ids in self.skipped.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the report as written to `contract_report.json`."""
        return {
            "ok": self.ok,
            "num_problems": len(self.problems),
            "problems": [problem.to_dict() for problem in self.problems],
            "num_skipped": self.num_skipped,
            "skipped": self.skipped,
            "skipped_problems": [problem.to_dict() for problem in self.skipped_problems],
            "warnings": self.warnings,
            "splits": self.splits,
            "num_landmarks": self.num_landmarks,
        }

    def write(self, path: str | Path) -> None:
        """Write the report as JSON; a reader sees either the old file or the complete new one.

        Args:
            path: The file; its folder is made if need be.

        Raises:
            ConfigurationError: The file cannot be written there.
        """
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # several processes may check at once
        try:
            if path.is_dir():
                raise IsADirectoryError(0, "a folder of this name")
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            os.replace(partial, path)
        except OSError as error:
            raise ConfigurationError(
                f"expected to write the report to {path}, found: {error.strerror or error}; choose another place"
            ) from error
