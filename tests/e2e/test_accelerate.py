"""Two processes evaluate and train like one."""

import json
import sys

import pytest
from script_runs import LAUNCH, ROOT, probe_of, run_main, run_process


def results(folder):
    return json.loads((folder / "test_results.json").read_text(encoding="utf-8"))


def test_two_processes_give_the_result_of_one(trained, tmp_path):
    probe = tmp_path / "probe.py"
    probe.write_text(probe_of("train_slt"), encoding="utf-8")
    # The same four clips make each step: two a process, or four in one. Without dropout both do the same arithmetic.
    at = trained.flags.index("--batch-size")
    flags = [*trained.flags[:at], *trained.flags[at + 2 :], "--temporal-dropout", "0", "--decoder-dropout", "0"]
    flags += ["--optim", "sgd", "--lr", "0.5", "--warmup_ratio", "0"]
    launched = run_process(
        sys.executable,
        *LAUNCH.split(),
        probe,
        ROOT / "scripts",
        *flags,
        "--batch-size",
        2,
        "--output_dir",
        tmp_path / "two",
    )
    assert launched.stdout.count("world size 2") == 2
    run_main("train_slt", [*flags, "--batch-size", 4, "--output_dir", tmp_path / "one"])
    one, two = results(tmp_path / "one"), results(tmp_path / "two")
    assert two["test_loss"] == pytest.approx(one["test_loss"], abs=1e-4)
    assert {k: v for k, v in two.items() if "cer" in k} == {k: v for k, v in one.items() if "cer" in k}
    assert (tmp_path / "two" / "test_predictions.csv").read_text() == (
        tmp_path / "one" / "test_predictions.csv"
    ).read_text()
