"""Checks of a run before its first step."""

import pytest
from model_factories import tiny_model

from hf_slt.errors import ConfigurationError
from hf_slt.training.run_checks import check_checkpoint, check_mixed_streams, remove_old_results


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
    remove_old_results(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run_config.json"]
    assert "holds the results of an earlier run" in caplog.text
    caplog.clear()
    remove_old_results(tmp_path)
    assert not caplog.text
