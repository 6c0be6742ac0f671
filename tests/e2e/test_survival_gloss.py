"""A gloss run that is stopped anywhere goes on exactly."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from gloss_factories import write_gloss_corpus
from gloss_runs import TINY, data_flags
from script_runs import ROOT, read_json, run_main
from survival import assert_same_run, run_killed

# 16 clips: 4 steps an epoch, 16 in all. Everything that is random is on, and workers read the clips.
STEPS = ["--save_strategy", "steps", "--save_steps", "2", "--eval_strategy", "steps", "--eval_steps", "2"]


def flags_of(corpus):
    tiny = TINY.index("--num-layers")
    sizes = [*TINY[:tiny], *TINY[tiny + 2 :], "--num-blocks", "1", "--conv-layers-per-block", "1"]
    random_parts = ["--augment-speed", "0.2", "--augment-noise", "0.01", "--late-dropout-start", "6"]
    run = ["--model", "conv_transformer", "--epochs", "4", "--batch-size", "4", "--lr", "0.01", "--num-workers", "2"]
    watching = ["--use-ema", "--ema-decay", "0.9", "--scheduler", "plateau", "--scheduler-patience", "0"]
    return [*data_flags(corpus), *sizes, *random_parts, *run, *watching, "--early-stop", "5", *STEPS]


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    return flags_of(write_gloss_corpus(tmp_path_factory.mktemp("corpus")))


@pytest.fixture(scope="module")
def expected(flags, tmp_path_factory):
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("expected") / "run"
    run_main("train_gloss", [*flags, "--output_dir", folder])
    return folder


def moments():
    """Three random steps of each way to be killed; the seed is fixed so that a failure can be repeated."""
    steps = random.Random(4).sample(range(3, 17), 3)
    return [("on_step_begin", step) for step in steps] + [("on_prediction_step", 3), ("save", 5)]


@pytest.mark.parametrize(("event", "count"), moments())
def test_killed_and_resumed_ends_like_never_stopped(flags, expected, tmp_path, event, count):
    folder = tmp_path / "run"
    killed = run_killed("train_gloss", [*flags, "--output_dir", folder], event, count)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert not (folder / "model.safetensors").exists()
    run_main("train_gloss", [*flags, "--output_dir", folder, "--resume"])
    last = sorted(expected.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))[-1].name
    assert_same_run(folder, expected, last)


@pytest.mark.parametrize(("event", "count"), [("on_step_end", 7), ("on_prediction_step", 4)])
def test_sigterm_saves_and_says_how_to_go_on(flags, expected, tmp_path, event, count):
    folder = tmp_path / "run"
    stopped = run_killed("train_gloss", [*flags, "--output_dir", folder], event, count, signal.SIGTERM)
    assert stopped.returncode == 143, stopped.stderr[-2000:]
    assert "the same command with --resume goes on" in stopped.stderr and "Traceback" not in stopped.stderr
    step = max(int(path.name[11:]) for path in folder.glob("checkpoint-*"))
    assert read_json(folder / f"checkpoint-{step}" / "trainer_state.json")["global_step"] == step
    run_main("train_gloss", [*flags, "--output_dir", folder, "--resume"])
    last = sorted(expected.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))[-1].name
    assert_same_run(folder, expected, last)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent is gone")
def test_a_launcher_that_is_stopped_stops_the_run(flags, tmp_path):
    folder = tmp_path / "run"
    launch = "-m accelerate.commands.launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no"
    argv = [*launch.split(), ROOT / "scripts/train_gloss.py", *flags, "--epochs", "100000", "--output_dir", folder]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("LOCAL_RANK", None)
    with (tmp_path / "log").open("w") as log:
        launcher = subprocess.Popen([sys.executable, *map(str, argv)], env=environment, stderr=log, stdout=log)
        wait_for(lambda: list(folder.glob("checkpoint-*")))
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(timeout=30) == -signal.SIGTERM
    wait_for(lambda: "is saved: the same command with --resume goes on" in (tmp_path / "log").read_text())


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.1)
