"""What comes before the first step of a run, beside the checks of the data."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PretrainedConfig

from hf_slt.data.corpus import CorpusPaths
from hf_slt.errors import ConfigurationError
from hf_slt.training.checkpoints import checkpoint_to_resume
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
    if args.resume_from_checkpoint:
        args.resume_from_checkpoint = checkpoint_to_resume(args.resume_from_checkpoint, Path(args.output_dir))
        check_resumed_flags(args.resume_from_checkpoint, effective)
    if args.init_checkpoint and not Path(args.init_checkpoint).exists():
        raise ConfigurationError(
            f"expected a folder or a .pt file of weights in --init-checkpoint, found nothing at {args.init_checkpoint}"
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


def remove_old_results(output_dir: Path) -> None:
    """Remove scores and predictions of an earlier run in the same folder, so that none stands beside the new model."""
    old = [output_dir / name for name in (*_RESULTS, *_PREDICTIONS) if (output_dir / name).is_file()]
    if old:
        logger.warning(f"{output_dir} holds the results of an earlier run: they are replaced")
    for path in old:
        path.unlink()
