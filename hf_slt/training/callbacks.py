"""Callbacks: the epoch for augmentation, a line per epoch for people, `train_log.csv` for programs."""

from __future__ import annotations

import csv
import io
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback

from hf_slt.data.epoch import SharedEpoch
from hf_slt.evaluation.reports import format_pairs, write_whole

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


class EpochLogCallback(TrainerCallback):
    """Write a line per evaluation, or per log where nothing is evaluated, to the log and to a CSV.

    Subclasses give the columns, the line, and may add figures.

    Args:
        path: The CSV file.
    """

    columns: Sequence[str] = ()

    def __init__(self, path: Path):
        self.path = path
        self.trainer: Any = None
        self.figures: dict[str, Any] = {}
        self.started = time.monotonic()

    def format_line(self, row: dict[str, Any], num_epochs: float, seconds: float) -> str:
        """Format the figures of a row as one line for people."""
        raise NotImplementedError

    def extra_figures(self) -> dict[str, Any]:
        """Return figures that no one logs; called on every process."""
        return {}

    def after_line(self) -> None:
        """Show more, below the line."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the file, or go on with it, from the step at which a run is resumed.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        self.started = time.monotonic()
        if state.is_world_process_zero:
            rows = self._rows_before(args, state) if state.global_step else []
            text = io.StringIO(newline="")
            writer = csv.DictWriter(text, self.columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
            write_whole(self.path, text.getvalue().encode())

    def _rows_before(self, args: TrainingArguments, state: TrainerState) -> list[dict[str, str]]:
        """Return the rows of the run before it was cut off, and keep the last loss for the next evaluation's row."""
        for entry in state.log_history:
            self.figures.update({name: entry[name] for name in ("loss", "learning_rate") if name in entry})
        evaluated = any("eval_loss" in e for e in state.log_history if e["step"] == state.global_step)
        at_step = evaluated or args.eval_strategy == "no"
        return earlier_rows(self.path, state.global_step if at_step else state.global_step - 1)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Keep the training loss of the epoch until its evaluation, if there is one."""
        self.figures.update({name: logs[name] for name in ("loss", "learning_rate") if name in (logs or {})})
        if args.eval_strategy == "no" and "loss" in (logs or {}):
            self.report(args, state, {})

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Report the epoch."""
        if self.trainer is not None and self.trainer.is_in_train and "eval_loss" in (metrics or {}):
            self.report(args, state, metrics)

    def report(self, args: TrainingArguments, state: TrainerState, metrics: dict[str, Any]) -> None:
        """Write one line, with the figures that were logged since the last one."""
        row = {
            **self.figures,
            **self.extra_figures(),
            **metrics,
            "epoch": state.epoch or 0.0,
            "step": state.global_step,
        }
        if not state.is_world_process_zero:
            return
        try:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, self.columns, extrasaction="ignore")
                writer.writerow({name: f"{v:.6g}" if isinstance(v, float) else v for name, v in row.items()})
        except OSError as error:  # a full disk does not say which file it is
            error.filename = str(self.path)
            raise
        logger.info(self.format_line(row, args.num_train_epochs, time.monotonic() - self.started))
        self.after_line()


def earlier_rows(path: Path, step: int) -> list[dict[str, str]]:
    """Return the rows of a log file up to a step: those after it are about to be written again."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit() and int(row["step"]) <= step]


class EpochReportCallback(EpochLogCallback):
    """Write a line per evaluation to the log, with some translations, and to `train_log.csv`.

    Args:
        path: The CSV file.
        num_samples: Reference/hypothesis pairs to show.
    """

    columns = LOG_COLUMNS

    def __init__(self, path: Path, num_samples: int = 3):
        super().__init__(path)
        self.num_samples = num_samples

    def format_line(self, row: dict[str, Any], num_epochs: float, seconds: float) -> str:
        """Format the figures of an epoch as one line."""
        return format_epoch(row, num_epochs, seconds)

    def after_line(self) -> None:
        """Show the first sentences of the evaluation."""
        if self.num_samples and self.trainer.last_predictions:
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
