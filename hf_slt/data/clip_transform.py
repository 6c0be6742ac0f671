"""From a row of the data set to the arrays of one clip: read, augment, encode. Runs in the loader's workers."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hf_slt.data.epoch import SharedEpoch
from hf_slt.data.readers import read_frames, read_pose_source
from hf_slt.data.transforms import Augmentation, Clip, Frames, augment, resample_time
from hf_slt.streams import IMAGE_STREAMS


def clip_rng(seed: int, epoch: int, *names: str) -> np.random.Generator:
    """Return the random generator of a clip in an epoch: the same whatever worker or process loads it."""
    return np.random.default_rng([seed, epoch, *(zlib.crc32(name.encode()) for name in names)])


class ClipTransform:
    """Transform for `datasets.Dataset.with_transform`: rows of paths -> model inputs and labels.

    Rows that hold their frames (see `hub_dataset.py`) give the same; a streamed data set takes it by
    `.map(transform, batched=True, remove_columns=...)`.

    Args:
        feature_extractor: A [`MultiStreamFeatureExtractor`]; its `streams` are read.
        encode_text: Sentences -> token ids; None leaves `labels` out.
        augmentation: Applied to the clips; None (evaluation) reads them as they are.
        seed: Seed of the augmentation.
        epoch: The running epoch, which the augmentation also depends on.
        ablate: Streams to blank: their frames or points count as missing (what does the model read?).
        pose_key: Key of the pose array in `.npz` files.
    """

    def __init__(
        self,
        feature_extractor: Any,
        encode_text: Callable[[list[str]], list[list[int]]] | None = None,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        epoch: SharedEpoch | None = None,
        ablate: Sequence[str] = (),
        pose_key: str = "pose",
    ):
        self.feature_extractor = feature_extractor
        self.encode_text = encode_text
        self.augmentation = augmentation
        self.seed = seed
        self.epoch = epoch or SharedEpoch()
        self.ablate = frozenset(ablate)
        self.pose_key = pose_key

    def __call__(self, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Load the clips of a batch of rows: column -> values, as `datasets` hands them over."""
        count = len(rows["video_id"])
        clips = [self.load({column: values[i] for column, values in rows.items()}) for i in range(count)]
        batch: dict[str, list[Any]] = {name: [clip[name] for clip in clips] for name in clips[0]}
        if self.encode_text is not None:
            batch["labels"] = self.encode_text(list(rows["text"]))
        return {"video_id": list(rows["video_id"]), **batch}

    def load(self, row: dict[str, Any]) -> dict[str, np.ndarray]:
        """Read, augment and encode one clip; see [`MultiStreamFeatureExtractor.encode_clip`] for what it returns."""
        rng = clip_rng(self.seed, self.epoch.value, row["video_id"]) if self.augmentation else None
        chosen = self._choose_frames(row["n_frames"], rng)
        streams = self.feature_extractor.streams
        frames: dict[str, Frames] = {
            s: [None] * len(chosen) if s in self.ablate else read_frames(row[s], chosen)
            for s in IMAGE_STREAMS
            if s in streams
        }
        points, confidence = self._read_pose(row, chosen) if "pose" in streams else (None, None)
        clip = Clip(frames, points, confidence)
        if self.augmentation is not None and rng is not None:
            layout = None if points is None else self.feature_extractor.layout()
            clip = augment(clip, self.augmentation, layout, rng)
        encoded: dict[str, np.ndarray] = self.feature_extractor.encode_clip(clip.frames, clip.points, clip.confidence)
        return encoded

    def _choose_frames(self, num_frames: int, rng: np.random.Generator | None) -> np.ndarray:
        speed = 0.0 if self.augmentation is None else self.augmentation.speed
        resampled = None if rng is None or not speed else resample_time(num_frames, speed, rng)
        length = num_frames if resampled is None else len(resampled)
        chosen: np.ndarray = self.feature_extractor.sample_frames(length, rng)
        return chosen if resampled is None else resampled[chosen]

    def _read_pose(self, row: dict[str, Any], chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if row["pose"] is None or "pose" in self.ablate:
            shape = (len(chosen), self.feature_extractor.num_pose_landmarks)
            return np.full((*shape, 2), -1, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        pose = read_pose_source(row["pose"], key=self.pose_key)
        points = self.feature_extractor.normalize_pose(pose.points, pose.confidence, pose.norm)
        return points[chosen], pose.confidence[chosen]
