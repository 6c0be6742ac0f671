"""Extract many videos: in several processes, with a journal, so that a run can be ended and gone on with."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from hf_slt.errors import ConfigurationError, HfSltError, MissingDependencyError, ProblemsError, require_package
from hf_slt.extraction.clip import extract_clip, source_hash
from hf_slt.extraction.holistic import extractor_record, require_mediapipe
from hf_slt.extraction.jobs import ClipJob, in_working_order
from hf_slt.extraction.metadata_rows import Journal, Row
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.output_folder import prepared_output, remove_partial
from hf_slt.extraction.run_summary import ERROR, OK, ExtractionSummary
from hf_slt.extraction.stream_files import IMAGE_FOLDERS, KEYPOINTS_FOLDER, POSE_FOLDER, clip_files
from hf_slt.extraction.video import VideoFrame
from hf_slt.extraction.worker_pool import Failure, Progress, run_in_workers

logger = logging.getLogger(__name__)

Extract = Callable[..., Row]
_REPORTED_FRAMES = 25  # frames after which a clip tells how far it is
# A disk that is full, over a quota or read-only hits all clips.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


def run_extraction(
    jobs: Sequence[ClipJob],
    output: str | Path,
    options: ExtractionOptions,
    *,
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    show_progress: bool = True,
    extract: Extract = extract_clip,
    extractor: Mapping[str, Any] | None = None,
) -> ExtractionSummary:
    """Write the streams of all clips, and `metadata.jsonl` with a row for each.

    Clips are made by processes that are started afresh (`spawn`): call this below `if __name__ == "__main__":` in a
    script. A clip that cannot be made, or whose process dies, gets a row with the status "error"; the others go on.
    Each row is in `metadata.journal.jsonl` as soon as its clip is finished, so that a run that was ended loses no clip.

    Args:
        jobs: The clips, see `hf_slt.extraction.jobs.plan_jobs`.
        output: Folder to write: `face/`, `hand_l/`, `hand_r/`, `pose/`, `keypoints78/`, `metadata.jsonl` and
            `extraction.json` (extractor and options).
        options: Settings of the extraction.
        workers: Number of processes; None: one a core that this process may use. Never more than clips.
        resume: Go on with the extraction in `output`. Clips whose video, times and files are still the same stay.
        overwrite: Delete the extraction in `output` first.
        show_progress: Show a progress bar on stderr.
        extract: What makes one clip. It must be importable by its name, for the processes.
        extractor: Record of the extractor; None: that of MediaPipe, which has to be there.

    Returns:
        The rows of `jobs`, in their order, and totals.

    Raises:
        ConfigurationError: `output` holds something that may not be touched, was written with other settings, or
            another run writes to it.
        MissingDependencyError: MediaPipe, PyAV or OpenCV is missing.
        OSError: The disk is full or read-only.
    """
    if workers is not None and workers < 1:
        raise ConfigurationError(f"expected --workers of 1 or more, found {workers}")
    begun, folder = time.monotonic(), Path(output)
    settings = {**(extractor or _extractor_record()), "options": options.to_dict()}
    with prepared_output(folder, settings, resume=resume, overwrite=overwrite) as kept:
        rows = _finished_rows(jobs, kept, folder, options, show_progress)
        rest = [job for job in jobs if job.video_id not in rows]
        if resumed := len(rows):
            logger.info("%d of %d clips are finished already", resumed, len(jobs))
        work = partial(extract_job, output=folder, options=options, extract=extract, pin=len(rest) > 1)
        made = _make_clips(rest, work, workers or usable_cores(), folder, show_progress)
        with Journal(folder, kept | rows) as journal, closing(made):
            try:
                for row in made:
                    rows[row["video_id"]] = row
                    journal.add(row)
            except (KeyboardInterrupt, SystemExit):
                logger.warning("\nstopped after %d of %d clips; --resume goes on with the others", len(rows), len(jobs))
                raise
            journal.finish(job.video_id for job in jobs)
    in_order = [rows[job.video_id] for job in jobs]
    return ExtractionSummary(in_order, resumed, time.monotonic() - begun)


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _extractor_record() -> Mapping[str, Any]:
    """Return the record of MediaPipe; what is missing is told before anything is written, and nothing is loaded."""
    if not all(map(find_spec, ("mediapipe", "cv2"))):
        require_mediapipe()
    require_package("av", extra="extraction")
    return extractor_record()


def _finished_rows(
    jobs: Sequence[ClipJob], kept: Mapping[str, Row], folder: Path, options: ExtractionOptions, show_progress: bool
) -> dict[str, Row]:
    """Return the rows of the clips that were made of the same video and times, and are still there."""
    hash_of = cache(_hash_or_none)

    def is_finished(job: ClipJob) -> bool:
        """Tell whether a clip needs nothing any more."""
        row = kept.get(job.video_id, {})
        if row.get("status") != OK or (row.get("start"), row.get("end")) != (job.start, job.end):
            return False
        if not _has_files(row, folder, job.video_id, f".{options.image_format}"):
            return False
        return (row.get("provenance") or {}).get("source_sha256") == hash_of(job.video)

    bar = tqdm(jobs, "checking", unit="clip", leave=False, disable=not (show_progress and kept))
    return {job.video_id: {**kept[job.video_id], **job.columns} for job in bar if is_finished(job)}


def _has_files(row: Row, folder: Path, video_id: str, suffix: str) -> bool:
    """Tell whether a clip has its files of landmarks, and as many crops as its row says."""
    files, written = clip_files(folder, video_id), row.get("frames") or {}
    if not (files[POSE_FOLDER].is_file() and files[KEYPOINTS_FOLDER].is_file()):
        return False
    return all(_count_files(files[stream], suffix) == written.get(stream, 0) for stream in IMAGE_FOLDERS)


def _count_files(folder: Path, suffix: str) -> int:
    names = os.listdir(folder) if folder.is_dir() else []
    return sum(name.endswith(suffix) and not name.startswith(".") for name in names)


def _hash_or_none(video: Path) -> str | None:
    try:
        return source_hash(video)
    except HfSltError:
        return None  # the extraction tells what is wrong with it


_hash_once = cache(source_hash)  # of a worker process: clips of one video share its hash


def extract_job(
    job: ClipJob,
    place: int,
    report: Callable[[int], None],
    *,
    output: Path,
    options: ExtractionOptions,
    extract: Extract,
    pin: bool,
) -> Row:
    """Make one clip and return its row; a clip that cannot be made gives a row with the status "error".

    Args:
        job: The clip.
        place: Number of the worker, from 0.
        report: Told the number of frames that are finished, now and then.
        output: Folder to write to.
        options: Settings.
        extract: What makes the clip.
        pin: Bind the landmark model to the core of the worker's number, so that workers keep out of each other's way.

    Raises:
        OSError: The disk is full or read-only.
        MissingDependencyError: A package does not load.
    """

    def count(frame: VideoFrame, *_: object) -> None:
        if frame.number % _REPORTED_FRAMES == _REPORTED_FRAMES - 1:
            report(frame.number + 1)

    is_part = job.start is not None or job.end is not None
    try:
        row = extract(
            job.video,
            output,
            job.video_id,
            options,
            start=job.start,
            end=job.end,
            on_frame=count,
            core=place % usable_cores() if pin else None,
            source_sha256=_hash_once(job.video) if is_part else None,
        )
    except MissingDependencyError:
        raise
    except HfSltError as error:
        return error_row(job, describe_error(error))
    except OSError as error:
        if error.errno in _DISK:
            raise
        where = f" ({error.filename})" if error.filename else ""
        return error_row(job, f"expected files that can be read and written, found: {error.strerror or error}{where}")
    return {"video_id": job.video_id, **job.columns, **row}


def error_row(job: ClipJob, message: str) -> Row:
    """Return the row of a clip that could not be made."""
    times = {"start": job.start, "end": job.end}
    return {
        **{"video_id": job.video_id, **job.columns, "video": job.video.name, **times, "n_frames": 0},
        **{"status": ERROR, "error": message},
    }


def describe_error(error: HfSltError) -> str:
    """Return an error as one line for a table."""
    if not isinstance(error, ProblemsError):
        return " ".join(str(error).split())
    return " | ".join(f"expected {one.expected}, found {one.found}; {one.fix}" for one in error.problems)


def _make_clips(
    jobs: Sequence[ClipJob], work: Callable[..., Row], workers: int, folder: Path, show_progress: bool
) -> Iterator[Row]:
    """Let workers make clips; yield the row of each as it ends, also of those that could not be made."""
    tasks = [jobs[position] for position in in_working_order(jobs)]
    with (
        _Bar(len(tasks), show_progress) as bar,
        closing(run_in_workers(work, tasks, workers)) as outcomes,
    ):
        for position, outcome in outcomes:
            if isinstance(outcome, Progress):
                bar.begun(position, outcome.value)
                continue
            row = outcome
            if isinstance(outcome, Failure):
                remove_partial(folder, tasks[position].video_id)
                row = error_row(tasks[position], outcome.reason)
            yield row
            bar.ended(position, row)


class _Bar:
    """A progress bar over clips, which also counts frames."""

    def __init__(self, total: int, is_shown: bool):
        self._bar = tqdm(total=total, desc="extracting", unit="clip", disable=not (is_shown and total))
        self._frames: dict[int, int] = {}
        self._failed, self._begun = 0, time.monotonic()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def begun(self, position: int, frames: int) -> None:
        """Show that a clip has so many frames by now."""
        self._frames[position] = frames
        total = sum(self._frames.values())
        speed = total / max(time.monotonic() - self._begun, 1e-9)
        self._bar.set_postfix({"frames": total, "frames/s": f"{speed:.1f}", "failed": self._failed})

    def ended(self, position: int, row: Row) -> None:
        """Show that a clip has ended."""
        self._failed += row["status"] == ERROR
        self.begun(position, row["n_frames"])
        self._bar.update()
