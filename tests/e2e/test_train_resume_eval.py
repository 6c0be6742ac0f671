"""Train, resume, evaluate what came out: the files of a run and the figures in them."""

import csv
import json
import re
import shutil
import sys

import numpy as np
import pytest
import torch
from factories import VARIANTS, write_corpus
from safetensors.torch import load_file, save_file
from script_runs import ROOT, SENTENCES, SPLITS, TINY, TRAINED, data_flags, run_main, run_process

from hf_slt import MultiStreamForConditionalGeneration, MultiStreamProcessor

SCORES = ["bleu", "bleu1", "bleu2", "bleu3", "bleu4", "chrf", "cer", "wer"]


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_results_have_the_promised_keys(trained):
    for prefix, clips in (("eval", 1), ("test", 2)):
        results = read_json(trained.folder / f"{prefix}_results.json")
        assert all(isinstance(results[f"{prefix}_{name}"], float) for name in (*SCORES, "loss"))
        assert "tok:13a" in results[f"{prefix}_signature"] and "chrF2" in results[f"{prefix}_signature"]
        assert results[f"{prefix}_bleu"] == results[f"{prefix}_bleu4"]
        low, high = results[f"{prefix}_chrf_interval"]
        assert 0 <= low <= high <= 100
        assert len(read_csv(trained.folder / f"{prefix}_predictions.csv")) == clips
    assert read_json(trained.folder / "train_results.json")["epoch"] == 2


def test_predictions_stand_beside_the_raw_sentences(trained):
    rows = read_csv(trained.folder / "test_predictions.csv")
    assert list(rows[0]) == ["video_id", "prediction", "reference"]
    assert [(row["video_id"], row["reference"]) for row in rows] == [(i, SENTENCES[i]) for i in SPLITS["test"]]


def test_folder_of_a_run(trained):
    names = {path.name for path in trained.folder.iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
        "run_config.json",
    } <= names
    assert {"contract_report.json", "splits.json", "train_log.csv", "checkpoint-2", "checkpoint-4"} <= names
    log = read_csv(trained.folder / "train_log.csv")
    assert [(float(row["epoch"]), row["step"]) for row in log] == [(1, "2"), (2, "4")]
    assert all(float(row["loss"]) > 0 and float(row["eval_loss"]) > 0 for row in log)
    assert read_json(trained.folder / "splits.json")["train"]["video_ids"] == SPLITS["train"]
    assert read_json(trained.folder / "contract_report.json")["splits"]["train"]["missing_frames"]["left_hand"] == 2


def test_log_is_for_people(trained):
    assert "streams face, left_hand, right_hand, pose | 4 train, 1 validation, 2 test clips" in trained.log
    assert "epoch 2/2 | step 4 | train loss" in trained.log and SENTENCES["vid10"] in trained.log
    assert "test (2 clips): BLEU-4" in trained.log and SENTENCES["clip7"] in trained.log
    assert "Traceback" not in trained.log and "newly initialized" not in trained.log


def test_root_of_the_run_is_the_best_model(trained):
    losses = {row["step"]: float(row["eval_loss"]) for row in read_csv(trained.folder / "train_log.csv")}
    best = load_file(trained.folder / f"checkpoint-{min(losses, key=losses.get)}" / "model.safetensors")
    root = load_file(trained.folder / "model.safetensors")
    assert root.keys() == best.keys() and all(torch.equal(root[name], best[name]) for name in root)
    model = MultiStreamForConditionalGeneration.from_pretrained(trained.folder)
    assert (model.generation_config.num_beams, model.generation_config.max_length) == (2, 13)
    assert MultiStreamProcessor.from_pretrained(trained.folder).feature_extractor.image_size == 16


def test_resumed_run_ends_like_the_uninterrupted_one(trained, tmp_path):
    shutil.copytree(trained.folder / "checkpoint-2", tmp_path / "checkpoint-2")
    flags = [*trained.flags, "--output_dir", tmp_path, "--resume_from_checkpoint", tmp_path / "checkpoint-2"]
    run_main("train_slt", flags)
    expected = load_file(trained.folder / "checkpoint-4" / "model.safetensors")
    resumed = load_file(tmp_path / "checkpoint-4" / "model.safetensors")
    start = load_file(tmp_path / "checkpoint-2" / "model.safetensors")
    assert max((expected[name] - start[name]).abs().max() for name in start) > 1e-4
    assert all(torch.allclose(resumed[name], expected[name], atol=1e-6) for name in expected)
    results = [read_json(folder / "test_results.json") for folder in (tmp_path, trained.folder)]
    assert results[0]["test_loss"] == pytest.approx(results[1]["test_loss"], abs=1e-5)
    assert read_json(tmp_path / "trainer_state.json")["global_step"] == 4


def test_run_config_repeats_the_run(trained, tmp_path):
    run_main("train_slt", ["--config", trained.folder / "run_config.json", "--output_dir", tmp_path])
    expected, again = (load_file(folder / "model.safetensors") for folder in (trained.folder, tmp_path))
    assert all(torch.equal(again[name], expected[name]) for name in expected)


@pytest.fixture(scope="module")
def evaluated(trained, corpus, tmp_path_factory):
    """The run, evaluated on its test split by scripts/eval_slt.py with streams blanked."""
    folder = tmp_path_factory.mktemp("evaluated")
    flags = ["--checkpoint", trained.folder, *data_flags(corpus), "--index", corpus.indexes["test"], "--num-workers", 0]
    flags += ["--num-beams", 2, "--ablate-streams", "--output-dir", folder, "--resamples", 50]
    done = run_process(sys.executable, ROOT / "scripts/eval_slt.py", *flags)
    return folder, flags, done.stderr


def test_evaluation_repeats_the_scores_of_the_run(trained, evaluated):
    folder, _, log = evaluated
    report, expected = read_json(folder / "report.json"), read_json(trained.folder / "test_results.json")
    (results,) = report["checkpoints"]
    for name in SCORES:
        assert results[name] == report["mean"][name] == pytest.approx(expected[f"test_{name}"])
    assert report["std"] is None and report["split"] == "test"
    assert results["signature"] == expected["test_signature"]
    assert results["clips"] == 2 and len(results["chrf_interval"]) == 2
    rows = read_csv(folder / "predictions.csv")
    assert list(rows[0]) == ["video_id", "prediction", "reference", "score"]
    times = read_csv(folder / "latency.csv")
    assert [row["video_id"] for row in times] == SPLITS["test"] and float(times[0]["latency_ms"]) > 0
    run_rows = read_csv(trained.folder / "test_predictions.csv")
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in run_rows]
    assert f"results in {folder}" in log


def test_seen_and_unseen_sentences_are_scored_apart(evaluated):
    # clip7 has the sentence of the training clip vid1_foo
    (results,) = read_json(evaluated[0] / "report.json")["checkpoints"]
    assert results["seen_clips"] == results["unseen_clips"] == 1
    assert {"seen_wer", "unseen_bleu"} <= set(results)


def test_ablation_scores_every_blanked_stream(evaluated):
    table = read_json(evaluated[0] / "report.json")["checkpoints"][0]["ablation"]
    streams = ("face", "left_hand", "right_hand", "pose")
    cases = {f"{word} {stream}" for word in ("without", "only") for stream in streams}
    assert set(table) == {"all streams", "without images", *cases}
    assert all(np.isfinite(row[name]) for row in table.values() for name in SCORES)
    assert "without images" in evaluated[2]


def test_a_checkpoint_of_the_run_can_be_evaluated(trained, evaluated, tmp_path):
    _, flags, _ = evaluated
    best = "checkpoint-4" if (trained.folder / "checkpoint-4").exists() else "checkpoint-2"
    flags = ["--checkpoint", trained.folder / best, *[f for f in flags[2:] if f != "--ablate-streams"]]
    run_main("eval_slt", [*flags, "--output-dir", tmp_path])
    assert read_json(tmp_path / "report.json")["checkpoints"][0]["clips"] == 2


def refused(capsys, script, argv):
    with pytest.raises(SystemExit) as exit_info:
        run_main(script, argv)
    assert exit_info.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("split", ["train", "validation"])
def test_clips_of_the_training_run_are_not_evaluated(trained, corpus, tmp_path, capsys, split):
    flags = ["--checkpoint", trained.folder, *data_flags(corpus), "--index", corpus.indexes[split], "--num-workers", 0]
    error = refused(capsys, "eval_slt", [*flags, "--output-dir", tmp_path])
    assert f"found:    it is in the {split} split" in error and SPLITS[split][0] in error
    assert [path.name for path in tmp_path.iterdir()] == ["contract_report.json"]
    run_main("eval_slt", [*flags, "--output-dir", tmp_path, "--allow-overlap", "--resamples", "0"])
    (results,) = read_json(tmp_path / "report.json")["checkpoints"]
    assert results["clips"] == len(SPLITS[split]) and "bleu_interval" not in results


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("--checkpoint", "expected --checkpoint FOLDER of a trained model, or --onnx of an export, found none"),
        ("--index", "expected --index FILE with the video_ids to evaluate, found none"),
        ("--face-dir", r"expected a folder for each stream that the model reads, found none: give --face-dir"),
    ],
)
def test_what_an_evaluation_needs(trained, corpus, tmp_path, capsys, drop, message):
    flags = ["--checkpoint", trained.folder, *data_flags(corpus), "--index", corpus.indexes["test"]]
    at = flags.index(drop)
    assert message in refused(capsys, "eval_slt", flags[:at] + flags[at + 2 :])
    error = refused(capsys, "eval_slt", ["--checkpoint", tmp_path, *flags[2:]])
    assert f"found no config.json in {tmp_path}" in error


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "a trained model in --checkpoint .*does not load"),
        ("model.safetensors", "a trained model in --checkpoint .*does not load"),
        ("tokenizer.json", "a processor beside the model .*does not load"),
        ("splits.json", r"a JSON object beside the model, found .*splits\.json"),
        ("run_config.json", r"a JSON object beside the model, found .*run_config\.json"),
    ],
)
def test_a_damaged_checkpoint(trained, corpus, tmp_path, capsys, name, message):
    shutil.copytree(trained.folder, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint-*"))
    (tmp_path / "run" / name).write_text("{")
    flags = ["--checkpoint", tmp_path / "run", *data_flags(corpus), "--index", corpus.indexes["test"]]
    assert re.search(f"ConfigurationError: expected {message}", refused(capsys, "eval_slt", flags))


def test_a_checkpoint_without_some_of_its_weights(trained, corpus, tmp_path, capsys):
    shutil.copytree(trained.folder, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint-*"))
    weights = load_file(trained.folder / "model.safetensors")
    del weights["encoder.fusion.weight"]
    save_file(weights, tmp_path / "run" / "model.safetensors", metadata={"format": "pt"})
    flags = ["--checkpoint", tmp_path / "run", *data_flags(corpus), "--index", corpus.indexes["test"]]
    assert "without 1 of its weights: ['encoder.fusion.weight']" in refused(capsys, "eval_slt", flags)


@pytest.mark.parametrize("variant", VARIANTS)
def test_train_and_test_on_every_form_of_files(tmp_path, variant):
    paths = write_corpus(tmp_path / "corpus", variant=variant)
    flags = [*data_flags(paths, SPLITS), *TINY, "--max_steps", 1, "--eval_strategy", "no", "--save_strategy", "no"]
    run_main("train_slt", [*flags, "--load_best_model_at_end", "false", "--output_dir", tmp_path / "run"])
    assert np.isfinite(read_json(tmp_path / "run" / "test_results.json")["test_loss"])
    assert read_json(tmp_path / "run" / "contract_report.json")["splits"]["test"]["frames"] == 6


def test_best_model_by_a_generated_score_and_every_augmentation(corpus, tmp_path):
    extra = (
        "--metric_for_best_model eval_wer --augment-flip 0.5 --augment-stream-dropout 0.3 --mix-stream hand-left:0.5"
    )
    flags = [*data_flags(corpus, ("train", "validation")), *TRAINED, *extra.split(), "--label-smoothing", "0.1"]
    run_main("train_slt", [*flags, "--output_dir", tmp_path])
    state = read_json(tmp_path / "trainer_state.json")
    assert state["best_metric"] == min(row["eval_wer"] for row in state["log_history"] if "eval_wer" in row)
    assert not (tmp_path / "test_results.json").exists()


def test_validation_script_reports_a_sound_corpus(corpus, tmp_path):
    flags = [*data_flags(corpus, SPLITS), "--report", tmp_path / "report.json"]
    done = run_process(sys.executable, ROOT / "scripts/validate_data.py", *flags)
    assert "train: 4 clips, 24 frames; frames missing: face 0, left_hand 2" in done.stderr
    assert read_json(tmp_path / "report.json")["ok"] is True


def test_validation_script_refuses_a_broken_corpus(tmp_path, capsys):
    paths = write_corpus(tmp_path / "corpus")
    (paths.pose_dir / "vid1.npz").write_bytes(b"no archive")
    error = refused(capsys, "validate_data", [*data_flags(paths, SPLITS), "--report", tmp_path / "report.json"])
    assert "the data set breaks the data contract: 1 problem" in error and "vid1.npz" in error
    report = read_json(tmp_path / "report.json")
    assert (report["ok"], report["num_problems"]) == (False, 1)


@pytest.mark.parametrize("flags", [["--demo"], ["--demo=true"], ["--config", "demo.yaml"]])
def test_the_demo_has_its_own_settings_however_it_is_asked_for(tmp_path, monkeypatch, flags):
    chosen = {}

    def remember(*arguments):
        chosen.update(arguments[-1])

    monkeypatch.setattr("hf_slt.training.train_slt.run_train_slt", remember)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.yaml").write_text("demo: true\n")
    run_main("train_slt", [*flags, "--d-model", "64", "--output_dir", tmp_path / "run"])
    assert chosen["demo"] and chosen["image_size"] == 32 and chosen["d_model"] == 64
    run_main("train_slt", ["--demo", "false", "--output_dir", tmp_path / "run"])
    assert chosen["image_size"] is None
