"""A model knows the extractor of its training clips, and its evaluation holds other clips against it."""

import json

import numpy as np
import pytest
from factories import write_corpus
from gloss_factories import write_gloss_corpus
from gloss_runs import TINY as GLOSS
from gloss_runs import data_flags as gloss_flags
from script_runs import SENTENCES, SPLITS, TINY, data_flags, read_json, run_main

from hf_slt.data.gloss.clips import read_clip, write_clip
from hf_slt.data.pose_files import read_pose, write_pose

NEW, OLD = ({"extractor": "holistic", "extractor_version": version} for version in ("0.10", "0.9"))


def stamp_clips(folder, record):
    """Write a record into all clips of single signs of a folder."""
    for path in folder.glob("*.npz"):
        clip = read_clip(path)
        write_clip(path, clip.values, clip.mask, meta={"width": 640, "height": 480, "provenance": record})


def stamp_poses(folder, record, ids=None):
    """Write a record into the pose files of some clips."""
    for path in folder.glob("*.npz"):
        if ids is None or path.stem in ids:
            pose = read_pose(path)
            write_pose(path, pose.points, pose.confidence, norm=pose.norm, layout=pose.layout, provenance=record)


def test_a_gloss_run(tmp_path, caplog, capsys):
    corpus = write_gloss_corpus(tmp_path / "clips")
    stamp_clips(corpus.folders["train"], NEW)
    stamp_clips(corpus.folders["test"], OLD)
    run = tmp_path / "run"
    flags = [*gloss_flags(corpus, ("train", "validation")), *GLOSS, "--epochs", "1", "--output_dir", run]
    run_main("train_gloss", flags)
    assert read_json(run / "preprocessor_config.json")["extractor"] == "holistic 0.10"
    assert "extracted by holistic 0.10" in (run / "README.md").read_text(encoding="utf-8")
    evaluation = ["--checkpoint", run, "--keypoints", corpus.folders["test"], "--labels-csv", corpus.labels["test"]]
    evaluation += ["--resamples", "0", "--cache-dir", tmp_path / "cache"]
    caplog.clear()
    run_main("eval_gloss", evaluation)
    said = [record.message for record in caplog.records if "extractor holistic 0.10" in record.message]
    assert len(said) == 1 and "found holistic 0.9 (4 of 4 clips)" in said[0]
    with pytest.raises(SystemExit) as leaving:
        run_main("eval_gloss", [*evaluation, "--strict"])
    assert leaving.value.code == 2 and "found holistic 0.9 (4 of 4 clips); extract" in capsys.readouterr().err
    stamp_clips(corpus.folders["test"], NEW)
    run_main("eval_gloss", [*evaluation, "--strict"])


def test_a_translation_run(tmp_path, caplog, capsys):
    paths = write_corpus(tmp_path / "D", SENTENCES, SPLITS, streams=("pose",))
    stamp_poses(paths.pose_dir, NEW)
    stamp_poses(paths.pose_dir, OLD, [SPLITS["train"][0], SPLITS["test"][0]])
    run = tmp_path / "run"
    run_main("train_slt", [*data_flags(paths, ("train", "validation")), *TINY, "--epochs", "1", "--output_dir", run])
    assert any("holistic 0.10 (3 of 4 clips), holistic 0.9 (1 of 4" in record.message for record in caplog.records)
    settings = read_json(run / "preprocessor_config.json")
    assert (settings["extractor"], settings["pose_norm"]) == ("holistic 0.10, holistic 0.9", "signing_space_v1")
    assert "by holistic 0.10, holistic 0.9" in (run / "README.md").read_text(encoding="utf-8")
    index = ["--index", paths.indexes["test"], "--resamples", "0", "--num-workers", "0"]
    evaluation = ["--checkpoint", run, *data_flags(paths), *index]
    run_main("eval_slt", [*evaluation, "--strict"])
    settings["extractor"] = "holistic 0.10"
    (run / "preprocessor_config.json").write_text(json.dumps(settings))
    caplog.clear()
    run_main("eval_slt", evaluation)
    said = [record.message for record in caplog.records if "expected clips of the extractor" in record.message]
    assert len(said) == 1 and "found holistic 0.9 (1 of 2 clips)" in said[0]
    with pytest.raises(SystemExit) as leaving:
        run_main("eval_slt", [*evaluation, "--strict"])
    assert leaving.value.code == 2 and "found holistic 0.9 (1 of 2 clips)" in capsys.readouterr().err


def test_the_extractor_changes_nothing_else(tmp_path):
    weights = []
    for record in (None, NEW):
        corpus = write_gloss_corpus(tmp_path / "clips")
        if record:
            stamp_clips(corpus.folders["train"], record)
        run = tmp_path / f"run{len(weights)}"
        run_main("train_gloss", [*gloss_flags(corpus, ("train",)), *GLOSS, "--epochs", "1", "--eval_strategy", "no",
                                 "--output_dir", run])  # fmt: skip
        weights.append((run / "model.safetensors").read_bytes())
        assert read_json(run / "preprocessor_config.json")["extractor"] == (record and "holistic 0.10")
    assert weights[0] == weights[1] and len(np.frombuffer(weights[0], np.uint8)) > 1000
