"""Clips that variants are calibrated and scored on: drawn, checked, and kept apart."""

import csv

import pytest
import torch
from factories import CLIPS, write_corpus, write_index
from gloss_factories import write_gloss_corpus, write_labels
from model_factories import tiny_config, tiny_model, tiny_processor

from hf_slt import GlossFeatureExtractor, SignTransformerConfig
from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.exporters.calibration import (
    check_calibration,
    choose_clips,
    gloss_batches,
    load_gloss_data,
    load_translation_data,
    translation_batches,
)
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluation_checkpoints import Checkpoint
from hf_slt.training.gloss_evaluation_arguments import GlossEvaluationArguments


def test_choose_clips_is_fixed_and_in_order():
    chosen = choose_clips(1000)
    assert chosen == choose_clips(1000) == sorted(set(chosen))
    assert len(chosen) == 100 and chosen[0] < 100 and chosen[-1] >= 900
    assert choose_clips(1000, seed=1) != chosen
    assert choose_clips(3) == [0, 1, 2]


@pytest.mark.parametrize(("is_translation", "flags"), [(True, "--train-index"), (False, "--calibration-labels-csv")])
def test_static_ranges_need_training_clips(is_translation, flags):
    with pytest.raises(ConfigurationError, match=rf"expected training clips.*found none; pass .*{flags} FILE"):
        check_calibration(["int8", "int8-static"], False, is_translation)
    check_calibration(["int8-static"], True, is_translation)
    check_calibration(["int8", "fp16"], False, is_translation)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def data_arguments(paths, **indexes):
    folders = {"face_dir": paths.face_dir, "pose_dir": paths.pose_dir, "metadata_csv": paths.metadata_csv}
    return DataArguments(**{name: str(path) for name, path in {**folders, **indexes}.items()})


def opened(splits=None):
    streams = ("face", "pose")
    config = tiny_config(streams, num_pose_landmarks=33)
    return Checkpoint("run", None, config, tiny_processor(streams), {}, splits or {})


def test_translation_clips_are_those_of_the_indexes(corpus, tmp_path):
    train, test = corpus.indexes["train"], corpus.indexes["test"]
    checkpoint = opened()
    calibration, scored = load_translation_data(data_arguments(corpus, train_index=train, test_index=test), checkpoint)
    assert sorted(calibration["video_id"][:]) == ["001", "vid1_foo"] and scored["video_id"][:] == ["vid1"]
    assert load_translation_data(data_arguments(corpus, test_index=test), checkpoint)[0] is None
    assert load_translation_data(DataArguments(), checkpoint) == (None, None)
    batches = list(translation_batches(calibration, checkpoint.processor))
    model = tiny_model(("face", "pose"), num_pose_landmarks=33)
    assert [batch["attention_mask"].shape[0] for batch in batches] == [1, 1]
    for batch in batches:
        assert batch["attention_mask"].all() and "labels" not in batch
        assert model.encoder(**batch)[0].shape[:2] == batch["attention_mask"].shape


def test_clips_to_score_are_of_neither_the_training_nor_the_calibration(corpus, tmp_path):
    train, test = corpus.indexes["train"], corpus.indexes["test"]
    both = data_arguments(corpus, train_index=train, test_index=test)
    trained_on = {"train": {"video_ids": ["vid1"]}}
    with pytest.raises(DataContractError, match="scores on known clips mean nothing"):
        load_translation_data(both, opened(trained_on))
    assert load_translation_data(both, opened(trained_on), allow_overlap=True)[1]["video_id"][:] == ["vid1"]
    index = write_index(tmp_path / "index.csv", list(CLIPS))
    with pytest.raises(DataContractError, match="vid1"):
        load_translation_data(data_arguments(corpus, train_index=index, test_index=test), opened(), report_dir=tmp_path)
    assert (tmp_path / "contract_report.json").is_file()


def test_of_a_long_index_100_clips_are_read(corpus, tmp_path):
    """The others are not there, and nobody notices."""
    ids = [f"absent{number}" for number in range(400)]
    for position in choose_clips(400):
        ids[position] = "001"
    index = tmp_path / "train.csv"
    index.write_text("video_id\n" + "\n".join(ids))
    with pytest.raises(DataContractError) as error:
        load_translation_data(data_arguments(corpus, train_index=index), opened())
    assert "absent" not in str(error.value) and "001" in str(error.value)  # only that one clip stands there often


def test_an_index_that_is_not_there_is_a_problem_of_the_data(corpus, tmp_path):
    with pytest.raises(DataContractError, match="absent.csv"):
        load_translation_data(data_arguments(corpus, train_index=tmp_path / "absent.csv"), opened())


@pytest.fixture(scope="module")
def gloss(tmp_path_factory):
    corpus = write_gloss_corpus(tmp_path_factory.mktemp("gloss"), clips_per_gloss=4)
    extractor = GlossFeatureExtractor()
    config = SignTransformerConfig(input_size=156, num_labels=4, num_categories=2)
    folder = corpus.root / "all"
    folder.mkdir()
    for split in corpus.folders.values():
        for path in split.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    return corpus, folder, config, extractor


def arguments(corpus, folder, labels, **kwargs):
    cache = str(corpus.root / "cache")
    return GlossEvaluationArguments(keypoints=str(folder), labels_csv=labels and str(labels), cache_dir=cache, **kwargs)


def test_gloss_clips_are_those_of_the_tables(gloss):
    corpus, folder, config, extractor = gloss
    args = arguments(corpus, folder, corpus.labels["test"])
    calibration, scored = load_gloss_data(args, str(corpus.labels["train"]), config, extractor, {})
    assert sorted(calibration.files) == sorted(f"g{g}_{n}" for g in range(4) for n in range(2))
    assert sorted(scored.files) == [f"g{g}_3" for g in range(4)]
    batches = list(gloss_batches(calibration, extractor))
    assert len(batches) == 8
    for batch in batches:
        assert set(batch) == {"input_values", "attention_mask"} and batch["attention_mask"].dtype == torch.int64
        assert batch["input_values"].shape == (1, batch["attention_mask"].shape[1], config.input_size)
    assert load_gloss_data(args, None, config, extractor, {})[0] is None
    only = arguments(corpus, folder, None)
    assert load_gloss_data(only, str(corpus.labels["train"]), config, extractor, {})[1] is None


def test_gloss_clips_to_score_are_of_neither_the_training_nor_the_calibration(gloss, tmp_path):
    corpus, folder, config, extractor = gloss
    args = arguments(corpus, folder, corpus.labels["test"])
    with open(corpus.labels["test"], encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    both = write_labels(tmp_path / "both.csv", rows[:1])
    with pytest.raises(DataContractError, match=r"scores on clips of the calibration mean little: 1 problem\n.*g0_3"):
        load_gloss_data(args, str(both), config, extractor, {})
    with pytest.raises(ConfigurationError, match="expected --keypoints FOLDER with the clips, found none"):
        load_gloss_data(GlossEvaluationArguments(labels_csv="x"), None, config, extractor, {})
