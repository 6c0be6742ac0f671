"""Bad clips, labels and flags of gloss runs: exit code 2, all of it listed, nothing written but the report."""

import json
import re
import shutil

import numpy as np
import pytest
from gloss_factories import write_gloss_clip, write_gloss_corpus, write_names
from gloss_runs import TINY, data_flags
from script_runs import run_main


def spoil(corpus, **arrays):
    """Write other arrays in place of those of a training clip."""
    np.savez(corpus.folders["train"] / "g0_0.npz", **arrays)


def points(frames=6, width=156):
    return np.random.default_rng(0).uniform(0.2, 0.8, (frames, width)).astype(np.float32)


def with_nan():
    values = points()
    values[2, 3] = np.nan
    return values


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def edit_labels(corpus, old, new):
    edit(corpus.labels["train"], old, new)


# name -> what is done to a sound corpus, and what the message must say
CASES = {
    "missing folder": (
        lambda c: shutil.rmtree(c.folders["train"]),
        r"train\n +expected: a folder of \.npz clips\n +found: +no such folder",
    ),
    "missing labels": (lambda c: c.labels["train"].unlink(), r"train\.csv\n.*\n +found: +No such file or directory"),
    "missing column": (
        lambda c: edit_labels(c, "gloss", "sign"),
        r"expected: the columns file, gloss .*\n +found: +the columns \['file', 'sign'",
    ),
    "missing key": (
        lambda c: spoil(c, keypoints=points()),
        r"g0_0\.npz\n +expected: an array under the key 'X'\n +found: +the keys \['keypoi",
    ),
    "key of features": (lambda c: spoil(c, X2048=points()), r"under the key 'X'\n +found: +the keys \['X2048'\]"),
    "wrong width": (lambda c: spoil(c, X=points(width=150)), r"g0_0\.npz.*\n +expected: .*156 .*\n +found: +.*150"),
    "empty clip": (
        lambda c: spoil(c, X=points(frames=0)),
        r"g0_0\.npz.*\n +expected: at least one frame\n +found: +an empty",
    ),
    "NaN": (
        lambda c: spoil(c, X=with_nan(), mask=np.ones((6, 78))),
        r"found: +1 NaN or infinite numbers in 1 frames, first in frame 2",
    ),
    "nothing detected": (
        lambda c: spoil(c, X=np.zeros((6, 156))),
        r"g0_0\.npz.*\n +expected: at least one detected point",
    ),
    "mask of another shape": (
        lambda c: spoil(c, X=points(), mask=np.ones((5, 78))),
        r"expected: a mask of shape \(6, 78\)",
    ),
    "unreadable": (
        lambda c: (c.folders["train"] / "g0_0.npz").write_bytes(b"no archive"),
        r"g0_0\.npz\n +expected: a readable",
    ),
    "pickled": (lambda c: spoil(c, X=np.array([{}], dtype=object)), r"g0_0\.npz.*\n.*\n +found: +pickled Python obj"),
    "gloss out of range": (
        lambda c: edit_labels(c, "g0_0.npz,0,", "g0_0.npz,9,"),
        r"line 2.*\n +expected: a gloss from 0 to 3\n +found: +9, out of range",
    ),
    "category out of range": (
        lambda c: edit_labels(c, "g0_0.npz,0,0", "g0_0.npz,0,5"),
        r"line 2.*\n +expected: a cat from 0 to 1\n +found: +5, out of range",
    ),
    "unknown name": (
        lambda c: edit_labels(c, "g0_0.npz,0,", "g0_0.npz,SIGN 9,"),
        r"line 2.*\n +expected: a gloss out of the 4 names.*\n +found: +'SIGN 9'",
    ),
    "names that are no table": (
        lambda c: write_names(c.gloss_names, ["A", "A", "B", "C"]),
        r"glosses\.csv, line 3\n.*\n +found: +'A' again",
    ),
    "file without label": (
        lambda c: write_gloss_clip(c.folders["train"] / "new.npz", points(), np.ones((6, 78), bool)),
        r"new\.npz\n +expected: a row in .*train\.csv\n +found: +a file without a label",
    ),
    "label without file": (
        lambda c: (c.folders["train"] / "g0_0.npz").unlink(),
        r"train\.csv, line 2\n +expected: a file 'g0_0\.npz' in .*\n +found: +no such file",
    ),
    "duplicated file": (
        lambda c: c.labels["train"].open("a").write("g0_0,1,1,S0\n"),
        r"line 18.*\n +expected: each file once\n +found: +'g0_0' again, first in line 2",
    ),
    "clip of two splits": (
        lambda c: shutil.copy(c.folders["train"] / "g0_0.npz", c.folders["validation"] / "g0_4.npz"),
        r"same content: .*g0_0.*g0_4.*\n +expected: each clip in one split",
    ),
    "path that leaves the folder": (lambda c: edit_labels(c, "g0_0.npz", "../g0_0.npz"), r"\.\./g0_0"),
    "not UTF-8": (
        lambda c: c.labels["train"].write_bytes(c.labels["train"].read_bytes().replace(b",S0", b",S\xe9")),
        r"train\.csv\n +expected: .*utf-8",
    ),
}


def refused(argv, capsys):
    with pytest.raises(SystemExit) as exit_info:
        run_main("train_gloss", argv)
    assert exit_info.value.code == 2
    return capsys.readouterr().err


def flags_of(corpus, folder, *more):
    return [*data_flags(corpus), *TINY, *more, "--output_dir", folder]


@pytest.mark.parametrize("name", CASES)
def test_bad_corpus(tmp_path, capsys, name):
    break_it, message = CASES[name]
    corpus = write_gloss_corpus(tmp_path / "corpus")
    break_it(corpus)
    error = refused(flags_of(corpus, tmp_path / "run"), capsys)
    assert "DataContractError: the data set breaks the data contract: " in error
    assert re.search(message, error), error
    assert "Traceback" not in error and str(tmp_path / "run" / "contract_report.json") in error
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["contract_report.json"]
    report = json.loads((tmp_path / "run" / "contract_report.json").read_text(encoding="utf-8"))
    assert report["ok"] is False and report["num_problems"] == len(report["problems"]) == error.count("expected:")
    assert all(problem["where"] and problem["found"] and problem["fix"] for problem in report["problems"])


def test_a_label_that_is_no_number_needs_a_table_of_names(tmp_path, capsys):
    corpus = write_gloss_corpus(tmp_path / "corpus")
    edit_labels(corpus, "g0_0.npz,0,", "g0_0.npz,HELLO,")
    flags = [*data_flags(corpus, names=False), *TINY, "--output_dir", tmp_path / "run"]
    assert re.search(r"a whole number as gloss: there is no table of names\n +found: +'HELLO'", refused(flags, capsys))


def test_all_problems_are_listed_at_once(tmp_path, capsys):
    corpus = write_gloss_corpus(tmp_path / "corpus")
    spoil(corpus, keypoints=points())
    (corpus.folders["test"] / "g1_5.npz").write_bytes(b"")
    edit(corpus.labels["validation"], "g2_4.npz,2,", "g2_4.npz,7,")
    write_gloss_clip(corpus.folders["test"] / "new.npz", points(), np.ones((6, 78), bool))
    error = refused(flags_of(corpus, tmp_path / "run"), capsys)
    assert ": 4 problems" in error
    assert all(part in error for part in ("g0_0.npz", "g1_5.npz", "7, out of range", "a file without a label"))


def test_files_without_a_label_can_be_allowed(tmp_path, caplog):
    corpus = write_gloss_corpus(tmp_path / "corpus")
    write_gloss_clip(corpus.folders["train"] / "new.npz", points(), np.ones((6, 78), bool))
    flags = flags_of(corpus, tmp_path / "run", "--allow-unlabelled-files", "--max_steps", 1)
    run_main("train_gloss", flags)
    report = json.loads((tmp_path / "run" / "contract_report.json").read_text(encoding="utf-8"))
    assert report["ok"] and list(report["unlabelled"].values()) == [1]
    assert "1 files of" in caplog.text


def test_a_shared_signer_is_a_warning(tmp_path, caplog):
    corpus = write_gloss_corpus(tmp_path / "corpus", signers=1, clips_per_gloss=3)
    run_main("train_gloss", flags_of(corpus, tmp_path / "run", "--max_steps", 1))
    assert "train and validation share the signers S0" in caplog.text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num-heads", "3"], "hidden_size to be a multiple of num_attention_heads, found 16 and 3"),
        (["--hidden1", "8"], "expected flags of --model transformer, found --hidden1, which it does not have"),
        (["--model", "lstm"], "expected --model out of"),
        (["--pooling", "last"], "found 'last'"),
        (["--augment-flip", "2"], "flip in [0, 1], found 2.0"),
        (["--layout", "openpose"], "found 'openpose'"),
        (["--layout", "mediapipe_pose"], "expected 33 landmarks for the pose layout 'mediapipe_pose', found 78"),
        (["--num-landmarks", "5"], "names left and right to mirror clips, found 'points_5'"),
        (["--normalization", "hips"], "found 'hips'"),
        (
            ["--scheduler", "cosin"],
            "ConfigurationError: expected a --scheduler that there is, found 'cosin'; did you mean 'cosine'",
        ),
        (["--metric_for_best_model", "eval_bleu"], "found 'eval_bleu'"),
        (["--resume"], "to --resume from, found none"),
        (["--resume", "nowhere"], "to --resume from, found none in 'nowhere'"),
        (["--resume", "/"], "expected a checkpoint-N folder in / to --resume from, found none"),
        (["--prefetch-factor", "2"], "expected --num-workers of 1 or more with --prefetch-factor 2, found 0"),
        (["--epochs", "many"], "invalid float value: 'many'"),
        (["--features-train", "D"], "expected --keypoints-train or --features-train"),
        (["--batch-size", "0", "--lr", "nan"], "--per-device-train-batch-size of 1 or more, found 0"),
        (["--alpha", "0", "--beta", "0"], "expected --alpha or --beta above 0"),
        (["--num-gloss", "3"], "expected: 3 names, as --num-gloss says"),
        (["--smoke-test"], "expected --smoke-test or the flags of a corpus, found --smoke-test and --keypoints-train"),
        (["--keypoint-train", "D"], "unknown arguments: '--keypoint-train'"),
        (["--focal-gamma", "-1"], "expected --focal-gamma of 0 or more, found -1"),
    ],
)
def test_flags_that_cannot_work(tmp_path, capsys, flags, message):
    corpus = write_gloss_corpus(tmp_path / "corpus", clips_per_gloss=3)
    error = refused([*flags_of(corpus, tmp_path / "run"), *flags], capsys)
    assert message in error and "Traceback" not in error
    assert {path.name for path in (tmp_path / "run").rglob("*")} <= {"contract_report.json"}


def test_a_checkpoint_of_another_model_is_not_resumed(tmp_path, capsys):
    corpus = write_gloss_corpus(tmp_path / "corpus", clips_per_gloss=3)
    flags = flags_of(corpus, tmp_path / "run", "--epochs", 1)
    run_main("train_gloss", flags)
    error = refused([*flags, "--resume", "--intermediate-size", "24"], capsys)
    assert "intermediate_size was 16, is 24" in error


def test_what_a_run_needs(tmp_path, capsys):
    corpus = write_gloss_corpus(tmp_path / "corpus", clips_per_gloss=3)
    folder = ["--output_dir", tmp_path / "run"]
    error = refused([*data_flags(corpus, ["train"]), *TINY, *folder], capsys)
    assert "expected --labels-val-csv" in error and "--eval_strategy no" in error
    assert "expected --labels-train-csv and --keypoints-train" in refused(
        [*data_flags(corpus, ["validation"]), *TINY, *folder], capsys
    )
    assert "expected --output_dir FOLDER for the run, found none" in refused([*data_flags(corpus), *TINY], capsys)
    (tmp_path / "file").write_text("not a folder")
    error = refused([*data_flags(corpus), *TINY, "--output_dir", tmp_path / "file" / "run"], capsys)
    assert "expected to write to --output_dir" in error
    assert not (tmp_path / "run").exists()
