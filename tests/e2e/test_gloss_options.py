"""Gloss runs with other flags: without validation, every option at once, determinism, the other models."""

import numpy as np
import pytest
import torch
from gloss_factories import write_gloss_corpus
from gloss_runs import TINY, TRAINED, data_flags
from script_runs import read_csv, read_json, run_main
from transformers import AutoConfig, AutoFeatureExtractor


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_gloss_corpus(tmp_path_factory.mktemp("gloss_corpus"))


def test_training_without_validation(corpus, tmp_path):
    flags = [*data_flags(corpus, ["train"], names=False), *TRAINED, "--eval_strategy", "no", "--log-csv"]
    run_main("train_gloss", [*flags, tmp_path / "log.csv", "--output_dir", tmp_path / "run"])
    rows = read_csv(tmp_path / "log.csv")
    assert [row["step"] for row in rows] == ["4", "8", "12"] and all(row["eval_accuracy"] == "" for row in rows)
    assert not (tmp_path / "run" / "train_log.csv").exists()
    assert not (tmp_path / "run" / "eval_results.json").exists()
    assert AutoConfig.from_pretrained(tmp_path / "run").id2label[3] == "LABEL_3"


def test_every_option_of_a_run_at_once(corpus, tmp_path):
    options = "--scheduler plateau --scheduler-patience 0 --early-stop 2 --loss-type focal --class-weights balanced"
    options += " --label-smoothing 0.1 --alpha 0.7 --beta 0.3 --grad-clip 0.5 --num-workers 1 --prefetch-factor 2"
    options += " --no-pin-memory --data-dtype float16 --num-frames 8 --right-handed"
    options += " --frame-features positions hand_shapes velocity acceleration mask"
    options += " --pooling cls --grad-accum-steps 2 --lr 1e-6 --epochs 9"
    run_main("train_gloss", [*data_flags(corpus), *TRAINED, *options.split(), "--output_dir", tmp_path])
    rows = read_csv(tmp_path / "train_log.csv")
    assert len(rows) < 9 and float(rows[-1]["learning_rate"]) < 1e-6  # nothing is learnt at that rate
    assert AutoFeatureExtractor.from_pretrained(tmp_path).num_frames == 8
    config = AutoConfig.from_pretrained(tmp_path)
    assert (config.pooling, config.alpha, config.input_size) == ("cls", 0.7, 3 * 236 + 78)


def test_deterministic_and_mixed_precision_run(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # put back after the test
    monkeypatch.setattr("hf_slt.training.run_settings.amp_dtype", lambda on_gpu: "bf16")
    flags = [*data_flags(corpus), *TINY, "--epochs", "1", "--amp", "--deterministic"]
    try:
        run_main("train_gloss", [*flags, "--output_dir", tmp_path])
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert np.isfinite(read_json(tmp_path / "test_results.json")["test_loss"])


@pytest.mark.parametrize("model", ["iv3_gru", "conv_transformer"])
def test_the_other_models_train_too(tmp_path, model):
    kind = "features" if model == "iv3_gru" else "keypoints"
    corpus = write_gloss_corpus(tmp_path / "corpus", kind=kind, clips_per_gloss=4)
    sizes = "--hidden1 8 --hidden2 8 --no-pretrained-backbone" if kind == "features" else "--hidden-size 16"
    flags = [*data_flags(corpus), *sizes.split(), "--model", model, "--epochs", "1", "--use_cpu", "--num-threads", "1"]
    run_main("train_gloss", [*flags, "--disable_tqdm", "true", "--output_dir", tmp_path / "run"])
    assert 0 <= read_json(tmp_path / "run" / "test_results.json")["test_accuracy"] <= 1
    flag = f"--{kind}"
    run_main(
        "eval_gloss",
        ["--checkpoint", tmp_path / "run", flag, corpus.folders["test"], "--labels-csv", corpus.labels["test"]],
    )
    assert read_json(tmp_path / "run" / "eval_test" / "metrics.json")["clips"] == 4
