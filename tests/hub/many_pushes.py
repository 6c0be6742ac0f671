"""Runs `scripts/push_model.py` several times in one process: JSON on stdin, JSON on stdout.

Given is a list of `{"argv": [...], "token": text or null}`; the answer is a list of `{"code", "out", "err"}`.
"""

import contextlib
import importlib.util
import io
import json
import os
import sys
from pathlib import Path

from hf_slt.cli import run_script

SCRIPT = Path(__file__).parents[2] / "scripts" / "push_model.py"


def run(argv, token):
    spec = importlib.util.spec_from_file_location("push_model", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    os.environ.pop("HF_TOKEN", None)
    if token is not None:
        os.environ["HF_TOKEN"] = token
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run_script(module.main, argv)
        except SystemExit as leaving:
            code = leaving.code
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    json.dump([run(one["argv"], one["token"]) for one in json.load(sys.stdin)], sys.stdout)
