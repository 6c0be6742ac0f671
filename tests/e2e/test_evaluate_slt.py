"""scripts/eval_slt.py over several checkpoints, with another tokenizer, another place for the predictions."""

import importlib.util
import re
import shutil
import sys

import pytest
from factories import write_index
from safetensors.torch import load_file, save_file
from script_runs import SENTENCES, SPLITS, data_flags, read_csv, read_json, run_main

import hf_slt
from hf_slt.data.tokenization import train_unigram_tokenizer
from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.abstention import OperatingPoint
from hf_slt.training import evaluation_outputs

TABLES = ["latency.csv", "metrics.json", "per_length.csv", "predictions.csv", "risk_coverage.csv"]
HAS_PLOTS = importlib.util.find_spec("matplotlib") is not None
PICTURES = ["attention.png", "length.png", "risk_coverage.png"] if HAS_PLOTS else []
FILES = [*TABLES, *PICTURES, "report.csv", "report.json"]


@pytest.fixture
def flags(corpus):
    """Flags of an evaluation on the test split, without its checkpoints."""
    return [*data_flags(corpus), "--index", corpus.indexes["test"], "--num-workers", 0, "--resamples", 10]


@pytest.fixture
def checkpoints(trained):
    return sorted(trained.folder.glob("checkpoint-*"))


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refused(capsys, argv):
    with pytest.raises(SystemExit) as exit_info:
        run_main("eval_slt", argv)
    assert exit_info.value.code == 2
    return capsys.readouterr().err


def test_several_checkpoints_and_then_one_in_the_same_folder(checkpoints, flags, tmp_path, caplog):
    first, second = checkpoints
    caplog.set_level("INFO")
    run_main("eval_slt", ["--checkpoint", first, second, *flags, "--output-dir", tmp_path])
    names = [f"run-{path.name}" for path in checkpoints]
    own = [f"{name}/{file}" for name in names for file in FILES]
    assert names_in(tmp_path) == sorted(["contract_report.json", "report.csv", "report.json", *own])
    report = read_json(tmp_path / "report.json")
    assert [(entry["name"], entry["path"]) for entry in report["checkpoints"]] == [
        (name, str(path)) for name, path in zip(names, checkpoints, strict=True)
    ]
    losses = [entry["loss"] for entry in report["checkpoints"]]
    assert losses[0] != losses[1] and report["mean"]["loss"] == pytest.approx(sum(losses) / 2)
    assert report["std"]["loss"] == pytest.approx(abs(losses[0] - losses[1]) / 2**0.5)
    rows = read_csv(tmp_path / "report.csv")
    assert [row["checkpoint"] for row in rows] == [*names, "mean", "std"]
    assert [float(row["loss"]) for row in rows[:2]] == losses
    assert read_json(tmp_path / names[1] / "report.json")["mean"]["loss"] == losses[1]
    assert f"{names[0]}, test (2 clips): BLEU-4" in caplog.text
    assert "mean ± standard deviation of 2 models: BLEU-4" in caplog.text

    run_main("eval_slt", ["--checkpoint", second, *flags, "--output-dir", tmp_path])
    assert names_in(tmp_path) == sorted(["contract_report.json", *FILES])
    alone = read_json(tmp_path / "report.json")
    assert alone["std"] is None and alone["mean"]["loss"] == pytest.approx(losses[1])
    assert [row["checkpoint"] for row in read_csv(tmp_path / "report.csv")] == [names[1]]


def test_every_problem_of_several_checkpoints_comes_before_the_first_is_scored(
    trained, checkpoints, corpus, flags, tmp_path, capsys
):
    damaged = shutil.copytree(trained.folder, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint-*"))
    (damaged / "model.safetensors").write_text("{")
    several = ["--checkpoint", trained.folder, "--checkpoint", damaged, *flags]
    error = refused(capsys, [*several, "--output-dir", tmp_path / "eval"])
    assert f"found '{damaged}', which does not load" in error and not (tmp_path / "eval").exists()
    assert "expected --output-dir FOLDER for the results of 2 models, found none" in refused(capsys, several)
    error = refused(capsys, [*several, "--output-dir", tmp_path, "--output-csv", "p.csv"])
    assert "expected one model with --output-csv, found 2" in error
    seen = ["--checkpoint", *checkpoints, *flags, "--index", corpus.indexes["validation"]]
    error = refused(capsys, [*seen, "--output-dir", tmp_path / "eval"])
    splits = re.findall(r"found: +it is in the validation split of (\S+)", error)
    assert splits == [f"run-{path.name}" for path in checkpoints]
    assert names_in(tmp_path / "eval") == ["contract_report.json"]


def test_predictions_in_another_file_with_the_tokenizer_of_another_folder(trained, flags, tmp_path):
    one = ["--checkpoint", trained.folder, *flags, "--precision", "bf16", "--device", "cpu"]
    run_main("eval_slt", [*one, "--output-dir", tmp_path / "eval"])
    shutil.copytree(trained.folder, tmp_path / "tokenizer", ignore=shutil.ignore_patterns("checkpoint-*", "model*"))
    extra = ["--tokenizer", tmp_path / "tokenizer", "--output-csv", tmp_path / "new" / "mine.csv"]
    run_main("eval_slt", [*one, *extra, "--output-dir", tmp_path / "eval"])
    assert names_in(tmp_path / "eval") == sorted(["contract_report.json", *FILES])
    rows = read_csv(tmp_path / "new" / "mine.csv")
    assert list(rows[0]) == ["video_id", "prediction", "reference", "latency_ms"] and float(rows[0]["latency_ms"]) > 0
    assert [row["video_id"] for row in rows] == SPLITS["test"]
    expected = read_csv(trained.folder / "test_predictions.csv")
    assert [row["reference"] for row in rows] == [row["reference"] for row in expected]
    settings = read_json(tmp_path / "eval" / "report.json")["settings"]
    assert (settings["precision"], settings["device"], settings["batch_size"]) == ("bfloat16", "cpu", 8)
    assert settings["tokenizer"] == str(tmp_path / "tokenizer")


def test_what_cannot_be_used_is_refused_at_once(trained, flags, tmp_path, capsys):
    one = ["--checkpoint", trained.folder, *flags, "--output-dir", tmp_path / "eval"]
    train_unigram_tokenizer(["abc"], vocab_size=9).save_pretrained(tmp_path / "small")
    error = refused(capsys, [*one, "--tokenizer", tmp_path / "small"])
    assert re.search(r"DimensionMismatchError: expected .* vocabulary of \d+ tokens .*, found one of \d in", error)
    error = refused(capsys, [*one, "--device", "tpu", "--precision", "fp8"])
    assert "expected --device auto, cpu or cuda, found 'tpu'; expected --precision fp32, amp or bf16, found" in error
    for flag in ("--output-csv", "--report"):
        assert f"{flag}, found the folder {tmp_path}" in refused(capsys, [*one, flag, tmp_path])
    (tmp_path / "file").write_text("")
    error = refused(capsys, [*one, "--output-csv", tmp_path / "file" / "p.csv"])
    assert f"found {tmp_path / 'file'}, which cannot be written to" in error
    assert not (tmp_path / "eval").exists()


def test_two_evaluations_differ_in_nothing_but_the_times(trained, flags, corpus, tmp_path):
    calibration = ["--abstain", 100, "--calibration-index", corpus.indexes["validation"]]
    for name in ("first", "second"):
        report = ["--report", tmp_path / name / "report.html", "--phoenix-legacy"]
        run_main(
            "eval_slt",
            ["--checkpoint", trained.folder, *flags, *calibration, *report, "--output-dir", tmp_path / name],
        )
    names = names_in(tmp_path / "first")
    assert names == names_in(tmp_path / "second") == sorted([*FILES, "contract_report.json", "report.html"])
    for name in names:
        same = (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
        assert same or name == "latency.csv", name
    assert str(tmp_path) not in (tmp_path / "first" / "metrics.json").read_text()
    legacy = read_json(tmp_path / "first" / "metrics.json")["phoenix_legacy"]
    low, high = legacy["wer_interval"]
    assert low <= legacy["wer"] <= high and "bleu4_interval" in legacy
    assert "As older papers on PHOENIX score" in (tmp_path / "first" / "report.html").read_text(encoding="utf-8")


def test_metrics_tell_what_they_came_from(trained, flags, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    knobs = "--num-beams 3 --length-penalty 0.5 --no-repeat-ngram-size 2 --max-new-tokens 5 --lowercase --language zh"
    run_main("eval_slt", ["--checkpoint", trained.folder, *flags, *knobs.split(), "--output-dir", tmp_path])
    assert "no pictures: matplotlib is not installed; run: pip install 'hf_slt[plots]'" in caplog.text
    assert names_in(tmp_path) == sorted(["contract_report.json", "report.csv", "report.json", *TABLES])
    metrics = read_json(tmp_path / "metrics.json")
    (entry,) = read_json(tmp_path / "report.json")["checkpoints"]
    for name in ("bleu", "chrf", "cer", "chrf_interval", "signature", "loss", "aurc"):
        assert metrics[name] == entry[name]
    assert "tok:zh" in metrics["signature"] and "case:lc" in metrics["signature"]
    expected = {
        "model": "run", "runtime": "torch", "task": "translation", "split": "test", "n": 2, "confidence": 0.95,
        "resamples": 10, "seed": 42, "tokenize": "zh", "lowercase": True, "language": "zh", "skipped_clips": 0,
        "overlap": {"video_ids": 0, "groups": None},
        "decoding": {"num_beams": 3, "length_penalty": 0.5, "no_repeat_ngram_size": 2, "max_new_tokens": 5},
    }  # fmt: skip
    assert {name: metrics[name] for name in expected} == expected
    assert metrics["selection"]["split"] == "validation" and metrics["selection"]["metric"] == "loss"
    assert metrics["settings"]["batch_size"] == 8 and metrics["versions"]["hf_slt"] == hf_slt.__version__
    assert metrics["seen"]["clips"] == metrics["unseen"]["clips"] == 1 and metrics["seen"]["bleu"] == entry["seen_bleu"]
    assert re.fullmatch("sha256:[0-9a-f]{64}", metrics["data_hash"]) and "abstention" not in metrics
    rows = read_csv(tmp_path / "predictions.csv")
    assert list(rows[0]) == ["video_id", "prediction", "reference", "score"]
    assert all(float(row["score"]) < 0 and re.fullmatch(r"-\d+\.\d{4}", row["score"]) for row in rows)
    curve = read_csv(tmp_path / "risk_coverage.csv")
    assert list(curve[0]) == ["coverage", "threshold", "risk"] and float(curve[-1]["coverage"]) == 1
    words = {row["words"]: row["clips"] for row in read_csv(tmp_path / "per_length.csv")}
    assert words == {"1-5": "2"}


def test_abstention_is_calibrated_on_other_clips(trained, corpus, flags, tmp_path, capsys):
    one = ["--checkpoint", trained.folder, *flags, "--output-dir", tmp_path / "eval"]
    calibration = ["--calibration-index", corpus.indexes["validation"]]
    run_main("eval_slt", [*one, "--abstain", 100, *calibration])
    metrics, rows = read_json(tmp_path / "eval" / "metrics.json"), read_csv(tmp_path / "eval" / "predictions.csv")
    found = metrics["abstention"]
    assert (found["calibration_split"], found["calibration_clips"], found["calibration_coverage"]) == (
        "validation", 1, 1.0,
    )  # fmt: skip
    answered = [float(row["score"]) >= found["threshold"] for row in rows]
    assert [row["abstained"] for row in rows] == [str(int(not is_answered)) for is_answered in answered]
    assert found["coverage"] == sum(answered) / 2 and (found["scores"] is None) == (not any(answered))
    earlier = {name: (tmp_path / "eval" / name).read_bytes() for name in FILES}
    error = refused(capsys, [*one, "--abstain", 100])
    assert "expected --calibration-index FILE with --abstain, the validation split of the run, found none" in error
    error = refused(capsys, [*one, "--abstain", 0, *calibration])
    assert "threshold reaches on the 1 calibration clips, found 0; the lowest is" in error
    error = refused(capsys, [*one, "--abstain", 5, "--calibration-index", corpus.indexes["test"]])
    assert "each clip in one split" in error and SPLITS["test"][0] in error
    for allowed in ([], ["--allow-overlap"]):
        error = refused(capsys, [*one, "--abstain", 5, "--calibration-index", corpus.indexes["train"], *allowed])
        assert "a threshold cannot be chosen on training clips" in error and "train split of run" in error
    assert earlier == {name: (tmp_path / "eval" / name).read_bytes() for name in FILES}, "a failure deletes nothing"


def test_a_failure_of_any_model_comes_before_the_files_of_an_earlier_evaluation_go(
    trained, checkpoints, corpus, flags, tmp_path, capsys, monkeypatch
):
    several = ["--checkpoint", *checkpoints, *flags, "--output-dir", tmp_path / "eval"]
    run_main("eval_slt", several)
    earlier = {name: (tmp_path / "eval" / name).read_bytes() for name in names_in(tmp_path / "eval")}
    calls = []

    def choose(scores, risks, target):
        calls.append(target)
        if len(calls) == 2:
            raise ConfigurationError("no threshold of the second model")
        return OperatingPoint(-1.0, 1.0, 0.0)

    monkeypatch.setattr(evaluation_outputs, "choose_threshold", choose)
    error = refused(capsys, [*several, "--abstain", 5, "--calibration-index", corpus.indexes["validation"]])
    assert "no threshold of the second model" in error and calls == [5, 5]
    damaged = shutil.copytree(trained.folder, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoint-*"))
    (damaged / "model.safetensors").write_text("{")
    one = [*flags, "--output-dir", tmp_path / "eval"]
    assert "which does not load" in refused(capsys, ["--checkpoint", damaged, *one])
    weights = load_file(trained.folder / "model.safetensors")
    save_file({name: w * float("nan") for name, w in weights.items()}, damaged / "model.safetensors", {"format": "pt"})
    error = refused(capsys, ["--checkpoint", damaged, *one])
    assert "expected finite numbers of run, found a loss of nan and no score of 2 of 2 clips" in error
    assert "expected --seed of 0 or more, found -3" in refused(capsys, [*several, "--seed", -3])
    assert earlier == {name: (tmp_path / "eval" / name).read_bytes() for name in names_in(tmp_path / "eval")}


def test_problems_of_model_tokenizer_and_places_are_named_at_once(trained, flags, tmp_path, capsys):
    argv = [*flags, "--checkpoint", tmp_path / "none", "--tokenizer", tmp_path / "nowhere", "--language", "zh"]
    argv += ["--output-dir", tmp_path / "eval", "--output-csv", tmp_path / "x.csv", "--report", tmp_path / "x.csv"]
    error = refused(capsys, argv)
    assert f"found no config.json in {tmp_path / 'none'}" in error
    assert re.search(f"expected a tokenizer in --tokenizer .*, found '{tmp_path / 'nowhere'}'", error)
    assert f"expected another file in --report, found {tmp_path / 'x.csv'}, which is that of --output-csv" in error
    assert not (tmp_path / "eval").exists()


@pytest.fixture
def recordings(corpus, tmp_path):
    """The flags of the corpus with signers and videos: the test clip vid1 is of the recording of clip5, in train."""
    texts = {**SENTENCES, "vid1": SENTENCES["clip5"]}
    videos = {"vid1": "v5", "clip5": "v5"}
    rows = [f'{i},"{text}",Ana,{videos.get(i, i)}' for i, text in texts.items()]
    (tmp_path / "meta.csv").write_text("\n".join(["video_id,text,signer,video", *rows]) + "\n", encoding="utf-8")
    return [*data_flags(corpus, SPLITS), "--metadata-csv", tmp_path / "meta.csv"]


def test_a_recording_in_two_splits_is_refused_in_training_and_evaluation(
    trained, recordings, corpus, tmp_path, capsys, caplog
):
    run = [*trained.flags, *recordings, "--output_dir", tmp_path / "run"]
    with pytest.raises(SystemExit):
        run_main("train_slt", run)
    same = "a clip of the same signer, sentence and video is in the train split"
    assert same in capsys.readouterr().err and not (tmp_path / "run" / "model.safetensors").exists()
    short = ["--max_steps", 1, "--eval_strategy", "no", "--save_strategy", "no", "--load_best_model_at_end", "false"]
    run_main("train_slt", [*run, *short, "--allow-overlap"])
    assert read_json(tmp_path / "run" / "run_config.json")["allow_overlap"] is True
    assert read_json(tmp_path / "run" / "test_results.json")["test_overlap"] == {"video_ids": 0, "groups": 1}
    at = recordings.index("--train-index")
    flags = ["--checkpoint", tmp_path / "run", *recordings[:at], *recordings[-2:], "--num-workers", 0]
    flags += ["--index", write_index(tmp_path / "other.csv", ["vid1", "clip7"]), "--resamples", 10]
    assert same in refused(capsys, [*flags, "--output-dir", tmp_path / "eval"])
    run_main("eval_slt", [*flags, "--output-dir", tmp_path / "eval", "--allow-overlap"])
    metrics = read_json(tmp_path / "eval" / "metrics.json")
    assert metrics["overlap"] == {"video_ids": 0, "groups": 1} and metrics["selection"]["split"] is None
    assert "1 of 2 clips are known from training or selection" in caplog.text
    (signer,) = read_csv(tmp_path / "eval" / "per_signer.csv")
    assert (signer["signer"], signer["clips"], signer["note"]) == ("Ana", "2", "fewer than 30 clips")
    assert [row["signer"] for row in read_csv(tmp_path / "eval" / "predictions.csv")] == ["Ana", "Ana"]
