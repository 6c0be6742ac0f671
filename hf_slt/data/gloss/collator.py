"""Collator: encoded clips of single signs -> one padded batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

_LABELS = ("labels", "category_labels")


class DataCollatorForGlossClassification:
    """Pad clips to the longest of the batch.

    Args:
        pad: Pads and stacks encoded clips: a list of dictionaries `input_values` `(T, F)`, `attention_mask` `(T,)` ->
            a dictionary of arrays `(B, T, F)`, `(B, T)`; see `GlossFeatureExtractor.pad`.
    """

    def __init__(self, pad: Callable[[list[dict[str, Any]]], Mapping[str, Any]]):
        self.pad = pad

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Collate items of a `GlossDataset`; `labels` and `category_labels` `(B,)` are there if the items have them."""
        clips = [{name: value for name, value in row.items() if name not in _LABELS} for row in rows]
        batch = {name: torch.as_tensor(value) for name, value in self.pad(clips).items()}
        for name in _LABELS:
            if name in rows[0]:
                batch[name] = torch.tensor([row[name] for row in rows], dtype=torch.long)
        return batch
