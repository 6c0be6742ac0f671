"""Video files (mp4, webm, mkv, gif, avi, mov) as RGB frames with times, decoded with PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hf_slt.errors import require_package
from hf_slt.extraction.resampling import FrameClock, FrameSlots
from hf_slt.extraction.video_checks import READ_AGAIN, check_cut, check_file, check_picture, video_error

VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv", ".gif", ".avi", ".mov", ".m4v")
# What the decoder calls the containers that are read; a picture or a play list under a video's name is none of them.
_CONTAINERS = {"mov", "mp4", "m4v", "matroska", "webm", "gif", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "nut"}
_NOT_A_VIDEO = f"a video ({', '.join(suffix[1:] for suffix in VIDEO_SUFFIXES)})"


@dataclass(frozen=True)
class VideoFrame:
    """A frame that is kept.

    Attributes:
        number: Counts the frames kept, from 0.
        time: Seconds since the start of the clip.
        image: uint8 RGB `(H, W, 3)`, upright; None where the reader was told that its pixels are not needed.
    """

    number: int
    time: float
    image: np.ndarray | None


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is decoded.

    Attributes:
        width: Width of the upright picture in square pixels.
        height: Height of it.
        fps: Average frames a second, as the container states it; None if it does not.
        duration: Length in seconds; None if the container does not state it.
        rotation: Degrees counter-clockwise that the stored picture is turned by to stand upright; quarter turns count.
        first_time: Time stamp of the first frame in seconds; times of the video are counted from it.
        codec: Name of the codec.
    """

    width: int
    height: int
    fps: float | None
    duration: float | None
    rotation: int
    first_time: float
    codec: str

    @property
    def turns(self) -> int:
        """Quarter turns counter-clockwise, 0 to 3."""
        return round(self.rotation / 90) % 4

    def count_frames(
        self, fps: float | None = None, start: float | None = None, end: float | None = None
    ) -> int | None:
        """Estimate how many frames `read_frames` gives; None where the container tells too little.

        Args:
            fps: As for `read_frames`.
            start: As for `read_frames`.
            end: As for `read_frames`.
        """
        stop = self.duration if end is None else end if self.duration is None else min(end, self.duration)
        rates = [rate for rate in (fps, self.fps) if rate]
        if stop is None or not rates:
            return None
        return max(1, round((stop - (start or 0.0)) * min(rates)))


def list_videos(folder: str | Path) -> list[Path]:
    """Return the videos below a folder in the order of their paths, hidden ones left out; a file stands for itself.

    Raises:
        VideoError: There is no such folder, or no video in it.
    """
    folder = Path(folder)
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise video_error(folder, "a folder of videos, or a video", "nothing there", "check the path")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()]
    found = sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    if not found:
        raise video_error(folder, f"files of {' '.join(VIDEO_SUFFIXES)}", "none in it", "check the path")
    return found


def probe_video(path: str | Path) -> VideoInfo:
    """Read what a video is, and decode its first frame.

    Raises:
        VideoError: The file is missing, a folder, no video, without a picture, cut short, too large, or no frame of
            it decodes.
        MissingDependencyError: PyAV is not installed.
    """
    path = Path(path)
    try:
        stat = path.stat()
    except OSError:
        stat = None  # the check below says what is wrong
    return _probed(path, stat and (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=16)
def _probed(path: Path, state: tuple[int, ...] | None) -> VideoInfo:
    """Look at a file in a state that it is in: a clip is read by several passes, which all ask for the same."""
    check_file(path)
    with _opened(path) as container:
        return _probe(path, container)


def read_frames(
    path: str | Path,
    *,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
    convert: Callable[[int], bool] | None = None,
) -> Iterator[VideoFrame]:
    """Decode a video, or a part of it, by its time stamps.

    Pictures are turned upright, pixels made square, alpha dropped, gray and deeper colours brought to 8-bit RGB.

    Args:
        path: The file.
        fps: Frames a second to keep, by the rule of `FrameSlots`; None keeps all. No frame is ever made up.
        start: Where the clip starts, in seconds since the first frame of the video.
        end: Where it ends; a frame at this time is not part of it.
        convert: Says for the number of a kept frame whether its pixels are needed; the others have no image.

    Yields:
        The frames kept, in the order of their times.

    Raises:
        VideoError: As `probe_video`; a damaged frame; a rate or a cut that cannot be; no frame in the cut.
        MissingDependencyError: PyAV is not installed.
    """
    path = Path(path)
    info = probe_video(path)
    check_cut(path, info.duration, fps, start, end)
    slots, number = FrameSlots(fps), 0
    for time, frame in _timed_frames(path, info, start or 0.0, end):
        if slots.take(time):
            wanted = convert is None or convert(number)
            yield VideoFrame(number, time, _to_rgb(frame, info) if wanted else None)
            number += 1
    if not number:
        raise video_error(path, "at least one frame", f"none from start = {start} to end = {end}", READ_AGAIN)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a container and turn what the decoder says, then and later, into errors for people."""
    av = require_package("av", extra="extraction")
    try:
        with av.open(str(path.absolute()), options={"protocol_whitelist": "file"}) as container:
            _check_streams(path, container)
            yield container
    except av.FFmpegError as error:
        found = f"what does not decode ({type(error).__name__}: {error.strerror})"
        raise video_error(path, _NOT_A_VIDEO, found, READ_AGAIN) from error


def _check_streams(path: Path, container: Any) -> None:
    if not _CONTAINERS & set(container.format.name.split(",")):
        fix = "name a video; pictures and play lists are not read"
        raise video_error(path, _NOT_A_VIDEO, f"a file of the kind '{container.format.name}'", fix)
    if not container.streams.video:
        kinds = sorted({stream.type for stream in container.streams})
        found = f"only {', '.join(kinds)}" if kinds else "no stream at all"
        raise video_error(path, "a video stream", found, "name a file that has a picture")
    context = container.streams.video[0].codec_context
    check_picture(path, context.width, context.height)


def _probe(path: Path, container: Any) -> VideoInfo:
    stream = container.streams.video[0]
    duration = stream.duration * stream.time_base if stream.duration else None
    if duration is None and container.duration:
        duration = container.duration / 1e6  # microseconds
    frame = next(iter(container.decode(stream)), None)
    if frame is None:
        raise video_error(path, "at least one frame", "an empty clip: no frame decodes", READ_AGAIN)
    width, height = _square_size(frame, stream.sample_aspect_ratio)
    check_picture(path, width, height)
    if round(frame.rotation / 90) % 2:
        width, height = height, width
    return VideoInfo(
        width=width,
        height=height,
        fps=float(stream.average_rate) if stream.average_rate else None,
        duration=float(duration) if duration else None,
        rotation=frame.rotation,
        first_time=frame.time if frame.time is not None else 0.0,
        codec=stream.codec_context.name,
    )


def _square_size(frame: Any, pixel_aspect: Any) -> tuple[int, int]:
    """Return the size of a stored picture with its pixels made square."""
    return max(1, round(frame.width * float(pixel_aspect or 1))), frame.height


def _timed_frames(path: Path, info: VideoInfo, start: float, end: float | None) -> Iterator[tuple[float, Any]]:
    """Decode the frames of a cut with their seconds since its start; from the key frame before it where that works."""
    for time, frame in _decoded(path, info, start):
        if end is not None and time >= end:
            return
        if time < start:
            continue
        if frame.is_corrupt:
            raise video_error(f"{path}, at {time:.3f} s", "a frame that decodes", "a damaged frame", READ_AGAIN)
        yield round(time - start, 6), frame


def _decoded(path: Path, info: VideoInfo, start: float) -> Iterator[tuple[float, Any]]:
    with _opened(path) as container:
        frames, clock = _from_key_frame(path, container, info, start), FrameClock(info.fps)
        if frames is not None:
            for frame in frames:
                yield clock.tick(_seconds(frame, info)), frame
            return
    with _opened(path) as container:
        clock = FrameClock(info.fps)
        for frame in container.decode(video=0):
            yield clock.tick(_seconds(frame, info)), frame


def _seconds(frame: Any, info: VideoInfo) -> float | None:
    """Return a time stamp since the first frame in whole microseconds, so that 1.2 - 1.0 reaches a start of 0.2."""
    return None if frame.time is None else round(frame.time - info.first_time, 6)


def _from_key_frame(path: Path, container: Any, info: VideoInfo, start: float) -> Iterator[Any] | None:
    """Return the frames from the key frame before a time on; None where the file cannot be entered there."""
    stream = container.streams.video[0]
    if start <= 0:
        return container.decode(stream)
    try:
        container.seek(int((start + info.first_time) / stream.time_base), stream=stream)
        frames = container.decode(stream)
        first = next(frames, None)
    except (OSError, ValueError):  # what PyAV makes of a failed seek, by its cause
        return None
    time = None if first is None else _seconds(first, info)
    if time is None or time > start:
        return None
    return _chain(first, frames)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _to_rgb(frame: Any, info: VideoInfo) -> np.ndarray:
    """Return a decoded frame as uint8 RGB `(H, W, 3)` of the size that the video has upright."""
    turned = info.turns % 2
    width, height = (info.height, info.width) if turned else (info.width, info.height)
    image = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(image, info.turns))
