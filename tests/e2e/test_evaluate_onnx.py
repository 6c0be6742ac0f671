"""Exports are scored as their checkpoints are: the same files, the same scores, the same predictions and errors."""

import shutil

import pytest
from gloss_factories import write_gloss_corpus
from gloss_runs import train_in_a_process
from onnx_stack import skip_without_onnx
from script_runs import data_flags, read_csv, read_json, run_main

skip_without_onnx()

OWN = {"name", "path", "runtime"}  # what a model does not share with its export


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The export of the tiny run, with a folder in it as a variant has: no record of the training run."""
    folder = tmp_path_factory.mktemp("exports") / "out"
    run_main("export_onnx", ["--checkpoint", trained.folder, "--output", folder])
    left_out = shutil.ignore_patterns("run_config.json", "splits.json", "export_report.json")
    shutil.copytree(folder, folder.parent / "int8", ignore=left_out)
    (folder.parent / "int8").rename(folder / "int8")
    return folder


@pytest.fixture
def flags(corpus):
    """Flags of an evaluation on the test split, without its models."""
    return [*data_flags(corpus), "--index", corpus.indexes["test"], "--num-workers", 0, "--resamples", 10]


def refused(capsys, script, argv):
    with pytest.raises(SystemExit) as exit_info:
        run_main(script, argv)
    assert exit_info.value.code == 2
    return capsys.readouterr().err


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_checkpoint_and_exports_side_by_side(trained, exported, flags, tmp_path):
    models = ["--onnx", exported, exported / "int8", "--checkpoint", trained.folder, "--num-threads", 1]
    run_main("eval_slt", [*models, *flags, "--ablate-streams", "--output-dir", tmp_path])
    report = read_json(tmp_path / "report.json")
    assert [(entry["name"], entry["runtime"]) for entry in report["checkpoints"]] == [
        ("run", "torch"), ("out", "onnxruntime"), ("int8", "onnxruntime"),
    ]  # fmt: skip
    assert [row["checkpoint"] for row in read_csv(tmp_path / "report.csv")] == ["run", "out", "int8"]
    expected, *others = report["checkpoints"]
    assert report["mean"]["bleu"] == expected["bleu"] and report["std"] is None  # one training
    assert expected["loss"] > 0 and len(expected["ablation"]) == 10
    assert len({row["cer"] for row in expected["ablation"].values()}) > 1
    trained_rows = read_csv(tmp_path / "run" / "predictions.csv")
    predictions = [(row["prediction"], row["reference"]) for row in trained_rows]
    for other in others:
        assert {k: v for k, v in other.items() if k not in OWN} == {k: v for k, v in expected.items() if k not in OWN}
        rows = read_csv(tmp_path / other["name"] / "predictions.csv")
        assert [(row["prediction"], row["reference"]) for row in rows] == predictions
        for row, expected_row in zip(rows, trained_rows, strict=True):
            assert float(row["score"]) == pytest.approx(float(expected_row["score"]), abs=2e-4)
    assert (report["settings"]["device"], report["settings"]["precision"]) == ("cpu", "fp32")


def test_results_are_in_the_export_itself_and_clips_of_the_training_are_refused(exported, corpus, flags, capsys):
    run_main("eval_slt", ["--onnx", exported, *flags])
    tables = ["latency.csv", "metrics.json", "per_length.csv", "predictions.csv", "risk_coverage.csv"]
    written = [name for name in files_in(exported / "eval_test") if not name.endswith(".png")]
    assert written == sorted([*tables, "contract_report.json", "report.csv", "report.json"])
    assert read_json(exported / "eval_test" / "metrics.json")["selection"]["split"] == "validation"
    for folder in (exported, exported / "int8"):
        error = refused(capsys, "eval_slt", ["--onnx", folder, *flags, "--index", corpus.indexes["train"]])
        assert "scores on known clips mean nothing" in error and "it is in the train split" in error


def test_every_export_that_cannot_be_scored_is_named(trained, exported, flags, tmp_path, capsys):
    encoder = shutil.copytree(exported, tmp_path / "encoder", ignore=shutil.ignore_patterns("decoder*", "int8"))
    damaged = shutil.copytree(exported, tmp_path / "damaged", ignore=shutil.ignore_patterns("int8"))
    (damaged / "encoder_model.onnx").write_bytes(b"no model")
    several = ["--onnx", exported, encoder, trained.folder, damaged, *flags, "--output-dir", tmp_path / "eval"]
    error = refused(capsys, "eval_slt", several)
    assert f"an encoder without its decoder in {encoder} (encoder_model.onnx); export the whole model" in error
    assert f"found no .onnx file in {trained.folder}" in error
    assert f"found '{damaged}', which does not load" in error
    error = refused(capsys, "eval_slt", ["--checkpoint", exported, *flags, "--output-dir", tmp_path / "eval"])
    assert f"found an export in {exported}; pass it as --onnx {exported}" in error
    assert not (tmp_path / "eval").exists()


@pytest.fixture(scope="module")
def gloss(tmp_path_factory):
    """A tiny gloss run: its corpus, its folder, and the folder of its export."""
    folder = tmp_path_factory.mktemp("gloss")
    corpus = write_gloss_corpus(folder / "corpus")
    train_in_a_process(corpus, folder / "run")
    run_main("export_onnx", ["--checkpoint", folder / "run", "--output", folder / "out"])
    return corpus, folder / "run", folder / "out"


def gloss_flags(corpus, split="test"):
    flags = ["--keypoints", corpus.folders[split], "--labels-csv", corpus.labels[split], "--resamples", 10]
    return [*flags, "--cache-dir", corpus.root / "cache"]


def test_a_classifier_and_its_export(gloss, tmp_path):
    corpus, run, out = gloss
    run_main("eval_gloss", ["--checkpoint", run, *gloss_flags(corpus), "--output-dir", tmp_path])
    run_main("eval_gloss", ["--onnx", out, *gloss_flags(corpus), "--num-threads", 1])
    results = out / "eval_test"
    assert files_in(results) == files_in(tmp_path)
    metrics = read_json(tmp_path / "metrics.json")
    exported_metrics = read_json(results / "metrics.json")
    assert (metrics.pop("model"), metrics.pop("runtime")) == ("run", "torch")
    assert (exported_metrics.pop("model"), exported_metrics.pop("runtime")) == ("out", "onnxruntime")
    assert metrics.pop("model_hash") != exported_metrics.pop("model_hash")  # of other files
    assert exported_metrics == metrics and metrics["clips"] == metrics["n"] == 4
    assert (results / "per_class.csv").read_text() == (tmp_path / "per_class.csv").read_text()
    for row, expected in zip(
        read_csv(results / "predictions.csv"), read_csv(tmp_path / "predictions.csv"), strict=True
    ):
        for name in ("confidence", "category_confidence"):
            assert float(row.pop(name)) == pytest.approx(float(expected.pop(name)), abs=2e-6)
        assert row == expected


def test_predictions_of_a_classifier_and_its_export(gloss, capsys):
    corpus, run, out = gloss
    clips = sorted(corpus.folders["test"].glob("*.npz"))
    said = []
    for model in (["--checkpoint", run], ["--onnx", out]):
        run_main("predict", [*model, *clips])
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] and said[0].count("SIGN") >= 2 * len(clips)


def test_one_classifier_that_is_a_classifier(gloss, exported, capsys):
    corpus, run, out = gloss
    flags = gloss_flags(corpus)
    error = refused(capsys, "eval_gloss", ["--onnx", out, "--checkpoint", run, *flags])
    assert f"expected --checkpoint or --onnx, found both: {run} and {out}" in error
    assert "or --onnx of an export, found none" in refused(capsys, "eval_gloss", flags)
    assert f"found no .onnx file in {run}" in refused(capsys, "eval_gloss", ["--onnx", run, *flags])
    assert f"found an export in {out}; pass it as --onnx" in refused(
        capsys, "eval_gloss", ["--checkpoint", out, *flags]
    )
    assert "pass it as --onnx" in refused(capsys, "predict", ["--checkpoint", out, "clip.npz"])
    error = refused(capsys, "eval_gloss", ["--onnx", exported, *flags])
    assert f"an exported gloss classifier in --onnx, found a model of type 'multistream_slt' in {exported}" in error
    error = refused(capsys, "eval_slt", ["--onnx", out, "--demo"])
    assert f"a translation model in --onnx, found a model of type 'sign_transformer' in {out}" in error
    seen = ["--onnx", out, *gloss_flags(corpus, "train")]
    assert "its content is clip 'g0_0' of the train split" in refused(capsys, "eval_gloss", seen)
