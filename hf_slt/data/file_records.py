"""What the files of clips say of their extractor: a few bytes of each file, however large it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hf_slt.data.gloss.clips import meta_provenance, read_meta
from hf_slt.data.npz_files import open_npz
from hf_slt.data.pose_files import read_provenance, read_tag
from hf_slt.errors import DataContractError

_TAGS = ("pose_layout", "pose_norm")


def pose_record(path: str | Path) -> dict[str, Any] | None:
    """Return the record of a pose file, with its `pose_layout` and `pose_norm`; None if it says nothing.

    What is wrong with a file is said by `read_pose`, not here.
    """
    try:
        with open_npz(path) as file:
            record = read_provenance(file) or {}
            tags = {name: read_tag(file, name) for name in _TAGS}
    except DataContractError:
        return None
    return {**record, **{name: tag for name, tag in tags.items() if tag}} or None


def pose_records(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
    """Return the record of each row of a data set of paths, see `pose_record`; None of a clip without a pose file."""
    poses = rows["pose"][:] if hasattr(rows, "column_names") else [row["pose"] for row in rows]
    return [None if not pose or not pose.get("path") else pose_record(pose["path"]) for pose in poses]


def clip_record(path: str | Path) -> dict[str, Any] | None:
    """Return the record of a clip of a single sign, landmarks or features; None if the file says nothing."""
    try:
        with open_npz(path) as file:
            return meta_provenance(read_meta(file))
    except DataContractError:
        return None


def clip_records(folder: str | Path, files: Sequence[str]) -> list[dict[str, Any] | None]:
    """Return the record of each clip, see `clip_record`.

    Args:
        folder: Folder of the clips.
        files: Their names in it, without `.npz`.
    """
    return [clip_record(Path(folder) / f"{file}.npz") for file in files]
