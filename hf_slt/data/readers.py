"""Readers of the four streams: the only code (with its helpers `*_files.py`) that opens images, videos and arrays.

Dimensions: T frames of a clip, N wanted frames, H and W pixels, L landmarks. Frames are named by their number.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hf_slt.data.npz_files import data_error, map_stored, open_npz, read_npy, unreadable
from hf_slt.data.pose_files import Pose, read_pose, write_pose
from hf_slt.data.video_files import count_video_frames, read_video_frames
from hf_slt.errors import DataContractError

__all__ = [
    "FrameProbe",
    "Pose",
    "probe_frames",
    "probe_pose",
    "read_frames",
    "read_pose",
    "read_pose_source",
    "write_frames_array",
    "write_pose",
]

FRAMES_KEY, NUMBERS_KEY = "frames", "frame_numbers"
LARGEST_FRAME = 2**31 - 1  # frame numbers are int32 in the data set
_DEEP_MODES = ("I", "F")  # Pillow's names for more than 8 bits a channel; converting them to RGB cuts values off


def read_frames(source: Mapping[str, Any] | None, wanted: np.ndarray) -> list[np.ndarray | None]:
    """Read frames of one image stream by their numbers.

    Args:
        source: The stream as a row of the data set has it: `kind` (`"images"`, `"video"` or `"array"`), `path`,
            `files` and `frames` (numbers of the frames that are present, ascending); or, where the data set holds the
            pictures themselves, `images` and `frames`. None: the stream is missing.
        wanted: Frame numbers `(N,)`, ascending; they may repeat.

    Returns:
        N entries: uint8 RGB `(H, W, 3)`, or None where the stream has no such frame. Each frame is decoded once;
        repeated numbers share one array.

    Raises:
        DataContractError: A file is unreadable (it changed after the corpus was checked).
    """
    numbers = [int(number) for number in np.asarray(wanted).reshape(-1)]
    if source is None or not numbers:
        return [None] * len(numbers)
    position = {int(number): i for i, number in enumerate(source["frames"])}
    present = {number: position[number] for number in numbers if number in position}
    read = _read_embedded if "images" in source else _READERS[source["kind"]]
    frames = read(source, present) if present else {}
    return [frames.get(number) for number in numbers]


def _read_images(source: Mapping[str, Any], present: dict[int, int]) -> dict[int, np.ndarray]:
    folder, files = Path(source["path"]), source["files"]
    return {number: read_image(folder / files[i]) for number, i in present.items()}


def _read_video(source: Mapping[str, Any], present: dict[int, int]) -> dict[int, np.ndarray]:
    frames = read_video_frames(source["path"], np.fromiter(present, np.int64))
    if len(frames) < len(present):
        number = min(set(present) - set(frames))
        raise unreadable(source["path"], "video file", f"it ends before frame {number}, which it had when checked")
    return frames


def _read_array(source: Mapping[str, Any], present: dict[int, int]) -> dict[int, np.ndarray]:
    path = Path(source["path"])
    array = read_npy(path) if path.suffix.lower() == ".npy" else _npz_frames(path)
    if array.ndim != 4 or len(array) <= max(present.values()):
        found = f"shape {array.shape}, though frame {max(present)} was there when checked"
        raise data_error(path, "the frames that the index of the corpus lists", found, "start the run again")
    return {number: np.array(array[i]) for number, i in present.items()}


def _read_embedded(source: Mapping[str, Any], present: dict[int, int]) -> dict[int, np.ndarray]:
    """Read pictures of the data set itself: `PIL.Image`s, or their files' `{bytes}` where it does not decode them."""
    frames = {}
    for number, i in present.items():
        image = source["images"][i]
        if isinstance(image, Mapping):
            frames[number] = read_image(io.BytesIO(image["bytes"]), f"frame {number} in the data set")
        else:
            frames[number] = np.array(image.convert("RGB"))
    return frames


_READERS = {"images": _read_images, "video": _read_video, "array": _read_array}


def read_image(file: str | Path | io.BytesIO, name: str | None = None) -> np.ndarray:
    """Read a JPEG or PNG file.

    Args:
        file: Its path, or its bytes in memory.
        name: What to call it in an error; by default its path.

    Returns:
        uint8 RGB `(H, W, 3)`.

    Raises:
        DataContractError: The file is missing, damaged, cut short, or has more than 8 bits a channel.
    """
    try:
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            image.load()
            if not image.mode.startswith(_DEEP_MODES):
                return np.array(image.convert("RGB"))
            mode = image.mode
    except Exception as error:  # image decoders raise almost anything on damaged bytes
        raise unreadable(name or str(file), "JPEG or PNG image", error) from error
    found, fix = f"Pillow mode '{mode}'", "save the frame as 8-bit RGB"
    raise data_error(name or str(file), "an image with 8 bits a channel", found, fix)


def _frames_key(path: Path, keys: Sequence[str]) -> str:
    """Return the key of the frames: `frames`, or the only array beside the frame numbers."""
    arrays = [key for key in keys if key != NUMBERS_KEY]
    if FRAMES_KEY in arrays:
        return FRAMES_KEY
    if len(arrays) != 1:
        fix = f"save the frames under '{FRAMES_KEY}': np.savez(path, {FRAMES_KEY}=array)"
        raise data_error(path, f"the key '{FRAMES_KEY}', or one array alone", f"the keys {list(keys)}", fix)
    return arrays[0]


def _npz_frames(path: Path) -> np.ndarray:
    with open_npz(path) as file:
        key = _frames_key(path, file.keys)
        mapped = map_stored(path, key)
        return file.read(key) if mapped is None else mapped


@dataclass(frozen=True)
class FrameProbe:
    """What one image stream of one clip holds.

    Attributes:
        frames: Numbers of the frames that are present, ascending.
        dense: Whether the file must hold every frame of its clip: videos, and arrays without `frame_numbers`.
    """

    frames: list[int]
    dense: bool


def probe_frames(kind: str, path: str | Path, files: Sequence[str] = (), frames: Sequence[int] = ()) -> FrameProbe:
    """Decode the whole of one image stream of one clip, to learn whether it is sound and which frames it has.

    Args:
        kind: `"images"`, `"video"` or `"array"`.
        path: Folder of the images, or the file.
        files: kind images: the file names in the folder.
        frames: kind images: their frame numbers.

    Returns:
        The frames that are present.

    Raises:
        DataContractError: All that is wrong with the stream; of several damaged images each one is listed.
    """
    if kind == "video":
        return FrameProbe(list(range(count_video_frames(path))), dense=True)
    if kind == "array":
        return _probe_array(Path(path))
    problems = []
    for name in files:
        try:
            read_image(Path(path) / name)
        except DataContractError as error:
            problems += error.problems
    if problems:
        raise DataContractError(problems)
    return FrameProbe(list(frames), dense=False)


def _probe_array(path: Path) -> FrameProbe:
    numbers = None
    if path.suffix.lower() == ".npy":
        array = read_npy(path)
    else:
        with open_npz(path) as file:
            array = file.read(_frames_key(path, file.keys))  # read, not mapped: this checks the file's checksum
            numbers = file.read(NUMBERS_KEY) if NUMBERS_KEY in file.keys else None
    _check_frames(path, array)
    if numbers is None:
        return FrameProbe(list(range(len(array))), dense=True)
    return FrameProbe(_check_numbers(path, numbers, len(array)), dense=False)


def _check_frames(path: str | Path, array: np.ndarray) -> None:
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape[1:]:
        found = f"{array.dtype} of shape {array.shape}"
        fix = "save RGB frames as np.stack(frames).astype('uint8'), channels last"
        raise data_error(path, "uint8 frames of shape (T, H, W, 3)", found, fix)
    if len(array) == 0:
        raise data_error(path, "at least one frame", f"an empty clip, shape {array.shape}", "leave the clip out")


def _check_numbers(path: str | Path, numbers: np.ndarray, count: int) -> list[int]:
    where, expected = f"{path}, key '{NUMBERS_KEY}'", f"{count} whole numbers from 0 on, ascending: one for each frame"
    fix = "save the number of each frame, counted from 0 over the whole clip"
    if numbers.dtype.kind not in "iu" or numbers.shape != (count,):
        raise data_error(where, expected, f"{numbers.dtype} of shape {numbers.shape}", fix)
    values = [int(number) for number in numbers]
    if values[0] < 0 or values[-1] > LARGEST_FRAME or any(after <= before for before, after in pairwise(values)):
        found = f"numbers that start with {values[:5]}, end with {values[-1]}, and are not ascending int32 from 0 on"
        raise data_error(where, expected, found, fix)
    return values


def read_pose_source(source: Mapping[str, Any], key: str = "pose") -> Pose:
    """Read the landmarks of a clip as a row of the data set has them.

    Args:
        source: `path` of the `.npz` file; or, where the data set holds the landmarks themselves, `values` `(T, 3L)`
            (x, y, confidence), `norm` and `layout`.
        key: Name of the pose array in the file.

    Raises:
        DataContractError: As `read_pose`.
    """
    if "values" not in source:
        return read_pose(source["path"], key)
    values = np.asarray(source["values"], dtype=np.float32)
    values = values.reshape(len(values), -1, 3)  # (T, L, 3)
    return Pose(values[..., :2], values[..., 2], source["norm"], source["layout"])


def probe_pose(path: str | Path, key: str = "pose") -> tuple[int, int, str | None, bool]:
    """Read a pose file to learn whether it is sound and what it holds.

    Args:
        path: The `.npz` file.
        key: Name of the pose array.

    Returns:
        Number of frames T, number of landmarks L, layout name or None, and whether any point is detected.

    Raises:
        DataContractError: As `read_pose`.
    """
    pose = read_pose(path, key)
    return *pose.confidence.shape, pose.layout, bool(pose.confidence.any())


def write_frames_array(path: str | Path, frames: np.ndarray, frame_numbers: Sequence[int] | None = None) -> None:
    """Write an image stream as `.npz`, uncompressed (it can be mapped) and the same bytes each time.

    Args:
        path: The `.npz` file.
        frames: uint8 RGB `(T, H, W, 3)`.
        frame_numbers: Numbers `(T,)` of the frames that are present, ascending; None: they are 0 to T - 1.

    Raises:
        DataContractError: The arrays are not what the data contract asks for.
    """
    frames = np.asarray(frames)
    _check_frames(path, frames)
    arrays = {FRAMES_KEY: frames}
    if frame_numbers is not None:
        numbers = _check_numbers(path, np.asarray(frame_numbers), len(frames))
        arrays[NUMBERS_KEY] = np.asarray(numbers, np.int32)
    with open(path, "wb") as file:
        np.savez(file, **arrays)
