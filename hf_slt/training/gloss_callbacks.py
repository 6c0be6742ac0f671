"""The figures of each epoch of a gloss run: a line for people, a row of `train_log.csv` for programs."""

from __future__ import annotations

from typing import Any

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
