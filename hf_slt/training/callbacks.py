"""Callbacks: the epoch for augmentation, a line per epoch for people, `train_log.csv` for programs."""

from __future__ import annotations

import csv
import logging
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback

from hf_slt.data.epoch import SharedEpoch
from hf_slt.evaluation.reports import format_pairs

logger = logging.getLogger(__name__)

LOG_COLUMNS = ["epoch", "step", "loss", "learning_rate", "eval_loss", "eval_bleu", "eval_chrf", "eval_cer", "eval_wer"]


class QuietProgressCallback(ProgressCallback):
    """Progress bars without the raw dictionaries of figures between them."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Leave the figures to [`EpochReportCallback`]."""


class EpochCallback(TrainerCallback):
    """Tell the transform and the collator, also those in worker processes, which epoch is running.

    Args:
        epoch: The counter that they read.
    """

    def __init__(self, epoch: SharedEpoch):
        self.epoch = epoch

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set the counter; `state.epoch` is a float that may fall short of a whole number by a rounding error."""
        self.epoch.value = int((state.epoch or 0) + 1e-3)


class EpochReportCallback(TrainerCallback):
    """Write a line per evaluation to the log, with some translations, and to `train_log.csv`.

    Args:
        path: The CSV file.
        num_samples: Reference/hypothesis pairs to show.
    """

    def __init__(self, path: Path, num_samples: int = 3):
        self.path = path
        self.num_samples = num_samples
        self.trainer: Any = None
        self.figures: dict[str, Any] = {}
        self.started = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the file, or go on with it when a run is resumed."""
        self.started = time.monotonic()
        if state.is_world_process_zero and (state.global_step == 0 or not self.path.exists()):
            with self.path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(LOG_COLUMNS)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Keep the training loss of the epoch until its evaluation."""
        self.figures.update({name: logs[name] for name in ("loss", "learning_rate") if name in (logs or {})})

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Report the epoch."""
        in_training = self.trainer is not None and self.trainer.is_in_train
        if not state.is_world_process_zero or not in_training or "eval_loss" not in (metrics or {}):
            return
        row = {**self.figures, **metrics, "epoch": state.epoch or 0.0, "step": state.global_step}
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, LOG_COLUMNS, extrasaction="ignore")
            writer.writerow({name: f"{v:.6g}" if isinstance(v, float) else v for name, v in row.items()})
        logger.info(format_epoch(row, args.num_train_epochs, time.monotonic() - self.started))
        if self.num_samples:
            logger.info(format_pairs(self.trainer.last_predictions, self.trainer.last_references, n=self.num_samples))


def format_epoch(row: dict[str, Any], num_epochs: float, seconds: float) -> str:
    """Format the figures of an epoch as one line."""
    parts = [f"epoch {row['epoch']:.4g}/{num_epochs:g}", f"step {row['step']}"]
    names = {"loss": "train loss", "eval_loss": "val loss", "eval_bleu": "BLEU", "eval_chrf": "chrF"}
    names |= {"eval_cer": "CER", "eval_wer": "WER"}
    parts += [
        f"{label} {row[name]:.3f}" if "loss" in name else f"{label} {row[name]:.1f}"
        for name, label in names.items()
        if name in row
    ]
    return " | ".join([*parts, f"{seconds:.0f} s"])
