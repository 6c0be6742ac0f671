"""TrainingArguments of gloss recognition: HuggingFace's, with our defaults and short flags."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from transformers import TrainingArguments

from hf_slt.errors import ConfigurationError
from hf_slt.training.gloss_run_arguments import GlossRunArguments
from hf_slt.training.run_settings import RunSettings

SELECTING_SCORES = ("accuracy", "top5_accuracy", "macro_f1", "category_accuracy", "loss")


@dataclass
class GlossTrainingArguments(RunSettings, GlossRunArguments, TrainingArguments):
    """Arguments of a gloss run; see [`TrainingArguments`] for those that are not listed here."""

    lower_is_better = ("loss",)
    own_ranges = {"dataloader_prefetch_factor": (1, math.inf), "ema_decay": (0, 1)}

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
        self.dataloader_pin_memory = self.dataloader_pin_memory and self.pin_memory
        if getattr(self, "group_by_length", False):  # HuggingFace's, which counts tokens
            self.length_grouping, self.group_by_length = True, False
        self.apply_run_flags()
        super().__post_init__()
        self.finish_run_flags()

    @property
    def log_file(self) -> Path:
        """The CSV of the figures of each epoch."""
        return Path(self.log_csv or Path(self.output_dir) / "train_log.csv")

    def _check(self) -> None:
        """Raise `ConfigurationError` for what would otherwise come out after the first epoch only."""
        if not self.output_dir and not self.smoke_test:  # transformers would make up a folder
            raise ConfigurationError("expected --output_dir FOLDER for the run, found none")
        problems = list(self._problems())
        if problems:
            raise ConfigurationError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        prefetch = self.dataloader_prefetch_factor
        if prefetch is not None and not self.dataloader_num_workers:
            yield f"expected --num-workers of 1 or more with --prefetch-factor {prefetch}, found 0"
        if self.remove_unused_columns:
            yield "expected --remove_unused_columns false (the data set has no columns), found true"
        if self.metric_for_best_model.removeprefix("eval_") not in SELECTING_SCORES:
            yield (
                f"expected --metric_for_best_model out of {[f'eval_{name}' for name in SELECTING_SCORES]}, found "
                f"'{self.metric_for_best_model}'"
            )
