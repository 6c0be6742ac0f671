"""What comes before the first step of a run, beside the checks of the data."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PretrainedConfig

from hf_slt.data.corpus import CorpusPaths
from hf_slt.errors import ConfigurationError
from hf_slt.training.checkpoints import checkpoint_to_resume, repair, set_aside
from hf_slt.training.results import SPLITS, read_run_file
from hf_slt.training.resumed_flags import check_resumed_flags

logger = logging.getLogger(__name__)

# What a configuration file says beside the architecture.
_NOT_ARCHITECTURE = {"transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype"}
_RESULTS = ("train_results.json", "eval_results.json", "test_results.json", "all_results.json")
_PREDICTIONS = ("eval_predictions.csv", "test_predictions.csv")


def prepare_torch(training_args: Any) -> None:
    """Set threads, seeds and determinism; before the model is built, because its weights are drawn."""
    if training_args.num_threads:
        torch.set_num_threads(training_args.num_threads)
    if training_args.full_determinism:
        transformers.enable_full_determinism(training_args.seed)
    else:
        transformers.set_seed(training_args.seed)


def report_path_of(args: Any) -> Path | None:
    """Return where the report on the data goes: the first process writes it for all, whose logs say no more either.

    Args:
        args: The arguments of the run.
    """
    if args.process_index == 0:
        return Path(args.output_dir) / "contract_report.json"
    logging.getLogger("hf_slt").setLevel(logging.ERROR)
    return None


def check_splits(paths: CorpusPaths, needs_validation: bool = True) -> None:
    """Raise `ConfigurationError` unless there is a training split and, if the run evaluates, a validation split."""
    flags = {"train": "--train-index", **({"validation": "--val-index"} if needs_validation else {})}
    missing = [flag for split, flag in flags.items() if split not in paths.indexes]
    if missing:
        raise ConfigurationError(
            f"expected {' and '.join(missing)} (or --demo), found none; --eval_strategy no needs no --val-index"
        )


def check_start(args: Any, effective: dict[str, Any]) -> None:
    """Find the checkpoint to go on from, and the weights to start from, before anything is read.

    Args:
        args: The arguments of the run; `resume_from_checkpoint` becomes a `checkpoint-N` folder.
        effective: Effective value of every flag.

    Raises:
        ConfigurationError: There is none, or the run that is resumed has other flags.
    """
    with args.main_process_first(local=False):
        if args.process_index == 0:
            repair(Path(args.output_dir))
    if args.resume_from_checkpoint:
        args.resume_from_checkpoint = checkpoint_to_resume(args.resume_from_checkpoint, Path(args.output_dir))
        check_resumed_flags(args.resume_from_checkpoint, effective)
    if args.init_checkpoint and not Path(args.init_checkpoint).exists():
        raise ConfigurationError(
            f"expected a folder or a .pt file of weights in --init-checkpoint, found nothing at {args.init_checkpoint}"
        )


def check_same_clips(checkpoint: str | None, clips: Sequence[str]) -> None:
    """Raise `ConfigurationError` if the training clips are not those of the run that is resumed.

    Args:
        checkpoint: The `checkpoint-N` to go on from; None: the run is a new one.
        clips: Names of the training clips, in their order.
    """
    train = read_run_file(Path(checkpoint), SPLITS).get("train", {}) if checkpoint else {}
    before = train.get("video_ids", train.get("files"))
    if before is not None and list(before) != list(clips):
        new, gone = sorted(set(clips) - set(before)), sorted(set(before) - set(clips))
        raise ConfigurationError(
            f"expected the {len(before)} training clips of the run that is resumed, found {len(clips)} "
            f"(new: {new[:5]}, gone: {gone[:5]}), or another order; start a new run: --init-checkpoint {checkpoint}"
        )


def check_checkpoint(path: str | None, config: PretrainedConfig) -> None:
    """Hold the folder to resume from, if any, against the run.

    Args:
        path: The folder, `checkpoint-N`.
        config: The configuration of the model that is to go on.

    Raises:
        ConfigurationError: It holds another model.
    """
    if not path:
        return
    stored = Path(path) / "config.json"
    if not stored.is_file():
        return
    before, now = json.loads(stored.read_text(encoding="utf-8")), json.loads(config.to_json_string(use_diff=False))
    # The file leaves out what is a default: only keys that it holds can be compared.
    differing = _differences(before, now)
    if differing:
        raise ConfigurationError(
            f"expected the model of {path}, found other flags: {'; '.join(differing)}; resume with the flags of "
            f"the run (--config run_config.json), or start a new one"
        )


def _differences(before: dict, now: dict, prefix: str = "") -> list[str]:
    differing = []
    for key in before.keys() & now.keys() - _NOT_ARCHITECTURE:
        if isinstance(before[key], dict) and isinstance(now[key], dict):
            differing += _differences(before[key], now[key], f"{prefix}{key}.")
        elif before[key] != now[key]:
            differing.append(f"{prefix}{key} was {before[key]}, is {now[key]}")
    return sorted(differing)


def check_mixed_streams(mixed: Iterable[str], streams: Collection[str]) -> None:
    """Raise `ConfigurationError` if a stream is to be mixed that the run does not read."""
    unused = sorted(set(mixed) - set(streams))
    if unused:
        raise ConfigurationError(
            f"expected --mix-stream out of the streams of this run {list(streams)}, found {unused}"
        )


def start_over(output_dir: Path) -> None:
    """Make room for a new run: set the model and the checkpoints of an earlier one aside, remove its scores."""
    if place := set_aside(output_dir, step=0, whole=True):
        logger.warning(
            f"{output_dir} holds an earlier run, which is in {place} now (--resume would have gone on with it)"
        )
    old = [output_dir / name for name in (*_RESULTS, *_PREDICTIONS) if (output_dir / name).is_file()]
    if old:
        logger.warning(f"{output_dir} holds the results of an earlier run: they are replaced")
    for path in old:
        path.unlink()
