"""A translation run that is stopped anywhere goes on exactly."""

import random
import signal

import pytest
from script_runs import SPLITS, TINY, data_flags, run_main
from survival import assert_same_run, run_killed

# 4 clips: 2 batches and 2 steps an epoch, 12 in all. Everything that is random is on, and workers read the clips.
RANDOM = "--augment-frame-dropout 0.2 --augment-stream-dropout 0.2 --mix-stream face:0.5 --mix-stream pose:0.5"
RUN = "--epochs 6 --batch-size 2 --lr 0.01 --temporal-dropout 0.2 --early-stop 6 --scheduler cosine"
# Saved at every step and evaluated behind every epoch: the last step of an epoch is saved before it is evaluated.
STEPS = "--save_strategy steps --save_steps 1 --eval_strategy epoch --load_best_model_at_end false".split()


@pytest.fixture(scope="module")
def flags(corpus):
    at = TINY.index("--num-workers")
    tiny = [*TINY[:at], "--num-workers", "2", *TINY[at + 2 :]]
    return [*data_flags(corpus, SPLITS), *tiny, *RANDOM.split(), *RUN.split()]


@pytest.fixture(scope="module")
def expected(flags, tmp_path_factory):
    """Runs that were never stopped: with whole epochs as units, and with steps."""
    folders = {}
    for name, more in (("epochs", []), ("steps", STEPS)):
        folders[name] = tmp_path_factory.mktemp("expected") / name
        run_main("train_slt", [*flags, *more, "--output_dir", folders[name]])
    return folders


def moments():
    """Three random steps, a moment in an evaluation, in a save, and between a save and the evaluation behind it."""
    steps = random.Random(1).sample(range(3, 13), 3)
    cases = [("epochs", "on_step_begin", step) for step in steps] + [("epochs", "on_prediction_step", 3)]
    return [*cases, ("epochs", "save", 8), ("steps", "on_epoch_end", 3), ("steps", "on_step_begin", 6)]


@pytest.mark.parametrize(("unit", "event", "count"), moments())
def test_killed_and_resumed_ends_like_never_stopped(flags, expected, tmp_path, unit, event, count):
    folder, flags = tmp_path / "run", [*flags, *(STEPS if unit == "steps" else [])]
    killed = run_killed("train_slt", [*flags, "--output_dir", folder], event, count)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert not (folder / "model.safetensors").exists()
    run_main("train_slt", [*flags, "--output_dir", folder, "--resume"])
    assert_same_run(folder, expected[unit], "checkpoint-12")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_says_how_to_go_on(flags, expected, tmp_path, number):
    folder = tmp_path / "run"
    stopped = run_killed("train_slt", [*flags, "--output_dir", folder], "on_step_end", 5, number)
    assert stopped.returncode == 128 + number, stopped.stderr[-2000:]
    assert f"after step 5; {folder / 'checkpoint-5'} is saved" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    run_main("train_slt", [*flags, "--output_dir", folder, "--resume"])
    assert_same_run(folder, expected["epochs"], "checkpoint-12")


def test_a_run_that_was_done_is_not_trained_further(flags, expected):
    folder = expected["epochs"]
    before = {path: path.stat().st_mtime_ns for path in folder.glob("checkpoint-*/*")}
    scores = (folder / "test_results.json").read_text()
    run_main("train_slt", [*flags, "--output_dir", folder, "--resume"])
    assert {path: path.stat().st_mtime_ns for path in folder.glob("checkpoint-*/*")} == before
    assert scores.split("runtime")[0] == (folder / "test_results.json").read_text().split("runtime")[0]
