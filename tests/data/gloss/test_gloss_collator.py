"""Batches of clips of different lengths."""

import numpy as np
import torch

from hf_slt.data.gloss.collator import DataCollatorForGlossClassification
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor


def item(frames, **labels):
    values = np.full((frames, 3), frames, np.float32)
    return {"input_values": values, "attention_mask": np.ones(frames, np.int64), **labels}


def collate(*rows):
    return DataCollatorForGlossClassification(GlossFeatureExtractor().pad)(rows)


def test_clips_are_padded_to_the_longest_and_labels_stacked():
    batch = collate(item(2, labels=4, category_labels=-100), item(3, labels=0, category_labels=1))
    assert batch["input_values"].shape == (2, 3, 3) and batch["input_values"].dtype == torch.float32
    assert batch["input_values"][:, :, 0].tolist() == [[2, 2, 0], [3, 3, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch["labels"].tolist() == [4, 0] and batch["category_labels"].tolist() == [-100, 1]
    assert {batch[name].dtype for name in ("labels", "category_labels", "attention_mask")} == {torch.int64}


def test_labels_are_optional():
    assert set(collate(item(1), item(2))) == {"input_values", "attention_mask"}
    assert set(collate(item(1, labels=2))) == {"input_values", "attention_mask", "labels"}
