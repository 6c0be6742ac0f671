"""Clips of single signs as rows of numbers with named labels, to be pushed to the hub and streamed.

clips = published_clips(GlossDataset(table, rows, feature_extractor), gloss_names, category_names)
clips.push_to_hub("someone/signs", split="train", private=True)
for row in datasets.load_dataset("someone/signs", split="train", streaming=True):
clip = clip_of_row(row)
inputs = feature_extractor.encode_clip(clip.values, clip.mask, clip.aspect_ratio)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_slt.data.gloss.clips import GlossClip
from hf_slt.data.gloss.dataset import UNKNOWN_LABEL, GlossDataset

if TYPE_CHECKING:
    import datasets

_ROWS_AT_ONCE = 256


def published_features(gloss_names: Sequence[str], category_names: Sequence[str] | None = None) -> datasets.Features:
    """Return the columns of published clips.

    `file`, `signer` (None if unknown), `gloss` and `category` (`ClassLabel`s; None: unknown), `values` `(T, W)` (as
    `GlossClip` has them), `mask` `(T, L)` (None for features) and `aspect_ratio`.

    Args:
        gloss_names: Name of each gloss.
        category_names: Name of each category; None: there is no such column.
    """
    from datasets import ClassLabel, Features, List, Value

    category = {} if category_names is None else {"category": ClassLabel(names=list(category_names))}
    return Features(
        {
            "file": Value("string"),
            "signer": Value("string"),
            "gloss": ClassLabel(names=list(gloss_names)),
            **category,
            "values": List(List(Value("float32"))),
            "mask": List(List(Value("bool"))),
            "aspect_ratio": Value("float32"),
        }
    )


def published_clips(
    clips: GlossDataset,
    gloss_names: Sequence[str],
    category_names: Sequence[str] | None = None,
    file: str | Path | None = None,
) -> datasets.Dataset:
    """Put the clips of a split and their labels into rows; augmentation is left out.

    Args:
        clips: The split.
        gloss_names: Name of each gloss.
        category_names: Name of each category; None: categories are left out.
        file: Arrow file to keep the rows in; None: they are kept in memory.

    Returns:
        One row a clip, in order; columns as `published_features`.
    """
    import datasets

    positions = datasets.Dataset.from_dict({"position": range(len(clips))})
    return positions.map(
        partial(_row, clips=clips, with_category=category_names is not None),
        features=published_features(gloss_names, category_names),
        remove_columns=["position"],
        cache_file_name=None if file is None else str(file),
        load_from_cache_file=False,
        writer_batch_size=_ROWS_AT_ONCE,
    )


def _row(position: Mapping[str, int], clips: GlossDataset, with_category: bool) -> dict[str, Any]:
    index = position["position"]
    clip = clips.raw(index)
    categories = clips.category_labels
    category = UNKNOWN_LABEL if categories is None else int(categories[index])
    return {
        "file": clips.files[index],
        "signer": clips.signers[index],
        "gloss": int(clips.labels[index]),
        **({"category": None if category == UNKNOWN_LABEL else category} if with_category else {}),
        "values": clip.values,
        "mask": clip.mask,
        "aspect_ratio": clip.aspect_ratio,
    }


def clip_of_row(row: Mapping[str, Any]) -> GlossClip:
    """Return the clip of a row: the same numbers as in the file that it came from.

    Args:
        row: `values`, `mask` and `aspect_ratio`, as in `published_features`.
    """
    values = np.asarray(row["values"], dtype=np.float32)
    mask = None if row["mask"] is None else np.asarray(row["mask"], dtype=bool)
    return GlossClip(values, mask, float(row["aspect_ratio"]))
