"""Flags of a run that is resumed: what cannot be changed, what can, and what is told."""

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.reports import write_json
from hf_slt.training.resumed_flags import check_resumed_flags, flags_to_store

FLAGS = {
    "learning_rate": 0.1,
    "lr_scheduler_type": "cosine",
    "seed": 42,
    "per_device_train_batch_size": 8,
    "num_train_epochs": 3.0,
    "label_smoothing_factor": 0.0,
    "mix_stream": ["face:0.5"],
    "dataloader_num_workers": 2,
    "output_dir": "R",
    "pose_dir": "D/pose",
}


@pytest.fixture
def checkpoint(tmp_path):
    write_json(tmp_path / "run_config.json", FLAGS)
    (tmp_path / "checkpoint-3").mkdir()
    return str(tmp_path / "checkpoint-3")


def test_the_flags_of_the_run_are_no_news(checkpoint, caplog):
    check_resumed_flags(checkpoint, {**FLAGS, "mix_stream": ("face:0.5",), "new_flag": 1})
    check_resumed_flags(None, {"learning_rate": 9})
    assert not caplog.records


def test_flags_that_the_checkpoint_holds_cannot_be_changed(checkpoint):
    changed = {**FLAGS, "learning_rate": 0.5, "lr_scheduler_type": "steplr", "seed": 7}
    with pytest.raises(ConfigurationError) as error:
        check_resumed_flags(checkpoint, changed)
    message = (
        "learning_rate was 0.1, is 0.5; lr_scheduler_type was cosine, is steplr; seed was 42, is 7; resume without"
    )
    assert message in str(error.value) and f"--init-checkpoint {checkpoint}" in str(error.value)
    with pytest.raises(ConfigurationError, match="per_device_train_batch_size was 8, is 4"):
        check_resumed_flags(checkpoint, {**FLAGS, "per_device_train_batch_size": 4})


def test_a_longer_run_elsewhere_with_other_workers_is_the_same_run(checkpoint, caplog):
    check_resumed_flags(checkpoint, {**FLAGS, "num_train_epochs": 9, "output_dir": "S", "dataloader_num_workers": 0})
    assert not caplog.records


def test_what_changes_the_training_from_here_on_is_told(checkpoint, caplog):
    check_resumed_flags(checkpoint, {**FLAGS, "label_smoothing_factor": 0.1, "pose_dir": "E/pose"})
    assert [record.getMessage() for record in caplog.records] == [
        "resumed with another flag, from here on: label_smoothing_factor was 0.0, is 0.1",
        "resumed with another flag, from here on: pose_dir was D/pose, is E/pose",
    ]


def test_a_checkpoint_without_flags_is_taken_as_it_is(tmp_path):
    check_resumed_flags(str(tmp_path / "checkpoint-3"), FLAGS)
    (tmp_path / "run_config.json").write_text("[")
    with pytest.raises(ConfigurationError, match=r"expected the flags of the run in .*run_config.json, found: "):
        check_resumed_flags(str(tmp_path / "checkpoint-3"), FLAGS)


def test_what_a_run_started_from_stays_in_its_flags(checkpoint, tmp_path):
    write_json(tmp_path / "run_config.json", {**FLAGS, "init_checkpoint": "W", "allow_partial_init": 0.5})
    resumed = {**FLAGS, "init_checkpoint": None, "allow_partial_init": None, "resume_from_checkpoint": "true"}
    stored = flags_to_store(resumed, checkpoint)
    assert stored == {**FLAGS, "init_checkpoint": "W", "allow_partial_init": 0.5, "resume_from_checkpoint": None}
    assert flags_to_store({"init_checkpoint": "V"}, None) == {"init_checkpoint": "V", "resume_from_checkpoint": None}


def test_how_often_is_saved_cannot_be_changed(checkpoint, tmp_path):
    write_json(tmp_path / "run_config.json", {**FLAGS, "save_steps": 2, "eval_strategy": "steps"})
    with pytest.raises(ConfigurationError, match="save_steps was 2, is 4"):
        check_resumed_flags(checkpoint, {**FLAGS, "save_steps": 4})


def test_a_token_is_not_stored():
    stored = flags_to_store({"seed": 1, "hub_token": "hf_secret", "push_to_hub_token": "hf_older"}, None)
    assert stored == {"seed": 1, "hub_token": None, "push_to_hub_token": None, "resume_from_checkpoint": None}


def test_a_relative_folder_of_a_model_is_told_from_a_name_on_the_hub(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "t5").mkdir(parents=True)
    flags = {"decoder_model": "models/t5", "backbone": "google/vit", "tokenizer": str(tmp_path / "models"), "seed": 1}
    stored = flags_to_store(flags, None)
    assert stored == {**flags, "decoder_model": "./models/t5", "resume_from_checkpoint": None}
    assert flags_to_store(stored, None) == stored
    write_json(tmp_path / "run_config.json", stored)
    check_resumed_flags(str(tmp_path / "checkpoint-1"), flags)
    assert not caplog.records
