"""Two processes train, evaluate, save and resume like one."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import gloss_runs
import pytest
import torch
from factories import write_corpus
from gloss_factories import write_gloss_corpus, write_labels
from script_runs import LAUNCH, ROOT, TINY, data_flags, read_csv, read_json, run_main
from survival import same_weights

# A program that runs a script on each process. It tells how many train and which files each wrote, and kills all of
# them, the launcher too, when the first process begins a step: KILL_AT (0 = never).
_PROGRAM = """
import os, signal, sys
import torch.distributed
from transformers import Trainer
from transformers.trainer_callback import CallbackHandler
from hf_slt.cli import run_script

scripts, script, folder, kill_at = sys.argv[1:5]
sys.path.insert(0, scripts)
rank, written, pids = int(os.environ["RANK"]), [], [0, 0]

def say(line):
    os.write(1, f"{line}\\n".encode())  # at once: the processes share the output

def watch(event, args):
    if event == "open" and isinstance(args[0], str) and set(str(args[1])) & set("wax"):
        written.append(args[0])
    elif event == "os.rename":
        written.append(os.fspath(args[1]))

sys.addaudithook(watch)
train, on_step_begin = Trainer.train, CallbackHandler.on_step_begin

def tell(self, *args, **kwargs):
    torch.distributed.all_gather_object(pids, os.getpid())
    say(f"world size {torch.distributed.get_world_size()}")
    return train(self, *args, **kwargs)

def kill(self, args, state, control):
    if rank == 0 and state.global_step + 1 == int(kill_at):
        for pid in (os.getppid(), pids[1], pids[0]):
            os.kill(pid, signal.SIGKILL)
    return on_step_begin(self, args, state, control)

Trainer.train, CallbackHandler.on_step_begin = tell, kill
run_script(__import__(script).main, sys.argv[5:])
for path in written:
    if path.startswith(folder):
        say(f"wrote {rank} {path[len(folder) + 1:]}")
"""
TEXTS = ["El niño come.", "La casa está grande.", "Él come pan.", "¿Dónde está el niño?"]
SLT_SPLITS = {"train": 12, "validation": 1, "test": 5}
# Without dropout both do the same arithmetic. Two batches for a step, of which the last one of an epoch has half.
# Clipped gradients would have one length, however the processes add them up.
STEPS = ["--epochs", 2, "--grad-accum-steps", 2, "--optim", "sgd", "--lr", 0.05, "--clip-grad-norm", 0]
STEPS += ["--label-smoothing", 0.1]
SAVED = ["--save_strategy", "steps", "--save_steps", 1, "--eval_strategy", "epoch", "--load_best_model_at_end", "false"]
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-\d+)?")
RANDOM = "--optim adamw_torch --lr 0.01 --clip-grad-norm 1 --temporal-dropout 0.3 --decoder-dropout 0.3".split()


def slt_flags(root):
    """Return the flags of a translation run whose evaluations no batch size divides."""
    splits = {split: [f"{split}{i}" for i in range(n)] for split, n in SLT_SPLITS.items()}
    clips = {name: TEXTS[i % 4] for i, name in enumerate(name for names in splits.values() for name in names)}
    paths = write_corpus(root, clips, splits, frames=24, missing={("left_hand", "train0"): [0, 1]})
    still = ["--temporal-dropout", 0, "--decoder-dropout", 0, "--ctc-weight", 0.3, "--augment-frame-dropout", 0.2]
    return [*data_flags(paths, splits), *TINY, *STEPS, *still, "--num-beams", 2]


def gloss_flags(root):
    """Return the flags of a gloss run whose evaluations no batch size divides; some categories are unknown."""
    corpus = write_gloss_corpus(root, num_glosses=5)
    for split in ("train", "test"):
        rows = [list(row.values()) for row in read_csv(corpus.labels[split])]
        rows = [[file, gloss, cat if i % 3 else "", signer] for i, (file, gloss, cat, signer) in enumerate(rows)]
        write_labels(corpus.labels[split], rows)
    still = ["--dropout", 0, "--head-dropout", 0, "--class-weights", "balanced", "--augment-speed", 0.2]
    return [*gloss_runs.data_flags(corpus), *gloss_runs.TINY, *STEPS, *SAVED, *still]


def launch(program, script, flags, folder, kill_at=0):
    """Run a script on two processes; returns the exit code, and what they said."""
    command = [sys.executable, *LAUNCH.split(), program, ROOT / "scripts", script, folder, kill_at, *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [str(part) for part in (*command, "--output_dir", folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == (-signal.SIGKILL if kill_at else 0), done.stderr[-4000:]
    assert done.stdout.count("world size 2") == 2
    return done


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "program.py"
    path.write_text(_PROGRAM, encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=["train_slt", "train_gloss"])
def runs(request, program, tmp_path_factory):
    """One run of each task on two processes and one on one process, which sees the same clips in each step."""
    root = tmp_path_factory.mktemp(request.param)
    flags = {"train_slt": slt_flags, "train_gloss": gloss_flags}[request.param](root / "corpus")
    batches = ["--batch-size", 2, "--val-batch-size", 2]
    two = launch(program, request.param, [*flags, *batches], root / "two")
    run_main(request.param, [*flags, "--batch-size", 4, "--val-batch-size", 3, "--output_dir", root / "one"])
    return SimpleNamespace(script=request.param, flags=[*flags, *batches], one=root / "one", two=root / "two", said=two)


def scores(folder, name):
    """Return the scores of a file but those that are times."""
    return {k: v for k, v in read_json(folder / name).items() if not k.endswith(("runtime", "per_second"))}


def log_rows(folder):
    return [{name: float(value) for name, value in row.items()} for row in read_csv(folder / "train_log.csv")]


def test_every_score_is_that_of_one_process(runs):
    for name in ("eval_results.json", "test_results.json"):
        one, two = scores(runs.one, name), scores(runs.two, name)
        assert one.keys() == two.keys() and any(key.endswith("_loss") for key in one)
        for key, value in one.items():
            assert two[key] == pytest.approx(value, abs=1e-4), key


def test_every_row_of_the_log_is_that_of_one_process(runs):
    one, two = log_rows(runs.one), log_rows(runs.two)
    assert [row["step"] for row in one] == ([2, 4] if runs.script == "train_slt" else [3, 6])
    for left, right in zip(one, two, strict=True):
        assert right == pytest.approx(left, abs=1e-4)


def test_every_clip_is_predicted_once_and_in_order(runs):
    for name, clips in (("eval_predictions.csv", 1), ("test_predictions.csv", 5)):
        clips = 5 if runs.script == "train_gloss" else clips
        one, two = ((folder / name).read_text(encoding="utf-8") for folder in (runs.one, runs.two))
        assert len(read_csv(runs.two / name)) == clips
        assert NUMBER.sub("#", two) == NUMBER.sub("#", one)  # sentences, or names of clips and classes
        # Sums in another order differ in the last bit, and so may the last digit of a probability, shown to three.
        given, expected = ([float(number) for number in NUMBER.findall(text)] for text in (two, one))
        assert given == (expected if runs.script == "train_slt" else pytest.approx(expected, abs=1.1e-3))


def test_the_first_process_alone_writes_and_reports(runs):
    lines = [line.split(maxsplit=2)[1:] for line in runs.said.stdout.splitlines() if line.startswith("wrote ")]
    # Each process checks the corpus, and leaves the same report; each saves its own random state.
    shared = ("contract_report.json", "rng_state")
    writers = Counter((path, rank) for rank, path in lines if not any(name in path for name in shared))
    assert {rank for _, rank in writers} == {"0"}, sorted(path for path, rank in writers if rank != "0")
    for name in ("run_config.json", "splits.json", "eval_results.json", "test_results.json", "test_predictions.csv"):
        assert writers[name, "0"] == 1, name
    assert len([line for line in runs.said.stderr.splitlines() if line.startswith("epoch 1/2 |")]) == 1


def assert_resumes_exactly(program, script, flags, expected, folder):
    """Resume a run on two processes, and compare it with one that was never stopped."""
    assert not (folder / "model.safetensors").exists()
    launch(program, script, [*flags, "--resume"], folder)
    assert same_weights(folder / "model.safetensors", expected / "model.safetensors")
    last = max(expected.glob("checkpoint-*"), key=lambda path: int(path.name[11:])).name
    names = {path.name for path in (expected / last).iterdir()}
    assert {path.name for path in (folder / last).iterdir()} == names > {"rng_state_0.pth", "rng_state_1.pth"}
    for name in ("optimizer.pt", "scheduler.pt", "rng_state_0.pth", "rng_state_1.pth"):
        states = [torch.load(root / last / name, weights_only=False) for root in (folder, expected)]
        assert plain(states[0]) == plain(states[1]), name
    for name in ("eval_results.json", "test_results.json"):
        assert scores(folder, name) == scores(expected, name)
    assert (folder / "test_predictions.csv").read_bytes() == (expected / "test_predictions.csv").read_bytes()
    for left, right in zip(log_rows(folder), log_rows(expected), strict=True):
        assert {n: v for n, v in left.items() if n != "loss"} == {n: v for n, v in right.items() if n != "loss"}


def plain(state):
    """Return a state with its tensors and arrays as lists, which compare bit by bit."""
    if isinstance(state, dict):
        return {name: plain(value) for name, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [plain(value) for value in state]
    return state.tolist() if hasattr(state, "tolist") else state


def test_a_translation_run_resumes_exactly(program, tmp_path):
    """Each process draws its own dropout, and mixes its own batches."""
    flags = [*slt_flags(tmp_path / "corpus"), *RANDOM, *SAVED, "--batch-size", 2, "--mix-stream", "face:0.5"]
    flags += ["--save_total_limit", 9]
    expected, folder = tmp_path / "expected", tmp_path / "run"
    launch(program, "train_slt", flags, expected)
    shutil.copytree(expected / "checkpoint-3", folder / "checkpoint-3")  # what is left of a run in its second epoch
    shutil.copy(expected / "train_log.csv", folder)
    assert_resumes_exactly(program, "train_slt", flags, expected, folder)


@pytest.mark.parametrize("runs", ["train_gloss"], indirect=True)
def test_a_gloss_run_that_is_killed_resumes_exactly(runs, program, tmp_path):
    launch(program, "train_gloss", runs.flags, tmp_path / "run", kill_at=6)
    assert (tmp_path / "run" / "checkpoint-5").is_dir()
    assert_resumes_exactly(program, "train_gloss", runs.flags, runs.two, tmp_path / "run")
