"""Checks of a run before its first step."""

import pytest
from model_factories import tiny_model
from run_factories import write_checkpoint

from hf_slt.errors import ConfigurationError
from hf_slt.training.run_checks import check_checkpoint, check_mixed_streams, check_same_clips, check_start, start_over
from hf_slt.training.training_arguments import SltTrainingArguments


@pytest.fixture
def checkpoint(tmp_path):
    tiny_model(streams=["pose"]).config.save_pretrained(tmp_path)
    (tmp_path / "trainer_state.json").write_text("{}")
    return str(tmp_path)


def test_a_checkpoint_of_the_same_model_is_accepted(checkpoint):
    check_checkpoint(None, tiny_model(streams=["pose"]).config)
    check_checkpoint(checkpoint, tiny_model(streams=["pose"]).config)


def test_a_checkpoint_of_another_model_names_what_differs(checkpoint):
    config = tiny_model(streams=["pose"]).config
    was = config.temporal_dim_feedforward
    config.temporal_dim_feedforward = 48
    config.text_config.d_ff += 1
    with pytest.raises(ConfigurationError, match=rf"temporal_dim_feedforward was {was}, is 48; text_config.d_ff was"):
        check_checkpoint(checkpoint, config)


def test_a_stream_that_is_not_read_cannot_be_mixed():
    check_mixed_streams({"pose": 0.5}, ["face", "pose"])
    with pytest.raises(ConfigurationError, match=r"out of the streams of this run \['face'\], found \['pose'\]"):
        check_mixed_streams({"pose": 0.5}, ["face"])


def test_results_of_an_earlier_run_do_not_stand_beside_the_new_model(tmp_path, caplog):
    for name in ("test_results.json", "test_predictions.csv", "run_config.json"):
        (tmp_path / name).write_text("{}")
    start_over(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run_config.json"]  # of a run that never came to a model
    assert "holds the results of an earlier run" in caplog.text
    caplog.clear()
    start_over(tmp_path)
    assert not caplog.text


def test_an_earlier_run_is_set_aside_whole(tmp_path, caplog):
    for number in (1, 2):
        (tmp_path / "checkpoint-7").mkdir()
        (tmp_path / "checkpoint-7" / "trainer_state.json").write_text("{}")  # damaged: nothing to go on from
        names = ("config.json", "model.safetensors", "run_config.json", "splits.json", "notes.txt", "test_results.json")
        for name in names:
            (tmp_path / name).write_text("{}")
        start_over(tmp_path)
        aside = tmp_path / f"earlier_run_{number}"
        assert {path.name for path in aside.iterdir()} == set(names[:4])
        assert f"holds an earlier run, which is in {aside} now" in caplog.text
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"earlier_run_1", "earlier_run_2", "notes.txt"}


def test_a_resumed_run_has_the_training_clips_that_it_had(tmp_path):
    (tmp_path / "splits.json").write_text('{"train": {"video_ids": ["a", "b", "c"]}}')
    checkpoint = str(tmp_path / "checkpoint-3")
    check_same_clips(checkpoint, ["a", "b", "c"])
    check_same_clips(None, ["x"])
    message = r"the 3 training clips of the run that is resumed, found 2 \(new: \['x'\], gone: \['b', 'c'\]\)"
    with pytest.raises(ConfigurationError, match=message):
        check_same_clips(checkpoint, ["a", "x"])
    with pytest.raises(ConfigurationError, match="or another order"):
        check_same_clips(checkpoint, ["b", "a", "c"])
    (tmp_path / "splits.json").write_text('{"train": {"files": ["a"]}}')
    check_same_clips(checkpoint, ["a"])


def test_a_checkpoint_that_was_being_replaced_is_gone_on_from(tmp_path):
    write_checkpoint(tmp_path / "_replaced" / "checkpoint-4")
    (tmp_path / "run_config.json").write_text('{"init_checkpoint": "W"}')
    args = SltTrainingArguments(output_dir=str(tmp_path), use_cpu=True, resume_from_checkpoint="true")
    check_start(args, {})
    assert args.resume_from_checkpoint == str(tmp_path / "checkpoint-4")


def test_weights_to_start_from_have_to_be_there(tmp_path):
    args = SltTrainingArguments(output_dir=str(tmp_path), use_cpu=True, init_checkpoint=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="in --init-checkpoint, found nothing at .*nowhere"):
        check_start(args, {})
