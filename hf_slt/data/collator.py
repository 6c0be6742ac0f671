"""Collator: encoded clips -> one padded batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from hf_slt.data.clip_transform import clip_rng
from hf_slt.data.epoch import SharedEpoch
from hf_slt.errors import ConfigurationError
from hf_slt.streams import STREAMS

IGNORE_INDEX = -100  # labels that no loss counts


class DataCollatorForMultiStream:
    """Pad clips to the longest of the batch and labels with -100; add `decoder_input_ids`.

    Args:
        pad_clips: Pads and stacks encoded clips, see [`MultiStreamFeatureExtractor.pad`].
        pad_token_id: Token that pads decoder inputs.
        decoder_start_token_id: First token of the decoder inputs.
        mix_streams: Stream -> probability with which that stream and its mask are permuted across the batch.
        seed: Seed of the permutations.
        epoch: The running epoch, which they also depend on.
        with_ids: Also return the `video_ids` of the clips, which errors tell; no model takes them.
    """

    def __init__(
        self,
        pad_clips: Callable[..., Any],
        pad_token_id: int,
        decoder_start_token_id: int,
        mix_streams: dict[str, float] | None = None,
        seed: int = 0,
        epoch: SharedEpoch | None = None,
        with_ids: bool = False,
    ):
        self.pad_clips = pad_clips
        self.pad_token_id = pad_token_id
        self.decoder_start_token_id = decoder_start_token_id
        self.mix_streams = check_mix_streams(mix_streams or {})
        self.seed = seed
        self.epoch = epoch or SharedEpoch()
        self.with_ids = with_ids

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Collate rows of a data set that [`ClipTransform`] transformed."""
        clips = [{k: v for k, v in row.items() if isinstance(v, np.ndarray) and k != "labels"} for row in rows]
        batch = dict(self.pad_clips(clips, return_tensors="pt"))
        for stream, probability in self.mix_streams.items():
            rng = clip_rng(self.seed, self.epoch.value, stream, *(row["video_id"] for row in rows))
            if rng.random() < probability:
                permute_stream(batch, stream, torch.from_numpy(rng.permutation(len(rows))))
        if "labels" in rows[0]:
            batch["labels"] = self._pad_labels([row["labels"] for row in rows])
            batch["decoder_input_ids"] = self._decoder_inputs(batch["labels"])
        if self.with_ids:
            batch["video_ids"] = [row["video_id"] for row in rows]
        return batch

    def _pad_labels(self, labels: Sequence[Sequence[int]]) -> torch.Tensor:
        padded = torch.full((len(labels), max(len(ids) for ids in labels)), IGNORE_INDEX, dtype=torch.long)
        for row, ids in zip(padded, labels, strict=True):
            row[: len(ids)] = torch.as_tensor(ids)
        return padded

    def _decoder_inputs(self, labels: torch.Tensor) -> torch.Tensor:
        shifted = torch.full_like(labels, self.decoder_start_token_id)
        shifted[:, 1:] = labels[:, :-1]
        return shifted.masked_fill(shifted == IGNORE_INDEX, self.pad_token_id)


def permute_stream(batch: dict[str, torch.Tensor], stream: str, order: torch.Tensor) -> None:
    """Reorder one stream of a batch and its mask across the clips, in place; labels and other streams stay."""
    for name in (f"{stream}_pixel_values", f"{stream}_values", f"{stream}_mask"):
        if name in batch:
            batch[name] = batch[name][order]


def check_mix_streams(mix_streams: dict[str, float]) -> dict[str, float]:
    """Return `mix_streams`, or raise `ConfigurationError` for an unknown stream or a value that is no probability."""
    for stream, probability in mix_streams.items():
        if stream not in STREAMS or not 0 <= probability <= 1:
            raise ConfigurationError(
                f"expected STREAM:P with a stream out of {list(STREAMS)} and P in [0, 1], found {stream}:{probability}"
            )
    return mix_streams
