"""Published clips of single signs give what the files give, also when they are streamed from Parquet files."""

import dataclasses

import datasets
import numpy as np
import pytest
from gloss_factories import write_gloss_corpus

from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.data.gloss.hub_dataset import clip_of_row, published_clips
from hf_slt.data.gloss.labels import read_labels
from hf_slt.data.gloss.table import build_clip_table
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor

EXTRACTORS = {
    "keypoints": GlossFeatureExtractor(features=("hand_shapes", "velocity", "mask"), num_frames=8),
    "features": GlossFeatureExtractor(input_type="features", feature_size=12),
}
GLOSSES, CATEGORIES = ["HOUSE", "MORNING", "TREE", "WATER"], ["noun", "time"]


def split(folder, kind, change=lambda row: row):
    """Return the training split of a corpus."""
    corpus = write_gloss_corpus(folder / "corpus", kind=kind, width=12 if kind == "features" else None)
    rows = [change(row) for row in read_labels(corpus.labels["train"])[0]]
    files = [row.file for row in rows]
    table = build_clip_table(corpus.folders["train"], files, kind=kind, cache_dir=folder / "tables")
    return GlossDataset(table, rows, EXTRACTORS[kind])


def streamed(rows, folder):
    path = str(folder / "clips.parquet")
    rows.to_parquet(path)
    return datasets.load_dataset("parquet", data_files=path, split="train", streaming=True)


@pytest.mark.parametrize("kind", EXTRACTORS)
def test_a_streamed_row_gives_the_inputs_of_the_file(kind, tmp_path):
    clips = split(tmp_path, kind)
    stream = streamed(published_clips(clips, GLOSSES, CATEGORIES, tmp_path / "clips.arrow"), tmp_path)
    assert stream.features["gloss"].names == GLOSSES and stream.features["category"].names == CATEGORIES
    found = list(stream)
    assert [row["file"] for row in found] == clips.files and [row["signer"] for row in found] == clips.signers
    assert [row["gloss"] for row in found] == clips.labels.tolist()
    assert [row["category"] for row in found] == clips.category_labels.tolist()
    for index, row in enumerate(found):
        clip = clip_of_row(row)
        inputs = EXTRACTORS[kind].encode_clip(clip.values, clip.mask, clip.aspect_ratio)
        assert inputs.keys() <= clips[index].keys()
        assert all(np.array_equal(value, clips[index][name]) for name, value in inputs.items())
        assert clip.aspect_ratio == pytest.approx(640 / 480 if kind == "keypoints" else 1)
        assert (row["mask"] is None) is (kind == "features")


def test_categories_may_be_unknown_or_left_out(tmp_path):
    clips = split(tmp_path, "keypoints", lambda row: dataclasses.replace(row, cat=None if row.gloss else row.cat))
    found = list(streamed(published_clips(clips, GLOSSES, CATEGORIES), tmp_path))
    assert [row["category"] for row in found] == [0 if row["gloss"] == 0 else None for row in found]
    assert "category" not in published_clips(clips, GLOSSES).features
