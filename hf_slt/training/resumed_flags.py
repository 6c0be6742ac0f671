"""Flags of a run that is resumed, held against those that it was started with."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

from hf_slt.errors import ConfigurationError
from hf_slt.training.checkpoints import RUN_CONFIG

logger = logging.getLogger(__name__)

# The checkpoint holds what came of these: another value would do nothing, or count wrongly from here on.
_FIXED = re.compile(
    r"learning_rate|lr_.*|scheduler_.*|warmup_.*|optim.*|adam_.*|weight_decay|seed|data_seed|subset_size|train_index|"
    r"per_device_train_batch_size|gradient_accumulation_steps|metric_for_best_model|greater_is_better|labels_train_csv|"
    r"length_grouping|(eval|save|logging)_(steps|strategy)"
)
# These change nothing that training computes.
_FREE = re.compile(
    r"output_dir|num_train_epochs|max_steps|eval_.*|save_.*|logging_.*|log_.*|dataloader_.*|report_to|hub_.*|push_.*|"
    r"generation_.*|tensorboard|resume_.*|early_stop.*|disable_tqdm|num_threads|num_samples|run_.*|use_cpu|"
    r"load_best_model_at_end|per_device_eval_batch_size|cache_dir|bleu_tokenize|pin_memory|init_checkpoint|"
    r"allow_partial_init|do_.*|auto_find_batch_size|test_index|val_index|.*_(test|val)(_csv)?|overwrite_.*|demo|smoke_test"
)
_SECRETS = ("hub_token", "push_to_hub_token")
# Their value is a folder, or a name on the hub.
_MODELS = ("decoder_model", "backbone", "face_backbone", "hand_backbone", "tokenizer")


def stored_flags(checkpoint: str | None) -> dict[str, Any]:
    """Return the flags that the run of a `checkpoint-N` was started with; empty if that is not known.

    Raises:
        ConfigurationError: The file that holds them is damaged.
    """
    path = Path(checkpoint or "").parent / RUN_CONFIG
    if not checkpoint or not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"expected the flags of the run in {path}, found: {error}") from error


def flags_to_store(effective: dict[str, Any], checkpoint: str | None) -> dict[str, Any]:
    """Return the flags that repeat a run: how it was gone on with is no part of them, what it started from is.

    A token is left out: the file is shared. A model in a relative folder is written with a dot in front, `./models/t5`,
    which is no name on the hub.
    """
    before = stored_flags(checkpoint)
    start = {name: before[name] for name in ("init_checkpoint", "allow_partial_init") if name in before}
    private = dict.fromkeys(effective.keys() & set(_SECRETS))
    return {**_with_folders(effective), **start, **private, "resume_from_checkpoint": None}


def _with_folders(flags: dict[str, Any]) -> dict[str, Any]:
    local = {name: Path(flags[name]) for name in _MODELS if flags.get(name) and Path(flags[name]).exists()}
    dotted = {name: f"./{path}" for name, path in local.items() if not path.is_absolute() and path.parts[:1] != ("..",)}
    return {**flags, **dotted}


def check_resumed_flags(checkpoint: str | None, effective: dict[str, Any]) -> None:
    """Refuse flags that a run which is resumed cannot change, and tell those that it does change.

    Args:
        checkpoint: The `checkpoint-N` to go on from; None: the run is a new one.
        effective: Effective value of every flag.

    Raises:
        ConfigurationError: A flag that has no effect any more was changed; the message lists all of them.
    """
    before = stored_flags(checkpoint)
    changed = {
        name: f"{name} was {before[name]}, is {value}"
        for name, value in _with_folders(effective).items()
        if name in before
        and before[name] != json.loads(json.dumps(value))
        and (_FIXED.fullmatch(name) or not _FREE.fullmatch(name))
    }
    if fixed := [text for name, text in changed.items() if _FIXED.fullmatch(name)]:
        raise ConfigurationError(
            f"expected the flags that the run was started with, found others: {'; '.join(fixed)}; resume without them, "
            f"or start a new run from its weights: --init-checkpoint {checkpoint}"
        )
    for text in changed.values():
        logger.warning(f"resumed with another flag, from here on: {text}")
