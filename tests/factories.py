"""Factories of tiny corpora: real files in every variant that the data contract allows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from hf_slt.data.corpus import CorpusPaths
from hf_slt.data.readers import write_frames_array, write_pose
from hf_slt.streams import IMAGE_STREAMS, STREAMS

VARIANTS = ("flat", "folders", "video", "npz", "npy")
FOLDERS = {"face": "face", "left_hand": "hand_l", "right_hand": "hand_r", "pose": "pose"}
CLIPS = {
    "001": "¿Dónde está el niño?",
    "vid1": "Mañana, quizás; nunca se sabe.",
    "vid1_foo": "Él come pan.",
    "vid10": "La casa es grande.",
}
SPLITS = {"train": ["001", "vid1_foo"], "validation": ["vid10"], "test": ["vid1"]}


def frame_colour(stream: str, number: int) -> int:
    """Return the grey value of a frame: for up to 12 frames, one pixel tells the stream and the number."""
    return (40 + 60 * IMAGE_STREAMS.index(stream) + 5 * number) % 256


def make_frames(stream: str, numbers: Collection[int], size: int = 16) -> np.ndarray:
    """Return uint8 `(len(numbers), size, size, 3)`, each frame in its own grey."""
    return np.stack([np.full((size, size, 3), frame_colour(stream, number), np.uint8) for number in numbers])


def make_pose(frames: int, num_landmarks: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points `(T, L, 2)` in [0.1, 0.9] and confidences `(T, L)` in [0.5, 1]."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.1, 0.9, (frames, num_landmarks, 2)).astype(np.float32)
    return points, rng.uniform(0.5, 1, (frames, num_landmarks)).astype(np.float32)


def write_video(path: Path, frames: np.ndarray, codec: str = "mpeg4", fps: int = 25) -> None:
    """Write frames `(T, H, W, 3)` with a codec that every PyAV wheel has."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


def write_stream(
    folder: Path, video_id: str, stream: str, numbers: Collection[int], variant: str, size: int = 16, dense: bool = True
) -> None:
    """Write one image stream of one clip.

    Args:
        folder: Stream folder.
        video_id: The clip.
        stream: Which image stream it is (decides the grey values).
        numbers: Numbers of the frames that are present.
        variant: One of `VARIANTS`.
        size: Height and width.
        dense: Whether all frames are there; if not, an `.npz` gets `frame_numbers`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pixels = make_frames(stream, numbers, size)
    if variant == "flat":
        for number, frame in zip(numbers, pixels, strict=True):
            Image.fromarray(frame).save(folder / f"{video_id}_f{number:06d}.jpg", quality=95)
    elif variant == "folders":
        (folder / video_id).mkdir(exist_ok=True)
        for number, frame in zip(numbers, pixels, strict=True):
            Image.fromarray(frame).save(folder / video_id / f"{number:06d}.png")
    elif variant == "video":
        write_video(folder / f"{video_id}.mp4", pixels)
    elif variant == "npz":
        write_frames_array(folder / f"{video_id}.npz", pixels, None if dense else numbers)
    else:
        np.save(folder / f"{video_id}.npy", pixels)


def write_corpus(
    root: Path,
    clips: Mapping[str, str] | None = None,
    splits: Mapping[str, Collection[str]] | None = None,
    *,
    variant: str = "flat",
    streams: Collection[str] = STREAMS,
    frames: int = 6,
    size: int = 16,
    num_landmarks: int = 33,
    missing: Mapping[tuple[str, str], Collection[int]] | None = None,
    layout: str | None = None,
) -> CorpusPaths:
    """Write a corpus of the data contract: stream folders, metadata and index CSVs.

    Args:
        root: Folder to write to.
        clips: Clip id -> text; None: `CLIPS` (ids that a careless prefix match mixes up).
        splits: Split -> ids; None: `SPLITS` for the default clips, else all clips in `train`.
        variant: How image streams are stored, one of `VARIANTS`.
        streams: Which streams to write and to use.
        frames: Frames of each clip, T.
        size: Height and width of the crops.
        num_landmarks: Landmarks of the poses, L.
        missing: (stream, clip id) -> frame numbers to leave out (variants flat, folders, npz).
        layout: Layout name to write into the pose files.

    Returns:
        Where everything lies.
    """
    if splits is None:
        splits = SPLITS if clips is None else {"train": list(clips)}
    clips = CLIPS if clips is None else clips
    for seed, video_id in enumerate(clips):
        for stream in streams:
            folder = root / FOLDERS[stream]
            folder.mkdir(parents=True, exist_ok=True)
            gone = (missing or {}).get((stream, video_id), ())
            numbers = [number for number in range(frames) if number not in gone]
            if stream == "pose":
                points, confidence = make_pose(frames, num_landmarks, seed)
                write_pose(folder / f"{video_id}.npz", points, confidence, layout=layout)
            else:
                write_stream(folder, video_id, stream, numbers, variant, size, dense=not gone)
    write_metadata(root / "meta.csv", clips)
    indexes = {split: write_index(root / "index" / f"{split}.csv", ids) for split, ids in splits.items()}
    folders = {f"{stream}_dir": root / FOLDERS[stream] for stream in streams}
    return CorpusPaths(**folders, metadata_csv=root / "meta.csv", indexes=indexes)


def write_metadata(path: Path, clips: Mapping[str, str], separator: str = ";") -> Path:
    """Write a metadata CSV of ids and texts; every text is quoted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"video_id{separator}texto"] + [f'{video_id}{separator}"{text}"' for video_id, text in clips.items()]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_index(path: Path, ids: Collection[str]) -> Path:
    """Write an index CSV with a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["video_id", *ids]) + "\n", encoding="utf-8")
    return path
