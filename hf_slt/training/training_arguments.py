"""TrainingArguments of the translation task: HuggingFace's, with our defaults and short flags."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from transformers import Seq2SeqTrainingArguments

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.languages import tokenizer_for_language
from hf_slt.evaluation.pairs import check_bleu_tokenizer
from hf_slt.training.run_arguments import RunArguments
from hf_slt.training.run_settings import RunSettings

LOWER_IS_BETTER = ("loss", "ter", "cer", "wer", "looping")
_BLEU = ("bleu", "bleu1", "bleu2", "bleu3", "bleu4")
SELECTING_SCORES = (*_BLEU, "chrf", "chrfpp", "rouge_l", "exact_match", *LOWER_IS_BETTER)


@dataclass
class SltTrainingArguments(RunSettings, RunArguments, Seq2SeqTrainingArguments):
    """Arguments of a translation run; see [`Seq2SeqTrainingArguments`] for those that are not listed here."""

    lower_is_better = LOWER_IS_BETTER
    own_ranges = {
        "generation_num_beams": (1, math.inf),
        **dict.fromkeys(("num_samples", "lr_encoder", "lr_decoder"), (0, math.inf)),
    }

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
        self.apply_run_flags()
        super().__post_init__()
        self.finish_run_flags()

    def _check(self) -> None:
        """Raise `ConfigurationError` for what would otherwise come out after the first epoch only."""
        if not self.output_dir:  # transformers would make up a folder
            raise ConfigurationError("expected --output_dir FOLDER for the run, found none")
        self.bleu_tokenize = self.bleu_tokenize or tokenizer_for_language(self.language)
        check_bleu_tokenizer(self.bleu_tokenize)
        problems = list(self._problems())
        if problems:
            raise ConfigurationError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        penalty = self.generation_length_penalty
        if math.isfinite(penalty) and penalty != 1 and self.generation_num_beams == 1:
            yield f"expected --num-beams of 2 or more with --length-penalty {penalty}, found 1"
        if getattr(self, "group_by_length", False):
            yield "expected --group_by_length false (it counts the tokens of text that is read), found true"
        if getattr(self, "prediction_loss_only", False):
            yield "expected --prediction_loss_only false (scores are of generated sentences), found true"
        if self.remove_unused_columns or not self.predict_with_generate:
            yield (
                f"expected --remove_unused_columns false (clips are read from columns of paths) and "
                f"--predict_with_generate true (scores are of generated sentences), found {self.remove_unused_columns} "
                f"and {self.predict_with_generate}"
            )
        if self.metric_for_best_model.removeprefix("eval_") not in SELECTING_SCORES:
            yield (
                f"expected --metric_for_best_model out of {[f'eval_{name}' for name in SELECTING_SCORES]}, found "
                f"'{self.metric_for_best_model}'"
            )
