"""Clips that hold their frames: rows of paths -> rows of images and landmarks, to be pushed to the hub and streamed.

The data set that `build_datasets` returns names files. Pushed as it is, it would name files that nobody else has:

    clips = embed_clips(build_datasets(paths)[0]["train"])
    clips.push_to_hub("someone/clips", split="train", private=True)
    for row in datasets.load_dataset("someone/clips", split="train", streaming=True):
        inputs = ClipTransform(feature_extractor).load(row)  # the same arrays as those of the row of paths
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hf_slt.data.image_metadata import without_metadata
from hf_slt.data.readers import read_frames, read_image, read_pose
from hf_slt.streams import IMAGE_STREAMS

if TYPE_CHECKING:
    import datasets

_EXIF_ORIENTATION = 0x0112
_ROWS_AT_ONCE = 16  # rows whose frames are in memory while a data set is written


def embedded_features(features: datasets.Features) -> datasets.Features:
    """Return the columns of clips that hold their frames, of the columns of rows of paths.

    An image stream becomes `{images, frames}`: the pictures, and their frame numbers, ascending (a gap is a missing
    frame). `pose` becomes `{values, norm, layout}`: `(T, 3L)` x, y, confidence of each landmark, 0 = undetected; the
    name of their normalisation (None: image coordinates) and of their layout. The other columns stay as they are.
    """
    from datasets import Features, List, Value
    from datasets import Image as ImageFeature

    images = {"images": List(ImageFeature()), "frames": List(Value("int32"))}
    pose = {"values": List(List(Value("float32"))), "norm": Value("string"), "layout": Value("string")}
    return Features({**features, "pose": pose, **{stream: dict(images) for stream in IMAGE_STREAMS}})


def embed_clips(
    clips: datasets.Dataset, *, pose_key: str = "pose", file: str | Path | None = None, show_progress: bool = False
) -> datasets.Dataset:
    """Put the frames and the landmarks of clips into their rows.

    The pixels of JPEG and PNG files are kept as they are compressed (a file that is not plain RGB becomes a PNG), their
    metadata (camera, place, author, comments) is left out; frames of videos and arrays become PNGs. So every row gives
    [`ClipTransform`] the same arrays as before.

    Args:
        clips: One split of what `build_datasets` returned.
        pose_key: Key of the pose array in `.npz` files.
        file: Arrow file to keep the rows in; None: they are kept in memory.
        show_progress: Show a progress bar.

    Returns:
        The same rows; columns as `embedded_features`.

    Raises:
        DataContractError: A file is missing or damaged.
    """
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hidden = are_progress_bars_disabled()
    (enable_progress_bars if show_progress else disable_progress_bars)()
    try:
        return clips.map(
            partial(_embed, pose_key=pose_key),
            features=embedded_features(clips.features),
            cache_file_name=None if file is None else str(file),
            load_from_cache_file=False,  # its key would be the paths, not what the files hold
            writer_batch_size=_ROWS_AT_ONCE,
            desc="reading clips",
        )
    finally:
        (disable_progress_bars if hidden else enable_progress_bars)()


def _embed(row: Mapping[str, Any], pose_key: str) -> dict[str, Any]:
    streams = {stream: None if row[stream] is None else _embed_images(row[stream]) for stream in IMAGE_STREAMS}
    return {**streams, "pose": None if row["pose"] is None else _embed_pose(row["pose"]["path"], pose_key)}


def _embed_pose(path: str, key: str) -> dict[str, Any]:
    pose = read_pose(path, key)
    values = np.concatenate((pose.points, pose.confidence[..., None]), axis=2)  # (T, L, 3)
    return {"values": values.reshape(len(values), -1), "norm": pose.norm, "layout": pose.layout}


def _embed_images(source: Mapping[str, Any]) -> dict[str, Any]:
    numbers = list(source["frames"])
    if source["kind"] == "images":
        pictures = [_file_bytes(Path(source["path"]) / name) for name in source["files"]]
    else:
        pictures = [_png(frame) for frame in read_frames(source, np.array(numbers))]
    return {"images": [{"bytes": picture, "path": None} for picture in pictures], "frames": numbers}


def _file_bytes(path: Path) -> bytes:
    """Return an image file without metadata; as a PNG where others would see other pixels than `read_image` does."""
    pixels = read_image(path)
    with Image.open(path) as image:
        plain = image.mode == "RGB" and _EXIF_ORIENTATION not in image.getexif()
    return (without_metadata(path.read_bytes()) if plain else None) or _png(pixels)


def _png(frame: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "PNG")
    return file.getvalue()
