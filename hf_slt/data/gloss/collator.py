"""Collator: encoded clips of single signs -> one padded batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

_LABELS = ("labels", "category_labels")
_NAME = "file"


class DataCollatorForGlossClassification:
    """Pad clips to the longest of the batch.

    Args:
        pad: Pads and stacks encoded clips: a list of dictionaries `input_values` `(T, F)`, `attention_mask` `(T,)` ->
            a dictionary of arrays `(B, T, F)`, `(B, T)`; see `GlossFeatureExtractor.pad`.
        with_names: Also return the names of the clips, `files`, which errors tell; no model takes them.
    """

    def __init__(self, pad: Callable[[list[dict[str, Any]]], Mapping[str, Any]], with_names: bool = False):
        self.pad = pad
        self.with_names = with_names

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Collate items of a `GlossDataset`; `labels` and `category_labels` `(B,)` are there if the items have them."""
        clips = [{name: value for name, value in row.items() if name not in (*_LABELS, _NAME)} for row in rows]
        batch = {name: torch.as_tensor(value) for name, value in self.pad(clips).items()}
        for name in _LABELS:
            if name in rows[0]:
                batch[name] = torch.tensor([row[name] for row in rows], dtype=torch.long)
        if self.with_names:
            batch["files"] = [row[_NAME] for row in rows]
        return batch
