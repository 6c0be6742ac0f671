"""scripts/eval_slt.py over several checkpoints, with another tokenizer, another place for the predictions."""

import re
import shutil

import pytest
from script_runs import SPLITS, data_flags, read_csv, read_json, run_main

from hf_slt.data.tokenization import train_unigram_tokenizer


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
    files = ("predictions.csv", "report.csv", "report.json")
    own = [f"{name}/{file}" for name in names for file in files]
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
    assert names_in(tmp_path) == ["contract_report.json", *files]
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
    assert names_in(tmp_path / "eval") == ["contract_report.json", "report.csv", "report.json"]
    rows = read_csv(tmp_path / "new" / "mine.csv")
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
    assert f"--output-csv, found the folder {tmp_path}" in refused(capsys, [*one, "--output-csv", tmp_path])
    (tmp_path / "file").write_text("")
    error = refused(capsys, [*one, "--output-csv", tmp_path / "file" / "p.csv"])
    assert f"found {tmp_path / 'file'}, which cannot be written to" in error
    assert not (tmp_path / "eval").exists()
