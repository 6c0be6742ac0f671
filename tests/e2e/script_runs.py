"""Scripts, run as a person runs them, with settings that take a second."""

import csv
import importlib.util
import json
import os
import subprocess
from pathlib import Path

from factories import CLIPS

from hf_slt.cli import run_script

ROOT = Path(__file__).parents[2]
# Two processes on the CPU; `--cpu --num_processes 2` would run one.
LAUNCH = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no"
LAUNCH += " --dynamo_backend no --main_process_port 0"  # any port that is free
TINY = (
    "--image-size 16 --projector-dim 8 --d-model 16 --pose-hidden-size 8 --temporal-layers 1 --temporal-heads 2 "
    "--temporal-dim-feedforward 16 --backbone-hidden-size 16 --backbone-layers 1 --decoder-layers 1 --decoder-heads 2 "
    "--vocab-size 70 --max-target-length 12 --num-workers 0 --use_cpu --disable_tqdm true"
).split()
TRAINED = [*TINY, "--epochs", "2", "--batch-size", "2", "--num-beams", "2", "--augment-frame-dropout", "0.2"]
SPLITS = {"train": ["001", "vid1_foo", "clip5", "clip6"], "validation": ["vid10"], "test": ["vid1", "clip7"]}
SENTENCES = {**CLIPS, "clip5": "El niño come.", "clip6": "La casa está grande.", "clip7": "Él come pan."}
FLAGS = {"train": "--train-index", "validation": "--val-index", "test": "--test-index"}


def data_flags(paths, splits=()):
    """Return the flags of a corpus: its folders and metadata, and the indexes of some splits."""
    flags = ["--face-dir", paths.face_dir, "--hand-left-dir", paths.left_hand_dir, "--hand-right-dir"]
    flags += [paths.right_hand_dir, "--pose-dir", paths.pose_dir, "--metadata-csv", paths.metadata_csv]
    named = [part for pair in zip(flags[::2], flags[1::2], strict=True) if pair[1] is not None for part in pair]
    return [str(part) for part in (*named, *(p for s in splits for p in (FLAGS[s], paths.indexes[s])))]


def run_main(script, argv):
    """Run a script's `main` in this process, as `run_script` does."""
    spec = importlib.util.spec_from_file_location(script, ROOT / "scripts" / f"{script}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    run_script(module.main, [str(part) for part in argv])


def run_process(*command):
    """Run a command in a process of its own; its output is shown if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
