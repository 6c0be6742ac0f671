"""Runs that are killed at a chosen moment, and what has to be equal behind a resumed one."""

import csv
import os
import signal
import subprocess
import sys

import torch
from safetensors.torch import load_file
from script_runs import ROOT, read_json

# A program that runs a script and sends a signal to itself at a moment: EVENT of the Trainer's callbacks, the COUNT-th.
_PROBE = """
import os, signal, sys
sys.path.insert(0, {scripts!r})
from transformers.trainer_callback import CallbackHandler
import torch
seen = 0
def count(function):
    def counted(*args, **kwargs):
        global seen
        seen += 1
        if seen == {count}:
            os.kill(os.getpid(), {number})
        return function(*args, **kwargs)
    return counted
if {event!r} == "save":
    torch.save = count(torch.save)
else:
    setattr(CallbackHandler, {event!r}, count(getattr(CallbackHandler, {event!r})))
from hf_slt.cli import run_script
from {script} import main
run_script(main, sys.argv[1:])
"""


def run_killed(script, argv, event, count, number=signal.SIGKILL):
    """Run a script that gets a signal at the count-th event; returns the finished process."""
    scripts = str(ROOT / "scripts")
    program = _PROBE.format(scripts=scripts, event=event, count=count, number=int(number), script=script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, *(str(part) for part in argv)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def same_weights(left, right):
    """Tell whether two safetensors files hold the same numbers, bit by bit."""
    one, two = load_file(left), load_file(right)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def assert_same_run(resumed, expected, last):
    """Compare two folders of runs: models, optimizer, schedule, random states, scores and logs.

    Args:
        resumed: Folder of the run that was killed and resumed.
        expected: Folder of the run that never was.
        last: Its last checkpoint.
    """
    assert same_weights(resumed / "model.safetensors", expected / "model.safetensors")
    left, right = resumed / last, expected / last
    assert {path.name for path in left.iterdir()} == {path.name for path in right.iterdir()}
    for path in right.glob("*.safetensors"):
        assert same_weights(left / path.name, path), path.name
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        one, two = (torch.load(folder / name, weights_only=False) for folder in (left, right))
        assert _equal(one, two), name
    states = [read_json(folder / "trainer_state.json") for folder in (left, right)]
    for name in ("global_step", "epoch", "best_metric", "best_global_step", "max_steps"):
        assert states[0][name] == states[1][name], name
    logs = [[_scores(e) for e in s["log_history"] if any(n.startswith("eval_") for n in e)] for s in states]
    assert logs[0] == logs[1]
    for name in ("eval_results.json", "test_results.json"):
        assert _scores(read_json(resumed / name)) == _scores(read_json(expected / name)), name
    assert (resumed / "test_predictions.csv").read_bytes() == (expected / "test_predictions.csv").read_bytes()
    assert [row["step"] for row in _rows(resumed)] == [row["step"] for row in _rows(expected)]
    for one, two in zip(_rows(resumed), _rows(expected), strict=True):
        assert {n: v for n, v in one.items() if n.startswith("eval")} == {
            n: v for n, v in two.items() if n.startswith("eval")
        }


def _rows(folder):
    with (folder / "train_log.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _scores(metrics):
    return {name: value for name, value in metrics.items() if not name.endswith(("runtime", "per_second"))}


def _equal(left, right):
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_equal(left[name], right[name]) for name in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(_equal(*pair) for pair in zip(left, right, strict=True))
    return bool((left == right).all()) if hasattr(left, "all") else left == right
