"""Gloss runs with settings that take a second."""

import sys
from types import SimpleNamespace

from script_runs import ROOT, run_process

TINY = (
    "--hidden-size 16 --num-layers 1 --num-heads 2 --intermediate-size 16 --head-hidden-size 8 --use_cpu "
    "--disable_tqdm true --num-threads 1"
).split()
TRAINED = [*TINY, "--epochs", "3", "--batch-size", "4", "--lr", "0.01", "--augment-speed", "0.2"]
SPLITS = {"train": "train", "validation": "val", "test": "test"}


def data_flags(corpus, splits=SPLITS, names=True):
    """Return the flags of a corpus: folders and labels of some splits, and the name tables."""
    flags = []
    for split in splits:
        flags += [f"--{corpus.kind}-{SPLITS[split]}", corpus.folders[split]]
        flags += [f"--labels-{SPLITS[split]}-csv", corpus.labels[split]]
    if names:
        flags += ["--gloss-names", corpus.gloss_names, "--cat-names", corpus.category_names]
    return [str(part) for part in [*flags, "--cache-dir", corpus.root / "cache"]]


def train_in_a_process(corpus, folder):
    """Train with scripts/train_gloss.py; returns its folder, its flags without `--output_dir`, and what it said."""
    flags = [*data_flags(corpus), *TRAINED]
    done = run_process(sys.executable, ROOT / "scripts/train_gloss.py", *flags, "--output_dir", folder)
    return SimpleNamespace(folder=folder, flags=flags, log=done.stderr)
