"""The command line of scripts/prepare_data.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def prepare(*arguments):
    command = [sys.executable, str(ROOT / "scripts" / "prepare_data.py"), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_help_imports_nothing_heavy():
    code = "import sys; sys.argv = ['x', '--help']; import runpy\ntry: runpy.run_path(r'{}', run_name='__main__')\n"
    code += (
        "except SystemExit as end: assert not end.code\nassert not {{'numpy', 'torch', 'pandas'}} & set(sys.modules)"
    )
    script = ROOT / "scripts" / "prepare_data.py"
    command = [sys.executable, "-c", code.format(script)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert "--source" in done.stdout and "boston104" in done.stdout


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--source", "how2sign", "--output", "OUT"], "invalid choice: 'how2sign'"),
        (["--source", "boston104", "--output", "OUT"], "found none; set --input"),
        (["--source", "boston104", "--input", "nowhere", "--output", "OUT"], "found no such folder: nowhere"),
        (["--source", "demo", "--input", ".", "--output", "OUT"], "no input folder for the source 'demo'"),
        (["--source", "demo", "--output", "FULL"], "expected an empty or new output folder, found content"),
        (["--source", "demo", "--output", "FULL", "--overwrite"], "expected a corpus to overwrite"),
        (["--source", "phoenix_skeletons", "--input", "FULL", "--output", "OUT"], "12 problems"),
    ],
)
def test_bad_input_ends_with_code_2_and_writes_nothing(arguments, message, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    done = prepare(*({"OUT": tmp_path / "out", "FULL": full}.get(word, word) for word in arguments))
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    assert [path.name for path in full.iterdir()] == ["notes.txt"]
