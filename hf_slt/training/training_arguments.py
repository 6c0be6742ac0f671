"""TrainingArguments of the translation task: HuggingFace's, with our defaults and short flags."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import Seq2SeqTrainingArguments

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.pairs import check_bleu_tokenizer
from hf_slt.training.flags import check_ranges
from hf_slt.training.run_arguments import RunArguments

LOWER_IS_BETTER = ("loss", "cer", "wer", "looping")
SELECTING_SCORES = ("bleu", "bleu1", "bleu2", "bleu3", "bleu4", "chrf", "exact_match", *LOWER_IS_BETTER)


@dataclass
class SltTrainingArguments(RunArguments, Seq2SeqTrainingArguments):
    """Arguments of a translation run; see [`Seq2SeqTrainingArguments`] for those that are not listed here."""

    # Columns of paths are decoded by the data set's transform, which the Trainer cannot see.
    remove_unused_columns: bool = field(default=False, metadata={"help": "Leave False: the columns are needed."})
    predict_with_generate: bool = field(default=True, metadata={"help": "Generate sentences when evaluating."})
    eval_strategy: str = field(default="epoch", metadata={"help": "When to evaluate: no, steps or epoch."})
    save_strategy: str = field(default="epoch", metadata={"help": "When to save: no, steps, epoch or best."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints to keep; the best one stays."})
    load_best_model_at_end: bool = field(default=True, metadata={"help": "End with the best model, not the last."})
    logging_strategy: str = field(default="epoch", metadata={"help": "When to log: no, steps or epoch."})
    logging_first_step: bool = field(default=True, metadata={"help": "Also log the first step."})
    report_to: str = field(default="none", metadata={"help": "tensorboard, wandb, ..., or none."})

    def __post_init__(self) -> None:
        self._check()
        if self.greater_is_better is None:
            self.greater_is_better = not self.metric_for_best_model.endswith(LOWER_IS_BETTER)
        self.dataloader_pin_memory = self.dataloader_pin_memory and torch.cuda.is_available()
        super().__post_init__()

    def _check(self) -> None:
        """Raise `ConfigurationError` for what would otherwise come out after the first epoch only."""
        if not self.output_dir:  # transformers would make up a folder
            raise ConfigurationError("expected --output_dir FOLDER for the run, found none")
        check_bleu_tokenizer(self.bleu_tokenize)
        counts = ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps")
        ranges = dict.fromkeys((*counts, "generation_num_beams", "num_threads"), (1, math.inf))
        ranges |= dict.fromkeys(
            ("num_train_epochs", "dataloader_num_workers", "num_samples", "learning_rate"), (0, math.inf)
        )
        check_ranges(self, ranges | {"label_smoothing_factor": (0, 1), "seed": (0, 2**32 - 1)})
        if self.generation_length_penalty != 1 and self.generation_num_beams == 1:
            raise ConfigurationError(
                f"expected --num-beams of 2 or more with --length-penalty {self.generation_length_penalty}, found 1"
            )
        if self.remove_unused_columns or not self.predict_with_generate:
            raise ConfigurationError(
                f"expected --remove_unused_columns false (clips are read from columns of paths) and "
                f"--predict_with_generate true (scores are of generated sentences), found {self.remove_unused_columns} "
                f"and {self.predict_with_generate}"
            )
        if self.metric_for_best_model.removeprefix("eval_") not in SELECTING_SCORES:
            raise ConfigurationError(
                f"expected --metric_for_best_model out of {[f'eval_{name}' for name in SELECTING_SCORES]}, found "
                f"'{self.metric_for_best_model}'"
            )
        if self.resume_from_checkpoint and not Path(self.resume_from_checkpoint).is_dir():
            raise ConfigurationError(
                f"expected a checkpoint-N folder in --resume_from_checkpoint, found none in "
                f"'{self.resume_from_checkpoint}'"
            )
