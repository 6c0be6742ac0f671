"""What scores came from: the clips, how the model was chosen, how it decoded, and the versions that computed it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import datasets
from tqdm.auto import tqdm

import hf_slt
from hf_slt.streams import IMAGE_STREAMS
from hf_slt.training.checkpoints import RUN_CONFIG

_PACKAGES = ("torch", "transformers", "sacrebleu", "numpy")
_DEFAULT_MAX_LENGTH = 20  # of transformers, in tokens, with the start token
_READERS = 16  # threads: most of the time of a small file is that of opening it
_QUIET_SECONDS = 3  # of hashing, before a bar shows


def hash_rows(rows: Iterable[Any]) -> str:
    """Return `sha256:...` over rows of plain values, in their order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"


def hash_clips(clips: datasets.Dataset) -> str:
    """Return a hash of clips, in their order: the same wherever the corpus lies, another one if a pixel changes.

    It covers id, sentence, signer and number of frames of each, and name and content of each of its files: all of them
    are read, as in one epoch of training, with a bar where that takes more than seconds.
    """
    names = ("video_id", "text", "signer", "n_frames", "pose", *IMAGE_STREAMS)
    columns = {name: clips[name][:] for name in names}
    rows = [{name: values[index] for name, values in columns.items()} for index in range(len(clips))]
    with ThreadPoolExecutor(_READERS) as pool:
        files = pool.map(_files_of, rows)
        bar = tqdm(zip(rows, files, strict=True), "hashing the clips", len(rows), unit="clip", delay=_QUIET_SECONDS)
        return hash_rows([*(row[name] for name in names[:4]), found] for row, found in bar)


def _files_of(row: Mapping[str, Any]) -> list[list[str]]:
    """Return stream, name and SHA-256 of each file of a clip."""
    files = [("pose", row["pose"]["path"])] if row["pose"] and row["pose"]["path"] else []
    for stream in IMAGE_STREAMS:
        source = row[stream]
        if source and source["kind"]:
            parts = source["files"] if source["kind"] == "images" else [""]
            files += [(stream, os.path.join(source["path"], part) if part else source["path"]) for part in parts]
    return [[stream, os.path.basename(path), _hash_file(path)] for stream, path in files]


def _hash_file(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_selection(
    folder: Path, run_config: Mapping[str, Any], splits: Mapping[str, Any], lower_is_better: Collection[str]
) -> dict[str, Any]:
    """Tell which clips chose the weights of a model, and how.

    Args:
        folder: Its folder.
        run_config: Flags of its training run; empty if unknown.
        splits: Members of the splits of the run; empty if unknown.
        lower_is_better: Scores of the task of which the lowest is the best.

    Returns:
        `split` (`"validation"`, or None if no clips chose it or that is not known), `metric`, `mode` (`"min"` or
        `"max"`) and `rule`, a sentence.
    """
    unchosen = {"split": None, "metric": None, "mode": None}
    if folder.resolve().name.startswith("checkpoint-"):
        return unchosen | {"rule": f"{folder.resolve().name} of a run, chosen by whoever evaluates it"}
    if not run_config:
        return unchosen | {"rule": f"unknown: no {RUN_CONFIG} beside the model"}
    chooses = run_config.get("load_best_model_at_end", True) and run_config.get("eval_strategy", "epoch") != "no"
    if not chooses or (splits and "validation" not in splits):
        return unchosen | {"rule": "the last step of training; no clips chose it"}
    metric = str(run_config.get("metric_for_best_model") or "loss").removeprefix("eval_")
    greater = run_config.get("greater_is_better")
    greater = metric not in lower_is_better if greater is None else greater
    best = "highest" if greater else "lowest"
    rule = f"the evaluated step of training with the {best} {metric} on the validation split"
    return {"split": "validation", "metric": metric, "mode": "max" if greater else "min", "rule": rule}


def describe_decoding(model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a model generates: what flags ask for, else its own setting, else the default of transformers.

    Args:
        model: The model.
        given: Flag -> value; None: not given.

    Returns:
        `num_beams`, `length_penalty`, `no_repeat_ngram_size` (0 = off) and `max_new_tokens` (without the start token).
    """
    own = model.generation_config
    longest = own.max_new_tokens or (own.max_length or _DEFAULT_MAX_LENGTH) - 1
    settings = {
        "num_beams": own.num_beams or 1,
        "length_penalty": 1.0 if own.length_penalty is None else own.length_penalty,
        "no_repeat_ngram_size": own.no_repeat_ngram_size or 0,
        "max_new_tokens": longest,
    }
    return {name: value if given.get(name) is None else given[name] for name, value in settings.items()}


def versions() -> dict[str, str]:
    """Return the version of hf_slt, of Python, and of the packages that scores depend on."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"hf_slt": hf_slt.__version__, "python": platform.python_version(), **packages}
