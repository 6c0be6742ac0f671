"""Clips and labels as a data set of model inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_slt.data.clip_transform import clip_rng
from hf_slt.data.epoch import SharedEpoch
from hf_slt.data.gloss.clips import GlossClip
from hf_slt.data.gloss.labels import LabelRow
from hf_slt.data.gloss.table import ClipTableReader

if TYPE_CHECKING:
    import datasets

UNKNOWN_LABEL = -100  # what no loss and no metric counts


class GlossDataset:
    """Clips of a table with their labels, encoded one by one.

    Args:
        table: What `build_clip_table` returned; it may hold more clips than there are rows.
        rows: The clips of this split and their labels, in order.
        feature_extractor: A `GlossFeatureExtractor`; its `encode_clip` makes the model inputs.
        augmentation: A `GlossAugmentation`; None (evaluation) takes the clips as they are.
        seed: Seed of the augmentation.
        epoch: The running epoch, which the augmentation also depends on.

    Attributes:
        files: Name of each clip.
        signers: Who signs it, None if unknown.
        lengths: `(N,)` frames of each clip as the model gets it; augmentation may change them.
        labels: `(N,)` ids of the glosses.
        category_labels: `(N,)` ids of the categories, -100 = unknown; None if no row has one.

    Raises:
        ValueError: A row whose clip is not in the table.
    """

    def __init__(
        self,
        table: datasets.Dataset,
        rows: Sequence[LabelRow],
        feature_extractor: Any,
        augmentation: Any = None,
        seed: int = 0,
        epoch: SharedEpoch | None = None,
    ):
        self.feature_extractor = feature_extractor
        self.augmentation = augmentation
        self.seed = seed
        self.epoch = epoch or SharedEpoch()
        self._reader = ClipTableReader(table)
        self._positions = self._find(rows)
        self.files = [row.file for row in rows]
        self.signers = [row.signer for row in rows]
        self.lengths = self._lengths()
        self.labels = np.array([row.gloss for row in rows], dtype=np.int64)
        categories = [UNKNOWN_LABEL if row.cat is None else row.cat for row in rows]
        known = any(row.cat is not None for row in rows)
        self.category_labels = np.array(categories, dtype=np.int64) if known else None

    def _find(self, rows: Sequence[LabelRow]) -> np.ndarray:
        missing = [row.file for row in rows if row.file not in self._reader]
        if missing:
            raise ValueError(f"expected every clip in the table, found no {missing[:5]}; build it from these files")
        return np.array([self._reader.position(row.file) for row in rows], dtype=np.int64)

    def _lengths(self) -> np.ndarray:
        lengths = self._reader.num_frames[self._positions]
        landmarks = len(self.files) > 0 and self.raw(0).mask is not None
        if landmarks and self.feature_extractor.num_frames is not None:
            return np.full_like(lengths, self.feature_extractor.num_frames)
        return lengths

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `input_values` `(T, F)`, `attention_mask` `(T,)`, `file`, `labels`, and `category_labels` if known."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        clip, augmented = self.raw(index), self.augmentation is not None
        clip = self._augment(clip, self.files[index]) if augmented else clip
        encode = self.feature_extractor.encode_clip
        item = dict(encode(clip.values, clip.mask, clip.aspect_ratio, resample=not augmented))
        item["file"] = self.files[index]
        item["labels"] = int(self.labels[index])
        if self.category_labels is not None:
            item["category_labels"] = int(self.category_labels[index])
        return item

    def __getitems__(self, indices: Iterable[int]) -> list[dict[str, Any]]:
        """Return the items of a batch, as torch's loader asks for them."""
        return [self[index] for index in indices]

    def raw(self, index: int) -> GlossClip:
        """Return a clip as the file has it; its arrays are read-only."""
        return self._reader.clip(int(self._positions[index]))

    def _augment(self, clip: GlossClip, file: str) -> GlossClip:
        from hf_slt.data.gloss.transforms import augment_clip

        rng = clip_rng(self.seed, self.epoch.value, file)
        if clip.mask is None:
            return augment_clip(clip, self.augmentation, None, rng)
        return augment_clip(
            clip, self.augmentation, self.feature_extractor.layout(), rng, self.feature_extractor.num_frames
        )
