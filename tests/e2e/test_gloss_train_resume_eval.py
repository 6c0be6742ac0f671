"""Train a gloss classifier, resume, evaluate what came out, predict with it: the files and the figures in them."""

import json
import logging
import re
import shutil
import sys

import numpy as np
import pytest
import torch
from gloss_factories import write_gloss_corpus, write_labels
from gloss_runs import train_in_a_process
from safetensors.torch import load_file, save_file
from script_runs import ROOT, read_csv, read_json, run_main, run_process
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, Trainer, TrainingArguments

from hf_slt.data.gloss.collator import DataCollatorForGlossClassification
from hf_slt.data.gloss.contract import GlossSplit, check_splits
from hf_slt.data.gloss.dataset import GlossDataset
from hf_slt.training.gloss_trainer import score_predictions

SCORES = ["accuracy", "top5_accuracy", "macro_f1", "category_accuracy", "ece"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_gloss_corpus(tmp_path_factory.mktemp("gloss_corpus"))


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    return train_in_a_process(corpus, tmp_path_factory.mktemp("gloss_runs") / "run")


def test_results_have_the_promised_keys(trained):
    for prefix in ("eval", "test"):
        results = read_json(trained.folder / f"{prefix}_results.json")
        assert all(0 <= results[f"{prefix}_{name}"] <= 1 for name in SCORES) and results[f"{prefix}_loss"] > 0
        low, high = results[f"{prefix}_accuracy_interval"]
        assert 0 <= low <= results[f"{prefix}_accuracy"] <= high <= 1
        rows = read_csv(trained.folder / f"{prefix}_predictions.csv")
        assert len(rows) == results[f"{prefix}_clips"] == 4
        assert np.mean([int(row["correct"]) for row in rows]) == results[f"{prefix}_accuracy"]
        assert {row["gloss"] for row in rows} == {f"SIGN {i}" for i in range(4)}
    assert read_json(trained.folder / "train_results.json")["epoch"] == 3


def test_folder_of_a_run(trained):
    names = {path.name for path in trained.folder.iterdir()}
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "run_config.json", "splits.json"} <= names
    assert {"contract_report.json", "train_log.csv", "checkpoint-12"} <= names
    log = read_csv(trained.folder / "train_log.csv")
    assert [(row["epoch"], row["step"]) for row in log] == [("1", "4"), ("2", "8"), ("3", "12")]
    assert all(float(row["train_loss"]) > 0 and float(row["eval_loss"]) > 0 for row in log)
    splits = read_json(trained.folder / "splits.json")
    assert [len(splits[split]["digests"]) for split in ("train", "validation", "test")] == [16, 4, 4]
    assert (splits["train"]["signers"], splits["test"]["signers"]) == (["S0"], ["S2"])
    assert read_json(trained.folder / "contract_report.json")["splits"]["train"]["clips"] == 16


def test_log_is_for_people(trained):
    assert "4 glosses, 2 categories | 16 train, 4 validation, 4 test clips | transformer, 156 numbers" in trained.log
    line = r"epoch 3/3 \| step 12 \| train loss [\d.]+ \| val loss [\d.]+ \| train acc .* \| top-5 .* \| category"
    assert re.search(line, trained.log) and "test (4 clips): accuracy" in trained.log
    assert "Traceback" not in trained.log and "{'" not in trained.log and "newly initialized" not in trained.log


def test_root_of_the_run_is_the_model_of_the_best_accuracy(trained):
    state = read_json(trained.folder / "trainer_state.json")
    accuracies = {row["step"]: float(row["eval_accuracy"]) for row in read_csv(trained.folder / "train_log.csv")}
    assert state["best_metric"] == max(accuracies.values())
    best = load_file(f"{state['best_model_checkpoint']}/model.safetensors")
    root = load_file(trained.folder / "model.safetensors")
    assert root.keys() == best.keys() and all(torch.equal(root[name], best[name]) for name in root)
    assert read_json(trained.folder / "eval_results.json")["eval_accuracy"] == max(accuracies.values())


def test_stock_classes_load_and_evaluate_the_folder(trained, corpus, tmp_path):
    config, model = AutoConfig.from_pretrained(trained.folder), AutoModel.from_pretrained(trained.folder)
    extractor = AutoFeatureExtractor.from_pretrained(trained.folder)
    assert (config.id2label[2], config.category_id2label[1], extractor.raw_size) == ("SIGN 2", "KIND 1", 156)
    split = GlossSplit("test", corpus.folders["test"], corpus.labels["test"])
    report = check_splits([split], cache_dir=corpus.root / "cache")
    args = TrainingArguments(
        output_dir=str(tmp_path), use_cpu=True, report_to="none", disable_tqdm=True, remove_unused_columns=False
    )
    trainer = Trainer(
        model=model,
        args=args,
        eval_dataset=GlossDataset(report.tables["test"], report.rows["test"], extractor),
        data_collator=DataCollatorForGlossClassification(extractor.pad),
        compute_metrics=score_predictions,
    )
    metrics, expected = trainer.evaluate(), read_json(trained.folder / "test_results.json")
    for name in ("loss", *SCORES):
        assert metrics[f"eval_{name}"] == pytest.approx(expected[f"test_{name}"], abs=1e-5)


@pytest.mark.parametrize("step", [4, 8])
def test_resumed_run_ends_like_the_uninterrupted_one(trained, tmp_path, step):
    everything = [*trained.flags, "--save_total_limit", "9"]
    run_main("train_gloss", [*everything, "--output_dir", tmp_path / "whole"])
    shutil.copytree(tmp_path / "whole" / f"checkpoint-{step}", tmp_path / "cut" / f"checkpoint-{step}")
    shutil.copy(tmp_path / "whole" / "train_log.csv", tmp_path / "cut")
    run_main("train_gloss", [*everything, "--output_dir", tmp_path / "cut", "--resume"])
    expected, resumed, start = (
        load_file(path / "model.safetensors")
        for path in (tmp_path / "whole" / "checkpoint-12", tmp_path / "cut" / "checkpoint-12",
                     tmp_path / "cut" / f"checkpoint-{step}")
    )  # fmt: skip
    assert max((expected[name] - start[name]).abs().max() for name in start) > 1e-4
    assert all(torch.allclose(resumed[name], expected[name], atol=1e-6) for name in expected)
    logs = [read_csv(tmp_path / run / "train_log.csv") for run in ("whole", "cut")]
    assert [row["step"] for row in logs[1]] == ["4", "8", "12"]
    for left, right in zip(*logs, strict=True):
        numbers = [{name: float(value) for name, value in row.items()} for row in (left, right)]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-4)
    assert read_json(tmp_path / "cut" / "run_config.json")["resume_from_checkpoint"] is None


def test_run_config_repeats_the_run(trained, tmp_path):
    run_main("train_gloss", ["--config", trained.folder / "run_config.json", "--output_dir", tmp_path])
    expected, again = (load_file(folder / "model.safetensors") for folder in (trained.folder, tmp_path))
    assert all(torch.equal(again[name], expected[name]) for name in expected)


def eval_flags(trained, corpus, split="test", **values):
    flags = {"--checkpoint": trained.folder, "--keypoints": corpus.folders[split], "--labels-csv": corpus.labels[split]}
    flags |= {"--cache-dir": corpus.root / "cache", "--resamples": 50, "--num-threads": 1}
    flags |= {f"--{name.replace('_', '-')}": value for name, value in values.items()}
    return [part for pair in flags.items() if pair[1] is not None for part in pair]


@pytest.fixture(scope="module")
def evaluated(trained, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    flags = eval_flags(trained, corpus, output_dir=folder)
    return folder, run_process(sys.executable, ROOT / "scripts/eval_gloss.py", *flags).stderr


def test_evaluation_repeats_the_scores_of_the_run(trained, evaluated):
    folder, log = evaluated
    metrics, expected = read_json(folder / "metrics.json"), read_json(trained.folder / "test_results.json")
    for name in SCORES:
        digits = 4 if name == "ece" else 6
        assert metrics[name] == pytest.approx(expected[f"test_{name}"], abs=0.51 * 10**-digits)
    assert (metrics["clips"], metrics["split"], metrics["signers_shared_with_training"]) == (4, "test", [])
    assert [(row["signer"], row["clips"]) for row in metrics["per_signer"]] == [("S2", 4)]
    assert len(metrics["accuracy_interval"]) == len(metrics["category_accuracy_interval"]) == 2
    own = {row["file"]: row["prediction"] for row in read_csv(folder / "predictions.csv")}
    assert own == {row["file"]: row["prediction"] for row in read_csv(trained.folder / "test_predictions.csv")}
    assert [row["gloss"] for row in read_csv(folder / "per_class.csv")] == [f"SIGN {i}" for i in range(4)]
    assert "test (4 clips): accuracy" in log and "signer S2 (4 clips)" in log and f"results in {folder}" in log


def test_the_evaluation_tells_what_it_came_from_and_repeats_itself(evaluated, trained, corpus, tmp_path):
    folder, _ = evaluated
    metrics = read_json(folder / "metrics.json")
    expected = {
        "model": trained.folder.name, "runtime": "torch", "task": "gloss", "n": 4, "confidence": 0.95,
        "resamples": 50, "seed": 42, "overlap": {"video_ids": 0, "groups": None},
        "settings": {"device": "cpu", "precision": "fp32", "batch_size": 32},
    }  # fmt: skip
    assert {name: metrics[name] for name in expected} == expected
    selection = metrics["selection"]
    assert (selection["split"], selection["metric"], selection["mode"]) == ("validation", "accuracy", "max")
    assert metrics["data_hash"].startswith("sha256:") and metrics["versions"]["numpy"] == np.__version__
    run_main("eval_gloss", eval_flags(trained, corpus, output_dir=tmp_path))
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_plots_are_drawn_or_missed_with_a_word(evaluated, trained, corpus, tmp_path, monkeypatch, caplog):
    pytest.importorskip("matplotlib")
    for name in ("confusion_matrix.png", "calibration.png"):
        assert (evaluated[0] / name).read_bytes().startswith(b"\x89PNG")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with caplog.at_level(logging.WARNING):
        run_main("eval_gloss", eval_flags(trained, corpus, output_dir=tmp_path))
    assert "no plots: " in caplog.text and "hf_slt[plots]" in caplog.text
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"metrics.json", "predictions.csv", "per_class.csv", "contract_report.json"}


def test_a_checkpoint_of_the_run_can_be_evaluated(trained, corpus, tmp_path):
    shutil.copytree(trained.folder / "checkpoint-12", tmp_path / "run" / "checkpoint-12")
    shutil.copy(trained.folder / "splits.json", tmp_path / "run")
    flags = eval_flags(trained, corpus, checkpoint=tmp_path / "run" / "checkpoint-12", resamples=0)
    run_main("eval_gloss", flags)
    metrics = read_json(tmp_path / "run" / "checkpoint-12" / "eval_test" / "metrics.json")
    assert metrics["clips"] == 4 and "accuracy_interval" not in metrics


def refused(capsys, script, argv):
    with pytest.raises(SystemExit) as exit_info:
        run_main(script, argv)
    assert exit_info.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("split", ["train", "validation"])
def test_clips_of_the_training_run_are_not_evaluated_under_any_name(trained, corpus, tmp_path, capsys, split):
    (tmp_path / "clips").mkdir()
    rows = [row.split(",") for row in corpus.labels[split].read_text().split()[1:]][:2]
    for number, row in enumerate(rows):
        shutil.copy(corpus.folders[split] / row[0], tmp_path / "clips" / f"new{number}.npz")
    labels = write_labels(tmp_path / "new.csv", [[f"new{i}", *row[1:]] for i, row in enumerate(rows)])
    flags = eval_flags(trained, corpus, keypoints=tmp_path / "clips", labels_csv=labels, output_dir=tmp_path / "out")
    error = refused(capsys, "eval_gloss", flags)
    known = rows[0][0].removesuffix(".npz")
    assert "2 problems" in error and f"found:    its content is clip '{known}' of the {split} split" in error
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["contract_report.json"]
    run_main("eval_gloss", [*flags, "--allow-overlap"])
    metrics = read_json(tmp_path / "out" / "metrics.json")
    assert metrics["clips"] == metrics["overlap"]["video_ids"] == 2
    assert metrics["signers_shared_with_training"] == (["S0"] if split == "train" else [])


def test_what_an_evaluation_needs(trained, corpus, tmp_path, capsys):
    error = refused(capsys, "eval_gloss", eval_flags(trained, corpus, keypoints=None, labels_csv=None))
    assert "expected --keypoints FOLDER" in error and "expected --labels-csv FILE" in error
    assert "found no config.json in" in refused(capsys, "eval_gloss", eval_flags(trained, corpus, checkpoint=tmp_path))
    wide = write_gloss_corpus(tmp_path / "wide", kind="features", width=64)
    flags = eval_flags(trained, corpus, keypoints=wide.folders["test"], labels_csv=wide.labels["test"], kp_key="X2048")
    assert "expected: 156 numbers a frame (from: the model)" in refused(
        capsys, "eval_gloss", [*flags, "--output-dir", tmp_path / "out"]
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "a trained gloss classifier in --checkpoint .*does not load"),
        ("model.safetensors", "a trained gloss classifier in --checkpoint .*does not load"),
        ("preprocessor_config.json", "a feature extractor beside the model .*does not load"),
        ("splits.json", r"a JSON object beside the model, found .*splits\.json"),
    ],
)
def test_a_damaged_checkpoint(trained, corpus, tmp_path, capsys, name, message):
    shutil.copytree(trained.folder, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint-*"))
    (tmp_path / "run" / name).write_text("{")
    error = refused(capsys, "eval_gloss", eval_flags(trained, corpus, checkpoint=tmp_path / "run"))
    assert re.search(f"ConfigurationError: expected {message}", error)


def test_a_checkpoint_without_some_of_its_weights(trained, corpus, tmp_path, capsys):
    shutil.copytree(trained.folder, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint-*"))
    weights = load_file(trained.folder / "model.safetensors")
    del weights["heads.gloss.0.weight"]
    save_file(weights, tmp_path / "run" / "model.safetensors", metadata={"format": "pt"})
    error = refused(capsys, "eval_gloss", eval_flags(trained, corpus, checkpoint=tmp_path / "run"))
    assert "without 1 of its weights: ['heads.gloss.0.weight']" in error


def test_prediction_of_one_clip_is_a_line_and_the_best_five(trained, corpus):
    clip = corpus.folders["test"] / "g0_5.npz"
    done = run_process(sys.executable, ROOT / "scripts/predict.py", "--checkpoint", trained.folder, clip)
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"SIGN \d \(\d\) [01]\.\d\d · KIND \d \(\d\) [01]\.\d\d", lines[0])
    assert [line[:5] for line in lines[1:]] == ["  1. ", "  2. ", "  3. ", "  4. "]  # there are four glosses
    assert lines[1].removeprefix("  1. ") == lines[0].split(" · ")[0]
    expected = {row["file"]: row for row in read_csv(trained.folder / "test_predictions.csv")}["g0_5"]
    score = f"{float(expected['confidence']):.2f}"
    assert lines[0].startswith(f"{expected['prediction']} ({expected['prediction_id']}) {score} · ")


def test_predictions_of_several_clips(trained, corpus, capsys):
    clips = sorted(corpus.folders["test"].iterdir())
    run_main("predict", [*clips, "--checkpoint", trained.folder, "--top-k", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * len(clips) and lines[3].startswith(f"{clips[1]}: SIGN ")
    run_main("predict", ["--checkpoint", trained.folder, "--json", "--top-k", "3", *clips])
    rows = json.loads(capsys.readouterr().out)
    assert [row["clip"] for row in rows] == [str(clip) for clip in clips]
    assert all(len(row["glosses"]) == 3 and row["gloss"] == row["glosses"][0] for row in rows)
    assert all(set(row["category"]) == {"id", "name", "score"} for row in rows)


def test_clips_that_cannot_be_predicted_are_all_named(trained, corpus, tmp_path, capsys):
    np.savez(tmp_path / "wide.npz", X=np.ones((4, 2048), np.float32))
    np.savez(tmp_path / "other.npz", X2048=np.ones((4, 156), np.float32))
    (tmp_path / "damaged.npz").write_bytes(b"no archive")
    clips = [tmp_path / f"{name}.npz" for name in ("wide", "other", "damaged", "gone")]
    error = refused(capsys, "predict", ["--checkpoint", trained.folder, *clips])
    assert "DataContractError: the clips are not what the model reads: 4 problems" in error
    assert "(T, 156)" in error and "(4, 2048)" in error and "the keys ['X2048']" in error
    assert "Traceback" not in error


def test_a_new_run_in_the_folder_of_another_one_leaves_that_whole(trained, tmp_path, caplog):
    folder = tmp_path / "run"
    shutil.copytree(trained.folder, folder)
    run_main("train_gloss", [*trained.flags, "--output_dir", folder, "--seed", "2", "--max-train-steps", "1"])
    aside = folder / "earlier_run_1"
    assert read_json(aside / "run_config.json")["seed"] == 42 and read_json(folder / "run_config.json")["seed"] == 2
    assert {path.name for path in aside.glob("checkpoint-*")} == {p.name for p in trained.folder.glob("checkpoint-*")}
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-1"]
    before, kept = (load_file(path / "model.safetensors") for path in (trained.folder, aside))
    assert all(torch.equal(kept[name], before[name]) for name in before)
    assert f"holds an earlier run, which is in {aside} now" in caplog.text
