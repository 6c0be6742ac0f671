"""The data set: clips, labels and augmentation meet."""

import pickle
from dataclasses import fields

import numpy as np
import pytest
from gloss_factories import write_gloss_corpus

from hf_slt.data.epoch import SharedEpoch
from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.data.gloss.labels import LabelRow, read_labels
from hf_slt.data.gloss.table import build_clip_table
from hf_slt.data.gloss.transforms import GlossAugmentation
from hf_slt.models.gloss.feature_extraction_gloss import GlossFeatureExtractor

RAW = {"normalization": "none"}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpora")
    return {kind: write_gloss_corpus(root / kind, kind=kind, width=156) for kind in ("keypoints", "features")}


@pytest.fixture
def make(corpora, tmp_path):
    def make_dataset(kind="keypoints", rows=None, options=None, **arguments):
        corpus = corpora[kind]
        rows = read_labels(corpus.labels["train"])[0] if rows is None else rows
        files = [path.stem for path in corpus.folders["train"].iterdir()]
        table = build_clip_table(corpus.folders["train"], files, kind=kind, cache_dir=tmp_path)
        landmarks = (
            {"input_type": "landmarks"} if kind == "keypoints" else {"input_type": "features", "feature_size": 156}
        )
        return GlossDataset(table, rows, GlossFeatureExtractor(**landmarks, **(options or RAW)), **arguments)

    return make_dataset


def test_items_are_the_clips_in_the_order_of_the_csv(make, corpora):
    data = make()
    rows = read_labels(corpora["keypoints"].labels["train"])[0][::-1]
    for item, row in zip(make(rows=rows), rows, strict=True):
        clip = read_clip(corpora["keypoints"].folders["train"] / f"{row.file}.npz")
        np.testing.assert_array_equal(item["input_values"], clip.values)
        assert item["attention_mask"].tolist() == [1] * len(clip.values)
        assert (item["labels"], item["category_labels"]) == (row.gloss, row.cat)
        assert set(item) == {"input_values", "attention_mask", "file", "labels", "category_labels"}
        assert item["file"] == row.file
    assert len(data) == 16 and data.files[:5] == ["g0_0", "g0_1", "g0_2", "g0_3", "g1_0"]
    assert data.labels.tolist() == [g for g in range(4) for _ in range(4)] and set(data.signers) == {"S0"}
    assert data.category_labels.tolist() == [g % 2 for g in range(4) for _ in range(4)]


def test_lengths_are_those_of_the_model_inputs(make):
    for kind in ("keypoints", "features"):
        data = make(kind)
        assert data.lengths.tolist() == [len(item["input_values"]) for item in data]
        assert len(set(data.lengths.tolist())) > 2
    assert set(make(options={"num_frames": 5}).lengths.tolist()) == {5}
    assert set(make("features", options={"num_frames": 5}).lengths.tolist()) != {5}


def test_aspect_ratio_reaches_the_features(make):
    data = make(options={"normalization": "body"})
    clip = data.raw(3)
    wide, square = (data.feature_extractor.encode_clip(clip.values, clip.mask, ratio) for ratio in (640 / 480, 1.0))
    np.testing.assert_allclose(data[3]["input_values"], wide["input_values"], atol=1e-6)
    assert np.abs(data[3]["input_values"] - square["input_values"]).max() > 0.01


def test_unknown_categories_are_left_out_or_ignored(make):
    rows = [LabelRow(2, "g0_0", 0), LabelRow(3, "g1_0", 1)]
    assert "category_labels" not in make(rows=rows)[0] and make(rows=rows).category_labels is None
    mixed = make(rows=[*rows, LabelRow(4, "g2_0", 2, 1)])
    assert mixed.category_labels.tolist() == [-100, -100, 1] and mixed[0]["category_labels"] == -100


@pytest.mark.parametrize("kind", ["keypoints", "features"])
def test_augmentation_is_a_function_of_seed_epoch_and_clip(make, kind):
    epoch = SharedEpoch()
    options = {"augmentation": GlossAugmentation(), "epoch": epoch}
    data, other = make(kind, seed=1, **options), make(kind, seed=2, **options)
    first = [item["input_values"] for item in data]
    assert [len(clip) for clip in first] != data.lengths.tolist()
    for clip, again in zip(first, pickle.loads(pickle.dumps(data)).__getitems__(range(16)), strict=True):
        np.testing.assert_array_equal(clip, again["input_values"])
    assert not all(np.array_equal(a, b["input_values"]) for a, b in zip(first, other, strict=True))
    epoch.value = 1
    assert not all(np.array_equal(a, b["input_values"]) for a, b in zip(first, data, strict=True))
    epoch.value = 0
    np.testing.assert_array_equal(data[5]["input_values"], first[5])


def test_augmented_clips_are_resampled_once(make):
    still = dict.fromkeys(
        "flip rotation scale shear shift frame_dropout hand_dropout passive_hand body_dropout".split(), 0
    )
    augmentation = GlossAugmentation(**still, hand_rotation=0, speed=0.5)
    lengths = {len(item["input_values"]) for item in make(options={"num_frames": 20}, augmentation=augmentation)}
    assert len(lengths) > 2 and min(lengths) >= 10 and max(lengths) <= 30


@pytest.mark.parametrize("kind", ["keypoints", "features"])
def test_frames_that_augmentation_drops_are_masked_out(make, kind):
    amounts = {field.name: 0 for field in fields(GlossAugmentation)} | {"frame_dropout": 0.5}
    masked = 0
    for plain, item in zip(make(kind), make(kind, augmentation=GlossAugmentation(**amounts)), strict=True):
        kept = item["attention_mask"] == 1
        assert kept.any() and not item["input_values"][~kept].any()
        np.testing.assert_allclose(item["input_values"][kept], plain["input_values"][kept], atol=1e-6)
        masked += np.count_nonzero(~kept)
    assert masked > 5


def test_indices(make):
    data = make()
    np.testing.assert_array_equal(data[-1]["input_values"], data[15]["input_values"])
    with pytest.raises(IndexError, match="clip 16 of 16"):
        data[16]
    assert [item["labels"] for item in data.__getitems__([15, 0])] == [3, 0]


def test_a_clip_without_a_file(make):
    with pytest.raises(ValueError, match=r"found no \['gone'\]"):
        make(rows=[LabelRow(2, "gone", 0)])
