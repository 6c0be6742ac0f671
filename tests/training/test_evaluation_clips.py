"""Clips of an evaluation and of its calibration: which are read, and that none is on both sides."""

from types import SimpleNamespace

import pytest
from factories import write_corpus

from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.training import evaluation_clips
from hf_slt.training.arguments import DataArguments
from hf_slt.training.evaluate_slt import check_known_clips
from hf_slt.training.evaluation_arguments import EvaluationArguments
from hf_slt.training.evaluation_clips import check_calibration, evaluation_paths, load_clips

MODEL = SimpleNamespace(name="run", config=SimpleNamespace(streams=("pose",)), num_landmarks=33, splits={})


@pytest.fixture
def corpus(tmp_path):
    """Clips a and b of one recording, and c; flags of them."""
    paths = write_corpus(
        tmp_path, {"a": "Hola.", "b": "Hola.", "c": "Adiós."}, {"test": ["a"], "v1": ["b"], "v2": ["c"]},
        streams=("pose",), frames=2,
    )  # fmt: skip
    paths.metadata_csv.write_text("video_id,text,signer,video\na,Hola.,Ana,1\nb,Hola.,Ana,1\nc,Adiós.,Ana,1\n")
    data = DataArguments(pose_dir=str(paths.pose_dir), metadata_csv=str(paths.metadata_csv), val_index="not read")
    return paths.indexes, data


def load(corpus, folder, **flags):
    indexes, data = corpus
    args = EvaluationArguments(index=str(indexes["test"]), **flags)
    return load_clips([MODEL], evaluation_paths(data, args, [MODEL]), data, [folder])[0]


def test_only_the_clips_that_are_asked_for_are_read(corpus, tmp_path):
    clips = load(corpus, tmp_path / "eval")
    assert clips.test["video_id"][:] == ["a"] and clips.calibration is None and clips.skipped == 0
    clips = load(corpus, tmp_path / "eval", abstain=5, calibration_index=str(corpus[0]["v2"]))
    assert clips.calibration["video_id"][:] == ["c"] and clips.test["video_id"][:] == ["a"]
    with pytest.raises(ConfigurationError, match="expected --calibration-index FILE with --abstain, .* found none"):
        load(corpus, tmp_path / "eval", abstain=5)


def test_one_recording_is_not_on_both_sides(corpus, tmp_path):
    with pytest.raises(DataContractError, match="same signer, sentence and video is among those of --calibration"):
        load(corpus, tmp_path / "eval", abstain=5, calibration_index=str(corpus[0]["v1"]))


def test_left_out_clips_are_counted(corpus, tmp_path):
    indexes, data = corpus
    data.skip_invalid = True
    indexes["test"].write_text("a\nnowhere\n")
    assert load(corpus, tmp_path / "eval").skipped == 1


def test_training_clips_do_not_calibrate(corpus, tmp_path):
    clips = load(corpus, tmp_path / "eval", abstain=5, calibration_index=str(corpus[0]["v2"]))
    known = SimpleNamespace(**{**vars(MODEL), "splits": {"train": {"video_ids": ["c"]}}})
    check_calibration([MODEL], [clips])
    with pytest.raises(DataContractError, match=r"cannot be chosen on training clips[^$]*train split of run"):
        check_calibration([known], [clips])
    with pytest.raises(DataContractError, match="cannot be chosen on training clips"):
        check_known_clips([known], [clips], allow_overlap=True)
    tested = SimpleNamespace(**{**vars(MODEL), "splits": {"train": {"video_ids": ["a"]}}})
    check_known_clips([tested], [clips], allow_overlap=True)
    with pytest.raises(DataContractError, match="it is in the train split"):
        check_known_clips([tested], [clips], allow_overlap=False)


def test_all_that_is_missing_is_named_at_once():
    with pytest.raises(ConfigurationError, match="expected --index FILE .*; expected --calibration-index FILE"):
        evaluation_paths(DataArguments(), EvaluationArguments(abstain=5), [MODEL])


def test_clips_are_hashed_once(corpus, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(evaluation_clips, "hash_clips", lambda clips: calls.append(len(clips)) or "sha256:1")
    clips = load(corpus, tmp_path / "eval")
    assert clips.data_hash == clips.data_hash == "sha256:1" and calls == [1]
