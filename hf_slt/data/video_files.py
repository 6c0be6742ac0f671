"""Video files (mp4, webm, mkv), decoded frame by frame with PyAV."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hf_slt.data.npz_files import data_error, unreadable
from hf_slt.errors import require_package

_EBML_MAGIC = b"\x1a\x45\xdf\xa3"
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")  # what a file may start with
_SEGMENT_ID = b"\x18\x53\x80\x67"


def decode_video(path: str | Path, want: Callable[[int], bool], last: int | None = None) -> Iterator[tuple]:
    """Decode a video from its start.

    Args:
        path: The file.
        want: Says for a frame number whether its pixels are needed; the others are not converted.
        last: Frame number to stop after; None decodes all.

    Yields:
        Pairs of frame number and uint8 RGB `(H, W, 3)`, or None where the pixels are not wanted.

    Raises:
        DataContractError: The file does not open, has no video stream, or holds a damaged frame.
        MissingDependencyError: PyAV is not installed.
    """
    av = require_package("av", extra="video")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise unreadable(path, "video file", "no video stream in it")
            for number, frame in enumerate(container.decode(video=0)):
                if frame.is_corrupt:
                    raise unreadable(path, "video file", f"frame {number} is damaged")
                yield number, frame.to_ndarray(format="rgb24") if want(number) else None
                if number == last:
                    return
    except av.FFmpegError as error:
        raise unreadable(path, "video file", error) from error


def read_video_frames(path: str | Path, numbers: np.ndarray) -> dict[int, np.ndarray]:
    """Return the wanted frames of a video.

    Args:
        path: The file.
        numbers: Frame numbers, any order; those past the end are left out of the result.

    Returns:
        Frame number -> uint8 RGB `(H, W, 3)`.
    """
    wanted = {int(number) for number in numbers}
    if not wanted:
        return {}
    frames = decode_video(path, wanted.__contains__, last=max(wanted))
    return {number: pixels for number, pixels in frames if pixels is not None}


def count_video_frames(path: str | Path) -> int:
    """Decode a whole video and count its frames.

    Raises:
        DataContractError: The file is unreadable, damaged, cut short or empty.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            missing = missing_bytes(file, path.stat().st_size)
    except OSError as error:
        raise unreadable(path, "video file", error) from error
    if missing:
        raise unreadable(path, "video file", f"a file that was cut short: {missing} bytes are missing at its end")
    count = sum(1 for _ in decode_video(path, lambda number: False))
    if count == 0:
        raise data_error(path, "at least one frame", "an empty clip: no frame decodes", "leave the clip out")
    return count


def missing_bytes(file: BinaryIO, size: int) -> int:
    """Return how many bytes the container announces beyond the end of the file.

    Decoders stop silently at the end of a file that was cut short, so the container's own lengths have to tell.

    Args:
        file: The file, at its start.
        size: Its length in bytes.

    Returns:
        The number of missing bytes; 0 for a whole file, and for a container other than mp4, webm and mkv.
    """
    head = file.read(12)
    if head[:4] == _EBML_MAGIC:
        return max(_matroska_end(file) - size, 0)
    if head[4:8] in _MP4_BOXES:
        return max(_mp4_end(file, size) - size, 0)
    return 0


def _mp4_end(file: BinaryIO, size: int) -> int:
    """Follow the top-level boxes (ISO/IEC 14496-12, 4.2) to where the last one ends."""
    offset = 0
    while offset + 8 <= size:
        file.seek(offset)
        header = file.read(16)
        length = struct.unpack(">I", header[:4])[0]
        if length == 1 and len(header) == 16:  # the length stands in 64 bits behind the box type
            length = struct.unpack(">Q", header[8:])[0]
        if length < 8:  # 0: up to the end of the file; 1 to 7 cannot be
            return size
        offset += length
    return offset


def _matroska_end(file: BinaryIO) -> int:
    """Follow the EBML header and the Segment (RFC 8794, 4 and 5) to where the Segment ends; 0 if it does not say."""
    file.seek(4)
    length = _ebml_length(file)
    if length is None:
        return 0
    file.seek(length, 1)  # over the header's content
    length = _ebml_length(file) if file.read(4) == _SEGMENT_ID else None
    return 0 if length is None else file.tell() + length


def _ebml_length(file: BinaryIO) -> int | None:
    """Read a variable-length integer; None for 'unknown' (all value bits 1: live recordings) and for no integer."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    extra = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & ((1 << (7 - extra)) - 1)]) + file.read(extra), "big")
    return None if value == (1 << (7 * (extra + 1))) - 1 else value
