"""Where clips come from: what kind a path is, which clip of a folder is meant, and videos extracted for a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hf_slt.data.indexing import index_images, index_poses
from hf_slt.data.npz_files import data_error
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.extraction.stream_files import IMAGE_FOLDERS, KEYPOINTS_FOLDER, POSE_FOLDER
from hf_slt.extraction.video import VIDEO_SUFFIXES
from hf_slt.inference.layouts import extracted_layout

EXTRACTED_ID = "clip"  # of the clip that a video becomes
# Of other tools; the last two say why they are not read.
_LANDMARK_SUFFIXES = (".pose", ".parquet", ".npy", ".json", ".pkl", ".pickle")
_READABLE = f"a video ({', '.join(VIDEO_SUFFIXES)}), a folder of streams, .npz, .pose, .parquet, .npy or .json"


def kind_of(path: Path) -> str:
    """Return `"folder"`, `"video"`, `"npz"` or `"landmarks"` (a file of another tool).

    Raises:
        DataContractError: It is none of them, or not there.
    """
    if path.is_dir():
        return "folder"
    suffix = path.suffix.lower()
    kinds = dict.fromkeys(VIDEO_SUFFIXES, "video") | dict.fromkeys(_LANDMARK_SUFFIXES, "landmarks") | {".npz": "npz"}
    if suffix not in kinds:
        raise data_error(path, _READABLE, f"the ending '{suffix}'" if suffix else "no ending", "pass one of these")
    if not path.is_file():
        raise data_error(path, "a file", "none of this name", "correct the path")
    return kinds[suffix]


def extraction_options(extractor: Any, fps: float | None = None) -> ExtractionOptions:
    """Return the settings with which a video is extracted for a model: those of `extract_streams.py` where they fit.

    Crops are larger than by default where the model looks at larger ones, and the layout is the model's where the
    extraction knows it.
    """
    defaults = ExtractionOptions(fps=fps)
    layout = extracted_layout(extractor.layout().name, defaults.pose_layout) if hasattr(extractor, "streams") else None
    size = max(defaults.image_size, getattr(extractor, "image_size", 0))
    return ExtractionOptions(fps=fps, image_size=size, pose_layout=layout or defaults.pose_layout)


@contextmanager
def extracted(video: Path, options: ExtractionOptions) -> Iterator[Path]:
    """Give the folder of the streams of a video, which is removed at the end of the block."""
    from hf_slt.extraction.clip import extract_clip

    with TemporaryDirectory(prefix="hf_slt_") as folder:
        extract_clip(video, Path(folder), EXTRACTED_ID, options)
        yield Path(folder)


def clip_in(folder: Path, wanted: str | None = None) -> str:
    """Return the id of the clip to take of a folder of streams.

    Args:
        folder: The folder, with `face/`, `pose/`, `keypoints78/`, ...
        wanted: The id; None: the only one that is there.

    Raises:
        DataContractError: It is not there, or the folder holds none or several and none is named.
    """
    ids = clips_in(folder)
    if wanted is None and len(ids) == 1:
        return ids[0]
    if wanted in ids:
        return wanted
    names = ", ".join((*IMAGE_FOLDERS.values(), POSE_FOLDER, KEYPOINTS_FOLDER))
    if not ids:
        raise data_error(folder, f"clips in its folders {names}", "none", "pass what extract_streams.py wrote")
    shown = f"{len(ids)} clips: {', '.join(ids[:10])}{', ...' if len(ids) > 10 else ''}"
    expected = "one clip" if wanted is None else f"the clip '{wanted}'"
    raise data_error(folder, expected, shown, "name one of them (--clip ID, or clip=)")


def clips_in(folder: Path) -> list[str]:
    """Return the ids of all clips in a folder of streams, sorted."""
    ids: set[str] = set()
    for name in IMAGE_FOLDERS.values():
        if (folder / name).is_dir():
            ids.update(index_images(folder / name).clips)
    for name in (POSE_FOLDER, KEYPOINTS_FOLDER):
        if (folder / name).is_dir():
            ids.update(index_poses(folder / name))
    return sorted(ids)
