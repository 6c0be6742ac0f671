"""Runs that meet a full disk, a lack of memory or a signal: exit codes, messages, and going on."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from gloss_factories import write_gloss_corpus
from gloss_runs import TINY, data_flags
from script_runs import ROOT, read_csv, read_json, run_main
from survival import run_killed, same_weights

from hf_slt.training.checkpoints import SAVING, checkpoints_of, damage_of
from hf_slt.training.gloss_losses import GlossLoss
from hf_slt.training.gloss_trainer import GlossTrainer

RUN = [*TINY, "--epochs", "4", "--batch-size", "4", "--lr", "0.01", "--save_total_limit", "3"]
SCRIPT = ROOT / "scripts/train_gloss.py"


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    return [*data_flags(write_gloss_corpus(tmp_path_factory.mktemp("corpus"))), *RUN]


@pytest.fixture(scope="module")
def expected(flags, tmp_path_factory):
    """A run that met none of it."""
    folder = tmp_path_factory.mktemp("expected") / "run"
    run_main("train_gloss", [*flags, "--output_dir", folder])
    return folder


def start(argv, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *(str(part) for part in argv)]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, **options
    )


def limited(size):
    """Return what lets a process write no file beyond a size, as a disk that is full."""
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}


def assert_same_results(folder, expected):
    assert same_weights(folder / "model.safetensors", expected / "model.safetensors")
    assert (folder / "test_predictions.csv").read_bytes() == (expected / "test_predictions.csv").read_bytes()
    assert read_csv(folder / "train_log.csv") == read_csv(expected / "train_log.csv")


def test_a_disk_that_is_full_when_a_checkpoint_is_written(flags, expected, tmp_path):
    sizes = {path.name: path.stat().st_size for path in (expected / "checkpoint-16").iterdir()}
    largest = sizes.pop(max(sizes, key=sizes.get))
    folder = tmp_path / "run"
    done = start([SCRIPT, *flags, "--output_dir", folder], **limited(int(largest * 0.9)))
    _, said = done.communicate()
    assert done.returncode == 2, said
    assert "Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert last.startswith(f"CheckpointError: expected to save {folder / 'checkpoint-4'}, found: ")
    assert last.endswith("there is no checkpoint yet: make room, or the folder writable, and go on with --resume")
    assert not checkpoints_of(folder) and not (folder / SAVING).exists()
    run_main("train_gloss", [*flags, "--output_dir", folder, "--resume"])
    assert_same_results(folder, expected)


def test_a_disk_that_is_full_later_keeps_the_checkpoints_before(flags, expected, tmp_path):
    """The log grows line by line: a limit of its size after some epochs ends the run there."""
    folder = tmp_path / "run"
    log = tmp_path / "log.csv"
    run_main("train_gloss", [*flags, "--log-csv", log, "--output_dir", folder, "--max_steps", "8"])
    assert {path.name for path in checkpoints_of(folder)} == {"checkpoint-4", "checkpoint-8"}
    whole = log.read_bytes()
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r}); from train_gloss import main; "
    program += _FULL_LOG.format(size=len(whole) + 10)
    done = start(["-c", program, *flags, "--log-csv", log, "--output_dir", folder, "--resume"])
    _, said = done.communicate()
    assert done.returncode == 2 and "Traceback" not in said, said
    assert said.strip().splitlines()[-1] == f"expected to write {log}, found: File too large; make room and try again"
    assert {path.name for path in checkpoints_of(folder)} >= {"checkpoint-4", "checkpoint-8"}
    assert all(damage_of(path) is None for path in checkpoints_of(folder))


# Only the log's file system is full: the limit is on while its lines are written.
_FULL_LOG = """
import resource
from hf_slt.cli import run_script
from hf_slt.training.callbacks import EpochLogCallback
report = EpochLogCallback.report
def limited(self, *args):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, before[1]))
    try:
        report(self, *args)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
EpochLogCallback.report = limited
run_script(main, sys.argv[1:])
"""


def test_a_lack_of_memory_and_smaller_batches(flags, tmp_path, monkeypatch, capsys):
    compute = GlossTrainer.compute_loss

    def hungry(self, model, inputs, *args, **kwargs):
        if model.training and len(inputs["labels"]) > 2:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
        return compute(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(GlossTrainer, "compute_loss", hungry)
    with pytest.raises(SystemExit) as left:
        run_main("train_gloss", [*flags, "--output_dir", tmp_path])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "OutOfMemoryError: expected a batch to fit into the memory, found: [enforce fail] DefaultCPUAll" in said
    assert "lower --batch-size (now 4)" in said
    run_main("train_gloss", [*flags, "--output_dir", tmp_path, "--auto_find_batch_size", "true"])
    assert [row["step"] for row in read_csv(tmp_path / "train_log.csv")] == ["8", "16", "24", "32"]
    assert read_json(tmp_path / "train_results.json")["train_skipped_batches"] == 0
    assert read_json(tmp_path / "checkpoint-32" / "trainer_state.json")["train_batch_size"] == 2


def test_batches_that_were_left_out_are_in_the_results(flags, tmp_path, monkeypatch):
    compute, seen = GlossLoss.__call__, []

    def sometimes(self, *args, **kwargs):
        seen.append(args)
        return compute(self, *args, **kwargs) * (float("nan") if len(seen) in (1, 3) else 1.0)

    monkeypatch.setattr(GlossLoss, "__call__", sometimes)
    run_main("train_gloss", [*flags, "--epochs", "1", "--skip-nonfinite-loss", "--output_dir", tmp_path])
    assert read_json(tmp_path / "train_results.json")["train_skipped_batches"] == 2


def wait_for(condition, process):
    end = time.monotonic() + 60
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def test_a_signal_to_the_whole_group_with_workers(flags, expected, tmp_path):
    """As schedulers and terminals send it: the processes that read clips get it as well."""
    folder = tmp_path / "run"
    argv = [*flags, "--output_dir", folder, "--num-workers", 2]
    process = start([SCRIPT, *argv], start_new_session=True)
    wait_for(lambda: checkpoints_of(folder), process)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert "the same command with --resume goes on" in said and "Traceback" not in said
    run_main("train_gloss", [*argv, "--resume"])
    assert_same_results(folder, expected)


def test_a_signal_before_training_begins(flags, tmp_path):
    folder = tmp_path / "run"
    stopped = run_killed("train_gloss", [*flags, "--output_dir", folder], "__init__", 1, signal.SIGTERM)
    assert stopped.returncode == 143 and "Traceback" not in stopped.stderr, stopped.stderr
    assert not checkpoints_of(folder)
