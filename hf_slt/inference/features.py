"""Image features of videos, `(T, d)` a clip: what the classifiers of features read, written as files."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

import hf_slt
from hf_slt.data.gloss.clips import FEATURES_KEY, read_meta, write_clip
from hf_slt.data.npz_files import open_npz
from hf_slt.errors import ConfigurationError, DataContractError, Problem, VideoError
from hf_slt.extraction.clip import source_hash
from hf_slt.extraction.jobs import ClipJob
from hf_slt.extraction.metadata_rows import METADATA_FILE, write_rows
from hf_slt.extraction.video import VideoFrame, read_frames
from hf_slt.inference.frame_encoders import FrameEncoder
from hf_slt.provenance import PROVENANCE_KEY, parse_provenance, write_provenance

logger = logging.getLogger(__name__)

_SHOWN = 5


@dataclass(frozen=True)
class FeatureOptions:
    """What decides about the bytes of the files.

    Attributes:
        fps: Frames a second to keep; None keeps every frame.
        batch_size: Frames a step; another one may change the last digits.
        image_size: Side to which frames are resized; None: the backbone's own.
        key: Name of the array in the files.
    """

    fps: float | None = None
    batch_size: int = 16
    image_size: int | None = None
    key: str = FEATURES_KEY

    def __post_init__(self) -> None:
        problems = [
            f"{flag} of 1 or more, found {value}"
            for flag, value in (("--batch-size", self.batch_size), ("--image-size", self.image_size))
            if value is not None and value < 1
        ]
        if self.fps is not None and not 0 < self.fps < float("inf"):
            problems.append(f"--fps above 0, found {self.fps}")
        if problems:
            raise ConfigurationError(f"expected {'; '.join(problems)}")


def encode_video(job: ClipJob, encoder: FrameEncoder, options: FeatureOptions) -> tuple[np.ndarray, np.ndarray, Any]:
    """Turn a clip into features.

    Args:
        job: The video, and the part of it.
        encoder: The backbone.
        options: The settings.

    Returns:
        Features `(T, d)` float32, times `(T,)` in seconds, and (width, height) of the picture.

    Raises:
        VideoError: The video cannot be read.
    """
    features, times, size = [], [], (0, 0)
    frames = read_frames(job.video, fps=options.fps, start=job.start, end=job.end)
    for batch in _batches(frames, options.batch_size):
        images = [frame.image for frame in batch if frame.image is not None]  # none is: all frames are converted
        features.append(encoder.encode(images))
        times += [frame.time for frame in batch]
        size = images[0].shape[1::-1]
    if not features:
        fix = "correct start and end, or leave the clip out"
        raise VideoError([Problem(str(job.video), "at least one frame", "none", fix)])
    values = np.concatenate(features).astype(np.float32)
    if not np.isfinite(values).all():
        raise ConfigurationError("expected finite features, found NaN or infinity; check the weights of the backbone")
    return values, np.array(times), size


def _batches(frames: Iterable[VideoFrame], size: int) -> Iterator[list[VideoFrame]]:
    iterator = iter(frames)
    while batch := list(islice(iterator, size)):
        yield batch


def feature_record(job: ClipJob, encoder: FrameEncoder, options: FeatureOptions) -> dict[str, Any]:
    """Return the provenance of the features of a clip, see `hf_slt.provenance`; hashes the video."""
    record = {
        "extractor": encoder.name,
        "extractor_version": encoder.version,
        "hf_slt_version": hf_slt.__version__,
        "options": asdict(options),
        "source": job.video.name,
        "source_sha256": source_hash(job.video),
        "start": job.start,
        "end": job.end,
    }
    return parse_provenance(write_provenance(record)) or {}  # as it comes back from a file, in the same order


def write_features(
    job: ClipJob, output: Path, encoder: FrameEncoder, options: FeatureOptions, record: dict[str, Any]
) -> dict[str, Any]:
    """Write `<video_id>.npz` of a clip, the same bytes each time, complete or not at all; return its `meta`.

    Args:
        job: The clip.
        output: The folder.
        encoder: The backbone.
        options: The settings.
        record: The provenance, see `feature_record`.

    Raises:
        VideoError: The video cannot be read.
    """
    values, times, (width, height) = encode_video(job, encoder, options)
    seconds = float(times[-1] - times[0])
    meta = {
        "width": width,
        "height": height,
        "fps": (len(times) - 1) / seconds if seconds > 0 else None,
        "n_frames": len(times),
        PROVENANCE_KEY: record,
    }
    path = feature_path(output, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write_clip(partial, values, timestamps_ms=times * 1000, meta=meta, key=options.key)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return meta


def feature_path(output: Path, job: ClipJob) -> Path:
    """Return the file of a clip."""
    return output / f"{job.video_id}.npz"


def run_feature_extraction(
    jobs: Sequence[ClipJob], output: Path, encoder: FrameEncoder, options: FeatureOptions, resume: bool = False
) -> list[dict[str, Any]]:
    """Write the features of many clips, and `metadata.jsonl` with a row for each of them.

    A clip that cannot be read gets a row with `status` `"error"` and the reason; the others go on.

    Args:
        jobs: The clips.
        output: Folder to write, new or empty unless `resume`.
        encoder: The backbone.
        options: The settings.
        resume: Keep the files that are there; they must have been made with the same settings of the same videos.

    Returns:
        The rows: `video_id`, the columns of the metadata, `video`, `start`, `end`, `n_frames`, `fps`, `width`,
        `height`, `status`, `error`, `provenance`.

    Raises:
        ConfigurationError: The folder holds something without `resume`, or files of other settings with it.
    """
    if output.exists() and not output.is_dir():
        raise ConfigurationError(f"expected a folder in --output, found the file {output}")
    if not resume and output.is_dir() and any(output.iterdir()):
        raise ConfigurationError(
            f"expected an empty or new folder in --output, found content in {output}; choose another one, or add "
            f"--resume to go on there"
        )
    done = _finished(jobs, output, encoder, options) if resume else {}
    output.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    try:
        for job in tqdm(jobs, desc="features", unit="clip"):
            rows.append(_row(job, output, encoder, options, done.get(job.video_id)))
    finally:
        write_rows(output / METADATA_FILE, rows)
    return rows


def _row(
    job: ClipJob, output: Path, encoder: FrameEncoder, options: FeatureOptions, meta: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the row of a clip, after writing its file if there is no `meta` of it yet."""
    error = None
    try:
        if meta is None:
            meta = write_features(job, output, encoder, options, feature_record(job, encoder, options))
    except (VideoError, DataContractError) as problem:
        error = str(problem)
        logger.warning(f"{job.video_id}: {error}")
    known = {name: (meta or {}).get(name) for name in ("n_frames", "fps", "width", "height")}
    return {
        "video_id": job.video_id,
        **job.columns,
        "video": job.video.name,
        "start": job.start,
        "end": job.end,
        **known,
        "status": "error" if error else "ok",
        "error": error,
        PROVENANCE_KEY: (meta or {}).get(PROVENANCE_KEY),
    }


def _finished(
    jobs: Sequence[ClipJob], output: Path, encoder: FrameEncoder, options: FeatureOptions
) -> dict[str, dict[str, Any]]:
    """Return clip id -> `meta` of the files that are there, or say which ones were made otherwise."""
    found, others = {}, []
    for job in jobs:
        path = feature_path(output, job)
        if not path.is_file():
            continue
        try:
            with open_npz(path) as file:
                meta = read_meta(file) if options.key in file.keys else {}
        except DataContractError:
            continue  # damaged: made again
        if differing := _differing(feature_record(job, encoder, options), meta.get(PROVENANCE_KEY) or {}):
            others.append(f"{job.video_id} ({', '.join(differing)})")
        found[job.video_id] = meta
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        raise ConfigurationError(
            f"expected features of the same videos and settings in {output} to go on with, found others: "
            f"{', '.join(others[:_SHOWN])}{more}; choose another folder, or delete these files"
        )
    return found


def _differing(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return what differs of two records, by name; the version of hf_slt may."""
    names = [name for name in expected if name not in ("options", "hf_slt_version")]
    differing = [name for name in names if expected[name] != found.get(name)]
    options = found.get("options") or {}
    return differing + [name for name, value in expected["options"].items() if value != options.get(name)]
