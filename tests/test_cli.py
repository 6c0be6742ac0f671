"""What every script shares: exit codes, and help at once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hf_slt.cli import run_script
from hf_slt.errors import ConfigurationError, DataContractError, Problem

SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_arguments_reach_main_and_success_returns():
    seen = []
    run_script(seen.append, ("--flag", "3"))
    assert seen == [["--flag", "3"]]


def test_an_error_on_purpose_is_printed_without_a_traceback_and_exits_with_2(capsys):
    def main(argv):
        raise ConfigurationError("expected a, found b")

    with pytest.raises(SystemExit) as exit_info:
        run_script(main, [])
    assert exit_info.value.code == 2
    assert capsys.readouterr().err == "ConfigurationError: expected a, found b\n"


def test_a_bug_keeps_its_traceback():
    def main(argv):
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        run_script(main, [])


@pytest.mark.parametrize("text", ["print('x' * 100)", "print('x' * 10**6)", "sys.stdout.write('x'); sys.exit(0)"])
def test_output_that_nobody_reads_is_no_crash(text):
    code = (
        f"import sys; from hf_slt.cli import run_script\ndef main(argv): sys.stdin.read(); {text}\nrun_script(main, [])"
    )
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    with subprocess.Popen([sys.executable, "-c", code], env=buffered, **pipes) as process:
        process.stdout.close()
        process.stdin.close()
        assert (process.wait(), process.stderr.read()) == (141, b"")


def test_a_pipe_to_another_process_keeps_its_traceback():
    def main(argv):
        raise BrokenPipeError("a worker is gone")

    with pytest.raises(BrokenPipeError, match="a worker is gone"):
        run_script(main, [])


def test_the_first_20_problems_are_shown(capsys):
    def main(argv):
        raise DataContractError([Problem(f"clip{i}", "e", "f", "x") for i in range(25)], "R/report.json")

    with pytest.raises(SystemExit):
        run_script(main, [])
    text = capsys.readouterr().err
    assert "the data set breaks the data contract: 25 problems" in text
    assert "20. clip19\n    expected: e\n    found:    f\n    fix:      x\n... and 5 more" in text
    assert text.rstrip().endswith("All of them are in R/report.json") and "clip20" not in text


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "train_slt.py",
            ("accelerate launch", "--hand-left-dir", "--epochs", "--mix-stream", "in pixels", "in tokens"),
        ),
        ("eval_slt.py", ("--checkpoint", "--ablate-streams", "--num-beams", "--pose-dir")),
        ("train_gloss.py", ("accelerate launch", "--keypoints-train", "--smoke-test", "--early-stop", "in degrees")),
        ("eval_gloss.py", ("--checkpoint", "--labels-csv", "--keypoints", "--features")),
        ("predict.py", ("--checkpoint", "--top-k", "clip")),
        ("convert_checkpoint.py", ("--from", "--pooling", "--num-heads", "--with-backbone", "--overwrite")),
        ("split_data.py", ("--group-by", "--leave-one-group-out", "--ratios")),
        ("pool_predictions.py", ("--resamples", "--output", "folds")),
        ("benchmark.py", ("train", "read", "infer")),
        ("extract_streams.py", ("--videos", "--resume", "Frames a second", "in pixels")),
        ("extract_features.py", ("--videos", "--backbone", "--weights")),
        ("import_landmarks.py", ("--input", "--format", "--width")),
        ("inspect_data.py", ("--data", "--sample", "--metadata-csv")),
        ("realtime.py", ("--camera", "--window", "Seconds")),
        ("validate_data.py", ("--report", "--skip-invalid", "--metadata-csv")),
    ],
)
def test_help_is_instant_and_names_flags_with_units(script, words):
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, SCRIPTS / script, "--help"], check=True, capture_output=True, text=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2
    assert [word for word in words if word not in done.stdout] == []
    assert done.stderr == ""
