"""scripts/export_onnx.py: variants with their scores, and what it refuses before it starts."""

import pytest
from gloss_factories import write_gloss_corpus
from gloss_runs import train_in_a_process
from onnx_stack import skip_without_onnx
from script_runs import SPLITS, data_flags, read_json, run_main

skip_without_onnx()

VARIANTS = ["int8", "int8-static", "fp16", "bf16"]


def refused(capsys, argv):
    with pytest.raises(SystemExit) as exit_info:
        run_main("export_onnx", argv)
    assert exit_info.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def exported(trained, corpus, tmp_path_factory):
    """The export of the tiny run with all variants, calibrated on its training clips and scored on its test clips."""
    folder = tmp_path_factory.mktemp("variants") / "out"
    clips = ["--train-index", corpus.indexes["train"], "--test-index", corpus.indexes["test"]]
    flags = ["--checkpoint", trained.folder, "--output", folder, "--quantize", *VARIANTS]
    run_main("export_onnx", [*flags, *data_flags(corpus), *clips])
    return folder


def test_the_report_has_size_time_and_scores_of_every_variant(exported):
    report = read_json(exported / "export_report.json")["variants"]
    measured, variants = report["measured"], report["kinds"]
    assert list(variants) == ["fp32", *VARIANTS]
    assert (measured["frames"], measured["num_threads"], measured["rounds"]) == (64, 1, 7)
    assert measured["clips"]["scored"]["video_ids"] == SPLITS["test"]
    assert set(measured["clips"]["calibrated_on"]["video_ids"]) <= set(SPLITS["train"])
    for kind, found in variants.items():
        assert set(found["latency_ms"]) == set(found["ratio"]) == {"encoder", "generate"}
        assert found["metrics"]["clips"] == 2 and 0 <= found["metrics"]["bleu"] <= 100
        assert (found["points_lost"]["bleu"] == 0) or kind != "fp32"
        if kind != "fp32":
            assert found["bytes"] < variants["fp32"]["bytes"]
            assert set(found["files"]) == {path.name for path in (exported / kind).glob("*.onnx")}
            assert all(len(file["sha256"]) == 64 and file["opset"] for file in found["files"].values())
    assert variants["fp16"]["metrics"]["loss"] == pytest.approx(variants["fp32"]["metrics"]["loss"], abs=1e-2)
    assert variants["int8"]["metrics"]["loss"] != variants["fp32"]["metrics"]["loss"]


@pytest.mark.parametrize("kind", ["fp32", "int8"])
def test_the_scores_are_those_of_the_evaluation(exported, corpus, tmp_path, kind):
    folder = exported if kind == "fp32" else exported / kind
    flags = [*data_flags(corpus), "--index", corpus.indexes["test"], "--num-workers", 0, "--resamples", 10]
    run_main("eval_slt", ["--onnx", folder, *flags, "--output-dir", tmp_path])
    (scores,) = read_json(tmp_path / "report.json")["checkpoints"]
    metrics = read_json(exported / "export_report.json")["variants"]["kinds"][kind]["metrics"]
    for name in ("bleu", "bleu1", "chrf", "cer", "wer"):
        assert scores[name] == metrics[name], name
    assert scores["loss"] == pytest.approx(metrics["loss"], abs=1e-4)


def test_static_ranges_without_clips_are_refused_before_anything_is_written(trained, tmp_path, capsys):
    flags = ["--checkpoint", trained.folder, "--output", tmp_path / "out", "--quantize", "int8-static"]
    assert "--train-index FILE, or --demo" in refused(capsys, flags)
    assert list(tmp_path.iterdir()) == []


def test_scores_on_clips_of_the_training_are_refused(trained, corpus, tmp_path, capsys):
    flags = ["--checkpoint", trained.folder, "--output", tmp_path / "out", "--quantize", "int8", *data_flags(corpus)]
    flags += ["--test-index", corpus.indexes["train"]]
    assert "scores on known clips mean nothing (--allow-overlap to see them)" in refused(capsys, flags)
    assert not (tmp_path / "out").exists()
    run_main("export_onnx", [*flags, "--allow-overlap"])
    report = read_json(tmp_path / "out" / "export_report.json")["variants"]
    assert report["measured"]["clips"]["scored"]["video_ids"] == SPLITS["train"]


def test_held_out_clips_are_not_calibrated_on(trained, corpus, tmp_path, capsys):
    flags = ["--checkpoint", trained.folder, "--output", tmp_path / "out", "--quantize", "int8-static"]
    error = refused(capsys, [*flags, *data_flags(corpus), "--train-index", corpus.indexes["test"]])
    assert "it is in the test split" in error and "calibrate on clips of the training split" in error


def test_clips_of_another_kind_of_model_are_refused(trained, tmp_path, capsys):
    flags = ["--checkpoint", trained.folder, "--output", tmp_path / "out", "--quantize", "int8"]
    error = refused(capsys, [*flags, "--keypoints", tmp_path, "--labels-csv", "nowhere.csv"])
    assert "expected clips that a translation model reads, found --keypoints, --labels-csv" in error


def test_a_checkpoint_of_a_run_takes_the_processor_of_the_run(trained, tmp_path):
    (checkpoint,) = sorted(trained.folder.glob("checkpoint-*"))[-1:]
    run_main("export_onnx", ["--checkpoint", checkpoint, "--output", tmp_path / "out", "--part", "encoder"])
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model.onnx", "preprocessor_config.json", "run_config.json", "splits.json"} <= names


def test_bad_input(trained, tmp_path, capsys):
    out = ["--output", tmp_path / "out"]
    assert "found no config.json" in refused(capsys, ["--checkpoint", tmp_path, *out])
    flags = ["--checkpoint", trained.folder, *out]
    assert "--part full or encoder, found 'decoder'" in refused(capsys, [*flags, "--part", "decoder"])
    assert "found 'int4'" in refused(capsys, [*flags, "--quantize", "int4"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    assert "found content in" in refused(capsys, flags)
    assert "expected an earlier export to overwrite" in refused(capsys, [*flags, "--overwrite"])


def test_a_classifier_with_variants(tmp_path):
    corpus = write_gloss_corpus(tmp_path / "corpus")
    train_in_a_process(corpus, tmp_path / "run")
    flags = ["--checkpoint", tmp_path / "run", "--output", tmp_path / "out", "--quantize", "int8", "int8-static"]
    scored = ["--keypoints", corpus.folders["test"], "--labels-csv", corpus.labels["test"]]
    run_main("export_onnx", [*flags[:-1], *scored, "--torchscript", "--cache-dir", corpus.root / "cache"])
    report = read_json(tmp_path / "out" / "export_report.json")
    assert list(report["variants"]["kinds"]) == ["fp32", "int8"]
    assert set(report["variants"]["kinds"]["int8"]["points_lost"]) >= {"accuracy", "category_accuracy"}
    assert set(report["parity"]) == {"onnx", "torchscript"}
