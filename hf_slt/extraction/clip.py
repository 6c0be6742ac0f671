"""From one video, or a part of one, to the files that models read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import hf_slt
from hf_slt.data.csv_files import id_fault
from hf_slt.errors import ConfigurationError, Problem, VideoError
from hf_slt.extraction.crops import Corners, CropMaker
from hf_slt.extraction.holistic import extractor_record
from hf_slt.extraction.keypoints import stack_78
from hf_slt.extraction.landmark_clip import ClipLandmarks, FrameLandmarks, stack_frames
from hf_slt.extraction.landmark_pass import signer_landmarks
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.people import find_signer
from hf_slt.extraction.pipelining import Behind
from hf_slt.extraction.stream_files import ImageWriter, staged_clip, write_landmarks
from hf_slt.extraction.video import VideoFrame, probe_video

# Called with a frame, its landmarks and its crop boxes in pixels, in order and in a thread of its own.
OnFrame = Callable[[VideoFrame, FrameLandmarks, Mapping[str, Corners | None]], None]

_BEHIND = 8  # frames with landmarks that wait for the writer
_HASH_BLOCK = 1 << 20


def source_hash(video: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits.

    Raises:
        VideoError: The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with video.open("rb") as file:
            while block := file.read(_HASH_BLOCK):
                digest.update(block)
    except OSError as error:
        found = error.strerror or str(error)
        raise VideoError([Problem(str(video), "a readable video file", found, "correct the path")]) from error
    return digest.hexdigest()


def extract_clip(
    video: Path,
    output: Path,
    video_id: str,
    options: ExtractionOptions,
    *,
    start: float | None = None,
    end: float | None = None,
    on_frame: OnFrame | None = None,
    core: int | None = None,
    source_sha256: str | None = None,
) -> dict[str, Any]:
    """Extract the streams of one clip: `face/`, `hand_l/`, `hand_r/`, `pose/` and `keypoints78/` under `output`.

    Files of an earlier extraction of the clip are replaced. After an error nothing is left behind.

    Args:
        video: The file.
        output: The folder of all clips.
        video_id: The clip's id.
        options: Settings.
        start: Where the clip begins in the video, in seconds.
        end: Where it ends.
        on_frame: Called for each frame, see `OnFrame`.
        core: Number of the processor core that the landmark model is bound to; None leaves that to the system.
        source_sha256: `source_hash` of the video, if it is known already.

    Returns:
        The row of `metadata.jsonl`: `video_id`, `video`, `start`, `end`, `n_frames`, `fps` (as observed), `width`,
        `height`, `frames` (written per stream), `detection` (share of frames per part), `signer_choice`, `status`,
        `error`, `provenance`.

    Raises:
        VideoError: The video is not usable, or shows no person.
        ConfigurationError: An id that cannot be a file name, or an unknown pose layout.
        MissingDependencyError: A package of the extra `extraction` is missing.
    """
    video, output = Path(video), Path(output)
    fault = id_fault(video_id)
    if fault:
        raise ConfigurationError(f"expected a clip id that can be a file name, found {fault} in {video_id!r}")
    info = probe_video(video)
    with ThreadPoolExecutor(2, thread_name_prefix="extraction") as pool:
        digest = pool.submit(source_hash, video) if source_sha256 is None else None
        choosing = pool.submit(find_signer, video, start=start, end=end)
        with staged_clip(output, video_id) as staging:
            writer = ImageWriter(staging, video_id, options)
            found = signer_landmarks(video, options, (start, end), choosing, core)
            clip = _write_frames(found, options, writer, on_frame)
            clip.signer = choosing.result().to_dict()
            _require_person(video, clip)
            provenance = {
                **extractor_record(),
                "hf_slt_version": hf_slt.__version__,
                "options": options.to_dict(),
                "source": video.name,
                "source_sha256": digest.result() if digest else source_sha256,
                "start": start,
                "end": end,
            }
            fps = observed_fps(clip.times) or info.fps
            write_landmarks(staging, video_id, clip, options, fps, provenance)
    return {
        "video_id": video_id,
        "video": video.name,
        "start": start,
        "end": end,
        "n_frames": len(clip),
        "fps": fps,
        "width": clip.width,
        "height": clip.height,
        "frames": {**writer.written, "pose": len(clip)},
        "detection": detection_rates(clip),
        "signer_choice": clip.signer,
        "status": "ok",
        "error": None,
        "provenance": provenance,
    }


def observed_fps(times: np.ndarray) -> float | None:
    """Return the mean number of frames a second, None for fewer than two frames.

    Args:
        times: `(T,)` seconds.
    """
    return round((len(times) - 1) / float(times[-1] - times[0]), 3) if len(times) > 1 else None


def detection_rates(clip: ClipLandmarks) -> dict[str, float]:
    """Return the share of frames in which each part was detected: `person`, `face`, `left_hand`, `right_hand`."""
    parts = {"person": "pose", "face": "face", "left_hand": "left_hand", "right_hand": "right_hand"}
    return {name: round(float(clip.seen[part].mean()), 4) for name, part in parts.items()}


def _write_frames(
    found: Iterator[tuple[VideoFrame, FrameLandmarks]],
    options: ExtractionOptions,
    writer: ImageWriter,
    on_frame: OnFrame | None,
) -> ClipLandmarks:
    """Cut out and write the crops in a thread behind the landmark model; return the landmarks of all frames."""
    landmarks: list[FrameLandmarks] = []
    times: list[float] = []
    crop_maker: CropMaker | None = None

    def finish(frame: VideoFrame, one: FrameLandmarks) -> None:
        writer.write(frame.number, crop_maker.crop(frame.image, one))
        if on_frame is not None:
            on_frame(frame, one, crop_maker.boxes)

    with Behind(finish, _BEHIND) as behind, closing(found):
        for frame, one in found:
            if crop_maker is None:
                height, width = frame.image.shape[:2]
                crop_maker = CropMaker(options, width, height)
            landmarks.append(replace(one, person_mask=None))  # the masks of a long clip would fill the memory
            times.append(frame.time)
            behind.put(frame, one)
    return stack_frames(landmarks, np.array(times), crop_maker.width, crop_maker.height)


def _require_person(video: Path, clip: ClipLandmarks) -> None:
    if not stack_78(clip)[1].any():
        found = f"no person in any of {len(clip)} frames"
        fix = "leave the video out; if somebody is in it, try a lower min_detection_confidence"
        raise VideoError([Problem(str(video), "a person in at least one frame", found, fix)])
