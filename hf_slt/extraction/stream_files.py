"""The files of one clip as the data contract has them, complete or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.data.gloss.clips import write_clip
from hf_slt.data.pose_files import write_pose
from hf_slt.errors import require_package
from hf_slt.extraction.keypoints import keypoints_78, stack_78
from hf_slt.extraction.landmark_clip import ClipLandmarks
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.pose_arrays import pose_streams
from hf_slt.landmarks import LAYOUTS
from hf_slt.provenance import PROVENANCE_KEY
from hf_slt.signing_space import SIGNING_SPACE, normalize_pose
from hf_slt.streams import IMAGE_STREAMS

IMAGE_FOLDERS = {"face": "face", "left_hand": "hand_l", "right_hand": "hand_r"}
POSE_FOLDER, KEYPOINTS_FOLDER = "pose", "keypoints78"


def clip_files(output: Path, video_id: str) -> dict[str, Path]:
    """Return where the streams of a clip lie.

    Args:
        output: The folder of all clips.
        video_id: The clip.

    Returns:
        `face`, `left_hand`, `right_hand` (folders of images), `pose`, `keypoints78` (files) -> path.
    """
    places = {stream: output / folder / video_id for stream, folder in IMAGE_FOLDERS.items()}
    for folder in (POSE_FOLDER, KEYPOINTS_FOLDER):
        places[folder] = output / folder / f"{video_id}.npz"
    return places


@contextmanager
def staged_clip(output: Path, video_id: str) -> Iterator[Path]:
    """Give a folder in which a clip is written as in `output`, and move its files there when the block ends well.

    Files of an earlier extraction of the clip are replaced, also streams that the new one lacks. After an error
    everything is as before.

    Args:
        output: The folder of all clips.
        video_id: The clip.
    """
    output.mkdir(parents=True, exist_ok=True)
    staging = output / f".{video_id}.{os.getpid()}.partial"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        (staging / "new").mkdir(parents=True)
        yield staging / "new"
        _move_in(clip_files(staging / "new", video_id), clip_files(output, video_id), staging / "old")
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move_in(new: Mapping[str, Path], places: Mapping[str, Path], old: Path) -> None:
    """Move files into their places; when one move fails, the earlier ones are taken back."""
    undo: list[tuple[Path, Path]] = []
    old.mkdir()
    try:
        for stream, place in places.items():
            if place.exists():
                _move(place, old / stream, undo)
            if new[stream].exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                _move(new[stream], place, undo)
    except OSError:
        for source, target in reversed(undo):
            target.rename(source)
        raise


def _move(source: Path, target: Path, undo: list[tuple[Path, Path]]) -> None:
    source.rename(target)
    undo.append((source, target))


class ImageWriter:
    """Writes the crops of a clip, `<stream folder>/<id>/000000.jpg`, the same bytes each time.

    Args:
        folder: The folder of all streams.
        video_id: The clip.
        options: `image_format` and `jpeg_quality` count.

    Attributes:
        written: Image stream -> number of images written.
    """

    def __init__(self, folder: Path, video_id: str, options: ExtractionOptions):
        self._places = clip_files(folder, video_id)
        self._suffix = f".{options.image_format}"
        self._quality = options.jpeg_quality
        self._cv2 = require_package("cv2", extra="extraction")
        self.written = dict.fromkeys(IMAGE_STREAMS, 0)

    def write(self, number: int, crops: Mapping[str, np.ndarray | None]) -> None:
        """Write the crops of one frame; those that are None are left out.

        Args:
            number: Frame number, from 0.
            crops: Image stream -> `(S, S, 3)` uint8 RGB.
        """
        for stream, crop in crops.items():
            if crop is None:
                continue
            parameters = [self._cv2.IMWRITE_JPEG_QUALITY, self._quality] if self._suffix == ".jpg" else []
            _, data = self._cv2.imencode(self._suffix, self._cv2.cvtColor(crop, self._cv2.COLOR_RGB2BGR), parameters)
            if not self.written[stream]:
                self._places[stream].mkdir(parents=True)
            (self._places[stream] / f"{number:06d}{self._suffix}").write_bytes(data.tobytes())
            self.written[stream] += 1


def write_landmarks(
    folder: Path,
    video_id: str,
    clip: ClipLandmarks,
    options: ExtractionOptions,
    fps: float | None,
    provenance: Mapping[str, Any],
) -> None:
    """Write the pose file and the 78-point file of a clip.

    Args:
        folder: The folder of all streams.
        video_id: The clip.
        clip: Its landmarks.
        options: `pose_layout` and `max_gap` count.
        fps: Frames a second, None if unknown.
        provenance: Record of the extraction, put into both files.

    Raises:
        DataContractError: No point was seen in any frame.
    """
    places = clip_files(folder, video_id)
    for name in (POSE_FOLDER, KEYPOINTS_FOLDER):
        places[name].parent.mkdir(parents=True, exist_ok=True)
    points, confidence = pose_streams(clip, options.pose_layout)
    normalized = normalize_pose(points, confidence, LAYOUTS[options.pose_layout])
    write_pose(
        places[POSE_FOLDER],
        normalized,
        confidence,
        norm=SIGNING_SPACE,
        layout=options.pose_layout,
        provenance=provenance,
    )
    values, mask = keypoints_78(clip, options.max_gap)
    meta = {
        "width": clip.width,
        "height": clip.height,
        "fps": fps,
        "layout": "keypoints_78",
        "filled_points": int(mask.sum() - stack_78(clip)[1].sum()),
        PROVENANCE_KEY: dict(provenance),
    }
    write_clip(places[KEYPOINTS_FOLDER], values, mask, clip.times * 1000, meta)
