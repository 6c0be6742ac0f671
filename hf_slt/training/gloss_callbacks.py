"""The figures of each epoch of a gloss run (a line for people, a row of `train_log.csv` for programs), early stop."""

from __future__ import annotations

from typing import Any

import numpy as np
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState, TrainingArguments

from hf_slt.training.callbacks import EpochLogCallback

LOG_COLUMNS = [
    "epoch",
    "step",
    "train_loss",
    "train_accuracy",
    "eval_loss",
    "eval_accuracy",
    "eval_top5_accuracy",
    "eval_macro_f1",
    "eval_category_accuracy",
    "learning_rate",
]
_LABELS = {
    "train_loss": "train loss",
    "eval_loss": "val loss",
    "train_accuracy": "train acc",
    "eval_accuracy": "val acc",
    "eval_top5_accuracy": "top-5",
    "eval_category_accuracy": "category",
}


class GlossLogCallback(EpochLogCallback):
    """Write a line per evaluation to the log and to a CSV.

    `train_loss` and `train_accuracy` are means over all clips since the last line, augmented and with dropout.

    Args:
        path: The CSV file.
    """

    columns = LOG_COLUMNS

    def extra_figures(self) -> dict[str, Any]:
        """Return the mean training loss and accuracy."""
        return self.trainer.take_train_figures()

    def format_line(self, row: dict[str, Any], num_epochs: float, seconds: float) -> str:
        """Format the figures of an epoch as one line."""
        parts = [f"epoch {row['epoch']:.4g}/{num_epochs:g}", f"step {row['step']}"]
        parts += [f"{label} {row[name]:.3f}" for name, label in _LABELS.items() if name in row]
        if "learning_rate" in row:
            parts.append(f"lr {row['learning_rate']:.2e}")
        return " | ".join([*parts, f"{seconds:.0f} s"])


class ResumableEarlyStopping(EarlyStoppingCallback):
    """Early stopping that goes on counting when a run is resumed; transformers' own starts again at 0.

    Args:
        early_stopping_patience: Evaluations without a better score after which training stops.
    """

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Count the evaluations since the best one in what the run did before it was cut off."""
        super().on_train_begin(args, state, control, **kwargs)
        name = f"eval_{args.metric_for_best_model.removeprefix('eval_')}"
        scores = np.array([entry[name] for entry in state.log_history if name in entry])
        if len(scores):
            best = int(scores.argmax() if args.greater_is_better else scores.argmin())
            self.early_stopping_patience_counter = len(scores) - 1 - best

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Count an evaluation of the validation split; that of the test split, after training, has other names."""
        if f"eval_{args.metric_for_best_model.removeprefix('eval_')}" in (metrics or {}):
            super().on_evaluate(args, state, control, metrics, **kwargs)
