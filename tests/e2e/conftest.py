"""One tiny trained run for all end-to-end tests."""

import sys
from types import SimpleNamespace

import pytest
from factories import write_corpus
from script_runs import ROOT, SENTENCES, SPLITS, TRAINED, data_flags, run_process


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    missing = {("left_hand", "001"): [0, 1], ("face", "vid1"): [3]}
    return write_corpus(tmp_path_factory.mktemp("corpus"), SENTENCES, SPLITS, missing=missing)


@pytest.fixture(scope="session")
def trained(corpus, tmp_path_factory):
    """A run of scripts/train_slt.py: its folder, its flags without `--output_dir`, and what it said."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    flags = [*data_flags(corpus, SPLITS), *TRAINED]
    done = run_process(sys.executable, ROOT / "scripts/train_slt.py", *flags, "--output_dir", folder)
    return SimpleNamespace(folder=folder, flags=flags, log=done.stderr)
