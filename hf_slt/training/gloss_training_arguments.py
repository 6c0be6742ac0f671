"""TrainingArguments of gloss recognition: HuggingFace's, with our defaults and short flags."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import TrainingArguments

from hf_slt.errors import ConfigurationError
from hf_slt.training.flags import check_ranges
from hf_slt.training.gloss_arguments import SCHEDULES
from hf_slt.training.gloss_run_arguments import GlossRunArguments

logger = logging.getLogger(__name__)

SELECTING_SCORES = ("accuracy", "top5_accuracy", "macro_f1", "category_accuracy", "loss")
NEWEST = "true"  # `--resume` without a value; `resume: true` in a --config file


@dataclass
class GlossTrainingArguments(GlossRunArguments, TrainingArguments):
    """Arguments of a gloss run; see [`TrainingArguments`] for those that are not listed here."""

    # The data set is no table of columns, and the collator takes all that it gives.
    remove_unused_columns: bool = field(default=False, metadata={"help": "Leave False: the data set has no columns."})
    eval_strategy: str = field(default="epoch", metadata={"help": "When to evaluate: no, steps or epoch."})
    save_strategy: str = field(default="epoch", metadata={"help": "When to save: no, steps, epoch or best."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints to keep; the best one stays."})
    load_best_model_at_end: bool = field(default=True, metadata={"help": "End with the best model, not the last."})
    logging_strategy: str = field(default="epoch", metadata={"help": "When to log: no, steps or epoch."})
    report_to: str = field(default="none", metadata={"help": "tensorboard, wandb, ..., or none."})

    def __post_init__(self) -> None:
        self._check()
        self.lr_scheduler_type = SCHEDULES.get(self.lr_scheduler_type, self.lr_scheduler_type)
        if self.greater_is_better is None:
            self.greater_is_better = not self.metric_for_best_model.endswith("loss")
        if self.eval_strategy == "no":
            self.load_best_model_at_end = False  # there is no best one
        self._set_precision()
        self.dataloader_pin_memory = self.dataloader_pin_memory and self.pin_memory and torch.cuda.is_available()
        if self.resume_from_checkpoint:
            folder = Path(self.output_dir or ".")
            self.resume_from_checkpoint = checkpoint_to_resume(self.resume_from_checkpoint, folder)
        super().__post_init__()
        if self.lr_scheduler_type == "reduce_lr_on_plateau":
            mode = "max" if self.greater_is_better else "min"
            own = {"mode": mode, "patience": self.scheduler_patience, "factor": self.scheduler_factor}
            self.lr_scheduler_kwargs = {**own, **(self.lr_scheduler_kwargs or {})}

    @property
    def log_file(self) -> Path:
        """The CSV of the figures of each epoch."""
        return Path(self.log_csv or Path(self.output_dir) / "train_log.csv")

    def _set_precision(self) -> None:
        """Turn `--amp` into the mixed precision that the device has."""
        if not self.amp or self.bf16 or self.fp16:
            return
        on_gpu = torch.cuda.is_available() and not self.use_cpu
        dtype = amp_dtype(on_gpu)
        if dtype is None:
            logger.warning("--amp: this device has no fast bf16 or fp16; the run is in fp32")
            return
        setattr(self, dtype, True)
        self.use_cpu = not on_gpu  # otherwise transformers refuses bf16 where it finds no GPU

    def _check(self) -> None:
        """Raise `ConfigurationError` for what would otherwise come out after the first epoch only."""
        if not self.output_dir and not self.smoke_test:  # transformers would make up a folder
            raise ConfigurationError("expected --output_dir FOLDER for the run, found none")
        counts = "per_device_train_batch_size per_device_eval_batch_size gradient_accumulation_steps num_threads"
        counts += " early_stop dataloader_prefetch_factor"
        ranges = dict.fromkeys(counts.split(), (1, math.inf))
        amounts = "num_train_epochs dataloader_num_workers learning_rate weight_decay max_grad_norm scheduler_patience"
        ranges |= dict.fromkeys(amounts.split(), (0, math.inf))
        ranges |= {"label_smoothing_factor": (0, 1), "scheduler_factor": (0, 1), "seed": (0, 2**32 - 1)}
        check_ranges(self, ranges)
        problems = list(self._problems())
        if problems:
            raise ConfigurationError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        prefetch = self.dataloader_prefetch_factor
        if prefetch is not None and not self.dataloader_num_workers:
            yield f"expected --num-workers of 1 or more with --prefetch-factor {prefetch}, found 0"
        if self.early_stop is not None and self.eval_strategy == "no":
            yield f"expected an --eval_strategy with --early-stop {self.early_stop}, found 'no'"
        if self.remove_unused_columns:
            yield "expected --remove_unused_columns false (the data set has no columns), found true"
        if self.metric_for_best_model.removeprefix("eval_") not in SELECTING_SCORES:
            yield (
                f"expected --metric_for_best_model out of {[f'eval_{name}' for name in SELECTING_SCORES]}, found "
                f"'{self.metric_for_best_model}'"
            )


def amp_dtype(on_gpu: bool) -> str | None:
    """Return the mixed precision that pays on this machine: `"bf16"`, `"fp16"`, or None.

    Args:
        on_gpu: Whether the run is on a CUDA device; else it is on the CPU, where only units for bf16 make it faster.
    """
    if on_gpu:
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # torch has no public question for it
    return "bf16" if any(getattr(torch.cpu, name, bool)() for name in names) else None


def checkpoint_to_resume(given: str, output_dir: Path) -> str:
    """Return the `checkpoint-N` folder to go on from.

    Args:
        given: The folder; `"true"` (any case) is the newest one of the run.
        output_dir: Folder of the run.

    Raises:
        ConfigurationError: There is no such folder, or none in the folder of the run.
    """
    if given.lower() != NEWEST:
        if not Path(given).is_dir():
            raise ConfigurationError(f"expected a checkpoint-N folder in --resume, found none in '{given}'")
        return given
    found = {
        int(match[1]): path
        for path in output_dir.glob("checkpoint-*")
        if path.is_dir() and (match := re.fullmatch(r"checkpoint-(\d+)", path.name))
    }
    if not found:
        raise ConfigurationError(
            f"expected a checkpoint-N folder in {output_dir} to --resume from, found none; start the run without it"
        )
    return str(found[max(found)])
