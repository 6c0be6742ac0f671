"""Arguments of a gloss training run. Importing this module imports neither torch nor transformers."""

from __future__ import annotations

from dataclasses import dataclass

from hf_slt.training.flags import flag
from hf_slt.training.run_arguments import CommonRunArguments


@dataclass
class GlossRunArguments(CommonRunArguments):
    """The run. The flags of transformers.TrainingArguments work beside these (--help-all lists them)."""

    smoke_test: bool = flag(False, "Train on a few synthetic clips, save, load and predict: seconds, needs no data.")
    num_train_epochs: float = flag(30, "Passes over the training clips.", ("--epochs",))
    per_device_train_batch_size: int = flag(32, "Training clips a step and device.", ("--batch-size",))
    per_device_eval_batch_size: int = flag(32, "Evaluation clips a step and device.", ("--val-batch-size",))
    learning_rate: float = flag(3e-4, "Peak learning rate.", ("--lr",))
    metric_for_best_model: str = flag("eval_accuracy", "Validation score that plateau, stop and best model watch.")
    use_ema: bool = flag(False, "Evaluate and keep a moving average of the weights, updated at every step.")
    ema_decay: float = flag(0.999, "Weight of the old average at each step; in the first steps it is lower.")
    dataloader_num_workers: int = flag(0, "Processes that prepare clips; 0 = the training process.", ("--num-workers",))
    pin_memory: bool = flag(True, "Page-locked memory for batches on their way to a GPU.")
    dataloader_prefetch_factor: int | None = flag(None, "Batches that a worker keeps ready.", ("--prefetch-factor",))
    length_grouping: bool = flag(True, "Batches of clips of near-equal length: less padding, faster.")
    log_csv: str | None = flag(None, "File of the figures of each epoch (default: <output_dir>/train_log.csv).")
