"""What lies where: one pass over a stream folder tells which files belong to which clip."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from hf_slt.data.readers import LARGEST_FRAME
from hf_slt.errors import Problem

_IMAGE = r"\.(?:jpg|jpeg|png)"
_FLAT = re.compile(rf"(?P<id>.+)_f(?P<number>[0-9]+){_IMAGE}", re.IGNORECASE)
_NUMBERED = re.compile(rf"(?P<number>[0-9]+){_IMAGE}", re.IGNORECASE)
_WHOLE = {".mp4": "video", ".webm": "video", ".mkv": "video", ".npy": "array", ".npz": "array"}
_ONE_VARIANT = "one variant: <id>_fXXXXXX.jpg, <id>/XXXXXX.jpg, <id>.mp4 or <id>.npz"


@dataclass
class StreamFiles:
    """The files of one clip in one image stream folder, in one variant of the data contract.

    Attributes:
        kind: `"images"`, `"video"` or `"array"`.
        path: Folder of the images, or the file.
        files: kind images: file names in `path`, in the order of their frame numbers.
        frames: kind images: the frame numbers, ascending, parallel to `files`.
    """

    kind: str
    path: str
    files: list[str] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)


@dataclass
class StreamIndex:
    """What one stream folder holds.

    Attributes:
        clips: Clip id -> its files.
        problems: Clip id -> what is wrong with its file names.
    """

    clips: dict[str, StreamFiles] = field(default_factory=dict)
    problems: dict[str, list[Problem]] = field(default_factory=dict)


def index_images(folder: str | Path, wanted: Collection[str] | None = None) -> StreamIndex:
    """Index an image stream folder (face or hand) in one pass.

    A clip id matches exactly: the frames of `vid1` are `vid1_f<number>.jpg` and neither `vid10_f...` nor
    `vid1_foo_f...`. Files that look like nothing of the data contract are left alone, as are hidden ones.

    Args:
        folder: The stream folder.
        wanted: Ids to look for; None takes all. Folders of other clips are not even opened.

    Returns:
        The index. Clips whose folder holds no image have no files, and so do not appear.

    Raises:
        OSError: The folder cannot be listed.
    """
    found: dict[str, list[StreamFiles]] = {}
    flat: dict[str, list[tuple[int, str]]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            _sort_in(entry, wanted, found, flat)
    for clip_id, numbered in flat.items():
        found.setdefault(clip_id, []).append(_images(str(folder), numbered))
    index = StreamIndex()
    for clip_id in sorted(found):
        _decide(index, str(folder), clip_id, found[clip_id])
    return index


def _sort_in(
    entry: os.DirEntry,
    wanted: Collection[str] | None,
    found: dict[str, list[StreamFiles]],
    flat: dict[str, list[tuple[int, str]]],
) -> None:
    """Put one entry of a stream folder where it belongs."""
    name = entry.name
    if name.startswith("."):
        return
    match = _FLAT.fullmatch(name)
    stem, suffix = os.path.splitext(name)
    if match and (wanted is None or match["id"] in wanted):
        flat.setdefault(match["id"], []).append((int(match["number"]), name))
    elif suffix.lower() in _WHOLE and (wanted is None or stem in wanted) and not entry.is_dir():
        found.setdefault(stem, []).append(StreamFiles(_WHOLE[suffix.lower()], entry.path))
    elif (wanted is None or name in wanted) and entry.is_dir():
        images = _images(entry.path, _numbered_images(entry.path))
        if images.files:
            found.setdefault(name, []).append(images)


def _numbered_images(folder: str) -> list[tuple[int, str]]:
    matches = (_NUMBERED.fullmatch(name) for name in os.listdir(folder))
    return [(int(match["number"]), match[0]) for match in matches if match]


def _images(folder: str, numbered: list[tuple[int, str]]) -> StreamFiles:
    numbered = sorted(numbered)
    return StreamFiles("images", folder, [name for _, name in numbered], [number for number, _ in numbered])


def _decide(index: StreamIndex, folder: str, clip_id: str, variants: list[StreamFiles]) -> None:
    """Enter a clip into the index, or say why its files are ambiguous."""
    problems = [problem for files in variants for problem in _number_problems(clip_id, files)]
    if len(variants) > 1:
        found = ", ".join(sorted(_example(files) for files in variants))
        where = f"clip '{clip_id}' in {folder}"
        problems.append(Problem(where, _ONE_VARIANT, f"{len(variants)} variants: {found}", "keep one of them"))
    if problems:
        index.problems[clip_id] = problems
    index.clips[clip_id] = variants[0]


def _example(files: StreamFiles) -> str:
    return os.path.join(files.path, files.files[0]) if files.files else files.path


def _number_problems(clip_id: str, files: StreamFiles) -> list[Problem]:
    where = f"clip '{clip_id}' in {files.path}"
    problems = []
    for before, after in pairwise(range(len(files.frames))):
        if files.frames[before] == files.frames[after]:
            found = f"frame {files.frames[after]} twice: {files.files[before]}, {files.files[after]}"
            problems.append(Problem(where, "one file for a frame number", found, "keep one of them"))
    if files.frames and files.frames[-1] > LARGEST_FRAME:
        found = f"frame number {files.frames[-1]}"
        problems.append(Problem(where, f"frame numbers up to {LARGEST_FRAME}", found, "count the frames from 0"))
    return problems


def index_poses(folder: str | Path) -> dict[str, str]:
    """Index a pose folder: clip id -> path of `<id>.npz`.

    Raises:
        OSError: The folder cannot be listed.
    """
    with os.scandir(folder) as entries:
        names = {entry.name: entry.path for entry in entries if not entry.name.startswith(".")}
    return {name[: -len(".npz")]: names[name] for name in sorted(names) if name.endswith(".npz")}
