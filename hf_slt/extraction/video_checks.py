"""What is checked of a video before anything of it is decoded: the file, its container, its size, the cut asked for."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

from hf_slt.data.video_files import missing_bytes
from hf_slt.errors import Problem, VideoError

LARGEST_PICTURE = 7680 * 4320  # pixels; 8K UHD
CUT_TOLERANCE = 0.5  # seconds that a cut may end after the last frame: subtitles are no more exact than that
READ_AGAIN = "download or record the file again, or leave it out"
_GIF_MAGIC = (b"GIF87a", b"GIF89a")
_GIF_IMAGE, _GIF_EXTENSION = b"\x2c", b"\x21"


def video_error(where: str | Path, expected: str, found: str, fix: str) -> VideoError:
    """Return an error that holds one problem.

    Args:
        where: The file, and the part of it.
        expected: What a video has there.
        found: What is there.
        fix: What to do.
    """
    return VideoError([Problem(str(where), expected, found, fix)])


def check_file(path: Path) -> None:
    """Check that a path is a file that is all there, by the lengths that its container states.

    Raises:
        VideoError: It is missing, a folder, empty, not allowed to be read, or cut short.
    """
    if path.is_dir():
        raise video_error(path, "a video file", "a folder", "name the video itself, or give the folder as --videos")
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            missing = _missing(file, size)
    except OSError as error:
        found = f"{type(error).__name__}: {error.strerror}"
        raise video_error(path, "a readable video file", found, "check the path and the rights of the file") from error
    if size == 0:
        raise video_error(path, "a video file", "an empty file (0 bytes)", READ_AGAIN)
    if missing:
        raise video_error(path, "a whole video file", f"a file that was cut short: {missing}", READ_AGAIN)


def check_picture(path: Path, width: int, height: int) -> None:
    """Check the size of the picture before a frame of it takes memory.

    Raises:
        VideoError: No size at all, or more than `LARGEST_PICTURE` pixels.
    """
    if width <= 0 or height <= 0:
        raise video_error(path, "a picture of at least 1 x 1 pixel", f"{width} x {height}", READ_AGAIN)
    if width * height > LARGEST_PICTURE:
        expected = f"at most {LARGEST_PICTURE} pixels a frame (7680 x 4320)"
        fix = "scale it down: ffmpeg -i IN -vf scale=1280:-2 OUT.mp4"
        raise video_error(path, expected, f"{width} x {height} = {width * height} pixels", fix)


def check_cut(
    path: Path, duration: float | None, fps: float | None = None, start: float | None = None, end: float | None = None
) -> None:
    """Check the part and the rate of a video that are asked for.

    Args:
        path: The video, for the message.
        duration: Its length in seconds; None if it is not known.
        fps: Frames a second to keep; None keeps all.
        start: Start of the cut in seconds; None is the start of the video.
        end: End of the cut in seconds; None is the end of the video.

    Raises:
        VideoError: Lists all that cannot be had.
    """
    problems = []
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        problems.append(Problem(f"{path}, fps", "a number of frames a second above 0", str(fps), "e.g. --fps 25"))
    for name, value in (("start", start), ("end", end)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            found = f"{name} = {value}"
            problems.append(Problem(f"{path}, {name}", "seconds, 0 or more", found, "correct it in the metadata"))
    if not problems:
        problems = _outside(path, duration, start or 0.0, end)
    if problems:
        raise VideoError(problems)


def _outside(path: Path, duration: float | None, start: float, end: float | None) -> list[Problem]:
    fix = "correct start and end in the metadata, or check that this is the video that they are of"
    problems = []
    if end is not None and end <= start:
        problems.append(Problem(f"{path}, end", "an end after the start", f"start = {start:g}, end = {end:g}", fix))
    if duration is not None and start >= duration:
        expected = f"a start within the video ({duration:.3f} s)"
        problems.append(Problem(f"{path}, start", expected, f"start = {start:g}", fix))
    if duration is not None and end is not None and end > duration + CUT_TOLERANCE:
        expected = f"an end within the video ({duration:.3f} s)"
        problems.append(Problem(f"{path}, end", expected, f"end = {end:g}", fix))
    return problems


def _missing(file: BinaryIO, size: int) -> str | None:
    """Say what a file lacks by its container's own lengths; decoders stop without a word where the bytes end."""
    head = file.read(12)
    file.seek(0)
    if head[:6] in _GIF_MAGIC:
        return None if _gif_is_whole(file) else "no trailer where its blocks end"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        missing = struct.unpack("<I", head[4:8])[0] + 8 - size
    else:
        missing = missing_bytes(file, size)
    return f"{missing} bytes are missing at its end" if missing > 0 else None


def _gif_is_whole(file: BinaryIO) -> bool:
    """Follow the blocks of a GIF (GIF89a specification, 18 to 27) to its trailer."""
    header = file.read(13)
    _skip_color_table(file, header[10:11])
    while (kind := file.read(1)) in (_GIF_IMAGE, _GIF_EXTENSION):
        if kind == _GIF_IMAGE:
            _skip_color_table(file, file.read(9)[8:9])
        file.read(1)  # the code size of an image, the label of an extension
        while length := file.read(1)[:1].ljust(1, b"\0")[0]:
            file.seek(length, 1)
    return kind != b""  # anything else than a block or the trailer is for the decoder to judge


def _skip_color_table(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        file.seek(3 << ((flags[0] & 0x07) + 1), 1)
