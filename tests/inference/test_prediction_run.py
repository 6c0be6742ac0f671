"""What `predict.py` refuses before it predicts, and what it hands on."""

from types import SimpleNamespace

import pytest
from model_factories import tiny_extractor

from hf_slt.errors import ConfigurationError, DataContractError
from hf_slt.extraction.options import ExtractionOptions
from hf_slt.inference.prediction_run import check_overlay, load_predictor, predict_clips, write_answer_overlay


def test_an_overlay_needs_one_video_and_an_mp4():
    check_overlay(["a.GIF"], "o.mp4")
    with pytest.raises(ConfigurationError, match=r"one video with --overlay, to draw on, found a\.mp4, b\.mp4"):
        check_overlay(["a.mp4", "b.mp4"], "o.mp4")
    with pytest.raises(ConfigurationError, match=r"found k\.npz"):
        check_overlay(["k.npz"], "o.mp4")
    with pytest.raises(DataContractError, match=r"a file \.mp4 in --overlay\n.*'\.avi'"):
        check_overlay(["a.mp4"], "o.avi")


def test_beams_are_nothing_for_a_classifier():
    with pytest.raises(ConfigurationError, match="no --num-beams for a gloss classifier.*, found 4"):
        predict_clips(SimpleNamespace(), [], num_beams=4)


def test_the_answer_is_drawn_with_the_options_of_the_model(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr("hf_slt.extraction.overlay.overlay_video", lambda *given: drawn.append(given))
    predictor = SimpleNamespace(feature_extractor=tiny_extractor(num_landmarks=25))
    write_answer_overlay(predictor, tmp_path / "a.mp4", tmp_path / "o.mp4", "Hola. 0.83", 10)
    options = ExtractionOptions(fps=10, pose_layout="mediapipe_pose_upper")
    assert drawn == [(tmp_path / "a.mp4", tmp_path / "o.mp4", options, "Hola. 0.83")]


def test_a_folder_without_a_model_is_of_neither_task(tmp_path):
    with pytest.raises(ConfigurationError, match="a trained model in --checkpoint, found no config.json in"):
        load_predictor(str(tmp_path))
