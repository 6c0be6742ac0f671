"""The smoke test of every model, and on two processes."""

import csv
import json
import sys
import tempfile

import pytest
from gloss_runs import TINY
from script_runs import LAUNCH, ROOT, run_main, run_process
from transformers import AutoConfig, AutoModel

from hf_slt.errors import HfSltError
from hf_slt.training import gloss_smoke

QUIET = ["--use_cpu", "--disable_tqdm", "true"]


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path, monkeypatch):
    """Everything temporary of these tests, to see what is left of it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.mark.parametrize("model", ["transformer", "iv3_gru", "conv_transformer"])
def test_smoke_test_without_a_folder_leaves_nothing(temporary_folder, tmp_path, monkeypatch, caplog, model):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    flags = ["--model", model, "--smoke-test", "--num-gloss", "105", "--num-cat", "10", "--no-pretrained-backbone"]
    run_main("train_gloss", [*flags, *QUIET, "--epochs", "1"])
    assert "105 glosses, 10 categories | 24 train, 6 validation, 6 test clips" in caplog.text
    assert "smoke test passed" in caplog.text
    assert not list(temporary_folder.iterdir()) and {path.name for path in tmp_path.iterdir()} == {"temporary"}


def test_smoke_test_with_a_folder_leaves_a_model(temporary_folder, tmp_path):
    run = tmp_path / "run"
    run_main("train_gloss", ["--smoke_test=true", *QUIET, "--epochs", "2", "--hidden-size", "32", "--output_dir", run])
    assert AutoConfig.from_pretrained(run).num_labels == 6 and AutoModel.from_pretrained(run).config.hidden_size == 32
    results = json.loads((run / "test_results.json").read_text())
    assert results["test_clips"] == 6
    assert not list(temporary_folder.iterdir())


def test_smoke_test_in_mixed_precision(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # put back after the test
    monkeypatch.setattr("hf_slt.training.run_settings.amp_dtype", lambda on_gpu: "bf16")
    caplog.set_level("INFO")
    run_main("train_gloss", ["--smoke-test", "--amp", *QUIET, *TINY])
    assert "smoke test passed" in caplog.text


def test_the_synthetic_clips_can_be_learnt(tmp_path):
    run_main("train_gloss", ["--smoke-test", *QUIET, "--output_dir", tmp_path / "run"])
    with (tmp_path / "run" / "train_log.csv").open() as file:
        losses = [float(row["eval_loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 4 and losses[-1] < 0.5 * losses[0]


def test_a_saved_model_that_says_something_else_is_noticed(tmp_path):
    run = tmp_path / "run"
    gloss_smoke.write_smoke_corpus(tmp_path / "data", "keypoints", 156, 6, 2)
    flags = ["--keypoints-train", tmp_path / "data" / "train", "--labels-train-csv", tmp_path / "data" / "train.csv"]
    flags += ["--keypoints-test", tmp_path / "data" / "test", "--labels-test-csv", tmp_path / "data" / "test.csv"]
    flags += ["--eval_strategy", "no", *QUIET, *TINY, "--epochs", "1", "--cache-dir", tmp_path / "cache"]
    run_main("train_gloss", [*flags, "--output_dir", run])
    gloss_smoke.check_saved_model(run, tmp_path / "data" / "test")
    config = json.loads((run / "preprocessor_config.json").read_text())
    (run / "preprocessor_config.json").write_text(json.dumps({**config, "normalization": "none"}))
    with pytest.raises(HfSltError, match="expected the saved model to say"):
        gloss_smoke.check_saved_model(run, tmp_path / "data" / "test")


def test_smoke_test_on_two_processes(temporary_folder):
    flags = ["--smoke-test", *QUIET, *TINY, "--epochs", "1"]
    done = run_process(sys.executable, *LAUNCH.split(), ROOT / "scripts" / "train_gloss.py", *flags)
    assert done.stderr.count("smoke test passed") == 1
    assert not [path for path in temporary_folder.iterdir() if "smoke" in path.name]
