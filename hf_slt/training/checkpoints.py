"""Checkpoints of a run on disk: which there are, which are whole, and the one to go on from."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open

from hf_slt.errors import ConfigurationError

logger = logging.getLogger(__name__)

NEWEST = "true"  # `--resume` without a value; `resume: true` in a --config file
STATE, RUN_CONFIG = "trainer_state.json", "run_config.json"
RUN_STATE = "run_state.json"  # what transformers' own files of a checkpoint do not hold
FILES = "files"  # in it: the files of the checkpoint
# Where a checkpoint is written, where the one that it replaces waits meanwhile, and where one is deleted. transformers,
# which looks for `checkpoint-*` and uploads nothing that begins with an underscore, sees none of them.
SAVING, REPLACED, REMOVED = "_saving", "_replaced", "_removed"
EARLIER = "earlier_run"  # of those in the same folder: `earlier_run_1`, ...
# What a checkpoint that does not list its files has to have; states in shards have folders of their own.
_PARTS = {
    "weights": ("model*.safetensors", "pytorch_model*.bin", "pytorch_model_fsdp*", "adapter_model*", "global_step*"),
    "optimizer": ("optimizer*", "global_step*"),
    "scheduler": ("scheduler.pt", "global_step*"),
    "random states": ("rng_state*.pth",),
}
# What a run leaves in its folder beside checkpoints, reports and scores.
_OF_THE_RUN = (
    RUN_CONFIG,
    "splits.json",
    "train_log.csv",
    "trainer_state.json",
    "training_args.bin",
    "config.json",
    "generation_config.json",
    "model*.safetensors*",
    "preprocessor_config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
)


def checkpoints_of(run_dir: Path) -> list[Path]:
    """Return the folders `checkpoint-N` of a run, the one with the highest N first."""
    found = {
        int(match[1]): path
        for path in run_dir.glob("checkpoint-*")
        if path.is_dir() and (match := re.fullmatch(r"checkpoint-(\d+)", path.name))
    }
    return [found[step] for step in sorted(found, reverse=True)]


def damage_of(checkpoint: Path) -> str | None:
    """Return what is wrong with a checkpoint as files: a part that is missing, or cut off; None if it is whole.

    The formats say it themselves: JSON does not parse, safetensors and zip (torch's format) know where they end.
    """
    if not (checkpoint / STATE).is_file():
        return f"no {STATE}"
    if damaged := [path.name for path in sorted(checkpoint.iterdir()) if not _is_whole(path)]:
        return f"{damaged[0]} is damaged"
    step = json.loads((checkpoint / STATE).read_text(encoding="utf-8")).get("global_step")
    if checkpoint.name != f"checkpoint-{step}":
        return f"its state is of step {step}"
    missing = [name for name in _listed_files(checkpoint) if not (checkpoint / name).exists()]
    missing += [what for what, patterns in _PARTS.items() if not any(any(checkpoint.glob(p)) for p in patterns)]
    return f"no {missing[0]}" if missing else None


def _listed_files(checkpoint: Path) -> list[str]:
    """Return the files that a checkpoint was saved with, as far as it says so."""
    path = checkpoint / RUN_STATE
    return json.loads(path.read_text(encoding="utf-8")).get(FILES, []) if path.is_file() else []


def _is_whole(path: Path) -> bool:
    try:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".safetensors":
            with safe_open(path, framework="np"):
                pass
        elif path.suffix in (".pt", ".pth", ".bin"):
            with zipfile.ZipFile(path) as file:
                return file.testzip() is None
    except (OSError, ValueError, SafetensorError, zipfile.BadZipFile):
        return False
    return True


def checkpoint_to_resume(given: str, output_dir: Path) -> str | None:
    """Return the `checkpoint-N` folder to go on from; None to start a run over that had not come to a checkpoint.

    Args:
        given: A `checkpoint-N` folder, the folder of a run, or `"true"` (any case): the run in `output_dir`.
        output_dir: Folder of the run.

    Raises:
        ConfigurationError: There is no such folder, no checkpoint in it, or it is damaged.
    """
    run_dir = output_dir if given.lower() == NEWEST else Path(given)
    if not run_dir.is_dir():
        raise ConfigurationError(
            f"expected the folder of a run, or a checkpoint-N of it, to --resume from, found none in '{run_dir}'"
        )
    if re.fullmatch(r"checkpoint-\d+", run_dir.name):
        if damage := damage_of(run_dir):
            raise ConfigurationError(
                f"expected a whole checkpoint to --resume from, found '{run_dir}': {damage}; --resume {run_dir.parent} "
                f"takes the newest whole one"
            )
        return str(run_dir)
    found = checkpoints_of(run_dir)
    for checkpoint in found:
        if not (damage := damage_of(checkpoint)):
            return str(checkpoint)
        logger.warning(f"{checkpoint} is not whole ({damage}): the one before it is used")
    if not found and (run_dir / RUN_CONFIG).is_file():
        _check_start(run_dir)
        logger.warning(f"{run_dir} was cut off before its first checkpoint: the run starts over")
        return None
    state = "damaged ones only" if found else "none"
    raise ConfigurationError(
        f"expected a checkpoint-N folder in {run_dir} to --resume from, found {state}; start the run without --resume"
    )


def _check_start(run_dir: Path) -> None:
    """Raise `ConfigurationError` if a run that starts over would not start as it did, from given weights."""
    try:
        weights = json.loads((run_dir / RUN_CONFIG).read_text(encoding="utf-8")).get("init_checkpoint")
    except (OSError, ValueError, AttributeError):
        weights = None
    if weights:
        raise ConfigurationError(
            f"expected a checkpoint in {run_dir} to --resume from, found none: it was cut off before its first one; "
            f"start it again, without --resume and with --init-checkpoint {weights}"
        )


def replace_folder(new: Path, final: Path) -> None:
    """Put a folder that is ready in the place of another one, or of none, and see it on the disk.

    At each moment either of the two is there: under its name, or as `_replaced` (see [`repair`]).
    """
    for path in sorted(new.rglob("*")):
        if path.is_file():
            _flush(path)
    replaced = final.parent / REPLACED / final.name
    if final.exists():
        replaced.parent.mkdir(exist_ok=True)
        os.replace(final, replaced)
    os.replace(new, final)
    _flush(final.parent)
    shutil.rmtree(replaced.parent, ignore_errors=True)


def _remove(checkpoint: Path) -> None:
    """Delete a checkpoint; cut off in the middle, it is no checkpoint any more."""
    removed = checkpoint.parent / REMOVED / checkpoint.name
    removed.parent.mkdir(exist_ok=True)
    shutil.rmtree(removed, ignore_errors=True)
    os.replace(checkpoint, removed)
    shutil.rmtree(removed.parent, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def repair(run_dir: Path) -> None:
    """Remove what a run that was cut off while it saved left half-written, and put back what it was replacing."""
    for name in (SAVING, REMOVED):
        shutil.rmtree(run_dir / name, ignore_errors=True)
    if (run_dir / REPLACED).is_dir():
        for checkpoint in (run_dir / REPLACED).iterdir():
            if not (run_dir / checkpoint.name).exists():
                os.replace(checkpoint, run_dir / checkpoint.name)
        shutil.rmtree(run_dir / REPLACED, ignore_errors=True)


def set_aside(run_dir: Path, step: int, whole: bool = False) -> Path | None:
    """Move what an earlier run left out of the way of one that begins at a step: its later checkpoints.

    They are the highest numbers: the run would be resumed from them, and delete its own as the oldest.

    Args:
        run_dir: Folder of both runs.
        step: Where the later one begins.
        whole: Also move the model and the files that describe the earlier run.

    Returns:
        The folder `earlier_run_N` that they were moved to, from which `--resume` goes on; None if there was nothing.
    """
    later = [path for path in checkpoints_of(run_dir) if int(path.name.removeprefix("checkpoint-")) > step]
    files = [path for pattern in _OF_THE_RUN for path in run_dir.glob(pattern)] if whole else []
    if not later and not any(path.name == "config.json" for path in files):
        return None
    place = run_dir / f"{EARLIER}_{1 + sum(1 for _ in run_dir.glob(f'{EARLIER}_*'))}"
    place.mkdir()
    for checkpoint in later:
        if damage_of(checkpoint):
            _remove(checkpoint)
        else:
            os.replace(checkpoint, place / checkpoint.name)
    for path in files:
        os.replace(path, place / path.name)
    if not whole and (run_dir / RUN_CONFIG).is_file():
        shutil.copy2(run_dir / RUN_CONFIG, place)
    return place


def rotate(run_dir: Path, limit: int | None, keep: Iterable[Path]) -> None:
    """Delete the oldest checkpoints of a run beyond a number of them.

    Args:
        run_dir: Folder of the run.
        limit: How many may stay; None or 0: all.
        keep: Those that stay whatever their age, such as the best one; the newest stays as well, to resume from.
    """
    if not limit:
        return
    found = checkpoints_of(run_dir)
    kept = {path.resolve() for path in keep} | {path.resolve() for path in found[:1]}
    for checkpoint in found:  # newest first
        if len(kept) < limit:
            kept.add(checkpoint.resolve())
    for checkpoint in found:
        if checkpoint.resolve() not in kept:
            _remove(checkpoint)
