"""What README shows runs: its commands and its Python, on tiny data, with flags behind them that make them short."""

import glob
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from factories import make_frames, make_pose, write_corpus
from gloss_factories import write_gloss_corpus, write_labels
from legacy_factories import (
    NaiveGRU,
    NaiveMultiStream,
    NaiveTransformer,
    randomized,
    write_gloss_checkpoint,
    write_multistream_checkpoint,
)
from onnx_stack import skip_without_onnx
from readme_blocks import read_blocks, read_commands, runnable_python, script_of, why_not_run
from script_runs import ROOT, SENTENCES, SPLITS, TINY, read_csv, run_main

from hf_slt.data.demo import write_demo_corpus

# What is put behind the flags of README; of two values of a flag the last one counts.
SHORT = {
    "train_slt": [*TINY, "--max-train-steps", 2, "--batch-size", 2, "--num-beams", 2],
    "train_gloss": ["--max-train-steps", 2, "--batch-size", 4, "--use_cpu", "--disable_tqdm", "true"],
    "eval_slt": ["--resamples", 20, "--num-workers", 0, "--num-beams", 2],
    "eval_gloss": ["--resamples", 20],
    "push_model": ["--dry-run"],
}
TRAINED = ("runs/mine", "runs/gloss", "runs/demo")
BASH = read_blocks("bash")
# The first screen's snippet and the decoder have tests of their own in test_readme.py.
SECTIONS = {b.section: None for b in read_blocks("python")[1:] if "class MyDecoder(" not in b.text}
SECTIONS = [section for section in SECTIONS if runnable_python(section)]


def marked(block):
    return pytest.param(block, marks=[pytest.mark.real_data] if "DOWNLOADED" in block.text else [], id=str(block))


def write_data(root):
    """Write the files that README speaks of: D with clips of both tasks, a clip, checkpoints of the older tools."""
    corpus = write_corpus(root / "D", SENTENCES, SPLITS)
    gloss = write_gloss_corpus(root / "D")
    for old in (corpus.indexes["validation"], gloss.labels["validation"], gloss.folders["validation"]):
        old.rename(old.with_name(old.name.replace("validation", "val")))
    rows = [row.values() for split in ("train", "val", "test") for row in read_csv(root / f"D/{split}.csv")]
    write_labels(root / "D/labels.csv", rows)
    shutil.copy(root / "D/test/g0_5.npz", root / "clip.npz")
    write_gloss_checkpoint(root / "SignTransformer_best.pt", randomized(NaiveTransformer("mean", inputs=156)))
    write_gloss_checkpoint(root / "InceptionV3GRU_best.pt", randomized(NaiveGRU()))
    write_multistream_checkpoint(root / "best.pt", randomized(NaiveMultiStream()))
    shutil.copy(ROOT / "model_cards/info_example.yml", root / "card.yml")
    write_outputs(root)
    write_landmarks(root)
    for name in ("scripts", "model_cards"):
        (root / name).symlink_to(ROOT / name)


def write_landmarks(root):
    """Write landmarks as other tools do: 543 points as an array, 133 as JSON."""
    rng = np.random.default_rng(0)
    for folder in ("poses", "mmpose"):
        (root / folder).mkdir()
    np.save(root / "poses/a.npy", rng.uniform(0.2, 0.8, (4, 543, 3)))
    person = {"keypoints": (rng.uniform(0.2, 0.8, (133, 2)) * (1280, 720)).tolist(), "keypoint_scores": [0.9] * 133}
    frames = [{"frame_id": number, "instances": [person]} for number in range(4)]
    (root / "mmpose/b.json").write_text(json.dumps({"instance_info": frames}), encoding="utf-8")


def write_outputs(root):
    """Write sentences of systems, as the scripts that score and compare read them."""
    rows = [("vid1", "Dónde está el niño", "Dónde está el niño"), ("clip7", "Él come", "Él come pan.")]
    columns = ("video_id", "prediction", "reference")
    tables = {
        "outputs.tsv": ("\t", columns),
        "outputs.csv": (",", ("video_id", "hyp", "ref")),
        "how2sign_unisign_output.tsv": ("\t", columns),
        "runs/baseline/eval_test/predictions.csv": (",", columns),
        "runs/mine/eval_test/predictions.csv": (",", columns),
    }
    for name, (separator, header) in tables.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        text = "".join(separator.join(row) + "\n" for row in (header, *rows))
        (root / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def trained_workspace(tmp_path_factory):
    """The data, and the runs that README's own commands train, in a folder that no test changes."""
    root = tmp_path_factory.mktemp("readme")
    write_data(root)
    write_demo_corpus(root / "demo", num_train=6, num_validation=2, num_test=3, show_progress=False)
    commands = [words for block in BASH for words in read_commands(block.text)]
    with pytest.MonkeyPatch.context() as patch:
        enter(patch, root)
        for folder in TRAINED:
            run(next(words for words in commands if words[:2] == ["accelerate", "launch"] and folder in words))
    shutil.copytree(root / "runs/demo", root / "runs/demo_seed1")
    return root


def enter(patch, root):
    patch.chdir(root)
    patch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # put back after the test
    patch.setenv("HF_SLT_CACHE", str(root / "cache"))
    patch.setattr("hf_slt.data.demo.cached_demo_corpus", lambda: root / "demo")


@pytest.fixture
def workspace(trained_workspace, tmp_path, monkeypatch):
    root = shutil.copytree(trained_workspace, tmp_path / "workspace", symlinks=True)
    enter(monkeypatch, root)
    return root


def run(words):
    if words[0] == "cp":
        shutil.copy(*words[1:])
        return
    script, flags = script_of(words)
    if script == "prepare_data":  # README writes to D as if it were new
        shutil.rmtree("D", ignore_errors=True)
    flags = [path for flag in flags for path in (sorted(glob.glob(flag)) if "*" in flag else [flag])]
    # A model of two steps is wrong everywhere: no risk below 100 % can be reached.
    short = [*SHORT.get(script, []), *(["--abstain", 100] if "--abstain" in flags else [])]
    run_main(script, [*flags, *short])
    for flag, value in itertools.pairwise(flags):
        assert Path(value).exists() or flag not in ("--output", "--output_dir"), f"{script} did not write {value}"


def runnable(block):
    return [words for words in read_commands(block.text) if why_not_run(words) is None]


@pytest.mark.parametrize("block", [marked(block) for block in BASH if runnable(block)])
def test_the_commands_run(block, workspace, request):
    commands = runnable(block)
    if any("onnx" in word for words in commands for word in words):
        skip_without_onnx()
    if "gloss_out" in block.text:
        run_main("export_onnx", ["--checkpoint", "runs/gloss", "--output", "gloss_out"])
    for words in commands:
        if "DOWNLOADED" in words:
            source = request.getfixturevalue("real_data_dir") / words[words.index("--source") + 1]
            (workspace / "DOWNLOADED").symlink_to(source.resolve())
        run(words)


def inputs_of_readme():
    """Return what the Python of README takes as given."""
    names = {"face": "face", "left": "left_hand", "right": "right_hand"}
    streams = {name: make_frames(stream, range(5)) for name, stream in names.items()}
    points, confidence = make_pose(5, 33)
    clip = np.load("clip.npz")
    pose = np.concatenate([points, confidence[..., None]], axis=-1)
    return {**streams, "pose": pose, "keypoints": clip["X"], "mask": clip["mask"]}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_python_runs(section, workspace, capsys):
    text = runnable_python(section)
    if "ORT" in text:
        skip_without_onnx()
        run_main("export_onnx", ["--checkpoint", "runs/mine", "--output", "out"])
        run_main("export_onnx", ["--checkpoint", "runs/gloss", "--output", "gloss_out"])
        capsys.readouterr()
    exec(text, inputs_of_readme())
    assert capsys.readouterr().out.strip() or "print(" not in text
