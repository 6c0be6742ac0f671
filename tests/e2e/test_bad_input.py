"""Bad input of every kind: exit code 2, everything listed, nothing trained, nothing written but the report."""

import json
import re
import shutil

import numpy as np
import pytest
from factories import CLIPS, make_frames, make_pose, write_corpus, write_index, write_metadata
from script_runs import FLAGS, TINY, data_flags, run_main

from hf_slt.data.readers import write_frames_array
from hf_slt.data.tokenization import train_unigram_tokenizer

SPLITS = ("train", "validation", "test")


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def save_pose(paths, array, **others):
    np.savez(paths.pose_dir / "001.npz", pose=array, **others)


def pose_of(frames, landmarks=33):
    points, confidence = make_pose(frames, landmarks)
    return np.concatenate((points, confidence[..., None]), axis=-1)


def with_nan():
    pose = pose_of(6)
    pose[2, 3, 0] = np.nan
    return pose


def remove_frame_2(paths, streams):
    for stream in streams:
        (paths.folder(stream) / "001_f000002.jpg").unlink()


def rewrite_metadata(paths, encoding="utf-8", **texts):
    write_metadata(paths.metadata_csv, {**CLIPS, **texts})
    paths.metadata_csv.write_bytes(paths.metadata_csv.read_text(encoding="utf-8").encode(encoding))


def add_to_index(paths, split, *ids):
    known = paths.indexes[split].read_text(encoding="utf-8").split()[1:]
    write_index(paths.indexes[split], [*known, *ids])


def change_image_stream_to_npz(paths, frames):
    for path in paths.face_dir.glob("001_*"):
        path.unlink()
    write_frames_array(paths.face_dir / "001.npz", make_frames("face", range(frames)))


# name -> what is done to a sound corpus, and what the message must say
CASES = {
    "missing folder": (lambda p: shutil.rmtree(p.face_dir), r"the folder of the stream face\n +found: +No such file"),
    "missing metadata": (lambda p: p.metadata_csv.unlink(), r"meta\.csv\n.*\n +found: +No such file or directory"),
    "missing index": (lambda p: p.indexes["test"].unlink(), r"test\.csv\n.*\n +found: +No such file or directory"),
    "missing column": (
        lambda p: p.metadata_csv.write_text("video_id;gloss\n001;HOLA\n"),
        r"expected: a column .*text.*\n +found: +the columns \['video_id', 'gloss'\]",
    ),
    "missing key": (
        lambda p: np.savez(p.pose_dir / "001.npz", keypoints=pose_of(6)),
        r"001\.npz\n +expected: an array under the key 'pose'\n +found: +the keys \['keypoints'\]",
    ),
    "missing pose file": (lambda p: (p.pose_dir / "001.npz").unlink(), r"(?s)001.*expected: .*pose"),
    "truncated image": (
        lambda p: truncate(p.face_dir / "001_f000002.jpg"),
        r"001_f000002\.jpg\n +expected: a readable",
    ),
    "empty image": (
        lambda p: (p.face_dir / "001_f000002.jpg").write_bytes(b""),
        r"001_f000002\.jpg\n +expected: a readable",
    ),
    "truncated npz": (lambda p: truncate(p.pose_dir / "001.npz"), r"001\.npz\n +expected: a readable"),
    "pickled npz": (
        lambda p: save_pose(p, np.array([{}], dtype=object)),
        r"001\.npz.*\n.*\n +found: +pickled Python obj",
    ),
    "wrong rank": (lambda p: save_pose(p, np.zeros(6)), r"001\.npz.*\n +expected: shape .*\n +found: +shape \(6,\)"),
    "NaN": (
        lambda p: save_pose(p, with_nan()),
        r"found: +1 point.* with NaN or infinity, the first at frame 2, point 3",
    ),
    "other landmark count": (
        lambda p: save_pose(p, pose_of(6, 32)),
        r"expected: 33 landmarks.*\n +found: +32 landmarks",
    ),
    "empty clip": (lambda p: save_pose(p, np.zeros((0, 33, 3))), r"at least one frame\n +found: +an empty clip"),
    "streams of different length": (lambda p: save_pose(p, pose_of(4)), r"(?s)001.*expected: .*4"),
    "dense stream of different length": (lambda p: change_image_stream_to_npz(p, 5), r"(?s)001.*found: +.*5"),
    "gap": (lambda p: remove_frame_2(p, ("face", "left_hand", "right_hand")), r"(?s)001.*found: +.*2"),
    "duplicate id in an index": (
        lambda p: add_to_index(p, "train", "001"),
        r"train\.csv, line 4\n +expected: each id once\n +found: +'001' again",
    ),
    "duplicate id in the metadata": (
        lambda p: p.metadata_csv.write_text(
            p.metadata_csv.read_text(encoding="utf-8") + '001;"Otra."\n', encoding="utf-8"
        ),
        r"meta\.csv, line 6\n +expected: each id once\n +found: +'001' again",
    ),
    "id not in the metadata": (
        lambda p: add_to_index(p, "train", "vid99"),
        r"clip 'vid99'\n +expected: a row in .*meta\.csv",
    ),
    "id not on disk": (
        lambda p: (add_to_index(p, "train", "vid99"), rewrite_metadata(p, vid99="Hola.")),
        r"(?s)vid99.*expected: .*face",
    ),
    "id in two splits": (
        lambda p: add_to_index(p, "test", "001"),
        r"clip '001'\n +expected: each clip in one split\n.*train",
    ),
    "id that leaves the folder": (lambda p: add_to_index(p, "train", "../x"), r"\.\./x"),
    "not UTF-8": (
        lambda p: rewrite_metadata(p, "latin-1"),
        r"meta\.csv\n +expected: .*utf-8.*\n.*\n +fix: +.*encoding",
    ),
    "empty text": (lambda p: rewrite_metadata(p, **{"001": " "}), r"(?s)001.*text"),
}


def refused(argv, capsys):
    with pytest.raises(SystemExit) as exit_info:
        run_main("train_slt", argv)
    assert exit_info.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name", CASES)
def test_bad_corpus(tmp_path, capsys, name):
    spoil, message = CASES[name]
    paths = write_corpus(tmp_path / "corpus")
    spoil(paths)
    before = sorted(tmp_path.rglob("*"))
    error = refused([*data_flags(paths, SPLITS), *TINY, "--output_dir", tmp_path / "run"], capsys)
    assert "DataContractError: the data set breaks the data contract: " in error
    assert re.search(message, error), error
    assert "Traceback" not in error and str(tmp_path / "run" / "contract_report.json") in error
    written = set(tmp_path.rglob("*")) - set(before)
    assert written == {tmp_path / "run", tmp_path / "run" / "contract_report.json"}
    report = json.loads((tmp_path / "run" / "contract_report.json").read_text(encoding="utf-8"))
    assert report["ok"] is False and report["num_problems"] == len(report["problems"]) == error.count("expected:")
    assert all(problem["where"] and problem["found"] and problem["fix"] for problem in report["problems"])


def test_all_problems_are_listed_at_once(tmp_path, capsys):
    paths = write_corpus(tmp_path / "corpus")
    for name in ("truncated image", "NaN", "id in two splits", "missing key"):
        CASES[name][0](paths)
    (paths.pose_dir / "vid10.npz").write_bytes(b"")
    error = refused([*data_flags(paths, SPLITS), *TINY, "--output_dir", tmp_path / "run"], capsys)
    assert ": 4 problems" in error
    assert all(part in error for part in ("001_f000002.jpg", "each clip in one split", "keypoints", "vid10.npz"))


@pytest.mark.parametrize("variant", ["video", "npz"])
def test_truncated_streams_of_other_kinds(tmp_path, capsys, variant):
    paths = write_corpus(tmp_path / "corpus", variant=variant)
    path = paths.face_dir / f"001.{'mp4' if variant == 'video' else 'npz'}"
    truncate(path)
    error = refused([*data_flags(paths, SPLITS), *TINY, "--output_dir", tmp_path / "run"], capsys)
    assert f"{path}\n    expected: a readable" in error


def test_text_that_the_tokenizer_cannot_hold(tmp_path, capsys):
    paths = write_corpus(tmp_path / "corpus")
    train_unigram_tokenizer([text.replace("ñ", "n") for text in CLIPS.values()]).save_pretrained(tmp_path / "tokenizer")
    flags = [*data_flags(paths, SPLITS), *TINY, "--tokenizer", tmp_path / "tokenizer", "--output_dir", tmp_path / "run"]
    error = refused(flags, capsys)
    assert "TokenizerRoundTripError: the tokenizer cannot hold the text: 1 problem" in error
    assert "character 'ñ' (U+00F1" in error
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["contract_report.json"]


def test_invalid_clips_can_be_skipped_and_are_counted(tmp_path):
    paths = write_corpus(tmp_path / "corpus")
    truncate(paths.face_dir / "001_f000002.jpg")
    flags = [*data_flags(paths, SPLITS), *TINY, "--skip-invalid", "--max_steps", 1, "--output_dir", tmp_path / "run"]
    run_main("train_slt", flags)
    report = json.loads((tmp_path / "run" / "contract_report.json").read_text(encoding="utf-8"))
    assert (report["ok"], report["num_skipped"], report["skipped"]["train"]) == (True, 1, ["001"])
    splits = json.loads((tmp_path / "run" / "splits.json").read_text(encoding="utf-8"))
    assert splits["train"]["video_ids"] == ["vid1_foo"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--d-model", "16", "--temporal-heads", "3"], "d_model to be a multiple of temporal heads, found 16 and 3"),
        (["--image-size", "20"], "an image size that is a multiple of 8, found 20"),
        (["--mix-stream", "foot"], "expected --mix-stream STREAM[:P]"),
        (["--augment-flip", "2"], "a probability in [0, 1] for flip, found 2.0"),
        (["--pose-layout", "openpose"], "found 'openpose'"),
        (["--decoder-model", "nowhere"], "expected a tokenizer in --decoder-model"),
        (
            ["--lr_scheduler_type", "cosin"],
            "ConfigurationError: expected a --scheduler that there is, found 'cosin'; did you mean 'cosine'",
        ),
        (["--metric_for_best_model", "eval_blue"], "found 'eval_blue'"),
        (["--bleu-tokenize", "14a"], "14a"),
        (["--resume_from_checkpoint", "nowhere"], "to --resume from, found none in 'nowhere'"),
        (["--pose-landmarks", "75"], "75 landmarks"),
        (["--vocab-size", "5"], "raise it"),
        (["--epochs", "many"], "invalid float value: 'many'"),
        (["--demo"], "found --demo and --face-dir, --hand-left-dir"),
        (
            ["--sequence-length", "0", "--image-size", "0"],
            "expected --image-size of 1 or more, found 0; expected --seq",
        ),
        (["--temporal-dropout", "2"], "expected --temporal-dropout in [0, 1], found 2.0"),
        (["--batch-size", "0"], "expected --per-device-train-batch-size of 1 or more, found 0"),
        (["--num-beams", "0"], "expected --generation-num-beams of 1 or more, found 0"),
        (["--label-smoothing", "2"], "expected --label-smoothing-factor in [0, 1], found 2.0"),
        (["--learning-rate", "nan"], "expected --learning-rate of 0 or more, found nan"),
        (["--augment-rotation", "nan"], "expected rotation >= 0, found nan"),
        (["--length-penalty", "0.8"], "expected --num-beams of 2 or more with --length-penalty 0.8, found 1"),
        (["--predict_with_generate", "false"], "expected --remove_unused_columns false"),
        (["--remove_unused_columns", "true"], "expected --remove_unused_columns false"),
        (["--resume_from_checkpoint", "/"], "expected a checkpoint-N folder in / to --resume from, found none"),
    ],
)
def test_flags_that_cannot_work(tmp_path, capsys, flags, message):
    paths = write_corpus(tmp_path / "corpus")
    argv = [*data_flags(paths, SPLITS), *TINY, *flags, "--output_dir", tmp_path / "run"]
    error = refused(argv, capsys)
    assert message in error and "Traceback" not in error
    written = {path.name for path in (tmp_path / "run").rglob("*")}
    assert written <= {"contract_report.json"}


@pytest.mark.parametrize("script", ["train_slt", "validate_data"])
def test_a_place_that_cannot_be_written_to(tmp_path, capsys, script):
    paths = write_corpus(tmp_path / "corpus")
    (tmp_path / "file").write_text("not a folder")
    place = tmp_path / "file" / "run"
    flags = [*TINY, "--output_dir", place] if script == "train_slt" else ["--report", place / "report.json"]
    with pytest.raises(SystemExit) as exit_info:
        run_main(script, [*data_flags(paths, SPLITS), *flags])
    assert exit_info.value.code == 2
    assert re.search("ConfigurationError: expected to write .*file/run", capsys.readouterr().err)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_run_needs_its_splits_and_a_folder(tmp_path, capsys, split):
    paths = write_corpus(tmp_path / "corpus")
    others = [other for other in SPLITS if other != split]
    error = refused([*data_flags(paths, others), *TINY, "--output_dir", tmp_path / "run"], capsys)
    assert f"expected {FLAGS[split]} (or --demo), found none" in error and not (tmp_path / "run").exists()
    assert "expected --output_dir FOLDER for the run, found none" in refused(data_flags(paths, SPLITS), capsys)
